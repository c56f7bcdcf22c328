// The page: wires stream, history and panels together.
import { get, listen } from "./api.js";
import { byId, choice } from "./dom.js";
import { showDaemon, showEvents, showRtc, showServer, showSources, showState } from "./panels.js";
import { StabilityChart } from "./plots.js";
import { adev, longestRun, mtie, tdev } from "./stability.js";
import { Timeline } from "./timeline.js";

const kRanges = [[900, "15 min"], [3600, "1 h"], [21600, "6 h"], [86400, "24 h"], [604800, "7 d"], [2592000, "30 d"]];
const kMeasures = {
  adev: { label: "ADEV", of: adev, inSeconds: false },
  tdev: { label: "TDEV", of: tdev, inSeconds: true },
  mtie: { label: "MTIE", of: mtie, inSeconds: true },
};
const kStabilitySpanS = 6 * 3600;
const kStabilityEveryMs = 60000;

function themes(redraw) {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => localStorage.getItem("theme");
  const show = () => {
    root.dataset.theme = stored() ?? (dark.matches ? "dark" : "light");
    byId("theme").textContent = root.dataset.theme === "dark" ? "Light" : "Dark";
    redraw();
  };
  byId("theme").addEventListener("click", () => {
    localStorage.setItem("theme", root.dataset.theme === "dark" ? "light" : "dark");
    show();
  });
  dark.addEventListener("change", show);
  show();
}

function stability() {
  const chart = new StabilityChart(byId("stability"));
  let kind = "adev";
  let history = null;
  const show = () => {
    if (history === null) return;
    const measure = kMeasures[kind];
    const step = history.step_s;
    chart.show(history.series.map((series) => ({
      label: series.source, pairs: measure.of(longestRun(series.mean), step),
    })).filter((line) => line.pairs.length > 0), measure.inSeconds);
    byId("stability-hint").textContent =
      `Of every source's estimated offset against our clock, one value every ${step} s, over the last six hours at most.`;
  };
  const load = async () => {
    if (document.hidden) return;
    const now = Math.floor(Date.now() / 1000);
    history = await get(`history?metric=source.offset&from=${now - kStabilitySpanS}&to=${now}&points=10000`);
    show();
  };
  choice(byId("stability-kinds"), Object.entries(kMeasures).map(([name, m]) => [name, m.label]), kind, (name) => {
    kind = name;
    show();
  });
  setInterval(() => load().catch(console.error), kStabilityEveryMs);
  load().catch(console.error);
}

function main() {
  const live = byId("live");
  let showRange = () => {};
  const timeline = new Timeline(byId("charts"), {
    onRange: (spanS, isLive) => {
      showRange(spanS ?? "");
      live.setAttribute("aria-pressed", String(isLive));
    },
  });
  timeline.onLoaded = (csv) => byId("csv").setAttribute("href", csv);
  showRange = choice(byId("ranges"), kRanges, 3600, (spanS) => timeline.follow(Number(spanS)));
  live.addEventListener("click", () => timeline.follow(timeline.spanS));
  themes(() => timeline.redraw());

  const events = [];
  const addEvent = (event) => {
    if (events.length > 0 && event.id <= events[events.length - 1].id) return;
    events.push(event);
    if (events.length > 500) events.shift();
    showEvents(events);
  };
  const showSnapshot = (snapshot) => {
    showState(snapshot);
    showSources(snapshot);
    showServer(snapshot);
    showRtc(snapshot);
  };
  get("events?limit=200").then((list) => list.events.forEach(addEvent)).catch(console.error);
  get("snapshot").then((all) => all.snapshot && showSnapshot(all.snapshot)).catch(() => {});
  listen({ daemon: showDaemon, snapshot: showSnapshot, event: addEvent }, (up) => {
    if (up) return;
    byId("link").textContent = "gnomon-mgmtd is not reached, trying again …";
    byId("link").className = "bad";
  });
  timeline.follow(3600).catch(console.error);
  stability();
}

main();
