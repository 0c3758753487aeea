/**
 * The actions of IssueLock.tla: same names, same order, guard and effect apart. See the header of
 * tla/IssueLock.tla for what they mean, and for what is decided where the issue is silent.
 */

import { type Action, type MachineStep, stepsOf } from "../machine.ts";
import { at, ownerOf, type Proc, put, type Task } from "../state.ts";
import {
  type Agent,
  agents,
  type Config,
  type Entry,
  type Feature,
  freshId,
  type Hole,
  type Id,
  type Pc,
  type Seen,
  type State,
} from "./state.ts";

/** The names of the actions, in the order of the specification. */
export const ACTIONS = [
  "Request",
  "Open",
  "Opened",
  "Write",
  "Granted",
  "Refused",
  "Read",
  "Judge",
  "Stat",
  "JudgeAge",
  "Reclaim",
  "Reclaimed",
  "Wake",
  "GiveUp",
  "Release",
  "ReleaseAgain",
  "Close",
  "Closed",
  "Remove",
  "Released",
  "Expire",
  "Sweep",
  "ExitHook",
  "Crash",
  "Start",
  "Age",
] as const;
export type ActionName = (typeof ACTIONS)[number];

/** A labelled step to a successor. The argument is a task, an agent or a process; `Age` has none. */
export interface Step extends MachineStep<State> {
  readonly label: { readonly action: ActionName; readonly arg: string };
}

/** Every step that is possible in `s`, in the order of the specification. */
export function steps(c: Config, s: State): Step[] {
  return stepsOf(TABLE, c, s);
}

// ------------------------------------------------------------------------------------------------
// Where an agent can be

const TAKING: readonly Pc[] = ["open", "opened", "exists", "write", "written"];
const LEAVING: readonly Pc[] = ["close", "closed", "remove", "removed"];

export const processOf = (c: Config, x: Agent): Proc => c.procOf[x] ?? x;
export const agentsOf = (c: Config, p: Proc): readonly Agent[] =>
  agents(c).filter((x) => processOf(c, x) === p);

const has = (c: Config, feature: Feature): boolean => c.features.includes(feature);
const isOpen = (c: Config, hole: Hole): boolean => c.openHoles.includes(hole);

/** Does the incarnation that made this file still run? */
export function isAlive(s: State, id: Id): boolean {
  const { proc, incarnation } = ownerOf(id);
  return s.life[proc] !== "dead" && s.inc[proc] === incarnation;
}

/** Is this creation what stands at the path? */
export const stands = (s: State, id: Id | null): boolean => s.file !== null && s.file.id === id;

const tasks = (c: Config): readonly string[] => c.tasks;
const procs = (c: Config): readonly string[] => c.procs;

const isAt =
  (...places: readonly Pc[]) =>
  (_c: Config, s: State, x: Agent): boolean =>
    places.includes(at(s.pc, x));

/** A turn: the process runs, and the agent has the result for which it waits, or has just been called. */
const inTurn =
  (...places: readonly Pc[]) =>
  (c: Config, s: State, x: Agent): boolean =>
    places.includes(at(s.pc, x)) && s.life[processOf(c, x)] === "runs";

const goTo = (s: State, x: Agent, pc: Pc): State => ({ ...s, pc: put(s.pc, x, pc) });
const forget = (s: State, t: Task): State => ({ ...s, seen: put(s.seen, t, null) });

// ------------------------------------------------------------------------------------------------
// Pieces of actions

/** POSIX removes whatever stands there. */
const removeByPath = (s: State): State => ({ ...s, file: null });

/** By path; with the hole closed what was read and nothing else, in one step, which no system call does. */
function removeRead(c: Config, s: State, t: Task, hole: Hole): State {
  const seen = at(s.seen, t);
  const byPath = isOpen(c, hole) || seen === null || seen === "absent";
  return byPath || stands(s, seen.id) ? removeByPath(s) : s;
}

/** Fix A's Set; with GuardRemovedEarly closed, a number. */
const guardAdded = (c: Config, n: number): number => (isOpen(c, "GuardRemovedEarly") ? 1 : n + 1);
const guardRemoved = (c: Config, n: number): number => (isOpen(c, "GuardRemovedEarly") ? 0 : n - 1);

