"""Synap: a key-value store, queues, streams and pub/sub in one process.

    synap.open(path)      the engine in this process
    synap serve           the server, see the README
"""

__version__ = "0.1.0"
