"""Redis' values read as they were written: each type, each form of a text, and no other bytes."""

import tracemalloc
from random import Random

import pytest
from rdb_samples import (
    PAYLOADS,
    SAMPLES,
    compressed,
    integer,
    intset,
    length,
    listpack,
    mutated,
    payload,
    text,
    ziplist,
)

from synap.compat.rdb import lzf
from synap.compat.rdb.crc64 import VECTOR_MIN, crc64
from synap.compat.rdb.errors import BadData, EmptyValue, NotSupported, RdbError, TooLarge, WrongChecksum
from synap.compat.rdb.payloads import pack, unpack
from synap.compat.rdb.values import Value

ROOM = 1 << 30


def test_the_checksum_of_redis() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert crc64(b"56789", crc64(b"1234")) == 0xE9C6D914C4B8D9CA


@pytest.mark.parametrize("size", [VECTOR_MIN, VECTOR_MIN + 1, 3 * VECTOR_MIN + 12_345])
def test_a_long_text_has_the_checksum_of_its_parts(size: int) -> None:
    data = Random(size).randbytes(size)
    whole = 99
    for at in range(0, size, VECTOR_MIN - 1):
        whole = crc64(data[at : at + VECTOR_MIN - 1], whole)
    assert crc64(data, 99) == whole


@pytest.mark.parametrize("name", SAMPLES)
def test_every_type_is_read(name: str) -> None:
    assert unpack(PAYLOADS[name], ROOM) == SAMPLES[name][2]


def test_payloads_that_redis_wrote() -> None:
    """The two of its manual, of versions 9 and 4."""
    assert unpack(b"\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n", ROOM) == Value("string", [b"10"])
    assert unpack(
        b"\n\x17\x17\x00\x00\x00\x12\x00\x00\x00\x03\x00\x00\xc0\x01\x00\x04\xc0\x02\x00\x04\xc0\x03\x00\xff\x04\x00"
        b"u#<\xc0;.\xe9\xdd", ROOM
    ) == Value("list", [b"1", b"2", b"3"])  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_written_is_read(name: str) -> None:
    value = SAMPLES[name][2]
    assert unpack(pack(value), ROOM) == value
    marked = Value(value.kind, value.items, frozenset({0, len(value.items) - 1}))
    assert unpack(pack(marked), ROOM) == marked


@pytest.mark.parametrize("size", [0, 63, 64, 16383, 16384, 70_000])
def test_texts_of_each_length(size: int) -> None:
    value = Value("string", [b"x" * size])
    assert unpack(pack(value), ROOM) == value


@pytest.mark.parametrize("name", SAMPLES)
def test_a_payload_that_is_cut_or_goes_on(name: str) -> None:
    number, body, _ = SAMPLES[name]
    for size in [*range(min(len(body), 60)), *range(max(len(body) - 10, 0), len(body))]:
        with pytest.raises(RdbError):
            unpack(payload(number, body[:size], 12), ROOM)
    with pytest.raises(BadData, match="behind the value"):
        unpack(payload(number, body + b"\0", 12), ROOM)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_payload_with_another_byte_has_another_checksum(name: str) -> None:
    whole = PAYLOADS[name]
    for at in Random(0).sample(range(len(whole)), min(20, len(whole))):
        changed = bytearray(whole)
        changed[at] ^= 1
        with pytest.raises(WrongChecksum):
            unpack(bytes(changed), ROOM)


def test_versions_that_are_not_known() -> None:
    body = text(b"v")
    assert unpack(payload(0, body, 12), ROOM) == Value("string", [b"v"])
    for wrong in (payload(0, body, 13), b"", b"\0" * 10, payload(0, b"", 13)):
        with pytest.raises(WrongChecksum):
            unpack(wrong, ROOM)


