// A run that prints a lot and has many tasks: what is shown stays in its place, is true, and can be reached.
import assert from "node:assert/strict";
import { withPage } from "./browser.mjs";

const [browser, page] = process.argv.slice(2);

await withPage(browser, page, "", async ({ evaluate, resize, errors }) => {
  // Not all of them: of the lines that are printed, and of the many tasks at the end, a few are like the rest.
  const steps = await evaluate(
    "[...Array(count).keys()].filter((at) => at < 3 || at % 20 === 0 || (at < 260 && record(at).event !== 'Printed'))");
  const eachStep = (expression) =>
    evaluate(`[${steps}].map((at) => { go(at); return ${expression}; })`);

  // ---- a sentence of any length
  const top = (id) => `Math.round(document.getElementById("${id}").getBoundingClientRect().top)`;
  for (const [width, height] of [[960, 700], [1280, 900]]) {
    await resize(width, height);
    const places = await eachStep(`${top("forward")} + " and " + ${top("scrubber")}`);
    assert.equal(new Set(places).size, 1, `at ${width} pixels the controls stay where they are: ${[...new Set(places)]}`);
  }
  await resize(360, 740);
  await evaluate("go([...Array(count).keys()].find((at) => record(at).event === 'Printed')); scrollTo(0, 0)");
  assert.ok(await evaluate(`document.getElementById("scrubber").getBoundingClientRect().bottom < innerHeight`),
    "a long sentence leaves the controls on the screen");
  assert.equal(await evaluate("says.tabIndex"), 0, "and can be scrolled by keys");
  await resize(1280, 900);

  assert.deepEqual(errors, []);
});
console.log("the busy page works");
