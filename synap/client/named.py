"""The base of a client's queues, rooms and topics: a name on the server, and the client that carries out requests."""

from typing import Any, Generic

from synap.client.calls import Calls, D
from synap.client.options import Options
from synap.client.requests import text


class Named(Generic[D]):
    """A queue, room or topic of the server, known by its name."""

    what = ""
    _owner: Calls[D]

    def __init__(self, owner: Calls[D], name: str | bytes) -> None:
        self._owner = owner
        self.name = text(name)

    @property
    def options(self) -> Options:
        """The options of the client."""
        return self._owner.options

    def _data(self, value: Any) -> Any:
        return self._owner._data(value)

    def __repr__(self) -> str:
        return f"<{self.what} {self.name}>"
