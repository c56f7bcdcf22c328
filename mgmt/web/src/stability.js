// Stability of a series of time errors (NIST SP 1065, Riley 2008; ITU-T G.810 for MTIE). Pure.
//
// `x`: time errors in seconds at equal intervals of `tau0` seconds, without gaps. Results are pairs
// [tau in seconds, deviation], tau in octaves of tau0, as long as at least `kLeast` terms are averaged.

const kLeast = 4;

function* factors(count, terms) {
  for (let m = 1; terms(count, m) >= kLeast; m *= 2) yield m;
}

/** Overlapping Allan deviation: fractional frequency. */
export function adev(x, tau0) {
  const result = [];
  for (const m of factors(x.length, (n, k) => n - 2 * k)) {
    let sum = 0;
    const terms = x.length - 2 * m;
    for (let i = 0; i < terms; ++i) {
      const d = x[i + 2 * m] - 2 * x[i + m] + x[i];
      sum += d * d;
    }
    result.push([m * tau0, Math.sqrt(sum / (2 * terms)) / (m * tau0)]);
  }
  return result;
}

/** Time deviation: seconds. tau · MDEV / √3. */
export function tdev(x, tau0) {
  const sums = [0];
  for (const value of x) sums.push(sums[sums.length - 1] + value);
  const result = [];
  for (const m of factors(x.length, (n, k) => n - 3 * k + 1)) {
    let total = 0;
    const terms = x.length - 3 * m + 1;
    for (let j = 0; j < terms; ++j) {
      const d = sums[j + 3 * m] - 3 * sums[j + 2 * m] + 3 * sums[j + m] - sums[j];
      total += d * d;
    }
    result.push([m * tau0, Math.sqrt(total / (6 * m * m * terms))]);
  }
  return result;
}

/** Maximum time interval error: seconds. Largest peak to peak within any window of tau. */
export function mtie(x, tau0) {
  const result = [];
  // Windows of powers of two: the maxima of one are those of two neighbours of half the size.
  let high = x.slice(0, -1).map((value, i) => Math.max(value, x[i + 1]));
  let low = x.slice(0, -1).map((value, i) => Math.min(value, x[i + 1]));
  for (const m of factors(x.length, (n, k) => n - k)) {
    let most = 0;
    for (let i = 0; i < high.length; ++i) most = Math.max(most, high[i] - low[i]);
    result.push([m * tau0, most]);
    const next = high.length - m;
    if (next < 1) break;
    high = Array.from({ length: next }, (_, i) => Math.max(high[i], high[i + m]));
    low = Array.from({ length: next }, (_, i) => Math.min(low[i], low[i + m]));
  }
  return result;
}

/** The longest stretch without a gap; short gaps (up to `most` in a row) are bridged by a line. */
export function longestRun(values, most = 2) {
  let best = [];
  let run = [];
  let gap = 0;
  const finish = () => {
    if (run.length > best.length) best = run;
    run = [];
    gap = 0;
  };
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) {
      if (run.length > 0 && ++gap > most) finish();
      continue;
    }
    if (gap > 0) {
      const from = run[run.length - 1];
      for (let i = 1; i <= gap; ++i) run.push(from + ((value - from) * i) / (gap + 1));
      gap = 0;
    }
    run.push(value);
  }
  finish();
  return best;
}
