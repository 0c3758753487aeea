/** Lease.tla as a model: how an owner is evicted whose death cannot be proved. Same names, same order. */

import { type Action, type Invariant, type Machine, type MachineStep, stepsOf } from "../machine.ts";
import { at, insert, put, remove } from "../state.ts";

/** What can be removed: guards, and, the last two, assumptions (A8). */
export const BROKEN = [
  "EvictOnFirst",
  "AnyMark",
  "NoRecheck",
  "NoBeatBeforeTake",
  "OwnClock",
  "MissForgotten",
  "PutBackAfterMiss",
  "MarkInMemory",
  "StopMidTurn",
  "TwoJumps",
] as const;
export type Broken = (typeof BROKEN)[number];

/** The CONSTANTS of Lease.tla. */
export interface Config {
  readonly procs: readonly string[];
  readonly judges: readonly string[];
  readonly stale: number;
  readonly wait: number;
  readonly maxTime: number;
  readonly maxCrashes: number;
  readonly maxDeaths: number;
  readonly maxJumps: number;
  readonly forward: readonly number[];
  readonly back: readonly number[];
  readonly mayStop: readonly string[];
  readonly prompt: boolean;
  readonly broken: readonly Broken[];
}

type Proc = string;
type Judge = string;

export type Pc = "idle" | "take" | "holding" | "putBack" | "drop" | "gone" | "dead";
export type JudgePc = "idle" | "stat" | "probe" | "mark" | "recheck" | "evict";

/** What lies beside L about an owner's file: the mtime that was seen, and when that was written down. */
export interface Mark {
  readonly mtime: number;
  readonly at: number;
}

/** What a judge has read so far. */
export interface Look {
  readonly owner: Proc;
  readonly mark: Mark | null;
  readonly seen: number;
  readonly at: number;
}

/** The VARIABLES of Lease.tla. */
export interface State {
  /** The file server's clock. */
  readonly now: number;
  readonly lock: Proc | null;
  readonly mtime: Readonly<Record<Proc, number>>;
  readonly mark: Readonly<Record<Proc, Mark | null>>;
  readonly since: Readonly<Record<Proc, number>>;
  readonly missed: readonly Proc[];
  readonly late: readonly Proc[];
  readonly stopped: readonly Proc[];
  readonly pc: Readonly<Record<Proc, Pc>>;
  readonly look: Readonly<Record<Judge, Look | null>>;
  readonly jpc: Readonly<Record<Judge, JudgePc>>;
  readonly looked: boolean;
  readonly unsettled: readonly Proc[];
  readonly budget: { readonly crash: number; readonly death: number; readonly jump: number };
}

export type Step = MachineStep<State>;

/** A beat is due after one tick, and may be one tick late. */
const IN_TIME = 2;
const LONGEST = IN_TIME + 1;

function initialState(c: Config): State {
  const all = <V>(names: readonly string[], value: V): Record<string, V> =>
    Object.fromEntries(names.map((name) => [name, value] as const));
  return {
    now: 0,
    lock: null,
    mtime: all(c.procs, 0),
    mark: all(c.procs, null),
    since: all(c.procs, 0),
    missed: [],
    late: [],
    stopped: [],
    pc: all(c.procs, "idle" as const),
    look: all(c.judges, null),
    jpc: all(c.judges, "idle" as const),
    looked: false,
    unsettled: [],
    budget: { crash: c.maxCrashes, death: c.maxDeaths, jump: c.maxJumps },
  };
}

// ------------------------------------------------------------------------------------------------
// Pieces of actions

const isBroken = (c: Config, what: Broken): boolean => c.broken.includes(what);
const isOver = (s: State, p: Proc): boolean => at(s.pc, p) === "gone" || at(s.pc, p) === "dead";
const runs = (s: State, p: Proc): boolean => !s.stopped.includes(p) && !isOver(s, p);
const holdsOn = (s: State, p: Proc): boolean => at(s.pc, p) === "holding" || at(s.pc, p) === "putBack";

