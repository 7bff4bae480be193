"""Compiles the catalogue into the heap image that the lane reads: rows, grammar, names and refusals.

The image is built as plain Python lists and copied into the heap once at the start (`Image.place`), since
kernels cannot hold large tables as globals.
"""

from functools import cache, cached_property

import numpy as np

from synap import faults, reply
from synap.arguments import (
    GROUPS,
    SIMPLE,
    TEXTS,
    AnyOrder,
    Argument,
    Choice,
    Counted,
    Flag,
    Halves,
    Int,
    Many,
    OneOf,
    Optional,
    Real,
    Text,
    Timeout,
    Token,
    slots,
    words_max,
    words_min,
)
from synap.arguments import layout as layout_of
from synap.command import Catalogue, Command
from synap.fault_table import TABLE
from synap.store.kinds.table import KINDS
from synap.store.lane import grammar
from synap.store.memory import layout
from synap.store.memory.layout import REFUSED_SHIFT
from synap.traits import ABOVE_MAX, ADMIN, MAY_REPLICATE, RUNS_SCRIPT, SIGNED_OUT, WAS_ITEMS

WORDS_MAX = 1 << 40  # no upper limit of words


@cache
def image_of(catalogue: Catalogue) -> "Image":
    """Return the image of a catalogue, made once for all heaps of this process."""
    return Image(catalogue)


def _reply_bits(row: Command) -> int:
    """Return the bits of ROW_REPLY, by which the lane spells the row's replies."""
    choices = reply.choices(row.reply)
    return (
        layout.REPLY_WORD * bool(row.reply_words)
        | layout.REPLY_SET * any(isinstance(one, reply.SetOf) for one in choices)
        | layout.REPLY_GROUP * (row.waits or any(isinstance(one, reply.GROUPS) for one in choices))
    )


