/** The kept results of `npm run matrix`, and the page that shows them. */

import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CHECKS, type Check, type Expectation, type Mutant } from "./mutants.ts";
import { PROPERTIES } from "./violations.ts";

export interface Cell {
  readonly verdict: "killed" | "survived";
  /** What the check said: a property, a row, a step, a scenario; empty if it said nothing. */
  readonly by: string;
  /** After how much. */
  readonly after: string;
  /** An order of magnitude, of one machine on one day. */
  readonly time: string;
  /** Of TLC: what it prints first, when it is asked about all properties. */
  readonly first?: string;
  /** Of the explorer: the states of a shortest run to each property that is violated. */
  readonly violated?: Readonly<Record<string, number>>;
}

export type Kept = Readonly<Record<string, Readonly<Partial<Record<Check, Cell>>>>>;

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const keptFile = join(root, "test", "twins", "matrix.json");
const pageFile = join(root, "spec", "kill-matrix.md");

export function readKept(): Kept {
  return JSON.parse(fs.readFileSync(keptFile, "utf8")) as Kept;
}

/** Cells that were not asked this time stay. */
export function writeKept(found: Kept): void {
  const kept: Record<string, Kept[string]> = fs.existsSync(keptFile) ? { ...readKept() } : {};
  for (const [name, row] of Object.entries(found)) kept[name] = { ...kept[name], ...row };
  fs.writeFileSync(keptFile, `${JSON.stringify(kept, null, 2)}\n`);
}

/** What differs in verdict or killer. Counts and times may: the one change with the code, the other with the day. */
export function compareCells(found: Kept, kept: Kept): readonly string[] {
  return Object.entries(found).flatMap(([name, row]) =>
    CHECKS.flatMap((check) => {
      const [cell, before] = [row[check], kept[name]?.[check]];
      if (cell === undefined) return [];
      if (before === undefined) return [`${name}, ${check}: the result is not kept; write it with --update`];
      const [now, then] = [textOf(cell), textOf(before)];
      return now === then ? [] : [`${name}, ${check}: it is ${now}, and kept is ${then}`];
    }),
  );
}

/** Each cell against what the list of mutants says of it. */
export function problemsOf(
  mutants: readonly Mutant[],
  found: Kept,
  checks: readonly Check[] = CHECKS,
): string[] {
  return mutants.flatMap(({ name, expected }) =>
    checks.flatMap((one) => {
      const cell = found[name]?.[one];
      const wanted = expected[one];
      if (wanted.kind === "none") return [];
      if (cell === undefined) return [`${name}, ${one}: it was not asked`];
      if (wanted.kind === "survives") {
        return cell.verdict === "survived"
          ? []
          : [`${name}, ${one}: it should survive, and is killed by ${cell.by}`];
      }
      if (cell.verdict === "survived") return [`${name}, ${one}: it SURVIVES ${wanted.where}`];
      return wanted.by.test(cell.by) ? [] : [`${name}, ${one}: it is killed by something else: ${cell.by}`];
    }),
  );
}

const textOf = ({ verdict, by, first, violated }: Cell): string =>
  JSON.stringify([verdict, killer(by), first, violated]);

