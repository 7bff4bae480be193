"""Records: what a key or the name of a queue or room leads to, found by a hash."""
