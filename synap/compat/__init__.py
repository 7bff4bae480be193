"""Compatibility with other clients: how they are recognised, and the replies that they expect."""
