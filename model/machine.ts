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

/** The name of an action with its argument: `Take`, `a1`. */
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
  /** The names of the actions, in the order of the specification. */
  readonly actions: readonly string[];
  /** `Init` of the specification, in its order. */
  readonly initialStates: (c: Config) => readonly State[];
  /** Every step that is possible in `s`, in the order of the specification. */
  readonly steps: (c: Config, s: State) => readonly Step[];
  /** One text per state: equal states have equal keys, and no others. */
  readonly key: (s: State) => string;
  /** The key is that of `JSON.stringify`, and all states have the same fields: so they can be compared field by field. */
  readonly byFields?: true;
  /** A state in which nobody wants anything any more: without successors it is no deadlock. */
  readonly isFinished: (c: Config, s: State) => boolean;
  readonly invariants: readonly Invariant<Config, State>[];
  readonly stepProperties: readonly StepProperty<Config, State, Step>[];
}

/** An action: guard and effect apart. */
export interface Action<Config, State, Name extends string = string> {
  readonly name: Name;
  /** The arguments for which the action is worth asking in this state. */
  readonly args: (c: Config, s: State) => readonly string[];
  readonly enabled: (c: Config, s: State, arg: string) => boolean;
  /** Every successor that the action allows: a call may fail in several ways. */
  readonly next: (c: Config, s: State, arg: string) => readonly State[];
}

/** Every step that is possible in `s`, in the order of the table, which is that of the specification. */
export function stepsOf<Config, State, Name extends string>(
  table: readonly Action<Config, State, Name>[],
  c: Config,
  s: State,
): { readonly label: { readonly action: Name; readonly arg: string }; readonly next: State }[] {
  const found = [];
  for (const action of table) {
    for (const arg of action.args(c, s)) {
      if (!action.enabled(c, s, arg)) continue;
      for (const next of action.next(c, s, arg)) found.push({ label: { action: action.name, arg }, next });
    }
  }
  return found;
}

/** As the specification writes it: `Take(a1)`, and `Tick` where there is no argument. */
export function labelText({ action, arg }: MachineLabel): string {
  return arg === "" ? action : `${action}(${arg})`;
}
