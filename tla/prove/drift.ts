/**
 * The encoding is the model, or else nothing is proved: over every state that the explorer reaches, each
 * action has exactly the successors that the model gives it, under the same argument. So each edge satisfies its
 * action's formula, and no other pair of states does.
 */

import { CONTENDING, type Step, steps, tasksOf } from "../../model/actions.ts";
import { explore } from "../../model/explore.ts";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import { INVARIANTS, STEP_PROPERTIES } from "../../model/properties.ts";
import {
  addLate,
  at,
  type Config,
  insert,
  lives,
  mapPut,
  PCS,
  type Pc,
  put,
  type State,
  stateKey,
  type Task,
} from "../../model/state.ts";
import { type EncodedAction, encodeActions, encodeInit } from "./actions.ts";
import { type EvaluatedStep, Evaluator } from "./evaluate.ts";
import { and } from "./formula.ts";
import { CONJUNCTS, CONSEQUENCES, type Conjunct } from "./invariant.ts";
import { STEP_PROPERTY, type Touch, touches } from "./obligations.ts";
import { type Structure, stateKeyOf, structureReader, type Universe, universeOf } from "./structure.ts";

export interface Comparison {
  readonly states: number;
  readonly edges: number;
  /** The cases that gave an edge, as `Take 0`: a case that never did was not compared. */
  readonly cases: ReadonlySet<string>;
  /** The claims that were true somewhere, and those that were false: one that never was false may say nothing. */
  readonly seen: { readonly true: ReadonlySet<string>; readonly false: ReadonlySet<string> };
  /** In words, the first few. */
  readonly differences: readonly string[];
}

/** What is compared; a part of it may be another's, to see that the comparison finds that. */
export interface Encoding {
  readonly actions: readonly EncodedAction[];
  readonly conjuncts: readonly Conjunct[];
  readonly consequences: readonly Conjunct[];
  readonly touches: (action: EncodedAction) => readonly Touch[];
}

const MOST_DIFFERENCES = 10;

/**
 * Compares every reachable state, and every edge from a state that satisfies the invariant: without `broken` that
 * must be all of them.
 */
export function compareWithModel(config: Config, other: Partial<Encoding> = {}): Comparison {
  const universe = universeOf(config, ordinalsInUse(config));
  const read = structureReader(config, universe);
  const comparer = new Comparer(config, universe, other);
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
      if (comparer.isFull()) return;
      comparer.compareInit(structure, states === 1);
      comparer.compareClaims(state, structure);
      if (comparer.satisfiesInvariant(state, structure)) {
        comparer.compareSteps(state, structure, found, keyOf);
      }
    },
  });
  const structures = new Set([...compared].map((key) => keys.get(key))).size;
  if (structures !== states) comparer.differs(`${states} states, but ${structures} structures`);
  return { states, edges, ...comparer.result() };
}

/** Without a guard a process may call without a home. The model writes an empty name then: no state of the proof. */
function isNameless(state: State): boolean {
  return stateKey(state).includes('""');
}

/**
 * The proof starts from every state that satisfies the invariant, reached or not, so the encoding must be the model
 * there too. Every `nth` reachable state is changed here and there; what still satisfies the invariant, and was
 * not reached, is compared. What follows from the invariant is compared in the others too: there it may be false.
 */
export function compareBeyond(
  config: Config,
  nth: number,
  other: Partial<Encoding> = {},
): Omit<Comparison, "edges"> {
  const universe = universeOf(config, Math.min(2, config.namesPerLife));
  const read = structureReader(config, universe);
  const comparer = new Comparer(config, universe, other);
  const reached = new Map<string, State>();
  explore(ownerDirectory, config, {
    invariants: [],
    stepProperties: [],
    onState: (state) => reached.set(stateKey(state), state),
  });
  const changed = new Map<string, State>();
  for (const [i, state] of [...reached.values()].entries()) {
    if (i % nth !== 0) continue;
    for (const neighbour of neighbours(config, universe.Name, state)) {
      if (!reached.has(stateKey(neighbour))) changed.set(stateKey(neighbour), neighbour);
    }
  }
  let states = 0;
  const keyOf = (next: State): string => stateKeyOf(read(next).tables);
  for (const state of changed.values()) {
    const structure = read(state);
    comparer.compareClaims(state, structure);
    if (!comparer.invariantHolds(structure)) continue;
    states++;
    comparer.compareSteps(state, structure, steps(config, state), keyOf);
  }
  return { states, ...comparer.result() };
}

