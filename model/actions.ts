/**
 * The actions of OwnerDirectory.tla: same names, same order. `enabled` is the guard, `next` the effect:
 * every successor that the action allows (a call may fail in several ways). One action does at most one
 * system call; see the header of tla/OwnerDirectory.tla for the granularity.
 */

import { match } from "ts-pattern";
import { type Action as MachineAction, type MachineLabel, stepsOf } from "./machine.ts";
import {
  addLate,
  at,
  type Config,
  type DebtStep,
  type Dir,
  type FaultKind,
  type Guard,
  guestNames,
  guestsOf,
  homeNameOf,
  insert,
  type LateCall,
  type LateOp,
  type LivingGuest,
  lives,
  mapDelete,
  mapGet,
  mapPut,
  type Name,
  type NameMap,
  nameOf,
  namesIn,
  ownerOf,
  type Pc,
  type Proc,
  put,
  remove,
  type State,
  type Task,
} from "./state.ts";

/** The names of the actions, in the order of the specification. */
export const ACTIONS = [
  "Request",
  "Prepare",
  "Take",
  "Verify",
  "Granted",
  "Refused",
  "Look",
  "Judge",
  "Evict",
  "Clear",
  "Wake",
  "GiveUp",
  "LetGo",
  "Release",
  "Expire",
  "Check",
  "PutBack",
  "Confirm",
  "Restore",
  "Drop",
  "Released",
  "Retry",
  "Retried",
  "Crash",
  "Start",
  "GuestEnds",
  "LateEffect",
  "Vandal",
  "Suspect",
  "Break",
  "Remove",
] as const;
export type ActionName = (typeof ACTIONS)[number];

/** An action with its argument: a task, a process, a name (`p.i.k`), or a late call (`op p.i.k`). */
export interface Label extends MachineLabel {
  readonly action: ActionName;
}

/** A labelled step to a successor. */
export interface Step {
  readonly label: Label;
  readonly next: State;
}

type Action = MachineAction<Config, State, ActionName>;

/** Every step that is possible in `s`, in the order of the specification. */
export function steps(c: Config, s: State): Step[] {
  return stepsOf(TABLE, c, s);
}

/** The successors of `s` under one label: empty if it is not enabled. */
export function successors(c: Config, s: State, label: Label): readonly State[] {
  const action = TABLE.find((candidate) => candidate.name === label.action);
  if (action?.args(c, s).includes(label.arg) !== true || !action.enabled(c, s, label.arg)) return [];
  return action.next(c, s, label.arg);
}

// ------------------------------------------------------------------------------------------------
// Where a task can be

export const IN_FLIGHT: readonly Pc[] = [
  "take",
  "taken",
  "refused",
  "failed",
  "look",
  "looked",
  "lookDoubt",
  "lookedDoubt",
];

/** Between two synchronous calls of one turn: no other task of this process can run. */
export const MID_TURN: readonly Pc[] = [
  "prepare",
  "verify",
  "verified",
  "unverified",
  "evict",
  "clear",
  "check",
  "putBack",
  "confirm",
  "restore",
  "released",
  "lost",
];

export const CONTENDING: readonly Pc[] = [
  ...IN_FLIGHT,
  "prepare",
  "verify",
  "verified",
  "unverified",
  "evict",
  "clear",
  "waiting",
];

export function tasksOf(c: Config, p: Proc): readonly Task[] {
  return c.tasks.filter((t) => at(c.procOf, t) === p);
}

/** No task of `p`, apart from `except`, is in the middle of a turn. */
export function threadFree(c: Config, s: State, p: Proc, except?: Task): boolean {
  for (const t of c.tasks) {
    if (at(c.procOf, t) === p && t !== except && MID_TURN.includes(at(s.pc, t))) return false;
  }
  return true;
}

// ------------------------------------------------------------------------------------------------
// Names

/** The names that anything refers to. */
function referenced(c: Config, s: State): Set<Name> {
  const names = new Set<Name>(s.lock ?? []);
  for (const [name, contents] of s.homes) {
    names.add(name);
    for (const inside of contents) names.add(inside);
  }
  for (const call of s.late) names.add(call.name);
  for (const p of c.procs) {
    const home = at(s.home, p);
    if (home !== null) names.add(home);
    const release = at(s.releasing, p);
    if (release !== null) names.add(release.name);
    for (const [name] of at(s.owes, p)) names.add(name);
  }
  for (const t of c.tasks) for (const name of at(s.seen, t) ?? []) names.add(name);
  for (const name of s.suspects) names.add(name);
  return names;
}

/** Broken: the names that a directory shows, or that is at L. */
const shown = (s: State): Set<Name> => new Set([...(s.lock ?? []), ...s.homes.map(([name]) => name)]);

/** A name that nothing refers to, for the present incarnation of `p`. */
export function freshName(c: Config, s: State, p: Proc): Name | undefined {
  const taken = isBroken(c, "ReuseName") ? shown(s) : referenced(c, s);
  for (let ordinal = 1; ordinal <= c.namesPerLife; ordinal++) {
    const name = nameOf(p, at(s.inc, p), ordinal);
    if (!namesIn(c, name).some((other) => taken.has(other))) return name;
  }
  return undefined;
}

// ------------------------------------------------------------------------------------------------
// Pieces of actions

const isFree = (dir: Dir): boolean => dir === null || dir.length === 0;
const isExactly = (dir: Dir, names: readonly Name[]): boolean =>
  dir !== null && dir.length === names.length && names.every((name) => dir.includes(name));
const includes = (dir: Dir, name: Name | null): boolean =>
  dir !== null && name !== null && dir.includes(name);
