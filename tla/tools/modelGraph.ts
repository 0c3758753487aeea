import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Counterexample,
  type Exploration,
  explore,
  findViolation,
  propertiesOf,
} from "../../model/explore.ts";
import { issueLock } from "../../model/issue/issueLock.ts";
import * as issueText from "../../model/issue/text.ts";
import { lease } from "../../model/lease/lease.ts";
import { leaseVariables } from "../../model/lease/text.ts";
import type { Machine, MachineStep } from "../../model/machine.ts";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import { mkdirMtime } from "../../model/peers/mkdirMtime.ts";
import { renameAside } from "../../model/peers/renameAside.ts";
import * as peersText from "../../model/peers/text.ts";
import { issueLockPicture } from "../../model/pictures/issueLock.ts";
import { leasePicture } from "../../model/pictures/lease.ts";
import { mkdirMtimePicture } from "../../model/pictures/mkdirMtime.ts";
import { ownerDirectoryPicture } from "../../model/pictures/ownerDirectory.ts";
import { renameAsidePicture } from "../../model/pictures/renameAside.ts";
import * as ownerDirectoryText from "../../model/text.ts";
import {
  readIssueConfig,
  readLeaseConfig,
  readMkdirMtimeConfig,
  readModelConfig,
  readRenameAsideConfig,
} from "./constants.ts";
import { type GraphSource, type Speed, stateText } from "./graphDigest.ts";
import { type ModelConfig, manifestName } from "./manifest.ts";
import { type Accepts, follow, inWords, type Run, type Words } from "./runs.ts";
import { ToolError } from "./toolError.ts";

const specifications = join(dirname(fileURLToPath(import.meta.url)), "..");

/** A graph, and how long the explorer took for it. */
export interface ExploredGraph extends GraphSource {
  readonly speed: Speed;
}

/** The state graph that the model's explorer finds for `<configName>.cfg`, in the words of TLC's dump. */
export function modelGraph(configName: string): ExploredGraph {
  return modelOf(configName).graph();
}

/** The model under the constants of `<configName>.cfg`; the manifest says of which module it is. */
export function modelOf(configName: string): ConfiguredModel {
  const config = `${configName}.cfg`;
  const manifest = JSON.parse(readFileSync(join(specifications, manifestName), "utf8")) as {
    readonly models: readonly ModelConfig[];
  };
  const module = manifest.models.find((model) => model.config === config)?.module ?? "";
  return modelFor(module, specifications, config);
}

/** A model under one configuration. What its states are is its own business. */
export interface ConfiguredModel {
  /** Explores everything, unless one of these properties is violated. */
  readonly check: (properties: readonly string[]) => Exploration<unknown>;
  readonly findViolation: (property: string) => Counterexample<unknown> | null;
  /** The same, in words. */
  readonly shortestRun: (property: string) => Run | null;
  /** A run of `length` steps, each of them accepted; its property is what its end violates, if anything. */
  readonly follow: (length: number, accepts: Accepts) => Run;
  /** No property is checked here: the graph is what there is, also where the specification is broken. */
  readonly graph: () => ExploredGraph;
}

/** The model of the specification that `module` is about, under the constants of `cfgFile`. */
export function modelFor(module: string, dir: string, cfgFile: string): ConfiguredModel {
  const model = MODELS.get(module);
  if (model === undefined) {
    throw new ToolError(`explore ${cfgFile}`, `there is no model for module ${module}`, "See modelGraph.ts.");
  }
  return model(dir, cfgFile);
}

/** The modules that a model mirrors. */
export const modelledModules = (): readonly string[] => [...MODELS.keys()];

/** What a model says in the words of the specification. */
interface Mirror<Config, State, Step extends MachineStep<State>> extends Words<Config, State> {
  readonly machine: Machine<Config, State, Step>;
  readonly readConfig: (dir: string, cfgFile: string) => Config;
  readonly dumpLabel: (label: Step["label"], config: Config) => string;
}

function configured<Config, State, Step extends MachineStep<State>>(
  mirror: Mirror<Config, State, Step>,
): (dir: string, cfgFile: string) => ConfiguredModel {
  const { machine } = mirror;
  return (dir, cfgFile) => {
    const config = mirror.readConfig(dir, cfgFile);
    return {
      check: (properties) => explore(machine, config, propertiesOf(machine, properties)),
      findViolation: (property) => findViolation(machine, config, property),
      shortestRun: (property) => {
        const found = findViolation(machine, config, property);
        return found === null ? null : inWords(mirror, config, found);
      },
      follow: (length, accepts) => inWords(mirror, config, follow(machine, mirror, config, length, accepts)),
      graph: () => graphOf(mirror, config),
    };
  };
}

/** The states are put into words afterwards, so that what is measured is the explorer. */
function graphOf<Config, State, Step extends MachineStep<State>>(
  { machine, stateVariables, dumpLabel }: Mirror<Config, State, Step>,
  config: Config,
): ExploredGraph {
  const found: State[] = [];
  const steps: [from: number, label: Step["label"], to: number][] = [];
  const started = performance.now();
  const { distinct, edges } = explore(machine, config, {
    invariants: [],
    stepProperties: [],
    onState: (state) => found.push(state),
    onEdge: (from, { label }, to) => steps.push([from, label, to]),
  });
  const seconds = (performance.now() - started) / 1000;
  const text = (state: State): string => stateText(stateVariables(config, state));
  const states = found.map(text);
  const textOf = (id: number): string => states[id] ?? "";
  const init = machine.initialStates(config).map(text);
  return {
    init,
    states,
    edges: steps.map(([from, label, to]) => [textOf(from), dumpLabel(label, config), textOf(to)] as const),
    speed: { distinct, generated: init.length + edges, seconds },
  };
}

const ownerDirectoryModel = configured({
  machine: ownerDirectory,
  readConfig: readModelConfig,
  adapter: ownerDirectoryPicture,
  ...ownerDirectoryText,
});
const issueLockModel = configured({
  machine: issueLock,
  readConfig: readIssueConfig,
  adapter: issueLockPicture,
  ...issueText,
});
const mkdirMtimeModel = configured({
  machine: mkdirMtime,
  readConfig: readMkdirMtimeConfig,
  adapter: mkdirMtimePicture,
  stateVariables: peersText.mkdirMtimeVariables,
  dumpLabel: peersText.dumpLabel,
});
const renameAsideModel = configured({
  machine: renameAside,
  readConfig: readRenameAsideConfig,
  adapter: renameAsidePicture,
  stateVariables: peersText.renameAsideVariables,
  dumpLabel: peersText.dumpLabel,
});
const leaseModel = configured({
  machine: lease,
  readConfig: readLeaseConfig,
  adapter: leasePicture,
  stateVariables: leaseVariables,
  dumpLabel: peersText.dumpLabel,
});

const MODELS: ReadonlyMap<string, (dir: string, cfgFile: string) => ConfiguredModel> = new Map([
  ["MCOwnerDirectory", ownerDirectoryModel],
  ["MCGraph", ownerDirectoryModel],
  ["MCIssueLock", issueLockModel],
  ["MCIssueGraph", issueLockModel],
  ["MkdirMtime", mkdirMtimeModel],
  ["MCMkdirMtime", mkdirMtimeModel],
  ["RenameAside", renameAsideModel],
  ["MCRenameAside", renameAsideModel],
  ["Lease", leaseModel],
  ["MCLease", leaseModel],
]);
