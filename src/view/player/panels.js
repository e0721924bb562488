// The panels: tasks, the ready queue, the timer wheel and what was printed.

const rowsShown = 100;
const timersShown = 12;
const lettersShown = 20000;
// The colours of a terminal, say: an escape, "[", and then numbers and a letter. Or its links: an escape, "]", and a
// text up to the next one or a bell. Or its sets of letters.
const terminalCodes = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~])/g;

// Fills a list anew. The focus stays with its task, or if that is no longer there, in the list.
function refill(list, ...children) {
  const focused = list.contains(document.activeElement) && document.activeElement.dataset.task;
  list.replaceChildren(...children);
  if (!focused) return;
  const again = list.querySelector('[data-task="' + CSS.escape(focused) + '"]');
  (again || list).focus({ preventScroll: true });
}

function showTasks(now) {
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
  document.getElementById("find-label").hidden = Object.keys(run.names).length <= rowsShown;
  const rest = more > 0 ? [element("p", "and " + more + " more", "none")] : [];
  refill(place, all.length > 0 ? table : element("p", "none yet", "none"), ...rest);
  // The one that something happens to, or else the one that runs.
  const about = state.tasks.get(now.task) || state.tasks.get(state.running);
  scrollToRow(place, body.rows[shown.indexOf(about)]);
}

// Of many tasks so many as there are rows, in their order: the one that runs, the one that something
// happened to, those in the ready queue, and then the first that are not over.
function mostOf(all) {
  const ids = [state.running, lastHappened().task, ...readyQueue(state).map((entry) => entry.task)];
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
  // A third of the way down, so that rows above it are seen, too, or higher if it would not fit there.
  const above = Math.max(Math.min(seen.height / 3, seen.height - box.height), 0);
  if (box.top < seen.top || box.bottom > seen.bottom) place.scrollTop += box.top - seen.top - above;
}

function taskRow(task) {
  const row = element("tr", undefined, isOver(task) ? "over" : task.stage);
  // The program may print the id.
  const name = element("th", label(task.id));
  name.title = run.names[task.id] || task.id;
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
  return task.stage === "running" && task.dropping !== null;
}

function stateOf(task) {
  if (isReady(task)) return "ready: it has its output";
  let text = isDropped(task) ? "being dropped" : task.stage;
  if (task.stage === "waiting") {
    text = task.aborted ? "to be dropped" : task.queued ? "woken" : "waiting" + waitingFor(task);
  }
  if (task.queued) text += ", in the ready queue";
  if (task.aborted && !isOver(task)) text += ", aborted";
  if (task.wakers && task.kind !== "Main" && !isOver(task)) {
    // The clones of the main task's own cannot be counted after its first poll.
    text += "; " + task.wakers + (task.wakers === 1 ? " clone" : " clones") + " of its waker held";
  }
  return text;
}

function showReady() {
  const list = document.getElementById("ready");
  const queue = readyQueue(state);
  const entries = queue.slice(0, rowsShown).map((entry) => {
    const item = element("li", label(entry.task) + ": ");
    const link = element("a", why(entry.why, entry.woken_by));
    link.href = "#step=" + entry.woken_by;
    link.dataset.task = entry.task;
    item.append(link);
    const task = state.tasks.get(entry.task);
    if (task && isOver(task)) item.append(step === lastStep ? "; it has ended" : "; it has ended, and will be passed over");
    return item;
  });
  const more = queue.length - entries.length;
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
    const use = { Timeout: ", a time limit,", Interval: ", for a tick," }[timer.kind] || "";
    const wakes = timer.task ? "wakes " + label(timer.task) : "uses a waker";
    list.append(element("li", timer.id + use + " " + wakes + " at " + seconds(timer.deadline_ns) + ": " + at));
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
  // A line may be printed in pieces, and have no end.
  const pieces = [];
  let from = state.printed.length;
  let letters = 0;
  let ends = 0;
  while (from > 0 && ends <= rowsShown && letters < lettersShown) {
    from -= 1;
    const { text } = state.printed[from];
    pieces.push(text);
    letters += text.length;
    ends += text.split("\n").length - 1;
  }
  const all = pieces.reverse().join("");
  // What comes behind a `\r` takes the line's place, as in a terminal. Looked for from the beginnings of lines alone.
  const text = all.slice(-lettersShown).replace(terminalCodes, "").replace(/(?<![^\n])[^\n]*\r(?=[^\r\n])/g, "");
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) || [];
  const place = document.getElementById("printed");
  // The program may have printed before or after, or to nobody who watches.
  const none = run.prints ? "nothing" : "nothing was recorded (WATCHGLASS records what is printed while the executor " +
    "lives, of one executor at a time)";
  place.textContent = lines.slice(-rowsShown).join("") || none;
  if (from > 0 || letters > lettersShown || lines.length > rowsShown) {
    place.prepend(element("span", "… what was printed before is not shown\n", "none"));
  }
  place.scrollTop = place.scrollHeight;
}
