/**
 * The encoding is the model, or else nothing is proved: over every state that the explorer reaches, each
 * action has exactly the successors that the model gives it, under the same argument. So each edge satisfies its
 * action's formula, and no other pair of states does.
 */

import { ACTIONS, type Step, steps } from "../../model/actions.ts";
import { explore } from "../../model/explore.ts";
import { INVARIANTS } from "../../model/properties.ts";
import { type Config, type State, stateKey } from "../../model/state.ts";
import { type EncodedAction, encodeActions, encodeInit } from "./actions.ts";
import { Evaluator } from "./evaluate.ts";
import { CONJUNCTS, CONSEQUENCES, type Conjunct } from "./invariant.ts";
import { type Structure, stateKeyOf, structureReader, type Universe, universeOf } from "./structure.ts";

export interface Comparison {
  readonly states: number;
  readonly edges: number;
  /** How often each action was compared: an action that never ran was not compared. */
  readonly perAction: ReadonlyMap<string, number>;
  /** In words, the first few. */
  readonly differences: readonly string[];
}

const MOST_DIFFERENCES = 10;

/**
 * Compares every reachable state, and every edge from a state that satisfies the invariant: without `broken` that
 * must be all of them.
 */
export function compareWithModel(
  config: Config,
  actions: readonly EncodedAction[] = encodeActions(config.broken),
  conjuncts: readonly Conjunct[] = CONJUNCTS,
): Comparison {
  const universe = universeOf(config, ordinalsInUse(config));
  const read = structureReader(config, universe);
  const compare = comparer(config, universe, actions, conjuncts);
  const differences: string[] = [];
  const perAction = new Map<string, number>();
  // The key of a state's structure, by the model's own key.
  const keys = new Map<string, string>();
  const keyOf = (state: State): string => {
    const model = stateKey(state);
    const key = keys.get(model) ?? stateKeyOf(read(state).tables);
    keys.set(model, key);
    return key;
  };
  let [states, edges] = [0, 0];
  explore(config, {
    invariants: [],
    stepProperties: [],
    onState: (state) => {
      const structure = read(state);
      states++;
      keys.set(stateKey(state), stateKeyOf(structure.tables));
      const found = steps(config, state);
      edges += found.length;
      for (const { label } of found) perAction.set(label.action, (perAction.get(label.action) ?? 0) + 1);
      if (differences.length < MOST_DIFFERENCES) differences.push(...compare(state, structure, found, keyOf));
    },
  });
  const structures = new Set(keys.values()).size;
  if (structures !== states) differences.push(`${states} states, but ${structures} structures`);
  return { states, edges, perAction, differences: differences.slice(0, MOST_DIFFERENCES) };
}

/** The finite stock of names is larger than what is used; fewer names make smaller tables. */
function ordinalsInUse(config: Config): number {
  let most = 1;
  explore(config, {
    invariants: [],
    stepProperties: [],
    onState: (state) => {
      for (const [, k] of JSON.stringify(state).matchAll(/"\w+\.\d+\.(\d+)"/g))
        most = Math.max(most, Number(k));
    },
  });
  // One more, for the names that a Prepare may choose and no state has.
  return Math.min(most + 1, config.namesPerLife);
}

type Compare = (
  s: State,
  structure: Structure,
  found: readonly Step[],
  keyOf: (s: State) => string,
) => string[];

function comparer(
  config: Config,
  universe: Universe,
  encoded: readonly EncodedAction[],
  invariant: readonly Conjunct[],
): Compare {
  const evaluator = new Evaluator(universe);
  const actions = encoded.map((action) => ({ action, run: evaluator.action(action) }));
  const init = evaluator.action(encodeInit());
  const properties = CONSEQUENCES.map(({ name, formula }) => ({
    name,
    formula: evaluator.formula(formula),
    model: INVARIANTS.find((invariant) => invariant.name === name),
  }));
  const conjuncts = invariant.map(({ name, formula }) => ({ name, holds: evaluator.formula(formula) }));
  let isInitial = true;
  return (state, structure, found, keyOf) => {
    const differences: string[] = [];
    const [initial] = init(structure);
    const equalsInitial = initial !== undefined && stateKeyOf(initial.next) === stateKeyOf(structure.tables);
    if (equalsInitial !== isInitial)
      differences.push(`Init says ${equalsInitial} of ${JSON.stringify(state)}`);
    isInitial = false;
    for (const { name, formula, model } of properties) {
      if (model === undefined) differences.push(`the model has no ${name}`);
      else if (formula(structure) !== model.holds(config, state))
        differences.push(`${name} in ${JSON.stringify(state)}`);
    }
    const falseConjuncts = conjuncts.filter(({ holds }) => !holds(structure));
    if (config.broken.length === 0) {
      for (const { name } of falseConjuncts) {
        differences.push(`the invariant's ${name} is false in ${JSON.stringify(state)}`);
      }
    }
    // The proof is about steps from states that satisfy the invariant; without a guard there are others.
    if (falseConjuncts.length > 0) return differences;
    for (const { action, run } of actions) {
      const ours = new Set(
        run(structure).map(({ args, next }) => `${labelOf(action, args)} ${stateKeyOf(next)}`),
      );
      const theirs = new Set(
        found
          .filter(({ label }) => label.action === action.name)
          .map(({ label, next }) => `${label.arg} ${keyOf(next)}`),
      );
      const missing = [...theirs].filter((step) => !ours.has(step)).length;
      const extra = [...ours].filter((step) => !theirs.has(step)).length;
      if (missing + extra > 0) {
        differences.push(
          `${action.name}: ${missing} edges missing, ${extra} too many, from ${JSON.stringify(state)}`,
        );
      }
    }
    return differences;
  };
}

/** The argument as the model writes it: Retry(p, n) is Retry(n) there, LateEffect(c) has the call's words. */
function labelOf({ params }: EncodedAction, args: readonly string[]): string {
  if (params.length === 1) return args[0] ?? "";
  return params[0]?.sort === "Proc" ? (args[1] ?? "") : args.join(" ");
}

/** The actions that none of these comparisons saw. */
export function uncompared(comparisons: readonly Comparison[]): readonly string[] {
  return ACTIONS.filter((name) => !comparisons.some(({ perAction }) => (perAction.get(name) ?? 0) > 0));
}