/** The last one lets go: `x` takes the entry `id` off the disk. */
function beginRelease(c: Config, s: State, x: Agent, p: Proc, id: Id): State {
  const entry = c.fix === "lateDelete" ? { id, count: 0, releasing: true } : null;
  const guard = c.fix === "guardSet" ? guardAdded(c, at(s.releasing, p)) : at(s.releasing, p);
  return goTo(
    {
      ...s,
      heldLocks: put(s.heldLocks, p, entry),
      releasing: put(s.releasing, p, guard),
      handle: put(s.handle, x, id),
    },
    x,
    "close",
  );
}

/** Does this call of release begin the way off the disk? Else it returns, or (B) awaits releasePromise. */
function begins(s: State, p: Proc, id: Id): boolean {
  const entry = at(s.heldLocks, p);
  return entry?.id === id && entry.count <= 1 && !entry.releasing;
}

/** "If HELD_LOCKS entry is not this one: return. count -= 1." */
function countedDown(s: State, p: Proc, id: Id): State["heldLocks"] {
  const entry = at(s.heldLocks, p);
  return entry?.id === id ? put(s.heldLocks, p, { ...entry, count: entry.count - 1 }) : s.heldLocks;
}

// ------------------------------------------------------------------------------------------------
// The actions

/** The entry of HELD_LOCKS that `t` joins, if it does. */
function joined(c: Config, s: State, t: Task): Entry | null {
  const entry = at(s.heldLocks, at(c.procOf, t));
  if (entry === null || !c.reentrantTasks.includes(t)) return null;
  if (entry.releasing && !isOpen(c, "JoinWhileReleasing")) return null;
  const exclusive = (u: Task): boolean =>
    s.handle[u] === entry.id && s.pc[u] === "holding" && !c.reentrantTasks.includes(u);
  return isOpen(c, "JoinExclusive") || !c.tasks.some(exclusive) ? entry : null;
}

const request: Action<Config, State, ActionName> = {
  name: "Request",
  args: tasks,
  enabled: inTurn("idle"),
  next: (c, s, t) => {
    const entry = joined(c, s, t);
    if (entry === null) return [goTo(s, t, "open")];
    const heldLocks = put(s.heldLocks, at(c.procOf, t), { ...entry, count: entry.count + 1 });
    return [goTo({ ...s, heldLocks, handle: put(s.handle, t, entry.id) }, t, "holding")];
  },
};

const open: Action<Config, State, ActionName> = {
  name: "Open",
  args: tasks,
  enabled: isAt("open"),
  next: (c, s, t) => {
    if (s.file !== null) return [goTo(s, t, "exists")];
    const id = freshId(c, s, at(c.procOf, t));
    if (id === undefined) return [];
    const file = { id, written: !isOpen(c, "UnwrittenIsStale"), old: false };
    return [goTo({ ...s, file, handle: put(s.handle, t, id) }, t, "opened")];
  },
};

const opened: Action<Config, State, ActionName> = {
  name: "Opened",
  args: tasks,
  enabled: inTurn("opened"),
  next: (_c, s, t) => [goTo(s, t, "write")],
};

const write: Action<Config, State, ActionName> = {
  name: "Write",
  args: tasks,
  enabled: isAt("write"),
  next: (_c, s, t) => {
    const mine = s.file !== null && stands(s, at(s.handle, t));
    return [goTo(mine ? { ...s, file: { ...s.file, written: true, old: false } } : s, t, "written")];
  },
};

const granted: Action<Config, State, ActionName> = {
  name: "Granted",
  args: tasks,
  enabled: inTurn("written"),
  next: (c, s, t) => {
    const entry = { id: at(s.handle, t) ?? "", count: 1, releasing: false };
    return [goTo({ ...s, heldLocks: put(s.heldLocks, at(c.procOf, t), entry) }, t, "holding")];
  },
};

const refused: Action<Config, State, ActionName> = {
  name: "Refused",
  args: tasks,
  enabled: inTurn("exists"),
  next: (_c, s, t) => [goTo(s, t, "read")],
};

