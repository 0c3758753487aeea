/** Where failures are injected: small enough for every schedule. */

import { type Config, FAULT_KINDS, type FaultKind } from "../../model/state.ts";
import { scope } from "../lockstep/scopes.ts";

export interface FaultScope {
  readonly config: Config;
  /** What fails with the whole table of errnos.ts, at each call; the rest with EIO, which stands for all of them. */
  readonly withEveryErrno: readonly FaultKind[];
  readonly gate: boolean;
}

/** A local disk has no Drop but after a failure; on the others there is no PutBack. */
const EVERY_FAULT_DROP: readonly FaultKind[] = [
  "prepare",
  "take",
  "verify",
  "look",
  "evict",
  "drop",
  "retry",
];

function faults(
  tasks: readonly string[],
  errnos: "every errno" | "EIO" | readonly FaultKind[],
  gate: "gate" | "deep",
  rest: Partial<Config>,
): FaultScope {
  const every = rest.local === false ? EVERY_FAULT_DROP : FAULT_KINDS;
  const config = scope(tasks, { maxCrashes: 0, maxFaults: 1, faults: every, ...rest });
  const withEveryErrno = errnos === "every errno" ? config.faults : errnos === "EIO" ? [] : errnos;
  return { config, withEveryErrno, gate: gate === "gate" };
}

export const FAULT_SCOPES: Readonly<Record<string, FaultScope>> = {
  "local, 1 process, 2 tasks": faults(["a1", "a2"], "every errno", "gate", { maxRequests: 2 }),
  "local, 2 processes, takes and looks": faults(["a1", "b1"], "EIO", "gate", {
    patientTasks: ["a1", "b1"],
    faults: ["take", "look"],
    maxRequests: 2,
  }),
  "local, 1 process, 1 task, a crash, looks and evictions": faults(["a1"], "every errno", "gate", {
    faults: ["look", "evict"],
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "local, 1 process, 1 task, two failures of a release": faults(["a1"], ["restore", "retry"], "gate", {
    patientTasks: ["a1"],
    faults: ["check", "putBack", "confirm", "restore", "drop", "retry"],
    maxFaults: 2,
    maxRequests: 1,
  }),
  "Drop, 1 process, 1 task": faults(["a1"], "every errno", "gate", { local: false, maxRequests: 1 }),
  "Drop, 1 process, 1 task, a Drop and its Retry fail": faults(["a1"], ["retry"], "gate", {
    local: false,
    patientTasks: ["a1"],
    faults: ["drop", "retry"],
    maxFaults: 2,
    maxRequests: 1,
  }),
  "local, 1 process, 2 tasks that share": faults(["a1", "a2"], "every errno", "deep", {
    reentrantTasks: ["a1", "a2"],
    maxRequests: 3,
  }),
  "local, 1 process, 3 tasks, again and again": faults(["a1", "a2", "a3"], "every errno", "deep", {}),
  "local, 2 processes": faults(["a1", "b1"], "every errno", "deep", { maxRequests: 2 }),
  "local, 2 processes, a crash": faults(["a1", "b1"], "every errno", "deep", {
    patientTasks: ["a1"],
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "local, 1 process, 1 task, three failures": faults(["a1"], "EIO", "deep", { maxFaults: 3, maxRequests: 1 }),
  "local, 2 processes, two failures": faults(["a1", "b1"], "EIO", "deep", {
    patientTasks: ["a1", "b1"],
    maxFaults: 2,
    maxRequests: 2,
  }),
  "Drop, 1 process, 1 task, a crash": faults(["a1"], "every errno", "deep", {
    local: false,
    maxCrashes: 1,
    maxRequests: 2,
  }),
  "Drop, 1 process, 2 tasks": faults(["a1", "a2"], "every errno", "deep", { local: false, maxRequests: 2 }),
  "Drop, 2 processes": faults(["a1", "b1"], "every errno", "deep", {
    local: false,
    patientTasks: ["a1", "b1"],
    maxRequests: 2,
  }),
  "Drop, 1 process, 1 task, every two failures": faults(["a1"], "EIO", "deep", {
    local: false,
    maxFaults: 2,
    maxRequests: 1,
  }),
};
