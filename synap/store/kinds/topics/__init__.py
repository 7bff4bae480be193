"""Topics: records in partitions, which are read from any offset."""
