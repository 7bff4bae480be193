"""The kinds of structure, a folder each: strings, lists, hashes, sets, sorted sets, queues, rooms."""
