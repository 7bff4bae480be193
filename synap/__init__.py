"""Synap: a key-value store, queues, streams and pub/sub in one process.

    with synap.open("data") as db:                 the engine in this process
        db.set("a", "b", ttl=60)
        db.get("a")                                b"b"
        db.call("kv.get", key="a")                 any row of docs/commands.md by its name

    synap serve                                    the server, see the README
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synap.faults import Fault, SynapError
    from synap.io.embedded.database import Database
    from synap.io.node.files import LockHeld
    from synap.journal import Damage
    from synap.settings import Settings

__version__ = "0.1.0"
__all__ = ["Damage", "Database", "Fault", "LockHeld", "Settings", "SynapError", "__version__", "open"]

_PLACES = {
    "Damage": "synap.journal", "Database": "synap.io.embedded.database", "Fault": "synap.faults",
    "LockHeld": "synap.io.node.files", "Settings": "synap.settings", "SynapError": "synap.faults",
}  # fmt: skip
"""Names that are imported at their first use, so that `import synap` alone stays cheap."""


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'synap' has no attribute {name!r}")


def open(path: str | Path | None = None, settings: "Settings | None" = None) -> "Database":
    """Open the store in the directory `path` (created if missing), or in memory only if `path` is None. A relative
    path is resolved at once: the program may change its working directory later.

    The first call in a fresh installation compiles the kernels, which takes about 40 seconds on two cores. Raise
    LockHeld if the directory is already open, in this or another process, Damage if promised data in it is damaged,
    and MemoryError, with one line that states what is needed, if the limit of address space is too low for the
    settings.
    """
    from synap.io.node.limits import check
    from synap.settings import Settings

    settings = settings or Settings()
    check(settings.number("kv_store.max_memory_mb") << 20)  # checked before imports run out of address space
    from synap.io.embedded.database import Database

    return Database(path, settings)
