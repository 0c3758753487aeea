/** What the demo says in the end: figures, and the verdict. */

import { type Damage, findDamage, findInterrupted, type History } from "./check.ts";
import type { DemoOptions } from "./options.ts";

export interface Report {
  readonly verdict: "ok" | "damage";
  readonly withoutLock: boolean;
  readonly seed: number;
  readonly seconds: number;
  readonly processes: number;
  readonly acquisitions: number;
  readonly acquisitionsPerSecond: number;
  readonly lines: number;
  readonly kills: number;
  readonly killsInside: number;
  readonly takeovers: number;
  /** From the SIGKILL to the next acquisition. */
  readonly takeoverMs: Spread | undefined;
  /** Acquisitions per slot, whoever was in it. */
  readonly perSlot: { readonly fewest: number; readonly most: number };
  readonly damage: readonly Damage[];
  readonly failures: readonly string[];
}

export interface Spread {
  readonly median: number;
  readonly p99: number;
  readonly worst: number;
}

export interface Outcome {
  readonly history: History;
  readonly failures: readonly string[];
  readonly elapsedMs: number;
}

export function createReport(options: DemoOptions, { history, failures, elapsedMs }: Outcome): Report {
  const { acquisitions, lines, kills, killsInside } = countUp(history);
  const latencies = takeoverLatencies(history);
  const damage = findDamage(history);
  return {
    verdict: damage.length === 0 && failures.length === 0 ? "ok" : "damage",
    withoutLock: options.withoutLock,
    seed: options.seed,
    seconds: elapsedMs / 1000,
    processes: options.processes,
    acquisitions,
    acquisitionsPerSecond: acquisitions / (elapsedMs / 1000),
    lines,
    kills,
    killsInside,
    takeovers: latencies.length,
    takeoverMs: spreadOf(latencies),
    perSlot: perSlot(history, options.processes),
    damage,
    failures,
  };
}

/** Of a run under the lock: whether it is fine. Of one without: whether damage was found, as it must be. */
export function hasPassed({ withoutLock, verdict, damage }: Report): boolean {
  return withoutLock ? damage.length > 0 : verdict === "ok";
}

export type Counts = Pick<Report, "acquisitions" | "lines" | "kills" | "killsInside">;

export function countUp(history: Pick<History, "writers" | "kills">): Counts {
  const sections = history.writers.flatMap((log) => log.sections);
  return {
    acquisitions: sections.length,
    lines: sections.filter(({ ack }) => ack !== undefined).length,
    kills: history.kills.length,
    killsInside: findInterrupted(history).size,
  };
}

/** One for each writer that was killed inside and had a successor. */
export function takeoverLatencies(history: Pick<History, "writers" | "kills">): readonly number[] {
  const entered = history.writers.flatMap(({ sections }) => sections.map(({ enteredAt }) => enteredAt));
  entered.sort((one, other) => one - other);
  const latencies: number[] = [];
  for (const { section, killedAt } of findInterrupted(history).values()) {
    const next = entered.find((at) => at > section.enteredAt);
    if (next !== undefined) latencies.push(next - killedAt);
  }
  return latencies;
}

export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
  return sorted.length === 0 ? undefined : { median: at(0.5), p99: at(0.99), worst: at(1) };
}

function perSlot({ writers }: History, processes: number): Report["perSlot"] {
  const counts = new Array<number>(processes).fill(0);
  for (const { writer, sections } of writers) {
    const slot = Number(/^w(\d+)-/.exec(writer)?.[1]);
    counts[slot] = (counts[slot] ?? 0) + sections.length;
  }
  return { fewest: Math.min(...counts), most: Math.max(...counts) };
}

// ------------------------------------------------------------------------------------------------
// Words

/** More of one kind than this says nothing new. */
const MOST_EXAMPLES = 3;

export function describeReport(report: Report): string {
  const { takeoverMs, perSlot: slots } = report;
  const lines = [
    row("acquisitions", `${report.acquisitions} (${report.acquisitionsPerSecond.toFixed(0)}/s)`),
    row("lines acknowledged", String(report.lines)),
    row("kills", `${report.kills}, ${report.killsInside} of them while holding`),
    row("takeovers", String(report.takeovers)),
  ];
  if (takeoverMs !== undefined && !report.withoutLock) {
    const { median, p99, worst } = takeoverMs;
    lines.push(row("  from the SIGKILL on", `median ${ms(median)}, p99 ${ms(p99)}, worst ${ms(worst)}`));
  }
  lines.push(row("fairness", `${slots.fewest} to ${slots.most} acquisitions per writer slot`));
  lines.push(...describeDamage(report), verdictOf(report));
  return lines.join("\n");
}

function* describeDamage({ damage, failures }: Report): Iterable<string> {
  const kinds = new Map<string, Damage[]>();
  for (const one of damage) kinds.set(one.kind, [...(kinds.get(one.kind) ?? []), one]);
  for (const [kind, found] of kinds) {
    yield `DAMAGE: ${kind}, ${found.length} x`;
    for (const { what } of found.slice(0, MOST_EXAMPLES)) yield `  ${what}`;
    if (found.length > MOST_EXAMPLES) yield `  and ${found.length - MOST_EXAMPLES} more`;
  }
  for (const failure of failures) yield `FAILURE: ${failure}`;
}

function verdictOf(report: Report): string {
  if (report.withoutLock) {
    return hasPassed(report)
      ? "damage found, as expected without the lock"
      : "NO DAMAGE FOUND without the lock: this check cannot fail, so it shows nothing";
  }
  return report.verdict === "ok" ? "OK: no damage" : "NOT OK";
}

const row = (name: string, value: string): string => `${name.padEnd(22)} ${value}`;
const ms = (value: number): string => `${value.toFixed(1)} ms`;
