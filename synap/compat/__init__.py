"""Compatibility with other clients: the signs by which they are recognised, and the replies that they expect."""