const without = (dir: Dir, name: Name): Dir => (dir === null ? null : remove(dir, name));

const isBroken = (c: Config, guard: Guard): boolean => c.broken.includes(guard);

const fails = (c: Config, s: State, kind: FaultKind): boolean =>
  c.faults.includes(kind) && s.budget.fault > 0;
const spendFault = (s: State): State => ({ ...s, budget: { ...s.budget, fault: s.budget.fault - 1 } });

/** A call that reported failure may take effect later, except where a call ends with its process (A4). */
const laterOrNot = (c: Config): readonly boolean[] => (c.local ? [false] : [false, true]);
const sendLate = (s: State, op: LateOp, name: Name, later: boolean): State =>
  later ? { ...s, late: addLate(s.late, [{ op, name }]) } : s;

/** Every way in which a call fails: it happened or not, and it will happen (again) later or not. */
function failing(c: Config, s: State, op: LateOp | null, name: Name, happened: State | null): State[] {
  const results: State[] = [];
  for (const base of happened === null ? [s] : [s, happened]) {
    for (const later of op === null ? [false] : laterOrNot(c)) {
      results.push(spendFault(op === null ? base : sendLate(base, op, name, later)));
    }
  }
  return results;
}

/** A readdir that fails changes nothing, whenever it happens; what is made of it is the careful answer. */
const unreadable = (c: Config, s: State, kind: FaultKind, careful: () => State): State[] =>
  fails(c, s, kind) ? [spendFault(careful())] : [];

/** The home of a process that certainly has one. */
const homeOf = (s: State, p: Proc): Name => at(s.home, p) ?? "";

/**
 * Where a contender starts, after `s`: with a home at hand its Take is sent in the same turn. Without one it
 * makes one, unless too much is owed already: then it waits, so that debts are bounded.
 */
function startAt(c: Config, s: State, p: Proc): Pc {
  if (at(s.home, p) !== null) return "take";
  return at(s.owes, p).length < c.maxDebts || isBroken(c, "NoMaxDebts") ? "prepare" : "waiting";
}

/** The head of the queue becomes the contender and starts at `first`; nobody does, if nobody waits. */
function promote(s: State, p: Proc, first: Pc): State {
  const [head, ...rest] = at(s.queue, p);
  if (head === undefined) return { ...s, contender: put(s.contender, p, null) };
  return {
    ...s,
    contender: put(s.contender, p, head),
    queue: put(s.queue, p, rest),
    pc: put(s.pc, head, first),
  };
}

/** `t` leaves the slot to the head of the queue, in the same turn; `alone`: to nobody. */
const passSlot = (s: State, p: Proc, t: Task, first: Pc, alone = false): State =>
  alone
    ? { ...setPc(s, t, "idle"), contender: put(s.contender, p, null) }
    : promote(setPc(s, t, "idle"), p, first);

/** Who holds when `u` is granted the lock: everybody who waits here too, if all are reentrant. */
function grantedWith(c: Config, s: State, p: Proc, u: Task): readonly Task[] {
  if (!c.reentrantTasks.includes(u) && !isBroken(c, "ShareWithExclusive")) return [u];
  const others = at(s.queue, p).filter((v) => c.reentrantTasks.includes(v));
  return others.reduce<readonly Task[]>((group, v) => insert(group, v), [u]);
}

function giveTo(s: State, p: Proc, t: Task, group: readonly Task[]): State {
  let pc = put(s.pc, t, "idle");
  for (const u of group) pc = put(pc, u, "holding");
  return {
    ...s,
    heldLocks: put(s.heldLocks, p, group),
    queue: put(
      s.queue,
      p,
      at(s.queue, p).filter((u) => !group.includes(u)),
    ),
    pc,
  };
}

const hasGuest = (c: Config, p: Proc): boolean => c.guestOf[p] !== undefined;

/** What is owed is looked for at home first: a late Take may still bring it to L, and nothing brings it back. */
const firstCall = (c: Config): DebtStep => (isBroken(c, "OweLockFirst") ? "unlinkLock" : "unlinkHome");

/**
 * The way off the disk: PutBack on a local disk, unless a beat was missed; else a Drop. A lock with a guest's name in
 * it is always dropped, name by name.
 */
function leavesDisk(c: Config, before: State, t: Task): readonly State[] {
  const p = at(c.procOf, t);
  const s = oweGuest(c, before, p);
  const putsBack = c.local && !hasGuest(c, p);
  const inTime = setPc(s, t, putsBack ? "check" : "drop");
  if (!putsBack || !fails(c, s, "beat")) return [inTime];
  return [inTime, setPc(spendFault(s), t, "drop")];
}

function owe(s: State, p: Proc, names: readonly Name[], step: DebtStep): State {
  const owed = names.reduce<NameMap<DebtStep | "paid">>((map, n) => mapPut(map, n, step), at(s.owes, p));
  return { ...s, owes: put(s.owes, p, owed) };
}

/** On the way out the guest's name is owed: it goes by itself. */
const oweGuest = (c: Config, s: State, p: Proc): State =>
  owe(s, p, guestNames(c, homeOf(s, p)), "unlinkLock");

/** The home is of no more use: it is owed that its names leave the disk. */
function giveUpHome(c: Config, s: State, p: Proc): State {
  const names = isBroken(c, "ForgetGivenUpHome") ? [] : namesIn(c, homeOf(s, p));
  return { ...owe(s, p, names, firstCall(c)), home: put(s.home, p, null) };
}

