// Numbers as people read them. Pure.

const kNone = "–";

/** Seconds with a fitting unit and three digits: "1.23 µs", "−45 ns". */
export function seconds(value, { signed = false } = {}) {
  if (value === null || value === undefined || !Number.isFinite(value)) return kNone;
  const size = Math.abs(value);
  const [scale, unit] =
    size === 0 ? [1, "s"] : size < 9.995e-7 ? [1e9, "ns"] : size < 9.995e-4 ? [1e6, "µs"]
      : size < 0.9995 ? [1e3, "ms"] : [1, "s"];
  const scaled = size * scale;
  const digits = scaled >= 99.95 || scaled === 0 ? 0 : scaled >= 9.995 ? 1 : 2;
  const sign = value < 0 ? "−" : signed && value > 0 ? "+" : "";
  return `${sign}${scaled.toFixed(digits)} ${unit}`;
}

/** Parts per million with as many digits as the size deserves. */
export function ppm(value, { signed = false } = {}) {
  if (value === null || value === undefined || !Number.isFinite(value)) return kNone;
  const size = Math.abs(value);
  const digits = size >= 100 ? 1 : size >= 1 ? 3 : size >= 1e-3 ? 4 : 6;
  const sign = value < 0 ? "−" : signed && value > 0 ? "+" : "";
  return `${sign}${size.toFixed(digits)} ppm`;
}

/** How long: "4 s", "12 min", "3.5 h", "2 d". */
export function span(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return kNone;
  if (value < 90) return `${Math.round(value)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  if (value < 172800) return `${trim(value / 3600)} h`;
  return `${trim(value / 86400)} d`;
}

function trim(value) {
  return value >= 10 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, "");
}

/** The register of the last eight polls, oldest first: "●●●○●●●●". */
export function reach(bits) {
  let text = "";
  for (let bit = 7; bit >= 0; --bit) text += (bits >> bit) & 1 ? "●" : "○";
  return text;
}

export function count(value) {
  return Number(value ?? 0).toLocaleString("en");
}

export function clockTime(atS) {
  return atS === null ? kNone : new Date(atS * 1000).toISOString().replace("T", " ").slice(0, 19);
}
