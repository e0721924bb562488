// Where one is in the run, how one comes to another step, and what the address says of it.

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

// Not where it is right already: Back may have changed it by then, and the page has not heard of it yet.
function writeAddressSoon() {
  if (addressTimer === null && location.hash !== "#step=" + step) addressTimer = setTimeout(writeAddress, 250);
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

function nextPoll(task, from = step) {
  for (let at = from + 1; at < count; at += 1) {
    const found = record(at);
    if (found.event === "PollStarted" && (task === null || found.task === task)) return at;
  }
  return null;
}

// The task of that id, or whose name is that, in full or as it is shown, or begins so.
function taskCalled(wanted) {
  const ids = Object.keys(run.names);
  const isCalled = (id) => run.names[id] === wanted || label(id) === wanted;
  return ids.find((id) => id === wanted || id === "#" + wanted) ||
    ids.find(isCalled) || ids.find((id) => run.names[id].startsWith(wanted));
}

const lastPollOfAll = Object.values(run.last_polls).reduce((last, at) => Math.max(last, at), -1);

// Whether there is a further one. The last of each is known, so that nobody need look for it.
function isPolledAgain(task) {
  return run.last_polls[task] > step;
}

// The wake that led to the poll that one is in, or at the end of: the record that queued its task. A step between two
// polls has none, nor has one in which a task is dropped with its executor.
function wakeOfPoll() {
  const task = polled && state.tasks.get(polled.task);
  if (!task || task.dropping === "end") return null;
  const now = lastHappened();
  const isIn = state.running === task.id || (now.task === task.id && now.event !== "Woken" && state.running === null);
  return isIn ? task.woken_by : null;
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