/**
 * Nobody of `p` contends any more. On a disk where a Take that was answered may run once more, its home must
 * not lie idle: the name could come to L when nobody thinks of it. Nor where a guest is named in it, who is another
 * one next time.
 */
function leaveHome(c: Config, before: State, after: State, p: Proc): State {
  const useless = !c.local || hasGuest(c, p);
  const empties = useless && at(before.queue, p).length === 0 && at(before.home, p) !== null;
  return empties && !isBroken(c, "KeepIdleHome") ? giveUpHome(c, after, p) : after;
}

/** The contender's request is over without the lock: it gave up, or met one error too many. */
function leave(c: Config, s: State, p: Proc, t: Task, alone = false): State {
  const passed = passSlot(s, p, t, startAt(c, s, p), alone);
  return leaveHome(c, s, { ...passed, gaveUp: remove(s.gaveUp, t) }, p);
}

/** After a home was given up: wait and try again; or, given up or one error too many, leave. */
function waitOrLeave(c: Config, s: State, p: Proc, t: Task): State[] {
  const waits: State[] = s.gaveUp.includes(t) ? [] : [{ ...s, pc: put(s.pc, t, "waiting") }];
  return [...waits, leave(c, s, p, t)];
}

const setPc = (s: State, t: Task, pc: Pc): State => ({ ...s, pc: put(s.pc, t, pc) });
const forget = (s: State, t: Task): State => ({ ...s, seen: put(s.seen, t, null) });

const isReplaceable = (c: Config, dir: Dir): boolean => (c.renameReplacesEmpty ? isFree(dir) : dir === null);

/** rename(home, L), or `null` where the disk refuses. */
function takeHappens(c: Config, s: State, name: Name, replaces = false): State | null {
  const contents = mapGet(s.homes, name);
  if (contents === undefined || !(isReplaceable(c, s.lock) || c.merges || replaces)) return null;
  return {
    ...s,
    lock: replaces ? contents : contents.reduce<readonly Name[]>(insert, s.lock ?? []),
    homes: mapDelete(s.homes, name),
  };
}

/** rename(L, home), or `null` where the disk refuses. */
function putBackHappens(c: Config, s: State, name: Name): State | null {
  if (s.lock === null || !isReplaceable(c, mapGet(s.homes, name) ?? null)) return null;
  return { ...s, homes: mapPut(s.homes, name, s.lock), lock: null };
}

/** rmdir(L). */
const clearHappens = (s: State): State => (s.lock?.length === 0 ? { ...s, lock: null } : s);

/** unlink(home/own), unlink(L/own), rmdir(home). */
function retryHappens(c: Config, s: State, name: Name, step: DebtStep): State {
  const home = homeNameOf(c, name);
  const contents = mapGet(s.homes, home);
  return match(step)
    .with("unlinkHome", () =>
      contents?.includes(name) === true ? { ...s, homes: mapPut(s.homes, home, remove(contents, name)) } : s,
    )
    .with("unlinkLock", () => {
      if (includes(s.lock, name)) return { ...s, lock: without(s.lock, name) };
      return isBroken(c, "RetryByPath") ? { ...s, lock: null } : s;
    })
    .with("rmdirHome", () => (contents?.length === 0 ? { ...s, homes: mapDelete(s.homes, home) } : s))
    .exhaustive();
}

function afterRetry(c: Config, s: State, name: Name, step: DebtStep): DebtStep | "paid" {
  const lockFirst = isBroken(c, "OweLockFirst");
  return match(step)
    .with("unlinkHome", () => {
      const done =
        mapGet(s.homes, homeNameOf(c, name))?.includes(name) === true ||
        lockFirst ||
        isBroken(c, "PayAfterOne");
      return done ? ("rmdirHome" as const) : ("unlinkLock" as const);
    })
    .with("unlinkLock", () =>
      lockFirst && !includes(s.lock, name) ? ("unlinkHome" as const) : ("rmdirHome" as const),
    )
    .with("rmdirHome", () => "paid" as const)
    .exhaustive();
}

// ------------------------------------------------------------------------------------------------
// The actions

const tasks = (c: Config): readonly string[] => c.tasks;
const procs = (c: Config): readonly string[] => c.procs;
const isAt =
  (...pcs: readonly Pc[]) =>
  (_c: Config, s: State, t: string): boolean =>
    pcs.includes(at(s.pc, t));
/** At one of these, and the thread is free to begin (or go on with) this task's turn. */
const inTurnAt =
  (...pcs: readonly Pc[]) =>
  (c: Config, s: State, t: string): boolean =>
    pcs.includes(at(s.pc, t)) && threadFree(c, s, at(c.procOf, t), t);

/** May `t` become one more holder at once? */
function mayJoin(c: Config, s: State, p: Proc, t: Task): boolean {
  const held = at(s.heldLocks, p);
  const shares = c.reentrantTasks.includes(t);
  if (isBroken(c, "JoinWhileReleasing") && at(s.releasing, p) !== null && shares) return true;
  if (held.length === 0 || !shares) return false;
  return isBroken(c, "JoinExclusive") || held.every((u) => c.reentrantTasks.includes(u));
}

/**
 * A guest is started before its process asks, and held back; the former one has ended, and (that keeps names finite)
 * nothing refers to the former one of this incarnation.
 */
export function mayStartGuest(c: Config, s: State, p: Proc): boolean {
  const guest = c.guestOf[p];
  if (guest === undefined) return true;
  const ofFormer = nameOf(guest, at(s.inc, p), 0).slice(0, -1);
  return at(s.guest, guest) === null && ![...referenced(c, s)].some((name) => name.startsWith(ofFormer));
}

