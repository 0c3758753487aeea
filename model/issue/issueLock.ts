/** IssueLock.tla as a machine for the explorer. */

import type { Machine } from "../machine.ts";
import { ACTIONS, type Step, steps } from "./actions.ts";
import { INVARIANTS, STEP_PROPERTIES } from "./properties.ts";
import { type Config, initialState, type State } from "./state.ts";

export const issueLock: Machine<Config, State, Step> = {
  actions: ACTIONS,
  initialStates: (c) => [initialState(c)],
  steps,
  key: (s) => JSON.stringify(s),
  byFields: true,
  // Requests are not counted: somebody can always ask again, or a dead process start.
  isFinished: () => false,
  invariants: INVARIANTS,
  stepProperties: STEP_PROPERTIES,
};