class Image:
    """The bytes and words of a catalogue, for a fixed place in the heap."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.texts = bytearray()
        self.nodes: list[int] = []
        self.pairs: list[int] = []
        self.choices: dict[tuple[str, ...], tuple[int, int]] = {}
        self.rows: list[int] = []
        self.names: dict[int, tuple[int, int, int, int]] = {}
        self.codes: list[tuple[int, int]] = []
        self.row_of: dict[str, int] = {}
        self._seen: dict[bytes, int] = {}
        self._groups: dict[str, int] = {}  # slots of the groups of the current row
        self._judges: dict[str, int] = {}  # slots of the OneOfs of the current row
        self._stray = False  # True if the current row has a refusal for words that fit nowhere
        self._containers = {row.resp.split("|")[0] for row in catalogue.rows if "|" in row.resp}
        assert len(catalogue.rows) < layout.ROWS_COUNT_MAX, "more rows than ROWS can hold"
        for row in catalogue.rows:
            self._row(row)
        for word in sorted(self._containers - set(catalogue.by_resp)):
            self._container(word)
        marks = (("%", "\x01"), ("{number}", "\x02"), ("{second}", "\x03"), ("{typed}", "\x04"), ("{real}", "\x05"),
                 ("{second_real}", "\x06"), ("{first_text}", "\x07"), ("{second_text}", "\x08"))  # fmt: skip
        self.refusals: dict[int, tuple[int, int]] = {}  # number -> octet and size of the text
        for fault in TABLE:
            text = fault.resp
            for name, mark in marks:
                text = text.replace(name, mark)
            place, size = self._text(text.encode())
            self.refusals[fault.number] = (place, size | layout.FAULT_FILLED if "{" in text else size)
        self.type_names = [(kind.number, *self._text(kind.name.encode())) for kind in KINDS]
        assert len(self.nodes) < layout.SCHEMA_SIZE, "the grammar is larger than SCHEMA"
        assert len(self.pairs) < layout.CHOICES_SIZE, "more choices than CHOICES can hold"
        assert len(self.texts) < layout.TEXTS_SIZE * 8, "the texts are larger than TEXTS"

    def place(self, words: np.ndarray, octets: np.ndarray) -> None:
        """Write everything into the heap."""
        at = layout.TEXTS * 8
        octets[at : at + len(self.texts)] = np.frombuffer(self.texts, np.uint8)
        for start, block in self._blocks:
            words[start : start + len(block)] = block
        single, values = self._singles
        words[single] = values

    @cached_property
    def _blocks(self) -> list[tuple[int, np.ndarray]]:
        """(place, words) of the tables, as arrays: a list takes a millisecond each time that it is written."""
        found = ((layout.SCHEMA, self.nodes), (layout.CHOICES, self.pairs), (layout.ROWS, self.rows))
        return [(start, np.array(values, np.int64)) for start, values in found]

    @cached_property
    def _singles(self) -> tuple[np.ndarray, np.ndarray]:
        """(places, words) of the entries that lie apart."""
        found = [(layout.CODES + code, row) for code, row in self.codes]
        for i, (place, size) in self.refusals.items():
            found += [(layout.FAULTS + 2 * i, place), (layout.FAULTS + 2 * i + 1, size)]
        for kind, place, size in self.type_names:
            found += [(layout.TYPE_NAMES + 2 * kind, place), (layout.TYPE_NAMES + 2 * kind + 1, size)]
        for slot, entry in self.names.items():
            found += [(layout.NAMES + 4 * slot + i, word) for i, word in enumerate(entry)]
        places, values = np.array(found, np.int64).T
        return places, values

    def _text(self, text: bytes) -> tuple[int, int]:
        """Store a constant text once; return its (octet, size)."""
        if text not in self._seen:
            self._seen[text] = layout.TEXTS * 8 + len(self.texts)
            self.texts += text + b"\0" * 8
        return self._seen[text], len(text)

    def _row(self, row: Command) -> None:
        place = layout.ROWS + len(self.rows)
        start = layout.SCHEMA + len(self.nodes)
        for place_ in layout_of(row.args):
            if isinstance(place_.node, Choice) and place_.node.words not in self.choices:
                texts = [self._text(word.upper().encode()) for word in place_.node.words]
                self.choices[place_.node.words] = (self._pairs(texts), len(texts))
        self._groups = {p.node.name: p.slot for p in layout_of(row.args) if isinstance(p.node, GROUPS)}
        self._judges = {p.node.name: p.slot for p in layout_of(row.args) if isinstance(p.node, OneOf)}
        self._stray = bool(row.stray)
        container = 1 if "|" in row.resp else 0
        if container:
            self._emit(grammar.SKIP)
        self._sequence(row.args, 0)
        if row.stray:
            self._emit(grammar.ALL, fault=row.stray)
        end = self._here()
        flags = (
            layout.FLAG_WRITE * row.writes
            | layout.FLAG_GROWS * row.grows
            | layout.FLAG_ABOVE_MAX * bool(row.traits & ABOVE_MAX)
            | layout.FLAG_HANDLER * bool(row.handler)
            | layout.FLAG_CONTROL * row.control
            | layout.FLAG_WAITS * row.waits
            | layout.FLAG_CONTAINER * (row.resp in self._containers)
            | layout.FLAG_READ * row.reads
            | layout.FLAG_ADMIN * bool(row.traits & ADMIN)
            | layout.FLAG_SIGNED_OUT * bool(row.traits & SIGNED_OUT)
            | layout.FLAG_LOADING * (not row.reads and not row.writes)
            | layout.FLAG_WAS_ITEMS * bool(row.traits & WAS_ITEMS)
            | layout.FLAG_SCRIPT * bool(row.traits & RUNS_SCRIPT)
            | layout.FLAG_REPLICATES * bool(row.traits & MAY_REPLICATE)
            | layout.FLAG_SWITCHED * bool(row.switch)
        )
        name, name_size = self._text((row.resp or row.name).lower().encode())
        words = () if row.handler else row.reply_words or row.reply_names
        assert all(len(word.encode()) <= layout.NAME_BYTES_MAX for word in words), f"{row.name}: a name is too long"
        names = self._pairs([self._text(word.encode()) for word in words]) if words else 0
        most = row.words_max if row.words_max is not None else WORDS_MAX
        record = [row.code, flags, start, end, row.slots]
        record += [row.words_min + container, most + container, row.needs_words, _reply_bits(row)]
        record += [name, name_size, names]
        self.rows += record + [0] * (layout.ROW_SIZE - len(record))
        self.codes.append((row.code, place))
        self.row_of[row.name] = place
        if row.resp:
            self._name(row.resp, place)

    def _container(self, word: str) -> None:
        """Add a container, such as CLIENT or QUEUE: a word that is a command only with a subcommand."""
        place = layout.ROWS + len(self.rows)
        name, size = self._text(word.lower().encode())
        flags = layout.FLAG_CONTAINER | layout.FLAG_HANDLER | layout.FLAG_CONTROL
        self.rows += [0, flags, 0, 0, 0, 0, WORDS_MAX, 0, 0, name, size, 0, 0, 0, 0, 0]
        self._name(word, place)

    def _name(self, word: str, place: int) -> None:
        text = word.upper().encode()
        at, size = self._text(text)
        h = hash_name(text)
        slot = h & (layout.NAMES_COUNT - 1)
        while slot in self.names:
            slot = (slot + 1) % layout.NAMES_COUNT
        self.names[slot] = (h, place, at, size)

    def _emit(self, op: int, slot: int = 0, *, a: int = 0, b: int = 0, c: int = 0, fault: str = "SYNTAX") -> int:
        """Append an instruction and return its index, by which `_land` can set its jump later."""
        at = len(self.nodes)
        self.nodes += [op, slot, a, b, c, self._number(fault)]
        return at

    def _here(self) -> int:
        """Return the word of the heap at which the next instruction will lie."""
        return layout.SCHEMA + len(self.nodes)

    def _land(self, *jumps: int) -> None:
        """Set the jumps of these instructions to the next instruction."""
        for at in jumps:
            self.nodes[at + grammar.C] = self._here()

    def _if_token(self, word: str) -> int:
        place, size = self._text(word.upper().encode())
        return self._emit(grammar.IF_TOKEN, a=place, b=size)

    def _sequence(self, args: tuple[Argument, ...], slot: int, following: int = 0) -> None:
        """Compile adjacent arguments from `slot` on; at least `following` words must come behind them."""
        following += sum(words_min(node) for node in args)
        for i, node in enumerate(args):
            following -= words_min(node)
            if isinstance(node, Many | Counted):
                self._group(node, slot, following, args[i + 1 :])
            else:
                self._one(node, slot, following)
            slot += slots(node)

    def _simple(self, node: Argument) -> tuple[int, str]:
        """Return (instruction, refusal) of a kind that takes one word."""
        match node:
            case Int():
                return grammar.INT, node.fault
            case Real():
                return grammar.REAL, node.fault
            case Timeout():
                return grammar.TIMEOUT, "BAD_TIMEOUT"
            case Choice():
                return grammar.CHOICE, "SYNTAX"
            case _:
                return grammar.TEXT, "SYNTAX"

    def _one(self, node: Argument, slot: int, following: int) -> None:
        """Compile one argument; at least `following` words must come behind it."""
        match node:
            case Choice():
                texts, count = self.choices[node.words]
                self._emit(grammar.CHOICE, slot, a=texts, b=count, fault=node.fault)
            case Optional():
                self._optional(node, slot, following)
            case Flag() | Token() | OneOf():
                over = self._option(node, slot)
                self._land(*over)
                if isinstance(node, OneOf) and node.required:
                    self._emit(grammar.REQUIRE, slot)
            case AnyOrder():
                self._any_order(node, slot)
            case Halves():
                first, second = node.inner
                assert isinstance(first, TEXTS) and isinstance(second, TEXTS), "halves are texts"
                self._emit(
                    grammar.HALVES, slot, a=self._simple(first)[0],
                    b=self._simple(second)[0] | slots(first) << grammar.PAIR_SHIFT,
                    c=slots(first) + slots(second), fault=node.fault,
                )  # fmt: skip
            case Int() | Real() if node.judge:
                self._emit(grammar.JUDGED, slot, a=self._judges[node.judge], b=isinstance(node, Real))
            case Int() if node.strict:
                self._emit(grammar.INT, slot, a=node.least, b=1, fault=node.fault)
            case Timeout() if node.whole_ms:
                self._emit(grammar.TIMEOUT, slot, b=1, fault="BAD_BLOCK")
            case Timeout() if node.last:
                self._emit(grammar.LAST, slot, fault="BAD_TIMEOUT")
            case Text() if node.cursor:
                self._emit(grammar.CURSOR, slot, fault="BAD_CURSOR")
            case _:
                assert isinstance(node, SIMPLE), f"no such kind of argument: {node!r}"
                op, fault = self._simple(node)
                self._emit(op, slot, fault=fault)

    def _option(self, node: Argument, slot: int) -> list[int]:
        """Compile a Flag, Token or OneOf, taken if its word is next; return the jumps that leave it."""
        if isinstance(node, OneOf):
            assert node.clash.value < 2 or not any(isinstance(i, Token) for i in node.inner), node.name
            over = []
            inside = slot + 1
            for number, inner in enumerate(node.inner, 1):
                no = self._if_token(inner.word)
                self._emit(grammar.CHOOSE, slot, a=number, b=node.clash.value, fault=node.fault)
                self._brought(inner, inside)
                over.append(self._emit(grammar.JUMP))
                self._land(no)
                inside += slots(inner) - 1
            return over
        assert isinstance(node, Flag | Token)
        short = []
        if self._stray and isinstance(node, Token):  # without its arguments, a Token fits nowhere
            short.append(self._emit(grammar.IF_LEFT, a=sum(words_min(i) for i in node.inner)))
        no = self._if_token(node.word)
        self._emit(grammar.SET, slot, a=1)
        self._brought(node, slot + 1)
        over = [self._emit(grammar.JUMP)]
        self._land(no, *short)
        return over

    def _brought(self, node: Argument, slot: int) -> None:
        """Compile the arguments of a Token; values of an earlier one of the same word must be cleared."""
        if isinstance(node, Token):
            if not all(isinstance(inner, SIMPLE) for inner in node.inner):
                self._emit(grammar.CLEAR, slot, a=slots(node) - 1)
            elif len(node.inner) > 1:  # checked before the first is read
                self._emit(grammar.NEED, a=len(node.inner))
            self._sequence(node.inner, slot)

    def _optional(self, node: Optional, slot: int, following: int) -> None:
        first = node.inner[0]
        assert not isinstance(first, OneOf | AnyOrder), "no word tells whether it is there"
        least = sum(words_min(i) for i in node.inner)
        if node.alone:
            assert following == 0 and least, "words behind it, or none of its own"
            enough = self._emit(grammar.IF_LEFT, a=least - 1, b=least)
        else:
            enough = self._emit(grammar.IF_LEFT, a=following)
        jumps = [enough]
        if isinstance(first, Choice):
            texts, count = self.choices[first.words]
            if following or len(node.inner) > 1:  # a wrong last word is refused by CHOICE, not left over
                jumps.append(self._emit(grammar.IF_CHOICE, a=texts, b=count))
        elif isinstance(first, Flag | Token):
            place, size = self._text(first.word.upper().encode())
            test = self._emit(grammar.IF_CHOICE, a=self._pairs([(place, size)]), b=1)
            jumps.append(test)
        self._emit(grammar.SET, slot, a=1)
        self._sequence(node.inner, slot + 1, following)
        self._land(*jumps)

    def _any_order(self, node: AnyOrder, slot: int) -> None:
        loop = self._here()
        over: list[int] = []
        inside = slot
        for inner in node.inner:
            if isinstance(inner, Many):  # an option that may be repeated
                token = inner.inner[0]
                assert isinstance(token, Token), f"{inner.name}: no word begins its items"
                no = self._if_token(token.word)
                self._emit(grammar.AGAIN, inside, a=sum(slots(i) for i in inner.inner))
                self._emit(grammar.SET, 0, a=1)
                self._sequence(token.inner, 1)
                self._emit(grammar.OUTSIDE)
                over.append(self._emit(grammar.JUMP))
                self._land(no)
            else:
                over += self._option(inner, inside)
            inside += slots(inner)
        for at in over:
            self.nodes[at + grammar.C] = loop
        inside = slot
        for inner in node.inner:
            if isinstance(inner, OneOf) and inner.required:
                self._emit(grammar.REQUIRE, inside)
            inside += slots(inner)

    def _group(self, node: Many | Counted, slot: int, following: int, behind: tuple[Argument, ...]) -> None:
        """Compile a group; the arguments `behind` it take at least `following` words."""
        size = sum(slots(i) for i in node.inner)
        width = sum(words_min(i) for i in node.inner)
        assert width, f"{node.name}: an item without words"
        assert not any(isinstance(p.node, GROUPS) for p in layout_of(node.inner)), f"{node.name}: groups in it"
        stops: list[tuple[int, int]] = []
        if isinstance(node, Counted):
            faults_ = self._number(node.fault_form) | self._number(node.fault_more) << grammar.PAIR_SHIFT
            self._emit(grammar.COUNTED, slot, a=faults_, b=node.least, c=width, fault=node.fault)
        elif node.like:
            self._emit(grammar.LIKE, slot, a=self._groups[node.like], b=width, fault=node.fault)
        else:
            stops = [self._text(word.upper().encode()) for part in behind for word in _words(part)]
            if not stops and len(node.inner) == 1 and isinstance(node.inner[0], TEXTS):
                self._emit(grammar.TEXTS, slot, a=following, b=node.least, fault=node.fault)
                return
            fixed = not stops and sum(words_max(i) or WORDS_MAX for i in node.inner) == width
            self._emit(grammar.GROUP, slot, a=width * fixed, b=following, c=node.least, fault=node.fault)
        loop = self._here()
        stop = 0
        if stops:
            no = self._emit(grammar.IF_CHOICE, a=self._pairs(stops), b=len(stops))
            stop = self._emit(grammar.JUMP)
            self._land(no)
        item = self._emit(grammar.ITEM, slot, a=size, b=following)
        self._sequence(node.inner, 0)
        self._emit(grammar.JUMP, c=loop)
        self._land(item, *([stop] if stops else []))
        self._emit(grammar.END, slot, b=0 if isinstance(node, Many) and node.like else node.least, fault=node.fault)

    def _number(self, fault: str) -> int:
        """Return the status with which a kernel returns a refusal."""
        return faults.BY_NAME[fault].number + 1 << REFUSED_SHIFT

    def _pairs(self, pairs: list[tuple[int, int]]) -> int:
        """Store (octet, size) pairs of texts in CHOICES; return the word of the heap at which they start."""
        at = len(self.pairs)
        self.pairs += [number for pair in pairs for number in pair]
        return layout.CHOICES + at


def _words(node: Argument) -> list[str]:
    """Return the words with which an option may begin."""
    match node:
        case Flag() | Token():
            return [node.word]
        case OneOf() | AnyOrder():
            return [word for inner in node.inner for word in _words(inner)]
        case Many() | Optional():
            return _words(node.inner[0])
        case _:
            return []


def hash_name(text: bytes) -> int:
    """Return the hash of a name in capitals, as `lane.find_row` computes it, as a signed 64-bit number."""
    h = 0
    for byte in text:
        h = ((h * 0x100000001B3) ^ byte) & 0xFFFFFFFFFFFFFFFF
        if byte == ord("|"):  # `find_row` itself puts it between two words
            continue
        h ^= (h - (1 << 64) if h >> 63 else h) >> 29 & 0xFFFFFFFFFFFFFFFF
    return h - (1 << 64) if h >> 63 else h
