"""The table of Redis' settings in docs/operations.md, off the data by which CONFIG answers."""

from collections.abc import Sequence
from textwrap import fill

from synap.cli.tree_map import between
from synap.engine.handlers.live_settings import LIVE
from synap.engine.handlers.redis_settings import ALIASES, FIXED, IMMUTABLE, KEPT, PROTECTED

BEGIN, END = "<!-- settings of Redis -->\n", "<!-- end of settings of Redis -->\n"


def with_settings(page: str) -> str:
    """Return the page with the settings between its two marks, which must be there."""
    return between(page, BEGIN, END, settings_text())


def settings_text() -> str:
    """Return the tables: settings with an effect, settings kept without one, and those that are refused."""
    effects: dict[tuple[str, str], list[str]] = {}
    for name, live in LIVE.items():
        effects.setdefault((live.read.accepts, live.does), []).append(name)
    kept: dict[str, list[str]] = {}
    for name, known in sorted(KEPT.items()):
        kept.setdefault(known.read.accepts, []).append(f"`{name}` {known.value}".rstrip())
    fixed = [(f"`{name}`", known.read.accepts, known.why) for name, known in sorted(FIXED.items())]
    old = [f"`{old}` for `{new}`" for old, new in sorted(ALIASES.items())]
    return "\n".join((
        "\nThese have an effect here, until the server ends:\n",
        *_table(("Redis' name", "accepts", "effect"),
                [(_names(names), accepts, does) for (accepts, does), names in effects.items()]),
        "\n" + _lines("These are checked, stored and shown, and have no effect, since they describe the inside of "
                      "Redis or what Synap does not have. The value beside a name is the one at the start:"),
        *_table(("accepts", "Redis' names"), [(accepts, ", ".join(names)) for accepts, names in kept.items()]),
        "\nThese keep the value that they have at the start; another value is refused with the reason:\n",
        *_table(("Redis' name", "Redis accepts", "reason"), fixed),
        "\n" + _lines(f"As in Redis, these are refused as immutable: {_names(sorted(IMMUTABLE))}; and as protected: "
                      f"{_names(sorted(PROTECTED))}."),
        _lines(f"Old names mean the same as the new ones: {', '.join(old)}."),
    ))  # fmt: skip


def _lines(text: str) -> str:
    return fill(text, 120, break_on_hyphens=False, break_long_words=False) + "\n"


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
