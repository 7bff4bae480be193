"""Scripts in Lua: expressions, libraries, errors, and calls of commands whose replies have an order.

Left out is what depends on addresses or on the order of a table (`tostring` of a table, `pairs`, maps in `cjson`), and
what Redis 7.0 does not survive: `string.rep` with a huge number, `error` of a table without `err`. No table has itself
as a member.
"""

from random import Random

from tests.surfaces.draws import KEYS, NUMBERS, VALUES

NAMES = "EVAL EVAL EVAL EVAL EVAL EVAL EVAL_RO EVAL SCRIPT".split()
BESIDE = "SET RPUSH HSET ZADD DEL".split()
COUNTED = ()
SORTED = ()
PLAIN = ["nil", "true", "false", "0", "1", "-1", "2", "7", "0.5", "-1.5", "1e15", "2^53", "1e300", "''", "'a'", "'abc'",
         "'10'", "' 7 '", "'0x10'", "'x y'", "'\\0\\255'", "KEYS[1]", "KEYS[2]", "ARGV[1]", "ARGV[2]", "#KEYS", "#ARGV",
         "a", "b", "{1, b}", "t[1]", "t[2]", "#t"]  # fmt: skip
WORDS = [each for each in PLAIN[3:26] if each != "1e300"]  # Redis 7.0 writes more digits than needed
BINARY = ["+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", "and", "or"]
FUNCTIONS = {
    "tonumber": 1, "tonumber ": 2, "show": 1, "type": 1, "select": 2, "unpack": 1, "string.sub": 3,
    "string.byte": 2, "string.char": 2, "string.len": 1, "string.upper": 1, "string.reverse": 1, "string.find": 3,
    "string.match": 2, "string.gsub": 3, "string.format": 2, "table.concat": 2, "table.remove": 1, "math.floor": 1,
    "math.max": 2, "math.fmod": 2, "math.abs": 1, "bit.band": 2, "bit.bor": 2, "bit.lshift": 2, "bit.tohex": 2,
    "bit.bswap": 1, "bit.bxor": 3, "bit.rol": 2, "bit.tobit": 1, "bit.arshift": 2, "math.random": 2, "math.sqrt": 1,
    "math.ceil": 1, "math.modf": 1, "math.pow": 2, "table.maxn": 1, "table.getn": 1, "rawget": 2,
    "setmetatable": 2, "getmetatable": 1, "string.lower": 1, "xpcall": 2, "ipairs": 1, "cjson.encode": 1,
    "redis.sha1hex": 1, "redis.error_reply": 1,
    "redis.status_reply": 1, "rawequal": 2, "pcall": 2, "assert": 2, "redis.setresp": 1,
}  # fmt: skip
RAISED = ["nil", "'a'", "7", "{err = 'bad'}", "{err = 'My bad'}", "redis.pcall('GET')"]
TIMES = ["0", "1", "3", "-1", "'2'"]
FORMATS = ["'b'", "'>i2b'", "'<I3h'", "'!4bi'", "'!8 b d f'", "'s'", "'bc0'", "'c3'", "'sc2s'", "'lL'", "'x T'",
           "'z'", "'#'", "'!3'", "'i33'", "'i'", "'>d'", "''", "'b\\0h'"]  # fmt: skip
PACKED = ["'\\1\\2\\255\\254abc\\0de\\0fghijklmnop'", "'\\0'", "'abc\\0d'", "ARGV[1]", "''"]
JSON = ["'[1,2.5,\"a\",null,true]'", "'{\"a\":{\"b\":[]}}'", "'[[]]'", "'{}'", "'[1,'", "'[1 2]'", "'{\"a\"}'",
        "'tru'", "'nul'", "'\"\\\\u00e9\\\\ud83d\\\\ude00\"'", "'\"\\\\ud800\"'", "'\"\\\\q\"'", "'-0'", "'1e400'",
        "'0x1F'", "'01'", "'1.'", "'.5'", "'-'", "'nan'", "'-Infinity'", "' [ ] '", "'[1]]'", "'\"a'", "'\\0\\0'",
        "''", "'123456789012345678'"]  # fmt: skip
