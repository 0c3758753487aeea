/**
 * How much of the machine others had while something was measured. A loop that never sleeps, as ours, loses its core to
 * them for milliseconds at a time; one that sleeps twice in each cycle, as the floor, hardly does. So on a busy machine the
 * ratio of the two says nothing of either.
 */

import fs from "node:fs";
import os from "node:os";

/** Above this no figures are written: measured again on a machine that does nothing else, they differ. */
export const MOST_OTHERS = 0.1;

/** Where nothing can be seen, whoever measures must see to it. */
export function isCalm(others: number | null): boolean {
  return others === null || others <= MOST_OTHERS;
}

/** Gives the share of all cores that processes other than this one, and those it started and waited for, had. */
export function watchOthers(): () => number | null {
  const before = look();
  const startedAt = performance.now();
  return () => {
    const after = look();
    if (before === undefined || after === undefined) return null;
    const all = ((performance.now() - startedAt) / 1000) * os.availableParallelism();
    const others = after.busyS - before.busyS - (after.ownS - before.ownS);
    return Math.min(1, Math.max(0, others / all));
  };
}

interface Seconds {
  readonly busyS: number;
  readonly ownS: number;
}

/** Undefined where there is no /proc. */
function look(): Seconds | undefined {
  try {
    return secondsIn(fs.readFileSync("/proc/stat", "utf8"), fs.readFileSync("/proc/self/stat", "utf8"));
  } catch {
    return undefined;
  }
}

/** What the kernel counts in, on Linux, whatever its own clock. */
const TICKS_PER_S = 100;

export function secondsIn(machine: string, own: string): Seconds {
  // user nice system idle iowait irq softirq steal: neither idle nor waiting for a disk.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = numbersIn(
    machine.slice("cpu".length, machine.indexOf("\n")),
  );
  // Behind the name, which may hold anything: fields 14 to 17 are its own time, and that of the children it waited for.
  const mine = numbersIn(own.slice(own.lastIndexOf(")") + 4)).slice(10, 14);
  return {
    busyS: (user + nice + system + irq + softirq + steal) / TICKS_PER_S,
    ownS: mine.reduce((sum, ticks) => sum + ticks, 0) / TICKS_PER_S,
  };
}

const numbersIn = (text: string): number[] => text.trim().split(/\s+/).map(Number);
