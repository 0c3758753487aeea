/**
 * What a process remembers about its locks: per lock path one entry with HELD_LOCKS, RELEASING, the
 * contender and the queue (spec/protocol.md, "In the process"). The fields are the variables of
 * tla/OwnerDirectory.tla. Changing them is the business of protocol.ts alone.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { dirname } from "node:path";
import type { Clock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import { Entries } from "./entries.ts";
import { type LockOwner, type OwnerLife, SessionWriteLockError } from "./errors.ts";
import type { LegacyClaim } from "./legacy.ts";
import type { InLine, Line } from "./line.ts";
import { type OwnerScope, readOwnerScope } from "./owner/identity.ts";
import type { LifeSocket } from "./owner/life.ts";
import { createObserver, createSystemCalls } from "./owner/observe.ts";
import { Queue } from "./queue.ts";
import type { Driver, Wakeable } from "./steps.ts";
import { type Tracer, tracerOf } from "./trace.ts";
import type { Turns } from "./turns.ts";
import { Watches, type Watching } from "./watch.ts";

/** A private directory beside the lock path that holds a file for each of its owners. */
export interface Home {
  /** Our own name, unique in the world: the name of a file inside. */
  readonly name: string;
  readonly path: string;
  /** The names of the files beside it: that of the guest, if the lock is taken for one. */
  readonly guests: readonly string[];
}

/** All that must be at the lock path when this home is there; our own first. */
export const namesOf = ({ name, guests }: Home): readonly string[] => [name, ...guests];

/** A process that works under the lock, and owns it with us: held back until then (src/cli/run.ts). */
export interface Guest {
  readonly scope: OwnerScope;
  letGo(): void;
}

/** One call of acquire: first a waiter, then (it may be) a holder. */
export interface Attempt {
  readonly reentrant: boolean;
  /** Whoever has one asks alone: nobody else of this process uses the entry. */
  readonly guest?: Guest | undefined;
  /** How long it lets an owner be silent that cannot be judged (spec/lease.md). Nothing said: for ever. */
  readonly staleMs?: number;
  /** The promise was settled with an error, but a call of it is still under way. */
  gaveUp: boolean;
  /** The watchdog took the lock away from this holder, and it has not released it yet. */
  revoked: boolean;
  /**
   * Called once, in the turn in which the lock is granted. With the evictions of this process since its last grant;
   * told to one of those that are granted together.
   */
  granted(evictions?: Evictions): void;
  /**
   * Extra: called each time that a wait begins, as the last thing of that turn, so that `GiveUp` may follow at once.
   * With the error of the disk, if that is what it waits for.
   */
  waits?(error?: SessionWriteLockError): void;
  /** Extra: JSON text that its owner file shows to others; empty if there is none. */
  readonly metadata?: string;
  /** Extra: leaves when its first wait begins, and so needs no place in the line. */
  readonly leaves?: boolean;
  /** Extra: asks for old lock files of the dead to be removed. */
  readonly migrates?: boolean;
  /** Called once instead, if the disk fails in a way that waiting does not mend. */
  failed(error: SessionWriteLockError): void;
  /** A holder is told that the lock was lost: somebody changed what stands at L (A2). */
  lost(error: SessionWriteLockError): void;
}

export type DebtStep = "unlinkHome" | "unlinkLock" | "rmdirHome";

/** A name that must leave the disk, and the home that it was made for. */
export interface Debt {
  readonly home: Home;
  /** One of {@link namesOf} it. */
  readonly name: string;
  step: DebtStep;
  /** What the last attempt failed with. */
  lastError: Error | undefined;
}

/** What one contention remembers beyond the specification: how often in a row, and for how long. */
export interface Patience {
  /** Whose patience it is: an heir begins with his own. */
  readonly contender: Attempt | null;
  spins: number;
  failures: number;
  waitMs: number;
  /** When it began. */
  readonly since: number;
}

/** What the next grant of this process is told of. */
export interface Evictions {
  /** The dead whom this process has evicted. */
  readonly owners: readonly LockOwner[];
  /** Whether somebody else was seen at L since. */
  readonly overtaken: boolean;
}

export const NO_EVICTIONS: Evictions = { owners: [], overtaken: false };

export interface Entry {
  readonly lockPath: string;
  /** The canonical session file, for messages. */
  readonly sessionFile: string;
  /** The directory of both. */
  readonly directory: string;
  /** On a disk known to be local: release by PutBack. Else by Drop. */
  readonly local: boolean;
  /** The kind of that disk (`diskKindOf`): what was found out about it holds as long as it is of this one. */
  readonly disk?: number | undefined;
  /** HELD_LOCKS. */
  readonly held: Set<Attempt>;
  /** RELEASING: in flight or owed. `aside`: it went to disk although somebody here waits. */
  releasing: { readonly name: string; readonly aside: boolean } | null;
  /** The one attempt that is on the disk. */
  contender: Attempt | null;
  /** Everybody else, first come first. */
  readonly queue: Queue<Attempt>;
  /** The home that we hold by, contend with, or keep for the next time. */
  home: Home | null;
  /** By the name that is owed. */
  readonly owes: Map<string, Debt>;

