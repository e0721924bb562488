// The source, with a mark where each task is.

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
  // Of a long poll it is where the time went.
  const at = [now.at, now.after, now.until].find(isShown) || (subject && seenAt(subject));
  const focus = at ? placeOf(at) : null;
  if (focus && run.files[focus.file] && !chosenFile) openFile(focus.file);
  for (const line of lines) {
    if (line.className === "line" && line.childNodes.length === 2) continue;
    line.className = "line";
    while (line.childNodes.length > 2) line.lastChild.remove();
  }
  const held = markLongPoll(now);
  const marks = markTasks();
  if (!focus || focus.file !== shownFile) return;
  scrollToLine(lines[(held.includes(focus.line) ? focus.line : lineToShow(focus.line, subject, marks)) - 1]);
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

// Marks the lines between which a poll has held the thread, if that is what is told, and gives their numbers.
function markLongPoll(now) {
  if (now.event !== "LongPoll") return [];
  const [from, to] = now.until && now.until === now.after ? ["held the thread from here to here again"]
    : ["held the thread from here on", "held the thread up to here"];
  const held = [];
  for (const [place, says] of [[now.after, from], [now.until, to]]) {
    if (!says || !isShown(place) || placeOf(place).file !== shownFile) continue;
    const number = placeOf(place).line;
    const line = lines[number - 1];
    if (!line) continue;
    line.classList.add("held");
    line.append(element("span", "◀ " + label(now.task) + " " + says, "who"));
    held.push(number);
  }
  return held;
}

// Marks the lines where the tasks are, and says which; a join can wait in several places.
function markTasks() {
  const marks = new Map();
  for (const task of state.tasks.values()) {
    const hasPanicked = task.stage === "panicked" && lastHappened().task === task.id;
    if ((isOver(task) && !hasPanicked) || isReady(task)) continue;
    // It is woken, and where it was: a wake does not run it. It may have given up one of its waits since.
    const isWoken = task.queued && task.stage === "waiting";
    // While it runs it may be anywhere, a closure is on another thread, and where a task waits for something that is
    // not watchglass's, a channel, say, is not known.
    const isUnknown = task.stage === "running" || task.kind === "Blocking";
    const all = isUnknown ? [] : isWoken ? task.waits : waitsOf(task);
    const known = all.map((wait) => wait.at).filter(isShown);
    for (const place of new Set(known.length > 0 ? known : [seenAt(task)])) {
      const { file, line: number } = placeOf(place);
      if (file !== shownFile || !lines[number - 1]) continue;
      if (!marks.has(number)) {
        marks.set(number, {
          tasks: [], panicked: [], running: null, aborted: [], here: [], woken: [], given: [], spawned: [], handed: [], lastSeen: new Map(),
        });
      }
      const mark = marks.get(number);
      mark.tasks.push(task);
      if (hasPanicked) mark.panicked.push(label(task.id) + " panicked; it was " + howItCame(task));
      else if (task.stage === "running") mark.running = task;
      else if (task.aborted) mark.aborted.push(label(task.id));
      else if (known.length > 0) (isWoken ? mark.woken : mark.here).push(label(task.id));
      else if (task.kind === "Blocking") mark.handed.push(label(task.id));
      else if (task.stage === "waiting") {
        const one = whereItWaits(task, isWoken, false);
        if (!mark.lastSeen.has(one)) mark.lastSeen.set(one, { many: whereItWaits(task, isWoken, true), names: [] });
        mark.lastSeen.get(one).names.push(label(task.id));
      } else (task.kind === "Main" ? mark.given : mark.spawned).push(label(task.id));
    }
  }
  for (const [number, { panicked, running, aborted, here, woken, given, spawned, handed, lastSeen }] of marks) {
    const line = lines[number - 1];
    line.classList.add(running ? "runs" : here.length + woken.length > 0 ? "waits" : "passed");
    const said = [...panicked];
    if (running) said.push(label(running.id) + " " + whereItRuns(running));
    const are = (names) => shortList(names) + (names.length > 1 ? " are here" : " is here");
    if (aborted.length > 0) said.push(shortList(aborted) + (aborted.length > 1 ? " are" : " is") + " aborted, to be dropped in turn");
    if (here.length > 0) said.push(are(here));
    if (woken.length > 0) said.push(are(woken) + ", woken and not polled yet");
    const were = (names) => shortList(names) + (names.length > 1 ? " were " : " was ");
    if (given.length > 0) said.push(were(given) + "given to block_on here");
    if (spawned.length > 0) said.push(were(spawned) + "spawned here");
    if (handed.length > 0) said.push(were(handed) + "handed to the thread pool here");
    for (const [one, { many, names }] of lastSeen) said.push(shortList(names) + " " + (names.length > 1 ? many : one));
    line.append(element("span", "◀ " + said.join("; "), "who"));
  }
  return marks;
}

// What the mark says of a task, or of many, of which no more is known than that it came by here.
function whereItWaits(task, isWoken, many) {
  const isSeen = seenAt(task) !== task.spawned_at;
  const began = (many ? "were" : "was") + (task.kind === "Main" ? " given to block_on" : " spawned") + " here, and ";
  const where = isSeen ? " last seen here" : " somewhere in " + (many ? "their" : "its") + " own code";
  if (isWoken) return (isSeen ? "" : began) + (many ? "are" : "is") + " woken and not polled yet," + where;
  const waiting = (isSeen ? "" : began) + (many ? "wait" : "waits");
  return isForgotten(task) ? waiting + where + ", and nobody has " + (many ? "their wakers" : "its waker")
    : waiting + " for " + waits(task) + "," + where;
}

// What the mark of the running task says. It is where an event has just come from; who prints is anywhere.
function whereItRuns(task) {
  const now = record(step);
  const place = seenAt(task);
  if (!isDropped(task) && (now.event === "Waits" || now.event === "Spawned") && now.at === place) return "is here";
  return (isDropped(task) ? "is dropped" : "runs") + "; it was " + howItCame(task);
}

// Why a task that is not known to be at a line is marked there.
function howItCame(task) {
  if (seenAt(task) !== task.spawned_at) return "last seen here";
  return task.kind === "Main" ? "given to block_on here" : "spawned here";
}

function shortList(names) {
  const shown = names.slice(0, 4).join(", ");
  return names.length > 4 ? shown + " and " + (names.length - 4) + " more" : shown;
}
