"""The kinds of structure, a folder each: strings, lists, sets, queues, rooms."""
