"""Scripts: what they may reach, what ends them, and that their effects are one group of the log.

Their replies, byte for byte, are in `cases/scripts.txt`.
"""

import hashlib
from random import Random
from time import perf_counter
from typing import Any

import pytest

from synap.faults import Fault
from synap.store.memory import frames, layout
from tests.engine.engines import House
from tests.store.copies import fresh, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal, command
from tests.surfaces.surfaces import Surfaces

ONE = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


FILL = "for i = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], i) end"


def run(surfaces: Surfaces, script: str, *words: str, version: int = 2) -> Any:
    return surfaces.resp("EVAL", script, *(words or ("0",)), version=version)


# Surfaces.


def test_json_and_programs(surfaces: Surfaces) -> None:
    body = {"script": ONE, "keys": ["n"], "args": ["5"]}
    assert surfaces.rest("POST", "/script/eval", body)[:2] == (200, {"result": 5, "sha1": _sha(ONE)})
    assert surfaces.command("script.eval", body)["payload"]["result"] == 10
    told = surfaces.rest("POST", "/script/load", {"script": "return {1,'a',{true,false}}"})
    sha = told[1]["sha1"]
    assert surfaces.rest("POST", "/script/evalsha", {"sha1": sha})[1]["result"] == [1, "a", [True, False]]
    assert surfaces.rest("POST", "/script/exists", {"hashes": [sha, "x"]})[1] == {"exists": [True, False]}
    status, told, _ = surfaces.rest("POST", "/script/evalsha", {"sha1": "f" * 40})
    assert status == 400 and told["error"] == f"Invalid request: NOSCRIPT {'f' * 40}"
    status, told, _ = surfaces.rest("POST", "/script/eval", {"script": "error('boom')"})
    assert status == 400 and "user_script:1: boom" in told["error"]
    status, told, _ = surfaces.rest("POST", "/script/eval", {"script": "redis.call('SELECT', 3)"})
    assert status == 400 and "not allowed from script" in told["error"]
    assert surfaces.rest("POST", "/script/kill", {})[1] == {"terminated": False}
    assert surfaces.rest("POST", "/script/flush", {})[1] == {"cleared": 4}
    db = surfaces.database
    assert db.eval(ONE, ["n"], ["7"]) == 7 and db.evalsha(db.script_load(ONE), ["n"], ["1"]) == 8
    with pytest.raises(Fault, match="value is not an integer"):
        db.eval(ONE, ["n"], ["x"])


JSON = [
    ("nil", None), ("", None), ("true", True), ("false", False), ("7", 7), ("1.5", 1.5), ("-0.25", -0.25),
    ("2^53", 2**53),
    ("'text'", "text"), ("{}", []), ("{1,2,3}", [1, 2, 3]), ("{1,nil,3}", [1, None, 3]),
    ("{[3]='c'}", [None, None, "c"]),
    ("{a=1,b={c={true,1.5}}}", {"a": 1, "b": {"c": [True, 1.5]}}), ("{5,a=1}", {"a": 1}), ("{a={}}", {"a": []}),
    ("{ok='fine'}", "fine"), ("{{err='bad'},1}", [{"err": "bad"}, 1]), ("{double=0.5}", 0.5), ("{[1.5]=1}", []),
    ("{map={x=1}}", {"x": 1}), ("{set={x=true}}", ["x"]), ("{big_number='12'}", "12"),
    ("{verbatim_string={format='txt',string='abc'}}", "abc"), ("'\\255x'", "<binary data: 2 bytes>"),
    ("cjson.null", None), ("cjson.decode('{\"a\": null, \"b\": [null]}')", {"a": None, "b": [None]}),
    ("redis.call('SET', 'k', 'v')", "OK"), ("redis.call('GET', 'none')", False), ("{ARGV[1], ARGV[2]}", ["5", "x"]),
]  # fmt: skip
"""What a script returns, and what JSON has of it."""


@pytest.mark.parametrize(("returned", "wanted"), JSON)
def test_results_in_json(surfaces: Surfaces, returned: str, wanted: Any) -> None:
    body = {"script": f"return {returned}", "args": [5, "x"]}
    assert surfaces.rest("POST", "/script/eval", body)[:2] == (200, {"result": wanted, "sha1": _sha(body["script"])})
    assert surfaces.command("script.eval", body)["payload"]["result"] == wanted


@pytest.mark.parametrize("returned", ["0/0", "1/0", "-1/0", "print or tostring", "{1,{0/0}}", "{a=function() end}"])
def test_results_that_json_does_not_have(surfaces: Surfaces, returned: str) -> None:
    script = f"return {returned}".replace("print or ", "")
    status, told, _ = surfaces.rest("POST", "/script/eval", {"script": script})
    assert status == 400 and "JSON does not have" in told["error"]
    assert surfaces.rest("POST", "/script/eval", {"script": "return 1"})[1]["result"] == 1


