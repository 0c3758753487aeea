/** The targets, as ratios where they can be: times depend on the machine. */

import { MEASURES } from "./measures.ts";
import type { Measured } from "./summary.ts";

export interface Target {
  readonly what: string;
  readonly bound: string;
  /** Null: what it compares was not measured. */
  readonly value: number | null;
  readonly met: boolean | null;
}

const LOCK_FILE_PEERS = ["proper-lockfile", "proper-lockfile2", "lockfile", "cross-process-lock"];

export function targetsOf(measures: readonly Measured[]): readonly Target[] {
  /** Undefined if it was not measured, failed, or does not exclude: then nothing is compared with it. */
  const get = (name: string, variant: string, lock: string, title: string): number | undefined => {
    const line = measures
      .find((measure) => measure.name === name)
      ?.lines.find((one) => one.variant === variant && one.lock === lock);
    return line?.values[columnOf(name, title)] ?? undefined;
  };
  const alone = (lock: string): number | undefined => get("alone", "one lock", lock, "µs");
  const idle = (lock: string): number | undefined =>
    get("harness", "one after 20 ms of nothing", lock, "median µs");
  const four = (lock: string, title: string): number | undefined =>
    get("processes", "4 processes", lock, title);
  const grown = (lock: string): number | undefined =>
    over(get("directory", "100,000 files", lock, "µs"), get("directory", "10 files", lock, "µs"));
  const peers = LOCK_FILE_PEERS.map(alone).filter((time) => time !== undefined);
  const fastest = peers.length === 0 ? undefined : Math.min(...peers);
  return [
    atMost(1.15, "alone: ours, over the floor", over(alone("ours"), alone("floor"))),
    // The same after a pause: what whoever acquires now and then pays (spec/performance.md, "Why figures differ").
    atMost(1.15, "alone, after 20 ms of nothing: ours, over the floor", over(idle("ours"), idle("floor"))),
    atLeast(5, "alone: proper-lockfile, over ours", over(alone("proper-lockfile"), alone("ours"))),
    atLeast(1, "alone: the fastest lock-file peer, over ours", over(fastest, alone("ours"))),
    atLeast(0.5, "4 processes in total: ours, over flock", over(four("ours", "/s"), four("flock", "/s"))),
    atMost(20, "4 processes: worst wait, ms", four("ours", "worst ms")),
    atLeast(200_000, "1,000 tasks queued: hand-overs/s", get("tasks", "queued", "ours", "/s")),
    atMost(100, "after SIGKILL: p99, ms", get("takeover", "SIGKILL", "ours", "p99 ms")),
    // The bound is ours: "nothing grows" cannot be measured to the last digit.
    atMost(
      1.25,
      "beside 100,000 files, over beside 10: ours, over the floor's",
      over(grown("ours"), grown("floor")),
    ),
  ];
}

/** @throws Error for a column that was renamed: a target that looks for it would never be measured again. */
function columnOf(name: string, title: string): number {
  const column = MEASURES.find((one) => one.name === name)?.columns.findIndex((one) => one.title === title);
  if (column === undefined || column < 0) throw new Error(`there is no column ${title} in ${name}`);
  return column;
}

const over = (one: number | undefined, two: number | undefined): number | undefined =>
  one === undefined || two === undefined ? undefined : one / two;

function atMost(bound: number, what: string, value: number | undefined): Target {
  return judged(what, `<= ${bound.toLocaleString("en-US")}`, value, (measured) => measured <= bound);
}

function atLeast(bound: number, what: string, value: number | undefined): Target {
  return judged(what, `>= ${bound.toLocaleString("en-US")}`, value, (measured) => measured >= bound);
}

function judged(
  what: string,
  bound: string,
  value: number | undefined,
  isMet: (measured: number) => boolean,
): Target {
  if (value === undefined || Number.isNaN(value)) return { what, bound, value: null, met: null };
  return { what, bound, value: Number(value.toPrecision(4)), met: isMet(value) };
}
