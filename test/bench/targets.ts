/** The targets, as ratios where they can be: times depend on the machine. */

import type { Row } from "./book.ts";
import { median, quantile } from "./statistics.ts";

export interface Target {
  readonly what: string;
  readonly bound: string;
  /** Undefined: what it compares was not measured. */
  readonly value: number | undefined;
  readonly met: boolean | undefined;
}

const LOCK_FILE_PEERS = ["proper-lockfile", "proper-lockfile2", "lockfile", "cross-process-lock"];

export function targetsOf(rows: readonly Row[]): readonly Target[] {
  /** Undefined if it was not measured, failed, or does not exclude: then nothing is compared with it. */
  const get = (
    measure: string,
    variant: string,
    lock: string,
    metric: string,
    of: (values: readonly number[]) => number = median,
  ): number | undefined => {
    const row = rows.find((r) => r.measure === measure && r.variant === variant && r.lock === lock);
    const values = row?.numbers[metric];
    if (row?.failure !== undefined || row?.excludes === false) return undefined;
    return values === undefined ? undefined : of(values);
  };
  const alone = (lock: string): number | undefined => get("alone", "one lock", lock, "eachUs");
  const four = (lock: string): number | undefined => get("processes", "4 processes", lock, "perS");
  const grown = (lock: string): number | undefined =>
    over(get("directory", "100,000 files", lock, "eachUs"), get("directory", "10 files", lock, "eachUs"));
  const peers = LOCK_FILE_PEERS.map(alone).filter((time) => time !== undefined);
  return [
    atMost("one lock, alone: times the floor", over(alone("ours"), alone("floor")), 1.15),
    atLeast(
      "one lock, alone: proper-lockfile takes times as long",
      over(alone("proper-lockfile"), alone("ours")),
      5,
    ),
    atLeast(
      "one lock, alone: the fastest lock-file peer takes times as long",
      peers.length === 0 ? undefined : over(Math.min(...peers), alone("ours")),
      1,
    ),
    atLeast("4 processes, in total: times flock", over(four("ours"), four("flock")), 0.5),
    atMost(
      "4 processes: worst wait in ms",
      get("processes", "4 processes", "ours", "worstMs", (values) => Math.max(...values)),
      20,
    ),
    atLeast("1,000 tasks queued: hand-overs/s", get("tasks", "queued", "ours", "perS"), 200_000),
    atMost(
      "after SIGKILL: p99 in ms",
      get("takeover", "SIGKILL", "ours", "latencyMs", (values) => quantile(values, 0.99)),
      100,
    ),
    atMost(
      "100,000 files beside it: times the cost beside 10, over the floor's",
      over(grown("ours"), grown("floor")),
      1.25,
    ),
  ];
}

const over = (one: number | undefined, two: number | undefined): number | undefined =>
  one === undefined || two === undefined ? undefined : one / two;

function atMost(what: string, value: number | undefined, bound: number): Target {
  return {
    what,
    value,
    bound: `<= ${bound.toLocaleString("en-US")}`,
    met: value === undefined ? undefined : value <= bound,
  };
}

function atLeast(what: string, value: number | undefined, bound: number): Target {
  return {
    what,
    value,
    bound: `>= ${bound.toLocaleString("en-US")}`,
    met: value === undefined ? undefined : value >= bound,
  };
}
