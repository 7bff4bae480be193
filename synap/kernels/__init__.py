"""Algorithms on plain arrays: hashing, numbers, patterns, checksums. They import nothing of synap but its compiler."""
