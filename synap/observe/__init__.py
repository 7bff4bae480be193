"""Observability: the table of counters, call durations, and Prometheus metrics."""
