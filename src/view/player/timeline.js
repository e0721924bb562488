// The timeline: where the chosen step lies in it, and how a click leads to another.

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
