"""Scripts drawn by chance, and mistakes in them: the process lives, and each script ends in time.

    python -m tests.campaign.scripts --count 1000000
    SYNAP_JIT_CHECKED=1 python -m tests.campaign.scripts --count 100000       # kernels with bounds checks

Half of the texts are those of tests/surfaces/draws/scripts.py, which are compared with Redis there; in the others some
pieces are dropped, repeated, moved or replaced by pieces that ask for much. A script may take TIME_MS and MEMORY. After
every ROUND scripts the libraries must be what they were.
"""

import argparse
import re
import time
from collections import Counter
from random import Random

from tests.conftest import prepare
from tests.support import Refusal
from tests.surfaces.draws.scripts import CALLS, PLAIN, Text
from tests.surfaces.surfaces import Surfaces

TIME_MS, MEMORY, ROUND = 20, 8 << 20, 1000
LONGEST_S = 1.0
PIECE = re.compile(r"'[^']*'|[\w.]+|\s+|.", re.DOTALL)
PIECES = [
    *PLAIN, "while true do", "repeat until false", "end", "function()", "return", "(", ")", "{", "}", ",", "=", "..",
    "#", "string.rep('x', 1e9)", "('ab'):rep(3e6)", "string.rep('', 2^53)", "string.format('%99d', 1)",
    "unpack({}, 1, 7900)", "coroutine.wrap(function() return pcall(coroutine.yield, 1) end)", "coroutine.create",
    "coroutine.resume", "getmetatable('')", "setmetatable({}, {__index = function(t, k) return t[k] end})",
    "setmetatable(t, {__gc = t})", "loadstring('return ' .. ('('):rep(300) .. '1')", "load(function() return ' ' end)",
    "xpcall(error, error)", "pcall(pcall)", "t[t]", "t[#t + 1] = t", "table.concat(t, ('x'):rep(1e5), 1, 2)",
    "table.sort(t, function() return 1 end)", "collectgarbage('count')", "newproxy", "debug", "string.dump", "_G",
    "redis", "KEYS", "ARGV", "rawset", "0/0", "1e308", "('a'):find(('a?'):rep(40) .. ('a'):rep(40))",
    "('a'):rep(2000):find('.-.-.-.-b')", "('x'):gsub('.', '%0%0')", "\0", "cjson.encode(t)",
    "cjson.decode(('['):rep(2000))", "cmsgpack.pack(t)", "cmsgpack.unpack('\\221\\255\\255\\255\\255')",
    "struct.pack('c99999999', 'x')", "struct.unpack('!8 i16', ('x'):rep(99))", "bit.tohex(1, -2^31)",
    "math.random(2^31)", "redis.call('EVAL', 'return 1', 0)", "redis.call('LRANGE', KEYS[1], 0, -1)",
    "for i = 1, 1e9 do", "\\", "[[", "--",
]  # fmt: skip
WORLD = """
local seen = {}
for _, t in ipairs({_G, redis, string, table, math, cjson, cmsgpack, struct, bit, coroutine, os}) do
  for k, v in pairs(t) do
    if k ~= 'KEYS' and k ~= 'ARGV' then seen[#seen + 1] = tostring(k) .. tostring(v) end
  end
end
table.sort(seen)
return redis.sha1hex(table.concat(seen, ' '))
"""


def text(chance: Random) -> str:
    """A script."""
    whole = str(Text(chance))
    if chance.random() < 0.5:
        return whole
    pieces = PIECE.findall(whole)
    for _ in range(chance.randrange(1, 4)):
        at, size = chance.randrange(len(pieces)), chance.randrange(4)
        match chance.randrange(4):
            case 0:
                del pieces[at : at + size]
            case 1:
                pieces[at:at] = pieces[at : at + size] * chance.choice((1, 1, 100))
            case 2:
                pieces[at:at] = [" ", chance.choice(PIECES), " "]
            case 3:
                pieces[at : at + size] = [" ", chance.choice((*PIECES, *CALLS)), " "]
        pieces = pieces or [" "]
    return "".join(pieces)


def run(count: int, seed: int) -> dict[str, int]:
    """Run `count` scripts; return how many ended how. Raises AssertionError, with the script, if one did harm."""
    chance, ended = Random(seed), Counter[str]()
    surfaces = Surfaces()
    scripts = surfaces.server.engine.scripts
    scripts.time_ms_max, scripts.memory_max = TIME_MS, MEMORY
    world = surfaces.resp("EVAL", WORLD, "0")
    for number in range(count):
        script = text(chance)
        begun = time.monotonic()
        told = surfaces.resp("EVAL", script, "2", "a", "b", "1", chance.choice(("x", "7", "")))
        took = time.monotonic() - begun
        assert took < LONGEST_S, f"{took:.1f} s: {script}"
        assert scripts.memory < 2 * MEMORY, f"{scripts.memory} bytes: {script}"
        ended[_outcome(told)] += 1
        if number % ROUND == ROUND - 1:
            told = surfaces.resp("EVAL", WORLD, "0")
            assert told == world, f"{told!r} instead of {world!r} behind {script}"
            surfaces.resp("FLUSHALL")
    return dict(ended)


def _outcome(told: object) -> str:
    if not isinstance(told, Refusal):
        return "returned"
    kinds = ("was ended", "not enough memory", "compiling")
    return next((kind for kind in kinds if kind in str(told)), "error")


def main() -> None:
    """Print how many scripts ended how."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    prepare()
    print(run(given.count, given.seed))


if __name__ == "__main__":
    main()
