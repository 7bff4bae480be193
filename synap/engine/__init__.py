"""The engine: who asks, what is refused, who waits. Synchronous, no clock, no files."""