  // What follows is not in the specification: time, and words for people.

  /** Set while the contender waits: ends the wait. */
  wait: Wakeable | null;
  /** Set while somebody here waits for others, and is told when something at L may have changed. */
  watching: Watching | undefined;
  /** Set while somebody here has, or had, a place in the line. */
  place: InLine | undefined;
  /** When it was last told, or called. */
  toldAt: number;
  /** How often in a row it stood aside for a short time only. */
  shortAsides: number;
  /** Whether being told ends the present wait. */
  listens: boolean;
  /** That of the present contention, or of the last one. */
  patience: Patience | null;
  /** When the first hand-over in memory was, since the lock was taken from the disk: they are bounded from here on. */
  handsOverSince: number | undefined;
  /** When the session file was last seen to be no directory. */
  lookedAt: number;
  /** What stood in the way when we last looked. */
  obstacle: Obstacle | undefined;
  /** Until somebody here is granted the lock and told. */
  evictions: Evictions;
  /** The metadata that the owner file of the present home shows. */
  shown: string;
  /** Somebody changed what stands at L while it is held (A2), and we noticed: nobody joins, nothing is handed over. */
  lost: boolean;
  readonly services: Services;
  /** Who listens to what happens here: nobody, unless a trace is wanted. */
  readonly tracer: Tracer | undefined;
}

/** What stands at the lock path, for messages. */
export type Obstacle =
  | { readonly kind: "owner"; readonly name: string; readonly verdict: string }
  | { readonly kind: "foreign"; readonly what: string }
  | { readonly kind: "refusal"; readonly errno: string };

export type Judgement = {
  /** `lapsed`: unknown, and its lease has ended (spec/lease.md). True for the turn that judged, and no longer. */
  readonly verdict: OwnerLife;
  readonly reason: string;
};

/** Who is who; src/owner is behind it, or the harness. */
export interface Owners {
  /** A new home for this lock path, with names that were never used before: ours, and a guest's. */
  newHome(lockPath: string, guest: OwnerScope | undefined): Home;
  /** What is written into a new owner file: for people and tools, no verdict needs it. `metadata` is JSON text. */
  content(name: string, metadata?: string): string;
  /** Shows other metadata in an owner file of ours. Never makes one. */
  show?(file: string, metadata: string): void;
  /** Judges what an old lock file says of its owner, as if it had been written by a process of this pid namespace. */
  judgeLegacy?(claim: LegacyClaim, place: OwnerPlace): Judgement;
  /** An errno, with whose permissions are in the way, if they are. */
  explain?(errno: string, lockPath: string): string;
  /** What can be said of the owner of that name at a lock path. */
  describe?(name: string, lockPath: string, verdict: string): LockOwner;
  /** Is this file name the name of an owner? Anything else is foreign. */
  isOwner(name: string): boolean;
  judge(name: string, place: OwnerPlace): Judgement;
  /** We have evicted an owner of that name. */
  evicted?(name: string, lockPath: string): void;
  /**
   * What only an asynchronous question can tell about these owners, for the next {@link judge}. Undefined if there
   * is nothing to ask; else the question, which calls `done` once, in a later turn.
   */
  ask?(names: readonly string[], place: OwnerPlace): ((done: () => void) => void) | undefined;
}

/** Asks what there is to ask about these owners, and judges each. Outside of the protocol, whose asking is a step. */
export async function askAndJudge(
  owners: Owners,
  names: readonly string[],
  place: OwnerPlace,
): Promise<readonly (Judgement & { readonly name: string })[]> {
  const ask = owners.ask?.(names, place);
  if (ask !== undefined) await new Promise<void>(ask);
  return names.map((name) => ({ name, ...owners.judge(name, place) }));
}

/** Where an owner file lies. */
export interface OwnerPlace {
  /** The directory that holds it: a lock path, or a home. */
  readonly path: string;
  /** Whether the disk is known to be local. */
  readonly local: boolean;
  /** Of whoever asks: how long an owner may be silent that cannot be judged. Nothing said: there is no lease. */
  readonly staleMs?: number | undefined;
}

/** Shows that a holder lives, and notices that it has lost the lock: src/heartbeat.ts. */
export interface Heartbeat {
  /** The entry's home was made. */
  made(entry: Entry): void;
  /** Must the entry's home beat before it is taken with? */
  isOld(entry: Entry): boolean;
  /** That beat, now; whether it could be done. */
  freshen(entry: Entry, home: Home): boolean;
  /** The lock was granted: from now on it beats, until nobody holds it. */
  held(entry: Entry): void;
  /** Whether the holder missed a beat: then it must not put back. */
  missed(entry: Entry): boolean;
}

