// The records, and the state after each.
//
// The records are parsed chunk by chunk when they are first needed, and a copy of the state is kept
// every so often. So a long run opens at once, and going back folds only from the last copy.

const run = JSON.parse(document.getElementById("run").textContent);
const count = run.count;
const lastStep = Math.max(count - 1, 0);
const chunks = [];

function record(step) {
  const chunk = Math.floor(step / run.chunk);
  if (!chunks[chunk]) {
    chunks[chunk] = JSON.parse(document.getElementById("records-" + chunk).textContent);
  }
  return chunks[chunk][step % run.chunk];
}

const keyframeEvery = Math.max(1000, Math.ceil(count / 50));
// keyframes[k] is the state before record k * keyframeEvery.
const keyframes = [emptyState()];

function stateAfter(step) {
  let from = Math.min(Math.floor((step + 1) / keyframeEvery), keyframes.length - 1);
  let state = copyState(keyframes[from]);
  for (let next = from * keyframeEvery; next <= step; next += 1) {
    fold(state, record(next), isShown);
    keep(state, next + 1);
  }
  return state;
}

// Keeps a copy if the state before record `next` is the next keyframe.
function keep(state, next) {
  if (next === keyframes.length * keyframeEvery) keyframes.push(copyState(state));
}

// Makes the keyframes while the page has nothing else to do, so that the scrubber is quick by the
// time that somebody drags it. It takes a few milliseconds at a time, and whoever presses a key need
// not wait for it.
let preparing = { state: emptyState(), next: 0 };

function prepare() {
  const kept = keyframes.length - 1;
  // A jump may have made some meanwhile.
  if (preparing.next < kept * keyframeEvery) {
    preparing = { state: copyState(keyframes[kept]), next: kept * keyframeEvery };
  }
  const until = performance.now() + 8;
  while (preparing.next < count && performance.now() < until) {
    fold(preparing.state, record(preparing.next), isShown);
    preparing.next += 1;
    keep(preparing.state, preparing.next);
  }
  if (preparing.next < count) setTimeout(prepare, 4);
}
