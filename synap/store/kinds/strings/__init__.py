"""Strings: a value of bytes under a key."""
