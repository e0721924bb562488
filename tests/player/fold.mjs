// Holds the page's fold against the states that the Rust fold has made of the same records.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { emptyState, copyState, readyQueue, fold } = createRequire(import.meta.url)("../../src/view/player/fold.js");

function plain(state) {
  const byId = (a, b) => {
    const [[a1, a2 = 0], [b1, b2 = 0]] = [a, b].map((timer) => timer.id.slice("timer ".length).split(".").map(Number));
    return a1 - b1 || a2 - b2;
  };
  const tasks = [...state.tasks.values()].map(({ seen_at, forgotten, dropping, ...task }) => task);
  const { printed, kinds, left, places, own, ...rest } = state;
  return { ...rest, tasks, ready: readyQueue(state), timers: [...state.timers.values()].sort(byId) };
}

let prefixes = 0;
for (const run of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  let state = emptyState();
  const kept = [];
  run.records.forEach((record, at) => {
    if (at % 7 === 0) kept.push([at, copyState(state)]);
    fold(state, record);
    assert.deepEqual(plain(state), run.states[at], `after record ${at}: ${record.says}`);
    prefixes += 1;
  });
  // What was kept to go back from has not changed meanwhile.
  for (const [at, before] of kept) {
    fold(before, run.records[at]);
    assert.deepEqual(plain(before), run.states[at], `again after record ${at}`);
  }
}

// A task in a timeout is where it waits in there, if that is known.
const [spawn, inner, outer] = ["lib.rs:1:1", "lib.rs:2:2", "lib.rs:3:3"];
const limit = { event: "TimerArmed", timer: "timer 1", kind: "Timeout", task: "#0", deadline_ns: 9, place: {} };
const waits = (on, at) => ({ event: "Waits", task: "#0", on, at });
const after = (...told) => {
  const state = emptyState();
  for (const record of [{ event: "Spawned", task: "#0", at: spawn }, { event: "PollStarted", task: "#0" }, ...told]) fold(state, record);
  return state.tasks.get("#0");
};
const seen = (...told) => after(...told).seen_at;
assert.equal(seen(limit, waits({ kind: "Timer", timer: "timer 1" }, outer)), outer);
assert.equal(seen(waits({ kind: "Never" }, inner), limit, waits({ kind: "Timer", timer: "timer 1" }, outer)), inner);
assert.equal(seen(waits({ kind: "Never" }, inner), waits({ kind: "Turn" }, outer)), outer);
// Who gives up waiting for what has one label still waits for what has another.
const [one, other] = ["one", "other"].map((name) => ({ kind: "Labelled", name }));
const { waits: left } = after(waits(one, inner), waits(other, inner), { event: "GaveUp", task: "#0", on: one });
assert.deepEqual(left, [{ on: other, at: inner }]);
console.log(`${prefixes} prefixes are equal`);
