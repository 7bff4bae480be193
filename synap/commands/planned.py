"""Arguments of rows that are still to come, so that the grammar is shown to hold for all of Redis."""

ROWS: list[object] = []
