"""Rows of the command table. Arguments: see `arguments.py`; replies: see `reply.py`."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from synap.arguments import Argument, Key, layout, slots, words_max, words_min
from synap.events import DEFAULT, Event
from synap.methods import NO_HINTS, Method
from synap.reply import DONE, Template, names, words
from synap.routes import Route
from synap.traits import ADMIN, CONTROL, GROWS, INTERNAL, MAY_REPLICATE, SESSION, SIGNED_OUT, WAITS, WRITES


@dataclass(frozen=True)
class Example:
    """RESP words and reply, for docs and tests. `...` is any reply; so is `"{id}"`, which replaces `{id}` later on."""

    words: str
    reply: Any


DIAGNOSTICS = 0
"""In `Command.calls_families`: the kernels of digests, upkeep and facts about keys, which have no family."""

BATCHES = 0x100
"""The same for the kernels of whole batches. The families proper have numbers from 1 to 255."""


def _has(trait: int) -> cached_property[bool]:
    return cached_property(lambda row: row.traits & trait != 0)


@dataclass(frozen=True)
class Command:
    """A row of the command table. JSON surfaces are REST and the command envelope.

    name, code    `family.command`, in APIs and docs; number in logs, family in the high byte, never changed or reused
    doc           summary in COMMAND DOCS, HELP, OpenAPI and docs/commands.md
    args          arguments, in the grammar of arguments.py
    words         fewest RESP words, if more than `args` requires
    stray         refusal of a word that fits nowhere; by default too many words are refused as WRONG_ARITY
    resp          RESP command, with `|` before a subcommand; empty if RESP does not have it
    reply         template of the reply, see reply.py
    json_reply    of a handler: template of its reply to JSON surfaces and to programs in this process, if it differs
    run, handler  function of synap.store that carries out the row, called through a door; or one of engine/handlers
    traits        what is true of the row, as bits: WRITES | GROWS, ... (traits.py)
    needs_words   most words of memory that a call which `grows` needs besides its tape and texts
    http          REST routes
    envelope      further names in the command envelope, besides `name`
    json, json_nil        JSON surfaces, which have the row if `json` is given: template of the reply, see
                          derive/replies; of NIL, where "NOT_FOUND" means 404
    command, command_nil  envelope: these templates instead, if `command` is given
    spelled       name in the envelope -> template instead of `command`
    views         value of the JSON field `type` -> template instead of `json` or `command`
    also          other name of a JSON field -> field
    json_faults   number as reply -> fault with which JSON surfaces refuse instead
    elapsed       JSON field of a duration -> field of a time: a duration of 0 becomes a time in the past
    units         name of a JSON field in larger units -> (field, factor)
    negated       name of a JSON field with the opposite meaning -> Flag
    unpacked      name of a JSON array -> fields, of which the items of the array are the values
    chosen        name of a boolean JSON field -> Choice, its word for true (or without both fields), and for false
    within        name of a JSON object whose members count as fields
    tagged        name of a JSON object -> tag -> field: `{tag: value}` or `{"type": tag, "value": value}` is this field
    links         families to whose routes with the same names in the path OpenAPI links from this row
    switch, python        setting that must be on for JSON surfaces; hints for the Python methods (methods.py)
    parks         what is done to a call of the row that begins to wait, see engine/parking.py
    gives_back    rows that put back into a list what this row has popped: one for each word of `where`
    since, examples       version of Synap that introduced the row; words with replies, for docs and tests
    event                 what keyspace notifications say of the row's calls, see events.py
    calls_families        families (high bytes of codes) whose rows a call of this row may call in turn
    """

    name: str
    code: int
    doc: str
    args: tuple[Argument, ...] = ()
    words: int = 0
    stray: str = ""
    resp: str = ""
    reply: Template = DONE
    json_reply: Template | None = None
    run: str = ""
    handler: str = ""
    traits: int = 0
    needs_words: int = 0
    http: tuple[Route, ...] = ()
    envelope: tuple[str, ...] = ()
    json: Any = None
    json_nil: Any = None
    command: Any = None
    command_nil: Any = None
    spelled: dict[str, Any] = field(default_factory=dict, hash=False)
    views: dict[str, Any] = field(default_factory=dict, hash=False)
    also: dict[str, str] = field(default_factory=dict, hash=False)
    json_faults: dict[int, str] = field(default_factory=dict, hash=False)
    elapsed: dict[str, str] = field(default_factory=dict, hash=False)
    units: dict[str, tuple[str, int]] = field(default_factory=dict, hash=False)
    negated: dict[str, str] = field(default_factory=dict, hash=False)
    unpacked: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    chosen: dict[str, tuple[str, str, str]] = field(default_factory=dict, hash=False)
    within: str = ""
    tagged: dict[str, dict[str, str]] = field(default_factory=dict, hash=False)
    links: tuple[str, ...] = ()
    switch: str = ""
    python: Method = NO_HINTS
    parks: str = ""
    gives_back: tuple[str, ...] = ()
    since: str = "0.1"
    examples: tuple[Example, ...] = ()
    calls_families: tuple[int, ...] = ()
    event: Event = DEFAULT

    writes, grows, waits = _has(WRITES), _has(GROWS), _has(WAITS)
    internal, session, control = _has(INTERNAL), _has(SESSION), _has(CONTROL)
    waits_for_writes = _has(WRITES | MAY_REPLICATE)  # does a pause of writes hold the row back?
    reply_names = cached_property(lambda row: names(row.reply))  # those that MARK_NAME stands for
    slots = cached_property(lambda row: sum(map(slots, row.args)))
    reply_words = cached_property(lambda row: words(row.reply))  # those that the number of a reply selects

    @property
    def enveloped(self) -> tuple[Any, Any]:
        """The templates of the reply and of NIL in the envelope."""
        return (self.json, self.json_nil) if self.command is None else (self.command, self.command_nil)

    @property
    def reads(self) -> bool:
        """True if the row reads data and changes none: a kernel carries it out, or it names a key."""
        about_data = bool(self.run) or any(isinstance(place.node, Key) for place in layout(self.args))
        return about_data and not self.traits & (WRITES | ADMIN | SIGNED_OUT)

    @property
    def family(self) -> str:
        return self.name.split(".")[0]

    @property
    def words_min(self) -> int:
        return max(self.words, sum(words_min(node) for node in self.args))

    @property
    def words_max(self) -> int | None:
        most = [words_max(node) for node in self.args]
        return None if self.stray or any(m is None for m in most) else sum(m for m in most if m is not None)


class Catalogue:
    """All rows, by name, code and RESP command; a duplicate of any of these is an AssertionError."""

    def __init__(self, rows: list[Command]) -> None:
        self.rows = sorted(rows, key=lambda row: row.code)
        self.by_name = {row.name: row for row in rows}
        self.by_code = {row.code: row for row in rows}
        self.by_resp = {row.resp: row for row in rows if row.resp}
        self.index = {row.code: i for i, row in enumerate(self.rows)}
        assert len(self.by_name) == len(self.by_code) == len(rows), "two rows have the same name or code"
        assert len(self.by_resp) == sum(1 for row in rows if row.resp), "two rows have the same RESP word"
