import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DEFAULT_MAX_HOLD_MS, DEFAULT_STALE_MS, DEFAULT_TIMEOUT_MS } from "../../src/index.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
  .toString()
  .trim()
  .split("\n");

/** `## G3. HeldIsOnDisk` or `## A1 nobody ...`: the ids that a page defines. */
function definedIds(page: string, letter: string): string[] {
  return [...read(page).matchAll(new RegExp(`^#+ (${letter}\\d+)\\b`, "gm"))].map(([, id]) => id ?? "");
}

it("no file holds the markers of a merge that was not resolved", () => {
  // A row of equal signs may underline a heading: the other two are what to look for.
  const marked = /^(<{7}|>{7}) /m;
  expect(`${"<".repeat(7)} HEAD`).toMatch(marked);
  expect(files.filter((file) => marked.test(read(file)))).toEqual([]);
});

describe("ids of assumptions and guarantees", () => {
  for (const [page, letter] of [
    ["spec/assumptions.md", "A"],
    ["spec/guarantees.md", "G"],
  ] as const) {
    it(`${page} numbers them without a gap, each once`, () => {
      const ids = definedIds(page, letter);
      expect(ids.length).toBeGreaterThan(5);
      expect(ids).toEqual(ids.map((_, i) => `${letter}${i + 1}`));
    });
  }

  it("no file cites an id that is not defined", () => {
    const defined = [...definedIds("spec/assumptions.md", "A"), ...definedIds("spec/guarantees.md", "G")];
    const cited = files
      .filter(
        (file) => /^(src|model|tla|spec|README|test\/lockstep)/.test(file) && /\.(ts|tla|md)$/.test(file),
      )
      .flatMap((file) =>
        [...read(file).matchAll(/\b([AG]\d{1,2})\b(?!\w|-)/g)].map(([, id]) => ({ file, id })),
      );
    expect(cited.length).toBeGreaterThan(20);
    expect(cited.filter(({ id }) => !defined.includes(id ?? ""))).toEqual([]);
  });
});

describe("numbers that the documents quote are those of the code", () => {
  it.each([
    ["spec/protocol.md", ["src/protocol.ts", "src/turns.ts", "src/line.ts"], 10],
    ["spec/lease.md", ["src/heartbeat.ts", "src/lease.ts"], 5],
  ])("the constants in %s are those of the code", (page, sources, atLeast) => {
    const source = sources
      .map(read)
      .join("\n")
      .replaceAll(/(?<=\d)_(?=\d)/g, "");
    const rows = [...read(page).matchAll(/^\| `([A-Z_]+)` \| ([\d.]+)(?: ms)? \|/gm)];
    expect(rows.length).toBeGreaterThanOrEqual(atLeast);
    for (const [, name, value] of rows) {
      expect(source, name).toMatch(new RegExp(`const ${name} = ${value?.replace(".", "\\.")};`));
    }
  });

  it("the defaults in README.md are those of src/options.ts", () => {
    const readme = read("README.md");
    const quoted = (option: string): number => {
      const [, number] = new RegExp(`^\\| \`${option}\`\\s+\\| ([\\d\\s]+)`, "m").exec(readme) ?? [];
      return Number(number?.replaceAll(/\s/g, ""));
    };
    expect(quoted("timeoutMs")).toBe(DEFAULT_TIMEOUT_MS);
    expect(quoted("staleMs")).toBe(DEFAULT_STALE_MS);
    expect(quoted("maxHoldMs")).toBe(DEFAULT_MAX_HOLD_MS);
  });

  it("every code of a warning is in README.md", () => {
    const codes = [...read("src/registry.ts").matchAll(/"(SWL_[A-Z_]+)"/g)].map(([, code]) => code ?? "");
    expect(codes.length).toBeGreaterThanOrEqual(6);
    for (const code of codes) expect(read("README.md"), code).toContain(`\`${code}\``);
  });

  it("every error code of the code is in README.md", () => {
    const codes = [...read("src/errors.ts").matchAll(/^ {2}\| "(E[A-Z]+)"/gm)].map(([, code]) => code ?? "");
    expect(codes.length).toBeGreaterThanOrEqual(7);
    for (const code of codes) expect(read("README.md"), code).toContain(`\`${code}\``);
  });
});
