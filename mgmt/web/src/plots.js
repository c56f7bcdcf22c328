// Charts over one shared time axis, with events as marks; and log-log charts of stability.
import uPlot from "uplot";
import { element } from "./dom.js";
import { ppm, seconds } from "./format.js";

// Okabe and Ito's palette: told apart by colour-blind people, on light and dark.
const kColours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f7f7f", "#a05a2c"];
const kEventColours = { step: "#d55e00", alarm: "#d55e00", state: "#009e73", selection: "#8a8a8a", leap: "#cc79a7", restart: "#0072b2" };

export const colourOf = (index) => kColours[index % kColours.length];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axis(format, size) {
  return {
    stroke: () => style("--dim"),
    grid: { stroke: () => style("--line"), width: 1 },
    ticks: { stroke: () => style("--line"), width: 1 },
    size,
    values: format && ((_, splits) => splits.map(format)),
  };
}

/** Marks of events at the top edge, thin lines down. */
function eventMarks(events) {
  return {
    hooks: {
      draw: (plot) => {
        const { ctx, bbox } = plot;
        ctx.save();
        for (const event of events()) {
          if (event.at_s === null || !kEventColours[event.kind]) continue;
          const x = plot.valToPos(event.at_s, "x", true);
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          ctx.strokeStyle = kEventColours[event.kind];
          ctx.globalAlpha = event.kind === "selection" || event.kind === "alarm" ? 0.3 : 0.8;
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
        }
        ctx.restore();
      },
    },
  };
}

/** Shift and drag moves along; arrows and +/− do it from the keyboard. */
function navigation(onRange) {
  const change = (plot, shift, zoom) => {
    const { min, max } = plot.scales.x;
    const half = ((max - min) / 2) * zoom;
    const middle = (min + max) / 2 + shift * (max - min);
    onRange(middle - half, middle + half);
  };
  return {
    hooks: {
      ready: (plot) => {
        plot.root.tabIndex = 0;
        plot.root.addEventListener("keydown", (key) => {
          const move = { ArrowLeft: [-0.2, 1], ArrowRight: [0.2, 1], "+": [0, 0.5], "-": [0, 2] }[key.key];
          if (!move) return;
          key.preventDefault();
          change(plot, ...move);
        });
        plot.over.addEventListener("mousedown", (down) => {
          if (!down.shiftKey) return;
          down.stopImmediatePropagation();
          const from = { x: down.clientX, ...plot.scales.x };
          const drag = (move) => {
            const by = ((from.x - move.clientX) / plot.over.clientWidth) * (from.max - from.min);
            onRange(from.min + by, from.max + by);
          };
          const end = () => document.removeEventListener("mousemove", drag);
          document.addEventListener("mousemove", drag);
          document.addEventListener("mouseup", end, { once: true });
        }, true);
      },
      setSelect: (plot) => {
        if (plot.select.width < 4) return;
        onRange(plot.posToVal(plot.select.left, "x"),
          plot.posToVal(plot.select.left + plot.select.width, "x"));
        plot.setSelect({ width: 0, height: 0 }, false);
      },
    },
  };
}

/** One chart of the time axis. `kind`: "seconds" or "ppm" or "rate". */
export class TimeChart {
  constructor(parent, { title, kind, events, onRange, onAll, log = false }) {
    this.title = title;
    this.format = { seconds: (v) => seconds(v), ppm: (v) => ppm(v), rate: (v) => (v === null ? "–" : `${v.toFixed(1)}/s`) }[kind];
    this.options = { events, onRange, onAll, log };
    this.box = element("div", { class: "chart" }, element("h3", {}, title));
    this.summary = element("p", { class: "quiet" });
    this.place = element("div");
    this.box.append(this.place, this.summary);
    parent.append(this.box);
    this.names = "";
    new ResizeObserver(() => this.plot?.setSize({ width: this.box.clientWidth, height: 190 })).observe(this.box);
  }

  /** `lines`: [{label, values, dash}], all as long as `times`. */
  show(times, lines, range) {
    const data = [times, ...lines.map((line) => line.values)];
    const names = lines.map((line) => line.label).join("\n");
    if (!this.plot || names !== this.names) {
      this.names = names;
      this.plot?.destroy();
      this.plot = this.make(lines, data);
    }
    this.range = range;
    this.plot.setData(data, false);
    this.plot.setScale("x", { min: range[0], max: range[1] });
    this.describe(lines);
  }

