"""Searches for places, by the words of the call and by looking at every member."""

from dataclasses import dataclass
from typing import Any

from tests.naive import geohash
from tests.naive.geohash import Place
from tests.naive.numbers import parse_integer
from tests.naive.parser import Refused
from tests.naive.reals import parse_real
from tests.naive.store import Answer, Record, State
from tests.naive.store.geo import UNITS, bits, checked, place_of, told, whole
from tests.naive.store.zsets import ZSet


@dataclass
class Query:
    """What is searched for, and what is wanted of the results."""

    center: Place | None = None
    member: bool = False
    radius: float | None = None
    box: Place | None = None
    metres: float = 1.0
    count: int = 0
    any: bool = False
    order: str = ""
    facts: tuple[str, ...] = ()
    store: bytes | None = None
    distances: bool = False


@dataclass
class Result:
    """A member that was found."""

    metres: float
    score: float
    member: bytes


def real(word: bytes, fault: str) -> float:
    value = parse_real(word)
    if value is None:
        raise Refused(fault)
    return value


def place(words: list[bytes]) -> Place:
    return checked((real(words[0], "NOT_A_REAL"), real(words[1], "NOT_A_REAL")))


def unit(word: bytes) -> float:
    metres = UNITS.get(word.upper().decode("latin-1"))
    if metres is None:
        raise Refused("BAD_UNIT")
    return metres


def circle(query: Query, words: list[bytes]) -> None:
    query.radius = real(words[0], "BAD_RADIUS")
    if query.radius < 0:
        raise Refused("NEGATIVE_RADIUS")
    query.metres = unit(words[1])


def box(query: Query, words: list[bytes]) -> None:
    query.box = real(words[0], "BAD_WIDTH"), real(words[1], "BAD_HEIGHT")
    if min(query.box) < 0:
        raise Refused("NEGATIVE_BOX")
    query.metres = unit(words[2])


def center_of(found: ZSet, member: bytes) -> Place:
    there = place_of(found, member)
    if there is None:
        raise Refused("PLACE_MISSING")
    return there


def option(query: Query, words: list[bytes], found: ZSet | None, what: str) -> None:
    """Take an option and what belongs to it off the words."""
    searches = what.startswith("search")
    word = words.pop(0).upper()
    known = {
        b"COUNT": (1, True), b"STORE": (1, what == "radius"), b"FROMMEMBER": (1, searches and query.center is None),
        b"FROMLONLAT": (2, searches and not query.member), b"BYRADIUS": (2, searches and query.box is None),
        b"BYBOX": (3, searches and query.radius is None),
        b"STOREDIST": (0, True) if what == "search_store" else (1, what == "radius"),
        **dict.fromkeys((b"WITHDIST", b"WITHHASH", b"WITHCOORD", b"ANY", b"ASC", b"DESC"), (0, True)),
    }  # fmt: skip
    size, allowed = known.get(word, (0, False))
    if query.member and word == b"FROMMEMBER":
        allowed = True
    if not allowed or size > len(words):
        raise Refused("SYNTAX")
    given, words[:] = words[:size], words[size:]
    match word:
        case b"WITHDIST" | b"WITHHASH" | b"WITHCOORD":
            query.facts += (word.decode(),)
        case b"ANY":
            query.any = True
        case b"ASC" | b"DESC":
            query.order = word.decode()
        case b"COUNT":
            count = parse_integer(given[0])
            if count is None:
                raise Refused("NOT_AN_INTEGER")
            if count <= 0:
                raise Refused("COUNT_NOT_ABOVE_ZERO")
            query.count = count
        case b"STORE" | b"STOREDIST":
            query.store, query.distances = (given[0] if given else query.store), word == b"STOREDIST"
        case b"FROMMEMBER":
            query.member = True
            query.center = center_of(found, given[0]) if found is not None else (0.0, 0.0)
        case b"FROMLONLAT":
            query.center = place(given)
        case b"BYRADIUS":
            circle(query, given)
        case _:
            box(query, given)


def options(query: Query, words: list[bytes], found: ZSet | None, what: str) -> None:
    words = list(words)
    while words:
        option(query, words, found, what)
    if query.store is not None and query.facts:
        raise Refused("SEARCHSTORE_WITH_MORE" if what == "search_store" else "STORE_WITH_MORE")
    if what.startswith("search") and query.center is None:
        raise Refused("ONE_CENTER")
    if what.startswith("search") and query.radius is None and query.box is None:
        raise Refused("ONE_SHAPE")
    if query.any and not query.count:
        raise Refused("ANY_WITHOUT_COUNT")


def inside(query: Query, there: Place) -> bool:
    assert query.center is not None
    if query.radius is not None:
        return not geohash.distance(query.center, there) > query.radius * query.metres
    assert query.box is not None
    across = geohash.distance(there, (query.center[0], there[1]))
    along = geohash.distance(there, (there[0], query.center[1]))
    width, height = (side * query.metres for side in query.box)
    return not (across > width / 2 or along > height / 2)


