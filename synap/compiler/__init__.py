"""Compiling: numba with a cache named by content, linking, worker processes."""