  make(lines, data) {
    const { events, onRange, onAll } = this.options;
    const plot = new uPlot({
      width: Math.max(this.box.clientWidth, 200),
      height: 190,
      cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => onAll } },
      scales: { x: { time: true } },
      axes: [axis(null, 36), axis(this.format, 92)],
      series: [{ label: "Time" }, ...lines.map((line, i) => ({
        label: line.label,
        stroke: line.colour ?? colourOf(i),
        width: line.width ?? 1.5,
        dash: line.dash,
        spanGaps: false,
        points: { show: false },
        value: (_, v) => this.format(v),
      }))],
      plugins: [eventMarks(events), navigation(onRange)],
    }, data, this.place);
    plot.root.setAttribute("role", "img");
    return plot;
  }

  describe(lines) {
    const parts = lines.map((line) => {
      const values = line.values.filter((v) => v !== null && Number.isFinite(v));
      if (values.length === 0) return `${line.label}: nothing`;
      const low = values.reduce((a, b) => Math.min(a, b));
      const high = values.reduce((a, b) => Math.max(a, b));
      return `${line.label}: from ${this.format(low)} to ${this.format(high)}, last ${this.format(values[values.length - 1])}`;
    });
    const text = `${this.title}. ${parts.join("; ")}.`;
    this.summary.textContent = text;
    this.plot.root.setAttribute("aria-label", text);
  }

  redraw() {
    this.plot?.redraw(false);
  }
}

/** Deviations over averaging times, both axes logarithmic. `lines`: [{label, pairs}]. */
export class StabilityChart {
  constructor(parent) {
    this.box = element("div", { class: "chart" });
    parent.append(this.box);
    new ResizeObserver(() => this.plot?.setSize({ width: this.box.clientWidth, height: 260 })).observe(this.box);
  }

  show(lines, inSeconds) {
    this.plot?.destroy();
    this.box.replaceChildren();
    const taus = [...new Set(lines.flatMap((line) => line.pairs.map(([tau]) => tau)))].sort((a, b) => a - b);
    if (taus.length < 2) {
      this.box.append(element("p", { class: "hint" }, "Not enough measurements yet."));
      this.plot = null;
      return;
    }
    const format = inSeconds ? (v) => seconds(v) : (v) => (v === null ? "–" : v.toExponential(1));
    const data = [taus, ...lines.map((line) => {
      const values = new Map(line.pairs);
      return taus.map((tau) => (values.get(tau) > 0 ? values.get(tau) : null));
    })];
    this.plot = new uPlot({
      width: Math.max(this.box.clientWidth, 200),
      height: 260,
      scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
      axes: [axis((v) => (v === null ? "" : `${v} s`), 36), axis((v) => (v === null ? "" : format(v)), 78)],
      series: [{ label: "Averaged over", value: (_, v) => (v === null ? "–" : `${v} s`) }, ...lines.map((line, i) => ({
        label: line.label, stroke: colourOf(i), width: 1.5, spanGaps: true, points: { show: true, size: 5 }, value: (_, v) => format(v),
      }))],
    }, data, this.box);
    this.plot.root.setAttribute("role", "img");
    this.plot.root.setAttribute("aria-label", lines.map((line) => `${line.label}: ${
      line.pairs.map(([tau, value]) => `${format(value)} at ${tau} s`).join(", ")}`).join("; "));
  }
}

/** Bars of a histogram as SVG. `counts` has one more element than `bounds`. */
export function bars(place, bounds, counts, format, what) {
  const total = counts.reduce((a, b) => a + b, 0);
  const used = counts.map((n, i) => [n, i]).filter(([n]) => n > 0).map(([, i]) => i);
  const key = JSON.stringify(counts);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  if (total === 0) {
    place.replaceChildren(element("p", { class: "hint" }, "Nothing yet."));
    return;
  }
  const first = Math.max(used[0] - 1, 0);
  const last = Math.min(used[used.length - 1] + 1, counts.length - 1);
  const most = Math.max(...counts);
  const svgNs = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(svgNs, "svg");
  const width = 300;
  const step = width / (last - first + 1);
  svg.setAttribute("viewBox", `0 0 ${width} 120`);
  svg.setAttribute("class", "bars");
  svg.setAttribute("role", "img");
  const label = (i) => (i < bounds.length ? `≤ ${format(bounds[i])}` : `> ${format(bounds[bounds.length - 1])}`);
  const words = [];
  for (let i = first; i <= last; ++i) {
    const height = (counts[i] / most) * 95;
    const rect = document.createElementNS(svgNs, "rect");
    const at = { x: (i - first) * step + 1, y: 100 - height, width: Math.max(step - 2, 1), height };
    for (const [name, value] of Object.entries(at)) rect.setAttribute(name, value);
    const title = document.createElementNS(svgNs, "title");
    title.textContent = `${label(i)}: ${counts[i]} (${((100 * counts[i]) / total).toFixed(1)} %)`;
    words.push(title.textContent);
    rect.append(title);
    svg.append(rect);
    if ((i - first) % Math.ceil((last - first + 1) / 5) === 0) {
      const text = document.createElementNS(svgNs, "text");
      text.setAttribute("x", (i - first) * step + 1);
      text.setAttribute("y", 114);
      text.textContent = label(i);
      svg.append(text);
    }
  }
  svg.setAttribute("aria-label", `${what}: ${words.join(", ")}`);
  place.replaceChildren(svg);
}
