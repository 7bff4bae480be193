"""What a queue and a room are to their client: a name, and whoever carries out what is asked of them."""

from typing import Any, Generic

from synap.client.keys import D
from synap.client.options import Options
from synap.client.requests import text


class Named(Generic[D]):
    """Something of the server's with a name."""

    what = ""

    def __init__(self, owner: Any, name: str | bytes) -> None:
        self._owner = owner
        self.name = text(name)

    @property
    def options(self) -> Options:
        """Those of the client."""
        options: Options = self._owner.options
        return options

    def _data(self, value: Any) -> Any:
        return self._owner._data(value)

    def __repr__(self) -> str:
        return f"<{self.what} {self.name}>"
