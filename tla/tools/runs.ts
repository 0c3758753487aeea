/** Runs of a model in words: the same for the explorer's counterexamples, for TLC's, and for a list of steps. */

import type { Counterexample } from "../../model/explore.ts";
import { labelText, type Machine, type MachineStep } from "../../model/machine.ts";
import { type Adapter, type Picture, pictureOf } from "../../model/pictures/picture.ts";
import { stateText, variablesOf } from "./graphDigest.ts";
import { ToolError } from "./toolError.ts";
import { canonical, parseValue, type Value } from "./values.ts";

export interface Run {
  /** What its end violates. */
  readonly property: string;
  /** Its states, as canonical texts, the initial one first. */
  readonly states: readonly string[];
  /** As the specification writes them, `Take(a1)`. */
  readonly labels: readonly string[];
  /** Per step, which variables it changes: `pc[a1]: "idle" → "take"`. */
  readonly changes: readonly (readonly string[])[];
  readonly picture: Picture;
}

/** What a model says in the words of the specification, and of a reader. */
export interface Words<Config, State> {
  readonly stateVariables: (c: Config, s: State) => readonly (readonly [name: string, value: string])[];
  readonly adapter: Adapter<Config, State>;
}

export function inWords<Config, State>(
  { stateVariables, adapter }: Words<Config, State>,
  config: Config,
  found: Counterexample<State>,
): Run {
  const { property, labels } = found;
  const states = found.states.map((state) => stateText(stateVariables(config, state)));
  const changes = states.slice(1).map((after, i) => changesBetween(states[i] ?? after, after));
  return { property, states, labels, changes, picture: pictureOf(adapter, config, found) };
}

/** One line for each variable that differs; of a function on names, for each of its values that differs. */
export function changesBetween(before: string, after: string): string[] {
  const old = variablesOf(before);
  const lines: string[] = [];
  for (const [name, text] of variablesOf(after)) {
    const was = old.get(name) ?? "-";
    if (was !== text) lines.push(...valueChanges(name, was, text));
  }
  return lines;
}

function valueChanges(name: string, before: string, after: string): string[] {
  const [one, other] = [fieldsOf(before), fieldsOf(after)];
  const keys = [...other.keys()];
  const comparable = keys.length > 0 && keys.length === one.size && keys.every((key) => one.has(key));
  if (!comparable) return [`${name}: ${before} → ${after}`];
  const changed = keys.filter((key) => one.get(key) !== other.get(key));
  return changed.map((key) => `${name}[${key}]: ${one.get(key)} → ${other.get(key)}`);
}

function fieldsOf(text: string): ReadonlyMap<string, string> {
  const value = parseValue(text);
  if (value.kind !== "function") return new Map();
  const keyText = (key: Value): string => (key.kind === "string" ? key.value : canonical(key));
  return new Map(value.pairs.map(([key, item]) => [keyText(key), canonical(item)]));
}

/** Does the step with this number (from 0), label and successor belong to the run that is looked for? */
export type Accepts = (step: number, label: string, state: string) => boolean;

interface Path<State, Step> {
  readonly states: readonly State[];
  readonly steps: readonly Step[];
}

/**
 * A run of `length` steps, each of them accepted. A label may have several successors, so all of them are followed,
 * and of several runs one that violates something is told.
 */
export function follow<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  words: Words<Config, State>,
  config: Config,
  length: number,
  accepts: Accepts,
): Counterexample<State> {
  let paths: Path<State, Step>[] = machine
    .initialStates(config)
    .map((state) => ({ states: [state], steps: [] }));
  for (let i = 0; i < length; i++) {
    const offered = paths.flatMap((path) => extended(machine, config, path));
    const taken = offered.filter(({ states, steps }) => {
      const [state, step] = [states.at(-1), steps.at(-1)];
      if (state === undefined || step === undefined) return false;
      return accepts(i, labelText(step.label), stateText(words.stateVariables(config, state)));
    });
    if (taken.length === 0) throw stuck(i, offered);
    // Of runs that meet, the first: the one that the explorer tells.
    const keys = taken.map((path) => keyOf(machine, path));
    paths = taken.filter((_, j) => keys.indexOf(keys[j] ?? "") === j);
  }
  const told = paths.map((path) => ({ path, property: violatedBy(machine, config, path) }));
  const best = told.find(({ property }) => property !== "") ?? told[0];
  const { states = [], steps = [] } = best?.path ?? {};
  return { property: best?.property ?? "", states, labels: steps.map(({ label }) => labelText(label)) };
}

function extended<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  config: Config,
  { states, steps }: Path<State, Step>,
): Path<State, Step>[] {
  const next = states.slice(-1).flatMap((state) => machine.steps(config, state));
  return next.map((step) => ({ states: [...states, step.next], steps: [...steps, step] }));
}

function keyOf<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  { states }: Path<State, Step>,
): string {
  return states.slice(-1).map(machine.key).join();
}

/** The properties that the end of a run violates, by name, `Deadlock` among them; empty if none. */
function violatedBy<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  config: Config,
  { states, steps }: Path<State, Step>,
): string {
  const names = states
    .slice(-1)
    .flatMap((state) => machine.invariants.filter(({ holds }) => !holds(config, state)));
  const [step, before] = [steps.at(-1), states.at(-2)];
  const stepNames =
    step === undefined || before === undefined
      ? []
      : machine.stepProperties.filter(({ holds }) => !holds(config, before, step));
  const isStuck = (state: State): boolean =>
    machine.steps(config, state).length === 0 && !machine.isFinished(config, state);
  const stuckNames = states.slice(-1).some(isStuck) ? ["Deadlock"] : [];
  return [...[...names, ...stepNames].map(({ name }) => name), ...stuckNames].join(", ");
}

function stuck<State>(i: number, offered: readonly Path<State, MachineStep<State>>[]): ToolError {
  const labels = new Set(
    offered.flatMap(({ steps }) => steps.slice(-1).map(({ label }) => labelText(label))),
  );
  const reason = `step ${i + 1} is not one of the model, which has ${[...labels].join(", ") || "none"}`;
  return new ToolError("follow the run", reason, "Is it of this configuration?");
}
