/**
 * A run as a picture: who does what to whom, and what has changed afterwards. How it is drawn is
 * mermaid.ts; what a step says in words is the adapter of each machine.
 */

import type { Counterexample } from "../explore.ts";
import type { MachineLabel } from "../machine.ts";

/** Somebody who acts, or something that is acted upon. */
export interface Lane {
  readonly id: string;
  readonly title: string;
  /** Lanes of one group stand together in a box; they must follow each other. */
  readonly group?: string;
}

/** What a step does: one lane addresses another (or itself), or something happens to some lanes. */
export type Act =
  | { readonly kind: "call"; readonly from: string; readonly to: string; readonly text: string }
  | { readonly kind: "event"; readonly over: readonly string[]; readonly text: string };

/** How the runs of one machine are told. */
export interface Adapter<Config, State> {
  readonly lanes: (c: Config) => readonly Lane[];
  /** The step with this label, which led from `before` to `after`. The name of the action is added. */
  readonly act: (c: Config, before: State, label: MachineLabel, after: State) => Act;
  /**
   * What a lane shows in a state, if anything. A note is drawn where it has changed; a lane that shows nothing
   * (of a dead process) has no note.
   */
  readonly shows: (c: Config, s: State) => Readonly<Record<string, string>>;
}

export interface Note {
  readonly over: string;
  readonly text: string;
}

export interface PictureStep {
  readonly label: MachineLabel;
  readonly act: Act;
  readonly notes: readonly Note[];
}

export interface Picture {
  /** Only those that take part. */
  readonly lanes: readonly Lane[];
  readonly steps: readonly PictureStep[];
}

export function pictureOf<Config, State>(
  adapter: Adapter<Config, State>,
  config: Config,
  { states, labels }: Pick<Counterexample<State>, "states" | "labels">,
): Picture {
  if (states.length !== labels.length + 1) {
    throw new Error(`Cannot draw a run: ${states.length} states do not fit ${labels.length} labels`);
  }
  const told = states.map((state) => adapter.shows(config, state));
  const beginning = told[0] ?? {};
  const shown = new Map(Object.entries(beginning));
  const steps = states.slice(1).map((after, i): PictureStep => {
    const label = parseLabel(labels[i] ?? "");
    const before = states[i] ?? after;
    const act = adapter.act(config, before, label, after);
    return { label, act, notes: changes(told[i + 1] ?? {}, shown, beginning) };
  });
  const used = new Set(
    steps.flatMap(({ act, notes }) => [...lanesOf(act), ...notes.map(({ over }) => over)]),
  );
  return { lanes: adapter.lanes(config).filter(({ id }) => used.has(id)), steps };
}

/** The notes for what is shown now and was not; `shown` is brought up to date. */
function changes(
  now: Readonly<Record<string, string>>,
  shown: Map<string, string>,
  beginning: Readonly<Record<string, string>>,
): readonly Note[] {
  const notes: Note[] = [];
  for (const [over, text] of Object.entries(now)) {
    // Whoever comes back after death shows what everybody shows in the beginning: no news.
    const before = shown.get(over) ?? beginning[over] ?? "";
    if (text !== before && text !== "") notes.push({ over, text });
  }
  shown.clear();
  for (const [id, text] of Object.entries(now)) shown.set(id, text);
  return notes;
}

function lanesOf(act: Act): readonly string[] {
  return act.kind === "call" ? [act.from, act.to] : act.over;
}

/** `Take(a1)`, `Tick`: the inverse of labelText. */
export function parseLabel(text: string): MachineLabel {
  const [, action = text, arg = ""] = /^(\w+)\((.*)\)$/.exec(text) ?? [];
  return { action, arg };
}
