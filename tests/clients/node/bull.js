// Bull, whose queues are scripts: node bull.js HOST PORT. Prints "session done" in the end.
const assert = require("node:assert");
const { once } = require("node:events");
const { setTimeout: pause } = require("node:timers/promises");
const Queue = require("bull");

const range = (count) => Array.from({ length: count }, (_, i) => i);

async function eventually(check, seconds = 20) {
  const end = Date.now() + 1000 * seconds;
  while (!(await check())) {
    assert(Date.now() < end, `still not: ${check}`);
    await pause(20);
  }
}

async function manyJobs(made) {
  const queue = made("many");
  const tries = {};
  const late = [];
  queue.process("square", 10, async (job) => {
    await job.progress(50);
    if (job.opts.delay) late.push(Date.now() - job.timestamp - job.opts.delay);
    return job.data.n * job.data.n;
  });
  queue.process("refuse", 5, async (job) => {
    tries[job.data.n] = (tries[job.data.n] || 0) + 1;
    if (job.attemptsMade < job.data.times) throw new Error(`no ${job.data.n}`);
    await job.log(`at last ${job.data.n}`);
    return "ö".repeat(job.data.n);
  });
  const jobs = await queue.addBulk(range(800).map((n) => ({ name: "square", data: { n } })));
  for (const n of range(100)) jobs.push(await queue.add("square", { n: 800 + n }, { delay: 200 + 10 * n }));
  const results = await Promise.all(jobs.map((job) => job.finished()));
  assert.deepEqual(results, range(900).map((n) => n * n));
  assert(late.length === 100 && late.every((ms) => ms >= -5), String(late));

  const again = { attempts: 3, backoff: { type: "fixed", delay: 50 } };
  const refused = await Promise.all(range(50).map((n) => queue.add("refuse", { n, times: 2 }, again)));
  assert.deepEqual(await Promise.all(refused.map((job) => job.finished())), range(50).map((n) => "ö".repeat(n)));
  assert.deepEqual((await queue.getJobLogs(refused[7].id)).logs, ["at last 7"]);
  const lost = await Promise.all(range(10).map((n) => queue.add("refuse", { n: 100 + n, times: 9 }, again)));
  for (const [n, job] of lost.entries()) await assert.rejects(job.finished(), { message: `no ${100 + n}` });
  assert(range(50).every((n) => tries[n] === 3) && range(10).every((n) => tries[100 + n] === 3));

  const counts = { waiting: 0, active: 0, completed: 950, failed: 10, delayed: 0, paused: 0 };
  assert.deepEqual(await queue.getJobCounts(), counts);
  assert.equal((await queue.getJob(lost[0].id)).stacktrace.length, 3);
  assert.equal((await queue.clean(0, "completed")).length, 950);
  await lost[0].remove();
  assert.equal(await queue.getFailedCount(), 9);
  await queue.obliterate();
  assert.equal(await queue.count(), 0);
}

async function byPriority(made) {
  const queue = made("urgent");
  await queue.pause();
  for (const n of range(30)) await queue.add({ n }, { priority: 1 + (n % 5) });
  await queue.add({ n: 99 }, { lifo: true });
  assert.deepEqual(await queue.getCountsPerPriority([1, 2, 5, 9]), { 1: 6, 2: 6, 5: 6, 9: 0 });
  const seen = [];
  queue.process(async (job) => seen.push(job.data.n));
  await queue.resume();
  await eventually(() => seen.length === 31);
  const inOrder = range(30).sort((one, other) => (one % 5) - (other % 5) || one - other);
  assert.deepEqual(seen.filter((n) => n !== 99), inOrder);
}

async function aWorkerIsLost(made) {
  const settings = { settings: { lockDuration: 300, lockRenewTime: 10000, stalledInterval: 200 } };
  const [lost, other] = [made("stalled", settings), made("stalled", settings)];
  let held = 0;
  lost.process(3, () => new Promise(() => { held += 1; }));
  const jobs = await Promise.all(range(10).map((n) => lost.add({ n })));
  await eventually(() => held === 3);
  await lost.close(true);
  let stalled = 0;
  other.on("stalled", () => { stalled += 1; });
  other.process(2, async (job) => job.data.n);
  await eventually(async () => (await other.getCompletedCount()) === 10);
  assert.equal(stalled, 3);
  assert.deepEqual((await Promise.all(jobs.map((job) => other.getJob(job.id)))).map((job) => job.returnvalue), range(10));
}

async function limited(made) {
  const queue = made("limited", { limiter: { max: 5, duration: 300 } });
  const at = [];
  queue.process(async () => at.push(Date.now()));
  await queue.addBulk(range(12).map((n) => ({ data: { n }, opts: { jobId: `job${n % 11}` } })));
  await queue.add({ n: 0 }, { repeat: { every: 100, limit: 2 } });
  await eventually(() => at.length === 13);
  assert(at[12] - at[0] >= 2 * 300 - 50, String(at.map((one) => one - at[0])));
}

async function main(host, port) {
  const queues = [];
  const made = (name, options = {}) => {
    const queue = new Queue(name, { redis: { host, port: Number(port) }, ...options });
    queue.setMaxListeners(0);
    queue.on("error", (error) => { throw error; });
    queues.push(queue);
    return queue;
  };
  for (const part of [manyJobs, byPriority, aWorkerIsLost, limited]) await part(made);
  await Promise.all(queues.map((queue) => queue.close(true)));
  console.log("session done");
  process.exit(0);
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exit(1);
});
