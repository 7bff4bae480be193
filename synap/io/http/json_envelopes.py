"""The command envelope: one JSON command or a batch, carried out in order and answered with status 200."""

from collections.abc import Awaitable
from typing import Any

import msgspec

from synap.compat.sdks import CHOICES, EXACT, NESTED_FAMILIES, nested, nests, texts_for
from synap.durability import check_reachable, level_of
from synap.engine.callers import Caller
from synap.engine.outcomes import Outcome
from synap.faults import Fault
from synap.io.http.client_transactions import CLIENT_ID
from synap.io.http.json_calls import JsonCalls
from synap.io.http.key_walks import KeyWalks
from synap.io.node.clock import unique_text
from synap.proto import streamable
from synap.proto.http import Request, Response
from synap.proto.rest import Target
from synap.store.lane import json_batch
from synap.store.memory import layout
from synap.store.memory.layout import WORD
from synap.traits import WALKS

BATCH_MAX = 10_000
BATCH_BODY = layout.CALL_BLOB_REST
BATCH_BYTES_MAX = 16 * layout.MIB  # a larger batch is read by Python
_encode = msgspec.json.encode


class Envelopes:
    """The enveloped commands of one server."""

    def __init__(self, calls: JsonCalls, walks: KeyWalks) -> None:
        self.calls, self._walks = calls, walks
        self.server = server = calls.server
        self._texts = CHOICES[server.settings.text("server.envelope_texts")]
        self._nested = server.settings.text("server.envelope_nested")

    def answer(self, request: Request, caller: Caller) -> Response | Awaitable[Response]:
        """Answer one command, or a batch in order."""
        texts = self._texts or texts_for(request.headers)
        plain = texts == EXACT and caller.rate is None and self.server.node is not None
        deep = nests(self._nested, request.headers, single=False)
        if deep or self.calls.transactions.queues() or (plain and self.server.engine.keyspace_events.sends):
            plain = False  # kernels neither nest replies, nor queue the writes of a transaction, nor send events
        head = streamable.batch_head(request.body) if plain else None
        if head is not None:
            response = self.batch(caller, request.body, head.end())
            if response is not None:
                return response
        posted = streamable.read(request.body)
        if posted.commands is None and posted.type != "batch":
            if not posted.command:
                raise Fault("WRONG_FIELD", field="command", wanted="a string", found="nothing")
            one = streamable.Envelope(posted.command, posted.request_id, posted.payload, posted.durability)
            self._demand(caller, [one])
            target = self.server.commands.targets.get(one.command) if self.server.node is not None else None
            deep = nests(self._nested, request.headers, single=True)
            if target is not None and target.row.traits & WALKS:
                return self._walks.before(target.row, caller, lambda: self._single(caller, one, texts, deep))
            return self._single(caller, one, texts, deep)
        if posted.commands is None:
            raise Fault("MISSING_FIELD", field="commands", kind="array")
        commands = posted.commands
        if len(commands) > BATCH_MAX:
            raise Fault("WRONG_FIELD", field="commands", wanted=f"at most {BATCH_MAX}", found=str(len(commands)))
        self._demand(caller, commands)
        pieces: list[bytes] = []
        made = 0
        for one in commands:
            if made > self.reply_bytes_max:
                pieces += left_out(commands[len(pieces) :])
                break
            pieces.append(_encode(self.run(caller, one, texts, deep)))
            made += len(pieces[-1])
        return Response(200, b'{"responses":[%b]}' % b",".join(pieces))

    def _single(self, caller: Caller, one: streamable.Envelope, texts: str, deep: bool) -> Response:
        return Response(200, _encode(self.run(caller, one, texts, deep)))

    @property
    def reply_bytes_max(self) -> int:
        """Limit for the replies of a batch together, in bytes; commands after the limit are not carried out."""
        return self.server.engine.reply_bytes_max if self.server.node is not None else 0

    def batch(self, caller: Caller, body: bytes, start: int) -> Response | None:
        """Return the reply to a batch whose first element begins at `start`, or None if its JSON is unusual.

        Kernels carry out the plain elements (see `store/lane/json_batch.py`); the others are made here, in their order.
        """
        engine = self.server.engine
        at, size = BATCH_BODY * WORD, len(body)
        if size > BATCH_BYTES_MAX:
            return None
        engine.bytes[at : at + size] = body
        numbers, words, octets = engine.numbers, engine.words, engine.octets
        entry = BATCH_BODY + (size + 7 >> 3) + 1
        count = json_batch.plan(words, octets, at + start, at + size, entry, BATCH_MAX)
        if count < 0 or not streamable.batch_tail(body, numbers[layout.LANE_AT] - at):
            return None
        posted = streamable.read(body).commands if numbers[layout.LANE_CALLS] else None  # raises if it is no JSON
        self._demand(caller, posted or [])  # an element with a durability is not plain
        pieces = [b'{"responses":[']
        index = made = 0
        while index < count:
            if made > engine.reply_bytes_max:
                posted = posted or streamable.read(body).commands or []
                pieces += [b"," + piece for piece in left_out(posted[index:])]
                break
            now = self.server.clock.now()
            reason = json_batch.answer(words, octets, index, entry, count, now, caller.refuses, engine.reply_bytes_max)
            pieces.append(bytes(engine.bytes[layout.OUT_AT : numbers[layout.LANE_OUT]]))
            made += len(pieces[-1])
            index, entry = numbers[layout.BATCH_INDEX], numbers[layout.BATCH_AT]
            if reason >= json_batch.ALONE:
                if posted is None:
                    posted = streamable.read(body).commands
                assert posted is not None
                one = posted[index]
                reply = self.rendered(one) if reason == json_batch.RENDER else self.run(caller, one)
                pieces.append(b"," + _encode(reply) if index else _encode(reply))
                made += len(pieces[-1])
                index += 1
                entry += numbers[entry + layout.PACKED_WORDS]
            engine.settle(now)
        pieces.append(b"]}")
        if size > layout.MIB:
            engine.heap.forget(at, (numbers[layout.BATCH_AT] - BATCH_BODY) * WORD, layout.OUT * WORD)
        return Response(200, b"".join(pieces))

    def rendered(self, one: streamable.Envelope) -> streamable.Reply:
        """Return the reply to a command of a batch that the kernel has carried out but cannot render."""
        engine = self.server.engine
        target = self.server.commands.find(one.command)
        status = engine.checked(engine.numbers[layout.BATCH_STATUS], target.row_at)
        return self.reply(one, Outcome(target.row, target.row_at, status), target, streamable.fields_of(one.payload))

    def reply(
        self, one: streamable.Envelope, outcome: Outcome, target: Target, fields: dict[str, Any], texts: str = EXACT,
        deep: bool = False,
    ) -> streamable.Reply:  # fmt: skip
        """Return an outcome in the form of the envelope; `deep`: with a copy of itself, see `sdks.nested`."""
        name = one.request_id or unique_text()
        try:
            render = target.render if texts == EXACT else self.server.commands.render_of(one.command, texts)
            payload = self.calls.payload(outcome, target, fields, render)
        except Fault as fault:
            return streamable.Reply(False, name, None, fault.json_text())
        except LookupError:
            return streamable.Reply(False, name, None, "Not found")
        if deep and isinstance(payload, dict) and target.row.family in NESTED_FAMILIES:
            payload = nested(payload)
        return streamable.Reply(True, name, payload, None)

    def run(
        self, caller: Caller, one: streamable.Envelope, texts: str = EXACT, deep: bool = False
    ) -> streamable.Reply:
        """Carry out one enveloped command; a refusal is returned as a reply."""
        reply = self._run(caller, one, texts, deep)
        if not one.durability:
            return reply
        said = reply.success, reply.request_id, reply.payload, reply.error
        return streamable.DurableReply(*said, self.server.turn.reached(caller.durability))

    def _demand(self, caller: Caller, commands: list[streamable.Envelope]) -> None:
        """Let the one reply to some commands wait for the strongest durability of any of them."""
        if any(one.durability for one in commands):
            asked = {one.durability.lower() or caller.durability for one in commands}
            caller.durability = self.server.turn.strongest(*asked)

    def _run(self, caller: Caller, one: streamable.Envelope, texts: str, deep: bool) -> streamable.Reply:
        server = self.server
        try:
            if server.node is None:
                raise Fault("LOADING")
            if one.durability:
                check_reachable(level_of(one.durability), server.turn.has_log)
            target = server.commands.find(one.command)
            fields = streamable.fields_of(one.payload)
            if target.row.family == "transaction" and one.request_id and fields.keys().isdisjoint(target.row.also):
                fields = {CLIENT_ID: one.request_id} | fields
            now = server.clock.now()
            outcome = self.calls.make(caller, target, fields, now)
        except Fault as fault:
            return streamable.Reply(False, one.request_id or unique_text(), None, fault.json_text())
        reply = self.reply(one, outcome, target, fields, texts, deep)
        server.engine.settle(now)
        return reply


def left_out(commands: list[streamable.Envelope]) -> list[bytes]:
    """Return the refusals for commands of a batch after the limit for its replies."""
    text = Fault("REPLY_TOO_LARGE").json_text()
    return [_encode(streamable.Reply(False, one.request_id or unique_text(), None, text)) for one in commands]
