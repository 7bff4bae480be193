"""A node: an engine, its data directory with log and snapshots, its clock, and group commit of replies."""
