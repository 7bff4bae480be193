"""COMMAND INFO beside a real Redis, of every command that both have: clients route by it."""

from typing import Any

from peers import Peer
from surfaces import Surfaces

from synap.commands import CATALOGUE
from tests.cases import check_all
from tests.support import Bench, command, decode

_MARKS = ["noscript", "loading", "stale"]
NEW = {"CLIENT|SETINFO": (4, _MARKS), "CLIENT|NO-TOUCH": (3, _MARKS),
       "WAIT": (3, ["blocking"]), "WAITAOF": (4, ["blocking"]),
       "ZRANK": (-3, ["readonly", "fast"]), "ZREVRANK": (-3, ["readonly", "fast"])}  # fmt: skip
"""Of Redis 7.2; the judge is 7.0."""
OURS = {"COMMAND", "DEBUG"}
"""One row of ours is many of Redis', or the other way round."""
WORDS = sorted({row.resp for row in CATALOGUE.rows if row.resp} | {row.resp.split("|")[0] for row in CATALOGUE.rows})


def told(entry: Any) -> dict[str, Any]:
    name, arity, flags, first, last, step, categories = entry[:7]
    return {"name": name, "arity": arity, "flags": set(flags), "keys": (first, last, step), "acl": set(categories)}


def test_what_is_told_of_a_command(store: type[Bench], redis: Peer) -> None:
    surfaces = Surfaces()

    def check(word: str) -> None:
        asked = command("COMMAND", "INFO", word.lower())
        ((ours,),), ((theirs,),) = (decode(reply)[:1] for reply in (surfaces.resp_bytes(asked), redis.ask(asked)))
        if word in NEW:
            arity, flags = NEW[word]
            assert (told(ours)["arity"], told(ours)["flags"]) == (arity, {flag.encode() for flag in flags})
        elif theirs is None:
            assert ours is not None and any(group in (b"@fast", b"@slow") for group in ours[6])
        else:
            mine, their = told(ours), told(theirs)
            if word.split("|")[0] in OURS:
                del mine["arity"], their["arity"]
            assert mine == their

    check_all(check, [word for word in WORDS if word])


def test_names_are_consistent(store: type[Bench]) -> None:
    surfaces = Surfaces()
    names = surfaces.resp("COMMAND", "LIST")
    assert len(names) == surfaces.resp("COMMAND", "COUNT") == len(surfaces.resp("COMMAND"))
    assert set(surfaces.resp("COMMAND", "LIST", "FILTERBY", "ACLCAT", "fast")) >= {b"get", b"ping", b"publish"}
    assert len(surfaces.resp("COMMAND", "DOCS")) == 2 * len(names)


def test_keys_of_a_call_that_reads_are_not_written(store: type[Bench]) -> None:
    """Beside a call with the same arguments that does write."""
    surfaces = Surfaces()
    for words, how in (("XREAD", [b"RO", b"access"]), ("XREADGROUP GROUP g c", [b"RW", b"update"])):
        found = surfaces.resp(*f"COMMAND GETKEYSANDFLAGS {words} STREAMS a b 0 0".split())
        assert found == [[b"a", how], [b"b", how]]