const read: Action<Config, State, ActionName> = {
  name: "Read",
  args: tasks,
  enabled: isAt("read", "sweepRead"),
  next: (c, s, t) => {
    const { file } = s;
    const pc: Pc = at(s.pc, t) === "read" ? "looked" : "sweepLooked";
    const sees = (seen: Seen): State => goTo({ ...s, seen: put(s.seen, t, seen) }, t, pc);
    if (file === null) return [sees("absent")];
    const { id, old, written } = file;
    const answers = [sees({ id, empty: !written, old })];
    const fails = written && has(c, "readFails") && isOpen(c, "UnreadableIsStale");
    return fails ? [...answers, sees({ id, empty: true, old })] : answers;
  },
};

/** `kill(pid, 0)`, and the start time where there is one. */
function isDead(c: Config, s: State, id: Id): boolean {
  if (c.startTime) return !isAlive(s, id);
  const pid = at(c.pidOf, ownerOf(id).proc);
  return c.procs.every((p) => at(c.pidOf, p) !== pid || s.life[p] === "dead");
}

/** My pid, no start time, and HELD_LOCKS does not have it. */
function isOrphan(c: Config, s: State, p: Proc, id: Id): boolean {
  const owner = ownerOf(id).proc;
  if (c.startTime || at(c.pidOf, owner) !== at(c.pidOf, p)) return false;
  if (owner !== p && !isOpen(c, "OrphanOfAnotherRegistry")) return false;
  if (at(s.heldLocks, p) !== null) return false;
  if (c.fix === "guardSet" && at(s.releasing, p) > 0) return false;
  const someoneIs = (places: readonly Pc[]): boolean =>
    agentsOf(c, p).some((x) => places.includes(at(s.pc, x)));
  if (c.fix === "none" && !isOpen(c, "OrphanWhileReleasing") && someoneIs(LEAVING)) return false;
  return isOpen(c, "OrphanWhileTaking") || !someoneIs(TAKING);
}

const isTooOld = (c: Config, seen: { readonly old: boolean }): boolean =>
  has(c, "age") && seen.old && isOpen(c, "AgeIsDeath");

/** Where an acquire goes on. */
function verdict(c: Config, s: State, p: Proc, seen: Seen): Pc {
  if (seen === "absent") return isOpen(c, "MtimeOfAnother") ? "stat" : "waiting";
  if (seen.empty) return "stat";
  if (isDead(c, s, seen.id)) return "removeDead";
  if (isOrphan(c, s, p, seen.id)) return "removeOrphan";
  return isTooOld(c, seen) ? "removeOld" : "waiting";
}

/** Where a sweep goes on: no mtime rule, no HELD_LOCKS. */
function sweepVerdict(c: Config, s: State, seen: Seen): Pc {
  const stale =
    seen === "absent" || seen.empty
      ? isOpen(c, "SweepOfNothing")
      : isDead(c, s, seen.id) || isTooOld(c, seen);
  return stale ? "sweepRemove" : "idle";
}

const judge: Action<Config, State, ActionName> = {
  name: "Judge",
  args: tasks,
  enabled: inTurn("looked", "sweepLooked"),
  next: (c, s, t) => {
    const seen = at(s.seen, t);
    if (seen === null) return [];
    const sweeps = at(s.pc, t) === "sweepLooked";
    const pc = sweeps ? sweepVerdict(c, s, seen) : verdict(c, s, at(c.procOf, t), seen);
    return [goTo(pc === "waiting" || pc === "idle" ? forget(s, t) : s, t, pc)];
  },
};

const stat: Action<Config, State, ActionName> = {
  name: "Stat",
  args: tasks,
  enabled: isAt("stat"),
  next: (c, s, t) => {
    const seen = at(s.seen, t);
    const asked = isOpen(c, "MtimeOfAnother") || (seen !== null && seen !== "absent" && stands(s, seen.id));
    const old = has(c, "mtime") && asked && s.file?.old === true;
    return [goTo(s, t, old ? "old" : "young")];
  },
};

