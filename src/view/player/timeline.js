// The timeline: where the chosen step lies in it, and how a click leads to another.

const picture = document.querySelector("#picture svg");

// In units of the picture.
const namesWidth = 146;
const timesHeight = 26;

function beginTimeline() {
  const shown = document.getElementById("picture");
  document.getElementById("timeline").hidden = shown.textContent.trim() === "";
  document.getElementById("click").hidden = !picture;
  if (!picture) return;
  moveLegend();
  keepInSight(shown);
  picture.addEventListener("click", (event) => {
    // The keys are to step on from there, and not to scroll the picture.
    document.activeElement.blur();
    const box = picture.getBoundingClientRect();
    const scale = picture.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    // The names lie over what is scrolled to the left of them.
    if (x > shown.scrollLeft * scale + namesWidth) jump(stepAt(x));
  });
}

// What the marks mean is not scrolled with the picture: it stands below it, in as many lines as it needs there.
function moveLegend() {
  const end = document.getElementById("playhead").getAttribute("y2");
  let mark = null;
  for (const node of [...picture.querySelector("g").children]) {
    if (node.getBBox().y < end) continue;
    node.remove();
    // Each text follows its mark.
    if (node.matches(".faint")) {
      document.getElementById("legend").append(legendEntry(mark, node));
      mark = null;
    } else {
      mark = node;
    }
  }
  const { width } = picture.viewBox.baseVal;
  picture.setAttribute("viewBox", "0 0 " + width + " " + end);
  picture.setAttribute("height", end);
}

function legendEntry(mark, text) {
  const entry = element("span", text.textContent);
  if (!mark) return entry;
  const [x, y] = ["x", "y"].map((name) => Number(text.getAttribute(name)));
  const drawn = document.createElementNS(picture.namespaceURI, "svg");
  // Where a mark lies beside its text, and its outline.
  drawn.setAttribute("viewBox", [x - 21, y - 11, 16, 14].join(" "));
  drawn.append(mark);
  entry.prepend(drawn);
  return entry;
}

// The times stay at the top while the lanes scroll below them, and the names at the left.
function keepInSight(shown) {
  const width = picture.viewBox.baseVal.width;
  const height = document.getElementById("playhead").getAttribute("y2");
  const kept = (id, marks, size) => {
    const [group, ground] = ["g", "rect"].map((name) => document.createElementNS(picture.namespaceURI, name));
    group.id = id;
    for (const [name, value] of Object.entries(size)) ground.setAttribute(name, value);
    ground.setAttribute("fill", "var(--ground)");
    group.append(ground, ...marks);
    picture.querySelector("g").append(group);
    return group;
  };
  const names = kept("names", picture.querySelectorAll(".name"), { width: namesWidth, height });
  const times = kept("times", picture.querySelectorAll(".time"), { width, height: timesHeight });
  // What is scrolled below the names has no time beside them.
  const corner = kept("corner", [], { width: namesWidth, height: timesHeight });
  const place = () => {
    const shownWidth = picture.getBoundingClientRect().width;
    if (shownWidth === 0) return;
    const scale = width / shownWidth;
    const [left, top] = [shown.scrollLeft * scale, shown.scrollTop * scale];
    names.setAttribute("transform", "translate(" + left + " 0)");
    times.setAttribute("transform", "translate(0 " + top + ")");
    corner.setAttribute("transform", "translate(" + left + " " + top + ")");
  };
  shown.addEventListener("scroll", place);
  window.addEventListener("resize", place);
  document.getElementById("timeline").addEventListener("toggle", place);
  place();
}

// What was so at that moment: the first of the steps at the last place up to there, or a little further on, for a
// poll is narrow.
function stepAt(x) {
  let best = 0;
  run.places.forEach((place, at) => {
    if (place <= x + 2 && place > run.places[best]) best = at;
  });
  return best;
}

function showPlace() {
  const playhead = document.getElementById("playhead");
  if (!playhead) return;
  for (const end of ["x1", "x2"]) playhead.setAttribute(end, run.places[step]);
  // On a narrow screen a part of the picture is shown: that of the playhead.
  const shown = document.getElementById("picture");
  const scale = picture.getBoundingClientRect().width / picture.viewBox.baseVal.width;
  const x = run.places[step] * scale;
  if (x < shown.scrollLeft + namesWidth * scale || x > shown.scrollLeft + shown.clientWidth) shown.scrollLeft = x - shown.clientWidth / 2;
  // Lanes stand in the order of the tasks. Of many, that of the last poll is shown.
  const lane = polled && picture.querySelectorAll(".name")[[...state.tasks.keys()].indexOf(polled.task)];
  if (!lane) return;
  const top = lane.getBoundingClientRect().top - shown.getBoundingClientRect().top;
  if (top < timesHeight * scale || top > shown.clientHeight - 30) shown.scrollTop += top - shown.clientHeight / 2;
}
