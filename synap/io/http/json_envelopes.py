"""The command envelope: one JSON command or a batch, carried out in order and answered with status 200."""

from typing import Any

import msgspec

from synap.compat.sdks import CHOICES, EXACT, texts_for
from synap.faults import Fault
from synap.io.node.clock import unique_text
from synap.proto import streamable
from synap.proto.http import Request, Response
from synap.proto.rest import Target, refused_fault, refused_number, status_fault
from synap.store.lane import json_batch, transactions
from synap.store.memory import layout
from synap.store.memory.layout import REFUSED, STATUS_MASK, WORD
from synap.store.memory.refusals import NO_SUCH_KEY, SAME_OBJECT
from synap.traits import ONTO_ITSELF

CALL_BLOB_AT = layout.CALL_BLOB * WORD
OUT_AT = layout.OUT * WORD
BATCH_MAX = 10_000
BATCH_BODY = layout.CALL_BLOB + layout.CALL_BLOB_BYTES // WORD // 2  # behind the calls made during a batch
BATCH_BYTES_MAX = 16 * layout.MIB  # a larger batch is read by Python
_encode = msgspec.json.encode


class Envelopes:
    """Enveloped commands, and helpers that all JSON surfaces of a server share."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self._texts = CHOICES[server.settings.text("server.envelope_texts")]

    def lay(self, call: bytes) -> int:
        """Copy a packed call into the heap; return the word where its tape starts. Raises Fault if it is too large."""
        if len(call) > layout.CALL_BLOB_BYTES:
            raise Fault("QUERY_TOO_LARGE")
        self.server.engine.bytes[CALL_BLOB_AT : CALL_BLOB_AT + len(call)] = call
        return layout.CALL_BLOB + transactions.QUEUE_HEAD

    def is_there(self, key: str) -> bool:
        """Return whether `key` exists. Overwrites the reply of the previous call."""
        engine = self.server.engine
        target = self.server.commands.find("key.exists")
        self.lay(target.pack({"key": key}))
        engine.perform_queued(layout.CALL_BLOB, target.row_at, self.server.clock.now())
        return bool(engine.numbers[layout.REPLY])

    def onto_itself(self, target: Target, status: int, fields: dict[str, Any]) -> int:
        """Return `status`, but for rows that allow a key as its own destination turn SAME_OBJECT into success.

        If the key does not exist, return NO_SUCH_KEY.
        """
        if status & STATUS_MASK != SAME_OBJECT or not target.row.traits & ONTO_ITSELF:
            return status
        if not self.is_there(fields["source"]):
            return int(NO_SUCH_KEY)
        self.server.engine.numbers[layout.REPLY] = 1
        return layout.NUMBER

    @staticmethod
    def plain_value(value: Any, target: Target) -> Any:
        """Return a handler's value as JSON, by the row's template."""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        rest = target.row.rest
        if isinstance(rest, dict):
            return {name: value if word == "$reply" else word for name, word in rest.items()}
        return value

    def command(self, request: Request) -> Response:
        """Answer one command, or a batch in order."""
        texts = self._texts or texts_for(request.headers)
        plain = texts == EXACT and self.server.engine is not None
        head = streamable.batch_head(request.body) if plain else None
        if head is not None:
            response = self.batch(request.body, head.end())
            if response is not None:
                return response
        posted = streamable.read(request.body)
        if posted.commands is None and posted.type != "batch":
            if not posted.command:
                raise Fault("WRONG_FIELD", field="command", wanted="a string", found="nothing")
            one = streamable.Envelope(posted.command, posted.request_id, posted.payload)
            return Response(200, _encode(self.run(one, texts)))
        if posted.commands is None:
            raise Fault("MISSING_FIELD", field="commands", kind="array")
        commands = posted.commands
        if len(commands) > BATCH_MAX:
            raise Fault("WRONG_FIELD", field="commands", wanted=f"at most {BATCH_MAX}", found=str(len(commands)))
        pieces: list[bytes] = []
        made = 0
        for one in commands:
            if made > self.reply_bytes_max:
                pieces += left_out(commands[len(pieces) :])
                break
            pieces.append(_encode(self.run(one, texts)))
            made += len(pieces[-1])
        return Response(200, b'{"responses":[%b]}' % b",".join(pieces))

    @property
    def reply_bytes_max(self) -> int:
        """Limit for the replies of a batch together, in bytes; commands after the limit are not carried out."""
        engine = self.server.engine
        return engine.reply_bytes_max if engine is not None else 0

    def batch(self, body: bytes, start: int) -> Response | None:
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
        pieces = [b'{"responses":[']
        index = made = 0
        while index < count:
            if made > engine.reply_bytes_max:
                posted = posted or streamable.read(body).commands or []
                pieces += [b"," + piece for piece in left_out(posted[index:])]
                break
            now = self.server.clock.now()
            reason = json_batch.answer(words, octets, index, entry, count, now, engine.reply_bytes_max)
            pieces.append(bytes(engine.bytes[OUT_AT : numbers[layout.LANE_OUT]]))
            made += len(pieces[-1])
            index, entry = numbers[layout.BATCH_INDEX], numbers[layout.BATCH_AT]
            if reason >= json_batch.ALONE:
                if posted is None:
                    posted = streamable.read(body).commands
                assert posted is not None
                reply = self.rendered(posted[index]) if reason == json_batch.RENDER else self.run(posted[index])
                pieces.append(b"," + _encode(reply) if index else _encode(reply))
                made += len(pieces[-1])
                index += 1
                entry += numbers[entry + 1]
            engine.settle(now)
        pieces.append(b"]}")
        if size > layout.MIB:
            engine.heap.forget(at, (numbers[layout.BATCH_AT] - BATCH_BODY) * WORD)
        return Response(200, b"".join(pieces))

    def rendered(self, one: streamable.Envelope) -> streamable.Reply:
        """Return the reply to a command of a batch that the kernel has carried out but cannot render."""
        engine = self.server.engine
        target = self.server.commands.find(one.command)
        status = engine.checked(engine.numbers[layout.BATCH_STATUS], target.row_at)
        return self.reply(one, target, status, streamable.fields_of(one.payload))

    def reply(
        self, one: streamable.Envelope, target: Target, status: int, fields: dict[str, Any], texts: str = EXACT
    ) -> streamable.Reply:
        """Return the reply in REPLY in the form of the envelope."""
        engine = self.server.engine
        name = one.request_id or unique_text()
        status = self.onto_itself(target, status, fields)
        what = status & STATUS_MASK
        if what >= REFUSED:
            numbers = engine.numbers[layout.REPLY : layout.REPLY + 3 : layout.SECOND_NUMBER]
            fault = status_fault(status, fields, *numbers)
            return streamable.Reply(False, name, None, fault.json_text())
        refused = refused_number(target.row, status, engine.numbers[layout.REPLY])
        if refused:
            fault = refused_fault(refused, fields, self.is_there)
            return streamable.Reply(False, name, None, fault.json_text())
        if what == layout.WAIT:
            status = layout.NIL
        try:
            render = target.render if texts == EXACT else self.server.commands.render_of(one.command, texts)
            payload = render(status, engine.numbers, engine.bytes, layout.REPLY, fields)
        except LookupError:
            return streamable.Reply(False, name, None, "Not found")
        return streamable.Reply(True, name, payload, None)

    def run(self, one: streamable.Envelope, texts: str = EXACT) -> streamable.Reply:
        """Carry out one enveloped command; a refusal is returned as a reply."""
        engine = self.server.engine
        name = one.request_id or unique_text()
        try:
            if engine is None:
                raise Fault("LOADING")
            target = self.server.commands.find(one.command)
            fields = streamable.fields_of(one.payload)
            tape = self.lay(target.pack(fields))
            now = self.server.clock.now()
            if target.row.handler:
                value = engine.handle_packed(target.row, None, tape, now)
                if isinstance(value, Fault):
                    raise value
                return streamable.Reply(True, name, self.plain_value(value, target), None)
            status = engine.perform_queued(layout.CALL_BLOB, target.row_at, now)
            reply = self.reply(one, target, status, fields, texts)
            engine.settle(now)
            return reply
        except Fault as fault:
            return streamable.Reply(False, name, None, fault.json_text())


def left_out(commands: list[streamable.Envelope]) -> list[bytes]:
    """Return the refusals for commands of a batch after the limit for its replies."""
    text = Fault("REPLY_TOO_LARGE").json_text()
    return [_encode(streamable.Reply(False, one.request_id or unique_text(), None, text)) for one in commands]
