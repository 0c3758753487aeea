/** Which properties a broken model violates, each with its shortest run: one search for all of them. */

import { explore } from "../../model/explore.ts";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import { type Config, initialState, type State } from "../../model/state.ts";

export interface Violations {
  /** Of each property that is violated: the states of a shortest run. */
  readonly lengths: Readonly<Record<string, number>>;
  /** States that were looked at; `whole`: those were all. */
  readonly states: number;
  readonly whole: boolean;
}

/** The properties that the explorer checks, and the deadlock. */
export const PROPERTIES: readonly string[] = [
  ...ownerDirectory.invariants.map(({ name }) => name),
  ...ownerDirectory.stepProperties.map(({ name }) => name),
  "Deadlock",
];

/** A broken model has states without end or sense; what is violated is violated early. */
const MOST_STATES = 30_000;

class Enough extends Error {}

export function violationsOf(config: Config): Violations {
  const lengths: Record<string, number> = {};
  const depths = [1];
  const known: State[] = [initialState(config)];
  const violated = (name: string, length: number): void => {
    lengths[name] ??= length;
  };
  let whole = true;
  try {
    const { deadlock } = explore(ownerDirectory, config, {
      invariants: [],
      stepProperties: [],
      onEdge: (from, step, to) => {
        const [before, depth = 0] = [known[from], depths[from]];
        if (before === undefined) return;
        if (depths[to] === undefined) {
          depths[to] = depth + 1;
          known[to] = step.next;
          for (const { name, holds } of ownerDirectory.invariants) {
            if (lengths[name] === undefined && !holds(config, step.next)) violated(name, depth + 1);
          }
        }
        for (const { name, holds } of ownerDirectory.stepProperties) {
          if (lengths[name] === undefined && !holds(config, before, step)) violated(name, depth + 1);
        }
        if (known.length >= MOST_STATES) throw new Enough();
      },
    });
    if (deadlock !== null) violated("Deadlock", deadlock.states.length);
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
    whole = false;
  }
  return { lengths, states: known.length, whole };
}
