"""Scripts in Lua that a client keeps: run by their SHA1, and sent whole if the server does not know them."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synap.client.errors import Refused
from synap.client.machine import Word

if TYPE_CHECKING:
    from synap.client.async_client import AsyncClient
    from synap.client.sync import Client

UNKNOWN = "NOSCRIPT"


def sha1_of(text: str | bytes) -> str:
    """Return the SHA1 by which a server knows a script."""
    octets = text.encode() if isinstance(text, str) else text
    return hashlib.sha1(octets, usedforsecurity=False).hexdigest()


class Script:
    """A script, called with keys and arguments."""

    def __init__(self, client: "Client[Any]", text: str | bytes) -> None:
        self.text, self.sha1 = text, sha1_of(text)
        self._client = client

    def __call__(self, keys: Sequence[Word] = (), args: Sequence[Word] = ()) -> Any:
        """Run the script and return what it returns."""
        try:
            return self._client.evalsha(self.sha1, keys, args)
        except Refused as refusal:
            if refusal.code != UNKNOWN:
                raise
        return self._client.eval(self.text, keys, args)


class AsyncScript:
    """A script, called with keys and arguments and awaited."""

    def __init__(self, client: "AsyncClient[Any]", text: str | bytes) -> None:
        self.text, self.sha1 = text, sha1_of(text)
        self._client = client

    async def __call__(self, keys: Sequence[Word] = (), args: Sequence[Word] = ()) -> Any:
        """Run the script and return what it returns."""
        try:
            return await self._client.evalsha(self.sha1, keys, args)
        except Refused as refusal:
            if refusal.code != UNKNOWN:
                raise
        return await self._client.eval(self.text, keys, args)
