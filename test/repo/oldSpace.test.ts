/**
 * A function that is written behind `object.property =` is made in V8's old space, for it might be a method that stays. If
 * each acquisition makes one, all that it refers to outlives the minor collections (spec/performance.md, "What was tried").
 */

import fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const source = fileURLToPath(new URL("../../src", import.meta.url));

const TENURED = /\.#?\w+ (?:\?\?|\|\||&&)?= (?:async )?(?:function\b|\w+ =>|\([^()]*\)(?:: [^=]+)? =>)/;

it("no file of src/ assigns a function where it is written: it has a name before", () => {
  const files = fs.readdirSync(source, { recursive: true, encoding: "utf8" });
  const texts = files
    .filter((file) => file.endsWith(".ts"))
    .map((file) => [file, fs.readFileSync(join(source, file), "utf8")]);
  expect(texts.length).toBeGreaterThan(30);
  expect(texts.filter(([, text = ""]) => TENURED.test(text)).map(([file]) => file)).toEqual([]);
});

it.each([
  "attempt.lost = (error) => {",
  "attempt.lost = (\n  error: Error,\n): void => {",
  "this.#told ??= async () => {}",
  "a.b = c => c",
  "a.b = function named() {}",
])("twin: %j is found", (text) => {
  expect(TENURED.test(text)).toBe(true);
});

it.each([
  "attempt.lost = lose;",
  "entry.wait = wake(() => {})",
  "const arm = (left: number): void => {",
  "if (a.b === (c) || d) {",
])("%j is not", (text) => {
  expect(TENURED.test(text)).toBe(false);
});