function startGuest(c: Config, s: State, p: Proc): State {
  const guest = c.guestOf[p];
  if (guest === undefined) return s;
  return { ...s, guest: put(s.guest, guest, { inc: at(s.inc, p), at: "heldBack" }) };
}

const request: Action = {
  name: "Request",
  args: tasks,
  enabled: (c, s, t) => {
    const p = at(c.procOf, t);
    const mayAsk = (c.maxRequests === 0 || s.budget.request > 0) && mayStartGuest(c, s, p);
    const idle = at(s.pc, t) === "idle" && !s.revoked.includes(t);
    return mayAsk && s.alive.includes(p) && idle && threadFree(c, s, p);
  },
  next: (c, before, t) => {
    const p = at(c.procOf, t);
    const counted = { ...before.budget, request: before.budget.request - 1 };
    const s = startGuest(c, c.maxRequests > 0 ? { ...before, budget: counted } : before, p);
    const held = at(s.heldLocks, p);
    const release = at(s.releasing, p);
    const owed = release !== null && mapGet(at(s.owes, p), release.name) !== undefined;
    if (mayJoin(c, s, p, t)) {
      return [{ ...setPc(s, t, "holding"), heldLocks: put(s.heldLocks, p, insert(held, t)) }];
    }
    if (isBroken(c, "HoldDroppedName") && owed) {
      return [
        {
          ...setPc(s, t, "holding"),
          heldLocks: put(s.heldLocks, p, [t]),
          home: put(s.home, p, release.name),
          owes: put(s.owes, p, mapDelete(at(s.owes, p), release.name)),
          releasing: put(s.releasing, p, null),
        },
      ];
    }
    const nobodyElse = held.length === 0 && at(s.contender, p) === null && at(s.queue, p).length === 0;
    if (nobodyElse && (release === null || isBroken(c, "ContendWhileReleasing"))) {
      return [{ ...setPc(s, t, startAt(c, s, p)), contender: put(s.contender, p, t) }];
    }
    const waiting = at(s.queue, p);
    const queue = isBroken(c, "LifoQueue") ? [t, ...waiting] : [...waiting, t];
    return [{ ...setPc(s, t, "queued"), queue: put(s.queue, p, queue) }];
  },
};

const prepare: Action = {
  name: "Prepare",
  args: tasks,
  enabled: (c, s, t) => at(s.pc, t) === "prepare" && freshName(c, s, at(c.procOf, t)) !== undefined,
  next: (c, s, t) => {
    const p = at(c.procOf, t);
    const name = freshName(c, s, p);
    if (name === undefined) return [];
    const made = (contents: readonly Name[]): State => ({ ...s, homes: mapPut(s.homes, name, contents) });
    const names = namesIn(c, name);
    const results = [setPc({ ...made(names), home: put(s.home, p, name) }, t, "take")];
    if (fails(c, s, "prepare")) {
      const half = names.length > 1 ? [made([name])] : [];
      for (const failed of [s, made([]), ...half, made(names)]) {
        const owed = owe(failed, p, names, firstCall(c));
        results.push(spendFault(passSlot(owed, p, t, startAt(c, owed, p))));
      }
    }
    return results;
  },
};

const take: Action = {
  name: "Take",
  args: tasks,
  enabled: (c, s, t) => at(s.pc, t) === "take" && s.alive.includes(at(c.procOf, t)),
  next: (c, s, t) => {
    const name = homeOf(s, at(c.procOf, t));
    const happened = takeHappens(c, s, name, isBroken(c, "TakeReplaces"));
    const doubt: Pc = isBroken(c, "DoubtIsRefusal") ? "refused" : "failed";
    const refusal: Pc = mapGet(s.homes, name) === undefined ? doubt : "refused";
    const answered = happened === null ? setPc(s, t, refusal) : setPc(happened, t, "taken");
    const results = [answered];
    if (fails(c, s, "take")) {
      if (!c.local) results.push(spendFault(sendLate(answered, "take", name, true)));
      for (const failed of failing(c, s, "take", name, happened)) results.push(setPc(failed, t, doubt));
    }
    return results;
  },
};

const verify: Action = {
  name: "Verify",
  args: tasks,
  enabled: inTurnAt("taken", "verify"),
  next: (c, s, t) => {
    const good =
      isExactly(s.lock, namesIn(c, homeOf(s, at(c.procOf, t)))) ||
      isBroken(c, "NoVerify") ||
      (isBroken(c, "VerifyAnyNames") && !isFree(s.lock));
    const answered = setPc(s, t, good ? "verified" : "unverified");
    return [answered, ...unreadable(c, s, "verify", () => setPc(s, t, "unverified"))];
  },
};

const granted: Action = {
  name: "Granted",
  args: tasks,
  enabled: isAt("verified"),
  next: (c, before, t) => {
    const p = at(c.procOf, t);
    const s: State = { ...before, contender: put(before.contender, p, null) };
    if (!s.gaveUp.includes(t) || isBroken(c, "GrantToGone")) {
      return [giveTo(s, p, t, grantedWith(c, s, p, t))];
    }
    const [heir] = at(s.queue, p);
    if (heir !== undefined) {
      return [{ ...giveTo(s, p, t, grantedWith(c, s, p, heir)), gaveUp: remove(s.gaveUp, t) }];
    }
    const release = { name: homeOf(s, p), aside: false };
    return leavesDisk(c, { ...s, releasing: put(s.releasing, p, release) }, t);
  },
};

const leavesAlone = (c: Config): boolean => isBroken(c, "RefusedNeverPromotes");

