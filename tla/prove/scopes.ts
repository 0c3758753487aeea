/** The scopes at which the encoding is compared with the model, state by state. Their bounds are of size only. */

import { type Config, NOTHING_OVERRIDDEN } from "../../model/state.ts";

export interface Scope {
  readonly config: Config;
  /** Too large for the gate. */
  readonly deep: boolean;
}

const TWO_AND_ONE: Config = {
  procs: ["a", "b"],
  tasks: ["a1", "a2", "b1"],
  procOf: { a1: "a", a2: "a", b1: "b" },
  pidOf: { a: "a", b: "b" },
  guestOf: {},
  reentrantTasks: [],
  patientTasks: [],
  local: true,
  faults: [],
  maxDebts: 1,
  namesPerLife: 6,
  maxCrashes: 0,
  maxFaults: 0,
  maxVandals: 0,
  maxRequests: 2,
  broken: [],
  ...NOTHING_OVERRIDDEN,
};
const ONE_AND_ONE: Config = {
  ...TWO_AND_ONE,
  tasks: ["a1", "b1"],
  procOf: { a1: "a", b1: "b" },
};
const TWO: Config = {
  ...TWO_AND_ONE,
  procs: ["a"],
  tasks: ["a1", "a2"],
  procOf: { a1: "a", a2: "a" },
  pidOf: { a: "a" },
};
const ONE: Config = { ...TWO, tasks: ["a1"], procOf: { a1: "a" }, local: false };
const THREE: Config = {
  ...TWO,
  tasks: ["a1", "a2", "a3"],
  procOf: { a1: "a", a2: "a", a3: "a" },
};

const EVERY_FAULT_OF_DROP = ["prepare", "take", "drop", "evict", "retry"] as const;

const gate = (config: Config): Scope => ({ config, deep: false });
const deep = (config: Config): Scope => ({ config, deep: true });

export const SCOPES: Readonly<Record<string, Scope>> = {
  "local, two tasks in a process, a vandal": gate({
    ...TWO_AND_ONE,
    patientTasks: ["a2", "b1"],
    maxVandals: 1,
  }),
  "local, a crash": gate({ ...ONE_AND_ONE, faults: ["evict", "look"], maxFaults: 1, maxCrashes: 1 }),
  "local, one process, two of three reentrant, a fault": gate({
    ...THREE,
    reentrantTasks: ["a1", "a2"],
    patientTasks: ["a1"],
    faults: ["prepare", "take", "putBack", "drop", "retry", "beat"],
    maxFaults: 1,
    maxRequests: 3,
  }),
  "local, two tasks in one process, two calls fail, and looks among them": gate({
    ...TWO,
    patientTasks: ["a2"],
    faults: ["take", "verify", "look", "check", "confirm", "restore"],
    maxFaults: 2,
  }),
  "Drop, late effects, a crash": gate({
    ...ONE_AND_ONE,
    patientTasks: ["a1", "b1"],
    local: false,
    faults: ["drop"],
    maxFaults: 1,
    maxCrashes: 1,
  }),
  "local, no limit of requests": gate({ ...TWO, reentrantTasks: ["a1", "a2"], maxRequests: 0 }),
  "Drop, two tasks in one process, every fault": gate({
    ...TWO,
    local: false,
    patientTasks: ["a2"],
    faults: EVERY_FAULT_OF_DROP,
    maxFaults: 1,
    maxRequests: 3,
  }),
  "Drop, one task, a release and its debt fail": gate({
    ...ONE,
    patientTasks: ["a1"],
    faults: ["drop", "retry"],
    maxFaults: 2,
    maxRequests: 1,
  }),
  "Drop, one task, a crash, a take or an eviction fails": gate({
    ...ONE,
    faults: ["take", "evict"],
    maxFaults: 1,
    maxCrashes: 1,
  }),
  "Drop, rename does not replace an empty directory, Clear fails, a crash": gate({
    ...ONE_AND_ONE,
    local: false,
    renameReplacesEmpty: false,
    patientTasks: ["a1", "b1"],
    faults: ["clear"],
    maxFaults: 1,
    maxCrashes: 1,
  }),
  "local, two tasks in one process, a crash": gate({
    ...TWO,
    patientTasks: ["a2"],
    maxCrashes: 1,
    maxRequests: 3,
  }),
  "local, two tasks in a process, every fault, a vandal": deep({
    ...TWO_AND_ONE,
    patientTasks: ["b1"],
    faults: ["prepare", "take", "putBack", "drop", "retry"],
    maxFaults: 1,
    maxVandals: 1,
  }),
  "Drop, late effects, a crash, every fault": deep({
    ...ONE_AND_ONE,
    local: false,
    faults: EVERY_FAULT_OF_DROP,
    maxFaults: 1,
    maxCrashes: 1,
  }),
  "Drop, two tasks in a process, faults": deep({
    ...TWO_AND_ONE,
    local: false,
    patientTasks: ["a2"],
    faults: ["prepare", "drop", "retry"],
    maxDebts: 2,
    maxFaults: 1,
  }),
};

/** Cases that no state of the invariant allows: dead premises, which would make a row hold for nothing. */
export const IMPOSSIBLE: readonly string[] = [
  "Refused 4",
  "Refused 6",
  "Refused 7",
  "Judge 6",
  "Judge 8",
  "Judge 9",
  "GiveUp 3",
  "PutBack 1",
  "Released 4",
  "Retried 4",
  "LateEffect 2",
  "LateEffect 3",
];

/** Cases that the invariant allows and no run reaches: compared in states that are made up (compareBeyond). */
export const UNREACHED: readonly string[] = ["Evict 1", "Check 1", "Released 0", "Released 3"];
