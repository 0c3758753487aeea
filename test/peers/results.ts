/** What `npm run peers -- --write` has found, as results.json keeps it. */

import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Explored } from "./explore.ts";

/** How many contenders, and how often one that was refused asks again. Within that, every schedule. */
export interface Scope {
  readonly contenders: number;
  readonly retries: number;
}

/** Counts as texts: some are larger than what JSON's numbers hold. */
export interface Result extends Scope {
  readonly name: string;
  /** Of npm; empty for what is in this repository. */
  readonly version: string;
  readonly states: number;
  readonly disks: number;
  readonly places: number;
  readonly schedules: string;
  readonly violating: string;
  readonly longest: number;
  /** The steps of a shortest violating schedule, `a asks; a effect 1`; empty if none violates. */
  readonly shortest: string;
}

export function toResult(
  name: string,
  version: string,
  { contenders, retries }: Scope,
  { states, disks, places, schedules, violating, longest }: Explored,
  shortest: string,
): Result {
  const counts = { schedules: String(schedules), violating: String(violating) };
  return { name, version, contenders, retries, states, disks, places, ...counts, longest, shortest };
}

const file = join(dirname(fileURLToPath(import.meta.url)), "results.json");

export function readResults(): readonly Result[] {
  return JSON.parse(fs.readFileSync(file, "utf8")) as readonly Result[];
}

export function resultAt(results: readonly Result[], name: string, scope: Scope): Result | undefined {
  return results.find(
    (one) => one.name === name && one.contenders === scope.contenders && one.retries === scope.retries,
  );
}

/** Those that were found replace what is kept of the same; the others stay. */
export function writeResults(found: readonly Result[], order: (a: Result, b: Result) => number): void {
  const kept = fs.existsSync(file) ? readResults() : [];
  const others = kept.filter((one) => resultAt(found, one.name, one) === undefined);
  fs.writeFileSync(file, `${JSON.stringify([...others, ...found].sort(order), null, 2)}\n`);
}
