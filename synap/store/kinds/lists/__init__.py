"""Lists: chains of chunks of elements."""
