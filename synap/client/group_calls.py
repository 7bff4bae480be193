"""Consumer groups of a client: the calls on one group."""

from synap.client.calls import D
from synap.client.generated.memberships import GroupMethods


class GroupCalls(GroupMethods[D]):
    """The calls on one consumer group."""

    what = "consumer group"
