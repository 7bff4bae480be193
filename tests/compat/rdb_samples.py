"""Payloads of every type of RDB, written here byte by byte as Redis documents them, and mutations of them."""

import struct
from random import Random

from synap.compat.rdb.crc64 import crc64
from synap.compat.rdb.values import Value

Text = bytes | int


def length(size: int) -> bytes:
    """A length in the shortest form."""
    if size < 1 << 6:
        return bytes((size,))
    return struct.pack(">H", size | 0x4000) if size < 1 << 14 else b"\x80" + struct.pack(">I", size)


def text(data: bytes) -> bytes:
    return length(len(data)) + data


def integer(number: int) -> bytes:
    """A text that is an integer of 8, 16 or 32 bits."""
    for encoding, (form, most) in enumerate((("<b", 1 << 7), ("<h", 1 << 15), ("<i", 1 << 31))):
        if -most <= number < most:
            return bytes((0xC0 | encoding,)) + struct.pack(form, number)
    raise ValueError(number)


def compressed(repeated: bytes, count: int) -> bytes:
    """A text of 1 to 32 bytes that is repeated, compressed: literals, then matches of up to 264 bytes."""
    size, block = len(repeated), bytearray((len(repeated) - 1,)) + repeated
    left = size * (count - 1)
    while left:
        most = left if left <= 264 or left > 266 else 200
        step = min(most, 264)
        code = step - 2
        block += bytes((code << 5,)) if code < 7 else bytes((7 << 5, code - 7))
        block += bytes((size - 1,))
        left -= step
    return b"\xc3" + length(len(block)) + length(size * count) + block


def listpack(*items: Text) -> bytes:
    body = b""
    for item in items:
        one = _listpack_integer(item) if isinstance(item, int) else _listpack_text(item)
        body += one + back(len(one))
    return struct.pack("<IH", len(body) + 7, min(len(items), 0xFFFF)) + body + b"\xff"


def _listpack_text(item: bytes) -> bytes:
    size = len(item)
    if size < 64:
        return bytes((0x80 | size,)) + item
    return (struct.pack(">H", 0xE000 | size) if size < 4096 else b"\xf0" + struct.pack("<I", size)) + item


def _listpack_integer(number: int) -> bytes:
    if 0 <= number < 128:
        return bytes((number,))
    if -4096 <= number < 4096:
        return struct.pack(">H", 0xC000 | number & 0x1FFF)
    for code, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8)):
        if -1 << 8 * size - 1 <= number < 1 << 8 * size - 1:
            return bytes((code,)) + number.to_bytes(size, "little", signed=True)
    raise ValueError(number)


def back(size: int) -> bytes:
    """The width of an element, behind it."""
    groups = 1 if size < 128 else 2 if size < 16383 else 3
    parts = [size >> 7 * i & 127 for i in range(groups - 1, -1, -1)]
    return bytes((parts[0], *(part | 128 for part in parts[1:])))


def ziplist(*items: Text) -> bytes:
    body, before, tail = b"", 0, 10
    for item in items:
        one = _ziplist_integer(item) if isinstance(item, int) else _ziplist_text(item)
        whole = (bytes((before,)) if before < 254 else b"\xfe" + struct.pack("<I", before)) + one
        tail = 10 + len(body)
        body += whole
        before = len(whole)
    return struct.pack("<IIH", len(body) + 11, tail, min(len(items), 0xFFFF)) + body + b"\xff"


def _ziplist_text(item: bytes) -> bytes:
    size = len(item)
    if size < 64:
        return bytes((size,)) + item
    return (struct.pack(">H", 0x4000 | size) if size < 1 << 14 else b"\x80" + struct.pack(">I", size)) + item


def _ziplist_integer(number: int) -> bytes:
    if 0 <= number <= 12:
        return bytes((0xF1 + number,))
    for code, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
        if -1 << 8 * size - 1 <= number < 1 << 8 * size - 1:
            return bytes((code,)) + number.to_bytes(size, "little", signed=True)
    raise ValueError(number)


