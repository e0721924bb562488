// What tasks, times and causes are called in the page: as in the story.

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// A time on the executor's clock, as exactly as the story tells it. Its unit does not go to the next line.
function seconds(ns) {
  const unit = 10 ** run.digits;
  return (Math.floor(ns / (1e9 / unit)) / unit).toFixed(run.digits) + "\u00a0s";
}

// How long something took.
function span(ns) {
  if (ns < 1e3) return ns + "\u00a0ns";
  if (ns < 1e6) return Math.floor(ns / 1e3) + "\u00a0us";
  if (ns < 1e9) return (Math.floor(ns / 1e5) / 10).toFixed(1) + "\u00a0ms";
  return (Math.floor(ns / 1e6) / 1e3).toFixed(3) + "\u00a0s";
}

// A long name without its middle.
function label(id) {
  return run.cut_names[id] || run.names[id] || id;
}

// The last record of an event of a timer, from the one at `at` back.
function before(at, event, timer) {
  while (at >= 0 && !(record(at).event === event && record(at).timer === timer)) at -= 1;
  return at >= 0 ? record(at) : null;
}

// What a timer is for, and when.
function deadline(timer) {
  const at = seconds(timer.deadline_ns);
  switch (timer.kind) {
    case "Timeout": return "its time limit at " + at;
    case "Interval": return "its timer for the tick at " + at;
    default: return "its timer for " + at;
  }
}

// The cause of a wake, of which the record is at `wake`.
function why(cause, wake) {
  switch (cause.kind) {
    case "Spawned": return "it is new";
    case "Timer": {
      const fired = before(wake, "TimerFired", cause.timer);
      if (!fired) return "its " + cause.timer + " fired";
      const timer = { ...fired, kind: state.kinds.get(cause.timer) };
      const late = fired.now_ns - fired.deadline_ns;
      const came = deadline(timer) + (timer.kind === "Timeout" ? " was reached" : " fired");
      return came + (late > 0 ? ", " + span(late) + " late" : "");
    }
    case "Task": return label(cause.task) + " woke it";
    case "Itself": return "it woke itself";
    case "OtherThread": return "another thread woke it";
    case "NotRunning": return "it was woken while its executor did not run";
    case "Outside": return "it was woken while no task was running";
    case "Joined": return label(cause.task) + ", which it awaits, has ended";
    case "Aborted": return "it was aborted";
    default: return cause.kind;
  }
}

function waitsFor(on) {
  switch (on.kind) {
    case "Timer": {
      // If it is there no more, it has just fired.
      return deadline(state.timers.get(on.timer) || { ...lastHappened(), kind: state.kinds.get(on.timer) });
    }
    case "Never": return "a deadline that never comes";
    case "Task": return label(on.task) + " to end";
    case "AnyTask": return "any task of its set to end";
    case "Elsewhere": return "a task of another executor";
    case "Turn": return "its next turn";
    case "Children": return on.children + (on.children === 1 ? " joined future" : " joined futures");
    case "Blocking": return "its closure on another thread";
    case "Labelled": return on.name;
    default: return on.kind;
  }
}

// The waits that go on. One may have been given up in the same poll: that of a timeout that was up.
// What the executor has just ended is still waited for: the wake follows.
function waitsOf(task) {
  const now = lastHappened();
  return task.waits.filter(({ on }) => {
    if (on.kind === "Timer") {
      return state.timers.has(on.timer) || (now.event === "TimerFired" && now.timer === on.timer);
    }
    if (on.kind === "Task") {
      const awaited = state.tasks.get(on.task);
      return awaited && (!isOver(awaited) || (now.task === on.task && endsTask.has(now.event)));
    }
    return true;
  });
}

const endsTask = new Set(["Completed", "Cancelled", "Panicked"]);

// What the executor did last. An observer's own lines come in between, and a finding about the poll that has just ended.
function lastHappened() {
  let at = step;
  while (at > 0 && ["Printed", "LongPoll", "LogFull", "LogEnded"].includes(record(at).event)) at -= 1;
  return record(at);
}

// In a sentence so many things are named that a task waits for.
const NAMED = 20;

// All that a task waits for, in words: each once, also if it was polled at several places or again and again. Some of
// a join's futures may not have been polled again: so a join of many says how many there are.
function waits(task) {
  const told = new Set();
  // Which set it was nobody knows but by its place. And a join is told by the number of its futures, which two may have
  // in common.
  const isNew = ({ on, at }) => {
    const one = on.timer || on.task || on.kind + (on.name ?? "") + at;
    return on.kind === "Children" || (!told.has(one) && told.add(one));
  };
  const all = waitsOf(task).filter(isNew);
  const last = all[all.length - 1];
  if (!last && task.kind === "Blocking") return waitsFor({ kind: "Blocking" });
  // Where nobody outside has its waker, it has left its id with a timer or a task in an earlier poll.
  if (!last) return task.wakers === 0 ? "what it has waited for before" : "a future that is not watchglass's";
  if (last.on.kind === "Children") return waitsFor(last.on);
  // What has a time limit is waited for, too.
  const untold = all.every((wait) => state.kinds.get(wait.on.timer) === "Timeout");
  const words = all.slice(0, NAMED).map((wait) => waitsFor(wait.on));
  if (all.length > NAMED) words.push(all.length - NAMED + " more");
  return (untold ? "a future that is not watchglass's and " : "") + words.join(" and ");
}

// What comes after "waiting".
function waitingFor(task) {
  if (task.kind === "Blocking") return " until it has run on another thread";
  return isForgotten(task) ? ", and nobody has its waker" : " for " + waits(task);
}

// True if the executor has nobody who could wake it. After its first poll that is so before it is told.
function isForgotten(task) {
  return (task.forgotten || (task.polls === 1 && task.wakers === 0)) && waitsOf(task).length === 0;
}

function isOver(task) {
  return task.stage === "done" || task.stage === "cancelled" || task.stage === "panicked";
}

const places = new Map();

// Asked for again and again, of many tasks at one line.
function placeOf(at) {
  if (!places.has(at)) {
    const parts = at.split(":");
    places.set(at, { file: parts.slice(0, -2).join(":"), line: Number(parts[parts.length - 2]) });
  }
  return places.get(at);
}
