/** MkdirMtime.tla as a model: how proper-lockfile locks. Same names, same order. */

import { type Action, type Invariant, type Machine, type MachineStep, stepsOf } from "../machine.ts";
import { at, insert, put, remove } from "../state.ts";

/** The holes that can be closed, each by the smallest change. */
export const HOLES = [
  "TakeoverByPath",
  "OldLook",
  "ReleaseByPath",
  "TouchByPath",
  "UndoByPath",
  "OwnClock",
] as const;
export type Hole = (typeof HOLES)[number];

export const SLOW = ["owners", "contenders"] as const;
export type Slow = (typeof SLOW)[number];

/** The CONSTANTS of MkdirMtime.tla. */
export interface Config {
  readonly procs: readonly string[];
  readonly stale: number;
  readonly maxTime: number;
  readonly maxIds: number;
  readonly maxCrashes: number;
  /** Who may be slow: owners let their directory become stale, contenders judge an old look. */
  readonly slow: readonly Slow[];
  readonly ahead: readonly string[];
  readonly closed: readonly Hole[];
}

type Proc = string;

/** A directory as stat tells it, and, for the properties alone, which one it is. */
export interface Seen {
  readonly id: number;
  readonly mtime: number;
}

export interface Directory extends Seen {
  readonly by: Proc;
}

export type Pc =
  | "idle"
  | "mkdir"
  | "stat"
  | "judge"
  | "rmdir"
  | "mkdirAgain"
  | "probe"
  | "undo"
  | "holding"
  | "unlock"
  | "lost"
  | "dead";

/** The VARIABLES of MkdirMtime.tla. */
export interface State {
  /** The file server's clock. */
  readonly now: number;
  readonly lock: Directory | null;
  readonly saw: Readonly<Record<Proc, Seen | null>>;
  readonly mine: Readonly<Record<Proc, Seen | null>>;
  /** The utimes that is under way: the lock that it is for, and the mtime. */
  readonly touches: Readonly<Record<Proc, Seen | null>>;
  readonly overdue: readonly Proc[];
  readonly pc: Readonly<Record<Proc, Pc>>;
  readonly crashes: number;
}

export type Step = MachineStep<State>;

function initialState(c: Config): State {
  const all = <V>(value: V): Record<Proc, V> => Object.fromEntries(c.procs.map((p) => [p, value] as const));
  return {
    now: 0,
    lock: null,
    saw: all(null),
    mine: all(null),
    touches: all(null),
    overdue: [],
    pc: all("idle" as const),
    crashes: c.maxCrashes,
  };
}

// ------------------------------------------------------------------------------------------------
// Pieces of actions

function freshId(c: Config, s: State): number | undefined {
  const records = [s.saw, s.mine, s.touches].flatMap((record) => Object.values(record));
  const taken = [s.lock, ...records].map((directory) => directory?.id);
  for (let id = 1; id <= c.maxIds; id++) if (!taken.includes(id)) return id;
  return undefined;
}

const isClosed = (c: Config, hole: Hole): boolean => c.closed.includes(hole);
const goes = (s: State, p: Proc, pc: Pc): State => ({ ...s, pc: put(s.pc, p, pc) });
const disowns = (s: State, p: Proc): State => ({ ...s, mine: put(s.mine, p, null) });
const forgets = (s: State, p: Proc): State => ({ ...s, saw: put(s.saw, p, null) });

/** Date.now() of p. */
const clock = (c: Config, s: State, p: Proc): number =>
  c.ahead.includes(p) && !isClosed(c, "OwnClock") ? s.now + c.stale : s.now;

/** rmdir(lock path). What it was meant for does not matter to the call; only if the hole is closed does it. */
function rmdir(c: Config, s: State, hole: Hole, meant: Seen | null): State {
  const spared = s.lock !== null && isClosed(c, hole) && s.lock.id !== meant?.id;
  return spared ? s : { ...s, lock: null };
}

// ------------------------------------------------------------------------------------------------
// The actions

const procs = (c: Config): readonly Proc[] => c.procs;
const isAt =
  (...pcs: readonly Pc[]) =>
  (_c: Config, s: State, p: Proc): boolean =>
    pcs.includes(at(s.pc, p));

