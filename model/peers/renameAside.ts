/** RenameAside.tla as a model: a stale lock file is moved aside, and put back if it was not stale. */

import {
  type Action,
  type Invariant,
  type Machine,
  type MachineStep,
  type StepProperty,
  stepsOf,
} from "../machine.ts";
import { at, insert, put, remove } from "../state.ts";

/** The holes that can be closed, each by the smallest change. */
export const HOLES = ["MoveByPath", "PutBackByRename"] as const;
export type Hole = (typeof HOLES)[number];

/** The CONSTANTS of RenameAside.tla. */
export interface Config {
  readonly procs: readonly string[];
  readonly maxCrashes: number;
  readonly recheck: boolean;
  readonly closed: readonly Hole[];
}

type Proc = string;
/** What a file says: incarnation i of process p, `p.i`. */
export type Owner = string;

export type Pc =
  | "idle"
  | "create"
  | "read"
  | "judge"
  | "recheck"
  | "move"
  | "verify"
  | "discard"
  | "putBack"
  | "tidy"
  | "holding"
  | "check"
  | "unlink";

/** The VARIABLES of RenameAside.tla. */
export interface State {
  readonly lock: Owner | null;
  /** The file that p has moved to its unique name. */
  readonly aside: Readonly<Record<Proc, Owner | null>>;
  /** The files that lie aside and whose mover has died. */
  readonly stray: readonly Owner[];
  readonly saw: Readonly<Record<Proc, Owner | null>>;
  readonly alive: readonly Proc[];
  readonly inc: Readonly<Record<Proc, number>>;
  readonly pc: Readonly<Record<Proc, Pc>>;
  readonly crashes: number;
}

export type Step = MachineStep<State>;

function initialState(c: Config): State {
  const all = <V>(value: V): Record<Proc, V> => Object.fromEntries(c.procs.map((p) => [p, value] as const));
  return {
    lock: null,
    aside: all(null),
    stray: [],
    saw: all(null),
    alive: c.procs,
    inc: all(1),
    pc: all("idle" as const),
    crashes: c.maxCrashes,
  };
}

// ------------------------------------------------------------------------------------------------
// Pieces of actions

const self = (s: State, p: Proc): Owner => `${p}.${at(s.inc, p)}`;
const procOf = (o: Owner): Proc => o.split(".")[0] ?? "";
const lives = (s: State, o: Owner | null): boolean =>
  o !== null && s.alive.includes(procOf(o)) && self(s, procOf(o)) === o;

const isClosed = (c: Config, hole: Hole): boolean => c.closed.includes(hole);
const goes = (s: State, p: Proc, pc: Pc): State => ({ ...s, pc: put(s.pc, p, pc) });
const forgets = (s: State, p: Proc): State => ({ ...s, saw: put(s.saw, p, null) });
const removesAside = (s: State, p: Proc): State => ({ ...s, aside: put(s.aside, p, null) });

const procs = (c: Config): readonly Proc[] => c.procs;
const isAt =
  (pc: Pc) =>
  (_c: Config, s: State, p: Proc): boolean =>
    at(s.pc, p) === pc;

// ------------------------------------------------------------------------------------------------
// The actions

