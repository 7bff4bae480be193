// BullMQ, whose queues are scripts over streams, lists and sorted sets: node bullmq.js HOST PORT. Prints "session done"
// in the end.
const assert = require("node:assert");
const { setTimeout: pause } = require("node:timers/promises");
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");

const range = (count) => Array.from({ length: count }, (_, i) => i);

async function eventually(check, seconds = 30) {
  const end = Date.now() + 1000 * seconds;
  while (!(await check())) {
    assert(Date.now() < end, `still not: ${check}`);
    await pause(20);
  }
}

// A thousand jobs: 700 at once, 150 delayed, 100 that are refused twice, 50 that are refused for ever.
async function manyJobs(made) {
  const queue = made(Queue, "many");
  const events = made(QueueEvents, "many");
  await events.waitUntilReady();
  const seen = { completed: 0, failed: 0, delayed: 0 };
  for (const name of Object.keys(seen)) events.on(name, () => { seen[name] += 1; });
  const late = [];
  const tries = {};
  const worker = made(Worker, "many", async (job) => {
    if (job.name === "square") {
      await job.updateProgress(50);
      if (job.opts.delay) late.push(Date.now() - job.timestamp - job.opts.delay);
      return job.data.n * job.data.n;
    }
    tries[job.data.n] = (tries[job.data.n] || 0) + 1;
    if (job.attemptsMade < job.data.times) throw new Error(`no ${job.data.n}`);
    await job.log(`at last ${job.data.n}`);
    return "ö".repeat(job.data.n);
  }, { concurrency: 10 });
  const jobs = await queue.addBulk(range(700).map((n) => ({ name: "square", data: { n } })));
  jobs.push(...await queue.addBulk(range(150).map((n) => (
    { name: "square", data: { n: 700 + n }, opts: { delay: 200 + 10 * n } }))));
  const again = (type) => ({ attempts: 3, backoff: { type, delay: 20 } });
  const refused = await queue.addBulk(range(100).map((n) => (
    { name: "refuse", data: { n, times: 2 }, opts: again(n % 2 ? "fixed" : "exponential") })));
  const lost = await queue.addBulk(range(50).map((n) => (
    { name: "refuse", data: { n: 100 + n, times: 9 }, opts: again("fixed") })));
  assert.deepEqual(await Promise.all(jobs.map((job) => job.waitUntilFinished(events))), range(850).map((n) => n * n));
  const texts = await Promise.all(refused.map((job) => job.waitUntilFinished(events)));
  assert.deepEqual(texts, range(100).map((n) => "ö".repeat(n)));
  for (const [n, job] of lost.entries()) await assert.rejects(job.waitUntilFinished(events), { message: `no ${100 + n}` });
  assert(late.length === 150 && late.every((ms) => ms >= -5), String(late));
  assert(range(150).every((n) => tries[n] === 3));
  assert.deepEqual((await queue.getJobLogs(refused[7].id)).logs, ["at last 7"]);
  const counts = await queue.getJobCounts("waiting", "active", "completed", "failed", "delayed", "prioritized");
  assert.deepEqual(counts, { waiting: 0, active: 0, completed: 950, failed: 50, delayed: 0, prioritized: 0 });
  await eventually(() => seen.completed === 950 && seen.failed === 50 && seen.delayed >= 150);
  assert.equal((await queue.getJob(lost[0].id)).stacktrace.length, 3);
  await lost[0].retry();
  await assert.rejects(lost[0].waitUntilFinished(events), { message: "no 100" });
  assert.equal((await queue.clean(0, 2000, "completed")).length, 950);
  await lost[0].remove();
  assert.equal(await queue.getFailedCount(), 49);
  await worker.close();
  await queue.obliterate();
  assert.equal(await queue.count(), 0);
}

async function byPriority(made) {
  const queue = made(Queue, "urgent");
  await queue.pause();
  for (const n of range(30)) await queue.add("n", { n }, { priority: 1 + (n % 5) });
  await queue.add("n", { n: 99 });
  assert.deepEqual(await queue.getCountsPerPriority([0, 1, 2, 5, 9]), { 0: 1, 1: 6, 2: 6, 5: 6, 9: 0 });
  const seen = [];
  made(Worker, "urgent", async (job) => { seen.push(job.data.n); });
  await pause(100);
  assert.equal(seen.length, 0);
  await queue.resume();
  await eventually(() => seen.length === 31);
  const inOrder = range(30).sort((one, other) => (one % 5) - (other % 5) || one - other);
  assert.deepEqual(seen, [99, ...inOrder]);
}

async function aWorkerIsLost(made) {
  const queue = made(Queue, "stalled");
  let held = 0;
  const settings = { concurrency: 3, lockDuration: 400, lockRenewTime: 100000, stalledInterval: 300 };
  const lost = made(Worker, "stalled", () => new Promise(() => { held += 1; }), { ...settings, skipStalledCheck: true });
  const jobs = await queue.addBulk(range(10).map((n) => ({ name: "n", data: { n } })));
  await eventually(() => held === 3);
  await lost.close(true);
  let stalled = 0;
  const other = made(Worker, "stalled", async (job) => job.data.n, { ...settings, concurrency: 2 });
  other.on("stalled", () => { stalled += 1; });
  await eventually(async () => (await queue.getCompletedCount()) === 10);
  await eventually(() => stalled === 3);
  const done = await Promise.all(jobs.map((job) => queue.getJob(job.id)));
  assert.deepEqual(done.map((job) => job.returnvalue), range(10));
}

async function limitedAndRepeated(made) {
  const queue = made(Queue, "limited");
  const at = [];
  made(Worker, "limited", async () => { at.push(Date.now()); }, { limiter: { max: 5, duration: 300 } });
  await queue.addBulk(range(12).map((n) => ({ name: "n", data: { n }, opts: { jobId: `job-${n % 11}` } })));
  await eventually(() => at.length === 11);
  assert(at[10] - at[0] >= 2 * 300 - 50, String(at.map((one) => one - at[0])));
  await queue.upsertJobScheduler("tick", { every: 100, limit: 3 });
  await eventually(() => at.length >= 13);
  await queue.removeJobScheduler("tick");
}

async function aTree(made) {
  const queue = made(Queue, "tree");
  const events = made(QueueEvents, "tree");
  await events.waitUntilReady();
  made(Worker, "tree", async (job) => {
    if (job.name === "leaf") return job.data.n;
    return Object.values(await job.getChildrenValues()).reduce((sum, n) => sum + n, 0);
  }, { concurrency: 4 });
  const flow = made(FlowProducer, null);
  const children = range(20).map((n) => ({ name: "leaf", queueName: queue.name, data: { n } }));
  const { job } = await flow.add({ name: "sum", queueName: queue.name, children });
  assert.equal(await job.waitUntilFinished(events), 190);
}

async function main(host, port) {
  const open = [];
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const made = (Kind, name, ...rest) => {
    const work = rest.length && typeof rest[0] === "function" ? [rest.shift()] : [];
    const options = { connection, ...(rest[0] || {}) };
    const thing = name === null ? new Kind(options) : new Kind(name, ...work, options);
    thing.on("error", (error) => { throw error; });
    thing.setMaxListeners?.(0);
    open.push(thing);
    return thing;
  };
  for (const part of [manyJobs, byPriority, aWorkerIsLost, limitedAndRepeated, aTree]) await part(made);
  await Promise.all(open.map((thing) => thing.close(true)));
  console.log("session done");
  process.exit(0);
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exit(1);
});
