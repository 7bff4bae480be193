"""Snapshots and digests: the whole state written as rows that load it, and as a few numbers."""
