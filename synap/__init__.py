"""Synap: a key-value store, queues, streams and pub/sub in one process.

    with synap.open("data") as db:                 the engine in this process
        db.call("kv.set", key="a", value="b")

    synap serve                                    the server, see the README
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synap.io.local import Database
    from synap.settings import Settings

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(path: str | Path | None = None, settings: "Settings | None" = None) -> "Database":
    """Open the store in the directory `path` (made if missing), or one in memory alone if it is None.

    The first call in a fresh installation compiles the kernels, which takes about a minute.
    """
    from synap.io.local import Database
    from synap.settings import Settings

    return Database(path, settings or Settings())