const goes = (s: State, p: Proc, pc: Pc): State => ({ ...s, pc: put(s.pc, p, pc) });
const beats = (s: State, p: Proc): State => ({
  ...s,
  mtime: put(s.mtime, p, s.now),
  since: put(s.since, p, 0),
  unsettled: remove(s.unsettled, p),
});
const settles = (s: State, p: Proc): State => ({ ...s, unsettled: remove(s.unsettled, p) });
/** In or out of a set. */
const having = (set: readonly Proc[], p: Proc, isIn: boolean): readonly Proc[] =>
  isIn ? insert(set, p) : remove(set, p);

const judges = (s: State, j: Judge, jpc: JudgePc, look: Look | null): State => ({
  ...s,
  jpc: put(s.jpc, j, jpc),
  look: put(s.look, j, look),
});
const ends = (c: Config, s: State, j: Judge): State => ({ ...judges(s, j, "idle", null), looked: c.prompt });
const lookOf = (s: State, j: Judge): Look => {
  const look = at(s.look, j);
  if (look === null) throw new Error(`${j} has read nothing (a bug of the model)`);
  return look;
};

/** What the turn behind `Probe` decides. */
function decide(c: Config, s: State, { mark, seen }: Look): "evict" | "mark" | "wait" {
  const today = isBroken(c, "OwnClock") ? s.now + c.stale + c.wait : s.now;
  if (seen + c.stale > today) return "wait";
  const same = mark !== null && mark.at <= today && (mark.mtime === seen || isBroken(c, "AnyMark"));
  if (isBroken(c, "EvictOnFirst") || (same && mark.at + c.wait <= today)) return "evict";
  return same ? "wait" : "mark";
}

// ------------------------------------------------------------------------------------------------
// The actions

const procs = (c: Config): readonly Proc[] => c.procs;
const allJudges = (c: Config): readonly Judge[] => c.judges;
const once = (): readonly string[] => [""];
const runsAt =
  (pc: Pc) =>
  (_c: Config, s: State, p: Proc): boolean =>
    at(s.pc, p) === pc && runs(s, p);
const judgeAt =
  (jpc: JudgePc) =>
  (_c: Config, s: State, j: Judge): boolean =>
    at(s.jpc, j) === jpc;

