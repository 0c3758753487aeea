import { describe, expect, it } from "vitest";
import { explore } from "../../../model/explore.ts";
import { issueLock } from "../../../model/issue/issueLock.ts";
import { labelText, type Machine, type MachineStep } from "../../../model/machine.ts";
import { ownerDirectory } from "../../../model/ownerDirectory.ts";
import { mkdirMtime } from "../../../model/peers/mkdirMtime.ts";
import * as renameAside from "../../../model/peers/renameAside.ts";
import { issueLockPicture } from "../../../model/pictures/issueLock.ts";
import { sequenceDiagram } from "../../../model/pictures/mermaid.ts";
import { mkdirMtimePicture } from "../../../model/pictures/mkdirMtime.ts";
import { ownerDirectoryPicture } from "../../../model/pictures/ownerDirectory.ts";
import { type Adapter, parseLabel, pictureOf } from "../../../model/pictures/picture.ts";
import { renameAsidePicture } from "../../../model/pictures/renameAside.ts";
import type { Config } from "../../../model/state.ts";
import {
  readIssueConfig,
  readMkdirMtimeConfig,
  readModelConfig,
  readRenameAsideConfig,
} from "../../../tla/tools/constants.ts";
import { mermaidMistakes } from "../../support/mermaidGrammar.ts";

const tla = new URL("../../../tla", import.meta.url).pathname;

interface Light {
  readonly on: boolean;
  readonly dead: boolean;
}

const light: Adapter<null, Light> = {
  lanes: () => ["switch", "lamp", "moon"].map((id) => ({ id, title: id })),
  act: (_c, _before, { action }) => ({ kind: "call", from: "switch", to: "lamp", text: action }),
  shows: (_c, s) => (s.dead ? {} : { lamp: s.on ? "lit" : "dark" }),
};

const off: Light = { on: false, dead: false };
const on: Light = { on: true, dead: false };

describe("a run as a picture", () => {
  const notes = (states: readonly Light[]): unknown =>
    pictureOf(light, null, { states, labels: states.slice(1).map((_, i) => `Press(${i})`) }).steps.map(
      (step) => step.notes.map(({ text }) => text),
    );

  it("has a note only where something changed, and none for the beginning", () => {
    expect(notes([off, off, on, on, off])).toEqual([[], ["lit"], [], ["dark"]]);
  });

  it("has no news of what comes back as it was in the beginning", () => {
    expect(notes([off, on, { ...on, dead: true }, off])).toEqual([["lit"], [], []]);
    expect(notes([off, on, { ...on, dead: true }, on])).toEqual([["lit"], [], ["lit"]]);
  });

  it("has only the lanes that take part", () => {
    const { lanes } = pictureOf(light, null, { states: [off, on], labels: ["Press"] });
    expect(lanes.map(({ id }) => id)).toEqual(["switch", "lamp"]);
  });

  it("refuses states and labels that do not fit each other", () => {
    expect(() => pictureOf(light, null, { states: [off, on], labels: [] })).toThrow("Cannot draw a run");
    expect(() => pictureOf(light, null, { states: [], labels: [] })).toThrow("Cannot draw a run");
  });

  it("reads labels as they are written", () => {
    for (const label of [
      { action: "Take", arg: "a1" },
      { action: "LateEffect", arg: "take a.1.1" },
      { action: "Tick", arg: "" },
    ]) {
      expect(parseLabel(labelText(label))).toEqual(label);
    }
  });
});

/**
 * Every step of these configurations, drawn once for each text, and the actions that they do not have. A large one
 * is explored up to its first violation.
 */
function drawAll<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  adapter: Adapter<Config, State>,
  small: readonly Config[],
  large: readonly Config[] = [],
): { readonly missing: readonly string[]; readonly mistakes: readonly string[] } {
  const actions = new Set<string>();
  const mistakes: string[] = [];
  for (const config of [...small, ...large]) {
    const states: State[] = [];
    const drawn = new Set<string>();
    const draw = (from: number, { label, next }: Step): void => {
      const before = states[from];
      if (before === undefined) throw new Error("a step from nowhere");
      const text = JSON.stringify([label.action, adapter.act(config, before, label, next)]);
      if (drawn.has(text)) return;
      drawn.add(text);
      actions.add(label.action);
      const run = { states: [before, next], labels: [labelText(label)] };
      mistakes.push(...mermaidMistakes(sequenceDiagram(pictureOf(adapter, config, run))));
    };
    const properties = large.includes(config) ? {} : { invariants: [], stepProperties: [] };
    explore(machine, config, { ...properties, onState: (state) => states.push(state), onEdge: draw });
  }
  return { missing: machine.actions.filter((action) => !actions.has(action)), mistakes };
}

describe("every step of every machine can be drawn", () => {
  const nothing = { missing: [], mistakes: [] };

  it("OwnerDirectory", () => {
    const read = (name: string): Config => readModelConfig(tla, `${name}.cfg`);
    const small = ["GraphReentrant", "GraphFaults", "GraphGuest", "SafeVandal"].map(read);
    small.push(...["GraphClear", "GraphRevokes", "GraphSuspect", "GraphBreak", "GraphRemove"].map(read));
    expect(drawAll(ownerDirectory, ownerDirectoryPicture, small, [read("BadEvictByPath")])).toEqual(nothing);
  });

  it("IssueLock", () => {
    const graphs = ["GuardSet", "LateDelete", "Old", "Shared", "Twice", "Watchdog"];
    const small = graphs.map((name) => readIssueConfig(tla, `IssueGraph${name}.cfg`));
    const large = ["ExitUnlocksHolder", "SweepByPath"].map((name) =>
      readIssueConfig(tla, `Issue${name}.cfg`),
    );
    expect(drawAll(issueLock, issueLockPicture, small, large)).toEqual(nothing);
  });

  it("MkdirMtime", () => {
    const graph = readMkdirMtimeConfig(tla, "MkdirMtimeGraph.cfg");
    const alone = { ...graph, procs: ["a"], maxCrashes: 1 };
    expect(drawAll(mkdirMtime, mkdirMtimePicture, [graph, alone])).toEqual(nothing);
  });

  it("RenameAside", () => {
    const read = (name: string): renameAside.Config => readRenameAsideConfig(tla, `${name}.cfg`);
    const small = ["RenameAsideGraph", "RenameAsideLinkBack"].map(read);
    const large = [read("RenameAsideRecheck")];
    expect(drawAll(renameAside.renameAside, renameAsidePicture, small, large)).toEqual(nothing);
  });
});
