// One session of ioredis: node session.js HOST PORT. Prints "session done" if all was as it should be.
const assert = require("node:assert");
const Redis = require("ioredis");

async function main() {
  const [host, port] = process.argv.slice(2);
  const client = new Redis(Number(port), host, { connectionName: "node", retryStrategy: () => null });
  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.client("GETNAME"), "node");

  assert.equal(await client.set("text", "grüße"), "OK");
  assert.equal(await client.get("text"), "grüße");
  assert.equal(await client.get("none"), null);
  assert.equal(await client.set("text", "x", "NX"), null);
  assert.equal(await client.set("text", "neu", "EX", 100, "XX", "GET"), "grüße");
  const binary = Buffer.from(Array.from({ length: 70000 }, (_, i) => i % 256));
  assert.equal(await client.set("binary", binary), "OK");
  assert.ok(binary.equals(await client.getBuffer("binary")));

  const ttl = await client.ttl("text");
  assert.ok(ttl > 90 && ttl <= 100);
  assert.equal(await client.persist("text"), 1);
  assert.equal(await client.pexpire("text", 30), 1);
  await new Promise((done) => setTimeout(done, 60));
  assert.equal(await client.exists("text"), 0);

  assert.equal(await client.incr("n"), 1);
  assert.equal(await client.incrby("n", 41), 42);
  assert.equal(await client.incrbyfloat("f", 1.5), "1.5");
  assert.equal(await client.mset({ a: "1", b: "2" }), "OK");
  assert.deepEqual(await client.mget("a", "none", "b"), ["1", null, "2"]);
  assert.equal(await client.append("a", "23"), 3);
  assert.equal(await client.getrange("a", 1, -1), "23");

  for (let i = 0; i < 300; i++) client.set("scan:" + i, i);
  const seen = new Set();
  for await (const keys of client.scanStream({ match: "scan:*", count: 50, type: "string" }))
    keys.forEach((key) => seen.add(key));
  assert.equal(seen.size, 300);

  const pipeline = client.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.incr("p");
  const replies = await pipeline.exec();
  assert.deepEqual(replies[999], [null, 1000]);

  const group = await client.multi().set("m", "1").incr("m").lpush("m", "x").get("m").exec();
  assert.deepEqual([group[0], group[1], group[3]], [[null, "OK"], [null, 2], [null, "2"]]);
  assert.match(group[2][0].message, /^WRONGTYPE/);
  await client.watch("m");
  const other = client.duplicate();
  await other.set("m", "5");
  assert.equal(await client.multi().incr("m").exec(), null);
  other.disconnect();

  await client.select(3);
  assert.equal(await client.get("a"), null);
  await client.select(0);
  await assert.rejects(client.call("NONESUCH", "a"), /unknown command 'NONESUCH', with args beginning with: 'a'/);
  await assert.rejects(client.incr("binary"), /not an integer or out of range/);
  await assert.rejects(client.call("SET", "k"), /wrong number of arguments for 'set' command/);
  assert.equal(await client.quit(), "OK");
  console.log("session done");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
