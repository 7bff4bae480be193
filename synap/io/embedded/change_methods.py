"""In-process methods of the change feed."""

from collections.abc import Iterable, Iterator
from typing import Any, TypedDict

from synap.io.embedded.calls import Calls, Key, given

BATCH = 1000


class Change(TypedDict, total=False):
    """A change of the data, as the log has it; docs/changes.md describes the parts."""

    seq: int
    time: int  # ms since 1970
    database: int
    call: str
    keys: list[bytes]
    name: bytes | None  # of the queue, room, topic or group
    arguments: dict[str, Any]
    outcome: int | str
    transaction: int | None  # the seq of its first change
    values: list[Any]  # of the keys at the time of reading, where asked for


def _wait(wait_s: float | None) -> dict[str, float]:
    """Return the field of a call that waits for so many seconds; 0 is for ever there."""
    return {} if wait_s == 0 else {"wait": wait_s or 0}


class ChangeMethods(Calls):
    """The methods that read changes, and make them again elsewhere."""

    def changes(
        self, from_seq: int | None = None, *, families: Iterable[str] = (), match: Key | None = None,
        values: bool = False, feed: str | None = None, wait_s: float | None = None,
    ) -> Iterator[Change]:  # fmt: skip
        """Return an iterator over changes from a seq on, by default over those to come, in the order of the log.

        families  only calls of these families (`kv`, `hash`, `queue`, ...)
        match     only changes whose keys or names match a glob, and those that name none
        values    with the present values of their keys
        feed      the name of a feed: without `from_seq` it goes on where it was. It has processed a change once the
                  next request of this iterator, or of another one, begins behind it
        wait_s    the iterator ends when there was none for so many seconds (0: it does not wait); by default it waits
                  for ever

        Raises Fault CHANGES_GONE if the log does not go back to `from_seq`.
        """
        words = given(family=",".join(families) or None, match=match, values=values, feed=feed)
        if from_seq is None:  # it begins here, not with the first `next`
            begun = self.call("changes.read", limit=1, **given(feed=feed))
            from_seq = None if feed else begun["next"]
        return self._changes(from_seq, words, wait_s)

    def _changes(self, place: int | None, words: dict[str, Any], wait_s: float | None) -> Iterator[Change]:
        while True:
            where = {} if place is None else {"from": place}
            found = self._call_waiting("changes.read", limit=BATCH, **_wait(wait_s), **where, **words)
            yield from found["changes"]
            if found["next"] == place and wait_s is not None:
                return
            place = found["next"]

    def change_frames(self, from_seq: int, *, wait_s: float | None = None) -> Iterator[bytes]:
        """Return an iterator over all changes from a seq on as the frames of the log, in pieces of about 1 MiB.

        `apply_frames` of another database makes the same changes. `wait_s` is as for `changes`.
        """
        while True:
            found = self._call_waiting("changes.frames", **{"from": from_seq}, **_wait(wait_s))
            if found["frames"]:
                yield found["frames"]
            elif wait_s is not None:
                return
            from_seq = found["next"]
