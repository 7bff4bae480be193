"""The database in a Python program's own process."""
