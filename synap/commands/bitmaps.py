"""Command rows of bitmaps: strings, read and changed by the bit. Bit 0 is the highest bit of the first byte."""

from synap.arguments import WRITE, Choice, Int, Key, Many, Optional, Raw
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import Method
from synap.reply import INTEGER, Array, As, or_nil
from synap.routes import Get, Post
from synap.traits import GROWS, WRITES

_KEY = Key("key", "bitmap")
_CHANGED = Key("key", "bitmap", WRITE)
_OFFSET = Int("offset", fault="BAD_BIT_OFFSET", least=0)
_UNIT = Optional(Choice("unit", ("BYTE", "BIT")))
_STEPS = Many("operations", Raw("word"), least=0, objects="bitfield")
_RESULTS = {"key": "$key", "results": "$items"}
_GIVEN = "Operations are given as the words of Redis, or as objects (dictionaries), one for each operation."

ROWS = [
    Command(
        "bitmap.setbit", 0x0A01, "Set or clear a bit of a string, extending it with zeros, and return the old bit.",
        args=(_CHANGED, _OFFSET, Int("value", fault="BAD_BIT", least=0, most=1)), resp="SETBIT", reply=INTEGER,
        run="bitmaps.set_bit", traits=WRITES | GROWS, needs_words=80,
        http=(Post("/bitmap/{key}/setbit"),), links=("bitmap", "key"),
        json={"key": "$key", "offset": As("offset", INTEGER), "old_value": "$reply"},
        examples=(Example("SETBIT b 7 1", 0), Example("SETBIT b 7 0", 1), Example("STRLEN b", 1)),
    ),
    Command(
        "bitmap.getbit", 0x0A02, "Return a bit of a string, 0 behind its end.",
        args=(_KEY, _OFFSET), resp="GETBIT", reply=INTEGER, run="bitmaps.get_bit",
        http=(Get("/bitmap/{key}/getbit/{offset}"),),
        json={"key": "$key", "offset": As("offset", INTEGER), "value": "$reply"},
        examples=(Example("SETBIT b 7 1", 0), Example("GETBIT b 7", 1), Example("GETBIT b 100", 0)),
    ),
    Command(
        "bitmap.bitcount", 0x0A03,
        "Return how many bits of a string are set, in all of it or from byte `start` to `end` (bits with BIT).",
        args=(_KEY, Optional(Int("start", default=0), Int("end", default=-1), _UNIT)), stray="SYNTAX",
        resp="BITCOUNT", reply=INTEGER, run="bitmaps.count", http=(Get("/bitmap/{key}/bitcount"),),
        json={"key": "$key", "count": "$reply"},
        examples=(
            Example("SET b foobar", "OK"), Example("BITCOUNT b", 26), Example("BITCOUNT b 0 0", 4),
            Example("BITCOUNT b 5 30 BIT", 17),
        ),
    ),
    Command(
        "bitmap.bitpos", 0x0A04,
        "Return the position of the first bit that is 1 or 0, or -1, in a string or a part of it (as of BITCOUNT).",
        args=(
            _KEY, Int("value", least=0, most=1),
            Optional(Int("start", default=0), Optional(Int("end", default=-1), _UNIT)),
        ),
        stray="SYNTAX", resp="BITPOS", reply=INTEGER, run="bitmaps.position", http=(Get("/bitmap/{key}/bitpos"),),
        json={"key": "$key", "position": "$ttl"},
        examples=(
            Example("SETBIT b 12 1", 0), Example("BITPOS b 1", 12), Example("BITPOS b 1 0 7 BIT", -1),
            Example("BITPOS b 0 1", 8),
        ),
        python=Method(note="Without `end`, zeros follow the string: a bit that is 0 is always found."),
    ),
    Command(
        "bitmap.bitop", 0x0A05,
        "Combine strings bit by bit (AND, OR, XOR, or NOT of one), store the result and return its length in bytes.",
        args=(
            Choice("operation", ("AND", "OR", "XOR", "NOT")), Key("destination", "bitmap", WRITE),
            Many("source_keys", Key("source_key", "bitmap"), fault="WRONG_ARITY"),
        ),
        resp="BITOP", reply=INTEGER, run="bitmaps.combine", traits=WRITES | GROWS, needs_words=80,
        http=(Post("/bitmap/{destination}/bitop"),), json={"destination": "$destination", "length": "$reply"},
        examples=(
            Example("SET a foobar", "OK"), Example("SET b abcdef", "OK"), Example("BITOP AND c a b", 6),
            Example("GET c", "`bc`ab"),
        ),
        python=Method(note="Shorter strings count as if zeros followed them."),
        event=Event("set", How.STORED, misses=True),
    ),
    Command(
        "bitmap.bitfield", 0x0A06,
        "Read and change integers of 1 to 64 bits within a string, and return one number for each operation.",
        args=(_CHANGED, _STEPS), resp="BITFIELD", reply=Array(or_nil(INTEGER)), run="bitfields.change",
        traits=WRITES | GROWS, needs_words=80, json=_RESULTS,
        http=(Post("/bitmap/{key}/bitfield", whole="operations"),),
        examples=(
            Example("BITFIELD f SET u8 #1 255 GET u4 8", [0, 15]),
            Example("BITFIELD f OVERFLOW FAIL INCRBY u8 #1 1 OVERFLOW SAT INCRBY i8 #1 -128", [None, -128]),
        ),
        python=Method(note=_GIVEN),
        event=Event("setbit"),
    ),
    Command(
        "bitmap.bitfield_ro", 0x0A07, "Return integers of 1 to 64 bits within a string (GET), as BITFIELD does.",
        args=(_KEY, _STEPS), resp="BITFIELD_RO", reply=Array(or_nil(INTEGER)), run="bitfields.read",
        http=(Post("/bitmap/{key}/bitfield_ro", whole="operations"),), json=_RESULTS,
        examples=(Example("SET f a", "OK"), Example("BITFIELD_RO f GET u8 0 GET i4 #0", [97, 6])),
        python=Method(note=_GIVEN),
    ),
]  # fmt: skip
