/** How often, and how long: what the scenarios print. */

import { spreadOf } from "../../demo/report.ts";

/**
 * A takeover takes milliseconds: the next look of a waiter is 15 ms away, with jitter. This is for machines with a
 * load of 20 on two cores, where the same took seconds, and still far from a wait for time to pass: the shortest of them
 * is a beat, a minute.
 */
export const AT_ONCE_MS = 30_000;

/** Of an acquisition that is to be granted, or refused by an error: a limit for what hangs, and no measure. */
export const LIMIT_MS = 60_000;

/** More runs with `npm run process`: the gate shows that it works, the long run shows how rarely it does not. */
export function deepCount(gate: number, deep: number): number {
  return process.env["SWL_DEEP"] === undefined ? gate : deep;
}

export function latencies(waits: readonly number[]): string {
  const { median, p99, worst } = spreadOf(waits) ?? {
    median: Number.NaN,
    p99: Number.NaN,
    worst: Number.NaN,
  };
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  return `${waits.length} times, median ${ms(median)}, p99 ${ms(p99)}, worst ${ms(worst)}`;
}
