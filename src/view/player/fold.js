"use strict";
// The player's own fold: what the executor looks like after some of its records. It does what
// `State::fold` in src/trace/state.rs does, and a test holds the two equal (tests/player.rs).
//
// Tasks and timers are never changed in place: a changed one replaces the old one. So a copy of a
// state shares them, and keeping a copy every so often, to go back from, costs little. But to what a task waits for
// more is added in place, where no copy shares the list: a task may wait for many thousands of timers.

function emptyState() {
  return {
    time_ns: 0,
    tasks: new Map(),
    // The ready queue, behind those that have left it: if the first one were taken out, all others would move. They
    // take up less room than their records, which stay as well.
    ready: [],
    left: 0,
    // Where in there each task's entry is, so that nobody need look for it.
    places: new Map(),
    running: null,
    timers: new Map(),
    parked: false,
    printed: [],
    // What each timer is for, also those of the past. Of the page alone, and one for all copies: it never changes.
    kinds: new Map(),
    // The lists of waits that no copy shares.
    own: new WeakSet(),
  };
}

function copyState(state) {
  state.own = new WeakSet();
  return {
    ...state,
    tasks: new Map(state.tasks),
    ready: readyQueue(state),
    left: 0,
    // Most copies are only kept: it is made anew where one goes on from there.
    places: null,
    timers: new Map(state.timers),
    printed: state.printed.slice(),
    own: new WeakSet(),
  };
}

// A task's list of waits, to be changed in place.
function ownWaits(state, task) {
  const waits = state.own.has(task.waits) ? task.waits : task.waits.slice();
  state.own.add(waits);
  return waits;
}

function changeTask(state, id, change) {
  const task = state.tasks.get(id);
  if (task) state.tasks.set(id, { ...task, ...change });
}

function changeTimer(state, id, change) {
  const timer = state.timers.get(id);
  if (timer) state.timers.set(id, { ...timer, ...change });
}

// From the front.
function readyQueue(state) {
  return state.ready.slice(state.left);
}

function placesOf(state) {
  state.places ??= new Map(state.ready.map((entry, place) => [entry.task, place]));
  return state.places;
}

// Takes a task's entry out of the queue. If it is not the first, the order is a shuffled one: the
// executor has exchanged it for the first and taken that.
function takeReady(state, id) {
  const places = placesOf(state);
  const place = places.get(id);
  if (place === undefined) return null;
  const entry = state.ready[place];
  const first = state.ready[state.left];
  state.ready[place] = first;
  places.set(first.task, place);
  places.delete(id);
  state.left += 1;
  return entry;
}

function runs(state, id) {
  state.running = id;
  changeTask(state, id, { stage: "running" });
}

function ends(state, id, stage) {
  if (state.running === id) state.running = null;
  changeTask(state, id, { stage, queued: false, waits: [] });
}

function wakes(state, record) {
  const { task: id, by: why, effect, seq: woken_by } = record;
  const task = state.tasks.get(id);
  const entry = { task: id, why, woken_by };
  const aborted = why.kind === "Aborted" && effect !== "Finished";
  if (task) {
    changeTask(state, id, {
      aborted: task.aborted || aborted,
      queued: task.queued || effect === "Queued",
    });
  }
  if (effect === "Queued") {
    placesOf(state).set(id, state.ready.length);
    state.ready.push(entry);
  } else if (aborted && placesOf(state).has(id)) {
    state.ready[placesOf(state).get(id)] = entry;
  }
}

function startsPoll(state, id) {
  const entry = takeReady(state, id);
  runs(state, id);
  const task = state.tasks.get(id);
  if (!task) return;
  const polled = task.aborted ? {} : { polls: task.polls + 1, waits: [] };
  changeTask(state, id, {
    queued: false,
    forgotten: false,
    dropping: task.aborted ? "abort" : null,
    woken_by: entry ? entry.woken_by : null,
    ...polled,
  });
}

