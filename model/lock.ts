/**
 * Lock.tla: what a lock is. An owner directory implements it if every step, seen through
 * {@link abstraction}, is one of Lock's steps or changes nothing (refinement).
 */

import { at, type Config, homeNameOf, lives, ownerOf, type Proc, type State, type Task } from "./state.ts";

/** The variables of Lock.tla. */
export interface AbstractState {
  /** The incarnation that owns the lock, `p.i`, or null. What the DISK says, not a program counter. */
  readonly owner: { readonly proc: Proc; readonly incarnation: number; readonly lives: boolean } | null;
  /** The tasks that may write. */
  readonly users: readonly Task[];
}

export function abstraction(c: Config, s: State): AbstractState {
  const [name] = s.lock ?? [];
  const users = c.procs.flatMap((p) => at(s.heldLocks, p));
  if (name === undefined) return { owner: null, users };
  // An incarnation and its guest are one owner here.
  const home = homeNameOf(c, name);
  const { proc, incarnation } = ownerOf(home);
  return { owner: { proc, incarnation, lives: lives(s, home) }, users };
}

/** Lock!MutualExclusion. */
export function usersAreExclusive(c: Config, s: State): boolean {
  const { owner, users } = abstraction(c, s);
  if (!compatible(c, users)) return false;
  return users.every((t) => owner?.lives === true && owner.proc === at(c.procOf, t));
}

/** Is the step from `s` to `next` a step of Lock.tla, or no step at all? */
export function isLockStep(c: Config, s: State, next: State): boolean {
  const before = abstraction(c, s);
  const after = abstraction(c, next);
  const sameOwner = ownerText(before) === ownerText(after);
  const sameUsers = before.users.join() === after.users.join();
  const processes = JSON.stringify([s.alive, s.inc]) !== JSON.stringify([next.alive, next.inc]);
  if (processes) return sameOwner && isProcessStep(c, s, next, before, after);
  if (sameOwner && sameUsers) return true;
  if (sameOwner) return isUserStep(c, before, after);
  return sameUsers && isOwnerStep(before, after);
}

const ownerText = ({ owner }: AbstractState): string =>
  owner === null ? "" : `${owner.proc}.${owner.incarnation}`;

const compatible = (c: Config, users: readonly Task[]): boolean =>
  users.length <= 1 || users.every((t) => c.reentrantTasks.includes(t));

/** Acquire, Release, Reclaim. */
function isOwnerStep(before: AbstractState, after: AbstractState): boolean {
  if (before.owner === null) return after.owner !== null;
  if (after.owner !== null) return false;
  return before.owner.lives ? before.users.length === 0 : true;
}

/** Enter, Leave, HandOver. */
function isUserStep(c: Config, before: AbstractState, after: AbstractState): boolean {
  const gone = before.users.filter((t) => !after.users.includes(t));
  const come = after.users.filter((t) => !before.users.includes(t));
  if (come.length === 0) return gone.length === 1;
  const { owner } = before;
  if (!compatible(c, after.users)) return false;
  if (gone.length === 0) {
    return owner?.lives === true && come.every((t) => at(c.procOf, t) === owner.proc);
  }
  const [leaver] = gone;
  const alone = gone.length === 1 && before.users.length === 1;
  return alone && leaver !== undefined && come.every((t) => at(c.procOf, t) === at(c.procOf, leaver));
}

/** Crash, Start: the owner stays, and a crash takes the users of the dead with it. */
function isProcessStep(
  c: Config,
  s: State,
  next: State,
  before: AbstractState,
  after: AbstractState,
): boolean {
  const died = s.alive.filter((p) => !next.alive.includes(p));
  const survivors = before.users.filter((t) => !died.includes(at(c.procOf, t)));
  return died.length <= 1 && survivors.join() === after.users.join();
}
