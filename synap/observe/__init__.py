"""What happened: the counters table."""
