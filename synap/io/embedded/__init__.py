"""The in-process database: the engine in a Python program's own process, with methods for its commands."""
