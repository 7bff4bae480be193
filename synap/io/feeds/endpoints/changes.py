"""`/changes/ws?from=1&family=kv&match=user:*&values=true&feed=name`, `/changes/sse`: changes from a seq on, then new
ones.

    server    {"type": "connected", "from"}
              {"type": "changes", "first", "next", "last", "changes": [...]}, see docs/changes.md
              {"type": "error", "error"}, then the socket closes: the changes are not all there (with `first` and
              `next`), or a parameter is wrong

Without a seq, the feed begins behind the last change, or where a named feed is. Each message that is sent moves a named
feed only when the client says `{"command": "done", "seq": 7}`: everything before change 7 is processed. Changes are
sent as long as the client reads; they are read from the log again once it does. On an event stream the place of a
message is the last seq that was looked at for it: with `last_event_id` the changes behind it are sent, whatever `from`
says.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from synap.derive.conversions import to_flag, to_integer, wrong
from synap.engine.callers import Surface
from synap.engine.change_reading import Reading
from synap.engine.handlers.changes import asked_for, begin, feed_name, source
from synap.faults import Fault
from synap.io.feeds.endpoints.endpoint import Endpoint, EndpointFactory, Parameters, unknown_command, whole_number
from synap.proto.http import Request, Response
from synap.proto.rest import BOOLEANS, fault_body

if TYPE_CHECKING:
    from synap.io.server.server import Server

_encode = msgspec.json.encode
POLICY = 1008
LIMIT = 500


class ChangeEndpoint(Endpoint):
    """The changes for one reader."""

    waits = False

    def begin(self) -> None:
        self.engine = engine = self.connection.server.engine
        given = self.parameters
        args: dict[str, Any] = {name: given[name].encode() for name in ("family", "match", "feed") if name in given}
        if "from" in given:
            args["from"] = int(given["from"])
        if given.get("last_event_id"):
            args["from"] = int(given["last_event_id"]) + 1
        try:
            engine.admit_to("changes.read", self.connection.caller, self.now)
            values = given.get("values", "false")
            if to_flag("values", BOOLEANS.get(values.lower(), values)):
                args["values"] = True
            self.asked = asked_for(engine, Surface.JSON, args | {"limit": LIMIT})
            self.place = begin(engine, args)
        except Fault as fault:
            self._fail(fault)
            return
        self.say("connected", **{"from": self.place})
        self._wait()

    def _wait(self) -> None:
        """Ask for the changes from `place` on, unless that is done, or the client does not read."""
        if self.over or self.waits or self.connection.full or self.drain_after_pause(False):
            return
        self.waits = True
        reading = Reading(self.engine, self.asked, self.place)
        reading.end = partial(self.connection.protected, self._take, reading)
        reading.over = lambda: self.over
        self.engine.changes.wait(reading)

    drained = _wait

    def _take(self, reading: Reading) -> None:
        """Send what was found, and ask for more."""
        self.waits = False
        answer = reading.answer()
        if isinstance(answer, Fault):
            self._fail(answer)
            return
        assert isinstance(answer, dict)
        self.place = reading.found.next
        text = reading.found.spelled_as(lambda: _encode({"type": "changes", **answer}))
        self.connection.send_text(text, place=str(self.place - 1))
        self._wait()

    def received(self, text: bytes) -> None:
        frame = self.frame_of(text)
        if frame is None:
            return
        try:
            if frame.get("command") != "done":
                raise unknown_command(frame.get("command"), "done")
            if "feed" not in self.parameters:
                raise wrong("command", "a feed to move, as in /changes/ws?feed=name", "done")
            place = to_integer("seq", frame.get("seq"))
            if not 1 <= place <= self.place:
                raise Fault("WRONG_FIELD", field="seq", wanted=f"a number from 1 to {self.place}", found=str(place))
            source(self.engine).place(feed_name(self.parameters["feed"].encode()), place)
        except Fault as fault:
            self.refuse(fault.json_text())

    def ended(self) -> None:
        self.over = True

    def _fail(self, fault: Fault) -> None:
        self.over = True
        self.connection.fail(fault, _encode({"type": "error", **fault_body(fault)}), POLICY)


def change_route(server: "Server", request: Request, parameters: Parameters) -> EndpointFactory | Response:
    """Return the endpoint for changes; a seq that is gone is reported on the socket, not by a refused Upgrade."""
    seen = bool(parameters.get("last_event_id")) and whole_number(parameters, "last_event_id")
    return whole_number(parameters, "from", least=1) or seen or ChangeEndpoint
