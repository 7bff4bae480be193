"""A batch of envelopes through the kernels says and does what its commands say and do one by one.

Two nodes get the same bytes. In one the kernels know no command, so every element is odd and is read,
carried out and spelled by Python; replies and state must be the same, byte for byte.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from surfaces import Surfaces

from synap.engine.handlers.table import digest_of
from synap.io.http.json_envelopes import BATCH_MAX
from synap.proto.http import Request
from synap.store.memory.layout import COUNTER_WORDS, COUNTERS
from tests.support import Bench

KEYS = ["a", "b", "list", "set", "", "key with space", "\u00e4", 'q"', "back\\slash", "n" * 5000]
VALUES: list[Any] = [
    "v", "", "12", "-1", "true", "null", "text of words", '{"a": 1}', "[", " x", "\u20ac", "\x7f", 'say "x"', "tab\t",
    "nan", "x" * 3000, 1, -5, 0, 10**17, 10**18 - 1, 10**19, 1.5, True, False, None, [1, 2], {"deep": [{}]}, [],
]  # fmt: skip
NAMES = [
    "kv.get", "kv.set", "kv.incr", "kv.incrby", "kv.del", "kv.delete", "kv.expire", "list.rpush", "list.range",
    "set.add", "set.pop", "kv.mset", "ping", "kv.scan", "list.blpop", "no.such", "KV.GET", "",
    "queue.publish", "server.info",
]  # fmt: skip
PLAIN = {
    "kv.set": ["key", "value"], "list.rpush": ["key", "value"],
    "set.add": ["key", "member"], "kv.expire": ["key", "ttl"],
}  # fmt: skip
SPACE = ["", "", "", " ", "\n", "\t ", "\r\n"]


class Batches:
    """Bodies drawn by chance: mostly plain, some odd, some no JSON at all."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def value(self, value: Any) -> str:
        """A JSON text, now and then with escapes that need not be."""
        text = json.dumps(value, ensure_ascii=self.chance.random() < 0.5)
        if isinstance(value, str) and value.isalpha() and self.chance.random() < 0.05:
            text = f'"\\u{ord(value[0]):04x}{text[2:]}' if value[0].isascii() else text
        return text if self.chance.random() < 0.97 else self.chance.choice(["-0", "01", "1e3", "tru", "1.0", "nul"])

    def space(self) -> str:
        return self.chance.choice(SPACE)

    def object(self, members: list[tuple[str, str]]) -> str:
        chance = self.chance
        if chance.random() < 0.2:
            chance.shuffle(members)
        if chance.random() < 0.02 and members:
            members.append(chance.choice(members))
        parts = [f'{self.space()}"{name}"{self.space()}:{self.space()}{text}{self.space()}' for name, text in members]
        return "{" + ",".join(parts) + ("" if parts else self.space()) + "}"

    def element(self, number: int) -> str:
        chance = self.chance
        if chance.random() < 0.01:
            return chance.choice(["7", "null", "[]", '"x"', "{}", "{,}", '{"command"}', ""])
        payload: list[tuple[str, str]] = []
        name = chance.choice(NAMES[:6] if chance.random() < 0.6 else NAMES)
        for field, values, odds in (
            ("key", KEYS[:4] if chance.random() < 0.7 else KEYS, 0.95), ("value", VALUES, 0.5),
            ("amount", [1, 5, "7", -3, 2**63, None], 0.2), ("ttl", [100, "100", 0, -1], 0.1),
            ("member", VALUES, 0.1), ("value", VALUES, 0.1), ("values", [["x"]], 0.1),
            ("members", [["m", 1]], 0.1), ("start", [0], 0.1), ("stop", [-1], 0.1), ("nx", [True], 0.03),
        ):  # fmt: skip
            if chance.random() < odds:
                payload.append((field, self.value(chance.choice(values))))
        if chance.random() < 0.5:  # what a plain call looks like
            payload = [(field, self.value(chance.choice(KEYS[:4] if field == "key" else VALUES)))
                       for field in PLAIN.get(name, ["key"])]
        request_id = json.dumps(chance.choice([str(number), "r-1", "a b"]))
        members = [("command", json.dumps(name)), ("request_id", request_id)]
        if chance.random() < 0.97:
            members.append(("payload", self.object(payload) if chance.random() < 0.98 else "null"))
        if chance.random() < 0.02:
            members.append(("more", self.value(chance.choice(VALUES))))
        return self.space() + self.object(members) + self.space()

    def body(self) -> bytes:
        chance = self.chance
        count = chance.choice([1, 2, 5, 20])
        array = "[" + ",".join(self.element(i) for i in range(count)) + "]"
        kind = ('"type"' + self.space() + ":" + self.space() + '"batch"')
        member = f'"commands" :{array}'
        text = "{" + chance.choice([f"{kind},{member}", member, f"{member}\n,{kind}"]) + "}"
        if chance.random() < 0.05:
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(["", "}", '"', ",", "\x01", "\\", "]", "\x0b"]) + text[at + 1 :]
        return text.encode("utf-8", "surrogatepass")


