"""Were concurrent clients answered as if one call had been made after the other?

    check_key(ops)               one key: is there an order that fits times and replies? (Wing and Gong, Lowe)
    check_transactions(txns)     EXECs of RPUSH and LRANGE over many keys: is there one order of them all?

An `Op` lies between `begin` and `end`, in ticks. One without a reply (`reply` is UNKNOWN) may have been
carried out at some moment until its `end`, or never. A linearizable whole is made of linearizable keys, so
keys are looked at one by one; what spans keys is the business of `check_transactions`, as in Elle: lists tell
in their elements who wrote before whom, each element is written once, and everything known (write before write,
write before read, read before the write that it missed, end before begin) must not form a circle.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.support import Refusal

UNKNOWN: Any = "UNKNOWN"
STEPS_MAX = 2_000_000
State = Any
"""None, bytes, a tuple (a list) or a frozenset."""


@dataclass(eq=False)
class Op:
    """One call of one key, its `words` without the key."""

    client: str
    words: tuple[Any, ...]
    begin: int
    end: int = 1 << 62
    reply: Any = UNKNOWN

    def __str__(self) -> str:
        shown = "?" if self.reply is UNKNOWN else repr(self.reply)
        return f"[{self.begin}, {self.end}] {self.client}: {self.words} -> {shown}"


class Violation(AssertionError):
    """No order fits."""


# One key.


def next_states(state: State, words: tuple[Any, ...], reply: Any) -> Iterator[State]:
    """The states after a call that was answered so; none if it could not have been."""
    name, rest = words[0], words[1:]
    for after, answer in _calls(state, name, rest, reply):
        if reply is UNKNOWN or answer is UNKNOWN or answer == reply:
            yield after


def _calls(state: State, name: str, rest: tuple[Any, ...], reply: Any) -> Iterator[tuple[State, Any]]:
    match name:
        case "GET":
            yield state, state
        case "SET":
            yield rest[0], b"OK"
        case "GETSET":
            yield rest[0], state
        case "SETNX":
            yield (rest[0], 1) if state is None else (state, 0)
        case "APPEND":
            after = (state or b"") + rest[0]
            yield after, len(after)
        case "DEL":
            yield None, int(state is not None)
        case "INCRBY":
            number = int(state or 0) + rest[0]
            yield b"%d" % number, number
        case "CAS":  # WATCH, GET, MULTI, SET, EXEC that went through
            if state == rest[0]:
                yield rest[1], UNKNOWN
        case "RPUSH" | "LPUSH":
            line = tuple(state or ())
            after = line + rest if name == "RPUSH" else rest[::-1] + line
            yield after, len(after)
        case "LRANGE":
            yield state, list(state or ())
        case "LPOP" | "RPOP" | "BLPOP":
            if not state:
                yield state, None
            elif name == "RPOP":
                yield state[:-1] or None, state[-1]
            else:
                yield state[1:] or None, state[0]
        case "SADD":
            before = state or frozenset()
            after = before | set(rest)
            yield after, len(after) - len(before)
        case "SREM":
            before = state or frozenset()
            after = before - set(rest)
            yield after or None, len(before) - len(after)
        case "SMEMBERS":
            yield state, sorted(state or ())
        case "SPOP":
            if not state:
                yield None, None
            for member in sorted(state or ()):
                if reply is UNKNOWN or reply == member:
                    yield (state - {member}) or None, member
        case _:
            raise AssertionError(f"no model for {name}")


def check_key(ops: list[Op], state: State = None) -> None:
    """Raise Violation if the calls of one key fit into no order. (A search in depth that remembers where it was.)"""
    ops = [op for op in ops if not (op.reply is UNKNOWN and op.words[0] in ("GET", "LRANGE", "SMEMBERS"))]
    ops.sort(key=lambda op: op.begin)
    certain = sum(1 << i for i, op in enumerate(ops) if op.reply is not UNKNOWN)
    seen: set[tuple[int, State]] = set()
    stack: list[tuple[int, State]] = [(0, state)]
    best, steps = 0, 0
    while stack:
        done, state = stack.pop()
        if done & certain == certain:
            return
        steps += 1
        if steps > STEPS_MAX:
            raise AssertionError(f"gave up after {steps} steps over {len(ops)} calls")
        if (done & certain).bit_count() >= (best & certain).bit_count():
            best = done
        for i in _may_be_next(ops, done):
            for after in next_states(state, ops[i].words, ops[i].reply):
                where = done | 1 << i, after
                if where not in seen:
                    seen.add(where)
                    stack.append(where)
    stuck = [str(ops[i]) for i in _may_be_next(ops, best)]
    past = [str(op) for i, op in enumerate(ops) if best >> i & 1][-8:]
    raise Violation("\n  ".join(("no order fits; after", *past)) + "\n  ".join(("\nnone of these can follow", *stuck)))


def _may_be_next(ops: list[Op], done: int) -> list[int]:
    """Calls that no call to come has ended before; the likeliest last, to be looked at first."""
    first = (~done & done + 1).bit_length() - 1
    found, bound = [], 1 << 62
    for i in range(first, len(ops)):
        op = ops[i]
        if op.begin > bound:
            break
        if not done >> i & 1:
            found.append(i)
            if op.reply is not UNKNOWN:
                bound = min(bound, op.end)
    latest = ops[done.bit_length() - 1].begin if done else 0  # what was given up before this cannot follow
    return sorted(
        (i for i in found if ops[i].end >= latest), key=lambda i: (ops[i].reply is not UNKNOWN, -ops[i].end)
    )


# Many keys.


@dataclass(eq=False)
class Txn:
    """One EXEC: `calls` are (RPUSH, key, element) or (LRANGE, key); `replies` as it answered, or UNKNOWN."""

    client: str
    calls: list[tuple[Any, ...]]
    begin: int
    end: int = 1 << 62
    replies: Any = UNKNOWN
    after: set[int] = field(default_factory=set)  # of those that must come later

    def __str__(self) -> str:
        return f"[{self.begin}, {self.end}] {self.client}: {self.calls} -> {self.replies}"


def check_transactions(txns: list[Txn], final: dict[Any, list[bytes]]) -> None:
    """Raise Violation if no one order of the transactions, in which each happens at once, fits the replies, the
    times and the lists as they are found in the end. Those given up may be in it or not."""
    writer: dict[tuple[Any, bytes], int] = {}
    for i, txn in enumerate(txns):
        for call in txn.calls:
            if call[0] == "RPUSH":
                assert (call[1], call[2]) not in writer, "elements must be unique"
                writer[call[1], call[2]] = i
    for key, elements in final.items():
        if len(set(elements)) != len(elements):
            raise Violation(f"{key}: an element is there twice: {elements}")
    place = {(key, element): at for key, elements in final.items() for at, element in enumerate(elements)}
    applied = {writer[one] for one in place if one in writer}
    for one in place:
        if one not in writer:
            raise Violation(f"{one} was never written")
    for i, txn in enumerate(txns):
        pushes = [(call[1], call[2]) for call in txn.calls if call[0] == "RPUSH"]
        there = [one in place for one in pushes]
        if txn.replies is not UNKNOWN and txn.replies is not None and not all(there):
            raise Violation(f"lost: {txn}")
        if any(there) and (not all(there) or txn.replies is None):
            raise Violation(f"torn or resurrected: {txn}")
        if i in applied or (txn.replies is not UNKNOWN and txn.replies is not None):
            applied.add(i)
    _order_by_lists(txns, applied, final, writer)
    _order_by_time(txns, applied)
    _no_circle(txns, applied)


def _order_by_lists(
    txns: list[Txn], applied: set[int], final: dict[Any, list[bytes]], writer: dict[tuple[Any, bytes], int]
) -> None:
    """Edges from what is in the lists and what was read of them."""
    for key, elements in final.items():
        for before, after in pairwise(elements):
            txns[writer[key, before]].after.add(writer[key, after])
    for i in applied:
        txn = txns[i]
        if txn.replies is UNKNOWN:
            continue
        own: dict[Any, int] = {}
        for call, reply in zip(txn.calls, txn.replies, strict=True):
            key, line = call[1], final.get(call[1], [])
            if call[0] == "RPUSH":
                own[key] = own.get(key, 0) + 1
                if line[reply - 1 : reply] != [call[2]]:
                    raise Violation(f"{call} answered {reply}, which is not its place in {line}: {txn}")
                continue
            if line[: len(reply)] != reply:
                raise Violation(f"{call} read {reply}, never the beginning of {line}: {txn}")
            if own.get(key, 0) and (len(reply) < own[key] or writer[key, reply[-1]] != i):
                raise Violation(f"{call} does not end with what its own transaction wrote: {txn}")
            if reply:
                txns[writer[key, reply[-1]]].after.add(i)
            if len(reply) < len(line):
                txn.after.add(writer[key, line[len(reply)]])
    for i, txn in enumerate(txns):
        txn.after.discard(i)


def _order_by_time(txns: list[Txn], applied: set[int]) -> None:
    """Edges from each to those that began when it had ended; those in between follow from others."""
    begins = sorted(applied, key=lambda i: txns[i].begin)
    for i in applied:
        if txns[i].replies is UNKNOWN:
            continue
        bound = 1 << 62
        for j in begins:
            if txns[j].begin > txns[i].end:
                if txns[j].begin > bound:
                    break
                txns[i].after.add(j)
                if txns[j].replies is not UNKNOWN:
                    bound = min(bound, txns[j].end)


def _no_circle(txns: list[Txn], applied: set[int]) -> None:
    """Raise Violation if the edges go around."""
    waits = dict.fromkeys(applied, 0)
    for i in applied:
        for j in txns[i].after:
            waits[j] += 1
    free = [i for i in applied if not waits[i]]
    done = 0
    while free:
        i = free.pop()
        done += 1
        for j in txns[i].after:
            waits[j] -= 1
            if not waits[j]:
                free.append(j)
    if done < len(applied):
        left = [str(txns[i]) for i in sorted(applied) if waits[i]]
        raise Violation(f"{len(left)} transactions lie on or behind a circle:\n  " + "\n  ".join(left[:10]))


__all__ = ["UNKNOWN", "Op", "Refusal", "Txn", "Violation", "check_key", "check_transactions", "next_states"]
