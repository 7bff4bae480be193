"""cachelib: the cache that Flask programs use."""

import redis
from cachelib import RedisCache
from sessions import HOST, run


def session(port: int) -> None:
    client = redis.Redis(HOST, port)
    cache = RedisCache(HOST, port, key_prefix="app:", default_timeout=100)
    assert cache.set("k", {"a": [1, 2]}) and cache.get("k") == {"a": [1, 2]} and 95 < client.ttl("app:k") <= 100
    assert cache.add("k", 1) is False and cache.add("new", 1, timeout=0) and client.ttl("app:new") == -1
    assert cache.set_many({f"k{i}": i for i in range(200)}, timeout=50)
    assert cache.get_many("k0", "none", "k199") == [0, None, 199] and cache.get_dict("k1", "none")["k1"] == 1
    assert cache.inc("n") == 1 and cache.inc("n", 9) == 10 and cache.dec("n", 3) == 7 and cache.get("n") == 7
    assert cache.has("k") and not cache.has("none") and cache.delete("k") and not cache.has("k")
    assert cache.delete_many("k0", "k1", "none") and client.set("mine", 1) and cache.clear()
    assert client.keys("*") == [b"mine"]


run(session)
