"""What SCAN costs in a namespace that holds a few of the keys: pages follow its own keys, not those of all."""

import pytest

from synap.store.keys.keys import SCAN_WALK_MAX
from tests.engine.engines import Client, House
from tests.support import Bench

OTHERS = 3 * SCAN_WALK_MAX


@pytest.fixture(scope="module")
def house(store: type[Bench]) -> House:
    """Many keys in namespace 0, none in 1, three in 7, five hundred in 9."""
    house = House(store)
    client = house.client()
    for start in range(0, OTHERS, 2048):
        client.ask(*(f"SET k{i} v" for i in range(start, start + 2048)))
    client.ask("SELECT 7", "MSET a 1 b 2 c 3")
    client.ask("SELECT 9", *(f"SET m{i} v" for i in range(500)))
    return house


def scanned(client: Client, options: str = "") -> tuple[list[bytes], int]:
    """The keys of a whole iteration, and its pages."""
    cursor, found, pages = b"0", [], 0
    while pages == 0 or cursor != b"0":
        cursor, keys = client.one(f"SCAN {cursor.decode()} {options}".strip())
        found += keys
        pages += 1
    return found, pages


@pytest.mark.parametrize(
    ("namespace", "count", "options", "most"),
    [
        (1, 0, "", 1),  # nothing is there, and nothing is looked for
        (7, 3, "", 4),  # as many walks as it takes to pass over the others
        (7, 3, "COUNT 1", 7),
        (7, 3, "MATCH nothing*", 4),
        (9, 500, "", 55),
        (9, 500, "COUNT 100", 9),
        (9, 500, "COUNT 1000", 4),
        (0, OTHERS, "COUNT 1000", OTHERS // 1000 + 2),
    ],
)
def test_pages(house: House, namespace: int, count: int, options: str, most: int) -> None:
    client = house.client()
    client.ask(f"SELECT {namespace}")
    found, pages = scanned(client, options)
    assert pages <= most, pages
    assert len(found) == len(set(found)) == (0 if "nothing" in options else count)


def test_a_small_namespace_among_few_is_one_page(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    client.ask(*(f"SET k{i} v" for i in range(5000)))
    client.ask("SELECT 7", "MSET a 1 b 2 c 3")
    found, pages = scanned(client)
    assert sorted(found) == [b"a", b"b", b"c"] and pages == 1
    assert sorted(client.one("KEYS *")) == [b"a", b"b", b"c"]
    assert client.ask("FLUSHDB", "DBSIZE", "SELECT 0", "DBSIZE", "SCAN 0 COUNT 1")[:4] == [b"OK", 0, b"OK", 5000]


def test_what_has_expired_counts_as_met(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    client.ask("SELECT 3", "SET a 1 PX 10", "SET b 1")
    house.now += 50
    found, pages = scanned(client)
    assert found == [b"b"] and pages == 1
    assert client.one("KEYS *") == [b"b"]
