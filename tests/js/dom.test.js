import assert from "node:assert/strict";
import test from "node:test";

import { formatTime, parseTime } from "../../src/prismata/ui/label_station/assets/dom.js";

test("times are shown as minutes, seconds and milliseconds, with hours only from an hour on", () => {
  assert.equal(formatTime(0), "0:00.000");
  assert.equal(formatTime(12_480_000), "0:12.480");
  assert.equal(formatTime(59_999_600), "1:00.000");
  assert.equal(formatTime(3_599_999_400), "59:59.999");
  assert.equal(formatTime(3_723_004_000), "1:02:03.004");
});

test("what is shown is read back to the millisecond", () => {
  for (const us of [0, 1000, 999_000, 59_999_000, 60_000_000, 3_599_999_000, 7_384_005_000]) {
    assert.equal(parseTime(formatTime(us)), us);
  }
});

test("plain seconds and commas are times, other words are not", () => {
  assert.equal(parseTime("62,5"), 62_500_000);
  assert.equal(parseTime(" 1:02.5 "), 62_500_000);
  for (const text of ["", "soon", "1:75", "-1", "1:2:3:4", "1.2.3"]) assert.equal(parseTime(text), null, text);
});
