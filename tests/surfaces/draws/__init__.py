"""Random commands for the comparison with a Redis: a module for each family of commands, which test_redis.py finds.

A module has NAMES, the commands that it draws (one that stands twice is drawn twice as often), and
`arguments(chance, name)`, which returns the words behind the name. Most should be right: test_redis.py spoils every
tenth command. Keys come from KEYS, so that families meet under one key. SORTED and COUNTED name the commands whose
replies have no order, or count time from now; DRAWN, if a module has it, those whose replies are drawn by chance;
BESIDE, if it has it, commands of other families that it draws with arguments of its own, which are not spoilt.
"""

KEYS = [b"a", b"b", b"c", b"n", b"f", b"l", b"s", b""]
VALUES = [b"v", b"", b"10", b"-3", b"1.5", b"3.0e3", b"text of words", b"\x00\xff", b"x" * 1100, b"y" * 70_000]
NUMBERS = [b"0", b"1", b"-1", b"3", b"-4", b"100", b"9223372036854775807", b"-9223372036854775808", b"x", b"", b"1.5",
           b" 1", b"+1", b"01"]  # fmt: skip
REALS = [b"0.5", b"-2.25", b"3", b"1e2", b"x", b"", b" 1", b"0", b"10.25", b"nan", b"inf", b"1.5.2"]
AHEAD = [b"100", b"5000", b"100000000", b"0", b"-1", b"x", b"9223372036854775807", b"-9223372036854775808"]
AHEAD_MS = [b"50000", *AHEAD[1:]]
MOMENTS = [b"4102444800", b"5102444800", b"1", b"0", b"-7", b"x", b"9223372036854775807"]
CONDITIONS = [b"NX", b"xx", b"GT", b"lt", b"what"]
GLOBS = [b"*", b"?", b"[ab]", b"[^a]*", b"none", b"\\a", b""]
SPACES = [b"0", b"1", b"2", b"15", b"16", b"-1", b"x"]
SET_OPTIONS = [[b"NX"], [b"xx"], [b"GET"], [b"KEEPTTL"], [b"what"]]
SCAN_OPTIONS = [[], [b"MATCH", b"[ab]"], [b"COUNT", b"x"], [b"count", b"0"], [b"TYPE", b"list"], [b"type", b"what"]]
