/**
 * Breadth-first exploration of any {@link Machine}: every reachable state of a configuration, every labelled
 * edge if asked for, and for a violated property the shortest way there.
 */

import { type Invariant, labelText, type Machine, type MachineStep, type StepProperty } from "./machine.ts";
import { type Identity, type Numbered, StateTable } from "./table.ts";

export interface ExploreOptions<Config, State, Step> {
  /** By default all of the machine. */
  readonly invariants?: readonly Invariant<Config, State>[];
  readonly stepProperties?: readonly StepProperty<Config, State, Step>[];
  /** Called for every edge, the states by number (the initial ones come first, from 0). */
  readonly onEdge?: (from: number, step: Step, to: number) => void;
  /** Called for every new state, in breadth-first order. */
  readonly onState?: (state: State, id: number) => void;
  /** Called about every 50,000 states; for a progress line. */
  readonly onProgress?: (states: number, queued: number) => void;
}

/** A shortest run that ends in the violation. */
export interface Counterexample<State> {
  readonly property: string;
  /** The states of the run, the initial one first. */
  readonly states: readonly State[];
  /** `labels[i]` leads from `states[i]` to `states[i + 1]`, as the specification writes it. */
  readonly labels: readonly string[];
}

export interface Exploration<State> {
  readonly distinct: number;
  /** The number of states on a longest shortest path, as TLC counts the depth. */
  readonly depth: number;
  readonly edges: number;
  readonly violation: Counterexample<State> | null;
  /** A state without successors, if there is one. TLC's deadlock. */
  readonly deadlock: Counterexample<State> | null;
}

/** Explores until everything is seen or a property is violated. */
export function explore<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  config: Config,
  options: ExploreOptions<Config, State, Step> = {},
): Exploration<State> {
  return new Explorer(machine, config, options).run();
}

/** A shortest violation of the property with this name, or `Deadlock`; null if there is none. */
export function findViolation<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  config: Config,
  name: string,
): Counterexample<State> | null {
  const { violation, deadlock } = explore(machine, config, propertiesOf(machine, [name]));
  return name === "Deadlock" ? deadlock : violation;
}

/** The machine's properties with these names, as options of {@link explore}, which always looks for deadlocks. */
export function propertiesOf<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  names: readonly string[],
): Pick<ExploreOptions<Config, State, Step>, "invariants" | "stepProperties"> {
  const invariants = machine.invariants.filter(({ name }) => names.includes(name));
  const stepProperties = machine.stepProperties.filter(({ name }) => names.includes(name));
  const all = [...machine.invariants, ...machine.stepProperties].map(({ name }) => name);
  const unknown = names.find((name) => name !== "Deadlock" && !all.includes(name));
  if (unknown !== undefined) throw new Error(`Cannot check ${unknown}: the model has no such property`);
  return { invariants, stepProperties };
}

const PROGRESS_EVERY = 50_000;

class Explorer<Config, State, Step extends MachineStep<State>> {
  private readonly machine: Machine<Config, State, Step>;
  private readonly config: Config;
  private readonly options: ExploreOptions<Config, State, Step>;
  private readonly invariants: readonly Invariant<Config, State>[];
  private readonly stepProperties: readonly StepProperty<Config, State, Step>[];
  private readonly table: StateTable<State>;
  private readonly parents: number[] = [];
  private readonly depths: number[] = [];
  private level: State[] = [];
  private edges = 0;
  private deadlock: Counterexample<State> | null = null;

  constructor(
    machine: Machine<Config, State, Step>,
    config: Config,
    options: ExploreOptions<Config, State, Step>,
  ) {
    this.machine = machine;
    this.config = config;
    this.options = options;
    this.invariants = options.invariants ?? machine.invariants;
    this.stepProperties = options.stepProperties ?? machine.stepProperties;
    this.table = new StateTable(identityOf(machine, config));
  }

  run(): Exploration<State> {
    for (const initial of this.machine.initialStates(this.config)) {
      const size = this.table.size;
      if (this.table.add(initial, null) < size) continue;
      const broken = this.discover(initial, -1, size);
      if (broken !== null) return this.result(this.trace(size, broken));
    }
    let from = 0;
    while (this.level.length > 0) {
      const level = this.level;
      this.level = [];
      for (const state of level) {
        const violation = this.expand({ state, id: from++ });
        if (violation !== null) return this.result(violation);
      }
    }
    return this.result(null);
  }

  private expand(before: Numbered<State>): Counterexample<State> | null {
    const { state, id: from } = before;
    const found = this.machine.steps(this.config, state);
    const stuck = found.length === 0 && !this.machine.isFinished(this.config, state);
    if (stuck && this.deadlock === null) this.deadlock = this.trace(from, "Deadlock");
    for (const step of found) {
      this.edges++;
      const size = this.table.size;
      const to = this.table.add(step.next, before);
      const broken = to === size ? this.discover(step.next, from, to) : null;
      this.options.onEdge?.(from, step, to);
      if (broken !== null) return this.trace(to, broken);
      for (const property of this.stepProperties) {
        if (property.holds(this.config, state, step)) continue;
        const { states, labels } = this.trace(from, property.name);
        return {
          property: property.name,
          states: [...states, step.next],
          labels: [...labels, labelText(step.label)],
        };
      }
    }
    return null;
  }

  /** A new state, with its number: the name of an invariant that it violates, or null. */
  private discover(state: State, parent: number, id: number): string | null {
    this.parents.push(parent);
    this.depths.push((this.depths[parent] ?? 0) + 1);
    this.level.push(state);
    this.options.onState?.(state, id);
    if (id % PROGRESS_EVERY === 0) this.options.onProgress?.(id, this.level.length);
    return this.invariants.find((invariant) => !invariant.holds(this.config, state))?.name ?? null;
  }

  /** The run to state `id`. Only numbers are kept, so it is found again, from the initial state on. */
  private trace(id: number, property: string): Counterexample<State> {
    const path: number[] = [];
    for (let at = id; at >= 0; at = this.parents[at] ?? -1) path.unshift(at);
    const [first, ...rest] = path;
    const initial = this.machine.initialStates(this.config).find((state) => this.isNumber(first, state));
    const states: State[] = initial === undefined ? [] : [initial];
    const labels: string[] = [];
    for (const number of rest) {
      const found = states.slice(-1).flatMap((state) => this.machine.steps(this.config, state));
      const step = found.find(({ next }) => this.isNumber(number, next));
      // Not a defect of a specification: a machine that answers differently when it is asked again.
      if (step === undefined)
        throw new Error(`Cannot follow the run to state ${number}: its steps have changed`);
      states.push(step.next);
      labels.push(labelText(step.label));
    }
    return { property, states, labels };
  }

  private isNumber(id: number | undefined, state: State): boolean {
    return id !== undefined && this.table.idOf(state) === id;
  }

  private result(violation: Counterexample<State> | null): Exploration<State> {
    const depth = this.depths.reduce((deepest, d) => Math.max(deepest, d), 0);
    return { distinct: this.table.size, depth, edges: this.edges, violation, deadlock: this.deadlock };
  }
}

/** Field by field where the machine says that its key is nothing else. */
function identityOf<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  config: Config,
): Identity<State> {
  const [first] = machine.initialStates(config);
  const byFields = machine.byFields === true && first !== undefined;
  return byFields ? { kind: "fields", first } : { kind: "key", key: machine.key };
}
