/** What the doctor says of one thing that it tried. */

import type { Disk } from "../disk.ts";
import type { ProcessObserver } from "../owner/observe.ts";

/** The ids of spec/assumptions.md; `needs`: what a user must bring along. */
export type Subject = "A1" | "A2" | "A3" | "A4" | "A5" | "A6" | "A7" | "A8" | "needs";

/**
 * `warn`: safe, but it costs something. `fail`: do not use the lock here. `not known`: cannot be seen from here, or was
 * not tried; never the same as `ok`.
 */
export type Result = "ok" | "warn" | "fail" | "not known";

export interface Finding {
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

/** Findings about one thing. */
export interface Row {
  ok(seen: string): Finding;
  warn(seen: string, means: string): Finding;
  fail(seen: string, means: string): Finding;
  unknown(seen: string, means: string): Finding;
}

export function row(subject: Subject, tried: string): Row {
  const make =
    (result: Result) =>
    (seen: string, means = ""): Finding => ({ subject, tried, result, seen, means });
  return { ok: make("ok"), warn: make("warn"), fail: make("fail"), unknown: make("not known") };
}

/** The worst of them, in this order: fail, warn, not known, ok. */
export function worstOf(findings: readonly Finding[]): Result {
  const worst = (["fail", "warn", "not known"] as const).find((result) =>
    findings.some((finding) => finding.result === result),
  );
  return worst ?? "ok";
}
