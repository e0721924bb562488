// A run that prints a lot and has many tasks: what is shown stays in its place, is true, and can be reached.
import assert from "node:assert/strict";
import { withPage } from "./browser.mjs";

const [browser, page] = process.argv.slice(2);
const shift = 8;

await withPage(browser, page, "", async ({ evaluate, press, drag, resize, media, address, errors }) => {
  // Not all of them: of the lines that are printed, and of the many tasks at the end, a few are like the rest.
  const steps = await evaluate(
    "[...Array(count).keys()].filter((at) => at < 3 || at % 20 === 0 || (at < 260 && record(at).event !== 'Printed'))");
  const eachOf = (steps, expression) =>
    evaluate(`[${steps}].map((at) => { go(at); return ${expression}; })`);
  const eachStep = (expression) => eachOf(steps, expression);
  const top = (id) => `Math.round(document.getElementById("${id}").getBoundingClientRect().top)`;
  const controls = `${top("forward")} + " and " + ${top("scrubber")}`;
  const marks = "[...document.querySelectorAll('.who')].map((who) => who.textContent)";
  const rowsOfTasks = "[...document.querySelectorAll('#tasks tr')].map((row) => [row.cells[0].textContent, row.cells[1].textContent])";

  // All that is asked about a step, for to go there takes the time.
  await resize(1280, 900);
  await evaluate("scrollTo(0, 0)");
  const atSteps = await eachStep(`({
    controls: ${controls},
    marks: ${marks},
    rows: ${rowsOfTasks},
    ready: document.getElementById("ready").textContent,
    wheel: document.getElementById("wheel").textContent,
    woken: [...state.tasks.values()]
      .filter((task) => task.queued && task.stage === "waiting" && ["main", "getter"].includes(label(task.id)))
      .map((task) => ({ id: task.id, label: label(task.id) })),
    closures: [...state.tasks.values()]
      .filter((task) => task.kind === "Blocking" && task.stage === "waiting" && !task.queued && !isReady(task))
      .map(stateOf),
    noMarkIsSeen: (() => {
      const seen = document.getElementById("code").getBoundingClientRect();
      const marks = [...document.querySelectorAll(".who")].map((who) => who.closest(".line").getBoundingClientRect());
      return marks.length > 0 && !marks.some((mark) => mark.top >= seen.top && mark.bottom <= seen.bottom) && step;
    })(),
    wrongRow: (() => {
      const of = (id) => [...document.querySelectorAll("#tasks tr")].find((row) => row.cells[0].textContent.split(" ").includes(id));
      if (state.running && !of(state.running)?.matches(".running")) return "the running task has no row at step " + step;
      const about = state.tasks.has(record(step).task) ? record(step).task : state.running;
      if (!about) return "";
      if (!of(about)) return "the task of step " + step + " has no row";
      const row = of(about).getBoundingClientRect();
      const seen = document.getElementById("tasks").getBoundingClientRect();
      return row.top < seen.top - 1 || row.bottom > seen.bottom + 1 ? "its row is not seen at step " + step : "";
    })(),
    wrongButtons: (() => {
      const does = (button) => button.getAttribute("aria-disabled") !== "true";
      const wrong = [...document.querySelectorAll("#tasks button")]
        .filter((button) => does(button) !== (nextPoll(button.dataset.task) !== null))
        .map((button) => "next of " + button.dataset.task);
      if (does(poll) !== (nextPoll(null) !== null)) wrong.push("next poll");
      if (does(wake) !== (wakeOfPoll() !== null && wakeOfPoll() !== step)) wrong.push("wake");
      return wrong.map((button) => button + " at step " + step);
    })(),
  })`);

  // ---- a sentence of any length
  await resize(960, 700);
  for (const places of [atSteps.map(({ controls }) => controls), await eachStep(controls)]) {
    assert.equal(new Set(places).size, 1, `the controls stay where they are: ${[...new Set(places)]}`);
  }
  await resize(360, 740);
  await evaluate("go([...Array(count).keys()].find((at) => record(at).event === 'Printed')); scrollTo(0, 0)");
  assert.ok(await evaluate(`document.getElementById("scrubber").getBoundingClientRect().bottom < innerHeight`),
    "a long sentence leaves the controls on the screen");
  assert.equal(await evaluate("says.tabIndex"), 0, "and can be scrolled by keys");
  await resize(1280, 900);

  // ---- a task that is woken
  const woken = atSteps.flatMap(({ woken, marks, rows }) => woken.map((task) => ({
    row: rows.find(([name]) => name.includes(task.id))[1],
    marks: marks.filter((mark) => mark.includes(task.label)),
  })));
  assert.ok(woken.length >= 3, `there are some: ${woken.length}`);
  for (const { row, marks } of woken) {
    assert.match(row, /^woken, in the ready queue/);
    assert.ok(marks.length > 0 && marks.every((mark) => /woken and not polled yet/.test(mark)), marks.join());
  }

  // ---- a task that waits where the page cannot look
  const boxed = [...new Set(atSteps.flatMap(({ marks }) => marks.filter((mark) => mark.includes("boxed"))))];
  assert.ok(boxed.some((mark) => /boxed waits for its timer for .*, last seen here/.test(mark)), boxed.join());
  const hasRun = boxed.findIndex((mark) => /boxed is here/.test(mark));
  assert.ok(!boxed.slice(hasRun).some((mark) => /boxed was spawned here/.test(mark)), "a task that has run does not go back");

  // ---- a closure
  const closures = atSteps.flatMap(({ closures, marks }) => closures.map((state) => `${state}; ${marks}`));
  assert.ok(closures.length > 0 && closures.every((closure) =>
    /^waiting until it has run on another thread; .*closure in busy was handed to the thread pool here/.test(closure)), closures.join());

  // ---- what was found
  const found = await evaluate("run.found_at");
  assert.ok(found.length > 0, "something was found");
  await evaluate("go(0)");
  for (const at of new Set(found.filter((at) => at > 0))) {
    await press("f");
    assert.equal(await evaluate("step"), at);
  }
  await press("f");
  assert.equal(await evaluate("step"), found.at(-1), "behind the last there is no other");

  // ---- a task is found by each of its names
  assert.ok(await evaluate("Object.keys(run.cut_names).length") > 0, "some are cut");
  for (const name of ["label(id)", "run.names[id]", "id"]) {
    const lost = await evaluate(`Object.keys(run.names).filter((id) => taskCalled(${name}) !== id)`);
    assert.deepEqual(lost, [], `by ${name}`);
  }

  // ---- a panic
  await evaluate("go([...Array(count).keys()].find((at) => record(at).event === 'Panicked'))");
  const panics = (await evaluate(marks)).join();
  assert.match(panics, /bomb panicked; it was spawned here/);

  // ---- a mark is seen
  assert.deepEqual(atSteps.map(({ noMarkIsSeen }) => noMarkIsSeen).filter((step) => step !== false), [],
    "of the marked lines one is always seen");

  // ---- more tasks than rows
  assert.deepEqual(atSteps.map(({ wrongRow }) => wrongRow).filter((wrong) => wrong), []);
  await resize(1280, 540);
  // The browser would make up for what grows above.
  await evaluate("document.documentElement.style.overflowAnchor = 'none'; scrollTo(0, 200)");
  assert.deepEqual(new Set(await eachStep("scrollY")), new Set([200]), "the page itself is never scrolled");
  await resize(1280, 900);

  // ---- what a timer is for
  const shown = (what) => [...new Set(atSteps.map(what))].join("\n");
  const rowsOf = (name) => shown(({ rows }) => rows.filter(([of]) => of.includes(name)).map(([, state]) => state).join());
  const getters = rowsOf("getter");
  assert.match(getters, /waiting for a future that is not watchglass's and its time limit at 1\.051\ss/);
  const mains = rowsOf("busy");
  assert.match(mains, /waiting for its timer for 60\.000\ss and its time limit at 0\.050\ss/);
  assert.match(mains, /waiting for its timer for the tick at 1\.052\ss/);
  // At each of its own steps: of those behind the first ones only a few are among the others.
  const ownRows = async (name) => {
    const own = await evaluate(`[...Array(count).keys()].filter((at) => record(at).task === taskCalled("${name}"))`);
    const rows = (await eachOf(own, rowsOfTasks)).flatMap((rows) => rows.filter(([of]) => of.includes(name)).map(([, state]) => state));
    return [...new Set(rows)].filter((row) => row.startsWith("waiting")).join("\n");
  };
  const picky = await ownRows("picky");
  assert.match(picky, / any task of its set to end and /);
  assert.doesNotMatch(picky, /any task.*any task/, "what is polled again and again is named once");
  assert.match(picky, / and 6 more$/m, "and not all are");
  const joiner = await ownRows("joiner");
  assert.match(joiner, /^waiting for 2 joined futures$/m);
  assert.doesNotMatch(joiner, /futures? and/, "joins that look the same are not taken for one");
  const ready = shown(({ ready }) => ready);
  assert.match(ready, /its time limit at 0\.050\ss was reached/);
  const wheel = shown(({ wheel }) => wheel);
  assert.match(wheel, /timer 1, a time limit, wakes busy #0 at 0\.050\ss: level/);
  assert.match(wheel, /, for a tick, wakes busy #0 at 1\.052\ss: level/);
  await evaluate("go(0)");

  // ---- what was printed
  await evaluate("go(lastStep)");
  const printed = await evaluate("document.getElementById('printed').textContent");
  assert.match(printed, /^… what was printed before is not shown\nline 50\n/);
  await evaluate("go([...Array(count).keys()].find((at) => record(at).text?.includes('red')))");
  assert.match(await evaluate("document.getElementById('printed').textContent"), /^w{3000}\nred\n$/,
    "colours of a terminal are left out");

  await evaluate(`state.printed = [{ text: "\\r[#  ]" }, { text: "\\r[## ]" }, { text: "\\ndone\\r\\n" }]; showPrinted()`);
  assert.equal(await evaluate("document.getElementById('printed').textContent"), "[## ]\ndone\r\n", "as in a terminal");
  await evaluate(`state.printed = Array.from({ length: 450 }, (_, at) => ({ text: at + (at % 3 === 2 ? "\\n" : " ") }));
    showPrinted()`);
  assert.match(await evaluate("document.getElementById('printed').textContent"),
    /^… what was printed before is not shown\n150 151 152\n/, "lines that are printed in pieces are whole");
  await evaluate("go(0)");

  // ---- the address
  const pause = () => evaluate("new Promise((done) => setTimeout(done, 400))");
  const stepInAddress = async () => Number((await address()).split("#step=")[1]);
  const goBack = () =>
    evaluate("new Promise((done) => { addEventListener('hashchange', done, { once: true }); history.back(); }).then(() => 0)");
  await evaluate("go(0)");
  await pause();
  await evaluate("for (let at = 1; at <= 300; at += 1) go(at)");
  await pause();
  assert.equal(await stepInAddress(), 300, "after many steps the address says where one is");
  await evaluate("go([...Array(count).keys()].find((at) => record(at).event === 'PollStarted'))");
  const polled = await evaluate("step");
  await press("w");
  await goBack();
  assert.equal(await evaluate("step"), polled, "Back leads to where one came from, even at once");
  await evaluate("go([...Array(count).keys()].find((at) => (go(at), readyQueue(state)[0]?.woken_by < at)))");
  const linked = await evaluate("step");
  await evaluate("document.querySelector('#ready a').click()");
  await goBack();
  assert.equal(await evaluate("step"), linked, "and so after a link");
  const goToHash = (hash) =>
    evaluate(`new Promise((done) => { addEventListener("hashchange", done, { once: true }); location.hash = "${hash}"; }).then(() => 0)`);
  await goToHash("#step=99999");
  assert.equal(await evaluate("step"), await evaluate("lastStep"));
  await pause();
  assert.equal(await stepInAddress(), await evaluate("lastStep"), "an address beyond the end becomes that of the end");
  await evaluate("go(12)");
  for (const hash of ["#tasks", "#step=abc", "#step=-3"]) {
    await goToHash(hash);
    assert.equal(await evaluate("step"), 12, `${hash} is no step: one stays where one is`);
  }
  await evaluate("number.focus(); number.select()");
  await press("Backspace");
  await press("Enter");
  assert.deepEqual(await evaluate("[step, number.value]"), [12, "12"], "an empty field leads nowhere");
  await evaluate("number.blur()");

  // ---- the focus
  const focused = () => evaluate("document.activeElement.id || document.activeElement.dataset.task || document.activeElement.tagName");
  await evaluate("go(lastStep - 1); forward.focus()");
  await press("Enter");
  await press("Enter");
  assert.equal(await focused(), "forward", "at the end Forward keeps the focus");
  assert.equal(await evaluate("forward.getAttribute('aria-disabled')"), "true");
  assert.equal(await evaluate("step"), await evaluate("lastStep"));
  await evaluate("go([...Array(count).keys()].find((at) => (go(at), readyQueue(state)[1]?.woken_by < at)))");
  await evaluate("[...document.querySelectorAll('#ready a')][1].focus()");
  const queued = await focused();
  await press("ArrowRight");
  assert.equal(await focused(), queued, "a link in the ready queue keeps it while its task is there");
  await evaluate(`go([...Array(count).keys()].find((at) => at > step && (go(at), !readyQueue(state).some(({ task }) => task === "${queued}"))))`);
  assert.equal(await focused(), "ready", "and then the queue has it");
  const ending = await evaluate("[...state.tasks.values()].find((task) => !isOver(task) && task.id !== '#0').id");
  await evaluate(`document.querySelector('#tasks [data-task="${ending}"]').focus()`);
  await evaluate("go(lastStep)");
  assert.equal(await focused(), "tasks", "the button of a task that has ended leaves it to the tasks");
  await evaluate("document.activeElement.blur()");

  // ---- buttons that would do nothing
  assert.deepEqual(atSteps.flatMap(({ wrongButtons }) => wrongButtons), [], "a button says whether it does something");

  // ---- keys
  await evaluate("go(2)");
  await press("ArrowRight", shift);
  assert.equal(await evaluate("step"), 2, "Shift and an arrow select");
  await press("N", shift);
  const upper = await evaluate("step");
  await evaluate("go(2)");
  await press("n");
  assert.equal(upper, await evaluate("step"), "a letter is the same with Shift");
  await evaluate("go(150)");
  for (const id of ["code", "printed"]) {
    await evaluate(`document.getElementById("${id}").focus()`);
    for (const key of ["Home", "End"]) await press(key);
    assert.equal(await evaluate("step"), 150, `Home and End belong to ${id}, which scrolls`);
    await press("ArrowRight");
    assert.equal(await evaluate("step"), 151, "the arrows do not, for it scrolls up and down only");
    await evaluate("go(150)");
  }
  await evaluate("document.activeElement.blur()");

  // ---- the slider
  const dragged = await evaluate(`new Promise((done) => {
    let shows = 0;
    const before = show;
    show = () => { shows += 1; before(); };
    for (let at = 0; at < 100; at += 1) {
      scrubber.value = at;
      scrubber.dispatchEvent(new Event("input"));
    }
    requestAnimationFrame(() => requestAnimationFrame(() => { show = before; done([step, shows]); }));
  })`);
  assert.deepEqual(dragged, [99, 1], "a slider that is dragged fast leads to where it is, once a frame");

  // ---- narrow windows
  await resize(360, 740);
  await evaluate("go(4)");
  for (const id of ["first", "back", "forward", "last", "wake", "poll", "number", "scrubber"]) {
    assert.ok(await evaluate(`document.getElementById("${id}").offsetParent !== null`), `${id} is on a narrow screen too`);
  }
  const small = await evaluate(`[...document.querySelectorAll("button, input")]
    .filter((it) => it.type !== "range" && (it.offsetHeight < 24 || it.offsetWidth < 24)).map((it) => it.outerHTML)`);
  assert.deepEqual(small, [], "a finger can hit every button");
  assert.match(await evaluate("seconds(50000000)"), /^0\.05\d*\u00a0s$/, "a number and its unit stay together");

  // ---- what was printed stays in its place, and the panels take all the room that there is
  for (const [width, height] of [[1280, 1000], [1920, 1080], [1300, 900], [1366, 768], [1280, 720], [1300, 600]]) {
    await resize(width, height);
    await evaluate("document.getElementById('panels').scrollTop = 0");
    const looks = await eachOf(steps.filter((_, at) => at % 3 === 0), `({
      printedAt: ${top("printed-title")},
      scrolled: [...document.querySelectorAll("#panels, .column")].some((it) => it.scrollHeight > it.clientHeight) && step,
    })`);
    const printedAt = new Set(looks.map(({ printedAt }) => printedAt));
    assert.equal(printedAt.size, 1, `whatever the lists above it do: ${[...printedAt]}`);
    const [panels, printed, ...bottoms] = await evaluate(`[
      ...["panels", "printed"].map((id) => document.getElementById(id).clientHeight),
      ...["panels", "tasks-panel", "printed-panel"].map((id) => Math.round(document.getElementById(id).getBoundingClientRect().bottom)),
    ]`);
    assert.ok(printed > panels / 5, `at ${width} by ${height} what was printed has a share: ${printed} of ${panels}`);
    assert.equal(new Set(bottoms).size, 1, `at ${width} by ${height} nothing is left blank below a panel: ${bottoms}`);
    assert.deepEqual(looks.map(({ scrolled }) => scrolled).filter((step) => step !== false), [],
      `at ${width} by ${height} only the lists scroll`);
  }
  for (let height = 545; height < 800; height += 15) {
    await resize(1280, height);
    const overflows = await evaluate(`(() => {
      const queued = [...Array(40).keys()].map(() => document.createElement("li"));
      queued.forEach((it) => (it.textContent = "queued"));
      ready.append(...queued);
      const overflows = [...document.querySelectorAll("#panels, .column")].some((it) => it.scrollHeight > it.clientHeight);
      queued.forEach((it) => it.remove());
      return overflows;
    })()`);
    assert.ok(!overflows, `${height} pixels high, a long queue scrolls in its panel`);
  }
  await resize(1280, 900);

  // ---- a timeline of many lanes can be made higher
  const edge = async () => {
    const [right, bottom] = await evaluate(`(() => {
      const { right, bottom } = document.getElementById("picture").getBoundingClientRect();
      return [right, bottom];
    })()`);
    return [right - 4, bottom - 4];
  };
  await evaluate("scrollTo(0, 0)");
  const [x, y] = await edge();
  await drag([x, y], [x, y + 150]);
  const [, after] = await edge();
  assert.ok(after > y + 120, `its edge follows the mouse, from ${y} to ${after}`);

  // ---- on paper
  await media("print");
  for (const [width, height] of [[740, 1000], [1280, 900]]) {
    await resize(width, height);
    await evaluate("go(lastStep)");
    const cut = await evaluate(`[...document.querySelectorAll("body, main, main *")]
      .filter((it) => it.offsetHeight > 0)
      .filter((it) => getComputedStyle(it).overflowY !== "visible" || getComputedStyle(it).maxHeight !== "none")
      .map((it) => it.outerHTML.slice(0, 60))`);
    assert.deepEqual(cut, [], "nothing is cut off");
    assert.equal(await evaluate("[...document.querySelectorAll('button, input, footer')].filter((it) => it.offsetParent).length"), 0,
      "there is nothing to click at on paper");
    await evaluate("go([...Array(count).keys()].find((at) => (go(at), document.querySelector('.slot.taken') && document.querySelector('.line.waits'))))");
    assert.equal(await evaluate("getComputedStyle(document.querySelector('.slot.taken')).printColorAdjust"), "exact", "the wheel keeps its colours");
  }
  await evaluate("document.getElementById('picture').removeAttribute('style')");
  // ---- with colours of the system's
  await media("", { "forced-colors": "active" });
  const style = (selector, name) => evaluate(`getComputedStyle(document.querySelector("${selector}"))["${name}"]`);
  assert.notEqual(await style(".slot.taken", "backgroundColor"), await style(".slot:not(.taken)", "backgroundColor"));
  assert.notEqual(await style(".line.waits", "outlineStyle"), "none", "a marked line can be told from others");
  await media("");

  // ---- low windows
  for (const [width, height] of [[320, 256], [740, 360], [640, 450], [360, 740]]) {
    await resize(width, height);
    await evaluate("go(2); scrollTo(0, document.body.scrollHeight); first.focus({ preventScroll: true })");
    const hidden = [];
    for (const modifiers of [0, shift]) {
      for (let presses = 0; presses < 20; presses += 1) {
        await press("Tab", modifiers);
        hidden.push(await evaluate(`(() => {
          const focused = document.activeElement;
          const now = document.getElementById("now").getBoundingClientRect();
          if (focused === document.body || focused.closest("#now")) return "";
          return focused.getBoundingClientRect().bottom <= now.bottom && now.top <= 0 ? focused.outerHTML : "";
        })()`));
      }
    }
    assert.deepEqual(hidden.filter((focused) => focused), [], `at ${width} by ${height} what has the focus is seen`);
    const stays = await evaluate("scrollTo(0, 9999), document.getElementById('now').getBoundingClientRect().bottom");
    assert.ok(stays < height / 2, `at ${width} by ${height} most of the window is left: ${stays}`);
  }
  await resize(1280, 900);

  // ---- how late it is, who waits for its turn because of a timer
  const late = await evaluate(`[...Array(count).keys()].filter((at) => record(at).event === "Woken").map((at) => {
    const [, reason] = /ready queue: (its timer .* late)$/.exec(record(at).says) || [];
    if (!reason) return "";
    go(at);
    return document.getElementById("ready").textContent.replaceAll("\u00a0", " ").includes(reason) ? "told" : reason;
  }).filter((it) => it)`);
  assert.ok(late.length > 0 && late.every((it) => it === "told"), late.join());

  assert.deepEqual(errors, []);
});
console.log("the busy page works");
