"""The handler of GROUP.BIND."""

from typing import Any

from synap.call import Value
from synap.engine import bound_members
from synap.engine.engine import Engine, Handler
from synap.engine.inner_calls import perform
from synap.engine.sessions import Session


def group_bind(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Bind a member to the calling connection. Raise Fault if the group has no such member."""
    group, member = bytes(args["group"]), bytes(args["member_id"])
    perform(engine, session, "group.assignment", {"group": group, "member_id": member}, now)
    bound_members.bind(engine, session, group, member)
    return "OK"


HANDLERS: dict[str, Handler] = {"group_bind": group_bind}
