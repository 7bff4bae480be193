"""The naive twin of the grammar: words to tape, straight from the objects that a row's `args` are.

    parse(args, words) -> Tape, or raises Refused with the name of the refusal

A tape is a list of slots: a number, 0, or the bytes of a text, which fill two slots (the text, then PRESENT).
It shares nothing with the compiled program but the classes of `synap.arguments` and the rules in its docstring.
"""

import math
import struct
from fractions import Fraction

from synap.arguments import (
    AnyOrder,
    Choice,
    Counted,
    Flag,
    Glob,
    Halves,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Text,
    Timeout,
    Token,
)
from tests.naive.numbers import parse_cursor, parse_integer
from tests.naive.reals import parse_real

PRESENT = "present"
UNREADABLE = 256
BARE = (Key, Raw, Text, Glob)
GROUPS = (Many, Counted, Halves)


class Refused(Exception):
    """The words do not fit; the argument is the refusal's name."""


def width(node):
    """Slots of an argument."""
    match node:
        case Key() | Raw() | Text() | Glob() | Many() | Counted() | Halves():
            return 2
        case Int() | Real() | Timeout() | Choice() | Flag():
            return 1
        case Token() | Optional():
            return 1 + widths(node.inner)
        case AnyOrder():
            return widths(node.inner)
        case OneOf():
            return 1 + sum(widths(inner.inner) for inner in node.inner if isinstance(inner, Token))
    raise AssertionError(node)


def widths(nodes):
    return sum(width(node) for node in nodes)


def fewest(node):
    """The least number of words that must stand there for an argument."""
    match node:
        case Flag() | Token() | Optional():
            return 0
        case OneOf():
            return min(1 + needed(getattr(i, "inner", ())) for i in node.inner) if node.required else 0
        case AnyOrder():
            return needed(node.inner)
        case Many():
            return node.least * needed(node.inner)
        case Counted():
            return 1 + node.least * needed(node.inner)
        case Halves():
            return 2
    return 1


def needed(nodes):
    return sum(fewest(node) for node in nodes)


def most(node):
    """The largest number of words, `inf` without a limit."""
    match node:
        case AnyOrder() | Many() | Counted() | Halves():
            return math.inf
        case Token():
            return 1 + sum(most(inner) for inner in node.inner)
        case Optional():
            return sum(most(inner) for inner in node.inner)
        case OneOf():
            return max((most(inner) for inner in node.inner), default=0)
    return 1


def names(node):
    """The words that say that an option stands here."""
    match node:
        case Flag() | Token():
            return {node.word.upper().encode()}
        case OneOf() | AnyOrder():
            return {name for inner in node.inner for name in names(inner)}
        case Many() | Optional():
            return names(node.inner[0])
    return set()


