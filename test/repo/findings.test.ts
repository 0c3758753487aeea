/**
 * spec/findings/ is generated, and can be replayed: each page's table of steps is a run of the model that ends in
 * what the page says, and each diagram is one that Mermaid reads.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findingPages, generatedMark } from "../../tla/tools/findingPages.ts";
import { outOfDate } from "../../tla/tools/findings.ts";
import { modelOf } from "../../tla/tools/modelGraph.ts";
import { mermaidMistakes } from "../support/mermaidGrammar.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const folder = join(root, "spec", "findings");
const pages = await findingPages(root);
const holes = [...pages.keys()].filter((file) => file !== "README.md");

describe("the pages of spec/findings/", () => {
  it("are up to date; if not: npm run findings", () => {
    expect([...outOfDate(folder, pages).keys()]).toEqual([]);
  });

  it("are all linked from their README.md", () => {
    const readme = pages.get("README.md") ?? "";
    expect(holes.length).toBeGreaterThanOrEqual(30);
    expect(holes.filter((file) => !readme.includes(`](${file})`))).toEqual([]);
  });

  for (const file of holes) {
    it(`${file} can be replayed, and its diagram read`, () => {
      const text = fs.readFileSync(join(folder, file), "utf8");
      const rows = stepRows(text);
      const [, configuration = ""] = /^\| configuration \| \[(\w+)\]/m.exec(text) ?? [];
      const run = modelOf(configuration).follow(rows.length, (i, label) => label === rows[i]?.label);
      const [, property = ""] = /^\| violated \| `(\w+)`/m.exec(text) ?? [];
      expect(run.property.split(", ")).toContain(property);
      expect(rows.map(({ changes }) => changes)).toEqual(run.changes);
      expect(text).toContain(`| shortest run | ${rows.length + 1} states |`);
      expect(mermaidMistakes(/```mermaid\n([\s\S]*?)\n```/.exec(text)?.[1] ?? "")).toEqual([]);
    });
  }
});

interface Row {
  readonly label: string;
  readonly changes: readonly string[];
}

/** `| 3 | `Take(a1)` | `x: 1 → 2`<br>`y: ...` |`, bars in cells with a backslash before them. */
function stepRows(text: string): readonly Row[] {
  return [...text.matchAll(/^\| \d+ \| `([^`]+)` \| (.*) \|$/gm)].map(([, label = "", cell = ""]) => ({
    label,
    changes: [...cell.matchAll(/`([^`]+)`/g)].map(([, change]) => change?.replaceAll("\\|", "|") ?? ""),
  }));
}

describe("the check of the pages", () => {
  let scratch: string;
  beforeAll(() => {
    scratch = fs.mkdtempSync(join(tmpdir(), "swl-findings-"));
    const files = {
      "same.md": `${generatedMark}. -->\n`,
      "changed.md": `${generatedMark}. -->\nold\n`,
      "gone.md": `${generatedMark}. -->\n`,
      "written.md": "# By a person\n",
    };
    for (const [file, text] of Object.entries(files)) fs.writeFileSync(join(scratch, file), text);
  });
  afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

  it("finds pages that differ, are missing, or are of something that is gone, and leaves others alone", () => {
    const wanted = new Map([
      ["same.md", `${generatedMark}. -->\n`],
      ["changed.md", `${generatedMark}. -->\nnew\n`],
      ["missing.md", "new"],
    ]);
    expect([...outOfDate(scratch, wanted)]).toEqual([
      ["changed.md", `${generatedMark}. -->\nnew\n`],
      ["missing.md", "new"],
      ["gone.md", null],
    ]);
  });

  it("takes a folder that is not there for an empty one", () => {
    expect([...outOfDate(join(scratch, "nowhere"), new Map([["a.md", "x"]]))]).toEqual([["a.md", "x"]]);
  });
});
