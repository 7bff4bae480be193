"""Rows about keys of any kind: existence, deadlines, names, what a key is."""
