"""Scripts in Lua: expressions, libraries, errors, and calls of commands whose replies have an order.

Left out is what depends on addresses or on the order of a table: `tostring` of a table, `pairs`, maps in `cjson`.
"""

from random import Random

from draws import KEYS, NUMBERS, VALUES

NAMES = "EVAL EVAL EVAL EVAL EVAL EVAL EVAL_RO EVAL SCRIPT".split()
BESIDE = "SET RPUSH HSET ZADD DEL".split()
COUNTED = ()
SORTED = ()
PLAIN = ["nil", "true", "false", "0", "1", "-1", "2", "7", "0.5", "-1.5", "1e15", "2^53", "1e300", "''", "'a'", "'abc'",
         "'10'", "' 7 '", "'0x10'", "'x y'", "'\\0\\255'", "KEYS[1]", "KEYS[2]", "ARGV[1]", "ARGV[2]", "#KEYS", "#ARGV",
         "a", "b", "t", "t[1]", "t[2]", "#t"]  # fmt: skip
BINARY = ["+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", "and", "or"]
FUNCTIONS = {
    "tonumber": 1, "tonumber ": 2, "show": 1, "type": 1, "select": 2, "unpack": 1, "string.rep": 2, "string.sub": 3,
    "string.byte": 2, "string.char": 2, "string.len": 1, "string.upper": 1, "string.reverse": 1, "string.find": 3,
    "string.match": 2, "string.gsub": 3, "string.format": 2, "table.concat": 2, "table.remove": 1, "math.floor": 1,
    "math.max": 2, "math.fmod": 2, "math.abs": 1, "bit.band": 2, "bit.bor": 2, "bit.lshift": 2, "bit.tohex": 2,
    "bit.bswap": 1, "struct.size": 1, "cjson.encode": 1, "redis.sha1hex": 1, "redis.error_reply": 1,
    "redis.status_reply": 1, "rawequal": 2, "pcall": 2, "assert": 2, "error": 1, "redis.setresp": 1, "next": 1,
}  # fmt: skip
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
    "or tostring(x) end local a, b, t = ARGV[1], 3, {1, 'two', {3}} "
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
        match self.chance.randrange(9):
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
        return self.call()

    def call(self) -> str:
        """Return a call of a command."""
        one = self.chance.choice
        words = one(CALLS)
        while "{k}" in words:
            words = words.replace("{k}", one(("KEYS[1]", "KEYS[2]", "'k'")), 1)
        while "{v}" in words:
            words = words.replace("{v}", one(PLAIN[3:26]), 1)
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
