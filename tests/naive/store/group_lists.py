"""The members of a consumer group, see memberships.py."""

from typing import Any

from tests.naive.store import Answer, State
from tests.naive.store.memberships import group_of


def members(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    return [
        [name, group.owned(name), member.seen, member.session] for name, member in group.members.items()
    ], False  # fmt: skip
