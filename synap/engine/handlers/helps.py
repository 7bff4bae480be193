"""Handlers of the HELP subcommands: usage and summary of a container's rows, from the command table."""

from typing import Any

from synap.call import Value
from synap.derive.command_pages import usage
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler


def lines(engine: Engine, container: str) -> list[str]:
    """Return the usage of each subcommand, each followed by its summary."""
    found = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for row in engine.catalogue.rows:
        if row.resp.startswith(container + "|"):
            found += [usage(row).split(" ", 1)[1], "    " + row.doc]
    return found


def _helper(container: str) -> Handler:
    def say(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
        return lines(engine, container)

    return say


CONTAINERS = (
    "CLIENT", "CONFIG", "SLOWLOG", "LATENCY", "OBJECT", "MEMORY", "ACL", "MODULE", "DEBUG", "PUBSUB", "COMMAND",
    "SCRIPT", "FUNCTION", "XGROUP", "XINFO",
)  # fmt: skip
HANDLERS: dict[str, Handler] = {f"help_{name.lower()}": _helper(name) for name in CONTAINERS}
