// The page: shows the state after the chosen step, and says which keys and buttons lead to others.

const foundAt = new Set(run.found_at);

function show() {
  const now = count > 0 ? record(step) : { says: "nothing was recorded", event: "" };
  const says = document.getElementById("says");
  says.textContent = now.says;
  // Of a task that spins only the last report is listed, and is what `f` goes to.
  says.className = foundAt.has(step) || now.event === "Spinning" ? "bad" : "";
  says.scrollTop = 0;
  // The keys come to it if there is something to scroll.
  says.tabIndex = says.scrollHeight > says.clientHeight ? 0 : -1;
  const parked = state.parked ? " · parked" : "";
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
  allow(document.getElementById("next-found"), nextFound() !== undefined);
  // What gets the focus is not to be below it.
  const above = document.getElementById("now");
  const isSticky = getComputedStyle(above).position === "sticky";
  document.documentElement.style.scrollPaddingTop = isSticky ? above.offsetHeight + "px" : "";
  showPlace();
  showTasks(now);
  showReady();
  showWheel();
  showPrinted();
  showSource(now);
}

function nextFound() {
  return run.found_at.find((at) => at > step);
}

// A button that is disabled loses the focus; one that only says so keeps it.
function allow(button, may) {
  button.setAttribute("aria-disabled", String(!may));
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
onClick(document.getElementById("next-found"), () => goIfAny(nextFound()));
on("timeline", "toggle", show);
window.addEventListener("resize", show);
on("number", "change", (event) => {
  const wanted = event.target.value;
  go(wanted === "" ? step : Number(wanted));
});
// The keys are to step on from there, as after a click in the timeline.
on("number", "keydown", (event) => event.key === "Enter" && event.target.blur());
on("find", "keydown", (event) => {
  if (event.key !== "Enter") return;
  const wanted = event.target.value.trim();
  const task = wanted === "" ? null : taskCalled(wanted);
  const to = task ? nextPoll(task) ?? nextPoll(task, -1) : null;
  const found = task ? label(task) + " is never polled" : "no task is called so";
  document.getElementById("not-found").textContent = wanted === "" || to !== null ? "" : found;
  goIfAny(to);
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
  f: () => goIfAny(nextFound()),
  w: () => jump(wakeOfPoll()),
  p: () => {
    const task = followed();
    goIfAny(task && nextPoll(task));
  },
};

// What scrolls has the keys for that to itself.
function scrolls(target, key) {
  const scroller = target.closest("#says, #picture, #code, #printed, #findings, #tasks, #ready, #wheel");
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
function stepIn(hash) {
  if (hash === "") return 0;
  const found = /^#step=(\d+)$/.exec(hash);
  return found ? Number(found[1]) : step;
}

// A link leads away as well: Back is to lead here.
document.addEventListener("click", (event) => event.target.closest("a") && writeAddress(), true);
// What the address was then: by now the page may have written that of its step over it.
window.addEventListener("hashchange", (event) => go(stepIn(new URL(event.newURL).hash)));
document.getElementById("number").max = lastStep;
document.getElementById("scrubber").max = lastStep;
for (const file of Object.keys(run.files)) document.getElementById("file").append(element("option", file));
if (Object.keys(run.files).length < 2) document.getElementById("file-label").hidden = true;
if (Object.keys(run.files).length === 0) {
  document.getElementById("source").hidden = true;
  const untold = "The program's source files were not found from where it ran. ";
  if (count > 0) document.querySelector("footer").prepend(untold);
}
document.getElementById("changed").textContent = run.changed || "";
for (const finding of run.findings) {
  const link = element("a", finding.says);
  link.href = "#step=" + finding.step;
  const item = element("li");
  item.append(link);
  document.getElementById("found").append(item);
  document.getElementById("findings").hidden = false;
}
if (run.found_at.length > 0) {
  const button = document.getElementById("next-found");
  button.textContent = run.found_at.length + " found ▸";
  button.hidden = false;
}
beginTimeline();
go(stepIn(location.hash));
setTimeout(prepare, 50);
