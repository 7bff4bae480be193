"""Compiling kernels with numba: the decorators, a cache named by content, linking, worker processes."""
