"""Methods of a client that are written by hand; the others are generated from the rows, see `generated`.

Names are those of Redis in lower case. Keys, values and elements are str, bytes or numbers; texts are returned as
bytes, or as str by a client with `decode=True`. Times to live are in seconds, with `px` and `_ms` in milliseconds.

A method is written by hand where it takes what one command does not (seconds with fractions, a list of keys, floats to
add, JSON), or where its command has no function in the store (PING, INFO, PUBLISH). Its row says so (`Method.by_hand`).
"""

import json
from collections.abc import Sequence
from typing import Any

from synap.client.calls import D
from synap.client.errors import LocalProtocolError
from synap.client.generated import RowMethods
from synap.client.machine import Word, encode
from synap.client.requests import Request, asking, doing, flag, method, report, text, texts, whole
from synap.client.streams import EntryCalls
from synap.client.words import Words, option, when
from synap.derive.natives import json_of
from synap.either import each_of, either

ELSEWHERE = {
    "SUBSCRIBE": "subscribe()", "PSUBSCRIBE": "subscribe()", "SSUBSCRIBE": "subscribe()",
    "UNSUBSCRIBE": "subscribe()", "PUNSUBSCRIBE": "subscribe()", "SUNSUBSCRIBE": "subscribe()",
    "MULTI": "transaction()", "EXEC": "transaction()", "DISCARD": "transaction()", "WATCH": "transaction(watch=...)",
    "UNWATCH": "transaction(watch=...)", "SELECT": "the option db", "HELLO": "the options", "AUTH": "the options",
    "RESET": "a client of its own", "QUIT": "close()", "MONITOR": "a connection of its own",
    "SYNC": "a connection of its own", "PSYNC": "a connection of its own",
    "CLIENT REPLY": "a connection of its own", "CLIENT TRACKING": "a connection of its own",
    "CLIENT SETNAME": "the option client_name", "CLIENT DURABILITY": "with_durability() and durability()",
}  # fmt: skip
"""Commands that change the state of a connection, which the next user of a pooled connection would meet."""


def given(keys: Sequence[Word], args: Sequence[Word]) -> Words:
    """Return the words of the keys and arguments of a script. Raises LocalProtocolError for a single text."""
    for name, texts_given in (("keys", keys), ("args", args)):
        if isinstance(texts_given, str | bytes):
            raise LocalProtocolError(f"{name}: wanted a list, found {texts_given!r}")
    return (len(keys), *keys, *args)