const ACTIONS: readonly Action<Config, State>[] = [
  {
    name: "Freshen",
    args: procs,
    enabled: (c, s, p) => runsAt("idle")(c, s, p) && at(s.since, p) > 1,
    next: (_c, s, p) => [beats(s, p)],
  },
  {
    name: "Send",
    args: procs,
    enabled: (c, s, p) => runsAt("idle")(c, s, p) && (at(s.since, p) <= 1 || isBroken(c, "NoBeatBeforeTake")),
    next: (_c, s, p) => [goes(s, p, "take")],
  },
  {
    name: "Take",
    args: procs,
    enabled: runsAt("take"),
    next: (c, s, p) => {
      if (s.lock !== null) return [goes(s, p, "idle")];
      const unasked = isBroken(c, "NoBeatBeforeTake");
      const old = at(s.since, p) > IN_TIME && !unasked;
      const taken: State = {
        ...s,
        lock: p,
        missed: having(s.missed, p, old),
        late: having(s.late, p, old),
        since: unasked ? put(s.since, p, 0) : s.since,
      };
      return [goes(taken, p, "holding")];
    },
  },
  {
    name: "Beat",
    args: procs,
    enabled: runsAt("holding"),
    next: (c, s, p) => {
      if (s.lock !== p) return [goes(s, p, "drop")];
      const missed = !isBroken(c, "MissForgotten") && (s.missed.includes(p) || at(s.since, p) > IN_TIME);
      return [beats({ ...s, missed: having(s.missed, p, missed) }, p)];
    },
  },
  {
    name: "Release",
    args: procs,
    enabled: runsAt("holding"),
    next: (c, s, p) => {
      const missed = s.missed.includes(p) || at(s.since, p) > IN_TIME;
      const suspect = missed && !isBroken(c, "PutBackAfterMiss");
      return [goes(s, p, s.lock === p && !suspect ? "putBack" : "drop")];
    },
  },
  {
    name: "PutBack",
    args: procs,
    enabled: runsAt("putBack"),
    next: (_c, s, p) => {
      const moved: State = { ...s, lock: null };
      return [s.lock === p ? goes(moved, p, "idle") : goes(settles(moved, p), p, "gone")];
    },
  },
  {
    name: "Drop",
    args: procs,
    enabled: runsAt("drop"),
    next: (_c, s, p) => [goes(settles({ ...s, lock: s.lock === p ? null : s.lock }, p), p, "gone")],
  },
  {
    name: "ReadMark",
    args: allJudges,
    enabled: (c, s, j) => judgeAt("idle")(c, s, j) && s.lock !== null,
    next: (_c, s, j) => {
      const owner = s.lock ?? "";
      return [judges(s, j, "stat", { owner, mark: at(s.mark, owner), seen: 0, at: 0 })];
    },
  },
  {
    name: "Stat",
    args: allJudges,
    enabled: judgeAt("stat"),
    next: (c, s, j) => {
      const look = lookOf(s, j);
      if (s.lock !== look.owner) return [ends(c, s, j)];
      return [judges(s, j, "probe", { ...look, seen: at(s.mtime, look.owner) })];
    },
  },
  {
    name: "Probe",
    args: allJudges,
    enabled: judgeAt("probe"),
    next: (c, s, j) => {
      const look = lookOf(s, j);
      const decision = decide(c, s, look);
      if (decision === "wait") return [ends(c, s, j)];
      if (decision === "mark") return [judges(s, j, "mark", { ...look, mark: null, at: s.now })];
      return [judges(s, j, isBroken(c, "NoRecheck") ? "evict" : "recheck", { ...look, mark: null })];
    },
  },
  {
    name: "Mark",
    args: allJudges,
    enabled: judgeAt("mark"),
    next: (c, s, j) => {
      const { owner, seen, at: written } = lookOf(s, j);
      return [ends(c, { ...s, mark: put(s.mark, owner, { mtime: seen, at: written }) }, j)];
    },
  },
  {
    name: "Recheck",
    args: allJudges,
    enabled: judgeAt("recheck"),
    next: (c, s, j) => {
      const look = lookOf(s, j);
      const silent = s.lock === look.owner && at(s.mtime, look.owner) === look.seen;
      return [silent ? judges(s, j, "evict", look) : ends(c, s, j)];
    },
  },
  {
    name: "Evict",
    args: allJudges,
    enabled: judgeAt("evict"),
    next: (c, s, j) => [ends(c, { ...s, lock: s.lock === lookOf(s, j).owner ? null : s.lock }, j)],
  },
  {
    name: "Stop",
    args: procs,
    enabled: (c, s, p) => {
      const pc = at(s.pc, p);
      const mayStop = pc === "putBack" ? isBroken(c, "StopMidTurn") : !isOver(s, p);
      return mayStop && c.mayStop.includes(p) && !s.stopped.includes(p);
    },
    next: (_c, s, p) => [{ ...s, stopped: insert(s.stopped, p) }],
  },
  {
    name: "Continue",
    args: procs,
    enabled: (_c, s, p) => s.stopped.includes(p) && at(s.pc, p) !== "dead",
    next: (_c, s, p) => [{ ...s, stopped: remove(s.stopped, p) }],
  },
  {
    name: "Crash",
    args: procs,
    enabled: (_c, s, p) => !isOver(s, p) && s.budget.crash > 0,
    next: (_c, s, p) => {
      const budget = { ...s.budget, crash: s.budget.crash - 1 };
      return [goes(settles({ ...s, budget, stopped: remove(s.stopped, p) }, p), p, "dead")];
    },
  },
  {
    name: "Die",
    args: allJudges,
    enabled: (_c, s, j) => at(s.jpc, j) !== "idle" && s.budget.death > 0,
    next: (_c, s, j) => [
      judges({ ...s, budget: { ...s.budget, death: s.budget.death - 1 } }, j, "idle", null),
    ],
  },
  {
    name: "Forget",
    args: allJudges,
    enabled: (c, s, j) => isBroken(c, "MarkInMemory") && at(s.jpc, j) === "idle" && hasMarks(c, s),
    next: (c, s) => [{ ...s, mark: Object.fromEntries(c.procs.map((p) => [p, null] as const)) }],
  },
  {
    name: "Tick",
    args: once,
    enabled: (c, s) => {
      if (s.now >= c.maxTime) return false;
      if (c.procs.some((p) => holdsOn(s, p) && runs(s, p) && at(s.since, p) >= IN_TIME)) return false;
      return !c.prompt || isPrompt(c, s);
    },
    next: (c, s) => {
      const since = Object.fromEntries(
        c.procs.map((p) => [p, isOver(s, p) ? at(s.since, p) : Math.min(LONGEST, at(s.since, p) + 1)]),
      );
      const late = c.procs.filter((p) => holdsOn(s, p) && at(since, p) > IN_TIME);
      return [
        {
          ...s,
          now: s.now + 1,
          since,
          late: late.reduce((all, p) => insert(all, p), s.late),
          looked: false,
        },
      ];
    },
  },
  {
    name: "Jump",
    args: once,
    enabled: (c, s) => s.budget.jump > 0 && (s.unsettled.length === 0 || isBroken(c, "TwoJumps")),
    next: (c, s) => {
      const times = [...c.forward.map((by) => s.now + by), ...c.back.map((by) => s.now - by)];
      const unsettled = c.procs.filter((p) => !isOver(s, p));
      const budget = { ...s.budget, jump: s.budget.jump - 1 };
      return times
        .filter((time) => time >= 0 && time <= c.maxTime)
        .map((now) => ({ ...s, now, unsettled, budget }));
    },
  },
  {
    name: "Finished",
    args: once,
    enabled: (c, s) => c.procs.every((p) => isOver(s, p)) && c.judges.every((j) => at(s.jpc, j) === "idle"),
    next: (_c, s) => [s],
  },
];

