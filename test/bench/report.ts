/** The report: a table for each measure, and the targets of issue 8 as ratios. */

import { table } from "../../tla/tools/console.ts";
import type { Row } from "./book.ts";
import { MEASURES } from "./measures.ts";
import type { Measure } from "./rounds.ts";
import { rounded } from "./statistics.ts";
import type { Target } from "./targets.ts";

/** What is shown of a row: a cell for each column, or why there is none. */
export interface Line {
  readonly variant: string;
  readonly lock: string;
  readonly cells: readonly string[];
  /** How many times as good ours is: above 1 ours is faster. */
  readonly ratio: string;
  readonly remark: string;
}

/** Of a lock that does not exclude no number is shown: it would be the fastest. */
const DOES_NOT_EXCLUDE = "DOES NOT EXCLUDE: two were inside at once";

export function linesOf(measure: Measure, rows: readonly Row[]): readonly Line[] {
  const own = rows.filter((row) => row.measure === measure.name);
  return own.map((row) => {
    const { variant, lock } = row;
    const silent = (remark: string): Line => ({
      variant,
      lock,
      cells: measure.columns.map(() => "-"),
      ratio: "-",
      remark,
    });
    if (row.excludes === false) return silent(DOES_NOT_EXCLUDE);
    if (row.failure !== undefined) return silent(`FAILED: ${row.failure}`);
    const ours = own.find((other) => other.variant === variant && other.lock === "ours");
    return {
      variant,
      lock,
      cells: measure.columns.map(({ metric, of }) => rounded(of(row.numbers[metric] ?? []))),
      ratio: rounded(advantage(measure, ours, row)),
      remark: "",
    };
  });
}

/** By the first column, the other way round if more is better. */
function advantage({ columns: [column], better }: Measure, ours: Row | undefined, other: Row): number {
  if (column === undefined || ours === undefined) return Number.NaN;
  const [one, two] = [ours, other].map(({ numbers }) => column.of(numbers[column.metric] ?? []));
  if (one === undefined || two === undefined) return Number.NaN;
  return better === "lower" ? two / one : one / two;
}

export function asText(rows: readonly Row[], targets: readonly Target[]): string {
  const parts = MEASURES.filter(({ name }) => rows.some(({ measure }) => measure === name)).map((measure) => {
    const header = ["", "lock", ...measure.columns.map(({ title }) => title), "ours is x times as good", ""];
    const body = linesOf(measure, rows).map(({ variant, lock, cells, ratio, remark }) => [
      variant,
      lock,
      ...cells,
      ratio,
      remark,
    ]);
    return `\n${measure.title} (${measure.name})\n${measure.how}\n\n${table(header, body)}`;
  });
  return [...parts, `\nTargets\n\n${targetTable(targets)}`].join("\n");
}

function targetTable(targets: readonly Target[]): string {
  return table(
    ["target", "measured", "bound", ""],
    targets.map(({ what, value, bound, met }) => [
      what,
      value === undefined ? "not measured" : rounded(value),
      bound,
      met === undefined ? "" : met ? "met" : "MISSED",
    ]),
  );
}