def intset(width: int, *numbers: int) -> bytes:
    body = b"".join(number.to_bytes(width, "little", signed=True) for number in numbers)
    return struct.pack("<II", width, len(numbers)) + body


def payload(type_number: int, body: bytes, version: int = 10) -> bytes:
    """A payload of DUMP with a right checksum."""
    whole = bytes((type_number,)) + body + version.to_bytes(2, "little")
    return whole + crc64(whole).to_bytes(8, "little")


def _many(*parts: bytes) -> bytes:
    return length(len(parts)) + b"".join(parts)


LONG, LONGER = b"long" * 100, b"longer" * 3000
NUMBERS = (0, 1, 12, 13, -1, 127, 128, -128, 4095, -4096, 4096, 32767, -32768, 1 << 22, -(1 << 23), 1 << 30, -(1 << 31),
           1 << 40, -(1 << 63))  # fmt: skip
MIXED: tuple[Text, ...] = (b"", b"a", *NUMBERS, b"b" * 63, b"c" * 64, LONG, b"last", LONGER, b"d" * 252, 7)
TEXTS = [b"%d" % item if isinstance(item, int) else item for item in MIXED]
PAIRS: tuple[Text, ...] = (b"one", 1, b"two", b"2nd", 3, LONG, b"", b"")
FIELDS = [(b"one", b"1", 0), (b"two", b"2nd", 0), (b"3", LONG, 0), (b"", b"", 0)]
SCORED: tuple[Text, ...] = (b"low", b"-inf", b"one", 1, b"half", b"1.5", b"high", b"1e100")
SCORES = [(float("-inf"), b"low"), (1.0, b"one"), (1.5, b"half"), (1e100, b"high")]
LATER = 4_000_000_000_000
EXPIRING = [(b"f", b"v", LATER), (b"g", b"w", 0), (b"h", b"x", LATER + 70_000)]


def _double(score: float) -> bytes:
    return struct.pack("<d", score)


def _score_text(score: float) -> bytes:
    if score in (float("inf"), float("-inf")):
        return b"\xfe" if score > 0 else b"\xff"
    return bytes((len(repr(score)),)) + repr(score).encode()


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes((number & 127 | 128,)), number >> 7
    return found + bytes((number,))


def texts(*items: Text) -> bytes:
    """Texts as a chunk of a stream has them."""
    found = [b"%d" % item if isinstance(item, int) else item for item in items]
    return b"".join(varint(len(item)) + item for item in found)


def identity(ms: int, seq: int) -> bytes:
    return struct.pack(">QQ", ms, seq)


def ms(time: int) -> bytes:
    return struct.pack("<q", time)


LAST_ID = (1 << 64) - 1
NODES = [
    # live, deleted, names, 0; then flags, ms, seq, texts, their number
    (identity(5, 7), listpack(3, 1, 2, b"f", 12, 0, 2, 0, 0, b"v", -300, 5, 3, 0, 1, b"", LONG, 5,
                              0, 1, -7, 1, b"other", b"w", 6, 2, 1 << 33, 1 << 40, 1 << 14, 127, 5)),
    (identity(LAST_ID, 9), listpack(1, 0, 1, b"k", 0, 2, 0, LAST_ID - (1 << 64) - 9, LONGER, 4)),
]  # fmt: skip
CHUNKS = [
    (1, 5, 7, 3, 4, len(NODES[0][1]), b"\x02" + texts(b"f", 12) + b"\2\0\0" + texts(b"v", -300)
     + b"\3\0\1" + texts(b"", LONG) + b"\0\1\0\1" + texts(b"other", b"w")
     + b"\2" + varint(1 << 33) + varint(7 + (1 << 40)) + texts(1 << 14, 127)),
    (1, -1, 9, 1, 1, len(NODES[1][1]), b"\1" + texts(b"k") + b"\2\0" + varint(LAST_ID - 9) + texts(LONGER)),
]  # fmt: skip
NODES_OF_STREAM = _many(*(text(begin) + text(block) for begin, block in NODES))
_U64 = b"\x81" + b"\xff" * 8  # the greatest id has it twice
_PENDING = _many(
    identity(5, 7) + ms(1000) + b"\2", identity(6, 0) + ms(1001) + b"\x81" + b"\xff" * 7 + b"\xfd",
    identity(LAST_ID, 0) + ms(-1) + length(300),
)  # fmt: skip


