// A ready queue of very many tasks is folded in a time that grows with their number, and not with its square.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { emptyState, copyState, readyQueue, fold } = createRequire(import.meta.url)("../../src/view/player/fold.js");

const count = 50_000;
const ids = Array.from({ length: count }, (_, at) => "#" + at);
const woken = (by, effect) => ids.map((task) => ({ event: "Woken", task, by: { kind: by }, effect }));
// In a shuffled order the last may be taken first.
const middle = count / 2;
const polled = [...ids.slice(0, middle), ...ids.slice(middle).reverse()];
const records = [
  ...ids.map((task) => ({ event: "Spawned", task })),
  ...woken("Spawned", "Queued"),
  ...woken("Aborted", "AlreadyQueued"),
  ...polled.flatMap((task) => ["PollStarted", "Cancelled"].map((event) => ({ event, task }))),
];
records.forEach((record, seq) => { record.seq = seq; });

const kept = [];
let state = emptyState();
const start = performance.now();
for (const record of records) {
  // As in the page, one goes on from a copy now and then.
  if (record.seq % (records.length / 10) === 0) state = copyState(state);
  fold(state, record);
  if (record.seq === 3 * count - 1) kept.push(...readyQueue(state));
}
const tookMs = performance.now() - start;
assert.deepEqual(kept.map((entry) => entry.task), ids);
assert.ok(kept.every((entry) => entry.why.kind === "Aborted" && entry.woken_by >= 2 * count), "the abort is why");
assert.deepEqual(readyQueue(state), []);
assert.ok([...state.tasks.values()].every((task) => task.woken_by >= 2 * count), "each was polled because of it");
console.log(`${records.length} records with a queue of ${count}: ${tookMs.toFixed(0)} ms`);
// Generous, for machines that are slow or busy.
assert.ok(tookMs < 5000, `it took ${tookMs.toFixed(0)} ms`);
