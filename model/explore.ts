/**
 * Breadth-first exploration: every reachable state of a configuration, every labelled edge if asked for,
 * and for a violated property the shortest way there.
 */

import { labelText, type Step, steps } from "./actions.ts";
import { INVARIANTS, type Invariant, STEP_PROPERTIES, type StepProperty } from "./properties.ts";
import { at, type Config, initialState, type State, stateKey } from "./state.ts";

export interface ExploreOptions {
  readonly invariants?: readonly Invariant[];
  readonly stepProperties?: readonly StepProperty[];
  /** Called for every edge, the states by number (the initial state is 0). */
  readonly onEdge?: (from: number, step: Step, to: number) => void;
  /** Called for every new state, in breadth-first order. */
  readonly onState?: (state: State, id: number) => void;
  /** Called about every 50,000 states; for a progress line. */
  readonly onProgress?: (states: number, queued: number) => void;
}

/** A shortest run that ends in the violation. */
export interface Counterexample {
  readonly property: string;
  /** The states of the run, the initial one first. */
  readonly states: readonly State[];
  /** `labels[i]` leads from `states[i]` to `states[i + 1]`, as the specification writes it. */
  readonly labels: readonly string[];
}

export interface Exploration {
  readonly distinct: number;
  /** The number of states on a longest shortest path, as TLC counts the depth. */
  readonly depth: number;
  readonly edges: number;
  readonly violation: Counterexample | null;
  /** A state without successors, if there is one. TLC's deadlock. */
  readonly deadlock: Counterexample | null;
}

/** `Finished` of the specification: counted requests are used up, and AllIdle. Not a deadlock. */
function isFinished(c: Config, s: State): boolean {
  const idle = c.tasks.every((t) => at(s.pc, t) === "idle") && s.late.length === 0;
  const quiet = c.procs.every(
    (p) => at(s.owes, p).length === 0 && at(s.releasing, p) === null && at(s.contender, p) === null,
  );
  return c.maxRequests > 0 && s.budget.request === 0 && idle && quiet;
}

const PROGRESS_EVERY = 50_000;

/** Explores until everything is seen or a property is violated. */
export function explore(config: Config, options: ExploreOptions = {}): Exploration {
  return new Explorer(config, options).run();
}

class Explorer {
  private readonly config: Config;
  private readonly options: ExploreOptions;
  private readonly invariants: readonly Invariant[];
  private readonly stepProperties: readonly StepProperty[];
  private readonly ids = new Map<string, number>();
  private readonly parents: number[] = [];
  private readonly labels: string[] = [];
  private readonly depths: number[] = [];
  private level: State[] = [];
  private edges = 0;
  private deadlock: Counterexample | null = null;

  constructor(config: Config, options: ExploreOptions) {
    this.config = config;
    this.options = options;
    this.invariants = options.invariants ?? INVARIANTS;
    this.stepProperties = options.stepProperties ?? STEP_PROPERTIES;
  }

  run(): Exploration {
    const initial = initialState(this.config);
    const broken = this.discover(initial, -1, "");
    if (broken !== null) return this.result(this.trace(0, broken));
    let from = 0;
    while (this.level.length > 0) {
      const level = this.level;
      this.level = [];
      for (const state of level) {
        const violation = this.expand(state, from++);
        if (violation !== null) return this.result(violation);
      }
    }
    return this.result(null);
  }

  private expand(state: State, from: number): Counterexample | null {
    const found = steps(this.config, state);
    const stuck = found.length === 0 && !isFinished(this.config, state);
    if (stuck && this.deadlock === null) this.deadlock = this.trace(from, "Deadlock");
    for (const step of found) {
      this.edges++;
      const label = labelText(step.label);
      const key = stateKey(step.next);
      const known = this.ids.get(key);
      const broken = known === undefined ? this.discover(step.next, from, label, key) : null;
      const to = known ?? this.ids.size - 1;
      this.options.onEdge?.(from, step, to);
      if (broken !== null) return this.trace(to, broken);
      for (const property of this.stepProperties) {
        if (property.holds(this.config, state, step)) continue;
        const { states, labels } = this.trace(from, property.name);
        return { property: property.name, states: [...states, step.next], labels: [...labels, label] };
      }
    }
    return null;
  }

  /** Numbers a new state; the name of an invariant that it violates, or null. */
  private discover(
    state: State,
    parent: number,
    label: string,
    key: string = stateKey(state),
  ): string | null {
    const id = this.ids.size;
    this.ids.set(key, id);
    this.parents.push(parent);
    this.labels.push(label);
    this.depths.push((this.depths[parent] ?? 0) + 1);
    this.level.push(state);
    this.options.onState?.(state, id);
    if (id % PROGRESS_EVERY === 0) this.options.onProgress?.(id, this.level.length);
    return this.invariants.find((invariant) => !invariant.holds(this.config, state))?.name ?? null;
  }

  /** The run to state `id`, found again by following its labels from the initial state. */
  private trace(id: number, property: string): Counterexample {
    const keys = [...this.ids.keys()];
    const states: State[] = [];
    const labels: string[] = [];
    for (let at = id; at >= 0; at = this.parents[at] ?? -1) {
      states.unshift(JSON.parse(keys[at] ?? "null") as State);
      if ((this.parents[at] ?? -1) >= 0) labels.unshift(this.labels[at] ?? "");
    }
    return { property, states, labels };
  }

  private result(violation: Counterexample | null): Exploration {
    const depth = this.depths.reduce((deepest, d) => Math.max(deepest, d), 0);
    return { distinct: this.ids.size, depth, edges: this.edges, violation, deadlock: this.deadlock };
  }
}
