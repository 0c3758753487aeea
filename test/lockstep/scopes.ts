/** The scopes of lockstep: configurations of the model that programs are run at. */

import { type Config, FAULT_KINDS, NOTHING_OVERRIDDEN } from "../../model/state.ts";
import { MAX_DEBTS } from "../../src/protocol.ts";

const PROC_OF: Readonly<Record<string, string>> = {
  a1: "a",
  a2: "a",
  a3: "a",
  b1: "b",
  b2: "b",
  b3: "b",
  c1: "c",
  c2: "c",
  c3: "c",
};

/** All of it that is not said: nobody shares, every task may give up, and crashes are all that happens. */
export function scope(tasks: readonly string[], rest: Partial<Config>): Config {
  const procs = [...new Set(tasks.map((task) => PROC_OF[task] ?? ""))].sort();
  return {
    procs,
    tasks,
    procOf: PROC_OF,
    pidOf: Object.fromEntries(procs.map((proc) => [proc, proc])),
    guestOf: {},
    reentrantTasks: [],
    patientTasks: [],
    local: true,
    faults: [],
    maxDebts: MAX_DEBTS,
    // More than the specification's: programs are longer than shortest counterexamples.
    namesPerLife: 12,
    maxCrashes: 3,
    maxFaults: 0,
    maxVandals: 0,
    maxRequests: 0,
    broken: [],
    ...NOTHING_OVERRIDDEN,
    ...rest,
  };
}

/** An environment that breaks A1 and A2. */
const EVERY_HARM = { maxSuspicions: 2, maxBreaks: 2, maxRemovals: 2 };

/** For random lockstep, by name. */
export const SCOPES: Readonly<Record<string, Config>> = {
  "one process, three tasks, PutBack": scope(["a1", "a2", "a3"], {
    faults: ["prepare", "take", "putBack", "drop", "retry"],
    maxFaults: 3,
    maxVandals: 2,
  }),
  "one process, three tasks, two of them reentrant": scope(["a1", "a2", "a3"], {
    reentrantTasks: ["a1", "a2"],
    faults: ["putBack"],
    maxFaults: 2,
  }),
  "two processes, three tasks, PutBack": scope(["a1", "a2", "b1"], {
    faults: ["putBack", "take", "evict"],
    maxFaults: 2,
    maxVandals: 2,
  }),
  "two processes, four tasks, Drop and late effects": scope(["a1", "a2", "b1", "b2"], {
    local: false,
    faults: ["prepare", "take", "evict", "drop", "retry"],
    maxFaults: 3,
    maxVandals: 1,
  }),
  "two processes, three tasks, missed beats": scope(["a1", "a2", "b1"], {
    faults: ["beat", "drop", "retry"],
    maxFaults: 4,
  }),
  "three processes, three tasks, PutBack": scope(["a1", "b1", "c1"], {}),
  "two processes with a guest each, and a third, PutBack": scope(["a1", "b1", "c1"], {
    guestOf: { a: "ga", b: "gb" },
    faults: ["prepare", "take", "evict", "drop", "retry"],
    maxFaults: 2,
    maxVandals: 1,
  }),
  "a process with a guest and one without, Drop and late effects": scope(["a1", "b1"], {
    guestOf: { a: "ga" },
    local: false,
    faults: ["prepare", "take", "evict", "drop", "retry"],
    maxFaults: 2,
  }),
  "three processes, five tasks, Drop and late effects": scope(["a1", "a2", "b1", "c1", "c2"], {
    local: false,
    faults: ["drop", "take"],
    maxFaults: 2,
  }),
  "two processes, three tasks, Drop, rename does not replace an empty directory": scope(["a1", "a2", "b1"], {
    local: false,
    renameReplacesEmpty: false,
    faults: ["clear", "take", "evict"],
    maxFaults: 3,
  }),
  "two processes, three tasks, Drop, the watchdog revokes": scope(["a1", "a2", "b1"], {
    local: false,
    reentrantTasks: ["a1", "a2"],
    revokes: true,
    faults: ["drop"],
    maxFaults: 1,
    maxCrashes: 1,
  }),
  "three processes, four tasks, PutBack, suspected, broken, removed": scope(["a1", "a2", "b1", "c1"], {
    faults: ["putBack", "restore"],
    maxFaults: 2,
    maxCrashes: 1,
    ...EVERY_HARM,
  }),
  "three processes, three tasks, Drop, suspected, broken, removed": scope(["a1", "b1", "c1"], {
    local: false,
    faults: ["drop", "evict"],
    maxFaults: 2,
    maxCrashes: 1,
    ...EVERY_HARM,
  }),
  "one process, one task, PutBack, broken, removed, Restore fails": scope(["a1"], {
    faults: ["restore"],
    maxFaults: 2,
    maxCrashes: 0,
    maxBreaks: 3,
    maxRemovals: 3,
  }),
  "two processes, two tasks, Drop, rename merges": scope(["a1", "b1"], {
    local: false,
    merges: true,
    faults: ["take", "drop"],
    maxFaults: 1,
  }),
};

