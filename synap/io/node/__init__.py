"""A node: a data directory with its log and engine, the clock, and when replies may leave."""