/** The world, as the protocol sees it. */
export interface Services {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly owners: Owners;
  readonly drive: Driver;
  /** Where nobody has to see that we live: none. */
  readonly heartbeat?: Heartbeat;
  /** Fairness between processes. Where nobody else is: none. */
  readonly turns?: Turns;
  /** In which processes wait under contention, on a disk known to be local. None: they poll. */
  readonly line?: Line;
  /** Calls `told` when something at a lock path may have changed: src/watch.ts. None: waiting is polling. */
  watch?(lockPath: string, told: () => void): Watching | undefined;
  /** Says something that nobody asked for: a loss, a lock that is held too long. */
  warn(message: string, code: WarningCode): void;
  /** Extra: whether an old lock file at L was removed, whose owner is proved dead. */
  migrateLegacy?(place: OwnerPlace): boolean;
  /** This entry may have become idle: whoever keeps it may put it away, now. */
  quiet(entry: Entry): void;
}

/** The codes of the process warnings (type `SessionWriteLockWarning`). */
export type WarningCode =
  | "SWL_LOST"
  | "SWL_OVERDUE"
  | "SWL_RELEASE"
  | "SWL_HOOK"
  | "SWL_LEGACY"
  | "SWL_UNSAFE_DIRECTORY";

export interface Registry {
  /** A process that is found to run with another's memory must not act on it. */
  readonly pid: number;
  readonly entries: Entries;
  /** By directory: the life sockets of this process (an extra of the protocol). */
  readonly lives: Map<string, LifeSocket>;
  /** The watchers of this process, for those who wait. */
  readonly watches: Watches;
  /** Which sections of `withSessionWriteLock` are around a call, whichever copy of the module it is in. */
  readonly nesting: AsyncLocalStorage<Nesting>;
  /** Who this thread is, read once: a second reading may give other random values. */
  readonly self: OwnerScope;
  /** Whether the hook of src/exit.ts is there: one does for all copies of the module. */
  exitIsWatched?: boolean;
}

export interface CallSite {
  readonly stack?: string;
}

/** A section of `withSessionWriteLock`, or a hook that runs with the lock held. */
export interface Nesting {
  /** For messages. */
  readonly what: "withSessionWriteLock" | "onTakeover";
  readonly lockPath: string;
  readonly reentrant: boolean;
  /** Where `withSessionWriteLock` was called. The stack is made text only when it is asked for. */
  readonly calledAt?: CallSite;
  isReleased(): boolean;
  readonly parent: Nesting | undefined;
}

/** The version of the shape of {@link Entry}: copies of the module share a registry only if they agree. */
const REGISTRY_KEY = Symbol.for("session-write-lock.registry.v5");

/**
 * The registry of this thread's process: one for all copies of the module.
 * @throws SessionWriteLockError `EINVAL` if it was made by another process; `EDISK` if it cannot be made now.
 */
export function processRegistry(): Registry {
  const shared = globalThis as { [REGISTRY_KEY]?: Registry };
  shared[REGISTRY_KEY] ??= {
    pid: process.pid,
    entries: new Entries(),
    lives: new Map(),
    watches: new Watches(),
    nesting: new AsyncLocalStorage(),
    self: readSelf(),
  };
  const registry = shared[REGISTRY_KEY];
  if (registry.pid !== process.pid) {
    throw new SessionWriteLockError(
      `Cannot use session locks: the registry in memory belongs to pid ${registry.pid}, this is pid ${process.pid}`,
      { code: "EINVAL", sessionFile: "" },
    );
  }
  return registry;
}

/** What passes: a process that cannot read who it is for one of these can read it later. */
const SHORTAGES: readonly (string | undefined)[] = ["EMFILE", "ENFILE", "ENOMEM"];

/** It is kept for life, and of whoever says too little nobody can prove the death (A1): so not while files cannot be read. */
function readSelf(): OwnerScope {
  let shortage: string | undefined;
  const calls = createSystemCalls((errno) => {
    if (SHORTAGES.includes(errno)) shortage = errno;
  });
  const self = readOwnerScope(createObserver(calls));
  if (shortage === undefined) return self;
  throw new SessionWriteLockError(
    `Cannot use session locks: who this process is cannot be read now: ${shortage}`,
    { code: "EDISK", sessionFile: "" },
  );
}

export interface EntryParams {
  readonly lockPath: string;
  readonly sessionFile: string;
  readonly local: boolean;
  readonly disk?: number | undefined;
  readonly services: Services;
}

export function createEntry(params: EntryParams): Entry {
  const entry: Entry & { tracer: Tracer | undefined } = {
    ...params,
    directory: dirname(params.lockPath),
    held: new Set(),
    releasing: null,
    contender: null,
    queue: new Queue(),
    home: null,
    owes: new Map(),
    wait: null,
    watching: undefined,
    place: undefined,
    toldAt: Number.NEGATIVE_INFINITY,
    listens: false,
    shortAsides: 0,
    patience: null,
    handsOverSince: undefined,
    lookedAt: Number.NEGATIVE_INFINITY,
    obstacle: undefined,
    evictions: NO_EVICTIONS,
    shown: "",
    lost: false,
    tracer: undefined,
  };
  entry.tracer = tracerOf(entry);
  return entry;
}

/** Nobody holds, waits, releases or owes: only an idle home may be left. */
export function isIdle(entry: Entry): boolean {
  const quiet = entry.held.size === 0 && entry.releasing === null && entry.contender === null;
  return quiet && entry.queue.size === 0 && entry.owes.size === 0;
}