/** A scope that is small enough for every schedule. */
export interface ExhaustiveScope {
  readonly config: Config;
  /** Small enough for every run of the gate too; the others are for `npm run deep`. */
  readonly gate: boolean;
}

function exhaustive(tasks: readonly string[], gate: "gate" | "deep", rest: Partial<Config>): ExhaustiveScope {
  // Nobody crashes, unless a scope says so.
  return { config: scope(tasks, { maxCrashes: 0, ...rest }), gate: gate === "gate" };
}

/** On a local disk every kind may fail. */
const EVERY_FAULT_PUT_BACK = FAULT_KINDS;
const EVERY_FAULT_DROP = ["prepare", "take", "evict", "drop", "retry"] as const;

/**
 * For the exhaustive chooser, by name. Where requests are not counted tasks ask again and again, and the places still
 * are finitely many. With Drop they are counted: a waiter that gives up leaves a name that is owed, up to MAX_DEBTS.
 */
export const EXHAUSTIVE_SCOPES: Readonly<Record<string, ExhaustiveScope>> = {
  "1 process, 3 tasks, exclusive": exhaustive(["a1", "a2", "a3"], "gate", {}),
  "1 process, 3 tasks, two of them reentrant": exhaustive(["a1", "a2", "a3"], "gate", {
    reentrantTasks: ["a1", "a2"],
  }),
  "1 process, 3 tasks, all reentrant": exhaustive(["a1", "a2", "a3"], "gate", {
    reentrantTasks: ["a1", "a2", "a3"],
  }),
  "1 process, 3 tasks, Drop, 4 requests": exhaustive(["a1", "a2", "a3"], "gate", {
    local: false,
    maxRequests: 4,
  }),
  "1 process, 2 tasks, both reentrant, Drop, 3 requests": exhaustive(["a1", "a2"], "gate", {
    reentrantTasks: ["a1", "a2"],
    local: false,
    maxRequests: 3,
  }),
  "1 process, 2 tasks that never give up, Drop, two calls of the way out fail, 3 requests": exhaustive(
    ["a1", "a2"],
    "gate",
    {
      patientTasks: ["a1", "a2"],
      local: false,
      faults: ["drop", "retry"],
      maxFaults: 2,
      maxRequests: 3,
    },
  ),
  "1 process, 2 tasks, restarted twice": exhaustive(["a1", "a2"], "gate", { maxCrashes: 2 }),
  "1 process, 1 task, Drop, restarted twice, 3 requests": exhaustive(["a1"], "gate", {
    local: false,
    maxCrashes: 2,
    maxRequests: 3,
  }),
  "1 process, 2 tasks, a failing call": exhaustive(["a1", "a2"], "gate", {
    faults: EVERY_FAULT_PUT_BACK,
    maxFaults: 1,
  }),
  "1 process, 2 tasks, a missed beat": exhaustive(["a1", "a2"], "gate", { faults: ["beat"], maxFaults: 1 }),
  "1 process, 2 tasks, a vandal": exhaustive(["a1", "a2"], "gate", { maxVandals: 1 }),
  "1 process, 1 task, Take fails three times": exhaustive(["a1"], "gate", {
    faults: ["take"],
    maxFaults: 3,
  }),
  "2 processes, 1 task each, a crash, 4 requests": exhaustive(["a1", "b1"], "gate", {
    maxCrashes: 1,
    maxRequests: 4,
  }),
  "1 process, 2 tasks, the watchdog revokes, 3 requests": exhaustive(["a1", "a2"], "gate", {
    revokes: true,
    maxRequests: 3,
  }),
  "2 processes, 1 task each, Drop, rename does not replace an empty directory, 3 requests": exhaustive(
    ["a1", "b1"],
    "gate",
    { local: false, patientTasks: ["a1", "b1"], renameReplacesEmpty: false, maxRequests: 3 },
  ),
  "2 processes, 1 task each, Drop, Clear fails, 2 requests": exhaustive(["a1", "b1"], "gate", {
    local: false,
    patientTasks: ["a1", "b1"],
    renameReplacesEmpty: false,
    faults: ["clear"],
    maxFaults: 1,
    maxRequests: 2,
  }),
  "1 process, 2 tasks, broken by an operator, Restore fails, 2 requests": exhaustive(["a1", "a2"], "gate", {
    patientTasks: ["a1", "a2"],
    maxBreaks: 1,
    faults: ["restore"],
    maxFaults: 1,
    maxRequests: 2,
  }),
  "1 process, 2 tasks, removed, 2 requests": exhaustive(["a1", "a2"], "gate", {
    patientTasks: ["a1", "a2"],
    maxRemovals: 1,
    maxRequests: 2,
  }),
  "2 processes, 1 task each, one falsely suspected, 2 requests": exhaustive(["a1", "b1"], "deep", {
    patientTasks: ["a1", "b1"],
    maxSuspicions: 1,
    maxRequests: 2,
  }),
  "2 processes, 1 task each, Drop, one falsely suspected, 2 requests": exhaustive(["a1", "b1"], "deep", {
    local: false,
    patientTasks: ["a1", "b1"],
    maxSuspicions: 1,
    maxRequests: 2,
  }),
  "2 processes, 1 task each, broken by an operator, 2 requests": exhaustive(["a1", "b1"], "deep", {
    patientTasks: ["a1", "b1"],
    maxBreaks: 1,
    maxRequests: 2,
  }),
  "2 processes, 1 task each, removed, 2 requests": exhaustive(["a1", "b1"], "deep", {
    patientTasks: ["a1", "b1"],
    maxRemovals: 1,
    maxRequests: 2,
  }),
  "2 processes, 1 task each, Evict fails, a crash, 2 requests": exhaustive(["a1", "b1"], "gate", {
    patientTasks: ["a1", "b1"],
    faults: ["evict"],
    maxFaults: 1,
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "2 processes, 1 task each, Drop, rename does not replace an empty directory": exhaustive(
    ["a1", "b1"],
    "deep",
    { local: false, patientTasks: ["a1", "b1"], renameReplacesEmpty: false },
  ),
  "2 processes, 1 task each, Drop, removed, 2 requests": exhaustive(["a1", "b1"], "deep", {
    local: false,
    patientTasks: ["a1", "b1"],
    maxRemovals: 1,
    maxRequests: 2,
  }),
  "1 process with a guest, a vandal, nobody gives up, 1 request": exhaustive(["a1"], "gate", {
    guestOf: { a: "ga" },
    patientTasks: ["a1"],
    maxVandals: 1,
    maxRequests: 1,
  }),
  "2 processes, one with a guest, a crash, nobody gives up, 2 requests": exhaustive(["a1", "b1"], "gate", {
    guestOf: { a: "ga" },
    patientTasks: ["a1", "b1"],
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "2 processes, one with a guest, a crash, 2 requests": exhaustive(["a1", "b1"], "deep", {
    guestOf: { a: "ga" },
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "1 process with a guest, Drop, a failing call, 1 request": exhaustive(["a1"], "deep", {
    guestOf: { a: "ga" },
    local: false,
    faults: EVERY_FAULT_DROP,
    maxFaults: 1,
    maxRequests: 1,
  }),
  "2 processes, 1 task each, a crash": exhaustive(["a1", "b1"], "deep", { maxCrashes: 1 }),
  "2 processes, 1 task each, a vandal": exhaustive(["a1", "b1"], "deep", { maxVandals: 1 }),
  "1 process, 1 task that never gives up, three vandals": exhaustive(["a1"], "deep", {
    patientTasks: ["a1"],
    maxVandals: 3,
  }),
  "2 processes, 1 task each, Drop, nobody gives up, a crash": exhaustive(["a1", "b1"], "deep", {
    local: false,
    patientTasks: ["a1", "b1"],
    maxCrashes: 1,
  }),
  "2 processes, 1 task each, Drop, a crash, 3 requests": exhaustive(["a1", "b1"], "deep", {
    local: false,
    maxCrashes: 1,
    maxRequests: 3,
  }),
  "2 processes, 1 task each, Drop, a failing call, 2 requests": exhaustive(["a1", "b1"], "deep", {
    local: false,
    faults: EVERY_FAULT_DROP,
    maxFaults: 1,
    maxRequests: 2,
  }),
  "1 process, 1 task, Drop, a failing call, a crash, 2 requests": exhaustive(["a1"], "deep", {
    local: false,
    faults: EVERY_FAULT_DROP,
    maxFaults: 1,
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "2 processes, 2 tasks each, a crash, one may give up": exhaustive(["a1", "a2", "b1", "b2"], "deep", {
    patientTasks: ["a2", "b1", "b2"],
    maxCrashes: 1,
  }),
  "2 processes, 2 tasks each, Drop, nobody gives up, a crash, 3 requests": exhaustive(
    ["a1", "a2", "b1", "b2"],
    "deep",
    { local: false, patientTasks: ["a1", "a2", "b1", "b2"], maxCrashes: 1, maxRequests: 3 },
  ),
};

/** Every configuration that `npm run lockstep` can replay, by the name of its scope. */
export const REPLAYABLE: Readonly<Record<string, Config>> = {
  ...SCOPES,
  ...Object.fromEntries(Object.entries(EXHAUSTIVE_SCOPES).map(([name, { config }]) => [name, config])),
};
