/** The scopes at which the encoding is compared with the model, state by state. Bounds of size, as in a .cfg file. */

import type { Config } from "../../model/state.ts";

const TWO_AND_ONE: Config = {
  procs: ["a", "b"],
  tasks: ["a1", "a2", "b1"],
  procOf: { a1: "a", a2: "a", b1: "b" },
  pidOf: { a: "a", b: "b" },
  reentrantTasks: [],
  patientTasks: [],
  local: true,
  faults: [],
  maxDebts: 1,
  namesPerLife: 6,
  maxCrashes: 0,
  maxFaults: 0,
  maxVandals: 0,
  maxRequests: 3,
  broken: [],
};
const ONE_AND_ONE: Config = { ...TWO_AND_ONE, tasks: ["a1", "b1"], maxRequests: 2 };
const THREE: Config = {
  ...TWO_AND_ONE,
  procs: ["a"],
  tasks: ["a1", "a2", "a3"],
  procOf: { a1: "a", a2: "a", a3: "a" },
  pidOf: { a: "a" },
};

export const SCOPES: Readonly<Record<string, Config>> = {
  "local, two tasks in a process, a fault, a vandal": {
    ...TWO_AND_ONE,
    patientTasks: ["b1"],
    faults: ["prepare", "take", "putBack", "drop", "retry"],
    maxFaults: 1,
    maxVandals: 1,
    maxRequests: 2,
  },
  "local, a crash": { ...ONE_AND_ONE, faults: ["evict"], maxFaults: 1, maxCrashes: 1 },
  "local, one process, reentrant": { ...THREE, reentrantTasks: ["a1", "a2"], maxRequests: 4 },
  "Drop, late effects, a crash": {
    ...ONE_AND_ONE,
    local: false,
    faults: ["take", "drop", "evict"],
    maxFaults: 1,
    maxCrashes: 1,
  },
  "Drop, two tasks in a process, faults": {
    ...TWO_AND_ONE,
    local: false,
    patientTasks: ["a2"],
    faults: ["prepare", "drop", "retry"],
    maxDebts: 2,
    maxFaults: 1,
    maxRequests: 2,
  },
};
