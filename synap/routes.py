"""HTTP routes of rows, as data."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Route:
    """An HTTP route of a row. `{name}` in the path is an argument; other arguments come from body or query.

    fixed      values of fields that the route itself gives
    renamed    name of a field in a request -> name of the argument
    texts      fields that may hold any JSON: a string is used as it is, another value as its JSON text
    capped     (field, most, largest): a number above `most`, up to `largest`, counts as `most`
    alias      for other methods, the path is matched against the remaining routes
    needs      groups of names, of which a call has one each. A body without any of these names goes to the next route
               that matches the path
    before     a row that is carried out first with the same fields, for instance to create a room
    tolerates  the refusal of `before` that does not matter, for instance that the room exists
    of         field with a key: a call that changes nothing, and finds nothing, is answered with 404 without this key
    whole      field that a body which is an array stands for
    json, json_nil    templates instead of those of the row
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
    tolerates: str = ""
    of: str = ""
    whole: str = ""
    json: Any = None
    json_nil: Any = None


def Get(path: str, **more: Any) -> Route:
    """Return a GET route."""
    return Route("GET", path, **more)


def Post(path: str, **more: Any) -> Route:
    """Return a POST route."""
    return Route("POST", path, **more)


def Put(path: str, **more: Any) -> Route:
    """Return a PUT route."""
    return Route("PUT", path, **more)


def Delete(path: str, **more: Any) -> Route:
    """Return a DELETE route."""
    return Route("DELETE", path, **more)
