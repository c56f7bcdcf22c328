import test from "node:test";
import assert from "node:assert/strict";
import { ppm, reach, seconds, span } from "../src/format.js";

test("seconds choose their unit and keep three digits", () => {
  assert.equal(seconds(0), "0 s");
  assert.equal(seconds(1.234e-9), "1.23 ns");
  assert.equal(seconds(-45.6e-9), "−45.6 ns");
  assert.equal(seconds(999.9e-9), "1.00 µs");
  assert.equal(seconds(123e-6, { signed: true }), "+123 µs");
  assert.equal(seconds(2.5e-3), "2.50 ms");
  assert.equal(seconds(12.34), "12.3 s");
  assert.equal(seconds(null), "–");
  assert.equal(seconds(Infinity), "–");
});

test("frequencies keep what is significant", () => {
  assert.equal(ppm(-0.04426), "−0.0443 ppm");
  assert.equal(ppm(0.000214), "0.000214 ppm");
  assert.equal(ppm(12.3456, { signed: true }), "+12.346 ppm");
});

test("spans and reach", () => {
  assert.equal(span(4.4), "4 s");
  assert.equal(span(600), "10 min");
  assert.equal(span(7200), "2 h");
  assert.equal(span(9e5), "10 d");
  assert.equal(reach(0o377), "●●●●●●●●");
  assert.equal(reach(0o5), "○○○○○●○●");
});
