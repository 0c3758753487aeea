/** What a state machine is to the explorer. One instance per specification: see model/ownerDirectory.ts. */

/** Something that holds in every reachable state. */
export interface Invariant<Config, State> {
  readonly name: string;
  readonly holds: (c: Config, s: State) => boolean;
}

/** Something that holds for every step between reachable states. */
export interface StepProperty<Config, State, Step> {
  readonly name: string;
  readonly holds: (c: Config, s: State, step: Step) => boolean;
}

/** An action with its argument: `Take`, `a1`. */
export interface MachineLabel {
  readonly action: string;
  readonly arg: string;
}

/** A labelled step to a successor. */
export interface MachineStep<State> {
  readonly label: MachineLabel;
  readonly next: State;
}

export interface Machine<Config, State, Step extends MachineStep<State>> {
  /** `Init` of the specification, in its order. */
  readonly initialStates: (c: Config) => readonly State[];
  /** Every step that is possible in `s`, in the order of the specification. */
  readonly steps: (c: Config, s: State) => readonly Step[];
  /** One text per state: equal states have equal keys, and no others. */
  readonly key: (s: State) => string;
  /** A state in which nobody wants anything any more: without successors it is no deadlock. */
  readonly isFinished: (c: Config, s: State) => boolean;
  readonly invariants: readonly Invariant<Config, State>[];
  readonly stepProperties: readonly StepProperty<Config, State, Step>[];
}

/** As the specification writes it: `Take(a1)`. */
export function labelText(label: MachineLabel): string {
  return `${label.action}(${label.arg})`;
}
