/** How processes wait: what the kernel and the disk show of it, and how much they do meanwhile. */

import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isLineName, ownerOfPlace } from "../../../src/line.ts";
import { parseOwnerName } from "../../../src/owner/name.ts";
import type { Child } from "./child.ts";
import type { LibraryDouble } from "./library.ts";
import { type Need, need } from "./places.ts";
import type { Session } from "./scenario.ts";

/** Polls are hours apart. Of src/protocol.ts; no guard is missing. */
export const LONG_POLLS: LibraryDouble["patches"] = [
  ["const FIRST_WAIT_MS = 1;", "const FIRST_WAIT_MS = 1e7;"],
  ["const LONGEST_WAIT_MS = 15;", "const LONGEST_WAIT_MS = 1e7;"],
  ["const SOON_MS = 3;", "const SOON_MS = 1e7;"],
];

/** In the line as well, and whoever has come into it stays there. */
export const LONG_POLLS_IN_LINE: LibraryDouble["patches"] = [
  ...LONG_POLLS,
  ["const IN_LINE_MS = 25;", "const IN_LINE_MS = 1e7;"],
  ["const LATELY_MS = 50;", "const LATELY_MS = 1e7;"],
];

// ------------------------------------------------------------------------------------------------
// Watchers, and places in the line

/** How many watches the kernel keeps for that process. */
export function watchesOf({ hostPid }: Child): number {
  const infos = fs.readdirSync(`/proc/${hostPid}/fdinfo`).map((fd) => {
    try {
      return fs.readFileSync(`/proc/${hostPid}/fdinfo/${fd}`, "utf8");
    } catch {
      return "";
    }
  });
  return infos.join("\n").match(/^inotify wd:/gm)?.length ?? 0;
}

export async function untilWatched(child: Child): Promise<void> {
  while (watchesOf(child) === 0) await sleep(2);
}

/** The names of the lines in the directory of the session. */
export const linesIn = ({ directory }: Session): readonly string[] => namesIn(directory).filter(isLineName);

export function placesOf(session: Session, { pid }: Child): readonly string[] {
  return linesIn(session)
    .flatMap((line) => namesIn(join(session.directory, line)))
    .filter((name) => parseOwnerName(ownerOfPlace(name) ?? "")?.pid === String(pid));
}

/** It is told of something at L, where nothing has changed, comes too late, and takes its place. */
export async function untilInLine(session: Session, child: Child): Promise<void> {
  while (placesOf(session, child).length === 0) {
    touch(session);
    await sleep(5);
  }
}

/** An event for whoever watches the directory. */
export const touch = ({ lockPath }: Session): void => fs.utimesSync(lockPath, 1, 1);

export function namesIn(directory: string): readonly string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

// ------------------------------------------------------------------------------------------------
// How much they do

/** Of a process, in a time that it has measured itself. */
export interface Effort {
  readonly ms: number;
  /** Refused or not: of a process that waits, its polls. */
  readonly takes: number;
  /** Calls of node:fs that name something in the directory of the session. */
  readonly calls: number;
  /** Of its event loop; none where they are not counted. */
  readonly turns: number;
}

export const countedTurns: Need = need("a Node.js that counts the turns of its event loop", () => {
  const { nodeTiming } = performance as unknown as {
    readonly nodeTiming: { readonly uvMetricsInfo?: unknown };
  };
  if (nodeTiming.uvMetricsInfo === undefined) throw new Error("20.18 and 22.8 are the first ones");
});

/** From here on, until the process is asked how much it was. */
export async function beginEffort(child: Child): Promise<() => Promise<Effort>> {
  const ask = async (): Promise<Effort> => (await child.ask("effort")) as unknown as Effort;
  const before = await ask();
  return async () => {
    const after = await ask();
    const since = (what: keyof Effort): number => after[what] - before[what];
    return { ms: since("ms"), takes: since("takes"), calls: since("calls"), turns: since("turns") };
  };
}

/** Of a process that waits, until it has polled so often. What happens meanwhile takes some milliseconds. */
export async function effortOfPolls(
  child: Child,
  polls: number,
  meanwhile: () => Promise<unknown> = quiet,
): Promise<Effort> {
  return await effortUntil(child, ({ takes }) => takes >= polls, meanwhile);
}

/** Of one that is busy, until the check sees it, as it must: the bounds grow more slowly than what it does. */
export async function effortOfTheBusy(
  child: Child,
  what: Excess,
  meanwhile: () => Promise<unknown> = quiet,
): Promise<Effort> {
  const isSeen = (effort: Effort): boolean => effort.ms >= BUSY_MS && excessOf(effort).includes(what);
  return await effortUntil(child, isSeen, meanwhile);
}

/** So long at least: others take as long for their polls, and what was counted can be compared. */
const BUSY_MS = 300;

async function effortUntil(
  child: Child,
  isEnough: (effort: Effort) => boolean,
  meanwhile: () => Promise<unknown>,
): Promise<Effort> {
  const soFar = await beginEffort(child);
  for (;;) {
    await meanwhile();
    const effort = await soFar();
    if (isEnough(effort)) return effort;
  }
}

const quiet = (): Promise<void> => sleep(20);

export type Excess = "polls" | "calls" | "turns";

/**
 * What a waiter does too much of. No timer ends before its time, so that a slow machine makes it poll less, and never more: the
 * long waits are 11 ms and more, with jitter; a few short ones come first, and once in `LATELY_MS` for whoever is told again and again.
 */
export function excessOf({ ms, takes, calls, turns }: Effort): readonly Excess[] {
  const polls = 10 + ms / 5;
  const excess: readonly (readonly [what: Excess, isMore: boolean])[] = [
    ["polls", takes > polls],
    // A Take and a Look; now and then a watcher, or a place. Measured: 2 to 3.
    ["calls", calls > 6 * polls],
    // The timer, and the answer to each call; and those of whoever asks how many it were. Measured: 3 to 4.
    ["turns", turns > 12 * polls],
  ];
  return excess.filter(([, isMore]) => isMore).map(([what]) => what);
}

export const sayEffort = (who: string, { ms, takes, calls, turns }: Effort): void =>
  console.log(`${who}: ${takes} polls, ${calls} calls, ${turns} turns in ${Math.round(ms)} ms`);
