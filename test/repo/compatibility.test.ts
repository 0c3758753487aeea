import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const spec = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "spec");
const rows = readFileSync(join(spec, "compatibility.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (behaviour|there) /.test(line));

/** The tests that a row of the table names, which no test file has. */
function missingTests(row: string): readonly string[] {
  const named = [...row.matchAll(/\]\((\.\.\/test\/[^)]+)\) "([^"]+)"/g)];
  if (named.length === 0) return [`no test: ${row}`];
  return named
    .filter(([, file = "", name = ""]) => !readFileSync(join(spec, file), "utf8").includes(name))
    .map(([, file, name]) => `${file}: ${name}`);
}

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