/** One task goes somewhere else, with what the registry says of it; and one more thing is different. */
function neighbours(c: Config, names: readonly string[], s: State): readonly State[] {
  return c.tasks.flatMap((t) =>
    PCS.flatMap((pc) => {
      const moved = moveTask(c, s, t, pc);
      const p = at(c.procOf, t);
      return [
        moved,
        { ...s, pc: { ...s.pc, [t]: pc } },
        { ...moved, seen: { ...moved.seen, [t]: names.filter((name) => !lives(s, name)) } },
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

interface Compiled {
  readonly name: string;
  readonly holds: (structure: Structure) => boolean;
}

class Comparer {
  readonly #config: Config;
  readonly #init: (structure: Structure) => readonly EvaluatedStep[];
  readonly #conjuncts: readonly Compiled[];
  readonly #consequences: readonly Compiled[];
  readonly #actions: readonly {
    readonly action: EncodedAction;
    readonly run: (structure: Structure) => readonly EvaluatedStep[];
    readonly touching: (structure: Structure) => readonly EvaluatedStep[];
  }[];
  readonly #differences: string[] = [];
  readonly #cases = new Set<string>();
  readonly #seen = { true: new Set<string>(), false: new Set<string>() };

  constructor(config: Config, universe: Universe, other: Partial<Encoding>) {
    const evaluator = new Evaluator(universe);
    const encoding: Encoding = {
      actions: encodeActions(config.broken),
      conjuncts: CONJUNCTS,
      consequences: CONSEQUENCES,
      touches: (action) => touches(action),
      ...other,
    };
    const compiled = ({ name, formula }: Conjunct): Compiled => ({ name, holds: evaluator.formula(formula) });
    this.#config = config;
    this.#init = evaluator.action(encodeInit());
    this.#conjuncts = encoding.conjuncts.map(compiled);
    this.#consequences = encoding.consequences.map(compiled);
    this.#actions = encoding.actions.map((action) => ({
      action,
      run: evaluator.action(action),
      touching: evaluator.action(touchingOnly(action, encoding.touches(action))),
    }));
  }

  result(): Pick<Comparison, "cases" | "seen" | "differences"> {
    const differences = this.#differences.slice(0, MOST_DIFFERENCES);
    return { cases: this.#cases, seen: this.#seen, differences };
  }

  isFull(): boolean {
    return this.#differences.length >= MOST_DIFFERENCES;
  }

  differs(how: string): void {
    this.#differences.push(how);
  }

  invariantHolds(structure: Structure): boolean {
    return this.#conjuncts.every(({ holds }) => holds(structure));
  }

  /** The proof is about steps from such states. Only without a guard there are others. */
  satisfiesInvariant(state: State, structure: Structure): boolean {
    const wrong = this.#conjuncts.filter(({ holds }) => !holds(structure));
    if (this.#config.broken.length === 0) {
      for (const { name } of wrong)
        this.differs(`the invariant's ${name} is false in ${JSON.stringify(state)}`);
    }
    return wrong.length === 0;
  }

  compareInit(structure: Structure, isInitial: boolean): void {
    const [initial] = this.#init(structure);
    const equals = initial !== undefined && stateKeyOf(initial.next) === stateKeyOf(structure.tables);
    if (equals !== isInitial) this.differs(`Init says ${equals} of a state that is initial: ${isInitial}`);
  }

  /** What follows from the invariant is what the model promises under that name. */
  compareClaims(state: State, structure: Structure): void {
    for (const { name, holds } of this.#consequences) {
      const model = INVARIANTS.find((invariant) => invariant.name === name);
      if (model === undefined) throw new Error(`the model has no ${name}`);
      const expected = model.holds(this.#config, state);
      this.#seen[`${expected}`].add(name);
      if (holds(structure) !== expected) this.differs(`${name} in ${JSON.stringify(state)}`);
    }
  }

  compareSteps(
    state: State,
    structure: Structure,
    found: readonly Step[],
    keyOf: (s: State) => string,
  ): void {
    const encoded = this.#actions.map(({ action }) => action.name);
    const other = found.find(({ label }) => !encoded.includes(label.action));
    if (other !== undefined) this.differs(`${other.label.action} is not encoded, and the model takes it`);
    for (const { action, run, touching } of this.#actions) {
      const evaluated = run(structure);
      for (const step of evaluated) this.#cases.add(`${action.name} ${step.case}`);
      const theirs = found.filter(({ label }) => label.action === action.name);
      const textOf = ({ label, next }: Step): string => `${label.arg} ${keyOf(next)}`;
      const where = `from ${JSON.stringify(state)}`;
      this.#compareSets(`${action.name}`, textsOf(action, evaluated), theirs.map(textOf), where);
      const touch = theirs.filter((step) => !this.#isUntouching(state, step));
      this.#compareSets(
        `${STEP_PROPERTY} of ${action.name}`,
        textsOf(action, touching(structure)),
        touch.map(textOf),
        where,
      );
    }
  }

  #isUntouching(state: State, step: Step): boolean {
    const model = STEP_PROPERTIES.find(({ name }) => name === STEP_PROPERTY);
    if (model === undefined) throw new Error(`the model has no ${STEP_PROPERTY}`);
    const holds = model.holds(this.#config, state, step);
    this.#seen[`${holds}`].add(STEP_PROPERTY);
    return holds;
  }

  #compareSets(what: string, ours: readonly string[], theirs: readonly string[], where: string): void {
    const [inOurs, inTheirs] = [new Set(ours), new Set(theirs)];
    const missing = [...inTheirs].filter((step) => !inOurs.has(step)).length;
    const extra = [...inOurs].filter((step) => !inTheirs.has(step)).length;
    if (missing + extra > 0) this.differs(`${what}: ${missing} edges missing, ${extra} too many, ${where}`);
  }
}

/** The action, but only the steps that touch the lock of another. */
function touchingOnly(action: EncodedAction, found: readonly Touch[]): EncodedAction {
  const cases = found.map(({ one, chosen, formula }) => ({
    chosen,
    guard: and(one.guard, formula),
    updates: one.updates,
  }));
  return { ...action, cases };
}

function textsOf(action: EncodedAction, found: readonly EvaluatedStep[]): readonly string[] {
  return found.map(({ args, next }) => `${labelOf(action, args)} ${stateKeyOf(next)}`);
}

/** The argument as the model writes it: Retry(p, n) is Retry(n) there, LateEffect(c) has the call's words. */
function labelOf({ params }: EncodedAction, args: readonly string[]): string {
  if (params.length === 1) return args[0] ?? "";
  return params[0]?.sort === "Proc" ? (args[1] ?? "") : args.join(" ");
}

/** The cases of the encoding that gave no edge in any of these comparisons, as `Take 0`. */
export function uncompared(comparisons: readonly Pick<Comparison, "cases">[]): readonly string[] {
  return encodeActions()
    .flatMap(({ name, cases }) => cases.map((_, i) => `${name} ${i}`))
    .filter((one) => !comparisons.some(({ cases }) => cases.has(one)));
}