class Reader:
    """Where we are in the words, and the tape so far: `fixed` slots and the items of groups behind them."""

    def __init__(self, words, stray=""):
        self.words = words
        self.stray = stray
        self.at = 0
        self.tape = []
        self.counts = {}  # items of each group, by its name
        self.late = None  # the refusal of a Timeout that is judged last

    @property
    def left(self):
        return len(self.words) - self.at

    def peek(self):
        return self.words[self.at].upper() if self.left else None

    def take(self):
        if not self.left:
            raise Refused("SYNTAX")
        self.at += 1
        return self.words[self.at - 1]

    def sequence(self, nodes, slot, behind=0):
        """Read `nodes` one after the other into the slots from `slot` on; `behind` words must be left over."""
        for i, node in enumerate(nodes):
            rest = nodes[i + 1 :]
            self.one(node, slot, rest, needed(rest) + behind)
            slot += width(node)

    def one(self, node, slot, rest, behind):
        match node:
            case Key() | Raw() | Text() | Glob() | Int() | Real() | Timeout() | Choice():
                self.simple(node, slot, self.take())
            case Flag() | Token() | OneOf():
                self.option(node, slot)
                self.check_required(node, slot)
            case AnyOrder():
                while any(self.option(inner, slot + widths(node.inner[:i])) for i, inner in enumerate(node.inner)):
                    pass
                for i, inner in enumerate(node.inner):
                    self.check_required(inner, slot + widths(node.inner[:i]))
            case Optional():
                if self.wanted(node, behind):
                    self.tape[slot] = 1
                    self.sequence(node.inner, slot + 1, behind)
            case Many():
                self.many(node, slot, rest, behind)
            case Counted():
                self.counted(node, slot)
            case Halves():
                self.halves(node, slot)

    def wanted(self, node, behind):
        """Is this Optional there?"""
        if node.alone:
            return self.left == needed(node.inner)
        if self.left <= behind:
            return False
        match node.inner[0]:
            case Flag() | Token() as first:
                return self.peek() in names(first)
            case Choice() as first if behind or len(node.inner) > 1:
                return self.peek() in {word.upper().encode() for word in first.words}
        return True

    def check_required(self, node, slot):
        if isinstance(node, OneOf) and node.required and not self.tape[slot]:
            raise Refused("SYNTAX")

    def option(self, node, slot):
        """Read an option if its word is next. Was it?"""
        if self.peek() is None or self.peek() not in names(node):
            return False
        match node:
            case Flag():
                self.take()
                self.tape[slot] = 1
            case Token():
                if self.stray and self.left <= needed(node.inner):
                    return False
                self.take()
                self.tape[slot] = 1
                self.brought(node, slot + 1)
            case Many():
                self.again(node, slot)
            case OneOf():
                self.choose(node, slot)
        return True

    def choose(self, node, slot):
        inside = slot + 1
        for number, inner in enumerate(node.inner, 1):
            if self.peek() in names(inner):
                before = self.tape[slot] % UNREADABLE
                same, other = before == number, before not in (0, number)
                if node.clash.name == "BOTH":
                    self.take()
                    self.tape[slot] |= number
                    return
                if (other and node.clash.name != "NONE") or (same and node.clash.name == "ANY"):
                    raise Refused(node.fault)
                self.take()
                self.tape[slot] = number
                if isinstance(inner, Token):
                    self.brought(inner, inside)
                return
            inside += widths(inner.inner) if isinstance(inner, Token) else 0

    def brought(self, token, slot):
        """What a Token brings, over what an earlier one brought."""
        if any(not isinstance(i, (*BARE, Int, Real, Timeout, Choice)) for i in token.inner):
            self.tape[slot : slot + widths(token.inner)] = [0] * widths(token.inner)
        elif self.left < needed(token.inner):
            raise Refused("SYNTAX")
        self.sequence(token.inner, slot)

    def item(self, node, slot):
        """One more item of a group at the end of the tape."""
        base = len(self.tape)
        self.tape += [0] * widths(node.inner)
        self.tape[slot] += 1
        self.counts[node.name] = self.tape[slot]
        return base

    def many(self, node, slot, rest, behind):
        stops = set().union(*(names(other) for other in rest)) if not node.like else set()
        self.tape[slot + 1] = len(self.tape)
        self.counts[node.name] = 0
        size = needed(node.inner)
        if node.like:
            number = self.counts[node.like]
            if number * size > self.left:
                raise Refused(node.fault)
            for _ in range(number):
                self.sequence(node.inner, self.item(node, slot))
            return
        if not stops and size == sum(most(inner) for inner in node.inner):
            whole, broken = divmod(self.left - behind, size)
            if broken or whole < node.least:
                raise Refused(node.fault)
        while self.left > behind and self.peek() not in stops:
            self.sequence(node.inner, self.item(node, slot))
        if self.tape[slot] < node.least:
            raise Refused(node.fault)

    def again(self, node, slot):
        """An option that stands several times: its items must lie side by side."""
        number, start = self.tape[slot : slot + 2]
        size = widths(node.inner)
        if number == 0 or start + number * size != len(self.tape):
            self.tape[slot + 1] = len(self.tape)
            self.tape += self.tape[start : start + number * size]
        base = self.item(node, slot)
        token = node.inner[0]
        self.take()
        self.tape[base] = 1
        self.sequence(token.inner, base + 1)

    def counted(self, node, slot):
        self.tape[slot + 1] = len(self.tape)
        self.counts[node.name] = 0
        number = parse_integer(self.take())
        if number is None:
            raise Refused(node.fault_form)
        if number < node.least:
            raise Refused(node.fault)
        if number > self.left // needed(node.inner):
            raise Refused(node.fault_more)
        for _ in range(number):
            self.sequence(node.inner, self.item(node, slot))

    def halves(self, node, slot):
        number, broken = divmod(self.left, 2)
        if broken or not number:
            raise Refused(node.fault)
        first, second = node.inner
        base = len(self.tape)
        self.tape[slot : slot + 2] = [number, base]
        self.tape += [0] * widths(node.inner) * number
        for half, inside in ((first, 0), (second, width(first))):
            for i in range(number):
                self.simple(half, base + i * widths(node.inner) + inside, self.take())

    def simple(self, node, slot, word):
        match node:
            case Int():
                value = parse_integer(word)
                if value is None:
                    if not node.judge:
                        raise Refused(node.fault)
                    self.tape[self.judges[node.judge]] |= UNREADABLE
                    value = 0
                if node.strict and value < node.least:
                    raise Refused(node.fault)
                self.tape[slot] = value
            case Real():
                real = parse_real(word)
                if real is None:
                    if not node.judge:
                        raise Refused(node.fault)
                    self.tape[self.judges[node.judge]] |= UNREADABLE
                    real = math.nan
                self.tape[slot] = struct.unpack("<q", struct.pack("<d", real))[0]
            case Timeout():
                try:
                    self.tape[slot] = whole_milliseconds(word) if node.whole_ms else milliseconds(word)
                except Refused as refused:
                    if not node.last:
                        raise
                    self.late = refused
            case Choice():
                words = [each.upper().encode() for each in node.words]
                if word.upper() not in words:
                    raise Refused(node.fault)
                self.tape[slot] = words.index(word.upper()) + 1
            case Text() if node.cursor and parse_cursor(word) is None:
                raise Refused("BAD_CURSOR")
            case _:
                self.tape[slot : slot + 2] = [word, PRESENT]