def looked_up(query: Query, found: ZSet) -> list[Result]:
    """All results, in the order in which they are found."""
    assert query.center is not None
    if query.radius is not None:
        width = height = reach = query.radius * query.metres
    else:
        assert query.box is not None
        x, y = query.box[0] / 2, query.box[1] / 2
        width, height, reach = x * query.metres, y * query.metres, (x * x + y * y) ** 0.5 * query.metres
    step, cells = geohash.cells(query.center, width, height, reach)
    results: list[Result] = []
    for cell in cells:
        least, behind = geohash.scores(cell, step)
        for member, score in found.order():
            there = geohash.decode(bits(score))
            if least <= score < behind and inside(query, there):
                if query.any and len(results) >= query.count:
                    return results
                results.append(Result(geohash.distance(query.center, there), score, member))
    return results


def partly_sorted(items: list[Any], key: Any, wanted: int) -> list[Any]:
    """The quicksort of Bentley and McIlroy, without the parts behind the first `wanted` items."""

    def median(a: int, b: int, c: int) -> int:
        one, two, three = key(items[a]), key(items[b]), key(items[c])
        if one < two:
            return b if two < three else c if one < three else a
        return b if two > three else a if one < three else c

    def swap(a: int, b: int, size: int = 1) -> None:
        for i in range(size):
            items[a + i], items[b + i] = items[b + i], items[a + i]

    def part(first: int, count: int) -> None:
        if count < 7:
            items[first : first + count] = sorted(items[first : first + count], key=key)
            return
        middle, low, high, d = first + count // 2, first, first + count - 1, count // 8
        if count > 7:
            if count > 40:
                low, middle = median(low, low + d, low + 2 * d), median(middle - d, middle, middle + d)
                high = median(high - 2 * d, high - d, high)
            middle = median(low, middle, high)
        swap(first, middle)
        a = b = first + 1
        c = d = first + count - 1
        pivot = key(items[first])
        while True:
            while b <= c and key(items[b]) <= pivot:
                if key(items[b]) == pivot:
                    swap(a, b)
                    a += 1
                b += 1
            while b <= c and key(items[c]) >= pivot:
                if key(items[c]) == pivot:
                    swap(c, d)
                    d -= 1
                c -= 1
            if b > c:
                break
            swap(b, c)
            b, c = b + 1, c - 1
        end = first + count
        size = min(a - first, b - a)
        swap(first, b - size, size)
        size = min(d - c, end - d - 1)
        swap(b, end - size, size)
        if b - a > 1:
            part(first, b - a)
        if d - c > 1 and end - (d - c) < wanted:
            part(end - (d - c), d - c)

    part(0, len(items))
    return items[:wanted]


def results_of(query: Query, found: ZSet | None) -> list[Result]:
    """The results that are wanted, in their order."""
    results = looked_up(query, found) if found is not None else []
    order = query.order or ("ASC" if query.count and not query.any else "")
    if order:
        sign = 1 if order == "ASC" else -1
        if query.count and query.count < len(results):
            return partly_sorted(results, lambda each: sign * each.metres, query.count)
        results.sort(key=lambda each: sign * each.metres)
    return results[: query.count] if query.count else results


def answered(state: State, query: Query, found: ZSet | None) -> Answer:
    results = results_of(query, found)
    if query.store is not None:
        was_there = state.drop(query.store)
        if results:
            scores = {each.member: each.metres / query.metres if query.distances else each.score for each in results}
            state.records[state.namespace, query.store] = Record(ZSet(scores))
        return len(results), was_there or bool(results)
    if not query.facts:
        return [each.member for each in results], False
    facts = {
        "WITHDIST": lambda each: b"%.4f" % (each.metres / query.metres), "WITHHASH": lambda each: whole(each.score),
        "WITHCOORD": lambda each: told(geohash.decode(bits(each.score))),
    }  # fmt: skip
    wanted = [fact for name, fact in facts.items() if name in query.facts]
    return [[each.member, *(fact(each) for fact in wanted)] for each in results], False


def _seen(state: State, key: bytes, now: int) -> ZSet | None:
    record = state.seen(key, now, ZSet)
    return None if record is None else record.value


def search(state: State, args: dict[str, Any], now: int) -> Answer:
    found, query = _seen(state, args["key"], now), Query()
    options(query, args["options"], found, "search")
    return answered(state, query, found)


def search_store(state: State, args: dict[str, Any], now: int) -> Answer:
    found, query = _seen(state, args["source"], now), Query(store=args["destination"])
    options(query, args["options"], found, "search_store")
    return answered(state, query, found)


def radius(state: State, args: dict[str, Any], now: int, *, what: str = "radius") -> Answer:
    found, query = _seen(state, args["key"], now), Query()
    query.center = place([args["longitude"], args["latitude"]])
    circle(query, [args["radius"], args["unit"]])
    options(query, args["options"], found, what)
    return answered(state, query, found)


def around_member(state: State, args: dict[str, Any], now: int, *, what: str = "radius") -> Answer:
    found, query = _seen(state, args["key"], now), Query()
    if found is not None:
        query.center = center_of(found, args["member"])
        circle(query, [args["radius"], args["unit"]])
    options(query, args["options"], found, what)
    return answered(state, query, found)


def radius_only(state: State, args: dict[str, Any], now: int) -> Answer:
    return radius(state, args, now, what="radius_only")


def around_member_only(state: State, args: dict[str, Any], now: int) -> Answer:
    return around_member(state, args, now, what="radius_only")
