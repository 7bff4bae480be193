"""A node whose kernels become ready stage by stage: every family works as soon as its stage is there."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from synap.commands import FAMILIES, FAMILY_CODES
from synap.io.node.clock import Clock
from synap.io.node.node import Node
from synap.settings import Settings
from synap.store import entry_points
from synap.store.entry_points import stages
from synap.store.memory import codes, layout
from tests.engine.engines import Client
from tests.support import Refusal, command, decode

pytestmark = pytest.mark.usefixtures("store")
CALLS = {
    "strings": ("SET a b", b"OK"), "keys": ("EXISTS a", 1), "substrings": ("APPEND a c", 2), "lists": ("RPUSH l x", 1),
    "sets": ("SADD s x", 1), "queues": ("QUEUE.CREATE q 100 30000 3 5", 1), "renames": ("RENAME l m", b"OK"),
    "rooms": ("STREAM.CREATE r", b"OK"), "hashes": ("HSET h f v", 1), "bitmaps": ("SETBIT b 7 1", 0),
    "zsets": ("ZADD z 1 x", 1), "sorting": ("SORT s ALPHA STORE y", 1),
    "hyperloglog": ("PFADD p x", 1), "streams": ("XADD x 1-1 f v", b"1-1"),
    "memberships": ("GROUP.CREATE g t 3", b"OK"),
    "topics": ("TOPIC.CREATE t PARTITIONS 1", [b"num_partitions", 1, b"replication_factor", 1]),
    "geo": ("GEOADD g 13 38 x", 1), "scripts": ("SCRIPT EXISTS x", [0]),
    "retained": ("RETAINED.DELETE t", 0),
    "libraries": ("FUNCTION KILL", Refusal("NOTBUSY No scripts in execution right now.")),
}  # fmt: skip


class Loaded:
    """The addresses of the doors in the first `count` stages; all others are not loaded yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 1
        self.all = stages(FAMILIES)
        address = entry_points._address
        monkeypatch.setattr(entry_points, "_address", lambda door: address(door) if self.has(door) else 0)

    @property
    def ready(self) -> list[entry_points.Stage]:
        return self.all[: self.count]

    def has(self, door: str) -> bool:
        return any(name.endswith(f".doors.{door}") for stage in self.ready for name in stage.modules)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loaded]:
    return Loaded(monkeypatch)


def opened(directory: Path, loaded: Loaded, log: bool = True) -> Node:
    """A node that may have to wait for its kernels."""
    settings = Settings().replace({"persistence.directory": str(directory), "persistence.wal.enabled": log})

    def wait() -> None:
        loaded.count = len(loaded.all)

    return Node(settings, Clock(), wait_for_kernels=wait)


class House:
    """What a client of the tests wants of a node."""

    def __init__(self, node: Node) -> None:
        self.engine, self.now = node.engine, 1_000_000


def test_each_family_is_served_from_its_stage_on(tmp_path: Path, loaded: Loaded) -> None:
    node = opened(tmp_path, loaded)
    with contextlib.closing(Closing(node)):
        client = Client(House(node))  # type: ignore[arg-type]
        held: list[str] = []
        for count in range(1, len(loaded.all) + 1):
            loaded.count = count
            node.place_doors(loaded.ready)
            for family in loaded.all[count - 1].families:
                words, wanted = CALLS[family]
                reply = client.send(command(*words.split()))
                assert decode(reply)[0] == wanted, family
                held.append(family)
            absent = {byte for byte, family in FAMILY_CODES.items() if family not in held}
            assert absent == {byte for byte in node.engine.diagnostics.coming if 0 < byte < 256}
        assert sorted(held) == sorted(CALLS) and not node.engine.diagnostics.may_hold
        assert client.one("QUEUE.PUBLISH q x") and client.one("STREAM.PUBLISH r e x") == 0


def test_data_of_every_kind_are_recovered_when_all_kernels_are_there(tmp_path: Path, loaded: Loaded) -> None:
    loaded.count = len(loaded.all)
    node = opened(tmp_path, loaded)
    client = Client(House(node))  # type: ignore[arg-type]
    for words, _ in CALLS.values():
        client.send(command(*words.split()))
    node.stop()
    loaded.count = 1
    node = opened(tmp_path, loaded)
    with contextlib.closing(Closing(node)):
        assert loaded.count == len(loaded.all), "it has waited"
        client = Client(House(node))  # type: ignore[arg-type]
        assert client.one("GET a") == b"bc" and client.one("LLEN m") == 1 and client.one("QUEUE.LIST") == [b"q"]


def test_a_stop_without_a_log_leaves_a_snapshot_from_the_first_stage_on(tmp_path: Path, loaded: Loaded) -> None:
    node = opened(tmp_path, loaded, log=False)
    node.place_doors(loaded.ready)
    assert Client(House(node)).one("SET a b") == b"OK"  # type: ignore[arg-type]
    node.stop()
    loaded.count = len(loaded.all)
    node = opened(tmp_path, loaded, log=False)
    with contextlib.closing(Closing(node)):
        assert Client(House(node)).one("GET a") == b"b"  # type: ignore[arg-type]


def test_long_pipelines_cost_no_more_than_others(tmp_path: Path, loaded: Loaded) -> None:
    """What is looked at while families are coming is bounded for each command."""
    node = opened(tmp_path, loaded)
    with contextlib.closing(Closing(node)):
        node.place_doors(loaded.ready)
        client = Client(House(node))  # type: ignore[arg-type]
        assert client.send(command("PING") * 3000).count(b"PONG") == 3000
        assert node.engine.numbers[layout.DOORS + (codes.LIST_LPUSH >> 8)] != 0


class Closing:
    """A node as something to close."""

    def __init__(self, node: Node) -> None:
        self.close = node.stop


def test_changes_of_keys_are_told_from_the_stage_of_their_facts_on(tmp_path: Path, loaded: Loaded) -> None:
    node = opened(tmp_path, loaded)
    with contextlib.closing(Closing(node)):
        node.place_doors(loaded.ready)
        client, watcher = Client(House(node)), Client(House(node))  # type: ignore[arg-type]
        watcher.one("SUBSCRIBE __watch@0__:a")
        assert client.one("SET a b") == b"OK" and not node.engine.keyspace_events.on
        loaded.count = 2
        node.place_doors(loaded.ready)
        assert node.engine.keyspace_events.on and client.one("SET a c") == b"OK"
        assert node.engine.pubsub.exact[b"__watch@0__:a"].published == 1
