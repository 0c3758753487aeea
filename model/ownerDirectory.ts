/** OwnerDirectory.tla as a machine for the explorer. */

import { ACTIONS, type Step, steps } from "./actions.ts";
import type { Machine } from "./machine.ts";
import { INVARIANTS, STEP_PROPERTIES, WEAKER_INVARIANTS, WEAKER_STEP_PROPERTIES } from "./properties.ts";
import { at, type Config, initialState, type State, stateKey } from "./state.ts";

export const ownerDirectory: Machine<Config, State, Step> = {
  actions: ACTIONS,
  initialStates: (c) => [initialState(c)],
  steps,
  key: stateKey,
  byFields: true,
  isFinished,
  invariants: [...INVARIANTS, ...WEAKER_INVARIANTS],
  stepProperties: [...STEP_PROPERTIES, ...WEAKER_STEP_PROPERTIES],
};

/** `Finished` of the specification: counted requests are used up, and AllIdle. */
function isFinished(c: Config, s: State): boolean {
  const idle = c.tasks.every((t) => at(s.pc, t) === "idle" && !s.revoked.includes(t));
  const nothingToCome = s.late.length === 0;
  const quiet = c.procs.every(
    (p) => at(s.owes, p).length === 0 && at(s.releasing, p) === null && at(s.contender, p) === null,
  );
  return c.maxRequests > 0 && s.budget.request === 0 && idle && quiet && nothingToCome;
}
