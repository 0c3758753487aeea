/** A row of the doctor's table: what it says of one thing that it tried. */

import type { Disk } from "../disk.ts";
import type { ProcessObserver } from "../owner/observe.ts";

/** The ids of spec/assumptions.md; `needs`: what a user must bring along. */
export type Subject = "A1" | "A2" | "A3" | "A4" | "A5" | "A6" | "A7" | "A8" | "needs";

/**
 * `warn`: safe, but it costs something. `fail`: do not use the lock here. `not known`: cannot be seen from here, or was
 * not tried; never the same as `ok`.
 */
export type Result = "ok" | "warn" | "fail" | "not known";

export interface Row {
  readonly subject: Subject;
  /** Stable: what was looked at, in a few words. */
  readonly tried: string;
  readonly result: Result;
  /** In words. */
  readonly seen: string;
  /** What it means for whoever uses the lock here; empty if all is well. */
  readonly means: string;
}

/** Through what the doctor reaches the world. */
export interface World {
  readonly disk: Disk;
  readonly observer: ProcessObserver;
  /** Milliseconds since 1970, and of a clock that is never set. */
  readonly wall: () => number;
  readonly monotonic: () => number;
}

/** What there is to say of one thing: how it came out, and in words why. */
export interface Outcomes {
  ok(seen: string): Row;
  warn(seen: string, means: string): Row;
  fail(seen: string, means: string): Row;
  unknown(seen: string, means: string): Row;
}

export function about(subject: Subject, tried: string): Outcomes {
  const make =
    (result: Result) =>
    (seen: string, means = ""): Row => ({ subject, tried, result, seen, means });
  return { ok: make("ok"), warn: make("warn"), fail: make("fail"), unknown: make("not known") };
}

/** The worst of them, in this order: fail, warn, not known, ok. */
export function worstOf(rows: readonly Row[]): Result {
  const worst = (["fail", "warn", "not known"] as const).find((result) =>
    rows.some((row) => row.result === result),
  );
  return worst ?? "ok";
}
