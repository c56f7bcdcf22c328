// The dashboard in headless Chromium, against a running gnomon-mgmtd:
//   node dashboard.mjs URL PATH-TO-CHROMIUM SCREENSHOTS
// Prints a line per check; the exit status is the number of failures.
import { createRequire } from "node:module";
import { mkdir, readFile } from "node:fs/promises";

const web = new URL("../../mgmt/web/", import.meta.url);
const require = createRequire(new URL("package.json", web));
const { chromium } = require("playwright-core");
const [url, executablePath, shots] = process.argv.slice(2);
await mkdir(shots, { recursive: true });

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
let failed = 0;

function check(condition, what) {
  if (!condition) ++failed;
  console.log(`${condition ? "ok     " : "FAILED "} ${what}`);
}

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.complaints = [];
  page.requested = [];
  page.on("console", (m) => m.type() === "error" && page.complaints.push(m.text()));
  page.on("pageerror", (e) => page.complaints.push(e.message));
  page.on("request", (r) => page.requested.push(r.url()));
  await page.goto(url);
  await page.waitForFunction(() => document.querySelectorAll("#source-table tbody tr").length > 0 &&
    document.querySelectorAll("#charts .u-wrap canvas").length >= 5, null, { timeout: 20000 });
  return page;
}

async function violations(page) {
  await page.evaluate(await readFile(require.resolve("axe-core/axe.min.js"), "utf8"));
  const result = await page.evaluate(() => window.axe.run());
  for (const v of result.violations) console.log(`        ${v.impact} ${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`);
  return result.violations;
}

async function desktop() {
  const page = await open({ viewport: { width: 1280, height: 900 }, colorScheme: "light", bypassCSP: true });
  const cards = await page.locator("#cards").innerText();
  check(cards.includes("LOCKED") && /± [\d.]+ (ns|µs|ms)/.test(cards), "state and bound at a glance");
  const rows = await page.locator("#source-table tbody tr").allInnerTexts();
  check(rows.length === 3, `a row per source (${rows.length})`);
  check(rows.some((row) => row.includes("selected")) && rows.every((row) => row.trim().length > 60), "why each source is used or not");
  await page.waitForFunction(() => /our clock: from .* to .*last/.test(
    document.querySelector("#charts .uplot")?.getAttribute("aria-label") ?? ""), null, { timeout: 20000 });
  const labels = await page.locator("#charts .uplot").evaluateAll((all) => all.map((e) => e.getAttribute("aria-label")));
  check(labels[0].includes("127.0.0.1: from"), "charts show our clock and every source");
  check((await page.locator("#events tbody tr").count()) > 2, "events are listed");

  // A chart is painted: its canvas is not of one colour.
  const colours = await page.locator("#charts canvas").first().evaluate((canvas) => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 0) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
    return seen.size;
  });
  check(colours > 3, `the chart is painted in ${colours} colours`);

  const before = await page.locator("#cards").innerText();
  await page.waitForFunction((text) => document.querySelector("#cards").innerText !== text, before, { timeout: 10000 });
  check(true, "figures are live");

  const over = page.locator("#charts .u-over").first();
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 60, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction(() => document.querySelector("#live").getAttribute("aria-pressed") === "false");
  const csv = await page.locator("#csv").getAttribute("href");
  const [from, to] = [/from=(\d+)/, /to=(\d+)/].map((r) => Number(r.exec(csv)[1]));
  check(to - from > 700 && to - from < 1500, `dragging zooms (${to - from} s of an hour)`);
  await page.locator("#charts .uplot").first().focus();
  await page.keyboard.press("-");
  await page.waitForFunction((span) => {
    const href = document.querySelector("#csv").getAttribute("href");
    return Number(/to=(\d+)/.exec(href)[1]) - Number(/from=(\d+)/.exec(href)[1]) > 1.5 * span;
  }, to - from, { timeout: 10000 });
  check(true, "the keyboard zooms");
  await page.getByRole("button", { name: "15 min" }).click();
  check(await page.locator("#live").getAttribute("aria-pressed") === "true", "a range goes live again");
  await page.getByRole("button", { name: "TDEV" }).click();
  check(await page.getByRole("button", { name: "TDEV" }).getAttribute("aria-pressed") === "true", "measures of stability change");

  const light = await violations(page);
  check(light.length === 0, "accessible in light");
  await page.screenshot({ path: `${shots}/light.png`, fullPage: true });
  await page.getByRole("button", { name: "Dark" }).click();
  check(await page.evaluate(() => document.documentElement.dataset.theme) === "dark", "dark at a click");
  const dark = await violations(page);
  check(dark.length === 0, "accessible in dark");
  await page.screenshot({ path: `${shots}/dark.png`, fullPage: true });
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  console.log(`        first contentful paint after ${Math.round(paint)} ms`);
  check(page.requested.every((r) => r.startsWith(url)), "no request leaves the daemon");
  check(page.complaints.length === 0, `no complaints ${page.complaints.join(" | ")}`);
  await page.context().close();
}

async function strict() {
  const page = await open({ viewport: { width: 1000, height: 800 } });
  check(page.complaints.length === 0, `nothing violates the content security policy ${page.complaints.join(" | ")}`);
  await page.context().close();
}

async function phone() {
  const page = await open({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, colorScheme: "dark" });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wide <= 0, `fits a phone (${wide} px too wide)`);
  check(await page.evaluate(() => document.documentElement.dataset.theme) === "dark", "follows the system's theme");
  await page.screenshot({ path: `${shots}/phone.png` });
  await page.context().close();
}

for (const part of [desktop, strict, phone]) {
  try {
    await part();
  } catch (error) {
    check(false, `${part.name}: ${error.message}`);
  }
}
await browser.close();
process.exit(failed);