def stream(type_number: int) -> bytes:
    """The bytes of a stream with three groups, as a type has them."""
    newer = type_number > 15
    read = [_U64, length(3), length(300)] if newer else [b""] * 3
    active = [ms(2001), ms(-1), ms(2003)] if type_number == 21 else [b""] * 3
    return b"".join((
        NODES_OF_STREAM, length(4), _U64, _U64,
        length(5) + length(7) + length(5) + length(8) + length(300) if newer else b"",
        _many(
            text(b"") + length(5) + length(7) + read[0] + b"\0\0",
            text(b"group") + length(6) + length(0) + read[1] + _PENDING + _many(
                text(b"al") + ms(2000) + active[0] + _many(identity(5, 7), identity(LAST_ID, 0)),
                text(b"bo") + ms(1500) + active[1] + _many(),
                text(LONG) + ms(3000) + active[2] + _many(identity(6, 0)),
            ),
            text(b"last") + _U64 + _U64 + read[2] + b"\0\0",
        ),
    ))  # fmt: skip


def parts(type_number: int) -> Value:
    """What `stream` means."""
    newer = type_number > 15
    read = [-1, 3, 300] if newer else [1, -1, 4]
    active = [2001, -1, 2003] if type_number == 21 else [2000, 1500, 3000]
    return Value("stream", [
        *CHUNKS, (2, -1, -1, 300 if newer else 4, 0, 0, b""), (3, 5, 8, 0, 0, 0, b"") if newer else (3, *[0] * 5, b""),
        (4, 5, 7, read[0], 0, 0, b""), (4, 6, 0, read[1], 0, 0, b"group"),
        (5, 2000, active[0], 0, 0, 0, b"al"), (5, 1500, active[1], 0, 0, 0, b"bo"), (5, 3000, active[2], 0, 0, 0, LONG),
        (6, 5, 7, 1000, 2, 0, b""), (6, 6, 0, 1001, -3, 2, b""), (6, -1, 0, -1, 300, 0, b""),
        (4, -1, -1, read[2], 0, 0, b"last"),
    ])  # fmt: skip


SHORT_STREAM = bytes.fromhex(
    "13021000000000000000050000000000000001404c4c0000001900020101010201816102816202000102010001000101018374776f04"
    "0501030100010101ded402800105010001f26b110104dfff020101816302f4005ed0b200000000090601ff1000000000000111700000"
    "000000000009323200000012000201000102018161028162020001020100010001817802817902050102010101dff802817802817902"
    "0501ff04800001117101050105020502016780000111700981ffffffffffffffff030000000000000005000000000000000153f0642e"
    "a2010000010000000000011170000000000000000053f0642ea2010000010000000000011170000000000000000957f0642ea2010000"
    "0102016353f0642ea2010000020000000000000005000000000000000100000000000111700000000000000000016457f0642ea20100"
    "0001000000000001117000000000000000090168050181ffffffffffffffff000101655bf0642ea2010000000a003d1c052e713a04dd"
)
"""What DUMP of Redis 7.0.15 answers for the stream that these calls have made, with stream-node-max-entries 3:

    XADD s 5-1 a 1 b two; XADD s 5-2 a -300 b ""; XADD s 70000-0 c 3000000000; XADD s 70000-9 a x b y;
    XADD s 70001-1 a x b y; XDEL s 5-2; XGROUP CREATE s g 0; XGROUP CREATE s h 5-1; XREADGROUP GROUP g c COUNT 2
    STREAMS s >; XREADGROUP GROUP g d COUNT 1 STREAMS s >; XGROUP CREATECONSUMER s h e
"""
_TIMES = [1_796_074_696_787, 1_796_074_696_791, 1_796_074_696_795]
SHORT_PARTS = [
    (1, 5, 1, 2, 3, 76, b"\2" + texts(b"a", b"b") + b"\2\0\0" + texts(1, b"two") + b"\3\0\1" + texts(-300, b"")
     + b"\0" + varint(69_995) + b"\0\1" + texts(b"c", 3_000_000_000)),
    (1, 70_000, 9, 2, 2, 50, b"\2" + texts(b"a", b"b") + b"\2\0\0" + texts(b"x", b"y") + b"\2\1\1" + texts(b"x", b"y")),
    (2, 70_001, 1, 5, 0, 0, b""), (3, 5, 2, 0, 0, 0, b""), (4, 70_000, 9, -1, 0, 0, b"g"),
    (5, _TIMES[0], _TIMES[0], 0, 0, 0, b"c"), (5, _TIMES[1], _TIMES[1], 0, 0, 0, b"d"),
    (6, 5, 1, _TIMES[0], 1, 0, b""), (6, 70_000, 0, _TIMES[0], 1, 0, b""), (6, 70_000, 9, _TIMES[1], 1, 1, b""),
    (4, 5, 1, -1, 0, 0, b"h"), (5, _TIMES[2], _TIMES[2], 0, 0, 0, b"e"),
]  # fmt: skip