def test_styles_over_resp(surfaces: Surfaces) -> None:
    for script, second, third in (
        ("{big_number='12345678901234567890'}", b"$20\r\n12345678901234567890\r\n", b"(12345678901234567890\r\n"),
        ("{verbatim_string={format='txt',string='ab'}}", b"$2\r\nab\r\n", b"=6\r\ntxt:ab\r\n"),
        ("{double=3.5}", b"$3\r\n3.5\r\n", b",3.5\r\n"), ("{{ok='a'},{err='B c'}}", *2 * [b"*2\r\n+a\r\n-B c\r\n"]),
    ):  # fmt: skip
        for version, wanted in ((2, second), (3, third)):
            assert surfaces.resp_bytes(command("EVAL", f"return {script}", "0"), version) == wanted


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


# One group.


LATE = "redis.call('SET','a',1) redis.call('RPUSH','l',1,2) redis.call('INCR','n') error('late')"


def marks(house: House) -> list[int]:
    """For each frame that waits to be written, 1 if the same group goes on behind it."""
    numbers, at, found = house.engine.numbers, layout.LOG, []
    for _ in range(numbers[layout.LOG_COUNT]):
        found.append(numbers[at] >> frames.FLAGS_SHIFT & frames.CONTINUED)
        at += (numbers[at] & 0xFFFFFFFF) // layout.WORD
    return found


def test_effects_are_one_group(store: type[Bench]) -> None:
    """Also of a script that ends with an error; the next command is not part of it."""
    house = House(store)
    client = house.client()
    told = client.one(["EVAL", LATE, "0"])
    assert told == Refusal(f"ERR user_script:1: late script: {_sha(LATE)}, on @user_script:1.")
    client.one("SET b 2")
    assert marks(house) == [1, 1, 0, 0] and house.engine.numbers[layout.IN_GROUP] == 0
    house.flush()
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)


@pytest.mark.parametrize("script", [LATE, "redis.call('SET','a',1) redis.call('SET','b',1)", "return 1", "syntax("])
def test_a_script_does_not_end_the_group_of_its_transaction(store: type[Bench], script: str) -> None:
    house = House(store)
    call = ["EVAL", script, "0"]
    told = house.client().ask("MULTI", call, "SET x 1", call, "SET y 1", "SET z 1", "EXEC")[-1]
    assert len(told) == 5 and told[-1] == b"OK"
    found = marks(house)
    assert len(found) >= 3 and found == [1] * (len(found) - 1) + [0]


def test_a_waiting_client_is_served_after_the_script(store: type[Bench]) -> None:
    house = House(store)
    waiter, other = house.client(), house.client()
    waiter.ask("BLPOP l 0")
    assert other.one(["EVAL", "redis.call('RPUSH','l','a') return redis.call('LLEN','l')", "0"]) == 1
    assert waiter.heard == [[b"l", b"a"]] and other.one("LLEN l") == 0


