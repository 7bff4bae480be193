"""MurmurHash2 as Kafka's partitioner calculates it, in plain integers."""

FACTOR, BITS = 0x5BD1E995, 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * FACTOR & BITS
        k = (k ^ k >> 24) * FACTOR & BITS
        h = h * FACTOR & BITS ^ k
    if len(key) > whole:
        h = (h ^ int.from_bytes(key[whole:], "little")) * FACTOR & BITS
    h = (h ^ h >> 13) * FACTOR & BITS
    return h ^ h >> 15
