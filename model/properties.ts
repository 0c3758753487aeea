/** The properties of OwnerDirectory.tla, under their names, in their order. */

import { CONTENDING, freshName, type Step, tasksOf } from "./actions.ts";
import { isLockStep } from "./lock.ts";
import type { Invariant, StepProperty } from "./machine.ts";
import {
  at,
  type Config,
  type Guest,
  guestsOf,
  homeNameOf,
  lives,
  mapGet,
  type Name,
  namesIn,
  ownerOf,
  type State,
  type Task,
} from "./state.ts";

export const INVARIANTS: readonly Invariant<Config, State>[] = [
  { name: "FreshNamesSuffice", holds: freshNamesSuffice },
  { name: "MutualExclusion", holds: mutualExclusion },
  { name: "HeldIsOnDisk", holds: heldIsOnDisk },
  { name: "GuestIsOnDisk", holds: guestIsOnDisk },
  { name: "NoGhostHolder", holds: noGhostHolder },
  { name: "OneContender", holds: oneContender },
  { name: "NoIdleQueue", holds: noIdleQueue },
  { name: "NothingForgotten", holds: nothingForgotten },
];

/**
 * What is left where the environment breaks an assumption, and what must fail there. Not among the others: while
 * nobody is suspected or revoked they say the same as those.
 */
export const WEAKER_INVARIANTS: readonly Invariant<Config, State>[] = [
  { name: "MutualExclusionAmongInnocent", holds: mutualExclusionAmongInnocent },
  { name: "InnocentIsOnDisk", holds: innocentIsOnDisk },
  { name: "WritersExclude", holds: (c, s) => exclude(c, [...holders(c, s), ...s.revoked]) },
];

export const STEP_PROPERTIES: readonly StepProperty<Config, State, Step>[] = [
  { name: "Refinement", holds: (c, s, step) => isLockStep(c, s, step.next) },
  { name: "NeverTouchesAnothers", holds: neverTouchesAnothers },
  { name: "Fifo", holds: fifo },
];

export const WEAKER_STEP_PROPERTIES: readonly StepProperty<Config, State, Step>[] = [
  { name: "NeverTouchesAnInnocent", holds: neverTouchesAnInnocent },
];

function holders(c: Config, s: State): readonly Task[] {
  return c.tasks.filter((t) => at(s.pc, t) === "holding");
}

/** A name for every Prepare: the finite stock of names hides nothing. */
function freshNamesSuffice(c: Config, s: State): boolean {
  return c.tasks.every((t) => at(s.pc, t) !== "prepare" || freshName(c, s, at(c.procOf, t)) !== undefined);
}

/** The guests that were let go. */
function running(c: Config, s: State): readonly Guest[] {
  return guestsOf(c).filter((g) => at(s.guest, g)?.at === "running");
}

const isGuestOf = (c: Config, s: State, g: Guest, t: Task): boolean => {
  const p = at(c.procOf, t);
  return c.guestOf[p] === g && at(s.guest, g)?.inc === at(s.inc, p);
};

/**
 * Two tasks hold at the same time only if they are of one process, and both asked to share. While a guest works
 * nobody holds but the incarnation that let it go, and no other guest works.
 */
function mutualExclusion(c: Config, s: State): boolean {
  const working = running(c, s);
  if (working.length > 1 || working.some((g) => !holders(c, s).every((t) => isGuestOf(c, s, g, t))))
    return false;
  return exclude(c, holders(c, s));
}

function exclude(c: Config, all: readonly Task[]): boolean {
  if (all.length <= 1) return true;
  const one = new Set(all.map((t) => at(c.procOf, t))).size === 1;
  return one && all.every((t) => c.reentrantTasks.includes(t));
}

const isInnocent = (c: Config, s: State, t: Task): boolean =>
  !s.suspects.includes(at(s.home, at(c.procOf, t)) ?? "");

/** Only whoever was taken for dead, broken or robbed loses, never a third. */
function mutualExclusionAmongInnocent(c: Config, s: State): boolean {
  return exclude(
    c,
    holders(c, s).filter((t) => isInnocent(c, s, t)),
  );
}

function innocentIsOnDisk(c: Config, s: State): boolean {
  return holders(c, s).every(
    (t) => !isInnocent(c, s, t) || s.lock?.includes(at(s.home, at(c.procOf, t)) ?? "") === true,
  );
}

/** A name that vanishes from L is dead, or not innocent, or its owner's step took it away. */
function neverTouchesAnInnocent(c: Config, s: State, step: Step): boolean {
  const gone = (s.lock ?? []).filter((name) => step.next.lock?.includes(name) !== true);
  return gone.every(
    (name) => !lives(s, name) || step.next.suspects.includes(name) || byOwner(c, s, step, name),
  );
}