const refused: Action = {
  name: "Refused",
  args: tasks,
  enabled: inTurnAt("refused", "failed", "unverified"),
  next: (c, s, t) => {
    const p = at(c.procOf, t);
    if (at(s.pc, t) === "failed") return [setPc(s, t, "lookDoubt")];
    if (at(s.pc, t) === "unverified") return waitOrLeave(c, giveUpHome(c, s, p), p, t);
    return [s.gaveUp.includes(t) ? leave(c, s, p, t, leavesAlone(c)) : setPc(s, t, "look")];
  },
};

const look: Action = {
  name: "Look",
  args: tasks,
  enabled: isAt("look", "lookDoubt"),
  next: (c, s, t) => {
    const looked = setPc(s, t, at(s.pc, t) === "look" ? "looked" : "lookedDoubt");
    const answered = { ...looked, seen: put(s.seen, t, s.lock) };
    return [answered, ...unreadable(c, s, "look", () => forget(looked, t))];
  },
};

/** Who is dead (A1). */
function isDead(c: Config, s: State, p: Proc, name: Name): boolean {
  if (!lives(s, name)) return true;
  if (!isBroken(c, "JudgeByHeldLocks")) return false;
  const ours = at(c.pidOf, ownerOf(name).proc) === at(c.pidOf, p);
  return ours && !(at(s.heldLocks, p).length > 0 && at(s.home, p) === name);
}

/** L was seen empty. Where rename does not replace an empty directory it is cleared first. */
function againFrom(c: Config, dir: Dir): readonly Pc[] {
  return dir !== null && !c.renameReplacesEmpty && !isBroken(c, "NoClear") ? ["clear"] : ["take", "waiting"];
}

const judge: Action = {
  name: "Judge",
  args: tasks,
  enabled: inTurnAt("looked", "lookedDoubt"),
  next: (c, s, t) => {
    const p = at(c.procOf, t);
    const names = at(s.seen, t) ?? [];
    const home = at(s.home, p);
    const clean = forget(s, t);
    if (home !== null && names.includes(home) && !isBroken(c, "OwnIsAnothers")) {
      return [setPc(clean, t, "verify")];
    }
    if (at(s.pc, t) === "lookedDoubt") return waitOrLeave(c, giveUpHome(c, clean, p), p, t);
    if (s.gaveUp.includes(t)) return [leave(c, clean, p, t, leavesAlone(c))];
    if (names.length === 0) return againFrom(c, at(s.seen, t)).map((next) => setPc(clean, t, next));
    const living = names.filter((name) => !isDead(c, s, p, name));
    // A suspect may be judged dead by one judge, and not by another.
    const someDead = isBroken(c, "EvictTheLiving") && living.length < names.length;
    const mayEvict = someDead || living.every((name) => s.suspects.includes(name));
    const evicts = mayEvict && !isBroken(c, "NeverEvict") ? [setPc(s, t, "evict")] : [];
    return living.length === 0 && !isBroken(c, "NeverEvict")
      ? evicts
      : [...evicts, setPc(clean, t, "waiting")];
  },
};

const evict: Action = {
  name: "Evict",
  args: tasks,
  enabled: isAt("evict"),
  next: (c, s, t) => {
    const results: State[] = [];
    const names = at(s.seen, t) ?? [];
    for (const victim of names) {
      const lock = isBroken(c, "EvictByPath") ? null : without(s.lock, victim);
      const happened: State = { ...s, lock };
      const rest = remove(names, victim);
      results.push(
        rest.length === 0
          ? setPc(forget(happened, t), t, "take")
          : { ...happened, seen: put(s.seen, t, rest) },
      );
      if (!fails(c, s, "evict")) continue;
      for (const failed of failing(c, s, "unlinkLock", victim, happened)) {
        results.push(setPc(forget(failed, t), t, "waiting"));
      }
    }
    return results;
  },
};

const clear: Action = {
  name: "Clear",
  args: tasks,
  enabled: isAt("clear"),
  next: (c, s, t) => {
    const happened: State = isBroken(c, "ClearByForce") ? { ...s, lock: null } : clearHappens(s);
    const results = [setPc(happened, t, "take"), setPc(happened, t, "waiting")];
    if (fails(c, s, "clear")) {
      const home = homeOf(s, at(c.procOf, t));
      for (const failed of failing(c, s, "clear", home, happened)) results.push(setPc(failed, t, "waiting"));
    }
    return results;
  },
};

const wake: Action = {
  name: "Wake",
  args: tasks,
  enabled: inTurnAt("waiting"),
  next: (c, s, t) => [setPc(s, t, startAt(c, s, at(c.procOf, t)))],
};

const giveUp: Action = {
  name: "GiveUp",
  args: tasks,
  enabled: (c, s, t) => {
    const pc = at(s.pc, t);
    const waits = pc === "queued" || pc === "waiting" || IN_FLIGHT.includes(pc);
    const mayLeave = !c.patientTasks.includes(t) && !s.gaveUp.includes(t);
    return waits && mayLeave && threadFree(c, s, at(c.procOf, t));
  },
  next: (c, s, t) => {
    const p = at(c.procOf, t);
    const pc = at(s.pc, t);
    if (pc === "queued") {
      if (isBroken(c, "GoneStaysQueued")) return [{ ...s, gaveUp: insert(s.gaveUp, t) }];
      const queue = at(s.queue, p).filter((u) => u !== t);
      return [{ ...setPc(s, t, "idle"), queue: put(s.queue, p, queue) }];
    }
    if (pc === "waiting") {
      if (!isBroken(c, "NeverPromote")) return [leaveHome(c, s, passSlot(s, p, t, "waiting"), p)];
      return [{ ...setPc(s, t, "idle"), contender: put(s.contender, p, null) }];
    }
    const gone: State = { ...s, gaveUp: insert(s.gaveUp, t) };
    if (!isBroken(c, "PassSlotInFlight") || pc !== "take") return [gone];
    return [promote(gone, p, startAt(c, s, p))];
  },
};

