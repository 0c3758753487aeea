import {
  type Counterexample,
  type Exploration,
  explore,
  findViolation,
  propertiesOf,
} from "../../model/explore.ts";
import type { Machine, MachineStep } from "../../model/machine.ts";
import { type GraphSource, stateText } from "./graphDigest.ts";

/** How a machine's states and labels are written in TLC's words. */
export interface InWords<Config, State, Step extends MachineStep<State>> {
  readonly variables: (c: Config, s: State) => Iterable<readonly [name: string, value: string]>;
  /** A label of the dump: TLC drops parameters, the MC module restores some of them. */
  readonly dumpLabel: (label: Step["label"]) => string;
}

/** A machine with one configuration, whatever the types of its states are. */
export interface Instance {
  /** Explores everything, unless one of these properties is violated. */
  readonly check: (properties: readonly string[]) => Exploration<unknown>;
  /** A shortest violation of the property with this name, or `Deadlock`; null if there is none. */
  readonly findViolation: (property: string) => Counterexample<unknown> | null;
  /** No property is checked here: the graph is what there is, also where the specification is broken. */
  readonly graph: () => GraphSource;
}

export function instanceOf<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  config: Config,
  words: InWords<Config, State, Step>,
): Instance {
  return {
    check: (properties) => explore(machine, config, propertiesOf(machine, properties)),
    findViolation: (property) => findViolation(machine, config, property),
    graph: () => graphOf(machine, config, words),
  };
}

function graphOf<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  config: Config,
  words: InWords<Config, State, Step>,
): GraphSource {
  const states: string[] = [];
  const edges: [from: number, label: string, to: number][] = [];
  const text = (state: State): string => stateText(words.variables(config, state));
  explore(machine, config, {
    invariants: [],
    stepProperties: [],
    onState: (state) => states.push(text(state)),
    onEdge: (from, step, to) => edges.push([from, words.dumpLabel(step.label), to]),
  });
  const textOf = (id: number): string => states[id] ?? "";
  return {
    init: machine.initialStates(config).map(text),
    states,
    edges: edges.map(([from, label, to]) => [textOf(from), label, textOf(to)] as const),
  };
}