SAMPLES: dict[str, tuple[int, bytes, Value]] = {
    "string": (0, text(b"hello"), Value("string", [b"hello"])),
    "empty string": (0, text(b""), Value("string", [b""])),
    "string of 14 bits": (0, text(LONG), Value("string", [LONG])),
    "string of 32 bits": (0, text(LONGER), Value("string", [LONGER])),
    "string of 64 bits": (0, b"\x81" + struct.pack(">Q", 5) + b"hello", Value("string", [b"hello"])),
    "integer of 8 bits": (0, integer(-7), Value("string", [b"-7"])),
    "integer of 16 bits": (0, integer(-300), Value("string", [b"-300"])),
    "integer of 32 bits": (0, integer(1 << 20), Value("string", [b"1048576"])),
    "compressed": (0, compressed(b"abcde", 200), Value("string", [b"abcde" * 200])),
    "compressed, one byte": (0, compressed(b"z", 5000), Value("string", [b"z" * 5000])),
    "list": (1, _many(text(b"a"), integer(5), text(b"a"), compressed(b"xy", 50)),
             Value("list", [b"a", b"5", b"a", b"xy" * 50])),
    "list, ziplist": (10, text(ziplist(*MIXED)), Value("list", TEXTS)),
    "list, ziplists": (14, _many(text(ziplist(b"a", 1)), text(ziplist()), text(ziplist(*MIXED))),
                       Value("list", [b"a", b"1", *TEXTS])),
    "list, listpacks": (
        18, _many(b"\x02" + text(listpack(*MIXED)), b"\x01" + text(LONGER), b"\x02" + text(listpack(9))),
        Value("list", [*TEXTS, LONGER, b"9"]),
    ),
    "set": (2, _many(text(b"a"), integer(1), text(b"b")), Value("set", [b"a", b"1", b"b"])),
    "set, 16 bits": (11, text(intset(2, -5, 0, 300)), Value("set", [b"-5", b"0", b"300"])),
    "set, 32 bits": (11, text(intset(4, -5, 0, 1 << 30)), Value("set", [b"-5", b"0", b"1073741824"])),
    "set, 64 bits": (11, text(intset(8, -1 << 63, 1 << 40)), Value("set", [b"-9223372036854775808", b"1099511627776"])),
    "set, listpack": (20, text(listpack(b"a", 1, LONG)), Value("set", [b"a", b"1", LONG])),
    "hash": (4, _many(text(b"f") + text(b"v"), integer(3) + text(LONG)),
             Value("hash", [(b"f", b"v", 0), (b"3", LONG, 0)])),
    "hash, ziplist": (13, text(ziplist(*PAIRS)), Value("hash", FIELDS)),
    "hash, listpack": (16, text(listpack(*PAIRS)), Value("hash", FIELDS)),
    "hash, expiring": (
        24, struct.pack("<q", LATER) + _many(
            b"\x01" + text(b"f") + text(b"v"), b"\x00" + text(b"g") + text(b"w"),
            length(70_001) + text(b"h") + text(b"x"),
        ), Value("hash", EXPIRING),
    ),
    "hash, expiring, listpack": (
        25, struct.pack("<q", LATER)
        + text(listpack(b"f", b"v", LATER, b"g", b"w", 0, b"h", b"x", LATER + 70_000)), Value("hash", EXPIRING),
    ),
    "zset": (5, _many(*(text(member) + _double(score) for score, member in SCORES)), Value("zset", SCORES)),
    "zset, texts": (3, _many(*(text(member) + _score_text(score) for score, member in SCORES)), Value("zset", SCORES)),
    "zset, ziplist": (12, text(ziplist(*SCORED)), Value("zset", SCORES)),
    "zset, listpack": (17, text(listpack(*SCORED)), Value("zset", SCORES)),
    **{f"stream, type {number}": (number, stream(number), parts(number)) for number in (15, 19, 21)},
    "stream of Redis": (19, SHORT_STREAM[1:-10], Value("stream", SHORT_PARTS)),
    "stream without entries": (19, bytes(10), Value("stream", [(2, *[0] * 5, b""), (3, *[0] * 5, b"")])),
    "stream in which no entry is left": (
        19, _many(text(identity(1, 1)) + text(listpack(0, 2, 1, b"f", 0, 3, 0, 0, b"v", 4, 1, 1, 0, 1, b"g", b"w", 6)))
        + b"\0\2\1\0\0\2\1\2\0", Value("stream", [(2, 2, 1, 2, 0, 0, b""), (3, 2, 1, 0, 0, 0, b"")]),
    ),
}  # fmt: skip
"""Name -> (type, the bytes of the value, what it is)."""
SINCE_7_2, SINCE_7_4 = (20, 21), (24, 25)
"""Types that Redis 7.0 does not know."""


