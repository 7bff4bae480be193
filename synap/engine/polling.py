"""Subscribers that poll: mailboxes without a connection, whose messages wait until they are asked for.

A mailbox keeps messages for `Limits.poll_idle_ms` after it was made or has polled last. Its buffer is bounded as that
of any mailbox, and all buffers together by `Limits.poll_bytes`. What does not fit is dropped, the oldest first, and
counted in `lost`, which the next poll tells. Messages are numbered in each mailbox, those that were lost included: a
poll that names the number of the last message that has arrived gets the ones behind it, again if need be.
"""

from collections.abc import Callable, Iterable
from itertools import islice

from synap.engine.subscribers import Limits, Mailbox, Message

KEPT_SHARE = 4
"""When all buffers together are full, a share of one in so many bytes is made free at once."""


class Polls:
    """The buffers of the mailboxes that poll. `idle_first` gives them, those first that have not polled for longest."""

    def __init__(self, limits: Callable[[], Limits], idle_first: Callable[[], Iterable[Mailbox]]) -> None:
        self._limits, self._idle_first = limits, idle_first
        self.bytes = 0  # of all messages that are kept
        self.dropped = 0

    @property
    def messages_max(self) -> int:
        """The most messages that one mailbox keeps."""
        return self._limits().messages

    def leave_out(self, box: Mailbox, count: int) -> None:
        """Note messages that were not even read for a mailbox, as it has no room for so many."""
        if count > 0:
            box.lost += count
            self.dropped += count

    def keep(self, box: Mailbox, message: Message) -> None:
        """Keep a message for a mailbox, and end its poll if one waits."""
        limits = self._limits()
        if box.ends_poll is None and message.now - box.asked > limits.poll_idle_ms:
            self._lose(box, len(box.waiting))
            box.first += 1
            box.lost += 1
            self.dropped += 1
            return
        while box.waiting and (
            len(box.waiting) >= limits.messages or box.bytes + message.size > limits.bytes
        ):  # fmt: skip
            self._lose(box, 1)
        box.put(message)
        self.bytes += message.size
        if self.bytes > limits.poll_bytes:
            self._make_room(limits.poll_bytes - limits.poll_bytes // KEPT_SHARE)
        self.end_poll(box, message.now)

    def take(self, box: Mailbox, after: int | None, most: int, now: int) -> list[Message]:
        """Return up to `most` messages: the oldest, which are removed; or those behind number `after`, which stay until
        a poll names them. An `after` that the mailbox has not reached is that of one before it, and counts as 0."""
        box.asked = now
        if after is None:
            return [self._remove(box) for _ in range(min(most, len(box.waiting)))]
        if after < box.first + len(box.waiting):
            while box.waiting and box.first <= after:
                self._remove(box)
        return list(islice(box.waiting, most))

    def forget(self, box: Mailbox) -> None:
        """Drop the buffer of a mailbox that is removed, and end its poll if one waits."""
        self.bytes -= box.bytes
        box.clear()
        self.end_poll(box, box.asked)

    @staticmethod
    def end_poll(box: Mailbox, now: int) -> None:
        """Answer the poll that waits for a mailbox, if any."""
        ends, box.ends_poll = box.ends_poll, None
        if ends is not None:
            box.asked = now
            ends()

    def _remove(self, box: Mailbox) -> Message:
        message = box.take()
        assert message is not None
        self.bytes -= message.size
        box.first += 1
        return message

    def _lose(self, box: Mailbox, count: int) -> None:
        for _ in range(count):
            self._remove(box)
        box.lost += count
        self.dropped += count

    def _make_room(self, most: int) -> None:
        for box in self._idle_first():
            if self.bytes <= most:
                return
            self._lose(box, len(box.waiting))
