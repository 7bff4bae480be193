"""Streams: entries of fields and values under rising ids, and groups of consumers that share them."""
