"""Loads an RDB file, as redis-server writes it, into a node that holds no keys yet."""

from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

from synap.compat.rdb.errors import RdbError
from synap.compat.rdb.files import Besides, Entry, entries
from synap.engine import transfer
from synap.faults import Fault, SynapError
from synap.io.node.jit_warmup import Progress, ProgressBar
from synap.io.node.node import Node
from synap.store.memory import layout
from synap.store.memory.layout import NAMESPACES

SHOWN_EVERY = 256
"""Keys between two steps of the progress bar."""


class CannotLoad(SynapError):
    """The file is damaged, or holds what cannot be loaded; the text says what, and at which offset."""


def load(node: Node, file: Path) -> Iterator[str]:
    """Store the keys of a file under their names, in the databases and with the deadlines that they have there.

    Yields lines about what was stored and what was left out. Raises CannotLoad; what was stored until then stays.
    """
    shown = ProgressBar(title=f"Loading {file.name}")
    besides, loaded, expired = Besides(), 0, 0
    try:
        with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as data:
            total = len(data)
            for number, entry in enumerate(entries(data, node.engine.numbers[layout.BYTES_MAX], besides)):
                if number % SHOWN_EVERY == 0:
                    shown(Progress(entry.at, total, f"{number:,} keys"))
                if _store(node, entry):
                    loaded += 1
                else:
                    expired += 1
            for code in besides.libraries:
                node.engine.scripts.libraries.load(node.engine.own, code, False, node.clock.now())
                node.engine.settle(node.clock.now())
            shown(Progress(total, total, f"{loaded:,} keys"))
    except RdbError as error:
        raise CannotLoad(f"{file}: {error}") from None
    except Fault as fault:
        raise CannotLoad(f"{file}: after {loaded} keys: {fault}") from None
    finally:
        shown.close()
    yield f"{loaded} keys loaded"
    if expired:
        yield f"{expired} keys left out: they have expired"
    if besides.empty:
        yield f"{len(besides.empty)} keys left out: their values have no elements"
    if besides.libraries:
        yield f"{len(besides.libraries)} libraries of functions loaded"


def _store(node: Node, entry: Entry) -> bool:
    """Store a key; return False if it has expired."""
    engine, now = node.engine, node.clock.now()
    if entry.database >= NAMESPACES:
        raise CannotLoad(f"database {entry.database} at offset {entry.at}: there are {NAMESPACES}, from 0 on")
    value = transfer.without_expired(entry.value, now)
    if value is None or 0 < entry.deadline <= now:
        return False
    if transfer.is_there(engine, entry.database, entry.key, now):
        shown = entry.key[:60].decode("utf-8", "backslashreplace")
        raise CannotLoad(f"the key {shown!r} of database {entry.database} stands there twice, again at {entry.at}")
    transfer.admit(engine, entry.key, value, now)
    transfer.store(engine, engine.own, entry.database, entry.key, value, entry.deadline, now)
    engine.settle(now)
    return True
