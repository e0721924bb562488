// A small run in the browser: keys, links, the sentence, and names that try to be markup.
import assert from "node:assert/strict";
import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { withPage } from "./browser.mjs";

const [browser, page, picture, cut, empty] = process.argv.slice(2);

await withPage(browser, page, "#step=3", async ({ evaluate, press, click, resize, errors }) => {
  const text = (id) => evaluate(`document.getElementById("${id}").textContent`);
  const step = async () => Number(/^step (\d+) of/.exec(await text("position"))[1]);
  const last = await evaluate("lastStep");

  assert.equal(await step(), 3, "the link leads to its step");
  await press("ArrowRight");
  assert.equal(await step(), 4);
  await evaluate("new Promise((done) => setTimeout(done, 400))");
  assert.equal(await evaluate("location.hash"), "#step=4", "the address follows");
  await press("ArrowLeft");
  await press("ArrowLeft");
  assert.equal(await step(), 2);
  await press("End");
  assert.equal(await step(), last);
  await press("Home");
  assert.equal(await step(), 0);

  await press("n");
  assert.match(await text("says"), /polled \(poll 1\): it is new/);
  const poll = await step();
  await press("w");
  assert.match(await text("says"), /goes to the back of the ready queue: it is new/);
  assert.ok((await step()) < poll, "the wake comes before its poll");

  await evaluate("go(0)");
  await press("n");
  await press("p");
  assert.match(await text("says"), /\(poll 2\)/, "the same task's next poll");

  for (let at = 0; at <= last; at += 1) {
    await evaluate(`go(${at})`);
    const tasks = await text("tasks");
    assert.doesNotMatch(tasks, /not watchglass's/, `at step ${at} every wait is the executor's own`);
    const says = await text("says");
    if (/ polled \(poll/.test(says)) {
      assert.match(tasks, /running/, says);
      assert.match(await text("code"), /runs; it was (given to block_on|spawned|last seen) here/, says);
    }
    if (/ returns Ready/.test(says)) {
      const name = says.replace(/ returns Ready.*/, "");
      assert.ok(!(await text("code")).includes(`◀ ${name} `), "a task that has its output is at no line");
    }
    if (/ prints "/.test(says)) assert.match(await text("code"), /runs; it was last seen here/, "who prints has gone on");
    if (/ waits for .*, at /.test(says)) assert.match(await text("code"), /◀ \S+ is here/, says);
    if (/^timer .* fires/.test(says)) assert.match(tasks, /waiting for its timer for 1\.000300\ss/, says);
    if (/its timer for 1.000300 s fired/.test(says) && /ready queue/.test(says)) {
      assert.match(await text("code"), /is here, woken and not polled yet/, "a wake does not run it");
      assert.match(tasks, /woken, in the ready queue/, says);
      assert.match(await text("ready"), /its timer for 1\.000300\ss fired/, says);
    }
  }

  await evaluate("document.getElementById('scrubber').focus(); go(0)");
  await press("n");
  assert.match(await text("says"), /polled \(poll 1\)/, "the slider leaves the letters to the page");
  await evaluate("document.activeElement.blur(); go(0)");
  await press("n");
  const cameFrom = await step();
  await press("w");
  await evaluate("new Promise((done) => { addEventListener('hashchange', done, { once: true }); history.back(); }).then(() => 0)");
  assert.equal(await step(), cameFrom, "Back leads to where one came from");
  const woken = await evaluate(`(() => {
    const all = [...Array(count).keys()];
    go(all.find((at) => (go(at), record(at).event === "Woken" && polled && record(at).task !== polled.task)));
    return record(step).task;
  })()`);
  await press("p");
  assert.equal(await evaluate("record(step).task"), woken, "p is the next poll of the task that was woken");

  const offered = await evaluate(`[...Array(count).keys()].map((at) => {
    go(at);
    return [record(at).event, state.running, document.getElementById("wake").getAttribute("aria-disabled") !== "true"];
  })`);
  for (const [event, running, hasWake] of offered) {
    if (["Woken", "TimerFired", "ClockAdvanced"].includes(event)) assert.equal(hasWake, running !== null, `${event} is in no poll`);
    if (["PollStarted", "Waits", "PollEnded"].includes(event)) assert.ok(hasWake, `${event} is in a poll, or ends it`);
  }

  const playhead = () => evaluate("Number(document.getElementById('playhead').getAttribute('x1'))");
  await evaluate("go(0)");
  const begin = await playhead();
  await evaluate("go(lastStep)");
  assert.ok((await playhead()) > begin + 500, "the timeline shows where it is");
  for (const width of [1280, 400]) {
    await resize(width, 900);
    await evaluate("document.getElementById('picture').scrollLeft = 0; scrollTo(0, 0)");
    const [x, y] = await evaluate(`(() => {
      const box = picture.getBoundingClientRect();
      return [box.left + (run.places[7] / 1000) * box.width, box.top + 5];
    })()`);
    await click(x, y);
    assert.equal(await evaluate("run.places[step]"), await evaluate("run.places[7]"), "a click goes there");
    const clicked = await step();
    await press("ArrowRight");
    assert.equal(await step(), clicked + 1, "and the keys go on from there");
    const inNames = await evaluate("picture.getBoundingClientRect().width / picture.viewBox.baseVal.width * namesWidth / 2");
    await evaluate("document.getElementById('picture').scrollLeft = 0");
    await click(await evaluate("picture.getBoundingClientRect().left") + inNames, y);
    assert.equal(await step(), clicked + 1, "and a click on a name leads nowhere");
  }
  const tooLate = await evaluate(
    "[...Array(1000).keys()].filter((x) => x >= run.places[0] && run.places[stepAt(x)] > x + 2)");
  assert.deepEqual(tooLate, [], "no click leads to what was later");
  const inSleep = await evaluate("stepAt(run.places[0] + 0.75 * (run.places[lastStep] - run.places[0]))");
  assert.ok((await evaluate(`record(${inSleep}).time_ns`)) < 1_000_000_000, "and one in a sleep to the sleep");
  const kept = await evaluate(`(() => {
    const shown = document.getElementById("picture");
    shown.scrollLeft = 100;
    shown.dispatchEvent(new Event("scroll"));
    return document.querySelector("#names .name").getBoundingClientRect().left - shown.getBoundingClientRect().left;
  })()`);
  assert.ok(kept >= 0 && kept < 20, `the names stay where the picture is scrolled: ${kept}`);
  const inCorner = await evaluate(`(() => {
    const shown = document.getElementById("picture");
    shown.scrollLeft = 400;
    shown.dispatchEvent(new Event("scroll"));
    const box = shown.getBoundingClientRect();
    return document.elementFromPoint(box.left + 20, box.top + 8).parentElement.id;
  })()`);
  assert.equal(inCorner, "corner", "and no time stands above them");
  await resize(1280, 720);
  const below = await evaluate(`["ready", "wheel", "tasks"].filter((id) =>
    document.getElementById(id).getBoundingClientRect().bottom > innerHeight)`);
  assert.deepEqual(below, [], "on a laptop the queue and the wheel are seen beside the tasks");
  await resize(1280, 900);
  const [x, y] = await evaluate(`(() => {
    document.getElementById("click").scrollIntoView();
    const box = document.getElementById("click").getBoundingClientRect();
    return [box.left + 10, box.top + box.height / 2];
  })()`);
  await click(x, y);
  assert.ok(await evaluate("document.getElementById('timeline').open"), "a click on its hint leaves the timeline open");
  await evaluate("document.getElementById('code').focus()");
  const inCode = await step();
  await press("ArrowLeft");
  assert.equal(await step(), inCode - 1, "where nothing can be scrolled, the keys are the page's");

  await evaluate("document.getElementById('number').focus()");
  const before = await step();
  await press("ArrowRight");
  assert.equal(await step(), before, "keys that belong to a field are left to it");
  await evaluate("number.select()");
  await press("3");
  await press("Enter");
  await press("ArrowRight");
  assert.equal(await step(), 4, "until Enter leads to its step, and the keys go on from there");

  await evaluate("new Promise((done) => { addEventListener('hashchange', done, { once: true }); location.hash = '#step=5'; writeAddress(); }).then(() => 0)");
  assert.equal(await step(), 5, "a changed address leads there, also if the page writes its own before it hears of it");

  await evaluate(`(() => {
    run.files["other.rs"] = ["fn other() {}"];
    const file = document.getElementById("file");
    file.append(new Option("other.rs"));
    file.value = "other.rs";
    file.dispatchEvent(new Event("change"));
  })()`);
  assert.match(await text("code"), /fn other/, "a file that is chosen is shown");
  await press("ArrowLeft");
  assert.doesNotMatch(await text("code"), /fn other/, "and the next step shows where the run is");

  assert.equal(await evaluate("document.getElementById('says').getAttribute('aria-live')"), "polite");
  const unnamed = await evaluate(
    "[...document.querySelectorAll('button, input, select')].filter((it) => !it.offsetParent ? false : " +
    "!(it.textContent.trim() || it.ariaLabel || it.labels?.length)).length");
  assert.equal(unnamed, 0, "every control has a name");
  assert.notEqual(await evaluate("scrubber.ariaLabel"), await evaluate("number.labels[0].textContent.trim()"));

  await evaluate("go(lastStep)");
  assert.match(await text("tasks"), /<\/script><img src=x onerro…/, "the name is shown as it is");
  assert.equal(await evaluate("document.images.length"), 0, "and is no markup");
  assert.notEqual(await evaluate("document.title"), "owned");
  assert.equal(await evaluate("performance.getEntriesByType('resource').length"), 0, "nothing is fetched");

  for (const width of [1280, 400, 320]) {
    await resize(width, 900);
    const overflow = await evaluate(`[...Array(count).keys()].map((at) => {
      go(at);
      return document.documentElement.scrollWidth - document.documentElement.clientWidth;
    })`);
    assert.deepEqual(overflow.filter((pixels) => pixels > 0), [], `at ${width} pixels nothing sticks out`);
    await evaluate("go(lastStep)");
    const isSeen = `(() => {
      const line = document.getElementById("playhead").getBoundingClientRect();
      return line.x >= 0 && line.x <= innerWidth;
    })()`;
    assert.ok(await evaluate(isSeen), `at ${width} pixels the line in the timeline is seen`);
  }

  for (const [width, height] of [[1366, 657], [1920, 1080]]) {
    await resize(width, height);
    const below = await evaluate("document.documentElement.scrollHeight - innerHeight");
    assert.ok(below <= 0, `at ${width} by ${height} all is in the window, but for ${below} pixels`);
    const found = await evaluate(`(() => {
      const found = document.getElementById("findings");
      const list = document.getElementById("found");
      const wasHidden = found.hidden;
      found.hidden = false;
      const before = list.innerHTML;
      list.innerHTML = "<li>a finding of some length, which may well take more than a line</li>".repeat(9);
      const heights = [found, document.getElementById("panels")].map((it) => it.clientHeight);
      list.innerHTML = before;
      found.hidden = wasHidden;
      return heights;
    })()`);
    assert.ok(found.every((height) => height >= 150), `with findings the panels have room: ${found}`);
  }
  await resize(1366, 657);
  for (let at = 0; at <= last; at += 1) {
    await evaluate(`scrollTo(0, 0); go(${at})`);
    const marked = `(() => {
      const marks = [...document.querySelectorAll(".line.runs")].map((line) => line.getBoundingClientRect());
      return marks.length === 0 || marks.some((mark) => mark.top + 20 <= innerHeight);
    })()`;
    assert.ok(await evaluate(marked), `at step ${at} a small window shows the line where a task runs`);
  }

  await resize(1366, 300);
  const hidden = await evaluate(`[...Array(count).keys()].filter((at) => {
    go(at);
    if (!polled) return false;
    const lane = picture.querySelectorAll(".name")[[...state.tasks.keys()].indexOf(polled.task)].getBoundingClientRect();
    const shown = document.getElementById("picture").getBoundingClientRect();
    return lane.top < shown.top || lane.bottom > shown.bottom;
  })`);
  assert.deepEqual(hidden, [], "a low window shows the lane that was polled last");
  await resize(1280, 900);
  await evaluate("document.getElementById('source').hidden = true");
  const width = await evaluate("document.getElementById('panels').getBoundingClientRect().width");
  assert.ok(width > 1000, "without a source the panels take its room");
  await evaluate("document.getElementById('source').hidden = false");

  const svg = JSON.stringify(readFileSync(picture, "utf8"));
  await evaluate(`svg = new DOMParser().parseFromString(${svg}, "image/svg+xml")`);
  assert.equal(await evaluate("svg.getElementsByTagName('parsererror').length"), 0, "the picture is well-formed");
  assert.equal(await evaluate("svg.querySelectorAll('script, image, foreignObject').length"), 0);
  const described = await evaluate(
    "['aria-labelledby', 'aria-describedby'].map((by) => svg.getElementById(svg.documentElement.getAttribute(by)).textContent).join()");
  // ---- the legend
  const legend = await evaluate(
    "[...svg.querySelectorAll('.faint:not(.time)')].map((text) => text.textContent)");
  assert.match(legend.join(), /poll.*sleeps.*polled because: n new/);
  for (const [width, height] of [[1300, 900], [960, 700], [375, 700]]) {
    await resize(width, height);
    await evaluate("document.getElementById('timeline').scrollIntoView({ block: 'end' })");
    const shown = await evaluate(`[...document.getElementById("legend").children].map((entry) => {
      const { right, bottom } = entry.getBoundingClientRect();
      return right <= innerWidth && bottom <= innerHeight ? entry.textContent : "unseen: " + entry.textContent;
    })`);
    assert.deepEqual(shown, legend, `at ${width} by ${height} it is seen in full`);
    assert.doesNotMatch(await evaluate("picture.querySelector('g').textContent"), /polled because/, "and not scrolled");
    const marks = await evaluate(`[...document.querySelectorAll("#legend svg")].map((drawn) => {
      const [mark, room] = [drawn.firstChild, drawn].map((it) => it.getBoundingClientRect());
      return mark.width > 0 && mark.left >= room.left && mark.right <= room.right && mark.bottom <= room.bottom;
    })`);
    assert.ok(marks.length >= 4 && marks.every((isDrawn) => isDrawn), `each mark stands before its text: ${marks}`);
  }
  await resize(1280, 900);
  assert.match(described, /^Timeline: 3 tasks.*<\/script><img src=x .* is polled at 0\.000000 s, at 1\.000300 s, and then: done/s);
  assert.deepEqual(errors, []);
});

await withPage(browser, cut, "", async ({ evaluate, errors }) => {
  const last = await evaluate("lastStep");
  const steps = [];
  for (let at = 0; at <= last; at += 1) {
    steps.push(...await evaluate(`(() => {
      go(${at});
      return [...document.querySelectorAll("#ready a")].map((link) => Number(link.hash.replace("#step=", "")));
    })()`));
  }
  assert.ok(steps.length > 0 && steps.every((step) => step <= last), "each wake is a step of this page");
  // So it is at the end of the poll before that, too.
  for (const back of [1, 0]) {
    await evaluate(`go([...Array(count).keys()].find((at) => record(at).event === 'ForgottenWaker') - ${back})`);
    assert.match(await evaluate("document.getElementById('tasks').textContent"), /waiting, and nobody has its waker/);
  }
  assert.match(await evaluate("document.getElementById('code').textContent"),
    /Pending was spawned here, and waits somewhere in its own code, and nobody has its waker/);
  const ready = await evaluate(`[...Array(count).keys()]
    .filter((at) => record(at).event === "LongPoll" && record(at - 1).ready && stateAfter(at).tasks.has(record(at).task))
    .map((at) => { go(at); return stateOf(state.tasks.get(record(at).task)); })`);
  assert.ok(ready.length > 0 && ready.every((state) => state === "ready: it has its output"), ready.join());
  const labelled = (name) => `{ on: { kind: "Labelled", name: "${name}" }, at: "a.rs:1:1" }`;
  assert.equal(await evaluate(`waits({ wakers: 1, waits: [${["one", "two", "one"].map(labelled)}] })`), "one and two",
    "two labels of one place are two");
  // The source has marks where the time of a long poll went.
  const held = await evaluate(`[...Array(count).keys()].filter((at) => record(at).event === "LongPoll").map((at) => {
    go(at);
    const lines = [...document.querySelectorAll("#code .line.held")];
    const marks = Object.fromEntries(lines.map((line) => [line.querySelector(".at").textContent, line.textContent]));
    return { marks, ...record(at) };
  })`);
  assert.ok(held.some(({ after, until }) => after && until) && held.some(({ after, until }) => !after && !until));
  for (const { after, until, marks } of held) {
    const lines = [after, until].filter((place) => place).map((place) => place.split(":").at(-2));
    assert.deepEqual(Object.keys(marks).sort(), [...new Set(lines)].sort());
    if (after && !until) assert.match(marks[lines[0]], /held the thread from here on/);
    if (until && until !== after) assert.match(marks[lines.at(-1)], /held the thread up to here/);
  }
  // And a button leads from each thing that was found to the next.
  const found = await evaluate(`(() => {
    const button = document.getElementById("next-found");
    go(0);
    const steps = run.found_at.map(() => (button.click(), step));
    return { steps, at: run.found_at, text: button.textContent, end: button.getAttribute("aria-disabled"), shown: button.checkVisibility() };
  })()`);
  assert.deepEqual(found.steps, found.at);
  assert.deepEqual([found.text, found.end, found.shown], [found.at.length + " found ▸", "true", true]);
  assert.deepEqual(errors, []);
});

await withPage(browser, empty, "#step=7", async ({ evaluate, press, errors }) => {
  for (const key of ["ArrowRight", "n", "w", "p", "End"]) await press(key);
  assert.equal(await evaluate("document.getElementById('says').textContent"), "nothing was recorded");
  assert.match(await evaluate("document.getElementById('printed').textContent"),
    /^nothing was recorded \(WATCHGLASS .* while the executor lives, of one executor at a time\)$/, "in words of the page");
  assert.equal(await evaluate("document.getElementById('printed-title').textContent"), "Printed so far (standard output)");
  assert.doesNotMatch(await evaluate("document.querySelector('footer').textContent"), /not found/, "none was looked for");
  assert.deepEqual(errors, []);
});

// The same page, made where no source was found.
const sourceless = cut + ".sourceless.html";
writeFileSync(sourceless, readFileSync(cut, "utf8").replace(/(id="run">)(.*)(?=<\/script>)/, (_, begin, run) =>
  begin + JSON.stringify({ ...JSON.parse(run), files: {} }).replaceAll("<", "\\u003c")));
await withPage(browser, sourceless, "", async ({ evaluate, errors }) => {
  assert.equal(await evaluate("document.getElementById('source').checkVisibility()"), false);
  assert.match(await evaluate("document.querySelector('footer').textContent"), /source files were not found/);
  assert.deepEqual(errors, []);
});
unlinkSync(sourceless);

// And where a source was changed since.
assert.ok(!readFileSync(cut, "utf8").includes("changed after"), "the program was built from what is here");
const changed = cut + ".changed.html";
writeFileSync(changed, readFileSync(cut, "utf8").replace(/(id="run">)(.*)(?=<\/script>)/, (_, begin, run) =>
  begin + JSON.stringify({ ...JSON.parse(run), changed: "<b>.rs: changed" }).replaceAll("<", "\\u003c")));
await withPage(browser, changed, "", async ({ evaluate, errors }) => {
  assert.equal(await evaluate("document.getElementById('changed').innerText"), "<b>.rs: changed");
  assert.deepEqual(errors, []);
});
unlinkSync(changed);
console.log("the page works");
