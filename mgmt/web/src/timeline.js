// What the charts over time show: history of the range, and the stream's snapshots while it is live.
import { get } from "./api.js";
import { TimeChart, colourOf } from "./plots.js";

const kClock = ["system_offset", "bound", "frequency", "skew", "ntp_rate"];
const kSource = ["source.offset", "source.frequency", "source.skew", "source.delay"];
const kRefreshMs = 5000;

export class Timeline {
  constructor(place, { onRange }) {
    this.events = [];
    this.spanS = 3600;
    this.live = true;
    this.onRange = onRange;
    const shared = {
      events: () => this.events,
      onRange: (from, to) => this.freeze(from, to),
      onAll: () => this.follow(this.spanS),
    };
    this.charts = [
      new TimeChart(place, { title: "Offset", kind: "seconds", ...shared }),
      new TimeChart(place, { title: "Frequency of our clock, and residual of the sources", kind: "ppm", ...shared }),
      new TimeChart(place, { title: "Skew (bound on the frequency error)", kind: "ppm", ...shared }),
      new TimeChart(place, { title: "Delay", kind: "seconds", ...shared }),
      new TimeChart(place, { title: "Requests served", kind: "rate", ...shared }),
    ];
    setInterval(() => this.live && !document.hidden && this.load(), kRefreshMs);
  }

  /** The last `spanS` seconds, moving with time. */
  follow(spanS) {
    this.spanS = spanS;
    this.live = true;
    this.onRange(spanS, true);
    return this.load();
  }

  freeze(from, to) {
    this.live = false;
    this.range = [from, to];
    this.onRange(null, false);
    return this.load();
  }

  async load() {
    const now = Date.now() / 1000;
    const range = this.live ? [now - this.spanS, now] : this.range;
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const query = `from=${Math.floor(range[0])}&to=${Math.ceil(range[1])}`;
    const names = [...kClock, ...kSource].join(",");
    const [history, events] = await Promise.all([
      get(`history?metric=${names}&${query}&points=600`), get(`events?${query}&limit=1000`)]);
    if (turn !== this.turn) return;
    this.events = events.events;
    this.show(history, range);
    this.csv = `/api/v1/history.csv?metric=${names}&${query}&points=10000`;
    this.onLoaded?.(this.csv);
  }

  show(history, range) {
    const times = Array.from({ length: history.count }, (_, i) => history.from_s + i * history.step_s);
    const clock = (metric) => history.series.find((s) => s.metric === metric)?.mean ?? times.map(() => null);
    const sources = [...new Set(history.series.map((s) => s.source).filter(Boolean))].sort();
    const lines = (metric, first) => sources.flatMap((source, i) => {
      const found = history.series.find((s) => s.metric === metric && s.source === source);
      return found ? [{ label: source, values: found.mean, colour: colourOf(i + first) }] : [];
    });
    const bound = clock("bound");
    const quiet = { dash: [4, 4], width: 1, colour: "#8a8a8a" };
    this.charts[0].show(times, [
      { label: "our clock", values: clock("system_offset"), colour: colourOf(0), width: 2.5 },
      { label: "+ bound", values: bound, ...quiet },
      { label: "− bound", values: bound.map((v) => (v === null ? null : -v)), ...quiet },
      ...lines("source.offset", 1)], range);
    this.charts[1].show(times, [
      { label: "our clock", values: clock("frequency"), colour: colourOf(0), width: 2.5 },
      ...lines("source.frequency", 1)], range);
    this.charts[2].show(times, [
      { label: "our clock", values: clock("skew"), colour: colourOf(0), width: 2.5 },
      ...lines("source.skew", 1)], range);
    this.charts[3].show(times, lines("source.delay", 1), range);
    this.charts[4].show(times, [{ label: "requests", values: clock("ntp_rate"), colour: colourOf(0) }], range);
  }

  redraw() {
    for (const chart of this.charts) chart.redraw();
  }
}