const ACTIONS: readonly Action<Config, State>[] = [
  {
    name: "Request",
    args: procs,
    enabled: (c, s, p) => isAt("idle", "lost")(c, s, p) && at(s.touches, p) === null,
    next: (_c, s, p) => [goes(s, p, "mkdir")],
  },
  {
    name: "Mkdir",
    args: procs,
    enabled: isAt("mkdir", "mkdirAgain"),
    next: (c, s, p) => {
      const id = freshId(c, s);
      if (id === undefined) return [];
      if (s.lock !== null) return [goes(s, p, at(s.pc, p) === "mkdir" ? "stat" : "mkdir")];
      const made: State = {
        ...s,
        lock: { by: p, id, mtime: s.now },
        mine: put(s.mine, p, { id, mtime: s.now }),
        overdue: remove(s.overdue, p),
      };
      return [goes(made, p, "probe")];
    },
  },
  {
    name: "Probe",
    args: procs,
    enabled: isAt("probe"),
    next: (_c, s, p) => {
      const mine = at(s.mine, p);
      if (s.lock === null || mine === null) return [goes(s, p, "undo")];
      return [goes({ ...s, mine: put(s.mine, p, { ...mine, mtime: s.lock.mtime }) }, p, "holding")];
    },
  },
  {
    name: "Undo",
    args: procs,
    enabled: isAt("undo"),
    next: (c, s, p) => [goes(disowns(rmdir(c, s, "UndoByPath", at(s.mine, p)), p), p, "idle")],
  },
  {
    name: "Stat",
    args: procs,
    enabled: isAt("stat"),
    next: (_c, s, p) => {
      if (s.lock === null) return [goes(s, p, "mkdirAgain")];
      const { id, mtime } = s.lock;
      return [goes({ ...s, saw: put(s.saw, p, { id, mtime }) }, p, "judge")];
    },
  },
  {
    name: "Judge",
    args: procs,
    enabled: isAt("judge"),
    next: (c, s, p) => {
      const stale = (at(s.saw, p)?.mtime ?? 0) + c.stale <= clock(c, s, p);
      return [stale ? goes(s, p, "rmdir") : goes(forgets(s, p), p, "mkdir")];
    },
  },
  {
    name: "Remove",
    args: procs,
    enabled: isAt("rmdir"),
    next: (c, s, p) => {
      const saw = at(s.saw, p);
      const updated = s.lock?.id === saw?.id && s.lock?.mtime !== saw?.mtime;
      const removed = updated && isClosed(c, "OldLook") ? s : rmdir(c, s, "TakeoverByPath", saw);
      return [goes(forgets(removed, p), p, "mkdirAgain")];
    },
  },
  {
    name: "Check",
    args: procs,
    enabled: (_c, s, p) => at(s.pc, p) === "holding" && at(s.touches, p) === null,
    next: (c, s, p) => {
      const mine = at(s.mine, p);
      const ours = s.lock !== null && s.lock.mtime === mine?.mtime;
      if (!ours || mine === null) return [goes(disowns(s, p), p, "lost")];
      return [{ ...s, touches: put(s.touches, p, { id: mine.id, mtime: clock(c, s, p) }) }];
    },
  },
  {
    name: "Touch",
    args: procs,
    enabled: (_c, s, p) => at(s.touches, p) !== null,
    next: (c, s, p) => {
      const sent = at(s.touches, p);
      const mtime = sent?.mtime ?? 0;
      const done: State = { ...s, touches: put(s.touches, p, null) };
      const hits = s.lock !== null && (!isClosed(c, "TouchByPath") || s.lock.id === sent?.id);
      const touched: State = hits && s.lock !== null ? { ...done, lock: { ...s.lock, mtime } } : done;
      const mine = at(s.mine, p);
      if (at(s.pc, p) !== "holding" || mine === null || mine.id !== sent?.id) return [touched];
      if (!hits) return [goes(disowns(touched, p), p, "lost")];
      return [{ ...touched, mine: put(s.mine, p, { ...mine, mtime }) }];
    },
  },
  {
    name: "Release",
    args: procs,
    enabled: isAt("holding"),
    next: (_c, s, p) => [goes(s, p, "unlock")],
  },
  {
    name: "Unlock",
    args: procs,
    enabled: isAt("unlock"),
    next: (c, s, p) => [goes(disowns(rmdir(c, s, "ReleaseByPath", at(s.mine, p)), p), p, "idle")],
  },
  {
    name: "Crash",
    args: procs,
    enabled: (_c, s, p) => at(s.pc, p) !== "dead" && s.crashes > 0,
    next: (_c, s, p) => {
      const gone = disowns(forgets(s, p), p);
      return [goes({ ...gone, touches: put(s.touches, p, null), crashes: s.crashes - 1 }, p, "dead")];
    },
  },
  {
    name: "Tick",
    args: () => [""],
    enabled: (c, s) => {
      const ownersMayBe = c.slow.includes("owners") || becomesOverdue(c, s).length === 0;
      const judging = c.procs.some((p) => isAt("judge", "rmdir")(c, s, p));
      return s.now < c.maxTime && ownersMayBe && (c.slow.includes("contenders") || !judging);
    },
    next: (c, s) => {
      const overdue = becomesOverdue(c, s).reduce((all, p) => insert(all, p), s.overdue);
      return [{ ...s, now: s.now + 1, overdue }];
    },
  },
];

/** The living owners whose directory will be stale in the next tick. */
function becomesOverdue(c: Config, s: State): readonly Proc[] {
  const { lock } = s;
  if (lock === null || lock.mtime + c.stale > s.now + 1) return [];
  return c.procs.filter((p) => at(s.mine, p)?.id === lock.id);
}

// ------------------------------------------------------------------------------------------------
// Safety

const holders = (c: Config, s: State): readonly Proc[] => c.procs.filter((p) => at(s.pc, p) === "holding");

const INVARIANTS: readonly Invariant<Config, State>[] = [
  { name: "FreshIdsSuffice", holds: (c, s) => freshId(c, s) !== undefined },
  { name: "MutualExclusion", holds: (c, s) => holders(c, s).length <= 1 },
  {
    name: "PunctualExclusion",
    holds: (c, s) => holders(c, s).filter((p) => !s.overdue.includes(p)).length <= 1,
  },
  {
    name: "OnlyTheOverdueLose",
    holds: (c, s) => c.procs.every((p) => at(s.pc, p) !== "lost" || s.overdue.includes(p)),
  },
];

export const mkdirMtime: Machine<Config, State, Step> = {
  actions: ACTIONS.map(({ name }) => name),
  initialStates: (c) => [initialState(c)],
  steps: (c, s) => stepsOf(ACTIONS, c, s),
  key: (s) => JSON.stringify(s),
  byFields: true,
  /** Nothing is final: a request, or an attempt, is always possible. */
  isFinished: () => false,
  invariants: INVARIANTS,
  stepProperties: [],
};
