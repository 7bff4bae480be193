"""Words of a key's description, as `kinds/*/life.py` fill them and `OBJECT` and `MEMORY USAGE` read them."""

KIND, ENCODING, SIZE, COUNT, BYTES, DEADLINE, CLOCK, AT, REF, USES = range(10)
DESCRIPTION_WORDS = 10
