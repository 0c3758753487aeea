/**
 * The encoding is the model, or else nothing is proved: over every state that the explorer reaches, each
 * action has exactly the successors that the model gives it, under the same argument. So each edge satisfies its
 * action's formula, and no other pair of states does.
 */

import { ACTIONS, CONTENDING, type Step, steps, tasksOf } from "../../model/actions.ts";
import { explore } from "../../model/explore.ts";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import { INVARIANTS } from "../../model/properties.ts";
import {
  addLate,
  at,
  type Config,
  insert,
  mapPut,
  PCS,
  type Pc,
  put,
  type State,
  stateKey,
  type Task,
} from "../../model/state.ts";
import { type EncodedAction, encodeActions, encodeInit } from "./actions.ts";
import { Evaluator } from "./evaluate.ts";
import { and } from "./formula.ts";
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
  const compared = new Set<string>();
  const keyOf = (state: State): string => {
    const model = stateKey(state);
    const key = keys.get(model) ?? stateKeyOf(read(state).tables);
    keys.set(model, key);
    return key;
  };
  let [states, edges] = [0, 0];
  explore(ownerDirectory, config, {
    invariants: [],
    stepProperties: [],
    onState: (state) => {
      if (isNameless(state)) return;
      const structure = read(state);
      states++;
      compared.add(stateKey(state));
      keys.set(stateKey(state), stateKeyOf(structure.tables));
      const found = steps(config, state);
      edges += found.length;
      for (const { label } of found) perAction.set(label.action, (perAction.get(label.action) ?? 0) + 1);
      if (differences.length < MOST_DIFFERENCES)
        differences.push(...compare(state, structure, found, keyOf, states === 1));
    },
  });
  const structures = new Set([...compared].map((key) => keys.get(key))).size;
  if (structures !== states) differences.push(`${states} states, but ${structures} structures`);
  return { states, edges, perAction, differences: differences.slice(0, MOST_DIFFERENCES) };
}

/** Without a guard a process may call without a home. The model writes an empty name then: no state of the proof. */
function isNameless(state: State): boolean {
  return stateKey(state).includes('""');
}

/**
 * The proof starts from every state that satisfies the invariant, reached or not, so the encoding must be the model
 * there too. Every `nth` reachable state is changed here and there; what still satisfies the invariant, and was
 * not reached, is compared.
 */
export function compareBeyond(config: Config, nth: number): Omit<Comparison, "edges" | "perAction"> {
  const universe = universeOf(config, 1);
  const read = structureReader(config, universe);
  const evaluator = new Evaluator(universe);
  const invariant = evaluator.formula(and(...CONJUNCTS.map(({ formula }) => formula)));
  const compare = comparer(config, universe, encodeActions(), CONJUNCTS);
  const reached = new Map<string, State>();
  explore(ownerDirectory, config, {
    invariants: [],
    stepProperties: [],
    onState: (state) => reached.set(stateKey(state), state),
  });
  const differences: string[] = [];
  const beyond = new Set<string>();
  for (const [i, state] of [...reached.values()].entries()) {
    if (i % nth !== 0) continue;
    for (const changed of neighbours(config, universe.Name, state)) {
      const key = stateKey(changed);
      if (reached.has(key) || beyond.has(key)) continue;
      const structure = read(changed);
      if (!invariant(structure)) continue;
      beyond.add(key);
      const keyOf = (next: State): string => stateKeyOf(read(next).tables);
      differences.push(...compare(changed, structure, steps(config, changed), keyOf, false));
    }
  }
  return { states: beyond.size, differences: differences.slice(0, MOST_DIFFERENCES) };
}

/** One task goes somewhere else, with what the registry says of it; and one more thing is different. */
function neighbours(c: Config, names: readonly string[], s: State): readonly State[] {
  return c.tasks.flatMap((t) =>
    PCS.flatMap((pc) => {
      const moved = moveTask(c, s, t, pc);
      const p = at(c.procOf, t);
      return [
        moved,
        { ...moved, lock: null },
        { ...moved, lock: [] },
        { ...moved, home: put(moved.home, p, null) },
        { ...moved, releasing: put(moved.releasing, p, null) },
        { ...moved, owes: put(moved.owes, p, []) },
        { ...moved, gaveUp: insert(moved.gaveUp, t) },
        { ...moved, homes: [] },
        ...names.flatMap((name): State[] => [
          { ...moved, lock: [name] },
          { ...moved, lock: [name], homes: [], home: put(moved.home, p, name) },
          { ...moved, home: put(moved.home, p, name) },
          {
            ...moved,
            home: put(moved.home, p, name),
            releasing: put(moved.releasing, p, { name, aside: false }),
          },
          { ...moved, homes: mapPut(moved.homes, name, [name]) },
          { ...moved, homes: mapPut(moved.homes, name, []) },
          { ...moved, owes: put(moved.owes, p, mapPut(at(moved.owes, p), name, "unlinkHome" as const)) },
          { ...moved, seen: { ...moved.seen, [t]: [name] } },
          { ...moved, late: addLate(moved.late, [{ op: "take", name }]) },
          { ...moved, late: addLate(moved.late, [{ op: "unlinkLock", name }]) },
        ]),
      ];
    }),
  );
}

function moveTask(c: Config, s: State, t: Task, pc: Pc): State {
  const pcs = { ...s.pc, [t]: pc };
  const mine = tasksOf(c, at(c.procOf, t));
  const p = at(c.procOf, t);
  const queued = at(s.queue, p).filter((u) => u !== t);
  return {
    ...s,
    pc: pcs,
    contender: { ...s.contender, [p]: mine.find((u) => CONTENDING.includes(at(pcs, u))) ?? null },
    heldLocks: { ...s.heldLocks, [p]: mine.filter((u) => at(pcs, u) === "holding") },
    queue: { ...s.queue, [p]: pc === "queued" ? [...queued, t] : queued },
  };
}

/** The finite stock of names is larger than what is used; fewer names make smaller tables. */
function ordinalsInUse(config: Config): number {
  let most = 1;
  explore(ownerDirectory, config, {
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
  isInitial: boolean,
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
  return (state, structure, found, keyOf, isInitial) => {
    const differences: string[] = [];
    const [initial] = init(structure);
    const equalsInitial = initial !== undefined && stateKeyOf(initial.next) === stateKeyOf(structure.tables);
    if (equalsInitial !== isInitial)
      differences.push(`Init says ${equalsInitial} of ${JSON.stringify(state)}`);
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