/** `Judge(a1) is not a step of the model: pc: ...`: which task it was, and what else differs, is chance. */
function killer(by: string): string {
  const [step = by] = by.split(" is not a step");
  return step.replace(/\(.*/, "").replaceAll(/\b[abc]\d\b/g, "a task");
}

// ------------------------------------------------------------------------------------------------
// The page

const BEGIN = "<!-- npm run matrix -- --update writes from here ... -->";
const END = "<!-- ... to here -->";

/** The page as it is, with the tables of the results between its two marks. */
export function renderPage(mutants: readonly Mutant[], kept: Kept, page: string = readPage()): string {
  const [before, rest = ""] = page.split(BEGIN);
  const [, after] = rest.split(END);
  if (after === undefined) throw new Error(`spec/kill-matrix.md has no marks ${BEGIN} and ${END}`);
  const parts = [
    summary(mutants, kept),
    matrix(mutants, kept),
    properties(mutants, kept),
    survivors(mutants),
  ];
  return [`${before ?? ""}${BEGIN}`, "", ...parts.flatMap((part) => [part, ""]), `${END}${after}`].join("\n");
}

export const readPage = (): string => fs.readFileSync(pageFile, "utf8");
export const writePage = (text: string): void => fs.writeFileSync(pageFile, text);

const HEADINGS: Readonly<Record<Check, string>> = {
  tlc: "TLC",
  explorer: "explorer",
  proof: "proof",
  random: "random lockstep",
  exhaustive: "exhaustive lockstep",
  faults: "fault injection",
  processes: "real processes",
};

function summary(mutants: readonly Mutant[], kept: Kept): string {
  const cells = CHECKS.map((check) => mutants.map(({ name }) => kept[name]?.[check]));
  const count = (verdict: Cell["verdict"]): readonly string[] =>
    cells.map((column) => `${column.filter((cell) => cell?.verdict === verdict).length}`);
  return markdown(
    [`${mutants.length} mutants`, ...CHECKS.map((check) => HEADINGS[check])],
    [
      ["killed", ...count("killed")],
      ["survived, as expected", ...count("survived")],
      ["not asked", ...cells.map((column) => `${column.filter((cell) => cell === undefined).length}`)],
    ],
  );
}

function matrix(mutants: readonly Mutant[], kept: Kept): string {
  const rows = mutants.map(({ name, gone }) => [
    `\`${name}\`: ${gone}`,
    ...CHECKS.map((check) => cellText(check, kept[name]?.[check])),
  ]);
  return `### Every mutant under every check\n\n${markdown(["mutant: what is gone", ...CHECKS.map((check) => HEADINGS[check])], rows)}`;
}

function cellText(check: Check, cell: Cell | undefined): string {
  if (cell === undefined) return "";
  const { verdict, by, after, time, first } = cell;
  if (verdict === "survived") return `survives, ${after}, ${time}`;
  const other = first !== undefined && first !== by && first !== "" ? `, first of all ${first}` : "";
  return `${inWords(check, by)}${other}, ${after}, ${time}`;
}

function inWords(check: Check, by: string): string {
  if (check === "processes") return `**${by.replace(/^.*?(twin)/, "$1")}**`;
  if (check === "random" || check === "exhaustive" || check === "faults") return `**${lockstepWords(by)}**`;
  return `**${by}**`;
}

/** The step, or what the client was told; without the state, which is long. */
function lockstepWords(by: string): string {
  const [step = by] = by.split(" is not a step");
  const [short = step] = step.split(/, was never driven|: [{"]|: owes|, and there is|, release /);
  return short.replaceAll("|", "\\|").replaceAll(/\b[abc]\d\b/g, "t");
}

function properties(mutants: readonly Mutant[], kept: Kept): string {
  const rows = mutants.flatMap(({ name }) => {
    const violated = kept[name]?.explorer?.violated;
    if (violated === undefined) return [];
    return [[`\`${name}\``, ...PROPERTIES.map((property) => `${violated[property] ?? ""}`)]];
  });
  return `### Which property sees it: the states of a shortest run, by the explorer\n\n${markdown(["mutant", ...PROPERTIES], rows)}`;
}

function survivors(mutants: readonly Mutant[]): string {
  const of = (kind: "survives" | "none"): readonly (readonly [string, readonly string[]])[] => {
    const groups = new Map<string, string[]>();
    for (const { name, expected } of mutants) {
      for (const check of CHECKS) {
        const why = whyOf(expected[check], kind);
        if (why === undefined) continue;
        const key = `${HEADINGS[check]}: ${why}`;
        groups.set(key, [...(groups.get(key) ?? []), name]);
      }
    }
    return [...groups];
  };
  const list = (kind: "survives" | "none"): string =>
    of(kind)
      .map(([why, names]) => `- ${why} (${names.map((name) => `\`${name}\``).join(", ")})`)
      .join("\n");
  return `### Why some survive\n\n${list("survives")}\n\n### Why some are not asked\n\n${list("none")}`;
}

const whyOf = (expected: Expectation, kind: "survives" | "none"): string | undefined =>
  expected.kind === kind ? expected.why : undefined;

function markdown(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]): string => `| ${row.join(" | ")} |`;
  return [line(header), `|${header.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}
