"""Django with django-redis: its cache and locks, and sessions of visitors in that cache."""

from typing import Any

import django
import pytest
import redis
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, JsonResponse
from django.test import Client, override_settings
from django.urls import path
from redis.exceptions import LockError, LockNotOwnedError
from sessions import HOST, run

CACHE = "django_redis.cache.RedisCache"
PACKED = {
    "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
    "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
}
SESSION = "site:1:django.contrib.sessions.cache"


def visit(request: HttpRequest) -> JsonResponse:
    """Count a visit in the session, and remember its page."""
    found = request.session
    found["visits"] = found.get("visits", 0) + 1
    found.setdefault("seen", []).append(request.GET.get("page", "/"))
    found.modified = True
    return JsonResponse({"visits": found["visits"], "seen": found["seen"]})


def leave(request: HttpRequest) -> JsonResponse:
    """End the session."""
    request.session.flush()
    return JsonResponse({})


settings.configure(
    SECRET_KEY="only here", USE_TZ=True, ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=(path("visit", visit), path("leave", leave)),
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
)  # fmt: skip
django.setup()


def session(port: int) -> None:
    where = {
        "default": {"BACKEND": CACHE, "LOCATION": f"redis://{HOST}:{port}/1", "KEY_PREFIX": "site"},
        "packed": {"BACKEND": CACHE, "LOCATION": f"redis://{HOST}:{port}/2", "OPTIONS": PACKED},
    }
    with override_settings(CACHES=where):
        the_cache(redis.Redis(HOST, port), caches["default"])
        packed_values(caches["packed"])
        visitors(redis.Redis(HOST, port, db=1))


def the_cache(client: redis.Redis, cache: Any) -> None:
    cache.set("user:1", {"name": "Ada", "tags": ["a", "b"], "n": 1.5}, timeout=100)
    assert cache.get("user:1") == {"name": "Ada", "tags": ["a", "b"], "n": 1.5}
    assert 95 < cache.ttl("user:1") <= 100 and cache.pttl("user:1") > 95_000
    assert cache.get("none") is None and cache.get("none", 7) == 7 and "user:1" in cache
    assert cache.add("user:1", 2) is False and cache.add("user:2", 2, timeout=None) is True
    assert cache.ttl("user:2") is None and cache.ttl("none") == 0
    assert cache.set("user:2", 3, nx=True) is False and cache.get("user:2") == 2
    assert cache.expire("user:2", 50) and 45 < cache.ttl("user:2") <= 50
    assert cache.persist("user:2") and cache.ttl("user:2") is None
    assert cache.touch("user:2", 40) and not cache.touch("none", 40) and cache.ttl("user:2") <= 40
    cache.set_many({f"page:{i}": "x" * i for i in range(500)}, timeout=60)
    found = cache.get_many([f"page:{i}" for i in range(490, 510)])
    assert found == {f"page:{i}": "x" * i for i in range(490, 500)}
    assert sorted(cache.keys("page:49*")) == sorted(["page:49", *(f"page:49{i}" for i in range(10))])
    assert len(set(cache.iter_keys("page:*", itersize=17))) == 500
    assert cache.delete_pattern("page:1*", itersize=50) == 111 and len(cache.keys("page:*")) == 389
    cache.set("n", 5)
    counts_and_locks(cache)
    cache.set("v", "old", version=1)
    assert cache.incr_version("v") == 2 and cache.get("v", version=2) == "old" and cache.get("v") is None
    assert cache.get_or_set("made", lambda: [1, 2], 30) == [1, 2] and cache.get("made") == [1, 2]
    assert cache.delete("made") and not cache.delete("made") and cache.delete_many(["n", "none", "user:1"]) == 2
    assert client.dbsize() == 0 and cache.keys("*")
    cache.clear()
    assert cache.keys("*") == []


def counts_and_locks(cache: Any) -> None:
    """What scripts do."""
    assert cache.incr("n") == 6 and cache.incr("n", 10) == 16 and cache.decr("n", 11) == 5 and cache.get("n") == 5
    with pytest.raises(ValueError, match="not found"):
        cache.incr("none")
    assert cache.incr("counted", 3, ignore_key_check=True) == 3 and cache.delete("counted")
    lock = cache.lock("one", timeout=30)
    assert lock.acquire(blocking=False) and not cache.lock("one", timeout=30).acquire(blocking=False)
    assert lock.extend(30) and lock.reacquire() and lock.owned() and lock.locked() and 0 < cache.ttl("one") <= 30
    lock.release()
    with pytest.raises(LockError):
        lock.release()
    brief = cache.lock("one", timeout=0.05)
    assert brief.acquire() and cache.lock("one", timeout=5, blocking_timeout=5).acquire()
    with pytest.raises(LockNotOwnedError):
        brief.release()
    cache.delete("one")


def packed_values(packed: Any) -> None:
    packed.set("large", {"text": "word " * 10_000}, timeout=30)
    assert packed.get("large") == {"text": "word " * 10_000}
    for name, value in [("f", 1), ("g", [2]), ("f", 3)]:
        packed.hset("record", name, value)
    assert packed.hkeys("record") == ["f", "g"] and packed.hexists("record", "g") and packed.hlen("record") == 2
    assert packed.hdel("record", "g") == 1
    packed.sadd("set", 1, "two", 3)
    assert packed.scard("set") == 3 and packed.sismember("set", "two") and packed.smembers("set") == {1, "two", 3}
    assert packed.sadd("other", "two", 4) and packed.sinter("set", "other") == {"two"}


def visitors(client: redis.Redis) -> None:
    browsers = [Client() for _ in range(20)]
    for turn in range(1, 4):
        for i, browser in enumerate(browsers):
            found = browser.get("/visit", {"page": f"/{i}/{turn}"}).json()
            assert found == {"visits": turn, "seen": [f"/{i}/{each}" for each in range(1, turn + 1)]}
    assert len(client.keys(SESSION + "*")) == 20
    assert all(1_209_000 < client.ttl(key) <= 1_209_600 for key in client.keys())
    browsers[0].get("/leave")
    assert client.dbsize() == 19 and browsers[0].get("/visit").json()["visits"] == 1
    found = browsers[1].session
    before = found.session_key
    found.cycle_key()
    assert found.session_key != before and found["visits"] == 3 and found.exists(found.session_key)
    found.set_expiry(1)
    found.save()
    assert 0 < client.pttl(SESSION + found.session_key) <= 1000


run(session)