const judgeAge: Action<Config, State, ActionName> = {
  name: "JudgeAge",
  args: tasks,
  enabled: inTurn("old", "young"),
  next: (_c, s, t) => [at(s.pc, t) === "old" ? goTo(s, t, "removeOld") : goTo(forget(s, t), t, "waiting")],
};

/** Which hole a removal of something stale is, by the place of its call. */
const REMOVALS: Partial<Record<Pc, Hole>> = {
  removeDead: "StaleByPath",
  removeOld: "StaleByPath",
  removeOrphan: "OrphanByPath",
  sweepRemove: "SweepByPath",
};

const reclaim: Action<Config, State, ActionName> = {
  name: "Reclaim",
  args: tasks,
  enabled: isAt("removeDead", "removeOld", "removeOrphan", "sweepRemove"),
  next: (c, s, t) => {
    const pc = at(s.pc, t);
    const hole = REMOVALS[pc];
    if (hole === undefined) return [];
    const after = forget(removeRead(c, s, t, hole), t);
    return [goTo(after, t, pc === "sweepRemove" ? "sweepRemoved" : "reclaimed")];
  },
};

const reclaimed: Action<Config, State, ActionName> = {
  name: "Reclaimed",
  args: tasks,
  enabled: inTurn("reclaimed", "sweepRemoved"),
  next: (_c, s, t) => [goTo(s, t, at(s.pc, t) === "reclaimed" ? "open" : "idle")],
};

const wake: Action<Config, State, ActionName> = {
  name: "Wake",
  args: tasks,
  enabled: inTurn("waiting"),
  next: (_c, s, t) => [goTo(s, t, "open")],
};

const giveUp: Action<Config, State, ActionName> = {
  name: "GiveUp",
  args: tasks,
  enabled: inTurn("waiting"),
  next: (_c, s, t) => [goTo(s, t, "idle")],
};

const release: Action<Config, State, ActionName> = {
  name: "Release",
  args: tasks,
  enabled: inTurn("holding"),
  next: (c, before, t) => {
    const p = at(c.procOf, t);
    const id = at(before.handle, t);
    if (id === null) return [];
    const again = has(c, "twice") && isOpen(c, "ReleaseTwice");
    const s: State = again ? { ...before, spent: put(before.spent, t, id) } : before;
    if (begins(s, p, id)) return [beginRelease(c, s, t, p, id)];
    return [goTo({ ...s, heldLocks: countedDown(s, p, id), handle: put(s.handle, t, null) }, t, "idle")];
  },
};

const releaseAgain: Action<Config, State, ActionName> = {
  name: "ReleaseAgain",
  args: tasks,
  enabled: (c, s, t) => at(s.spent, t) !== null && inTurn("idle", ...LEAVING)(c, s, t),
  next: (c, before, t) => {
    const p = at(c.procOf, t);
    const id = at(before.spent, t);
    if (id === null) return [];
    const s: State = { ...before, spent: put(before.spent, t, null) };
    if (!begins(s, p, id)) return [{ ...s, heldLocks: countedDown(s, p, id) }];
    return at(s.pc, t) === "idle" ? [beginRelease(c, s, t, p, id)] : [];
  },
};

const close: Action<Config, State, ActionName> = {
  name: "Close",
  args: agents,
  enabled: isAt("close"),
  next: (_c, s, x) => [goTo(s, x, "closed")],
};

const closed: Action<Config, State, ActionName> = {
  name: "Closed",
  args: agents,
  enabled: inTurn("closed"),
  next: (_c, s, x) => [goTo(s, x, "remove")],
};

const remove: Action<Config, State, ActionName> = {
  name: "Remove",
  args: agents,
  enabled: isAt("remove"),
  next: (c, s, x) => {
    const results = [goTo(removeByPath(s), x, "removed")];
    const fails = has(c, "removeFails") && isOpen(c, "ForgetFailedRemoval");
    return fails ? [...results, goTo(s, x, "removed")] : results;
  },
};