/** Who gets the lock in memory. */
function heirs(c: Config, s: State, p: Proc, head: Task): readonly Task[] {
  const group = grantedWith(c, s, p, head);
  if (!isBroken(c, "HandOverToAll")) return group;
  return at(s.queue, p).reduce<readonly Task[]>((all, t) => insert(all, t), group);
}

function letsGo(c: Config, s: State, t: Task): State[] {
  const p = at(c.procOf, t);
  const held = at(s.heldLocks, p);
  const shared = held.length !== 1 || held[0] !== t;
  const leaves: State = { ...setPc(s, t, "idle"), heldLocks: put(s.heldLocks, p, remove(held, t)) };
  if (shared && !isBroken(c, "ReleaseOfAll")) return [leaves];
  const [head] = at(s.queue, p);
  const handedOver = shared ? [leaves] : head === undefined ? [] : [giveTo(s, p, t, heirs(c, s, p, head))];
  const toDisk: State = {
    ...s,
    heldLocks: isBroken(c, "HoldWhileReleasing") ? s.heldLocks : put(s.heldLocks, p, remove(held, t)),
    releasing: put(s.releasing, p, { name: homeOf(s, p), aside: head !== undefined }),
  };
  return [...handedOver, ...leavesDisk(c, toDisk, t)];
}

/** The guest that a task has started and that has not ended. */
const guestOfTask = (c: Config, s: State, t: Task): LivingGuest | null =>
  s.guest[c.guestOf[at(c.procOf, t)] ?? ""] ?? null;

const letGo: Action = {
  name: "LetGo",
  args: tasks,
  enabled: (c, s, t) => {
    const pc = at(s.pc, t);
    const mayWork = pc === "holding" || (isBroken(c, "LetGoEarly") && CONTENDING.includes(pc));
    return mayWork && guestOfTask(c, s, t)?.at === "heldBack" && threadFree(c, s, at(c.procOf, t));
  },
  next: (c, s, t) => {
    const p = at(c.procOf, t);
    const living: LivingGuest = { inc: at(s.inc, p), at: "running" };
    return [{ ...s, guest: put(s.guest, at(c.guestOf, p), living) }];
  },
};

const release: Action = {
  name: "Release",
  args: tasks,
  // Whose guest works waits for its end.
  enabled: (c, s, t) => {
    const ended = guestOfTask(c, s, t) === null || isBroken(c, "ReleaseUnderGuest");
    const has = (at(s.pc, t) === "holding" && ended) || s.revoked.includes(t);
    return has && threadFree(c, s, at(c.procOf, t));
  },
  // Of a handle that was revoked nothing is left to give back.
  next: (c, s, t) => (s.revoked.includes(t) ? [{ ...s, revoked: remove(s.revoked, t) }] : letsGo(c, s, t)),
};

const expire: Action = {
  name: "Expire",
  args: tasks,
  enabled: (c, s, t) => c.revokes && inTurnAt("holding")(c, s, t) && guestOfTask(c, s, t) === null,
  next: (c, s, t) => letsGo(c, s, t).map((next) => ({ ...next, revoked: insert(s.revoked, t) })),
};

const check: Action = {
  name: "Check",
  args: tasks,
  enabled: isAt("check"),
  next: (c, s, t) => {
    const good = isExactly(s.lock, [homeOf(s, at(c.procOf, t))]) || isBroken(c, "NoCheck");
    const answered = setPc(s, t, good ? "putBack" : "drop");
    return [answered, ...unreadable(c, s, "check", () => setPc(s, t, "drop"))];
  },
};

const putBack: Action = {
  name: "PutBack",
  args: tasks,
  enabled: isAt("putBack"),
  next: (c, s, t) => {
    const name = homeOf(s, at(c.procOf, t));
    const happened = putBackHappens(c, s, name);
    const results = [happened === null ? setPc(s, t, "drop") : setPc(happened, t, "confirm")];
    if (fails(c, s, "putBack")) {
      for (const failed of failing(c, s, null, name, happened)) results.push(setPc(failed, t, "drop"));
    }
    return results;
  },
};

const confirm: Action = {
  name: "Confirm",
  args: tasks,
  enabled: isAt("confirm"),
  next: (c, s, t) => {
    const name = homeOf(s, at(c.procOf, t));
    const good = isExactly(mapGet(s.homes, name) ?? null, [name]) || isBroken(c, "NoConfirm");
    const answered = setPc(s, t, good ? "released" : "restore");
    return [answered, ...unreadable(c, s, "confirm", () => setPc(s, t, "restore"))];
  },
};

const restore: Action = {
  name: "Restore",
  args: tasks,
  enabled: isAt("restore"),
  next: (c, s, t) => {
    const name = homeOf(s, at(c.procOf, t));
    const happened = isBroken(c, "NoRestore") ? null : takeHappens(c, s, name);
    const failed = fails(c, s, "restore") ? failing(c, s, null, name, happened) : [];
    return [happened ?? s, ...failed].map((next) => setPc(next, t, "lost"));
  },
};

