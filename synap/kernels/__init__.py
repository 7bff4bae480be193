"""Algorithms on plain arrays: hashing, numbers, patterns, checksums. Kernels import only the compiler from synap."""
