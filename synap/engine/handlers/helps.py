"""What the HELP subcommands say: read off the table, a container's rows with their usage."""

from typing import Any

from synap.derive.command_pages import usage
from synap.engine.engine import Engine, Handler
from synap.engine.sessions import Session


def lines(engine: Engine, container: str) -> list[str]:
    """Each subcommand and below it what it does."""
    found = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for row in engine.catalogue.rows:
        if row.resp.startswith(container + "|"):
            found += [usage(row).split(" ", 1)[1], "    " + row.doc]
    return found


def _helper(container: str) -> Handler:
    def say(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
        return lines(engine, container)

    return say


CONTAINERS = (
    "CLIENT", "CONFIG", "SLOWLOG", "LATENCY", "OBJECT", "MEMORY", "ACL", "MODULE", "DEBUG", "PUBSUB", "COMMAND",
)  # fmt: skip
HANDLERS: dict[str, Handler] = {f"help_{name.lower()}": _helper(name) for name in CONTAINERS}