const drop: Action = {
  name: "Drop",
  args: tasks,
  enabled: isAt("drop"),
  next: (c, s, t) => {
    const name = homeOf(s, at(c.procOf, t));
    const happened: State = { ...s, lock: isBroken(c, "DropByPath") ? null : without(s.lock, name) };
    const results = [setPc(happened, t, includes(s.lock, name) ? "dropped" : "dropMissed")];
    if (fails(c, s, "drop")) {
      for (const failed of failing(c, s, "unlinkLock", name, happened)) {
        results.push(setPc(failed, t, "dropFailed"));
      }
    }
    return results;
  },
};

const released: Action = {
  name: "Released",
  args: tasks,
  enabled: inTurnAt("released", "lost", "dropped", "dropMissed", "dropFailed"),
  next: (c, s, t) => {
    const p = at(c.procOf, t);
    const pc = at(s.pc, t);
    const name = homeOf(s, p);
    const owed = pc === "dropFailed" && !isBroken(c, "ForgetFailedRelease");
    const kept = pc === "released";
    const left = (pc === "dropMissed" || pc === "lost") && !isBroken(c, "MissedOwesNothing");
    const after: State = {
      ...s,
      home: kept ? s.home : put(s.home, p, null),
      owes: owed || left ? put(s.owes, p, mapPut(at(s.owes, p), name, firstCall(c))) : s.owes,
      gaveUp: remove(s.gaveUp, t),
      heldLocks: put(s.heldLocks, p, remove(at(s.heldLocks, p), t)),
    };
    const first: Pc = at(s.releasing, p)?.aside === true ? "waiting" : startAt(c, after, p);
    if (owed)
      return [isBroken(c, "PromoteWhileOwed") ? passSlot(after, p, t, first) : setPc(after, t, "idle")];
    const free: State = { ...after, releasing: put(s.releasing, p, null) };
    return [passSlot(free, p, t, first, isBroken(c, "ReleasedNeverPromotes"))];
  },
};

/** The debts, as arguments: every name that its living process owes. */
function debts(c: Config, s: State): readonly string[] {
  const names: Name[] = [];
  for (const p of c.procs) for (const [name] of at(s.owes, p)) names.push(name);
  return names;
}
/** Whose debt a name is. */
export const debtorOf = (c: Config, name: Name): Proc => ownerOf(homeNameOf(c, name)).proc;
const debtOf = (c: Config, s: State, name: Name): DebtStep | "paid" | undefined => {
  const proc = debtorOf(c, name);
  return s.alive.includes(proc) ? mapGet(at(s.owes, proc), name) : undefined;
};

const retry: Action = {
  name: "Retry",
  args: debts,
  enabled: (c, s, n) => {
    const debt = debtOf(c, s, n);
    return debt !== undefined && debt !== "paid";
  },
  next: (c, s, n) => {
    const p = debtorOf(c, n);
    const step = debtOf(c, s, n);
    if (step === undefined || step === "paid") return [];
    const happened = retryHappens(c, s, n, step);
    const paid = mapPut(at(s.owes, p), n, afterRetry(c, s, n, step));
    const results: State[] = [{ ...happened, owes: put(s.owes, p, paid) }];
    if (!fails(c, s, "retry")) return results;
    for (const failed of failing(c, s, step, n, happened)) {
      const left = step === "rmdirHome" ? ("paid" as const) : step;
      results.push({ ...failed, owes: put(s.owes, p, mapPut(at(s.owes, p), n, left)) });
    }
    return results;
  },
};

const retried: Action = {
  name: "Retried",
  args: debts,
  enabled: (c, s, n) => debtOf(c, s, n) === "paid" && threadFree(c, s, debtorOf(c, n)),
  next: (c, s, n) => {
    const p = debtorOf(c, n);
    const after: State = { ...s, owes: put(s.owes, p, mapDelete(at(s.owes, p), n)) };
    const release = at(s.releasing, p);
    if (release?.name !== n || isBroken(c, "RetriedForgetsRelease")) return [after];
    const free: State = { ...after, releasing: put(s.releasing, p, null) };
    if (isBroken(c, "RetriedNeverPromotes")) return [free];
    return [promote(free, p, release.aside ? "waiting" : startAt(c, free, p))];
  },
};

// ------------------------------------------------------------------------------------------------
// The environment

/** What `p` has sent, or is about to send. */
function sent(c: Config, s: State, p: Proc): LateCall[] {
  const calls: LateCall[] = [];
  for (const t of tasksOf(c, p)) {
    const pc = at(s.pc, t);
    if (pc === "take") calls.push({ op: "take", name: homeOf(s, p) });
    if (pc === "drop") calls.push({ op: "unlinkLock", name: homeOf(s, p) });
    if (pc === "evict") for (const name of at(s.seen, t) ?? []) calls.push({ op: "unlinkLock", name });
    if (pc === "clear") calls.push({ op: "clear", name: homeOf(s, p) });
  }
  for (const [name, step] of at(s.owes, p)) if (step !== "paid") calls.push({ op: step, name });
  return calls;
}

const sentPutBack = (c: Config, s: State, p: Proc): LateCall[] =>
  tasksOf(c, p)
    .filter((t) => at(s.pc, t) === "putBack")
    .map(() => ({ op: "putBack", name: homeOf(s, p) }));

/** Broken: the end of the pipe is taken for the word to go. */
function letGoByCrash(c: Config, s: State, p: Proc): State["guest"] {
  const guest = c.guestOf[p] ?? "";
  const living = s.guest[guest] ?? null;
  if (living === null || !isBroken(c, "EndOfPipeIsGo")) return s.guest;
  return put(s.guest, guest, { ...living, at: "running" });
}