BINARIES = ["'\\1\\127\\224\\255'", "'\\147\\1\\162ab\\192'", "'\\129\\161a\\1'", "'\\205\\1'", "'\\193'",
            "'\\203\\64\\9\\0\\0\\0\\0\\0\\0'", "'\\209\\255\\0\\211\\255\\255\\255\\255\\255\\255\\255\\254'",
            "'\\217\\2ab\\194\\195'", "'\\220\\0\\1\\144'", "''"]  # fmt: skip
TEXTS = ["'a1b2'", "'hello world'", "'key=value; k2 = v2'", "'((x)y)'", "ARGV[1]", "'%d'"]
SHAPES = ["'%d|%5.1f|%x'", "'%q'", "'%c%c'", "'%e %G'", "'%-5s|%05d'", "'%i'", "'%u'", "'%'", "'%y'", "'%5'", "'%.3s'"]
WITH_TEXTS = {
    "struct.pack": FORMATS, "struct.size": FORMATS, "cjson.decode": JSON, "cmsgpack.unpack": BINARIES,
    "cmsgpack.unpack_one": BINARIES, "cmsgpack.unpack_limit": BINARIES, "string.format": SHAPES, "string.find": TEXTS,
    "string.match": TEXTS, "loadstring": ["'return 1'", "'return ('", "'x = 1'", "'\\27Lua'"], "show": TEXTS,
}  # fmt: skip
FORMS = ["'b'", "'%a+'", "'(%w)(%d)'", "'()'", "'%b()'", "'[^ ]*'", "'^h'", "'%f[%w]%w+'", "'(.-)=(.-);'", "'%1'",
         "'['", "'%'", "'(' ", "'.-$'", "'a?b*'", "'[a-'", "'%f'", "'%b'", "''"]  # fmt: skip
CALLS = [
    "'GET', {k}", "'SET', {k}, {v}", "'SET', {k}, {v}, 'NX'", "'INCR', {k}", "'INCRBY', {k}, {v}",
    "'APPEND', {k}, {v}", "'STRLEN', {k}", "'DEL', {k}", "'EXISTS', {k}, {k}", "'RPUSH', {k}, {v}, {v}",
    "'LPOP', {k}", "'LRANGE', {k}, 0, -1", "'LLEN', {k}", "'HSET', {k}, 'f', {v}", "'HGET', {k}, 'f'",
    "'HGETALL', {k}", "'ZADD', {k}, 1, 'm'", "'ZSCORE', {k}, 'm'", "'ZRANGE', {k}, 0, -1, 'WITHSCORES'",
    "'SADD', {k}, {v}", "'SCARD', {k}", "'TYPE', {k}", "'PING'", "'ECHO', {v}", "'MGET', {k}, {k}, 'none'",
    "'GETSET', {k}, {v}", "'NOSUCH', {k}", "'GET'", "'GET', {k}, {k}", "{v}", "", "'SUBSCRIBE', 'x'", "'SELECT', {v}",
    "'SETRANGE', {k}, 3, {v}", "'TTL', {k}", "'RENAME', {k}, {k}", "'LINDEX', {k}, {v}", "'MULTI'", "'DBSIZE'",
    "'GETRANGE', {k}, {v}, {v}", "'SETBIT', {k}, 7, 1", "'BITCOUNT', {k}", "'LPUSH', {k}, {v}",
]  # fmt: skip
PROLOGUE = (
    "local function show(x) return type(x) == 'table' and 'table' or type(x) == 'function' and 'function' "
    "or tostring(x) end math.randomseed(7) local a, b, t = ARGV[1], 3, {1, 'two', {3}} "
)


