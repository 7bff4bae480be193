"""walrus: its containers, a transaction and its cache; its arrays, locks and limits are scripts."""

import threading

import walrus
from sessions import HOST, run


def session(port: int) -> None:
    db = walrus.Database(host=HOST, port=port)
    fields = db.Hash("user")
    fields.update(name="Ada", age=36)
    fields["city"] = "London"
    assert fields.as_dict(decode=True) == {"name": "Ada", "age": "36", "city": "London"} and len(fields) == 3
    assert fields["name"] == b"Ada" and fields["name", "none"] == [b"Ada", None] and "age" in fields
    assert fields.incr("age", 2) == 38 and fields.incr_float("height", 1.5) == 1.5 and fields.setnx("name", "x") == 0
    del fields["city"]
    assert sorted(fields.keys()) == [b"age", b"height", b"name"] and dict(iter(fields))[b"age"] == b"38"
    line = db.List("line")
    line.extend(range(10))
    line.prepend("first")
    assert line[0] == b"first" and line[-1] == b"9" and line[1:3] == [b"0", b"1"] and len(line) == 11
    line[1] = "zero"
    line.insert_before("half", "zero")
    assert line.popleft() == b"first" and line.popright() == b"9"
    assert line.bpopleft(timeout=1) == b"half"
    del line[1:4]
    assert line.as_list(decode=True) == ["1", "2", "3"] and next(iter(line)) == b"1"
    left, right = db.Set("left"), db.Set("right")
    left.add(*"abcde")
    right.add(*"defg")
    assert left & right == {b"d", b"e"} and len(left | right) == 7 and left - right == {b"a", b"b", b"c"}
    assert set(left.interstore("both", right)) == {b"d", b"e"} and len(db.Set("both")) == 2
    assert "a" in left and left.remove("a") == 1 and left.pop() in b"bcde" and left.random() in left.members()
    assert sorted(right.search("[de]")) == [b"d", b"e"]
    scores = db.ZSet("scores")
    scores.add({f"p{i}": i for i in range(100)})
    scores["late"] = 50.5
    assert len(scores) == 101 and scores.score("late") == 50.5
    assert scores.rank("late") == 51 and scores.rank("p99", reverse=True) == 0
    assert scores[:3] == [b"p0", b"p1", b"p2"] and scores[98:, True] == [(b"p97", 97), (b"p98", 98), (b"p99", 99)]
    assert scores.range_by_score(50, 51) == [b"p50", b"late", b"p51"] and scores.count(10, 19) == 10
    assert scores.incr("p0", 1000) == 1000 and scores.popmax_compat()[0] == (b"p0", 1000)
    assert scores.remove_by_score(0, 49) == 49 and scores.remove_by_rank(0, 1) == 2 and len(list(scores)) == len(scores)
    assert len(scores.unionstore("all", db.ZSet("none"))) == len(scores)
    guess = db.HyperLogLog("guess")
    for i in range(1000):
        guess.add(i)
    assert 980 < len(guess) < 1020 and len(guess.merge("merged", guess)) == len(guess)
    bits = db.bit_field("bits")
    assert bits.set("u8", 0, 200).incrby("u8", 0, 100).get("u8", 0).execute() == [0, 44, 44]
    with db.atomic() as group:
        group.pipe.set("a", 1).set("b", 2)
    assert db["a"] == b"1" and "b" in db and sorted(db.search("[ab]")) == [b"a", b"b"]
    cache = db.cache("c")
    cache.set("k", [1, {"two": 3}], 10)
    assert cache.get("k") == [1, {"two": 3}] and cache.get_many(["k", "none"]) == {"k": [1, {"two": 3}]}
    calls = []

    @cache.cached(timeout=10)
    def slow(n: int) -> int:
        calls.append(n)
        return n * n

    assert [slow(3), slow(3), slow(4)] == [9, 9, 16] and calls == [3, 4]
    assert cache.flush() and cache.get("k") is None
    by_scripts(db)


def by_scripts(db: walrus.Database) -> None:
    array = db.Array("array")
    array.extend([f"v{n}" for n in range(50)])
    array.append("last")
    assert len(array) == 51 and array[0] == b"v0" and array[-1] == b"last" and "v7" in array
    array[3] = "three"
    assert array[3] == b"three" and array.pop() == b"last" and array.pop(0) == b"v0" and array[2] == b"three"
    del array[1]
    assert len(array) == len(list(array)) == 48 and array[1] == b"three"
    assert db.cas("k", "", "first") == 1 and db.cas("k", "fir", "second") == 1 and db.cas("k", "x", "y") == 0
    assert db["k"] == b"second"
    limit = db.rate_limit_lua("calls", limit=4, per=60)
    assert [limit.limit("ada") for _ in range(6)] == [False] * 4 + [True] * 2 and not limit.limit("bob")
    inside: list[int] = []

    def step(n: int) -> None:
        with db.lock("only", ttl=20_000):
            inside.append(n)
            assert inside == [n]
            inside.remove(n)

    threads = [threading.Thread(target=step, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = db.lock("only", ttl=20_000)
    assert held.acquire() and not db.lock("only").acquire(block=False) and held.release() and not held.release()


run(session)