// From now on the timer wakes another, and for that one alone it is waited for.
function handsOver(state, timer, to) {
  const former = state.tasks.get(state.timers.get(timer)?.task);
  changeTimer(state, timer, { task: to });
  if (!former || former.id === to) return;
  changeTask(state, former.id, { waits: former.waits.filter(({ on }) => on.timer !== timer) });
}

function sameWait(a, b) {
  return a.kind === b.kind && a.timer === b.timer && a.task === b.task && a.children === b.children
    && a.name === b.name;
}

// A place of which nothing can be shown is that of a future in a box, say: its task was last seen where it was before.
function fold(state, record, isShown = () => true) {
  state.time_ns = record.time_ns;
  const { task, timer } = record;
  switch (record.event) {
    case "Spawned":
      if (state.running) changeTask(state, state.running, { seen_at: record.at });
      state.tasks.set(task, {
        id: task,
        name: record.name,
        kind: record.kind,
        spawned_at: record.at,
        stage: "new",
        queued: false,
        aborted: false,
        waits: [],
        polls: 0,
        wakers: null,
        woken_by: null,
        // Of the page alone, the executor has no such things: where it was last seen, at an await or where it
        // spawned another, for where nothing better is known; whether its waker was forgotten; and whether its
        // running is a drop, after an abort or a verdict or at the executor's end.
        seen_at: record.at,
        forgotten: false,
        dropping: null,
      });
      break;
    case "Woken":
      wakes(state, record);
      break;
    case "PollStarted":
      startsPoll(state, task);
      break;
    case "Dropping":
      runs(state, task);
      changeTask(state, task, { dropping: "end" });
      break;
    case "PassedOver":
      takeReady(state, task);
      break;
    case "Waits": {
      const waiting = state.tasks.get(task);
      if (waiting) {
        const waits = ownWaits(state, waiting);
        // The wait for a time limit is told behind that for what it limits, which says better where the task is.
        const isSaid = state.kinds.get(record.on.timer) === "Timeout" && waits.some(({ at }) => isShown(at));
        const isBetter = isShown(record.at) && !isSaid;
        waits.push({ on: record.on, at: record.at });
        changeTask(state, task, { waits, seen_at: isBetter ? record.at : waiting.seen_at });
      }
      break;
    }
    case "GaveUp": {
      const waiting = state.tasks.get(task);
      const last = waiting ? waiting.waits.findLastIndex(({ on }) => sameWait(on, record.on)) : -1;
      if (last >= 0) {
        const waits = ownWaits(state, waiting);
        waits.splice(last, 1);
        changeTask(state, task, { waits });
      }
      break;
    }
    case "BlockingStarted":
      changeTask(state, task, { stage: "waiting" });
      break;
    case "ForgottenWaker":
      changeTask(state, task, { forgotten: true, wakers: 0 });
      break;
    case "PollEnded":
      state.running = null;
      changeTask(state, task, { stage: "waiting", wakers: record.wakers });
      break;
    case "TimerArmed":
      state.kinds.set(timer, record.kind);
      state.timers.set(timer, {
        id: timer,
        task,
        kind: record.kind,
        deadline_ns: record.deadline_ns,
        place: record.place,
      });
      break;
    case "TimerReset":
      changeTimer(state, timer, { deadline_ns: record.deadline_ns, place: record.place });
      break;
    case "TimerHandedOver":
      handsOver(state, timer, task);
      break;
    case "Cascaded":
      changeTimer(state, timer, { place: record.place });
      break;
    case "TimerFired":
    case "TimerCancelled":
      state.timers.delete(timer);
      break;
    case "Parked":
      state.parked = true;
      break;
    case "Unparked":
      state.parked = false;
      break;
    case "Completed":
      ends(state, task, "done");
      break;
    case "Cancelled":
      ends(state, task, "cancelled");
      break;
    case "Panicked":
      ends(state, task, "panicked");
      break;
    case "Printed":
      state.printed.push({ task, text: record.text });
      break;
  }
}

if (typeof module !== "undefined") module.exports = { emptyState, copyState, readyQueue, fold };
