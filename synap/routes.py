"""How HTTP reaches a row: routes, as data on the row."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Route:
    """One HTTP route of a row. `{name}` in the path is an argument; the rest comes from body or query.

    An `alias` leaves its path to other routes for other methods. `needs` are groups of names: a body that has
    none of one group asks for what the path means without this route. `before` names a row that is carried out
    first with the same fields; that it refuses (what is to be made is there) is no matter.
    `capped` are (field, most, largest): what lies between the two means the most.
    `texts` are fields that may hold any JSON: a string is taken as it is, all else as its JSON text.
    """

    method: str
    path: str
    fixed: dict[str, Any] = field(default_factory=dict, hash=False)
    renamed: dict[str, str] = field(default_factory=dict, hash=False)
    texts: tuple[str, ...] = ()
    capped: tuple[tuple[str, int, int], ...] = ()
    alias: bool = False
    needs: tuple[tuple[str, ...], ...] = ()
    before: str = ""
    rest: Any = None
    rest_nil: Any = None


def Get(path: str, **more: Any) -> Route:
    """A GET route."""
    return Route("GET", path, **more)


def Post(path: str, **more: Any) -> Route:
    """A POST route."""
    return Route("POST", path, **more)


def Put(path: str, **more: Any) -> Route:
    """A PUT route."""
    return Route("PUT", path, **more)


def Delete(path: str, **more: Any) -> Route:
    """A DELETE route."""
    return Route("DELETE", path, **more)