class Keys(RowMethods[D], EntryCalls[D]):
    """The methods of a client. A subclass carries the requests out."""

    # Any command.

    @method
    def execute(self, *words: Word, idempotent: bool = False, patience: float = 0.0) -> Request[Any]:
        """Carry out any command by its words and return the reply. `idempotent`: the command may be sent again if the
        connection breaks. `patience`: seconds that the command itself waits on the server."""
        if not words:
            raise LocalProtocolError("a command must have at least one word")
        first = _upper(words[0])
        for name in (first, f"{first} {_upper(words[1])}" if len(words) > 1 else first):
            if name in ELSEWHERE:
                raise LocalProtocolError(
                    f"{name} changes a connection that other calls share: use {ELSEWHERE[name]}"
                )
        return Request(words, self._data, idempotent, patience)

    @method
    def ping(self) -> Request[bool]:
        """Return whether the server answers."""
        return asking(flag, "PING")

    @method
    def info(self, *sections: str) -> Request[dict[str, str]]:
        """Return the fields of INFO by name."""
        return asking(_info, "INFO", *sections)

    # Scripts.

    @method
    def eval(self, script: Word, keys: Sequence[Word] = (), args: Sequence[Word] = ()) -> Request[Any]:
        """Run a script in Lua with keys and arguments, and return what it returns."""
        return doing(self._data, "EVAL", script, *given(keys, args))

    @method
    def eval_ro(self, script: Word, keys: Sequence[Word] = (), args: Sequence[Word] = ()) -> Request[Any]:
        """Run a script that may not write, as `eval` does."""
        return asking(self._data, "EVAL_RO", script, *given(keys, args))

    @method
    def evalsha(self, sha1: str, keys: Sequence[Word] = (), args: Sequence[Word] = ()) -> Request[Any]:
        """Run a script of the cache, named by its SHA1, and return what it returns. See `script`."""
        return doing(self._data, "EVALSHA", sha1, *given(keys, args))

    @method
    def evalsha_ro(self, sha1: str, keys: Sequence[Word] = (), args: Sequence[Word] = ()) -> Request[Any]:
        """Run a script of the cache that may not write, as `evalsha` does."""
        return asking(self._data, "EVALSHA_RO", sha1, *given(keys, args))

    @method
    def fcall(self, function: Word, keys: Sequence[Word] = (), args: Sequence[Word] = ()) -> Request[Any]:
        """Call a function of a library in Lua with keys and arguments, and return what it returns."""
        return doing(self._data, "FCALL", function, *given(keys, args))

    @method
    def fcall_ro(self, function: Word, keys: Sequence[Word] = (), args: Sequence[Word] = ()) -> Request[Any]:
        """Call a function that may not write, as `fcall` does."""
        return asking(self._data, "FCALL_RO", function, *given(keys, args))

    @method
    def function_load(self, code: Word, *, replace: bool = False) -> Request[str]:
        """Load a library of functions and return its name; with `replace` in place of one with the same name."""
        return doing(text, "FUNCTION", "LOAD", *when("REPLACE", replace), code)

    @method
    def function_list(self, pattern: Word | None = None, *, withcode: bool = False) -> Request[list[Any]]:
        """Return what is known of each library, or of those whose names match a pattern."""
        named: Words = () if pattern is None else ("LIBRARYNAME", pattern)
        return asking(self._data, "FUNCTION", "LIST", *named, *when("WITHCODE", withcode))

    @method
    def function_delete(self, library: Word) -> Request[bool]:
        """Remove a library and its functions."""
        return doing(flag, "FUNCTION", "DELETE", library)

    @method
    def function_flush(self) -> Request[bool]:
        """Remove all libraries."""
        return doing(flag, "FUNCTION", "FLUSH")

    @method
    def script_load(self, script: Word) -> Request[str]:
        """Store a script in the cache without running it, and return its SHA1."""
        return asking(text, "SCRIPT", "LOAD", script)

    # Strings.

    @method
    def set(
        self, key: Word, value: Word, *, ex: float | None = None, ttl: float | None = None, px: int | None = None,
        exat: int | None = None, pxat: int | None = None, nx: bool = False, xx: bool = False, keepttl: bool = False,
        get: bool = False,
    ) -> Request[Any]:  # fmt: skip
        """Set the value of `key`. Return whether it was set, or with `get` the previous value.

        `nx` sets only if the key does not exist, `xx` only if it does. `ex` (or `ttl`) is the time to live in seconds
        (fractions too), `px` in milliseconds; `exat` and `pxat` are the time of expiry since 1970. `keepttl` keeps the
        deadline.
        """
        options: Words = (*when("NX", nx), *when("XX", xx), *when("KEEPTTL", keepttl), *when("GET", get))
        words: Words = ("SET", key, value, *_time(either(ex=ex, ttl=ttl), px, exat, pxat), *options)
        return Request(words, self._data if get else flag)

    @method
    def getex(
        self, key: Word, *, ex: float | None = None, ttl: float | None = None, px: int | None = None,
        exat: int | None = None, pxat: int | None = None, persist: bool = False,
    ) -> Request[D | None]:  # fmt: skip
        """Return the value of `key`, and set its deadline as `set` does, or remove the deadline with `persist`."""
        time: Words = _time(either(ex=ex, ttl=ttl), px, exat, pxat)
        return doing(self._data, "GETEX", key, *time, *when("PERSIST", persist))

    @method
    def incr(self, key: Word, amount: float = 1) -> Request[Any]:
        """Add to the number at `key` (0 if missing) and return the sum. A float is added as `incrbyfloat` does."""
        if isinstance(amount, float):
            return doing(float, "INCRBYFLOAT", key, amount)
        return doing(whole, "INCRBY", key, amount)

    @method
    def decr(self, key: Word, amount: float = 1) -> Request[Any]:
        """Subtract from the number at `key` (0 if missing) and return the difference."""
        if isinstance(amount, float):
            return doing(float, "INCRBYFLOAT", key, -amount)
        return doing(whole, "DECRBY", key, amount)

    @method
    def incrbyfloat(self, key: Word, amount: float | str) -> Request[float]:
        """Add a decimal number to the number at `key` and return the sum."""
        return doing(float, "INCRBYFLOAT", key, amount)

    @method
    def mget(self, *keys: Word | Sequence[Word]) -> Request[list[D | None]]:
        """Return the values of many keys, or of one list of keys, None where there is no string."""
        return asking(self._data, "MGET", *each_of(keys))

    @method
    def get_json(self, key: Word) -> Request[Any]:
        """Return the value that `set_json` stored, None if the key does not exist."""
        return asking(_from_json, "GET", key)

    @method
    def set_json(self, key: Word, value: Any, *, ex: float | None = None, ttl: float | None = None) -> Request[bool]:
        """Set a JSON value, stored as its text. Raises TypeError or ValueError if JSON cannot represent `value`."""
        time: Words = _time(either(ex=ex, ttl=ttl))
        return Request(("SET", key, json_of("value", value), *time), flag)

    # Keys.

    @method
    def expire(
        self, key: Word, seconds: float, *, nx: bool = False, xx: bool = False, gt: bool = False, lt: bool = False
    ) -> Request[bool]:
        """Let a key expire in `seconds` (fractions too); return whether the deadline was set.

        `nx` sets it only without a deadline, `xx` only with one, `gt` and `lt` only if the new one is later, sooner.
        """
        conditions: Words = (*when("NX", nx), *when("XX", xx), *when("GT", gt), *when("LT", lt))
        return doing(flag, "PEXPIRE", key, round(seconds * 1000), *conditions)

    # The durability of replies.

    @method
    def durability(self) -> Request[dict[str, str]]:
        """Return the durability that is `asked` for, and the one that has been `reached` when a call returns."""
        return asking(report, "CLIENT", "DURABILITY")

    # Pub/sub, and the names of queues, rooms, topics and groups.

    @method
    def publish(self, topic: str | bytes, payload: Word) -> Request[int]:
        """Publish a message to the subscribers of `topic`; return how many received it."""
        return doing(whole, "PUBLISH", topic, payload)

    @method
    def queues(self) -> Request[list[str]]:
        """Return the names of all queues."""
        return asking(texts, "QUEUE.LIST")

    @method
    def rooms(self) -> Request[list[str]]:
        """Return the names of all rooms."""
        return asking(texts, "STREAM.LIST")

    @method
    def topics(self) -> Request[list[str]]:
        """Return the names of all topics."""
        return asking(texts, "TOPIC.LIST")

    @method
    def groups(self) -> Request[list[str]]:
        """Return the names of all consumer groups."""
        return asking(texts, "GROUP.LIST")


def _upper(word: Word) -> str:
    """Return a word of a command as upper-case text."""
    return (word if isinstance(word, str) else encode([word]).decode("latin-1").split("\r\n")[2]).upper()


def _time(ex: float | None, px: int | None = None, exat: int | None = None, pxat: int | None = None) -> Words:
    """Return the words of the one time that is given; seconds with a fraction as milliseconds."""
    times = {"ex": ex, "px": px, "exat": exat, "pxat": pxat}
    named = [name for name, time in times.items() if time is not None]
    if len(named) > 1:
        raise LocalProtocolError(f"{' and '.join(named)} exclude each other")
    if ex is not None and not isinstance(ex, int):
        return ("PX", round(ex * 1000))
    return tuple(word for name, time in times.items() for word in option(name.upper(), time))


def _from_json(value: Any) -> Any:
    return None if value is None else json.loads(value)


def _info(value: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text(value).split("\r\n") if ":" in line)
    return {name: found for name, _, found in lines}