const released: Action<Config, State, ActionName> = {
  name: "Released",
  args: agents,
  enabled: inTurn("removed"),
  next: (c, s, x) => {
    const p = processOf(c, x);
    const isMine = at(s.heldLocks, p)?.id === at(s.handle, x);
    const deletes = c.fix === "lateDelete" && (isOpen(c, "LateDeleteHitsAnother") || isMine);
    const guard = c.fix === "guardSet" ? guardRemoved(c, at(s.releasing, p)) : at(s.releasing, p);
    const after: State = {
      ...s,
      heldLocks: deletes ? put(s.heldLocks, p, null) : s.heldLocks,
      releasing: put(s.releasing, p, guard),
      handle: put(s.handle, x, null),
    };
    return [goTo(after, x, "idle")];
  },
};

const expire: Action<Config, State, ActionName> = {
  name: "Expire",
  args: (c) => (has(c, "watchdog") && isOpen(c, "WatchdogReleases") ? c.procs : []),
  enabled: (c, s, p) => inTurn("idle")(c, s, p) && at(s.heldLocks, p)?.releasing === false,
  next: (c, s, p) => {
    const entry = at(s.heldLocks, p);
    return entry === null ? [] : [beginRelease(c, s, p, p, entry.id)];
  },
};

const sweep: Action<Config, State, ActionName> = {
  name: "Sweep",
  args: (c) => (has(c, "sweep") ? c.tasks : []),
  enabled: (c, s, t) => s.file !== null && inTurn("idle")(c, s, t),
  next: (_c, s, t) => [goTo(s, t, "sweepRead")],
};

// ------------------------------------------------------------------------------------------------
// The environment

const exitHook: Action<Config, State, ActionName> = {
  name: "ExitHook",
  args: (c) => (has(c, "exit") ? c.procs : []),
  enabled: (c, s, p) => {
    const entry = at(s.heldLocks, p);
    if (s.life[p] !== "runs" || s.budget.crash === 0 || entry === null) return false;
    return isOpen(c, entry.releasing ? "ExitWhileReleasing" : "ExitUnlocksHolder");
  },
  next: (_c, s, p) => [
    { ...removeByPath(s), life: put(s.life, p, "exiting"), budget: { crash: s.budget.crash - 1 } },
  ],
};

const crash: Action<Config, State, ActionName> = {
  name: "Crash",
  args: procs,
  enabled: (_c, s, p) => s.life[p] === "exiting" || (s.life[p] === "runs" && s.budget.crash > 0),
  next: (c, s, p) => {
    const of = <V>(values: Readonly<Record<string, V>>, gone: NoInfer<V>): Record<string, V> =>
      Object.fromEntries(
        Object.entries(values).map(([x, value]) => [x, processOf(c, x) === p ? gone : value] as const),
      );
    return [
      {
        ...s,
        life: put(s.life, p, "dead"),
        heldLocks: put(s.heldLocks, p, null),
        releasing: put(s.releasing, p, 0),
        handle: of(s.handle, null),
        spent: of(s.spent, null),
        seen: of(s.seen, null),
        pc: of(s.pc, "idle"),
        budget: s.life[p] === "exiting" ? s.budget : { crash: s.budget.crash - 1 },
      },
    ];
  },
};

const start: Action<Config, State, ActionName> = {
  name: "Start",
  args: procs,
  enabled: (_c, s, p) => s.life[p] === "dead",
  next: (_c, s, p) => [{ ...s, life: put(s.life, p, "runs"), inc: put(s.inc, p, at(s.inc, p) + 1) }],
};

const age: Action<Config, State, ActionName> = {
  name: "Age",
  args: (c) => (has(c, "mtime") || has(c, "age") ? [""] : []),
  enabled: (_c, s) => s.file?.old === false,
  next: (_c, s) => (s.file === null ? [] : [{ ...s, file: { ...s.file, old: true } }]),
};

const TABLE: readonly Action<Config, State, ActionName>[] = [
  request,
  open,
  opened,
  write,
  granted,
  refused,
  read,
  judge,
  stat,
  judgeAge,
  reclaim,
  reclaimed,
  wake,
  giveUp,
  release,
  releaseAgain,
  close,
  closed,
  remove,
  released,
  expire,
  sweep,
  exitHook,
  crash,
  start,
  age,
];
