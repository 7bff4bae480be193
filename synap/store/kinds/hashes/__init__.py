"""Hashes: fields with values, packed while they are few and short, else in a table."""