UNLIKE = (
    b"set.pop", b"queue.publish", b"server.info", b"kv.keys", b"kv.scan", b"key.list", b"key.starting", b"key.random",
    b"key.scan", b"key.match", b"kv.stats",
)  # fmt: skip
"""Names of what draws, counts calls, or walks keys in the order of hashes, which no two nodes share."""


@pytest.fixture(scope="module")
def both(store: type[Bench]) -> Iterator[tuple[Surfaces, Surfaces]]:
    """The node with plain batches and the one without, at one moment that does not pass; ids are not random."""
    found = Surfaces(), Surfaces(plain_batches=False)
    now = found[0].server.clock.now()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synap.io.http.json_envelopes.unique_text", lambda: "generated")
        for surfaces in found:
            patch.setattr(surfaces.server.clock, "now", lambda: now)
        yield found


def ask(surfaces: Surfaces, body: bytes) -> tuple[int, bytes]:
    request = Request(b"POST", b"/api/v1/command", b"", [(b"host", b"localhost")], body, True, b"1.1")
    response = surfaces.answer(request)
    return response.status, response.body


def differ(both: tuple[Surfaces, Surfaces], seed: int) -> None:
    body = Batches(Random(seed)).body()
    random = any(name in body for name in UNLIKE)
    fast, slow = (ask(surfaces, body) for surfaces in both)
    assert fast[0] == slow[0], body
    if not random:
        assert fast[1] == slow[1], body
    if random:
        for surfaces in both:
            surfaces.resp("FLUSHALL")
    else:
        a, b = (digest_of(surfaces.server.engine) for surfaces in both)
        assert a == b, body


@given(st.integers(0, 2**48))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_kernels_and_python_agree(both: tuple[Surfaces, Surfaces], seed: int) -> None:
    differ(both, seed)


@pytest.mark.campaign
def test_kernels_and_python_agree_at_length(both: tuple[Surfaces, Surfaces]) -> None:
    for seed in range(100_000):
        differ(both, seed)


def test_plain_commands_are_carried_out_by_kernels(both: tuple[Surfaces, Surfaces], monkeypatch: Any) -> None:
    """The usual commands in the usual spelling never reach Python; else all of this would prove nothing."""
    monkeypatch.setattr(both[0].web.envelopes, "run", None)
    monkeypatch.setattr(both[0].web.envelopes, "rendered", None)
    found = both[0].batch(
        ("kv.set", {"key": "plain", "value": "text"}), ("kv.get", {"key": "plain"}),
        ("kv.set", {"key": "n", "value": 5}), ("kv.incrby", {"key": "m", "amount": 5}), ("kv.get", {"key": "none"}),
        ("kv.expire", {"key": "m", "ttl": 9}),
        ("kv.get", {"key": "n"}), ("kv.incr", {"key": "m"}), ("kv.del", {"key": "m"}),
    )  # fmt: skip
    assert [reply["payload"] for reply in found] == [
        {"success": True}, "text", {"success": True}, {"value": 5}, None, {"result": True}, 5,
        {"value": 6}, {"deleted": 1},
    ]  # fmt: skip
    assert all(reply["success"] for reply in found)


def test_a_batch_larger_than_the_out_region(both: tuple[Surfaces, Surfaces]) -> None:
    """Replies of several MiB are taken in pieces, in order."""
    text = "v" * 20_000
    for surfaces in both:
        surfaces.resp("SET", "large", text)
    one = '{"command":"kv.get","request_id":"r","payload":{"key":"large"}}'
    commands = ",".join([one] * 200)
    fast, slow = (ask(surfaces, b'{"type":"batch","commands":[%b]}' % commands.encode()) for surfaces in both)
    assert fast == slow
    assert json.loads(fast[1])["responses"][199]["payload"] == text


def test_calls_are_counted_once(both: tuple[Surfaces, Surfaces]) -> None:
    """Also if the reply found no room in the kernel and the call was made again."""
    engine = both[0].server.engine
    code = next(row.code for row in engine.catalogue.rows if row.name == "kv.get")
    before = engine.numbers[COUNTERS + COUNTER_WORDS * code]
    both[0].batch(*[("kv.get", {"key": "x"})] * 7)
    assert engine.numbers[COUNTERS + COUNTER_WORDS * code] == before + 7


def test_too_many_are_refused(both: tuple[Surfaces, Surfaces]) -> None:
    commands = ",".join(['{"command":"ping","request_id":"1","payload":{}}'] * (BATCH_MAX + 1))
    body = b'{"type":"batch","commands":[%b]}' % commands.encode()
    fast, slow = (ask(surfaces, body) for surfaces in both)
    assert fast == slow and fast[0] == 422


def test_wrong_json_changes_nothing(both: tuple[Surfaces, Surfaces]) -> None:
    """The kernels see the plain commands before the damage behind them; none may have been carried out."""
    plain = '{"command":"kv.set","request_id":"1","payload":{"key":"never","value":"x"}}'
    for rest in ("", "]", ",]}", ',{"command":}]}', ",7]}", "]}x", '],"commands":[]}', ',{"command":"kv.get" "a"}]}'):
        body = ('{"type":"batch","commands":[' + plain + rest).encode()
        answers = [ask(surfaces, body) for surfaces in both]
        assert answers[0] == answers[1]
        if answers[0][0] == 400:
            assert both[0].resp("GET", "never") is None, body