def milliseconds(word):
    """A timeout in whole milliseconds, rounded up."""
    real = parse_real(word)
    if real is None:
        raise Refused("BAD_TIMEOUT")
    if real < 0:
        raise Refused("NEGATIVE_TIMEOUT")
    if real * 1000.0 >= 2**62:
        raise Refused("BAD_TIMEOUT")
    return math.ceil(Fraction(real * 1000.0))


def whole_milliseconds(word):
    """A timeout that is given as an integer in milliseconds."""
    value = parse_integer(word)
    if value is None or value >= 2**62:
        raise Refused("BAD_BLOCK")
    if value < 0:
        raise Refused("NEGATIVE_TIMEOUT")
    return value


def judges(nodes, slot=0):
    """The slot of each OneOf, by its name."""
    found = {}
    for node in nodes:
        match node:
            case OneOf():
                found[node.name] = slot
            case AnyOrder():
                found |= judges(node.inner, slot)
        slot += width(node)
    return found


def parse(args, words, words_least=0, stray=""):
    """The tape that the words (without the command's name) make."""
    if not max(needed(args), words_least) <= len(words) <= (math.inf if stray else sum(most(node) for node in args)):
        raise Refused("WRONG_ARITY")
    reader = Reader(words, stray)
    reader.judges = judges(args)
    reader.tape = [0] * widths(args)
    reader.sequence(args, 0)
    if reader.left:
        raise Refused(stray or "SYNTAX")
    if reader.late:
        raise reader.late
    return reader.tape
