// The page: shows the state after the chosen record, and goes to others.
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

// ---- the state after each step

const keyframeEvery = Math.max(1000, Math.ceil(count / 50));
// keyframes[k] is the state before record k * keyframeEvery.
const keyframes = [emptyState()];

function stateAfter(step) {
  let from = Math.min(Math.floor((step + 1) / keyframeEvery), keyframes.length - 1);
  let state = copyState(keyframes[from]);
  for (let next = from * keyframeEvery; next <= step; next += 1) {
    fold(state, record(next));
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
    fold(preparing.state, record(preparing.next));
    preparing.next += 1;
    keep(preparing.state, preparing.next);
  }
  if (preparing.next < count) setTimeout(prepare, 4);
}

// ---- words

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

function label(id) {
  return run.names[id] || id;
}

// The cause of a wake, of which the record is at `wake`.
function why(cause, wake) {
  switch (cause.kind) {
    case "Spawned": return "it is new";
    case "Timer": {
      // It has fired just before.
      const fired = (at) => record(at).event === "TimerFired" && record(at).timer === cause.timer;
      let at = wake;
      while (at > 0 && !fired(at)) at -= 1;
      return fired(at) ? "its timer for " + seconds(record(at).deadline_ns) + " fired" : "its " + cause.timer + " fired";
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
      const timer = state.timers.get(on.timer) || lastHappened();
      return "its timer for " + seconds(timer.deadline_ns);
    }
    case "Never": return "a deadline that never comes";
    case "Task": return label(on.task) + " to end";
    case "AnyTask": return "any task of its set to end";
    case "Elsewhere": return "a task of another executor";
    case "Turn": return "its next turn";
    case "Children": return on.children + (on.children === 1 ? " joined future" : " joined futures");
    case "Blocking": return "its closure on another thread";
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

// What the executor did last. An observer's own lines come in between.
function lastHappened() {
  let at = step;
  while (at > 0 && record(at).event === "Printed") at -= 1;
  return record(at);
}

// All that a task waits for, in words. Some of a join's futures may not have been polled again: so a
// join of many says how many there are.
function waits(task) {
  const all = waitsOf(task);
  const last = all[all.length - 1];
  if (!last) return "something that is not watchglass's";
  if (last.on.kind === "Children") return waitsFor(last.on);
  return all.map((wait) => waitsFor(wait.on)).join(" and ");
}

function isOver(task) {
  return task.stage === "done" || task.stage === "cancelled" || task.stage === "panicked";
}

function placeOf(at) {
  const parts = at.split(":");
  return { file: parts.slice(0, -2).join(":"), line: Number(parts[parts.length - 2]) };
}

// ---- going somewhere

let step = 0;
let state = emptyState();
// The task that the last poll at or before this step was of, and that step.
let polled = null;

// The address follows a moment later. With a key that is held down it would change too often:
// of more than 200 changes in some seconds Chromium ignores most.
let addressTimer = null;

function writeAddress() {
  clearTimeout(addressTimer);
  addressTimer = null;
  const hash = "#step=" + step;
  if (location.hash !== hash) history.replaceState(null, "", hash);
}

function writeAddressSoon() {
  if (addressTimer === null) addressTimer = setTimeout(writeAddress, 250);
}

// Somewhere else: the browser's Back leads back here.
function jump(to) {
  if (to === null || to === undefined || to === step) return;
  writeAddress();
  history.pushState(null, "", "#step=" + to);
  go(to);
}

function go(to) {
  chosenFile = false;
  step = Math.min(Math.max(Math.trunc(to) || 0, 0), lastStep);
  state = count > 0 ? stateAfter(step) : emptyState();
  polled = lastPoll();
  show();
  writeAddressSoon();
}

function lastPoll() {
  for (let at = step; at >= 0; at -= 1) {
    const found = count > 0 && record(at);
    if (found && found.event === "PollStarted") return { task: found.task, step: at };
  }
  return null;
}

function nextPoll(task) {
  for (let at = step + 1; at < count; at += 1) {
    const found = record(at);
    if (found.event === "PollStarted" && (task === null || found.task === task)) return at;
  }
  return null;
}

const lastPollOfAll = Object.values(run.last_polls).reduce((last, at) => Math.max(last, at), -1);

// Whether there is a further one. The last of each is known, so that nobody need look for it.
function isPolledAgain(task) {
  return run.last_polls[task] > step;
}

// The wake that led to the last poll: the record that queued its task.
function wakeOfPoll() {
  const task = polled && state.tasks.get(polled.task);
  return task ? task.woken_by : null;
}

function goIfAny(to) {
  if (to !== null && to !== undefined) go(to);
}

// The task whose next poll is asked for: the one that is woken here, or the one that was polled last.
function followed() {
  const now = count > 0 ? record(step) : {};
  const isWoken = now.event === "Woken" && now.effect !== "Finished";
  return isWoken ? now.task : polled && polled.task;
}

// ---- showing

const rowsShown = 100;
const timersShown = 12;
// The colours of a terminal, say: an escape, "[", and then numbers and a letter.
const terminalCodes = /\x1b\[[0-9;?]*[A-Za-z]/g;
const badEvents = new Set(["LongPoll", "ForgottenWaker", "Spinning", "Stalled", "Panicked"]);

function show() {
  const now = count > 0 ? record(step) : { says: "nothing was recorded", event: "" };
  const says = document.getElementById("says");
  says.textContent = now.says;
  says.className = badEvents.has(now.event) ? "bad" : "";
  says.scrollTop = 0;
  // The keys come to it if there is something to scroll.
  says.tabIndex = says.scrollHeight > says.clientHeight ? 0 : -1;
  const parked = state.parked ? " · the thread is parked" : "";
  document.getElementById("position").textContent =
    "step " + step + " of " + lastStep + " · " + seconds(state.time_ns) + parked;
  document.getElementById("number").value = step;
  const scrubber = document.getElementById("scrubber");
  scrubber.value = step;
  scrubber.setAttribute("aria-valuetext", "step " + step + ", " + seconds(state.time_ns));
  for (const id of ["first", "back"]) allow(document.getElementById(id), step > 0);
  for (const id of ["forward", "last"]) allow(document.getElementById(id), step < lastStep);
  const wake = wakeOfPoll();
  allow(document.getElementById("wake"), wake !== null && wake !== step);
  allow(document.getElementById("poll"), step < lastPollOfAll);
  // What gets the focus is not to be below it.
  const above = document.getElementById("now");
  const isSticky = getComputedStyle(above).position === "sticky";
  document.documentElement.style.scrollPaddingTop = isSticky ? above.offsetHeight + "px" : "";
  showPlace();
  showTasks();
  showReady();
  showWheel();
  showPrinted();
  showSource(now);
}

// A button that is disabled loses the focus; one that only says so keeps it.
function allow(button, may) {
  button.setAttribute("aria-disabled", String(!may));
}

// Fills a list anew. The focus stays with its task, or if that is no longer there, in the list.
function refill(list, ...children) {
  const focused = list.contains(document.activeElement) && document.activeElement.dataset.task;
  list.replaceChildren(...children);
  if (!focused) return;
  const again = list.querySelector('[data-task="' + CSS.escape(focused) + '"]');
  (again || list).focus({ preventScroll: true });
}

// ---- the timeline

const picture = document.querySelector("#picture svg");

function beginTimeline() {
  const shown = document.getElementById("picture");
  document.getElementById("timeline").hidden = shown.textContent.trim() === "";
  document.getElementById("click").hidden = !picture;
  if (!picture) return;
  picture.addEventListener("click", (event) => {
    // The keys are to step on from there, and not to scroll the picture.
    document.activeElement.blur();
    const box = picture.getBoundingClientRect();
    jump(stepAt(((event.clientX - box.left) / box.width) * picture.viewBox.baseVal.width));
  });
}

// The first of the steps that lie nearest.
function stepAt(x) {
  let best = 0;
  run.places.forEach((place, at) => {
    if (Math.abs(place - x) < Math.abs(run.places[best] - x)) best = at;
  });
  return best;
}

function showPlace() {
  const playhead = document.getElementById("playhead");
  if (!playhead) return;
  for (const end of ["x1", "x2"]) playhead.setAttribute(end, run.places[step]);
  // On a narrow screen a part of the picture is shown: that of the playhead.
  const shown = document.getElementById("picture");
  const x = (run.places[step] / picture.viewBox.baseVal.width) * shown.scrollWidth;
  if (x < shown.scrollLeft || x > shown.scrollLeft + shown.clientWidth) shown.scrollLeft = x - shown.clientWidth / 2;
  // Lanes stand in the order of the tasks. Of many, that of the last poll is shown.
  const lane = polled && picture.querySelectorAll(".name")[[...state.tasks.keys()].indexOf(polled.task)];
  if (!lane) return;
  const top = lane.getBoundingClientRect().top - shown.getBoundingClientRect().top;
  if (top < 0 || top > shown.clientHeight - 30) shown.scrollTop += top - shown.clientHeight / 2;
}

function showTasks() {
  const all = [...state.tasks.values()];
  const shown = all.length <= rowsShown ? all : mostOf(all);
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const title of ["Task", "State", "Polls"]) {
    const cell = element("th", title);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const task of shown) body.append(taskRow(task));
  const place = document.getElementById("tasks");
  const more = all.length - shown.length;
  const rest = more > 0 ? [element("p", "and " + more + " more", "none")] : [];
  refill(place, all.length > 0 ? table : element("p", "none yet", "none"), ...rest);
  scrollToRow(place, place.querySelector(".running"));
}

// Of many tasks so many as there are rows, in their order: the one that runs, the one that something
// happened to, those in the ready queue, and then the first that are not over.
function mostOf(all) {
  const ids = [state.running, lastHappened().task, ...state.ready.map((entry) => entry.task)];
  const first = ids.map((id) => state.tasks.get(id)).filter((task) => task);
  const unfinished = all.filter((task) => !isOver(task));
  const chosen = new Set([...new Set([...first, ...unfinished])].slice(0, rowsShown));
  return all.filter((task) => chosen.has(task));
}

// In its panel alone: the page stays where it is.
function scrollToRow(place, row) {
  if (!row) return;
  const seen = place.getBoundingClientRect();
  const box = row.getBoundingClientRect();
  if (box.top < seen.top || box.bottom > seen.bottom) place.scrollTop += box.top - seen.top - seen.height / 3;
}

function taskRow(task) {
  const row = element("tr", undefined, isOver(task) ? "over" : task.stage);
  // The program may print the id.
  const name = element("th", label(task.id));
  if (!label(task.id).includes(task.id)) name.append(element("span", " " + task.id, "id"));
  name.scope = "row";
  const polls = element("td", task.polls + " ");
  if (!isOver(task)) {
    const button = element("button", "next");
    button.type = "button";
    button.dataset.task = task.id;
    button.setAttribute("aria-label", "next poll of " + label(task.id));
    allow(button, isPolledAgain(task.id));
    onClick(button, () => goIfAny(nextPoll(task.id)));
    polls.append(button);
  }
  row.append(name, element("td", stateOf(task)), polls);
  return row;
}

// The task's own end follows.
function isReady(task) {
  const now = lastHappened();
  return now.event === "PollEnded" && now.ready && now.task === task.id;
}

function isDropped(task) {
  return task.stage === "running" && (task.aborted || task.dropping);
}

function stateOf(task) {
  if (isReady(task)) return "ready: it has its output";
  let text = isDropped(task) ? "being dropped" : task.stage;
  if (task.stage === "waiting") {
    text = task.queued ? "woken" : "waiting for " + waits(task);
  }
  if (task.queued) text += ", in the ready queue";
  if (task.aborted && !isOver(task)) text += ", aborted";
  if (task.stage === "waiting" && task.forgotten) {
    text += "; nobody holds its waker";
  } else if (task.wakers && !isOver(task)) {
    text += "; " + task.wakers + (task.wakers === 1 ? " clone" : " clones") + " of its waker held";
  }
  return text;
}

function showReady() {
  const list = document.getElementById("ready");
  const entries = state.ready.slice(0, rowsShown).map((entry) => {
    const item = element("li", label(entry.task) + ": ");
    const link = element("a", why(entry.why, entry.woken_by));
    link.href = "#step=" + entry.woken_by;
    link.dataset.task = entry.task;
    item.append(link);
    const task = state.tasks.get(entry.task);
    if (task && isOver(task)) item.append(step === lastStep ? "; it has ended" : "; it has ended, and will be passed over");
    return item;
  });
  const more = state.ready.length - entries.length;
  if (more > 0) entries.push(element("li", "and " + more + " more", "none"));
  if (entries.length === 0) entries.push(element("li", "empty", "none"));
  refill(list, ...entries);
}

function showWheel() {
  const timers = [...state.timers.values()];
  timers.sort((a, b) => a.deadline_ns - b.deadline_ns);
  const place = document.getElementById("wheel");
  if (timers.length === 0) {
    place.replaceChildren(element("p", "no timer is armed", "none"));
    return;
  }
  const levels = new Map();
  for (const timer of timers) {
    if (timer.place === "due") continue;
    if (!levels.has(timer.place.level)) levels.set(timer.place.level, new Set());
    levels.get(timer.place.level).add(timer.place.slot);
  }
  const rows = [...levels.keys()].sort((a, b) => b - a).map((level) => levelRow(level, levels.get(level)));
  const list = element("ul");
  for (const timer of timers.slice(0, timersShown)) {
    const at = timer.place === "due" ? "due" : "level " + timer.place.level + ", slot " + timer.place.slot;
    const wakes = timer.task ? "wakes " + label(timer.task) : "uses a waker";
    list.append(element("li", timer.id + " " + wakes + " at " + seconds(timer.deadline_ns) + ": " + at));
  }
  const more = timers.length - timersShown;
  if (more > 0) list.append(element("li", "and " + more + " more", "none"));
  place.replaceChildren(...rows, list);
}

function levelRow(level, taken) {
  const row = element("div", undefined, "level");
  const slots = element("div", undefined, "slots");
  slots.setAttribute("aria-hidden", "true");
  for (let slot = 0; slot < 64; slot += 1) {
    slots.append(element("div", undefined, taken.has(slot) ? "slot taken" : "slot"));
  }
  row.append(element("span", "level " + level), slots);
  return row;
}

function showPrinted() {
  const text = state.printed.map((printed) => printed.text).join("").replace(terminalCodes, "");
  const printed = text.match(/[^\n]*\n|[^\n]+$/g) || [];
  const earlier = Math.max(printed.length - rowsShown, 0);
  const place = document.getElementById("printed");
  place.textContent = printed.slice(earlier).join("") || "nothing";
  if (earlier > 0) {
    const are = earlier === 1 ? " earlier line is" : " earlier lines are";
    place.prepend(element("span", "… " + earlier + are + " not shown\n", "none"));
  }
  place.scrollTop = place.scrollHeight;
}

// ---- the source

let shownFile = null;
let lines = [];
// True until the next step, for whoever looks into another file.
let chosenFile = false;

function openFile(file) {
  if (file === shownFile) return;
  shownFile = file;
  lines = (run.files[file] || []).map((text, index) => {
    const line = element("div", undefined, "line");
    line.append(element("span", index + 1, "at"), element("span", text, "text"));
    return line;
  });
  document.getElementById("code").replaceChildren(...lines);
  document.getElementById("file").value = file;
}

function showSource(now) {
  const running = state.tasks.get(state.running);
  const subject = running || state.tasks.get(now.task) || (polled && state.tasks.get(polled.task));
  const at = (isShown(now.at) && now.at) || (subject && seenAt(subject));
  const focus = at ? placeOf(at) : null;
  if (focus && run.files[focus.file] && !chosenFile) openFile(focus.file);
  for (const line of lines) {
    if (line.className === "line" && line.childNodes.length === 2) continue;
    line.className = "line";
    while (line.childNodes.length > 2) line.lastChild.remove();
  }
  const marks = markTasks();
  if (focus && focus.file === shownFile) scrollToLine(lines[lineToShow(focus.line, subject, marks) - 1]);
}

// The line where something happened; if no task is marked there, the nearest where one is, the
// subject's rather than another's.
function lineToShow(number, subject, marks) {
  if (marks.size === 0 || marks.has(number)) return number;
  const marked = [...marks.keys()].sort((a, b) => Math.abs(a - number) - Math.abs(b - number));
  return marked.find((at) => marks.get(at).tasks.includes(subject)) || marked[0];
}

function scrollToLine(line) {
  if (!line) return;
  const code = document.getElementById("code");
  const top = line.offsetTop - code.offsetTop;
  // What of it is in the window.
  const seen = Math.max(90, Math.min(code.clientHeight, innerHeight - code.getBoundingClientRect().top));
  // Its mark may stand below it.
  const bottom = top + line.offsetHeight;
  if (top < code.scrollTop + 20 || bottom > code.scrollTop + seen - 40) code.scrollTop = top - seen / 3;
}

// A place inside the standard library, say, is in no file of the program.
function isShown(place) {
  return place && placeOf(place).file in run.files;
}

function seenAt(task) {
  return isShown(task.seen_at) ? task.seen_at : task.spawned_at;
}

// Marks the lines where the tasks are, and says which; a join can wait in several places.
function markTasks() {
  const marks = new Map();
  for (const task of state.tasks.values()) {
    if (isOver(task) || isReady(task)) continue;
    // It is woken, and where it was: a wake does not run it. It may have given up one of its waits since.
    const isWoken = task.queued && task.stage === "waiting";
    // While it runs it may be anywhere, and where it waits for something that is not watchglass's, a
    // channel, say, is not known.
    const waits = task.stage === "running" ? [] : isWoken ? task.waits : waitsOf(task);
    const known = waits.map((wait) => wait.at).filter(isShown);
    for (const place of new Set(known.length > 0 ? known : [seenAt(task)])) {
      const { file, line: number } = placeOf(place);
      if (file !== shownFile || !lines[number - 1]) continue;
      if (!marks.has(number)) {
        marks.set(number, {
          tasks: [], running: null, here: [], woken: [], wokenLater: [], given: [], spawned: [], lastSeen: [],
        });
      }
      const mark = marks.get(number);
      mark.tasks.push(task);
      if (task.stage === "running") mark.running = task;
      else if (known.length > 0) (isWoken ? mark.woken : mark.here).push(label(task.id));
      else if (isWoken) mark.wokenLater.push(label(task.id));
      else if (place !== task.spawned_at) mark.lastSeen.push(label(task.id));
      else (task.kind === "Main" ? mark.given : mark.spawned).push(label(task.id));
    }
  }
  for (const [number, { running, here, woken, wokenLater, given, spawned, lastSeen }] of marks) {
    const line = lines[number - 1];
    line.classList.add(running ? "runs" : here.length + woken.length > 0 ? "waits" : "passed");
    const said = [];
    if (running) said.push(label(running.id) + " " + whereItRuns(running));
    const are = (names) => shortList(names) + (names.length > 1 ? " are here" : " is here");
    if (here.length > 0) said.push(are(here));
    if (woken.length > 0) said.push(are(woken) + ", woken and not polled yet");
    if (wokenLater.length > 0) said.push(shortList(wokenLater) + (wokenLater.length > 1 ? " are" : " is") +
      " woken and not polled yet, somewhere after this line");
    const were = (names) => shortList(names) + (names.length > 1 ? " were " : " was ");
    if (given.length > 0) said.push(were(given) + "given to block_on here");
    if (spawned.length > 0) said.push(were(spawned) + "spawned here");
    if (lastSeen.length > 0) said.push(shortList(lastSeen) + (lastSeen.length > 1 ? " wait" : " waits") +
      " for something that is not watchglass's, somewhere after this line");
    line.append(element("span", "◀ " + said.join("; "), "who"));
  }
  return marks;
}

// What the mark of the running task says.
function whereItRuns(task) {
  const now = lastHappened();
  const place = seenAt(task);
  if (isDropped(task)) return place === task.spawned_at ? "is dropped; it was spawned here" : "is dropped; it was last seen here";
  if ((now.event === "Waits" || now.event === "Spawned") && now.at === place) return "is here";
  if (place !== task.spawned_at) return "runs; it was last seen here";
  return task.kind === "Main" ? "runs; it was given to block_on here" : "runs; it was spawned here";
}

function shortList(names) {
  const shown = names.slice(0, 4).join(", ");
  return names.length > 4 ? shown + " and " + (names.length - 4) + " more" : shown;
}

// ---- beginning

function on(id, event, act) {
  document.getElementById(id).addEventListener(event, act);
}

function onClick(button, act) {
  button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || act());
}

onClick(document.getElementById("first"), () => go(0));
onClick(document.getElementById("back"), () => go(step - 1));
onClick(document.getElementById("forward"), () => go(step + 1));
onClick(document.getElementById("last"), () => go(lastStep));
onClick(document.getElementById("wake"), () => jump(wakeOfPoll()));
onClick(document.getElementById("poll"), () => goIfAny(nextPoll(null)));
on("timeline", "toggle", show);
window.addEventListener("resize", show);
on("number", "change", (event) => {
  const wanted = event.target.value;
  go(wanted === "" ? step : Number(wanted));
});
// A slider that is dragged tells of more places than there are frames to show them in.
let dragged = false;
on("scrubber", "input", () => {
  if (dragged) return;
  dragged = true;
  requestAnimationFrame(() => {
    dragged = false;
    go(Number(document.getElementById("scrubber").value));
  });
});
on("file", "change", (event) => {
  chosenFile = true;
  openFile(event.target.value);
  show();
});

const keys = {
  ArrowLeft: () => go(step - 1),
  ArrowRight: () => go(step + 1),
  Home: () => go(0),
  End: () => go(lastStep),
  n: () => goIfAny(nextPoll(null)),
  w: () => jump(wakeOfPoll()),
  p: () => {
    const task = followed();
    goIfAny(task && nextPoll(task));
  },
};

// What scrolls has the keys for that to itself.
function scrolls(target, key) {
  const scroller = target.closest("#says, #picture, #code, #printed, #findings, #tasks");
  if (!scroller) return false;
  if (key.startsWith("Arrow")) return scroller.scrollWidth > scroller.clientWidth;
  return (key === "Home" || key === "End") && scroller.scrollHeight > scroller.clientHeight;
}

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  const moves = /^(Arrow|Home|End)/.test(key);
  // The slider moves by its own keys, and leaves the letters to the page.
  const writes = target.tagName === "SELECT" || (target.tagName === "INPUT" && (target.type !== "range" || moves));
  // With Shift a key that moves selects.
  const selects = event.shiftKey && moves;
  if (writes || selects || scrolls(target, key) || event.ctrlKey || event.altKey || event.metaKey) return;
  const act = keys[key.length === 1 ? key.toLowerCase() : key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// An address without a step is that of the first; in one that cannot be read, one stays where one is.
function stepInHash() {
  if (location.hash === "") return 0;
  const found = /^#step=(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) : step;
}

// A link leads away as well: Back is to lead here.
document.addEventListener("click", (event) => event.target.closest("a") && writeAddress(), true);
window.addEventListener("hashchange", () => go(stepInHash()));
document.getElementById("number").max = lastStep;
document.getElementById("scrubber").max = lastStep;
for (const file of Object.keys(run.files)) document.getElementById("file").append(element("option", file));
if (Object.keys(run.files).length < 2) document.getElementById("file-label").hidden = true;
if (Object.keys(run.files).length === 0) document.getElementById("source").hidden = true;
for (const finding of run.findings) {
  const link = element("a", finding.says);
  link.href = "#step=" + finding.step;
  const item = element("li");
  item.append(link);
  document.getElementById("found").append(item);
  document.getElementById("findings").hidden = false;
}
beginTimeline();
go(stepInHash());
setTimeout(prepare, 50);