const hasMarks = (c: Config, s: State): boolean => c.procs.some((p) => at(s.mark, p) !== null);

/** Whoever stands at L was looked at in this tick, nobody is in the middle, and no Take is slow. */
function isPrompt(c: Config, s: State): boolean {
  const quiet = c.judges.every((j) => at(s.jpc, j) === "idle");
  const slow = c.procs.some((p) => at(s.pc, p) === "take" && at(s.since, p) >= IN_TIME);
  return (s.lock === null || s.looked) && quiet && !slow;
}

// ------------------------------------------------------------------------------------------------
// Safety

const INVARIANTS: readonly Invariant<Config, State>[] = [
  {
    name: "OnlyTheLateLose",
    holds: (c, s) => c.procs.every((p) => !holdsOn(s, p) || s.lock === p || s.late.includes(p)),
  },
  {
    name: "InnocentExclusion",
    holds: (c, s) => c.procs.filter((p) => holdsOn(s, p) && !s.late.includes(p)).length <= 1,
  },
  {
    name: "GoneInTime",
    holds: (c, s) => s.lock === null || s.now - at(s.mtime, s.lock) <= c.stale + c.wait,
  },
];

export const lease: Machine<Config, State, Step> = {
  actions: ACTIONS.map(({ name }) => name),
  initialStates: (c) => [initialState(c)],
  steps: (c, s) => stepsOf(ACTIONS, c, s),
  key: (s) => JSON.stringify(s),
  byFields: true,
  /** The end has a step of its own: `Finished`. */
  isFinished: () => false,
  invariants: INVARIANTS,
  stepProperties: [],
};
