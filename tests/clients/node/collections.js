// Collections with ioredis and with node-redis: node collections.js HOST PORT. Prints "session done" in the end.
const assert = require("node:assert");
const Redis = require("ioredis");
const { createClient } = require("redis");

const byCode = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
const many = (count, name) => Array.from({ length: count }, (_, i) => name + i);

async function collected(stream) {
  const found = [];
  for await (const page of stream) found.push(...page);
  return found;
}

async function ofIoredis(host, port) {
  const client = new Redis(Number(port), host, { retryStrategy: () => null });
  const other = client.duplicate();
  await client.flushall();

  assert.equal(await client.hset("h", { name: "Ada", n: 5, f: "1.5" }), 3);
  assert.deepEqual(await client.hgetall("h"), { name: "Ada", n: "5", f: "1.5" });
  assert.deepEqual(await client.hmget("h", "name", "none"), ["Ada", null]);
  assert.equal(await client.hincrby("h", "n", 37), 42);
  assert.equal(await client.hincrbyfloat("h", "f", 0.25), "1.75");
  assert.equal(await client.hsetnx("h", "name", "x"), 0);
  assert.deepEqual((await client.hkeys("h")).sort(byCode), ["f", "n", "name"]);
  assert.equal(await client.hdel("h", "n", "none"), 1);
  await client.hset("large", Object.fromEntries(many(2000, "f").map((name) => [name, name.toUpperCase()])));
  const fields = await collected(client.hscanStream("large", { match: "f1*", count: 100 }));
  assert.equal(new Set(fields.filter((_, i) => i % 2 === 0)).size, 1111);
  assert.equal(Object.keys(await client.hgetall("large")).length, 2000);

  assert.equal(await client.rpush("l", ...many(1000, "e")), 1000);
  assert.equal(await client.lpush("l", "first"), 1001);
  assert.deepEqual(await client.lrange("l", 0, 2), ["first", "e0", "e1"]);
  assert.equal(await client.lindex("l", 500), "e499");
  assert.equal(await client.linsert("l", "BEFORE", "e0", "half"), 1002);
  assert.equal(await client.lset("l", -1, "last"), "OK");
  assert.deepEqual(await client.lpop("l", 2), ["first", "half"]);
  assert.equal(await client.lmove("l", "done", "RIGHT", "LEFT"), "last");
  assert.equal(await client.lrem("l", 0, "e5"), 1);
  assert.equal(await client.lpos("l", "e10"), 9);
  assert.equal(await client.ltrim("l", 0, 9), "OK");
  assert.equal(await client.llen("l"), 10);

  const waits = client.blpop("jobs", "more", 5);
  setTimeout(() => other.rpush("more", "work"), 30);
  assert.deepEqual(await waits, ["more", "work"]);
  assert.equal(await client.blpop("jobs", 0.05), null);
  const moves = client.blmove("jobs", "taken", "LEFT", "RIGHT", 5);
  setTimeout(() => other.rpush("jobs", "a", "b"), 30);
  assert.equal(await moves, "a");
  const lowest = client.bzpopmin("line", 5);
  setTimeout(() => other.zadd("line", 2, "late", 1, "soon"), 30);
  assert.deepEqual(await lowest, ["line", "soon", "1"]);

  assert.equal(await client.sadd("s", ..."abcde"), 5);
  assert.equal(await client.sadd("t", ..."defg"), 4);
  assert.deepEqual((await client.sinter("s", "t")).sort(byCode), ["d", "e"]);
  assert.equal(await client.sunionstore("u", "s", "t"), 7);
  assert.deepEqual((await client.sdiff("s", "t")).sort(byCode), ["a", "b", "c"]);
  assert.deepEqual(await client.smismember("s", "a", "z"), [1, 0]);
  assert.equal(await client.smove("s", "t", "a"), 1);
  assert.equal((await client.srandmember("u", -20)).length, 20);
  assert.equal((await client.spop("u", 3)).length, 3);
  await client.sadd("many", ...many(3000, "m"));
  assert.equal(new Set(await collected(client.sscanStream("many", { count: 100 }))).size, 3000);

  await client.zadd("z", ...many(500, "p").flatMap((name, i) => [i, name]));
  assert.equal(await client.zadd("z", "GT", "CH", 1000, "p0", 1, "p400"), 1);
  assert.deepEqual(await client.zrange("z", 0, 1, "WITHSCORES"), ["p1", "1", "p2", "2"]);
  assert.deepEqual(await client.zrangebyscore("z", "(498", "+inf"), ["p499", "p0"]);
  assert.deepEqual(await client.zrevrange("z", 0, 0), ["p0"]);
  assert.equal(await client.zincrby("z", 0.5, "p7"), "7.5");
  assert.equal(await client.zrank("z", "p7"), 6);
  assert.equal(await client.zscore("z", "none"), null);
  assert.equal(await client.zremrangebyrank("z", 0, 9), 10);
  assert.deepEqual(await client.zpopmax("z"), ["p0", "1000"]);
  assert.equal(new Set((await collected(client.zscanStream("z"))).filter((_, i) => i % 2 === 0)).size, 489);
  assert.equal(await client.zunionstore("zu", 2, "z", "line", "WEIGHTS", 1, 100), 490);

  const pipeline = client.pipeline();
  for (let i = 0; i < 500; i++) pipeline.hincrby("counts", "n", 1).rpush("log", i).zincrby("board", i, "x").sadd("all", i % 7);
  const replies = await pipeline.exec();
  assert.deepEqual(replies.slice(-4), [[null, 500], [null, 500], [null, "124750"], [null, 0]]);
  const group = await client.multi().hset("h", "a", 1).lpush("h", "x").smembers("none").zadd("z", 1, "a").hget("h", "a").exec();
  assert.deepEqual([group[0], group[2], group[3], group[4]], [[null, 1], [null, []], [null, 1], [null, "1"]]);
  assert.match(group[1][0].message, /^WRONGTYPE/);
  await client.watch("l");
  await other.rpush("l", "changed");
  assert.equal(await client.multi().lpop("l").exec(), null);
  await assert.rejects(client.zadd("z", "NX", "GT", 1, "a"), /GT, LT, and\/or NX options at the same time are not compatible/);
  other.disconnect();
  client.disconnect();
}