/** Whoever holds has his name on the disk, his guest's beside it, and no other. */
function heldIsOnDisk(c: Config, s: State): boolean {
  return c.procs.every((p) => {
    const home = at(s.home, p);
    if (at(s.heldLocks, p).length === 0) return true;
    return home !== null && s.lock?.join() === namesIn(c, home).join();
  });
}

/** A guest that works has its name on the disk, whatever became of its process. */
function guestIsOnDisk(c: Config, s: State): boolean {
  return running(c, s).every((g) => s.lock?.some((name) => ownerOf(name).proc === g && lives(s, name)));
}

/** A valid handle is in HELD_LOCKS, and what is in HELD_LOCKS is a valid handle: of one that did not give up. */
function noGhostHolder(c: Config, s: State): boolean {
  return c.tasks.every((t) => {
    const inHeldLocks = at(s.heldLocks, at(c.procOf, t)).includes(t);
    return (at(s.pc, t) === "holding" && !s.gaveUp.includes(t)) === inHeldLocks;
  });
}

/** One contender, and never beside a holder or a release. */
function oneContender(c: Config, s: State): boolean {
  return c.procs.every((p) => {
    const contending = tasksOf(c, p).filter((t) => CONTENDING.includes(at(s.pc, t)));
    if (contending.length > 1) return false;
    if (at(s.contender, p) === null) return true;
    return at(s.heldLocks, p).length === 0 && at(s.releasing, p) === null;
  });
}

/** Nobody queues behind nothing. */
function noIdleQueue(c: Config, s: State): boolean {
  return c.procs.every((p) => {
    if (at(s.queue, p).length === 0) return true;
    return at(s.heldLocks, p).length > 0 || at(s.contender, p) !== null || at(s.releasing, p) !== null;
  });
}

/**
 * A lock that names a living process is on that process's mind; its guest's name too. (A guest whose process is gone
 * remembers nothing: it ends.)
 */
function nothingForgotten(c: Config, s: State): boolean {
  return (s.lock ?? []).every((name) => {
    const home = homeNameOf(c, name);
    return !lives(s, name) || !lives(s, home) || remembered(s, name, home);
  });
}

function remembered(s: State, name: Name, home: Name): boolean {
  const p = ownerOf(home).proc;
  const inUse = at(s.contender, p) !== null || at(s.heldLocks, p).length > 0;
  if (home === at(s.home, p) && inUse) return true;
  return at(s.releasing, p)?.name === name || mapGet(at(s.owes, p), name) !== undefined;
}

/** No step changes L while a living process owns it, but that process's own; of a guest, its process's. */
function neverTouchesAnothers(c: Config, s: State, step: Step): boolean {
  if (JSON.stringify(s.lock) === JSON.stringify(step.next.lock)) return true;
  return (s.lock ?? []).every((name) => !lives(s, name) || byOwner(c, s, step, name));
}

function byOwner(c: Config, s: State, { label: { action, arg } }: Step, name: Name): boolean {
  const home = homeNameOf(c, name);
  const p = ownerOf(home).proc;
  const names = namesIn(c, home);
  if (action === "Retry") return names.includes(arg);
  if (action === "LateEffect") return names.some((other) => arg.endsWith(` ${other}`));
  return (action === "Drop" || action === "PutBack") && at(c.procOf, arg) === p && at(s.home, p) === home;
}

/**
 * Whoever leaves the queue for the lock or for the slot is its head, or shares the lock with a group that begins
 * with the head, or with a contender that was before.
 */
function fifo(c: Config, s: State, { next }: Step): boolean {
  return c.procs.every((p) => {
    const before = at(s.queue, p);
    const after = at(next.queue, p);
    const [head] = before;
    if (head === undefined || !next.alive.includes(p) || before.join() === after.join()) return true;
    if (before.join() === after.slice(0, -1).join()) return true;
    const gone = before.filter((t) => !after.includes(t));
    if (after.join() !== before.filter((t) => !gone.includes(t)).join()) return false;
    const [first] = gone;
    if (gone.length === 1 && first !== undefined && (first === head || at(next.pc, first) === "idle"))
      return true;
    const group = at(next.heldLocks, p);
    const shares = gone.every((t) => group.includes(t)) && group.every((t) => c.reentrantTasks.includes(t));
    return shares && (gone.includes(head) || group.some((t) => !gone.includes(t)));
  });
}
