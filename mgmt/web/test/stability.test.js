import test from "node:test";
import assert from "node:assert/strict";
import { adev, longestRun, mtie, tdev } from "../src/stability.js";

function near(actual, expected, relative) {
  assert.ok(Math.abs(actual - expected) <= relative * Math.abs(expected), `${actual} is not near ${expected}`);
}

/** Normal deviates from a linear congruential generator: the same in every run. */
function noise(count) {
  let state = 1n;
  const uniform = () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return (Number(state >> 11n) + 0.5) / 2 ** 53;
  };
  return Array.from({ length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

test("the ten points of NIST SP 1065's example", () => {
  // 12.4: nine phase values with their deviations at tau = 1.
  const x = [0, 103.11111, 123.22222, 157.33333, 166.44444, 48.55555, -96.33333, -2.22222, 111.88889, 0];
  near(adev(x, 1)[0][1], 91.22945, 1e-4);
});

test("a constant rate has no deviation, and an interval error that grows with it", () => {
  const x = Array.from({ length: 64 }, (_, i) => 1e-9 * i);
  for (const [, value] of adev(x, 1)) assert.ok(value < 1e-20);
  for (const [, value] of tdev(x, 1)) assert.ok(value < 1e-20);
  for (const [tau, value] of mtie(x, 1)) near(value, 1e-9 * tau, 1e-9);
});

test("white phase noise: ADEV falls with 1/tau, TDEV with its root", () => {
  const x = noise(20000).map((v) => 1e-8 * v);
  for (const [tau, value] of adev(x, 1).slice(0, 8)) near(value, (Math.sqrt(3) * 1e-8) / tau, 0.1);
  for (const [tau, value] of tdev(x, 1).slice(0, 6)) near(value, 1e-8 / Math.sqrt(tau), 0.15);
});

test("MTIE is the largest excursion of any window, and never falls", () => {
  const x = noise(500);
  const found = mtie(x, 1);
  for (const [tau, value] of found) {
    let most = 0;
    for (let i = 0; i + tau < x.length; ++i) {
      const window = x.slice(i, i + tau + 1);
      most = Math.max(most, Math.max(...window) - Math.min(...window));
    }
    near(value, most, 1e-12);
  }
  for (let i = 1; i < found.length; ++i) assert.ok(found[i][1] >= found[i - 1][1]);
});

test("gaps: short ones are bridged, long ones end the stretch", () => {
  assert.deepEqual(longestRun([1, null, 3, 4]), [1, 2, 3, 4]);
  assert.deepEqual(longestRun([1, null, null, null, 5, 6, 7]), [5, 6, 7]);
  assert.deepEqual(longestRun([null, null]), []);
});
