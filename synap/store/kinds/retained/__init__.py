"""Retained messages of pub/sub, by their topics: the last one of each topic that was published with `retain`."""