def test_scripts_within_transactions(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    script = ["EVAL", "return redis.call('INCR', KEYS[1])", "1", "n"]
    assert client.ask("MULTI", script, script, "EXEC")[-1] == [1, 2]
    client.ask("WATCH n")
    house.client().one(script)
    assert client.ask("MULTI", "SET n 9", "EXEC")[-1] is None


def test_replies_of_a_pipeline_with_scripts(store: type[Bench]) -> None:
    """A call of a script leaves alone what the lane has written, however long its reply is."""
    client = House(store).client()
    client.ask("SET a first", "SET b second", ["SET", "c", "x" * 100_000], *[["RPUSH", "l", *"abcdefgh"]] * 20)
    scripts = [
        ["EVAL", "return #redis.call('GET', 'c') + #redis.call('LRANGE', 'l', 0, -1)", "0"],
        ["EVAL", "return redis.call('GET', KEYS[1])", "1", "b"], ["EVAL", "return redis.pcall('INCR', 'c').err", "0"],
        ["EVAL", "return {redis.call('LRANGE', 'l', 0, 3), 'x', {err = 'E'}}", "0"], ["EVAL", "error('x')", "0"],
    ]  # fmt: skip
    alone = [client.one(each) for each in scripts]
    for _ in range(3):
        told = client.ask(*[each for script in scripts for each in ("GET a", script, "LLEN l", "GET b")])
        assert told == [each for reply in alone for each in (b"first", reply, 160, b"second")]


# What ends a script.


@pytest.mark.parametrize("script", [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local function f() return f() end return f()",
    "while true do xpcall(function() while true do end end, function() end) end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "while true do coroutine.wrap(function() while true do end end)() end",
    "while true do redis.call('INCR', 'n') end",
    "while true do redis.pcall('NOSUCH') end",
    "for i = 1, 1e12 do string.rep('x', 100) end",
    "pcall(pcall, pcall, function() while true do end end) while true do end",
    "setmetatable({}, {__index = function(t, k) while true do end end})[1]()",
    "xpcall(function() while true do end end, function() while true do end end)",
    "xpcall(function() error('x') end, function() while true do end end) while true do end",
    "return string.find(('a'):rep(3000), ('.-'):rep(4) .. 'b')", "return ('a'):rep(1e5):match('(a*)(a*)(a*)b')",
    "return ('a'):rep(3000):gsub('(.-)(.-)(.-)(.-)b', 'x')", "for x in ('a'):rep(1e4):gmatch('.-.-.-.-b') do end",
    "return string.find(('a'):rep(60), ('a?'):rep(60) .. ('a'):rep(60) .. 'b')",
    "return string.find(('a'):rep(2e6), ('a'):rep(1e6) .. 'b', 1, true)",
    "for x in ('^'):rep(1e5):gmatch('^.-x') do end", "local s = ('a'):rep(8000) while true do s:find('.-b') end",
    "return ('a'):rep(1e6):find('%bab')", "local s = ('x'):rep(5e6) while true do s:upper() end",
    "for x in ('a'):rep(1e4):gfind('.-.-.-.-b') do end",
    "return ('a'):rep(1e6):find('[' .. ('b'):rep(9900) .. 'a]*c')",
    "local t = {} for i = 1, 1e6 do t[i] = i end while true do table.maxn(t) end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.concat(t) end",
    "local t = {} for i = 1, 1e6 do t[i] = 0 end while true do table.insert(t, 1, 0) end",
    "local t = {1} for i = 1, 24 do t = {t, t} end return t",
    "while true do redis.call('LRANGE', 'l', 0, -1) end", "while true do redis.sha1hex('x') end",
    "local t = {} for i = 1, 100 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end",
])  # fmt: skip
def test_time_is_limited(surfaces: Surfaces, script: str) -> None:
    run(surfaces, FILL, "1", "l", "50000")
    surfaces.server.engine.scripts.time_ms_max = 50
    begun = perf_counter()
    told = run(surfaces, script)
    assert isinstance(told, Refusal) and "ran for more than 50 ms" in str(told), told
    assert perf_counter() - begun < 2
    assert run(surfaces, "return 'next'") == b"next"


@pytest.mark.parametrize("script", [
    "return string.rep('x', 1e9)",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do t = {t} end",
    "local t = {} for i = 1, 1e9 do t[i] = tostring(i) end return #t",
    "local s = string.rep('a', 1e6) local t = {} while true do t[#t + 1] = s .. #t end",
    "return cjson.encode(string.rep('x', 6e7))",
    "return {pcall(string.rep, 'x', 1e9)}",
    "return table.concat({string.rep('x', 3e7), string.rep('y', 3e7)})",
    "return ('x'):rep(1e8):upper()",
    "return string.format('%s%s', string.rep('x', 4e7), string.rep('x', 4e7))",
])  # fmt: skip
def test_memory_is_limited(surfaces: Surfaces, script: str) -> None:
    scripts = surfaces.server.engine.scripts
    told = run(surfaces, script)
    text = str(told if isinstance(told, Refusal) else told[-1])
    assert "not enough memory" in text or "string length overflow" in text or "too large" in text, told
    assert run(surfaces, "return 'next'") == b"next"
    assert scripts.memory <= scripts.memory_max


def test_the_cache_is_bounded(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    kept = client.one(["SCRIPT", "LOAD", "return 'kept'"])
    for i in range(1200):
        client.one(["EVAL", f"return {i}", "0"])
    assert len(house.engine.scripts) == 501
    assert client.one(["EVALSHA", kept, "0"]) == b"kept"


PATTERN = """
local s, p, r = ARGV[1], ARGV[2], ARGV[3]
local out = {}
local function show(...)
  local t = {}
  for i = 1, select('#', ...) do t[i] = tostring((select(i, ...))) end
  out[#out + 1] = table.concat(t, ',')
end
local function join(...)
  local t = {}
  for i = 1, select('#', ...) do t[i] = tostring((select(i, ...))) end
  return '<' .. table.concat(t, '|') .. '>'
end
local function each()
  local t = {}
  for a, b in string.gmatch(s, p) do t[#t + 1] = join(a, b) end
  return table.concat(t)
end
for _, init in ipairs({1, 3, -2, 99}) do show(pcall(string.find, s, p, init)) show(pcall(string.match, s, p, init)) end
show(pcall(string.find, s, p, 1, true)) show(pcall(each))
for _, with in ipairs({r, join, {a = 'X', b = 1, ab = false}}) do
  show(pcall(string.gsub, s, p, with)) show(pcall(string.gsub, s, p, with, 2))
end
return out
"""
"""What every function that takes a pattern says to one."""
ITEMS = (
    "a b c . %a %d %s %w %W %. [ab] [^a] [a-c] [%a_] []] [^]] [a-] %% 1 x [%d%s] %z %x %p %u %l %c [%W] %b() %bab %baa "
    "%f[%w] %f[^a] %f[%z] %1 %2 () ( ) ( ) $ ^ [ % %b [^ %f"
).split()


@pytest.mark.parametrize("call", ["FLUSHALL", "FLUSHDB"])
def test_a_script_over_json_may_not_call_what_is_switched_off(surfaces: Surfaces, call: str) -> None:
    body = {"script": f"return redis.call('{call}')"}
    scripts = surfaces.server.engine.scripts
    surfaces.resp("SET", "k", "v")
    status, told, _ = surfaces.rest("POST", "/script/eval", body)
    assert status == 400 and "not allowed from script" in told["error"] and surfaces.resp("EXISTS", "k") == 1
    scripts.switch(True)
    assert surfaces.rest("POST", "/script/eval", body)[0] == 200 and surfaces.resp("EXISTS", "k") == 0
    scripts.switch(False)
    assert surfaces.resp("EVAL", body["script"], "0") == b"OK", "over RESP it is never off"


def test_maps_in_process_have_bytes_as_names(surfaces: Surfaces) -> None:
    script = (
        "redis.call('hset', 'h', '\\255', 1, 'a', 2) redis.setresp(3) "
        "return {redis.call('hgetall', 'h'), {map = {b = 1}}}"
    )
    assert surfaces.database.eval(script) == [{b"\xff": b"1", b"a": b"2"}, {b"b": 1}]


FULL_AND_RESUMED = """
local function body(...) return 1 end
local given = {} for i = 1, 3000 do given[i] = i end
local keep
local function fill()
  for _, size in ipairs({65536, 4096, 64}) do
    local s = string.rep('x', size)
    pcall(function() local i = 0 while true do i = i + 1 keep = {keep, s .. i} end end)
  end
end
local first, second = MADE(body), MADE(body)
local function both(...) RESUME(first, ...) fill() return RESUME(second, ...) end
return both(unpack(given, 1, 3000))
"""


@pytest.mark.parametrize("how", ["wrap", "resume"])
def test_the_arguments_of_a_coroutine_may_find_no_memory(surfaces: Surfaces, how: str) -> None:
    """Lua has nothing there that could catch the error, and would end the process."""
    made, resume = ("coroutine.wrap", "(function(f, ...) return f(...) end)") if how == "wrap" else (
        "coroutine.create", "coroutine.resume"
    )  # fmt: skip
    told = run(surfaces, FULL_AND_RESUMED.replace("MADE", made).replace("RESUME", resume))
    assert told == 1 or "not enough memory" in str(told)
    assert run(surfaces, "return 1") == 1


SHRINKING_STACKS = """
local cos = {}
local function deep(n) if n > 0 then return 1 + deep(n - 1) end return 0 end
for i = 1, 80 do cos[i] = coroutine.wrap(function() while true do deep(3000) coroutine.yield() end end) end
while true do
  for i = 1, 80 do cos[i]() end
  for i = 1, 100 do local garbage = {} end
end
"""
SHRINKING_TABLES = """
local most = 2 ^ 17
while true do
  local t = {}
  for i = 1, most do t[i] = i end
  for i = 1, most / 2, 4 do t[i] = nil end
  for i = most / 2 + 1, most do if i % 5 ~= 0 then t[i] = nil end end
  for k = 1, 8000 do t[-k] = 1 end
end
"""


@pytest.mark.parametrize("script", [SHRINKING_STACKS, SHRINKING_TABLES], ids=["stacks", "tables"])
def test_blocks_shrink_also_when_the_time_is_over(surfaces: Surfaces, script: str) -> None:
    scripts = surfaces.server.engine.scripts
    run(surfaces, "return 1")
    scripts.opened().collect()
    before = scripts.memory
    for ms in range(20, 80, 2):
        scripts.time_ms_max = ms
        assert isinstance(run(surfaces, script), Refusal)  # its time is over, or it has no memory
    scripts.opened().collect()
    assert scripts.memory < before + (64 << 10)


def test_an_error_in_the_handling_of_an_error_needs_no_memory(surfaces: Surfaces) -> None:
    script = """
    local function over() return 1 + over() end
    local function deep(n)
      if n > 0 then return 1 + deep(n - 1) end
      pcall(over) pcall(over)
      for i = 1, 100000 do local garbage = {} end
      redis.log(redis.LOG_DEBUG, 'full')
      return 1 + over()
    end
    return tostring(select(2, coroutine.resume(coroutine.create(function() pcall(over) return deep(19995) end))))
    """
    scripts, numbers = surfaces.server.engine.scripts, surfaces.server.engine.numbers

    def fill(name: bytes, given: list[Any]) -> None:
        numbers[layout.LUA_MEMORY_MAX] = numbers[layout.LUA_MEMORY]

    state, most = scripts.opened(), scripts.memory_max
    state._serve = fill
    told = run(surfaces, script)
    assert told in (b"not enough memory", b"error in error handling") or "not enough memory" in str(told)
    scripts.memory_max = most
    assert run(surfaces, "return 1") == 1


@pytest.mark.parametrize("call", ["coroutine.wrap(f)(d - 1)", "coroutine.resume(coroutine.create(f), d - 1)"])
def test_many_short_coroutines_end(surfaces: Surfaces, call: str) -> None:
    """Each has fewer instructions than the hook waits for."""
    surfaces.server.engine.scripts.time_ms_max = 200
    script = f"local function f(d) if d > 0 then for i = 1, 50 do {call} end end end f(12)"
    assert "was ended" in str(run(surfaces, script))


def test_no_bytes_behind_a_text_are_read(surfaces: Surfaces) -> None:
    for kind in "dfi":
        script = f"return {{struct.unpack('dc0{kind}', struct.pack('d', 0 / 0))}}"
        assert "data string too short" in str(run(surfaces, script))


def drawn_pattern(chance: Random) -> str:
    return "^" * (chance.random() < 0.2) + "".join(
        chance.choice(ITEMS) + chance.choice(("", "", "*", "+", "-", "?")) for _ in range(chance.randrange(6))
    )


@pytest.mark.parametrize("seed", range(4))
def test_patterns_that_could_take_long_match_alike(surfaces: Surfaces, seed: int) -> None:
    """The two matchers, Lua's own and the one that can be interrupted, say the same to any pattern."""
    chance, numbers = Random(seed), surfaces.server.engine.numbers
    run(surfaces, "return 1")
    most = numbers[layout.LUA_COST_MAX]
    matched = 0
    for _ in range(1500):
        text = "".join(chance.choice("aabbc1 x.()[]_\0") for _ in range(chance.randrange(13)))
        words = text, drawn_pattern(chance), chance.choice(("<%0>", "%1", "%1%2", "", "z", "%%", "%", "%9"))
        told = []
        for numbers[layout.LUA_COST_MAX] in (most, -100):
            told.append(run(surfaces, PATTERN, "0", *words))
        assert told[0] == told[1], words
        matched += sum(each.startswith(b"true,1,") for each in told[0])
    assert matched > 300


def test_long_patterns(surfaces: Surfaces) -> None:
    """Neither the stack of the process nor that of the matcher ends."""
    for pattern, wanted in (("('a*'):rep(4000)", [1, 10]), ("('a*'):rep(400000)", None), ("('a?'):rep(400000)", None),
                            ("('('):rep(40)", None), ("('('):rep(30) .. ('a*'):rep(50)", None)):  # fmt: skip
        told = run(surfaces, f"return {{pcall(string.find, ('a'):rep(10), {pattern})}}")
        assert told[1:] == wanted if wanted else isinstance(told[0], int | None), told


@pytest.mark.parametrize("script", [
    "return #string.rep('', '2147483647')", "return #cjson.decode('[' .. ('1'):rep(40000) .. ']') - 1",
    "return pcall(table.insert, {1}, -2147483647, 1) and 1 or 0",
    "local g = ('a'):rep(10):gfind(('a*'):rep(4000)) return #g() - 10",
    "local t = {} for i = 1, 20000 do t[i] = i % 2 == 0 and i or 40000 - i end table.sort(t) return t[1] - 2",
])  # fmt: skip
def test_what_took_long_is_quick(surfaces: Surfaces, script: str) -> None:
    begun = perf_counter()
    assert run(surfaces, script) == 0
    assert perf_counter() - begun < 2


def test_replies_that_lua_keeps_count_as_its_memory(surfaces: Surfaces) -> None:
    run(surfaces, "redis.call('SET', 'k', ('x'):rep(8000000))")
    keep = "local t = {} for i = 1, 300 do t[i] = redis.call('GETRANGE', 'k', i, -1) end return #t"
    assert "not enough memory" in str(run(surfaces, keep))
    drop = "local n for i = 1, 30 do n = #redis.call('GETRANGE', 'k', i, -1) end return n"
    assert run(surfaces, drop) == 7_999_970


def test_a_level_that_is_no_number(surfaces: Surfaces) -> None:
    assert "Invalid debug level" in str(run(surfaces, "redis.log(0/0, 'x')"))
    assert "Invalid debug level" in str(run(surfaces, "redis.log(1/0, 'x')"))


def test_the_collector_goes_on(surfaces: Surfaces) -> None:
    told = run(surfaces, "return {pcall(loadstring, 'x', {})}")
    assert told == [None, b"bad argument #2 to '?' (string expected, got table)"]
    loop = "local n = 0 for i = 1, 1500000 do local t = {i, i, i, i} n = n + 1 end return n"
    assert run(surfaces, loop) == 1_500_000


@pytest.mark.parametrize("script", ["error('\\255')", "return {err = '\\255'}", "error({err = 'A \\255 b'})"])
def test_errors_that_are_no_text_over_http(surfaces: Surfaces, script: str) -> None:
    body = {"script": script}
    for told in (surfaces.rest("POST", "/script/eval", body)[1], surfaces.command("script.eval", body)):
        assert "\ufffd" in told["error"]


# No way out.

ESCAPES_MORE = [
    "return getmetatable(coroutine.create(function() end))", "return getmetatable(cjson.null)",
    "return getmetatable(nil)", "return getmetatable(1)", "return getmetatable(getmetatable(''))",
    "return getmetatable(getmetatable('').__index)", "return rawget(getmetatable(''), '__index')",
    "for k in next, _G do if k == 'getfenv' or k == 'setfenv' or k == 'newproxy' then return k end end",
    "local f, t, k = pairs(_G) return getmetatable(t)", "local f, t, k = pairs(redis) return rawget(t, 'call')",
    "return unpack(_G)",
    "local n = 0 return load(function() n = n + 1 return n == 1 and '\\27' or n == 2 and 'Lua' or nil end)",
    "return loadstring('\\27LuaQ\\0\\1\\4\\8\\4\\8\\0')", "return loadstring('\\239\\187\\191\\27Lua')",
    "local t = setmetatable({}, {__index = rawget}) return t.x", "return os.time", "return _G", "return redis",
    "return loadstring('return [' .. ('='):rep(100000) .. '[')", "return loadstring(('('):rep(1000))",
    "return loadstring('return ' .. ('{'):rep(1000) .. ('}'):rep(1000))",
    "return loadstring('local ' .. ('a,'):rep(300) .. 'a')", "return loadstring('return ' .. ('a..'):rep(300) .. 'a')",
    "getmetatable('').__index.x = 1", "getmetatable('').__metatable = 1",
    "rawset(getmetatable('').__index, 'x', 1)", "return setmetatable('', {})", "return setmetatable(1, {})",
    "return setmetatable(cjson.null, {})", "return setmetatable(redis.call, {})",
    "return setmetatable(setmetatable({}, {__metatable = 1}), {})", "return rawset('', 'x', 1)",
    "local f, t = ipairs(redis) t[1] = 1", "loadstring('x = 1', '=x')()", "loadstring('_G = 1')()",
    "local t = setmetatable({}, {__newindex = _G}) t.x = 1",
    "local t = setmetatable({}, {__newindex = redis}) t.call = 1",
    "local t = setmetatable({}, {__newindex = string}) t.rep = 1", "redis.setresp = nil", "redis._G = 1",
    "return loadstring('return debug')()", "return loadstring('return io', '@synap')()",
    "return loadstring('return getfenv')()", "return loadstring('return ...')(debug)",
    "return coroutine.wrap(function() return _G.debug end)()", "return xpcall(error, debug)",
    "return setmetatable({}, {__index = _G}).debug", "return select(-1, debug)", "return os.getenv('PATH')",
    "return redis.register_function('x', function() end)", "return coroutine.wrap(loadstring)('return debug')()",
    "return {unpack({}, -2147483648, 2147483647)}", "return unpack({}, 1, 1e8)", "return string.format('%p', redis)",
    "return string.format('%n', 1)", "return string.format('%1000d', 1)", "return string.format('%.1000f', 1)",
    "return cjson.decode('[' .. ('['):rep(1100))", "return cjson.new()",
    "return cmsgpack.unpack('\\219\\255\\255\\255\\255')", "return cmsgpack.unpack('\\222\\255\\255')",
    "return struct.unpack('c2147483647', 'x')", "return struct.pack('!2147483648i', 1)",
    "return struct.unpack('>I99999999999999999999', 'x')", "return [==========[",
    "return redis.call('CONFIG', 'SET', 'dir', '/tmp')", "return redis.call('DEBUG', 'SEGFAULT')",
    "return redis.call('MODULE', 'LOAD', 'x')", "return redis.call('FUNCTION', 'FLUSH')",
    "return redis.call('SHUTDOWN', 'NOSAVE')", "return redis.call('REPLICAOF', 'a', '1')",
    "return redis.call('CLIENT', 'KILL', 'TYPE', 'normal')", "return redis.call('function.store', 'a', 'b')",
    "error(_G)", "error(redis)", "error(setmetatable({}, {__index = {err = 'x'}}))",
    "return table.sort({3, 2, 1}, coroutine.yield)", "return load(coroutine.yield)", "return load(redis.call)",
    "local t = setmetatable({}, {__index = redis.call}) return t.PING",
]  # fmt: skip
"""More of the same, also after the faults that others had: each answers nil, nothing, or an error."""


@pytest.mark.parametrize("script", ESCAPES_MORE)
def test_there_is_no_other_way_out(surfaces: Surfaces, script: str) -> None:
    told = run(surfaces, script)
    assert told in (None, []) or isinstance(told, Refusal), told
    assert run(surfaces, "return redis.call('PING')") == b"PONG"


ESCAPES = [
    "return loadstring('\\27Lua')", "return loadstring(string.char(27) .. 'LuaQ')()", "return string.dump",
    "local n = 0 return load(function() n = n + 1 return n == 1 and '\\27Lua' or nil end)", "return io",
    "return io.open('/etc/passwd')", "return os.execute", "return os.getenv", "return os.exit", "return os.remove",
    "return os.rename", "return os.tmpname", "return debug", "return debug.getregistry()", "return debug.getinfo(1)",
    "return debug.setmetatable", "return package", "return package.loadlib", "return require", "return require('os')",
    "return module", "return dofile('/etc/passwd')", "return loadfile('/etc/passwd')", "return newproxy(true)",
    "return getfenv", "return getfenv(0)", "return setfenv", "return setfenv(1, {})", "return print", "return _G.io",
    "return _G.debug", "return rawget(_G, 'io')", "return rawget(_G, 'debug')", "return rawget(_G, 'package')",
    "return getmetatable(_G)", "return getmetatable(_G).__index", "return getmetatable(redis)",
    "return getmetatable('').__index.dump",
    "for k, v in pairs(_G) do if k == 'debug' or k == 'io' or k == 'package' then return k end end",
    "return coroutine.wrap(function() return debug end)()", "return (function() return python end)()",
    "return python", "return _G.python", "return string.gsub('x', 'x', debug)", "return table.foreach(_G, print)",
]  # fmt: skip
"""Scripts that look for a way out; each answers nil, or that there is no such thing."""
CHANGES = [
    "x = 1", "_G.x = 1", "rawset(_G, 'x', 1)", "setmetatable(_G, {})", "_G._G = {}", "redis.call = nil", "redis.x = 1",
    "rawset(redis, 'call', nil)", "setmetatable(redis, {})", "string.rep = nil", "rawset(string, 'rep', nil)",
    "setmetatable(string, {})", "table.insert(string, 1)", "table.insert(_G, 1)",
    "table.insert(cjson, 1)", "math.random = nil", "rawset(math, 'pi', 3)", "cjson.encode = nil",
    "rawset(cjson, 'encode', nil)", "cmsgpack.pack = nil", "struct.pack = nil", "bit.band = nil", "os.clock = nil",
    "coroutine.resume = nil", "rawset(coroutine, 'resume', nil)", "getmetatable('').__index = nil",
    "getmetatable('').__add = function() end", "rawset(getmetatable(''), '__index', nil)",
    "setmetatable(getmetatable(''), {})", "for k in pairs(redis) do redis[k] = nil end", "pcall = nil", "error = nil",
    "_VERSION = 'x'", "KEYS = nil", "ARGV = nil", "function redis.call() end", "function pcall() end",
    "local r = redis r.call = 1", "(function() y = 1 end)()", "loadstring('z = 1')()",
    "coroutine.wrap(function() z = 1 end)()", "table.foreach({1}, function() z = 1 end)",
    "string.gsub('a', 'a', function() z = 1 end)", "table.sort({2, 1}, function() z = 1 end)",
    "setmetatable({}, {__index = function() z = 1 end}).a()", "pcall(rawset, _G, 'w', 1) return w",
    "pcall(table.insert, redis, 1) return redis[1].x", "xpcall(function() v = 1 end, function() end) return v",
    "local _, t = pairs(redis) t.x = 1", "local _, t = pairs(_G) t.x = function() end",
    "local f, t = pairs(string) f(t) t.rep = nil", "getmetatable(setmetatable({}, redis)).x = 1",
    "getmetatable(setmetatable({}, _G)).x = 1", "rawset(getmetatable(setmetatable({}, cjson)), 'x', 1)",
]  # fmt: skip
"""Scripts that would change what later scripts meet; each is refused, and nothing has changed."""
WHOLE = (
    "local seen = {} for _, t in ipairs({_G, redis, string, table, math, cjson, cmsgpack, struct, bit, coroutine, os}) "
    "do local names = {} for k, v in pairs(t) do "
    "if k ~= 'KEYS' and k ~= 'ARGV' then names[#names + 1] = tostring(k) .. tostring(v) end end table.sort(names) "
    "seen[#seen + 1] = table.concat(names, ' ') end return table.concat(seen, '|') .. #redis .. #string .. ('x'):rep(2)"
)


@pytest.mark.parametrize("script", ESCAPES)
def test_there_is_no_way_out(surfaces: Surfaces, script: str) -> None:
    told = run(surfaces, script)
    refused = ("nonexistent global", "a nil value", "attempt to load bytecode", "attempt to index", "bad argument")
    assert told in (None, []) or (isinstance(told, Refusal) and any(part in str(told) for part in refused)), told


@pytest.mark.parametrize("script", ["table.remove(redis)", "table.sort(string)", "table.remove(getmetatable(''), 1)"])
def test_what_would_change_nothing_is_not_refused(surfaces: Surfaces, script: str) -> None:
    before = run(surfaces, WHOLE)
    assert run(surfaces, script) is None and run(surfaces, WHOLE) == before


@pytest.mark.parametrize("script", CHANGES)
def test_no_script_changes_what_another_meets(surfaces: Surfaces, script: str) -> None:
    before = run(surfaces, WHOLE)
    told = run(surfaces, script)
    assert isinstance(told, Refusal), told
    assert run(surfaces, WHOLE) == before and b"callfunction: " in before and before.endswith(b"00xx")


def test_every_function_of_the_world_is_known(surfaces: Surfaces) -> None:
    """What scripts reach, name by name: an addition is a decision."""
    every = "local r = {} for k in pairs(_G) do r[#r + 1] = k end table.sort(r) return table.concat(r, ' ')"
    assert run(surfaces, every).decode().split() == (
        "ARGV KEYS _G _VERSION assert bit cjson cmsgpack collectgarbage coroutine error gcinfo getmetatable ipairs "
        "load loadstring math next os pairs pcall rawequal rawget rawset redis select setmetatable string struct "
        "table tonumber tostring type unpack xpcall"
    ).split()


# Guards.


def test_calls_that_need_python(surfaces: Surfaces) -> None:
    """While changes of keys are told, each write of a script takes the way through Python; so do handlers."""
    assert surfaces.resp("CONFIG", "SET", "notify-keyspace-events", "KEA") == b"OK"
    assert run(surfaces, "redis.call('SET', 'k', 'v') return redis.call('INCR', 'n')") == 1
    assert isinstance(run(surfaces, "return redis.call('INCR', 'k')"), Refusal)
    assert run(surfaces, "return redis.pcall('INCR', 'k')") == Refusal("ERR value is not an integer or out of range")
    assert "not an integer" in str(run(surfaces, "return redis.call('SET', 'k', 'v', 'EX', 'x')"))
    for number in ("2 ^ 53", "1700000000123456", "1 / 3", "-0.5", "1e300"):
        run(surfaces, f"redis.call('SET', 'k', {number})")
        assert surfaces.resp("GET", "k") == run(surfaces, f"return redis.call('ECHO', {number})")
        surfaces.resp("CONFIG", "SET", "notify-keyspace-events", "")
        run(surfaces, f"redis.call('SET', 'other', {number})")
        surfaces.resp("CONFIG", "SET", "notify-keyspace-events", "KEA")
        assert surfaces.resp("GET", "other") == surfaces.resp("GET", "k")
    assert run(surfaces, "return redis.call('PING')") == b"PONG"
    assert run(surfaces, "return redis.call('ECHO', 'x')") == b"x"
    assert run(surfaces, "redis.call('SELECT', 3) return redis.call('SET', 'only', 'three')") == b"OK"
    assert surfaces.resp("GET", "only") is None
    surfaces.resp("SELECT", "3")
    assert surfaces.resp("GET", "only") == b"three"
    assert run(surfaces, "return redis.call('QUEUE.CREATE', 'q', 10, 1000, 3, 5)") == 1
    assert run(surfaces, "return #redis.call('QUEUE.PUBLISH', 'q', 'x')") == 36


# Scripts that must not harm the process.


@pytest.mark.parametrize("bounds", [
    "-2, 2147483647", "0, 2147483647", "-2147483648, 2147483647", "-1, 2147483646", "1, 1e300", "-1e300, 1e300",
    "2147483647, 2147483647", "1, 8000", "0 / 0, 5", "-5, -1 / 0",
])  # fmt: skip
def test_results_of_unpack_are_counted(surfaces: Surfaces, bounds: str) -> None:
    told = run(surfaces, f"return {{unpack({{1, 2, 3}}, {bounds})}}")
    assert told == [] or "too many results to unpack" in str(told), told
    assert run(surfaces, "return {unpack({1, 2, 3}, 2)}") == [2, 3] and surfaces.resp("PING") == b"PONG"


def test_a_cache_of_large_scripts_leaves_memory(store: type[Bench]) -> None:
    house = House(store)
    client, scripts = house.client(), house.engine.scripts
    scripts.memory_max = 4 << 20
    for i in range(1500):
        assert client.one(["EVAL", f"local s = '{'x' * 10_000}{i}' return #s > 0", "0"]) == 1
        assert client.one(["EVAL", f"return {i}", "0"]) == i and scripts.memory < scripts.memory_max
    told = [client.one(["SCRIPT", "LOAD", f"return '{'x' * 100_000}{i}'"]) for i in range(60)]
    assert isinstance(told[0], bytes) and isinstance(told[-1], Refusal) and scripts.memory < scripts.memory_max
    assert client.one(["EVAL", "return 'next'", "0"]) == b"next"
    assert client.ask("SCRIPT FLUSH", ["EVAL", "return 'next'", "0"]) == [b"OK", b"next"]


def test_nothing_goes_on_after_a_failure_in_python(surfaces: Surfaces, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = surfaces.server.engine.scripts
    run(surfaces, "return 1")

    def fails(count: int) -> bytes:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(scripts._state, "_carry_out", fails)
    told = run(surfaces, "pcall(redis.call, 'PING') redis.call('SET', 'after', '1') return 1")
    assert "internal error" in str(told).lower() and surfaces.resp("GET", "after") is None


@pytest.mark.parametrize("script", [
    "return {map = {[{map = {a = 1}}] = 2}}", "return {map = {[{{1}}] = 2}}", "return {set = {[{{1}}] = true}}",
    "return {ok = '\\255x'}", "return redis.call('ECHO', '\\255x')", "return {err = '\\255x'}",
])  # fmt: skip
def test_replies_of_any_shape(surfaces: Surfaces, script: str) -> None:
    assert "internal error" not in str(run(surfaces, script)).lower()


def test_a_call_with_many_words_and_a_long_reply(surfaces: Surfaces) -> None:
    many = "local w = {} for i = 1, 7850 do w[i] = 'k' end "
    assert run(surfaces, many + "return #redis.call('MGET', unpack(w))") == 7850


def test_calls_about_the_connection_are_not_allowed(surfaces: Surfaces) -> None:
    for words in ("'CLIENT', 'TRACKING', 'ON'", "'CLIENT', 'CACHING', 'YES'", "'CLIENT', 'REPLY', 'OFF'"):
        assert "not allowed from script" in str(run(surfaces, f"return redis.call({words})"))


def test_pages_of_a_large_reply_are_given_back(surfaces: Surfaces) -> None:
    run(surfaces, FILL, "1", "l", "400000")
    assert run(surfaces, "local n = #redis.call('LRANGE', 'l', 0, -1) redis.call('GET', 'k') return n") == 400_000
    words = surfaces.server.engine.words
    assert not words[layout.REPLY + 700_000 : layout.REPLY + 790_000].any()