def version_of(type_number: int) -> int:
    """The oldest version of the format, from 10 on, that has a type."""
    return 12 if type_number in SINCE_7_4 else 11 if type_number in SINCE_7_2 else 10


PAYLOADS = {name: payload(number, body, version_of(number)) for name, (number, body, _) in SAMPLES.items()}
_ODD = (0, 1, 2, 3, 4, 5, 13, 31, 32, 63, 64, 127, 128, 129, 192, 193, 195, 224, 240, 241, 244, 250, 254, 255)


def mutated(chance: Random) -> bytes:
    """A payload with one to four mistakes and a right checksum: bytes changed, added, removed, or another type."""
    found = bytearray(chance.choice(_WHOLE)[:-10])
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found)) if chance.random() < 0.5 else min(chance.randrange(24), len(found) - 1)
        match chance.randrange(8):
            case 0 | 1:
                found[at] = chance.choice(_ODD)
            case 2:
                found[at] ^= 1 << chance.randrange(8)
            case 3:
                found[at:at] = bytes(chance.choice(_ODD) for _ in range(chance.randint(1, 9)))
            case 4:
                del found[at : at + chance.randint(1, 9)]
            case 5:
                found[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x81\xff\xff\xff"))
            case 6:
                found[0] = chance.randrange(27)
            case _:
                found[at:at] = found[at : at + chance.randint(1, 40)]
        found = found or bytearray(1)
    return payload(found[0], bytes(found[1:]), chance.choice((4, 9, 10, 11, 12)))


_WHOLE = [whole for whole in PAYLOADS.values() if len(whole) < 4000] + [
    payload(number, text(build(*items)))
    for build in (ziplist, listpack)
    for number, items in ((10, (b"a", 5, b"")), (13, (b"f", b"v", b"g", 70_000)), (12, (b"m", 1, b"n", b"2.5")))
]
