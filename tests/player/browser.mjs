// Drives Chromium through its debugging pipe: no package is needed.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
];

// Opens `page` in `browser`, hands what can be done with it to `test`, and closes the browser.
export async function withPage(browser, page, hash, test) {
  const profile = mkdtempSync(join(tmpdir(), "player-"));
  const child = spawn(browser, [...flags, `--user-data-dir=${profile}`], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const waiting = new Map();
  const listeners = [];
  let text = "";
  child.stdio[4].on("data", (data) => {
    text += data;
    let end;
    while ((end = text.indexOf("\0")) >= 0) {
      const message = JSON.parse(text.slice(0, end));
      text = text.slice(end + 1);
      if (message.id) waiting.get(message.id)(message);
      else listeners.forEach((listener) => listener(message));
    }
  });
  let last = 0;
  let sessionId;
  const send = (method, params = {}) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, ({ error, result }) => (error ? reject(new Error(error.message)) : resolve(result)));
      child.stdio[3].write(JSON.stringify({ id: last, method, params, sessionId }) + "\0");
    });
  try {
    const { targetId } = await send("Target.createTarget", { url: "about:blank" });
    ({ sessionId } = await send("Target.attachToTarget", { targetId, flatten: true }));
    const errors = [];
    listeners.push(({ method, params }) => {
      if (method === "Runtime.exceptionThrown") errors.push(params.exceptionDetails.exception?.description);
    });
    await send("Page.enable");
    await send("Runtime.enable");
    const loaded = new Promise((resolve) =>
      listeners.push(({ method }) => method === "Page.loadEventFired" && resolve()));
    const started = performance.now();
    await send("Page.navigate", { url: pathToFileURL(page).href + hash });
    await loaded;
    const openedMs = performance.now() - started;
    const evaluate = async (expression) => {
      const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
      return result.value;
    };
    const codes = { Tab: 9, Enter: 13, Backspace: 8 };
    const press = async (key, modifiers = 0) => {
      const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
      const code = { key, modifiers, windowsVirtualKeyCode: codes[key] };
      await send("Input.dispatchKeyEvent", { type: "keyDown", text, ...code });
      await send("Input.dispatchKeyEvent", { type: "keyUp", ...code });
    };
    const click = async (x, y) => {
      const at = { x, y, button: "left", clickCount: 1 };
      await send("Input.dispatchMouseEvent", { type: "mousePressed", ...at });
      await send("Input.dispatchMouseEvent", { type: "mouseReleased", ...at });
    };
    const drag = async (from, to) => {
      const at = ([x, y]) => ({ x, y, button: "left", buttons: 1, clickCount: 1 });
      await send("Input.dispatchMouseEvent", { type: "mousePressed", ...at(from) });
      await send("Input.dispatchMouseEvent", { type: "mouseMoved", ...at(to) });
      await send("Input.dispatchMouseEvent", { type: "mouseReleased", ...at(to) });
    };
    const resize = (width, height) =>
      send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    const media = (media, features = {}) => {
      const list = Object.entries(features).map(([name, value]) => ({ name, value }));
      return send("Emulation.setEmulatedMedia", { media, features: list });
    };
    // What the browser itself holds for the address: the page may think otherwise.
    const address = async () => {
      const { currentIndex, entries } = await send("Page.getNavigationHistory");
      return entries[currentIndex].url;
    };
    await test({ evaluate, press, click, drag, resize, media, address, openedMs, errors });
  } finally {
    child.kill();
    await new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.on("exit", resolve) : resolve()));
    try {
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    } catch (error) {
      // The browser's children may still write there for a moment; it is a temporary folder.
      console.error(`left behind: ${error.message}`);
    }
  }
}
