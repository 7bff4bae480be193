"""The earliest and the next offset of each partition of a topic, for all readers of the topic together.

A publish is told to every reader of the topic, but most readers of a group find nothing in their partitions. So they
first look here: the offsets are asked for once after each change.
"""

from typing import TYPE_CHECKING

from synap.derive.packed_calls import call_of
from synap.proto.rest import status_fault
from synap.store.memory import codes, layout

if TYPE_CHECKING:
    from synap.engine.engine import Engine

FIRST = layout.REPLY + 2 + 2  # the first item of the reply to TOPIC.OFFSETS behind the mark of the whole array
STRIDE = 2 * 5  # words for each partition: a mark, the number, an offset, the earliest and the next one
EARLIEST, BEHIND = 2 * 3, 2 * 4


class Ends:
    """The offsets by partition: `earliest`, and `behind` the last record."""

    __slots__ = ("behind", "earliest")

    def __init__(self, earliest: list[int], behind: list[int]) -> None:
        self.earliest, self.behind = earliest, behind

    def __len__(self) -> int:
        return len(self.behind)


class TopicEnds:
    """What was asked for last, which holds until the state changes."""

    def __init__(self) -> None:
        self._topic, self._seq = "", -1
        self._ends = Ends([], [])

    def of(self, engine: "Engine", topic: str, now: int) -> Ends:
        """Return the ends of a topic. Raise Fault if there is no such topic."""
        if topic != self._topic or engine.seq != self._seq:
            row = engine.catalogue.by_code[codes.TOPIC_OFFSETS]
            outcome = engine.call_unasked(engine.own, call_of(row, topic=topic), now)
            if outcome.failed:
                raise status_fault(outcome.status, {"topic": topic}, 0)
            numbers = engine.numbers
            stop = layout.REPLY + 2 + 2 * numbers[layout.REPLY + 1]
            places = (numbers[FIRST + at : stop : STRIDE].tolist() for at in (EARLIEST, BEHIND))
            self._topic, self._seq, self._ends = topic, engine.seq, Ends(*places)
        return self._ends
