import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const spec = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "spec");
/** The rows of a page's tables that say something; of one section, if its heading is given. */
function rowsOf(page: string, heading?: string): readonly string[] {
  const text = readFileSync(join(spec, page), "utf8");
  const part = heading === undefined ? text : (text.split(`## ${heading}\n`)[1]?.split(/^## /m)[0] ?? "");
  return part
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (behaviour|there|trick) /.test(line));
}

const rows = rowsOf("compatibility.md");

/** The tests that a row of the table names, which no test file has. */
function missingTests(row: string): readonly string[] {
  const named = [...row.matchAll(/\]\((\.\.\/test\/[^)]+)\) "([^"]+)"/g)];
  if (named.length === 0) return [`no test: ${row}`];
  return named
    .filter(([, file = "", name = ""]) => !readFileSync(join(spec, file), "utf8").includes(name))
    .map(([, file, name]) => `${file}: ${name}`);
}

describe("the table of what is defended", () => {
  it("names a test of each defence, and each of them exists", () => {
    const defences = rowsOf("security.md", "What is defended");
    expect(defences.length).toBeGreaterThan(10);
    expect(defences.flatMap(missingTests)).toEqual([]);
  });

  it("names doubles that exist", () => {
    const named = rowsOf("security.md", "What is defended").map((row) => /\| `(\w+)`: /.exec(row)?.[1]);
    const doubles = named.filter((name) => name !== undefined);
    const tests = readFileSync(join(spec, "..", "test", "security", "tricks.test.ts"), "utf8");
    expect(doubles.length).toBeGreaterThanOrEqual(4);
    expect(doubles.filter((name) => !tests.includes(`"${name}"`))).toEqual([]);
  });
});

describe("the table of compatibility", () => {
  it("names a test of each behaviour, and each of them exists", () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.flatMap(missingTests)).toEqual([]);
  });

  it("is checked: a row without a test, or with one that does not exist, is found", () => {
    expect(missingTests("| x | y |")).toHaveLength(1);
    expect(missingTests('| x | [unit](../test/unit/inspect.test.ts) "no such test" |')).toHaveLength(1);
  });
});
