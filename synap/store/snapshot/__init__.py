"""Snapshots and digests: the whole state as frames that load it, and as one hash for each kind."""