async function ofNodeRedis(host, port, version) {
  const client = createClient({ socket: { host, port: Number(port), reconnectStrategy: false }, RESP: version });
  await client.connect();
  const other = client.duplicate();
  await other.connect();
  await client.flushAll();

  assert.equal(await client.hSet("h", { name: "Ada", n: 5 }), 2);
  assert.deepEqual({ ...(await client.hGetAll("h")) }, { name: "Ada", n: "5" });
  assert.equal(await client.hIncrBy("h", "n", 37), 42);
  assert.deepEqual(await client.hmGet("h", ["name", "none"]), ["Ada", null]);
  assert.equal(await client.hExists("h", "name").then(Number), 1);
  await client.hSet("large", Object.fromEntries(many(2000, "f").map((name) => [name, name])));
  let fields = 0;
  for await (const page of client.hScanIterator("large", { COUNT: 100 })) fields += page.length;
  assert.equal(fields, 2000);

  assert.equal(await client.rPush("l", many(1000, "e")), 1000);
  assert.deepEqual(await client.lRange("l", 998, -1), ["e998", "e999"]);
  assert.equal(await client.lInsert("l", "AFTER", "e0", "new"), 1001);
  assert.deepEqual(await client.lPopCount("l", 2), ["e0", "new"]);
  assert.equal(await client.lMove("l", "done", "RIGHT", "LEFT"), "e999");
  const waits = other.blPop(["jobs", "more"], 5);
  setTimeout(() => client.rPush("more", "work"), 30);
  assert.deepEqual({ ...(await waits) }, { key: "more", element: "work" });
  const lowest = other.bzPopMin("line", 5);
  setTimeout(() => client.zAdd("line", [{ score: 2, value: "late" }, { score: 1, value: "soon" }]), 30);
  assert.deepEqual({ ...(await lowest) }, { key: "line", value: "soon", score: 1 });
  assert.equal(await other.blPop("jobs", 0.05), null);

  await client.sAdd("s", ["a", "b", "c"]);
  await client.sAdd("t", ["c", "d"]);
  assert.deepEqual(await client.sInter(["s", "t"]), ["c"]);
  assert.deepEqual((await client.sMembers("s")).sort(byCode), ["a", "b", "c"]);
  assert.deepEqual((await client.smIsMember("s", ["a", "z"])).map(Number), [1, 0]);
  assert.equal(await client.sInterCard(["s", "t"]), 1);

  assert.equal(await client.zAdd("z", many(500, "p").map((value, score) => ({ score, value }))), 500);
  const top = await client.zRangeWithScores("z", 0, 1, { REV: true });
  assert.deepEqual(top.map((each) => ({ ...each })), [{ value: "p499", score: 499 }, { value: "p498", score: 498 }]);
  assert.deepEqual(await client.zRange("z", "(497", "+inf", { BY: "SCORE", LIMIT: { offset: 1, count: 5 } }), ["p499"]);
  assert.equal(await client.zIncrBy("z", 0.5, "p7"), 7.5);
  assert.equal(await client.zScore("z", "none"), null);
  assert.equal(await client.zRank("z", "p7"), 7);
  assert.equal(await client.zUnionStore("zu", [{ key: "z", weight: 1 }, { key: "line", weight: 10 }]), 501);
  let members = 0;
  for await (const page of client.zScanIterator("zu")) members += page.length;
  assert.equal(members, 501);

  const replies = await Promise.all(many(1000, "").map((_, i) => client.rPush("log", String(i))));
  assert.equal(replies[999], 1000);
  const group = await client.multi().hSet("h", "a", "1").lLen("log").zCard("z").sAdd("s", "new").exec();
  assert.deepEqual(group, [1, 1000, 500, 1]);
  await client.watch("l");
  await other.rPush("l", "changed");
  await assert.rejects(client.multi().lPop("l").exec(), /watched keys has been changed/i);
  await assert.rejects(client.lPush("h", "x"), /^.*WRONGTYPE/);
  other.destroy();
  client.destroy();
}

async function main() {
  const [host, port] = process.argv.slice(2);
  await ofIoredis(host, port);
  for (const version of [2, 3]) await ofNodeRedis(host, port, version);
  console.log("session done");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