const ACTIONS: readonly Action<Config, State>[] = [
  {
    name: "Request",
    args: procs,
    enabled: (_c, s, p) => s.alive.includes(p) && at(s.pc, p) === "idle",
    next: (_c, s, p) => [goes(s, p, "create")],
  },
  {
    name: "Create",
    args: procs,
    enabled: isAt("create"),
    next: (_c, s, p) => [
      s.lock === null ? goes({ ...s, lock: self(s, p) }, p, "holding") : goes(s, p, "read"),
    ],
  },
  {
    name: "Read",
    args: procs,
    enabled: isAt("read"),
    next: (_c, s, p) => [
      s.lock === null ? goes(s, p, "create") : goes({ ...s, saw: put(s.saw, p, s.lock) }, p, "judge"),
    ],
  },
  {
    name: "Judge",
    args: procs,
    enabled: isAt("judge"),
    next: (c, s, p) => [
      lives(s, at(s.saw, p)) ? goes(forgets(s, p), p, "create") : goes(s, p, c.recheck ? "recheck" : "move"),
    ],
  },
  {
    name: "Reread",
    args: procs,
    enabled: isAt("recheck"),
    next: (_c, s, p) => [s.lock === at(s.saw, p) ? goes(s, p, "move") : goes(forgets(s, p), p, "create")],
  },
  {
    name: "Move",
    args: procs,
    enabled: isAt("move"),
    next: (c, s, p) => {
      const hits = s.lock !== null && (!isClosed(c, "MoveByPath") || s.lock === at(s.saw, p));
      if (!hits) return [goes(forgets(s, p), p, "create")];
      return [goes({ ...s, aside: put(s.aside, p, s.lock), lock: null }, p, "verify")];
    },
  },
  {
    name: "Verify",
    args: procs,
    enabled: isAt("verify"),
    next: (_c, s, p) => {
      const judged = at(s.aside, p) === at(s.saw, p);
      return [goes(forgets(s, p), p, judged ? "discard" : "putBack")];
    },
  },
  {
    name: "Discard",
    args: procs,
    enabled: isAt("discard"),
    next: (_c, s, p) => [goes(removesAside(s, p), p, "create")],
  },
  {
    name: "PutBack",
    args: procs,
    enabled: isAt("putBack"),
    next: (c, s, p) => {
      const moved = at(s.aside, p);
      if (isClosed(c, "PutBackByRename")) return [goes({ ...s, lock: s.lock ?? moved }, p, "tidy")];
      return [goes(removesAside({ ...s, lock: moved }, p), p, "create")];
    },
  },
  {
    name: "Tidy",
    args: procs,
    enabled: isAt("tidy"),
    next: (_c, s, p) => [goes(removesAside(s, p), p, "create")],
  },
  {
    name: "Release",
    args: procs,
    enabled: isAt("holding"),
    next: (_c, s, p) => [goes(s, p, "check")],
  },
  {
    name: "Check",
    args: procs,
    enabled: isAt("check"),
    next: (_c, s, p) => [goes(s, p, s.lock === self(s, p) ? "unlink" : "idle")],
  },
  {
    name: "Unlink",
    args: procs,
    enabled: isAt("unlink"),
    next: (_c, s, p) => [goes({ ...s, lock: null }, p, "idle")],
  },
  {
    name: "Crash",
    args: procs,
    enabled: (_c, s, p) => s.alive.includes(p) && s.crashes > 0,
    next: (_c, s, p) => {
      const moved = at(s.aside, p);
      const stray = moved === null ? s.stray : insert(s.stray, moved);
      const gone = { ...s, crashes: s.crashes - 1, alive: remove(s.alive, p), stray };
      return [goes(forgets(removesAside(gone, p), p), p, "idle")];
    },
  },
  {
    name: "Start",
    args: procs,
    enabled: (_c, s, p) => !s.alive.includes(p),
    next: (_c, s, p) => [{ ...s, alive: insert(s.alive, p), inc: put(s.inc, p, at(s.inc, p) + 1) }],
  },
];

// ------------------------------------------------------------------------------------------------
// Safety

const holders = (c: Config, s: State): readonly Proc[] => c.procs.filter((p) => at(s.pc, p) === "holding");

const INVARIANTS: readonly Invariant<Config, State>[] = [
  { name: "MutualExclusion", holds: (c, s) => holders(c, s).length <= 1 },
  { name: "HeldIsOnDisk", holds: (c, s) => holders(c, s).every((p) => s.lock === self(s, p)) },
  {
    name: "NothingForgotten",
    holds: (_c, s) =>
      s.lock === null ||
      !lives(s, s.lock) ||
      ["holding", "check", "unlink"].includes(at(s.pc, procOf(s.lock))),
  },
  { name: "NobodyIsStranded", holds: (c, s) => holders(c, s).every((p) => !s.stray.includes(self(s, p))) },
];

const STEP_PROPERTIES: readonly StepProperty<Config, State, Step>[] = [
  {
    name: "PutBackClobbersNobody",
    holds: (_c, s, { label, next }) =>
      label.action !== "PutBack" || !lives(s, s.lock) || next.lock === s.lock,
  },
  {
    name: "ReleaseIsOwn",
    holds: (_c, s, { label }) =>
      label.action !== "Unlink" || !lives(s, s.lock) || s.lock === self(s, label.arg),
  },
];

export const renameAside: Machine<Config, State, Step> = {
  actions: ACTIONS.map(({ name }) => name),
  initialStates: (c) => [initialState(c)],
  steps: (c, s) => stepsOf(ACTIONS, c, s),
  key: (s) => JSON.stringify(s),
  byFields: true,
  /** Nothing is final: a request, or an attempt, is always possible. */
  isFinished: () => false,
  invariants: INVARIANTS,
  stepProperties: STEP_PROPERTIES,
};
