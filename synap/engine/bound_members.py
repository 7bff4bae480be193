"""Members of consumer groups that are bound to RESP connections (GROUP.BIND): they leave when the connection closes.

A member is bound to one connection at a time, be it this or a WebSocket that has joined as the member: the last one
counts, as `Host.members` notes. What is bound is not stored: after a crash or a stop, the session of a member decides.
"""

from typing import TYPE_CHECKING

from synap.derive.packed_calls import call_of
from synap.engine.sessions import Session
from synap.store.memory import codes

if TYPE_CHECKING:
    from synap.engine.engine import Engine


def bind(engine: "Engine", session: Session, group: bytes, member: bytes) -> None:
    """Bind a member to a connection; one that it was bound to before is told."""
    members, key = engine.host.members, (group, member)
    before = members.get(key)
    if key not in session.bound:
        session.bound[key] = lambda: session.bound.pop(key, None)
    if before is not None and before is not session.bound[key]:
        before()
    members[key] = session.bound[key]


def leave(engine: "Engine", session: Session, now: int) -> None:
    """Let the members that are bound to a connection leave their groups, because it has closed."""
    bound, session.bound = session.bound, {}
    row = engine.catalogue.by_code[codes.GROUP_LEAVE]
    for (group, member), replaced in bound.items():
        if engine.host.members.get((group, member)) is replaced:
            del engine.host.members[group, member]
            engine.run(call_of(row, group=group, member_id=member), now)
            engine.settle(now)
