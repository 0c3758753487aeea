/** What is kept of a run: for each measure a line for each lock and variant, and the targets. */

import type { Row } from "./book.ts";
import { LOCKS } from "./locks.ts";
import { MEASURES } from "./measures.ts";
import type { Measure } from "./rounds.ts";
import { type Target, targetsOf } from "./targets.ts";

export interface Line {
  readonly variant: string;
  readonly lock: string;
  /** One for each column; null where there is none. */
  readonly values: readonly (number | null)[];
  /** How many times as good ours is, by the first column: above 1 ours is faster. */
  readonly ratio: number | null;
  /** Why there are no values. */
  readonly remark: string;
}

export interface Summary {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly missing: readonly Missing[];
  readonly measures: readonly Measured[];
  readonly targets: readonly Target[];
}

/** One measure, of one run, in which all locks took turns. */
export interface Measured {
  readonly name: string;
  readonly seed: number;
  readonly rounds: number;
  readonly seconds: number;
  /** What was measured; null where there is no git. */
  readonly commit: string | null;
  /** The share of the CPU that other processes had; null if that cannot be seen. */
  readonly others: number | null;
  readonly lines: readonly Line[];
}

/** Without which a figure says little. */
export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly cores: number;
  readonly disk: string;
}

export interface Missing {
  readonly name: string;
  readonly reason: string;
}

export function summaryOf(
  { machine, versions, missing }: Pick<Summary, "machine" | "versions" | "missing">,
  measured: readonly Measured[],
): Summary {
  const measures = MEASURES.flatMap(({ name }) => measured.filter((one) => one.name === name));
  return { machine, versions, missing, measures, targets: targetsOf(measures) };
}

/** A run of some measures replaces those; the others stay. Undefined if they are of another machine, or of other locks. */
export function merged(old: Summary, fresh: Summary): Summary | undefined {
  if (old.measures.length === 0) return fresh;
  const whose = ({ machine, versions, missing }: Summary): string =>
    JSON.stringify([machine, versions, missing]);
  if (whose(old) !== whose(fresh)) return undefined;
  const kept = old.measures.filter(({ name }) => fresh.measures.every((one) => one.name !== name));
  return summaryOf(fresh, [...kept, ...fresh.measures]);
}

/** Of a lock that does not exclude no number is shown: it would be the fastest. */
const DOES_NOT_EXCLUDE = "DOES NOT EXCLUDE: two were inside at once";

/** The variants in the order in which they ran, and in each the locks as they are listed. */
export function linesOf(measure: Measure, rows: readonly Row[]): readonly Line[] {
  const own = rows.filter((row) => row.measure === measure.name);
  const variants = [...new Set(own.map(({ variant }) => variant))];
  // What is not listed comes last.
  const rank = ({ lock }: Row): number =>
    LOCKS.findIndex(({ name }) => name === lock) + 1 || LOCKS.length + 1;
  return variants.flatMap((variant) => {
    const group = own.filter((row) => row.variant === variant).sort((a, b) => rank(a) - rank(b));
    const ours = group.find(({ lock }) => lock === "ours");
    return group.map((row) => lineOf(measure, row, ours));
  });
}

function lineOf(measure: Measure, row: Row, ours: Row | undefined): Line {
  const { variant, lock } = row;
  const broken = row.excludes === false ? DOES_NOT_EXCLUDE : undefined;
  const silent = Object.keys(row.numbers).length === 0 ? "no figures: it failed elsewhere" : "";
  const remark = broken ?? (row.failure === undefined ? silent : `FAILED: ${row.failure}`);
  const values = remark === "" ? valuesOf(measure, row) : measure.columns.map(() => null);
  const [own, other] = [ours === undefined ? null : (valuesOf(measure, ours)[0] ?? null), values[0] ?? null];
  const ratio =
    own === null || other === null ? null : shortened(measure.better === "lower" ? other / own : own / other);
  return { variant, lock, values, ratio, remark };
}

function valuesOf({ columns }: Measure, { numbers }: Row): readonly (number | null)[] {
  return columns.map(({ metric, of }) => shortened(of(numbers[metric] ?? [])));
}

/** Four digits: more say nothing, and make a file that changes with each run longer. */
function shortened(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null;
}
