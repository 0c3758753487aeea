/**
 * The prose says each thing once and links to it, so a link that leads nowhere is a sentence that is missing.
 * Checked: every relative link of every Markdown file, its file and its heading. Not checked: the web.
 */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

describe("links in the repository's Markdown", () => {
  const files = markdownFiles();

  it("there are pages to check", () => {
    expect(files).toContain("README.md");
    expect(files.filter((file) => file.startsWith("spec/")).length).toBeGreaterThanOrEqual(5);
  });

  for (const file of files) {
    it(`${file} links only to files and headings that exist`, () => {
      expect(brokenLinks(join(root, file))).toEqual([]);
    });
  }
});

describe("the check of links", () => {
  let folder: string;
  beforeAll(() => {
    folder = fs.mkdtempSync(join(tmpdir(), "swl-links-"));
    fs.mkdirSync(join(folder, "sub"));
    fs.writeFileSync(
      join(folder, "sub", "other.md"),
      "# Title\n\n## A1. `Take`, or not\n\n## Twice\n\n## Twice\n",
    );
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  const brokenIn = (text: string): readonly string[] => {
    const page = join(folder, "page.md");
    fs.writeFileSync(page, text);
    return brokenLinks(page);
  };

  it.each([
    ["a file that is missing", "See [it](sub/missing.md).", "sub/missing.md"],
    ["a heading that is missing", "See [it](sub/other.md#a2-take).", "sub/other.md#a2-take"],
    ["a heading of the page itself", "# One\n\n[Two](#two)", "#two"],
    ["an image", "![diagram](diagram.png)", "diagram.png"],
    ["a reference", "See [it][1].\n\n[1]: sub/missing.md", "sub/missing.md"],
    ["the third of two equal headings", "[it](sub/other.md#twice-2)", "sub/other.md#twice-2"],
    ["a heading of a file that is no page", "[it](sub#heading)", "sub#heading"],
  ])("finds %s", (_what, text, broken) => {
    expect(brokenIn(text)).toEqual([broken]);
  });

  it("finds nothing wrong with links that lead somewhere", () => {
    const links = ["sub", "sub/other.md", "sub/other.md#a1-take-or-not", "sub/other.md#twice-1", "#here"];
    expect(brokenIn(`# Here\n\n${links.map((link) => `[x](${link})`).join(" ")}`)).toEqual([]);
  });

  it("leaves out the web, code, and the words of code blocks", () => {
    const fence = "```";
    const text = `[w](https://example.org/x) \`[c](nowhere.md)\`\n\n${fence}md\n[b](nowhere.md)\n# Not a heading\n${fence}\n`;
    expect(brokenIn(text)).toEqual([]);
    expect(brokenIn(`${text}[h](#not-a-heading)`)).toEqual(["#not-a-heading"]);
  });
});

/** Tracked, and not yet tracked; nothing that is ignored, so no node_modules. */
function markdownFiles(): readonly string[] {
  const options = { cwd: root, encoding: "utf8" } as const;
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"];
  const files = execFileSync("git", args, options).split("\0");
  return [...new Set(files)].filter((file) => file !== "" && fs.existsSync(join(root, file))).sort();
}

/** The relative links of a page that lead to no file, or to no heading. */
function brokenLinks(page: string): readonly string[] {
  return linksOf(fs.readFileSync(page, "utf8")).filter((link) => !leadsSomewhere(page, link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page : join(dirname(page), decodeURIComponent(path));
  // A link out of the repository works on one machine only.
  if (page.startsWith(root) && relative(root, target).startsWith("..")) return false;
  if (!fs.existsSync(target)) return false;
  if (anchor === undefined) return true;
  return target.endsWith(".md") && anchorsOf(fs.readFileSync(target, "utf8")).has(anchor);
}

function linksOf(text: string): readonly string[] {
  const prose = withoutCodeBlocks(text).replace(/`[^`\n]*`/g, "");
  const inline = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
  const references = [...prose.matchAll(/^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)/gm)];
  const links = [...inline, ...references].map(([, link]) => link ?? "");
  return links.filter((link) => !/^[a-z][a-z0-9+.-]*:/i.test(link));
}

/** As GitHub makes them of headings: lower case, no punctuation, blanks to hyphens, equal ones numbered. */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  const seen = new Map<string, number>();
  for (const [, heading = ""] of withoutCodeBlocks(text).matchAll(/^#{1,6} +(.+?)(?: +#+)?$/gm)) {
    const words = heading.replace(/\]\([^)]*\)/g, "]").toLowerCase();
    const slug = words.replace(/[^\p{L}\p{M}\p{N} _-]/gu, "").replaceAll(" ", "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

function withoutCodeBlocks(text: string): string {
  return text.replace(/^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ {0,3}\1[`~]*[ \t]*$/gm, "");
}