class Text:
    """One script, drawn by chance."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.left = 40  # pieces

    def value(self) -> str:
        """Return an expression."""
        self.left -= 1
        one = self.chance.choice
        if self.left < 0 or self.chance.random() < 0.4:
            return one(PLAIN)
        match self.chance.randrange(11):
            case 0 | 1:
                return f"({self.value()} {one(BINARY)} {self.value()})"
            case 2:
                return "{" + ", ".join(self.value() for _ in range(self.chance.randrange(4))) + "}"
            case 3 | 4:
                name = one(list(FUNCTIONS))
                return f"{name.strip()}({', '.join(self.value() for _ in range(FUNCTIONS[name]))})"
            case 5:
                return one(("{ok = 'fine'}", "{err = 'bad'}", "{err = 'My error'}", "{double = 2.5}", "{x = 1}"))
            case 6:
                return f"(function(a, b) {self.statement()} return {self.value()} end)({self.value()}, {self.value()})"
            case 7:
                return f"{one(('not', '-', '#'))} {self.value()}"
            case 8:
                return f"error({one(RAISED)})"
            case 9 if self.chance.random() < 0.7:
                if self.chance.random() < 0.5:
                    return one((
                        f"struct.unpack({one(FORMATS)}, {one(PACKED)}, {one(('1', '2', '0', '-1', '30'))})",
                        f"string.gsub({one(TEXTS)}, {one(FORMS)}, {one(('%1', '%0%0', '%2', 'x', '%', '%9'))!r}, 3)",
                        f"string.gsub({one(TEXTS)}, {one(FORMS)}, function(a, b) {self.statement()} return b end)",
                        f"string.match({one(TEXTS)}, {one(FORMS)}, {self.value()})",
                        f"string.find({one(TEXTS)}, {one(FORMS)}, {one(('1', '-2', '99'))}, {one(('nil', '1'))})",
                        f"rawset({{}}, {self.value()}, {self.value()})",
                        f"table.insert({{1, 2}}, {self.value()})",
                        f"show(cmsgpack.unpack(cmsgpack.pack({self.value()})))",
                    ))
                name = one(list(WITH_TEXTS))
                return f"{name}({', '.join([one(WITH_TEXTS[name]), *self.values(self.chance.randrange(3))])})"
            case 9:
                return f"string.rep({self.value()}, {one(TIMES)})"
        return self.call()

    def values(self, count: int) -> list[str]:
        """Return so many expressions."""
        return [self.value() for _ in range(count)]

    def call(self) -> str:
        """Return a call of a command."""
        one = self.chance.choice
        words = one(CALLS)
        while "{k}" in words:
            words = words.replace("{k}", one(("KEYS[1]", "KEYS[2]", "'k'")), 1)
        while "{v}" in words:
            words = words.replace("{v}", one(WORDS), 1)
        return f"redis.{one(('call', 'call', 'pcall'))}({words})"

    def statement(self) -> str:
        """Return a statement."""
        self.left -= 1
        one = self.chance.choice
        if self.left < 0:
            return "a = 1"
        match self.chance.randrange(10):
            case 0 | 1:
                return f"{one('ab')} = {self.value()}"
            case 2:
                return f"t[{one(('1', '2', '#t + 1'))}] = {self.value()}"
            case 3:
                return f"if {self.value()} then {self.statement()} else {self.statement()} end"
            case 4:
                return f"for i = 1, {one('0135')} do {self.statement()} end"
            case 5:
                return f"a = select(2, pcall(function() {self.statement()} return {self.value()} end))"
            case 6:
                return f"for _, x in ipairs({self.value()}) do b = x end"
        return f"a = {self.call()}"

    def __str__(self) -> str:
        body = " ".join(self.statement() for _ in range(self.chance.randrange(4)))
        return f"{PROLOGUE}{body} return {self.value()}"


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one = chance.choice
    key, value = one(KEYS), one(VALUES[:7])
    match name:
        case "EVAL" | "EVAL_RO":
            return [str(Text(chance)).encode(), b"2", key, one(KEYS), one(VALUES[:7]), one(NUMBERS)]
        case "SCRIPT":
            return [one((b"FLUSH", b"EXISTS", b"LOAD")), *([one((b"return 1", b"f" * 40))] * (chance.random() < 0.8))]
        case "SET":
            return [key, value]
        case "RPUSH":
            return [key, value, one(NUMBERS)]
        case "HSET":
            return [key, b"f", value]
        case "ZADD":
            return [key, b"1.5", b"m"]
    return [key]
