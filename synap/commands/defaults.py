"""Default values of arguments that a node takes from its settings."""

from dataclasses import replace
from functools import lru_cache

from synap.arguments import Argument, Int
from synap.command import Catalogue, Command
from synap.commands import CATALOGUE
from synap.settings import Settings

FROM_SETTINGS = {
    "queue.create": {
        "max_depth": ("queue.max_depth", 1),
        "ack_deadline_ms": ("queue.ack_deadline_secs", 1000),
        "default_max_retries": ("queue.default_max_retries", 1),
        "default_priority": ("queue.default_priority", 1),
    },
}
"""By row and argument: (name of the setting, units of the argument in one unit of the setting)."""


def catalogue_for(settings: Settings) -> Catalogue:
    """Return the catalogue of all rows, with default values of arguments from these settings."""
    names = {setting for wanted in FROM_SETTINGS.values() for setting, _ in wanted.values()}
    return _catalogue_with(tuple((name, settings.number(name)) for name in sorted(names)))


@lru_cache(maxsize=8)
def _catalogue_with(known: tuple[tuple[str, int], ...]) -> Catalogue:
    numbers = dict(known)

    def configured(row: Command) -> Command:
        wanted = FROM_SETTINGS.get(row.name)
        return replace(row, args=tuple(_argument(arg, wanted, numbers) for arg in row.args)) if wanted else row

    return Catalogue([configured(row) for row in CATALOGUE.rows])


def _argument(arg: Argument, wanted: dict[str, tuple[str, int]], numbers: dict[str, int]) -> Argument:
    if not isinstance(arg, Int) or arg.name not in wanted:
        return arg
    setting, units = wanted[arg.name]
    return replace(arg, default=numbers[setting] * units)
