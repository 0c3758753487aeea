/** The scopes of lockstep: configurations of the model that programs are run at. */

import type { Config } from "../../model/state.ts";
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
    ...rest,
  };
}

/** By name, for the tests and for `npm run lockstep`. */
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
  "three processes, three tasks, PutBack": scope(["a1", "b1", "c1"], {}),
  "three processes, five tasks, Drop and late effects": scope(["a1", "a2", "b1", "c1", "c2"], {
    local: false,
    faults: ["drop", "take"],
    maxFaults: 2,
  }),
};
