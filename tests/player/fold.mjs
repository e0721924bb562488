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
console.log(`${prefixes} prefixes are equal`);
