"""Consumer groups: members by name in the order of joining, owners and committed offsets by partition."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.rooms import NEVER
from tests.naive.store.topics import PARTITIONS_MAX

SESSION_MS_MAX = 1 << 40
STRATEGIES = ("ROUND_ROBIN", "RANGE", "STICKY")


@dataclass
class Member:
    """One member."""

    seen: int
    session: int

    @property
    def end(self) -> int:
        return self.seen + self.session


@dataclass
class Group:
    """One group; `owners` has the name of a member for each partition."""

    topic: bytes
    strategy: str
    session: int
    created: int
    rebalanced: int
    owners: list[bytes | None]
    offsets: list[int | None]
    generation: int = 0
    members: dict[bytes, Member] = field(default_factory=dict)
    timer: int = NEVER

    def owned(self, name: bytes) -> list[int]:
        return [number for number, owner in enumerate(self.owners) if owner == name]

    def drop(self, name: bytes) -> None:
        del self.members[name]
        self.owners = [None if owner == name else owner for owner in self.owners]

    def drop_ended(self, now: int) -> int:
        ended = [name for name, member in self.members.items() if member.end <= now]
        for name in ended:
            self.drop(name)
        return len(ended)

    def rebalance(self, now: int) -> None:
        self.generation += 1
        self.rebalanced = now
        names, count = list(self.members), len(self.owners)
        if not names:
            return
        share, larger = divmod(count, len(names))
        if self.strategy == "STICKY":
            self.share_sticky(names, share, larger)
        elif self.strategy == "RANGE":
            sizes = [share + (i < larger) for i in range(len(names))]
            self.owners = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
        else:
            self.owners = [names[number % len(names)] for number in range(count)]

    def share_sticky(self, names: list[bytes], share: int, larger: int) -> None:
        """No partition moves that need not."""
        wanted = [name for name in names if len(self.owned(name)) > share]
        wanted += [name for name in names if name not in wanted]
        quota = {name: share + (i < larger) for i, name in enumerate(wanted)}
        for name in names:
            for number in self.owned(name)[quota[name] :]:
                self.owners[number] = None
        places = iter([name for name in names for _ in range(quota[name] - len(self.owned(name)))])
        self.owners = [next(places) if owner is None else owner for owner in self.owners]

    def set_timer(self) -> None:
        self.timer = min((member.end for member in self.members.values()), default=NEVER)


def group_of(state: State, args: dict[str, Any]) -> Group:
    if args["group"] not in state.groups:
        raise Refused("CONSUMER_GROUP_MISSING")
    return state.groups[args["group"]]


def create(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["group"] in state.groups:
        raise Refused("CONSUMER_GROUP_EXISTS")
    count, session = args["partition_count"], args.get("session_ms", 30_000)
    if not 1 <= count <= PARTITIONS_MAX:
        raise Refused("BAD_PARTITIONS")
    if not 1 <= session <= SESSION_MS_MAX:
        raise Refused("BAD_AMOUNT")
    strategy = args.get("strategy", "ROUND_ROBIN")
    state.groups[args["group"]] = Group(args["topic"], strategy, session, now, now, [None] * count, [None] * count)
    return OK, True


def enter(state: State, args: dict[str, Any], now: int) -> Answer:
    group, name = group_of(state, args), args["member_id"]
    if name in group.members:
        ended = group.members[name].end <= now
        group.members[name] = Member(now, args["session_ms"])
        if ended:
            group.drop_ended(now)
    else:
        ended = True
        group.drop_ended(now)
        group.members[name] = Member(now, args["session_ms"])
    if ended:
        group.rebalance(now)
    group.set_timer()
    return OK, True


def join(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    session = args.get("session_ms", group.session)
    if not 1 <= session <= SESSION_MS_MAX:
        raise Refused("BAD_AMOUNT")
    name = args.get("instance")
    if name is None:
        name = state.chosen
        assert UUID(name.decode()).version == 4 and name not in group.members
    enter(state, {"group": args["group"], "member_id": name, "session_ms": session}, now)
    return name, True


def leave(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    if args["member_id"] not in group.members:
        raise Refused("MEMBER_NOT_IN_GROUP")
    group.drop(args["member_id"])
    group.drop_ended(now)
    group.rebalance(now)
    group.set_timer()
    return OK, True


def heartbeat(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    member = group.members.get(args["member_id"])
    if member is None:
        raise Refused("MEMBER_NOT_IN_GROUP")
    if args.get("generation", group.generation) != group.generation:
        raise Refused("STALE_GENERATION")
    late = now - member.seen > member.session // 16
    if late:
        member.seen = now
    return group.generation, late


def assignment(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    if args["member_id"] not in group.members:
        raise Refused("MEMBER_MISSING")
    return [group.generation, group.owned(args["member_id"])], False


def stats(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    return [
        args["group"], group.topic, len(group.members), group.generation, len(group.owners),
        sum(offset is not None for offset in group.offsets), (now - group.rebalanced) // 1000,
        b"Stable" if group.members else b"Empty", group.strategy.lower().encode(), group.session, group.created,
    ], False  # fmt: skip


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    group_of(state, args)
    del state.groups[args["group"]]
    return OK, True


def list_names(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(state.groups), False


def sweep(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    count = group.drop_ended(now)
    if count:
        group.rebalance(now)
    group.set_timer()
    return count, count > 0


def load_group(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["group"] in state.groups:
        raise Refused("CONSUMER_GROUP_EXISTS")
    count, strategy, session, generation, created, rebalanced = (args[f"word{i}"] for i in range(6))
    state.groups[args["group"]] = Group(
        args["topic"], STRATEGIES[strategy - 1], session, created, rebalanced, [None] * count, [None] * count,
        generation,
    )  # fmt: skip
    return OK, True


def load_members(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    for each in args["members"]:
        if each["name"] in group.members:
            raise Refused("KEY_EXISTS")
        group.members[each["name"]] = Member(each["seen"], each["session"])
    group.set_timer()
    return OK, True


def load_partitions(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    names = list(group.members)
    for number, each in enumerate(args["partitions"][: len(group.owners)]):
        if group.owners[number] is None and 1 <= each["owner"] <= len(names):
            group.owners[number] = names[each["owner"] - 1]
        group.offsets[number] = each["offset"] - 1 if each["offset"] else None
    return OK, True
