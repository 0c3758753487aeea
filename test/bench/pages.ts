/** What `--write` writes: the results, the page with all tables, the section of README.md, the chart. */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { UsageError } from "../support/cliOptions.ts";
import { root } from "../support/processes.ts";
import { chart } from "./chart.ts";
import { MEASURES } from "./measures.ts";
import { isCalm } from "./others.ts";
import { measureOf, RATIO, targetCells } from "./report.ts";
import { rounded } from "./statistics.ts";
import { type Measured, merged, type Summary } from "./summary.ts";

export const RESULTS: string = join(root, "test", "bench", "results.json");
const README = join(root, "README.md");

const BEGIN = "<!-- npm run bench -- --write: begin -->";
const END = "<!-- npm run bench -- --write: end -->";

/** Every file that follows from the results, as it must be: a test compares. */
export function pagesOf(summary: Summary): ReadonlyMap<string, string> {
  return new Map([
    [join(root, "spec", "bench.md"), pageOf(summary)],
    [join(root, "spec", "bench.svg"), chart(summary)],
    [README, withSection(fs.readFileSync(README, "utf8"), sectionOf(summary))],
  ]);
}

/**
 * Into what is there of an earlier run, if this one was of some measures only.
 *
 * @throws UsageError if that is of another machine, or of other locks.
 */
export function write(fresh: Summary, isWhole: boolean): readonly string[] {
  const summary =
    isWhole || !fs.existsSync(RESULTS)
      ? fresh
      : merged(JSON.parse(fs.readFileSync(RESULTS, "utf8")) as Summary, fresh);
  if (summary === undefined) {
    throw new UsageError(
      "--write: the results that are there are of another machine, or of other locks: --write without --only replaces them",
    );
  }
  const files = new Map([[RESULTS, `${JSON.stringify(summary, undefined, 1)}\n`], ...pagesOf(summary)]);
  for (const [file, text] of files) fs.writeFileSync(file, text);
  // As the linter wants it, which lays out arrays in a way of its own.
  execFileSync(join(root, "node_modules", ".bin", "biome"), ["format", "--write", RESULTS], {
    stdio: "ignore",
  });
  return [...files.keys()];
}

/** @throws Error if the markers are missing: a page without them would silently stay as it is. */
export function withSection(page: string, section: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`there is no ${BEGIN} ... ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n${section}\n${page.slice(end)}`;
}

// ------------------------------------------------------------------------------------------------

function sectionOf(summary: Summary): string {
  return [
    `${where(summary)}${busy(summary)} Ratios travel better than times. All measures, and how each is taken: [spec/bench.md](spec/bench.md).`,
    "",
    markdown(["target", "measured", "bound", ""], summary.targets.map(targetCells)),
    "",
    "![Bars for each lock: time alone, rate of four processes, hand-over between processes](spec/bench.svg)",
  ].join("\n");
}

function where({ machine, measures }: Summary): string {
  if (measures.length === 0) return "Not measured yet.";
  const { node, platform, cores, disk } = machine;
  return `Medians of interleaved rounds: Node.js ${node.slice(1)}, ${platform}, ${cores} cores, ${disk}.`;
}

/** What is quoted from a busy machine says so wherever it is quoted. */
function busy({ measures }: Summary): string {
  const names = measures.filter(({ others }) => !isCalm(others)).map(({ name }) => name);
  return names.length === 0
    ? ""
    : ` **Others used the machine during ${names.join(", ")}**: those figures are not final.`;
}

function pageOf(summary: Summary): string {
  const { versions, missing } = summary;
  const compared = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const parts = [
    "# The bench",
    "",
    "Written by `npm run bench -- --write` ([test/bench](../test/bench/bench.ts)); not by hand. What the figures mean, and why those of another harness differ:",
    "[performance.md](performance.md#why-figures-differ).",
    "",
    `${where(summary)} Each measure is one run. Compared: ${compared.join(", ")}; each used as documented, and where it polls, told to poll as ours does, from 1 to 15 ms, or as near to that as its options allow.`,
    ...missing.map(({ name, reason }) => `Not measured: ${name}, ${reason}.`),
    "",
    `*${RATIO}*: by the first column of figures, above 1 ours is faster. The floor is no lock: it excludes nobody.`,
    "",
    "![Bars for each lock](bench.svg)",
    "",
    "## Targets",
    "",
    markdown(["target", "measured", "bound", ""], summary.targets.map(targetCells)),
  ];
  for (const { name } of MEASURES) {
    const measured = summary.measures.find((measure) => measure.name === name);
    if (measured !== undefined) parts.push("", measureSection(measured));
  }
  return `${parts.join("\n")}\n`;
}

function measureSection({ name, lines, rounds, seconds, seed, commit, others }: Measured): string {
  const { title, how, columns } = measureOf(name);
  const whose = others === null ? "" : `, in which others had ${Math.round(others * 100)} % of the CPU`;
  const what = commit === null ? "" : ` of \`${commit}\``;
  const warning = isCalm(others)
    ? ""
    : " **The machine was busy: the medians may hold, means and worst cases do not.**";
  const rows = lines.map(({ variant, lock, values, ratio, remark }, i) => [
    lines[i - 1]?.variant === variant ? "" : variant,
    lock,
    ...(remark === "" ? [...values, ratio].map(rounded) : [remark, ...values.map(() => "")]),
  ]);
  const header = ["", "lock", ...columns.map((column) => column.title), RATIO];
  return [
    `## ${title}`,
    "",
    `\`--only ${name} --rounds ${rounds} --seed ${seed}\`${what}, ${seconds} s${whose}.${warning} ${how}`,
    "",
    markdown(header, rows),
  ].join("\n");
}

/** Pipes in a cell would be borders. */
function markdown(header: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`.replaceAll("  ", " ");
  return [line(header), `|${header.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}
