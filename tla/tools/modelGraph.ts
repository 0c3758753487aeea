import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { explore } from "../../model/explore.ts";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import type { Config, State } from "../../model/state.ts";
import { dumpLabel, stateVariables } from "../../model/text.ts";
import { readModelConfig } from "./constants.ts";
import { type GraphSource, stateText } from "./graphDigest.ts";

const specifications = join(dirname(fileURLToPath(import.meta.url)), "..");

/** The state graph that the model's explorer finds for `<configName>.cfg`, in the words of TLC's dump. */
export function modelGraph(configName: string): GraphSource {
  return graphOf(readModelConfig(specifications, `${configName}.cfg`));
}

/** No property is checked here: the graph is what there is, also where the specification is broken. */
export function graphOf(config: Config): GraphSource {
  const states: string[] = [];
  const edges: [from: number, label: string, to: number][] = [];
  const text = (state: State): string => stateText(stateVariables(config, state));
  explore(ownerDirectory, config, {
    invariants: [],
    stepProperties: [],
    onState: (state) => states.push(text(state)),
    onEdge: (from, step, to) => edges.push([from, dumpLabel(step.label), to]),
  });
  const textOf = (id: number): string => states[id] ?? "";
  return {
    init: states.slice(0, 1),
    states,
    edges: edges.map(([from, label, to]) => [textOf(from), label, textOf(to)] as const),
  };
}
