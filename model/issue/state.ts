/**
 * The state of IssueLock.tla: the fields are its VARIABLES, in its order, under its names. The algorithm of
 * the issue, not our lock. Plain immutable data with one representation per value, as in model/state.ts.
 */

import { type Name, nameOf, type Proc, type Task } from "../state.ts";

/** A task, or the watchdog of a process, under the name of the process. */
export type Agent = Task | Proc;
/** Which creation of the lock file, `p.i.k`: the k-th of incarnation i of process p. */
export type Id = Name;

/** The holes, in the order of the specification. model/issue/holes.ts tells each one's story. */
export const HOLES = [
  "OrphanWhileReleasing",
  "GuardRemovedEarly",
  "OrphanWhileTaking",
  "OrphanOfAnotherRegistry",
  "OrphanByPath",
  "StaleByPath",
  "JoinWhileReleasing",
  "LateDeleteHitsAnother",
  "JoinExclusive",
  "ReleaseTwice",
  "ForgetFailedRemoval",
  "UnwrittenIsStale",
  "UnreadableIsStale",
  "MtimeOfAnother",
  "AgeIsDeath",
  "WatchdogReleases",
  "ExitUnlocksHolder",
  "ExitWhileReleasing",
  "SweepOfNothing",
  "SweepByPath",
] as const;
export type Hole = (typeof HOLES)[number];

/** What is there beside acquire and release; some holes need one. */
export const FEATURES = [
  "twice",
  "removeFails",
  "readFails",
  "mtime",
  "age",
  "watchdog",
  "exit",
  "sweep",
] as const;
export type Feature = (typeof FEATURES)[number];

export const FIXES = ["none", "guardSet", "lateDelete"] as const;
export type Fix = (typeof FIXES)[number];

/** Where an agent is. A place named after a call: it is under way, without effect so far. */
export const PCS = [
  "idle",
  "open",
  "opened",
  "exists",
  "write",
  "written",
  "holding",
  "read",
  "looked",
  "stat",
  "old",
  "young",
  "waiting",
  "removeDead",
  "removeOrphan",
  "removeOld",
  "reclaimed",
  "close",
  "closed",
  "remove",
  "removed",
  "sweepRead",
  "sweepLooked",
  "sweepRemove",
  "sweepRemoved",
] as const;
export type Pc = (typeof PCS)[number];

/** The lock file. */
export interface LockFile {
  readonly id: Id;
  readonly written: boolean;
  /** Older than `staleMs`. */
  readonly old: boolean;
}

/** An entry of HELD_LOCKS. */
export interface Entry {
  readonly id: Id;
  readonly count: number;
  /** Fix B: it has its `releasePromise`. */
  readonly releasing: boolean;
}

/** What a read gave. `id` is what the algorithm forgets if it is `empty`: nothing written, or an error. */
export type Seen = "absent" | { readonly id: Id; readonly empty: boolean; readonly old: boolean };

/** `exiting`: the exit hooks have run, no turn comes any more. */
export type Life = "runs" | "exiting" | "dead";

export interface State {
  /** The lock path. */
  readonly file: LockFile | null;
  readonly life: Readonly<Record<Proc, Life>>;
  /** The number of the present, or last, incarnation. */
  readonly inc: Readonly<Record<Proc, number>>;
  /** HELD_LOCKS, for the one session file. */
  readonly heldLocks: Readonly<Record<Proc, Entry | null>>;
  /** RELEASING: how many releases in flight it knows of. A Set knows 0 or 1. */
  readonly releasing: Readonly<Record<Proc, number>>;
  /** The creation that the agent has made, holds by, or releases. */
  readonly handle: Readonly<Record<Agent, Id | null>>;
  /** The handle that the task has released, and may release again. */
  readonly spent: Readonly<Record<Task, Id | null>>;
  /** What the task's read gave; `null` without a read. */
  readonly seen: Readonly<Record<Task, Seen | null>>;
  readonly pc: Readonly<Record<Agent, Pc>>;
  /** What the environment may still do. */
  readonly budget: { readonly crash: number };
}

/** The CONSTANTS of IssueLock.tla. */
export interface Config {
  readonly procs: readonly Proc[];
  readonly tasks: readonly Task[];
  readonly procOf: Readonly<Record<Task, Proc>>;
  readonly pidOf: Readonly<Record<Proc, string>>;
  readonly reentrantTasks: readonly Task[];
  readonly startTime: boolean;
  readonly fix: Fix;
  readonly features: readonly Feature[];
  readonly openHoles: readonly Hole[];
  readonly idsPerLife: number;
  readonly maxCrashes: number;
}

/** Who runs code of the lock: the tasks, and the watchdogs if there are any. */
export function agents(c: Config): readonly Agent[] {
  return c.features.includes("watchdog") ? [...c.tasks, ...c.procs] : c.tasks;
}

export function initialState(c: Config): State {
  const all = <V>(keys: readonly string[], value: V): Record<string, V> =>
    Object.fromEntries(keys.map((key) => [key, value] as const));
  return {
    file: null,
    life: all(c.procs, "runs"),
    inc: all(c.procs, 1),
    heldLocks: all(c.procs, null),
    releasing: all(c.procs, 0),
    handle: all(agents(c), null),
    spent: all(c.tasks, null),
    seen: all(c.tasks, null),
    pc: all(agents(c), "idle"),
    budget: { crash: c.maxCrashes },
  };
}

// ------------------------------------------------------------------------------------------------
// Identities

/** What anything refers to. */
function referenced(s: State): Set<Id | null> {
  const ids = new Set<Id | null>([s.file?.id ?? null, ...Object.values(s.handle), ...Object.values(s.spent)]);
  for (const entry of Object.values(s.heldLocks)) ids.add(entry?.id ?? null);
  for (const seen of Object.values(s.seen)) if (seen !== null && seen !== "absent") ids.add(seen.id);
  return ids;
}

/** An identity that nothing refers to, for the present incarnation of `p`. */
export function freshId(c: Config, s: State, p: Proc): Id | undefined {
  const taken = referenced(s);
  for (let ordinal = 1; ordinal <= c.idsPerLife; ordinal++) {
    const id = nameOf(p, s.inc[p] ?? 0, ordinal);
    if (!taken.has(id)) return id;
  }
  return undefined;
}
