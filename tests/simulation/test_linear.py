"""The checker of histories against histories whose answer is known, and against trying every order."""

import itertools
import random

import pytest

from tests.simulation.linear import UNKNOWN, Op, Txn, Violation, check_key, check_transactions, next_states


def fits(ops: list[Op]) -> bool:
    try:
        check_key(ops)
    except Violation:
        return False
    return True


def fits_somehow(ops: list[Op]) -> bool:
    """Try every order of every choice of the calls that may not have happened."""
    known = [op for op in ops if op.reply is not UNKNOWN]
    unknown = [op for op in ops if op.reply is UNKNOWN]
    for count in range(len(unknown) + 1):
        for chosen in itertools.combinations(unknown, count):
            for order in itertools.permutations([*known, *chosen]):
                if any(b.end < a.begin for a, b in itertools.combinations(order, 2)):
                    continue
                states = {None}
                for op in order:
                    states = {after for state in states for after in next_states(state, op.words, op.reply)}
                if states:
                    return True
    return False


def random_history(chance: random.Random) -> list[Op]:
    """Replies as one register (or list) might have given them, with now and then a wrong one."""
    kind = chance.choice(("register", "list"))
    ops, ticks = [], iter(range(1000))
    pending: list[Op] = []
    value: list[bytes] = []
    for i in range(6):
        text = b"%d" % chance.randrange(3)
        words = chance.choice((("GET",), ("SET", text), ("GETSET", text)) if kind == "register" else
                              (("RPUSH", text), ("LPOP",), ("LRANGE", 0, -1)))  # fmt: skip
        op = Op(f"c{i}", words, next(ticks))
        ops.append(op)
        pending.append(op)
        while pending and (len(pending) == 3 or chance.random() < 0.5):
            done = pending.pop(chance.randrange(len(pending)))
            if chance.random() < 0.15:
                done.end = next(ticks)
                continue
            name = done.words[0]
            if name == "GET":
                reply = chance.choice((value[-1] if value else None, value[0] if value else None))
            elif name in ("SET", "GETSET"):
                reply = b"OK" if name == "SET" else (value[-1] if value else None)
                value = [*value[-1:], done.words[1]]
            elif name == "RPUSH":
                value = [*value, done.words[1]]
                reply = len(value)
            elif name == "LPOP":
                reply, value = (value[0], value[1:]) if value else (None, value)
            else:
                reply = list(value)
            done.end, done.reply = next(ticks), reply
    return ops


def test_against_every_order() -> None:
    chance = random.Random(1)
    answers = []
    for _ in range(1000):
        ops = random_history(chance)
        answers.append(fits(ops))
        assert answers[-1] == fits_somehow(ops), "\n".join(map(str, ops))
    assert 8 < sum(not answer for answer in answers) < 200


def test_known_histories() -> None:
    write = Op("a", ("SET", b"x"), 1, 4, b"OK")
    assert fits([write, Op("b", ("GET",), 2, 3, None), Op("c", ("GET",), 3, 5, b"x")])
    assert not fits([write, Op("b", ("GET",), 2, 3, b"x"), Op("c", ("GET",), 4, 5, None)])  # new, then old
    assert not fits([write, Op("b", ("GET",), 5, 6, None)])  # lost
    lost = Op("a", ("SET", b"x"), 1, 4)
    assert fits([lost, Op("b", ("GET",), 5, 6, None)]) and fits([lost, Op("b", ("GET",), 5, 6, b"x")])
    late = [lost, Op("b", ("GET",), 5, 6, None), Op("b", ("GET",), 7, 8, b"x")]
    assert not fits(late)  # it cannot happen after the end of the life that it was sent in
    assert not fits([Op("a", ("INCRBY", 1), 1, 4, 1), Op("b", ("INCRBY", 1), 2, 5, 1)])
    assert fits([Op("a", ("CAS", None, b"1"), 1, 4, b"OK"), Op("b", ("CAS", b"1", b"2"), 2, 5, b"OK")])
    assert not fits([Op("a", ("CAS", None, b"1"), 1, 4, b"OK"), Op("b", ("CAS", None, b"2"), 2, 5, b"OK")])
    pops = [Op("a", ("BLPOP",), 1, 9, b"x"), Op("b", ("RPUSH", b"x"), 3, 4, 1)]
    assert fits(pops) and not fits([*pops, Op("c", ("LPOP",), 5, 6, b"x")])


def test_long_history_is_checked_quickly() -> None:
    chance = random.Random(2)
    ops, total = [], 0
    for i in range(3000):
        total += 1
        ops.append(Op(f"c{i % 8}", ("INCRBY", 1), 10 * i - chance.randrange(60), 10 * i + chance.randrange(60), total))
    check_key(ops)
    ops[1500].reply += 100
    with pytest.raises(Violation):
        check_key(ops)


def txn(begin: int, end: int, *calls: tuple[object, ...], gone: bool = False) -> Txn:
    """A transaction of (key, element, reply) and (key, reply)."""
    done = [("RPUSH", *call[:2]) if len(call) == 3 else ("LRANGE", call[0]) for call in calls]
    return Txn("c", done, begin, end, UNKNOWN if gone else [call[-1] for call in calls])


@pytest.mark.parametrize(("txns", "final", "good"), [
    ([txn(1, 2, ("x", b"1", 1)), txn(3, 4, ("x", [b"1"]))], {"x": [b"1"]}, True),
    ([txn(1, 2, ("x", b"1", 1)), txn(3, 4, ("x", []))], {"x": [b"1"]}, False),  # stale, though it was over
    ([txn(1, 4, ("x", b"1", 1)), txn(3, 5, ("x", []))], {"x": [b"1"]}, True),
    ([txn(1, 2, ("x", b"1", 1))], {"x": []}, False),  # lost
    ([txn(1, 2, ("x", b"1", 1), gone=True)], {"x": []}, True),
    ([txn(1, 2, ("x", b"1", 1), ("y", b"2", 1), gone=True)], {"x": [b"1"], "y": []}, False),  # torn
    ([txn(1, 9, ("x", b"1", 1), ("y", [])), txn(1, 9, ("y", b"2", 1), ("x", []))],
     {"x": [b"1"], "y": [b"2"]}, False),  # write skew
    ([txn(1, 9, ("x", b"1", 1), ("y", b"3", 2)), txn(1, 9, ("y", b"2", 1), ("x", b"4", 2))],
     {"x": [b"1", b"4"], "y": [b"2", b"3"]}, False),  # in two orders
    ([txn(1, 9, ("x", b"1", 1), ("y", b"2", 1)), txn(1, 9, ("x", [b"1"]), ("y", []))],
     {"x": [b"1"], "y": [b"2"]}, False),  # half of it was seen
    ([txn(1, 9, ("x", b"1", 1), ("x", [b"1"]), ("x", b"2", 2))], {"x": [b"1", b"2"]}, True),
    ([], {"x": [b"1"]}, False),  # from nowhere
])  # fmt: skip
def test_transactions(txns: list[Txn], final: dict[object, list[bytes]], good: bool) -> None:
    if good:
        check_transactions(txns, final)
        return
    with pytest.raises(Violation):
        check_transactions(txns, final)
