/** Where failures are injected: small enough for every schedule. */

import type { Config, FaultKind } from "../../model/state.ts";
import { EVERY_FAULT_PUT_BACK, scope } from "../lockstep/scopes.ts";

export interface FaultScope {
  readonly config: Config;
  /**
   * `in turn`: at each call another errno of the table of errnos.ts, so that each is injected at some calls; `--deep`:
   * each at every call. `one`: EIO, which stands for those that are not understood.
   */
  readonly errnos: "in turn" | "one";
  readonly gate: boolean;
}

/** A local disk has no Drop but after a failure; on the others there is no PutBack. */
const EVERY_FAULT_DROP: readonly FaultKind[] = ["prepare", "take", "verify", "look", "evict", "drop", "retry"];

function faults(
  tasks: readonly string[],
  errnos: FaultScope["errnos"],
  gate: "gate" | "deep",
  rest: Partial<Config>,
): FaultScope {
  const every = rest.local === false ? EVERY_FAULT_DROP : EVERY_FAULT_PUT_BACK;
  return {
    config: scope(tasks, { maxCrashes: 0, maxFaults: 1, faults: every, ...rest }),
    errnos,
    gate: gate === "gate",
  };
}

export const FAULT_SCOPES: Readonly<Record<string, FaultScope>> = {
  "local, 1 process, 2 tasks": faults(["a1", "a2"], "in turn", "gate", { maxRequests: 2 }),
  "local, 1 process, 2 tasks that share": faults(["a1", "a2"], "in turn", "gate", {
    reentrantTasks: ["a1", "a2"],
    maxRequests: 2,
  }),
  "local, 2 processes": faults(["a1", "b1"], "in turn", "gate", {
    patientTasks: ["a1", "b1"],
    maxRequests: 2,
  }),
  "local, 2 processes, a crash": faults(["a1", "b1"], "in turn", "gate", {
    patientTasks: ["a1", "b1"],
    faults: ["look", "evict"],
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "Drop, 1 process, 1 task": faults(["a1"], "in turn", "gate", { local: false, maxRequests: 2 }),
  "Drop, 1 process, 1 task, a crash": faults(["a1"], "in turn", "gate", {
    local: false,
    patientTasks: ["a1"],
    faults: ["take", "verify", "look", "evict"],
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "local, 1 process, 1 task, two failures": faults(["a1"], "one", "gate", { maxFaults: 2, maxRequests: 1 }),
  "Drop, 1 process, 1 task, two failures": faults(["a1"], "one", "gate", {
    local: false,
    patientTasks: ["a1"],
    maxFaults: 2,
    maxRequests: 1,
  }),
};