const crash: Action = {
  name: "Crash",
  args: procs,
  enabled: (_c, s, p) => s.alive.includes(p) && s.budget.crash > 0,
  next: (c, s, p) => {
    const calls = [
      ...(c.local ? [] : sent(c, s, p)),
      ...(isBroken(c, "LatePutBack") ? sentPutBack(c, s, p) : []),
    ];
    const mine = tasksOf(c, p);
    let { pc, seen } = s;
    for (const t of mine) {
      pc = put(pc, t, "idle");
      seen = put(seen, t, null);
    }
    return [
      {
        ...s,
        late: addLate(s.late, calls),
        alive: remove(s.alive, p),
        suspects: s.suspects.filter((name) => ownerOf(name).proc !== p),
        revoked: s.revoked.filter((t) => !mine.includes(t)),
        guest: letGoByCrash(c, s, p),
        heldLocks: put(s.heldLocks, p, []),
        releasing: put(s.releasing, p, null),
        contender: put(s.contender, p, null),
        queue: put(s.queue, p, []),
        home: put(s.home, p, null),
        owes: put(s.owes, p, []),
        gaveUp: s.gaveUp.filter((t) => !mine.includes(t)),
        seen,
        pc,
        budget: { ...s.budget, crash: s.budget.crash - 1 },
      },
    ];
  },
};

const start: Action = {
  name: "Start",
  args: procs,
  enabled: (_c, s, p) => !s.alive.includes(p),
  next: (c, s, p) => {
    const inc = isBroken(c, "KeepIncarnation") ? s.inc : put(s.inc, p, at(s.inc, p) + 1);
    return [{ ...s, alive: insert(s.alive, p), inc }];
  },
};

const guestEnds: Action = {
  name: "GuestEnds",
  args: guestsOf,
  enabled: (_c, s, g) => at(s.guest, g) !== null,
  next: (_c, s, g) => [{ ...s, guest: put(s.guest, g, null) }],
};

export const lateText = (call: LateCall): string => `${call.op} ${call.name}`;

const lateEffect: Action = {
  name: "LateEffect",
  args: (_c, s) => s.late.map(lateText),
  enabled: () => true,
  next: (c, before, arg) => {
    const call = before.late.find((other) => lateText(other) === arg);
    if (call === undefined) return [];
    const s: State = { ...before, late: before.late.filter((other) => other !== call) };
    return [
      match(call.op)
        .with("take", () => takeHappens(c, s, call.name) ?? s)
        .with("clear", () => clearHappens(s))
        .with("putBack", () => putBackHappens(c, s, call.name) ?? s)
        .with("unlinkHome", "unlinkLock", "rmdirHome", (step) => retryHappens(c, s, call.name, step))
        .exhaustive(),
    ];
  },
};

const vandal: Action = {
  name: "Vandal",
  args: (_c, s) => s.homes.map(([name]) => name),
  enabled: (_c, s) => s.budget.vandal > 0,
  next: (_c, before, n) => {
    const s: State = { ...before, budget: { ...before.budget, vandal: before.budget.vandal - 1 } };
    const removed: State = { ...s, homes: mapDelete(s.homes, n) };
    const left = properSubsets(mapGet(s.homes, n) ?? []);
    return [...left.map((rest) => ({ ...s, homes: mapPut(s.homes, n, rest) })), removed];
  },
};

const atL = (_c: Config, s: State): readonly Name[] => s.lock ?? [];

/** `after` a step of somebody else's that takes names of living owners from L: these are no innocent ones any more. */
function wronged(before: State, after: State): State {
  const gone = (before.lock ?? []).filter((name) => lives(before, name) && !includes(after.lock, name));
  return { ...after, suspects: gone.reduce<readonly Name[]>(insert, before.suspects) };
}

const suspect: Action = {
  name: "Suspect",
  args: atL,
  enabled: (_c, s, n) => s.budget.suspicion > 0 && lives(s, n) && !s.suspects.includes(n),
  next: (_c, s, n) => [
    {
      ...s,
      budget: { ...s.budget, suspicion: s.budget.suspicion - 1 },
      suspects: insert(s.suspects, n),
    },
  ],
};

const breakLock: Action = {
  name: "Break",
  args: atL,
  enabled: (_c, s) => s.budget.break > 0,
  next: (_c, before, n) => {
    const s: State = { ...before, budget: { ...before.budget, break: before.budget.break - 1 } };
    return [wronged(s, { ...s, lock: without(s.lock, n) })];
  },
};

const removeLock: Action = {
  name: "Remove",
  args: atL,
  enabled: (_c, s) => s.budget.removal > 0,
  next: (_c, before, n) => {
    const s: State = { ...before, budget: { ...before.budget, removal: before.budget.removal - 1 } };
    return [null, without(s.lock, n)].map((lock) => wronged(s, { ...s, lock }));
  },
};

/** Of a set of one or two names, sorted. */
function properSubsets(names: readonly Name[]): readonly (readonly Name[])[] {
  if (names.length <= 1) return names.length === 0 ? [] : [[]];
  return [[], ...names.map((name) => [name])];
}

const TABLE: readonly Action[] = [
  request,
  prepare,
  take,
  verify,
  granted,
  refused,
  look,
  judge,
  evict,
  clear,
  wake,
  giveUp,
  letGo,
  release,
  expire,
  check,
  putBack,
  confirm,
  restore,
  drop,
  released,
  retry,
  retried,
  crash,
  start,
  guestEnds,
  lateEffect,
  vandal,
  suspect,
  breakLock,
  removeLock,
];