def _part(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


HUGE = b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"
LP, ZL = listpack(b"aa", b"bb", b"cc"), ziplist(b"aa", b"bb", b"cc")
WRONG: dict[str, tuple[int, bytes]] = {
    "length above the end": (0, length(6) + b"hello"),
    "absurd length": (0, HUGE + b"x"),
    "length of no form": (0, b"\x82\0\0\0\1x"),
    "encoding of no text": (0, b"\xc4\0"),
    "absurd number of elements": (1, HUGE + text(b"a")),
    "absurd number of members": (2, b"\x80\xff\xff\xff\xff" + text(b"a")),
    "absurd number of nodes": (18, HUGE + b"\x02" + text(LP)),
    "expands to more than is possible": (0, b"\xc3" + length(3) + b"\x80\x7f\xff\xff\xff" + b"\0a\0"),
    "expands to less": (0, b"\xc3" + length(2) + length(2) + b"\0a"),
    "expands from before its begin": (0, b"\xc3" + length(4) + length(4) + b"\0a\x20\x05"),
    "compressed text that is cut": (0, b"\xc3" + length(3) + length(9) + b"\0a\xe0"),
    "member twice": (2, length(2) + text(b"a") * 2),
    "member twice, as a number": (2, length(2) + text(b"5") + integer(5)),
    "member twice in a listpack": (20, text(listpack(b"a", 1, b"a"))),
    "field twice": (4, length(2) + (text(b"f") + text(b"v")) * 2),
    "field twice in a listpack": (16, text(listpack(b"f", 1, b"f", 2))),
    "field twice in a ziplist": (13, text(ziplist(b"f", 1, b"f", 2))),
    "member twice in a sorted set": (17, text(listpack(b"m", 1, b"m", 2))),
    "member twice with doubles": (5, length(2) + (text(b"m") + bytes(8)) * 2),
    "field without a value": (16, text(listpack(b"f", b"v", b"g"))),
    "score that is no number": (17, text(listpack(b"m", b"x"))),
    "score of digits that Python alone reads": (17, text(listpack(b"m", b"1_0"))),
    "score that is NaN": (17, text(listpack(b"m", b"nan"))),
    "score that is NaN, as double": (5, length(1) + text(b"m") + b"\0\0\0\0\0\0\xf8\x7f"),
    "score that is NaN, as text": (3, length(1) + text(b"m") + b"\xfd"),
    "listpack of another size": (16, text(_part(LP, 0, b"\x05"))),
    "listpack of another number": (18, length(1) + b"\x02" + text(_part(LP, 4, b"\x02"))),
    "listpack without an end": (18, length(1) + b"\x02" + text(LP[:-1] + b"\0")),
    "listpack with a wrong way back": (18, length(1) + b"\x02" + text(_part(LP, 9, b"\x04"))),
    "listpack with an element behind its end": (18, length(1) + b"\x02" + text(_part(LP, 14, b"\xbf"))),
    "listpack with an element of no form": (18, length(1) + b"\x02" + text(_part(LP, 6, b"\xf5"))),
    "node of no form": (18, length(1) + b"\x03" + text(LP)),
    "ziplist of another size": (10, text(_part(ZL, 0, b"\x05"))),
    "ziplist with another tail": (10, text(_part(ZL, 4, b"\x0b"))),
    "ziplist of another number": (10, text(_part(ZL, 8, b"\x02"))),
    "ziplist with a wrong way back": (10, text(_part(ZL, 14, b"\x05"))),
    "ziplist with an element behind its end": (10, text(_part(ZL, 19, b"\x3f"))),
    "ziplist with an element of no form": (10, text(_part(ZL, 11, b"\xff"))),
    "integers of a wrong size": (11, text(_part(intset(2, 1, 2), 4, b"\x03"))),
    "integers of no width": (11, text(_part(intset(2, 1, 2), 0, b"\x03"))),
    "integers out of order": (11, text(intset(2, 2, 1))),
    "integer twice": (11, text(intset(2, 1, 1))),
    "deadline that is no number": (25, bytes(8) + text(listpack(b"f", b"v", b"soon"))),
    "deadline below zero": (25, bytes(8) + text(listpack(b"f", b"v", -5))),
    "deadline that overflows": (24, b"\xff" * 7 + b"\x7f" + length(1) + length(9) + text(b"f") + text(b"v")),
    "unknown type": (8, text(b"v")),
    "type of a file's end": (255, text(b"v")),
    "marks of more elements": (0, text(b"v") + b"synap:json\0\x02"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong(name: str) -> None:
    number, body = WRONG[name]
    with pytest.raises(BadData):
        unpack(payload(number, body, 12), ROOM)


@pytest.mark.parametrize("number", [1, 2, 4, 5, 3])
def test_a_value_without_elements(number: int) -> None:
    with pytest.raises(EmptyValue):
        unpack(payload(number, b"\0"), ROOM)


@pytest.mark.parametrize(("number", "what"), [(6, "modules"), (7, "modules")])
def test_what_is_not_supported_is_named(number: int, what: str) -> None:
    with pytest.raises(NotSupported) as caught:
        unpack(payload(number, text(b"x")), ROOM)
    assert caught.value.what == what


def test_a_value_takes_no_more_than_its_room() -> None:
    """Expansion stops at the limit, whatever is claimed and however often."""
    bombs = [
        payload(0, compressed(b"z", 1_500_000)),
        payload(1, length(8) + compressed(b"z", 300_000) * 8),
        payload(18, length(30) + (b"\x02" + text(listpack(*[1] * 3_000))) * 30),
    ]
    for bomb in bombs:
        tracemalloc.start()
        with pytest.raises(TooLarge):
            unpack(bomb, 1 << 20)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < (4 << 20) + 2 * len(bomb)


def test_compressed_texts_are_as_long_as_they_say() -> None:
    block = compressed(b"abc", 40)[4:]  # behind the encoding and both lengths
    assert lzf.expand(block, 120, 0) == b"abc" * 40
    for size in (119, 121):
        with pytest.raises(BadData):
            lzf.expand(block, size, 0)


def test_no_payload_raises_anything_else() -> None:
    chance = Random(1)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(5_000):
        try:
            value = unpack(mutated(chance), 1 << 24)
        except RdbError:
            outcomes["refused"] += 1
        else:
            assert unpack(pack(value), ROOM) == value
            outcomes["read"] += 1
    assert min(outcomes.values()) > 250, outcomes
