import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { grouped, isProgram, Progress, perSecond, runProgram, table } from "./console.ts";
import { readDump } from "./dump.ts";
import {
  buildGraph,
  type Edge,
  edgesFrom,
  type Graph,
  type GraphSource,
  graphDigest,
  type Speed,
  variablesOf,
} from "./graphDigest.ts";
import { findToolchain, type Toolchain } from "./jar.ts";
import { isMissingFile, type ModelConfig, readManifest } from "./manifest.ts";
import { compare, selectModels, verdictMatches } from "./tlc.ts";
import { runTlc, stopOnSignals } from "./tlcRun.ts";
import { reasonOf, ToolError } from "./toolError.ts";

const usage = `Usage: npm run graph -- [--only NAME[,NAME]] [--deep] [--update] [--dir DIR] [--model FILE] [--pinned FILE]
Compares the state graph of TLC with that of the model, for the configurations with "graph": true.

  --only NAME,..  these configurations, deep ones too
  --deep          all configurations, not only those of the gate
  --update        write new counts and digests into the pinned file where the graphs are equal
  --dir DIR       the folder of models.json and the specifications (default: tla)
  --model FILE    a module that exports modelGraph(configName) (default: tla/tools/modelGraph.ts)
  --pinned FILE   the pinned counts and digests (default: model/pinned.json)

Exit code: 0 equal, 1 a difference, 2 nothing could be compared.`;

/** What one side has and the other lacks. */
export interface Difference {
  readonly count: number;
  readonly examples: readonly string[];
}

export interface GraphDifferences {
  readonly equal: boolean;
  readonly onlyLeftInit: Difference;
  readonly onlyRightInit: Difference;
  readonly onlyLeftStates: Difference;
  readonly onlyRightStates: Difference;
  readonly onlyLeftEdges: Difference;
  readonly onlyRightEdges: Difference;
}

/** The set differences of two graphs, both ways, with readable examples. */
export function compareGraphs(left: Graph, right: Graph): GraphDifferences {
  const toRight = new Side(left, right);
  const toLeft = new Side(right, left);
  const differences = {
    onlyLeftInit: toRight.onlyInit(),
    onlyRightInit: toLeft.onlyInit(),
    onlyLeftStates: toRight.onlyStates(),
    onlyRightStates: toLeft.onlyStates(),
    onlyLeftEdges: toRight.onlyEdges(),
    onlyRightEdges: toLeft.onlyEdges(),
  };
  return { equal: Object.values(differences).every(({ count }) => count === 0), ...differences };
}

/** The rest is usually more of the same. */
const mostExamples = 3;

/** Looking for the most similar state is for the reader; a wrong model may lack very many. */
const mostCandidates = 5_000;

/** One graph seen against the other. */
class Side {
  readonly #graph: Graph;
  readonly #other: Graph;
  /** Per state its number in the other graph, or -1. */
  readonly #elsewhere: readonly number[];
  readonly #otherLabels: ReadonlyMap<string, number>;

  constructor(graph: Graph, other: Graph) {
    this.#graph = graph;
    this.#other = other;
    const numbers = new Map(other.states.map((state, number) => [state, number]));
    this.#elsewhere = graph.states.map((state) => numbers.get(state) ?? -1);
    this.#otherLabels = new Map(other.labels.map((label, number) => [label, number]));
  }

  onlyInit(): Difference {
    const only = [...this.#graph.init].filter((state) => !this.#other.init.has(this.#elsewhere[state] ?? -1));
    return this.#difference(only, (state) => `initial state\n${variableLines(this.#text(state))}`);
  }

  onlyStates(): Difference {
    const only = [...this.#graph.states.keys()].filter((state) => this.#elsewhere[state] === -1);
    return this.#difference(only, (state) => this.#describeState(state));
  }

  onlyEdges(): Difference {
    const only: Edge[] = [];
    for (const from of this.#graph.states.keys()) {
      for (const edge of edgesFrom(this.#graph, from)) if (!this.#isElsewhere(edge)) only.push(edge);
    }
    // An edge from a shared state is where the graphs part; the others only follow from it.
    only.sort((one, two) => Number(this.#isNew(one.from)) - Number(this.#isNew(two.from)));
    return this.#difference(only, (edge) => this.#describeEdge(edge));
  }

  #difference<Item>(items: readonly Item[], describe: (item: Item) => string): Difference {
    return { count: items.length, examples: items.slice(0, mostExamples).map(describe) };
  }

  #isNew(state: number): boolean {
    return this.#elsewhere[state] === -1;
  }

  #isElsewhere({ from, label, to }: Edge): boolean {
    const labelNumber = this.#otherLabels.get(label);
    const [otherFrom = -1, otherTo = -1] = [this.#elsewhere[from], this.#elsewhere[to]];
    if (labelNumber === undefined || otherFrom === -1 || otherTo === -1) return false;
    return this.#other.edges[otherFrom]?.has(otherTo * this.#other.labels.length + labelNumber) ?? false;
  }

  #describeState(state: number): string {
    const text = this.#text(state);
    const candidates = this.#other.states.slice(0, mostCandidates);
    return `state\n${variableLines(text)}\n${nearest(text, candidates, "the most similar state there")}`;
  }

  #describeEdge(edge: Edge): string {
    const [from, to] = [this.#text(edge.from), this.#text(edge.to)];
    const head = `${edge.label} from\n${variableLines(from)}\n  changes${changes(from, to)}`;
    const otherFrom = this.#elsewhere[edge.from] ?? -1;
    if (otherFrom === -1) return `${head}\n  there: no such source state`;
    const there = [...edgesFrom(this.#other, otherFrom)];
    const same = there.filter(({ label }) => label === edge.label);
    if (same.length === 0) {
      const labels = [...new Set(there.map(({ label }) => label))].sort().join(", ");
      return `${head}\n  there: no ${edge.label} from this state, only ${labels || "nothing"}`;
    }
    const targets = same.map((other) => this.#other.states[other.to] ?? "");
    return `${head}\n${nearest(to, targets, `there, ${edge.label} leads elsewhere`)}`;
  }

  #text(state: number): string {
    return this.#graph.states[state] ?? "";
  }
}

function variableLines(state: string): string {
  return [...variablesOf(state)].map(([name, value]) => `    ${name} = ${value}`).join("\n");
}

function changedVariables(from: string, to: string): string[] {
  const [before, after] = [variablesOf(from), variablesOf(to)];
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names]
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `${name}: ${before.get(name) ?? "-"} -> ${after.get(name) ?? "-"}`);
}

function changes(from: string, to: string): string {
  const changed = changedVariables(from, to);
  return changed.length === 0 ? " nothing" : changed.map((change) => `\n    ${change}`).join("");
}

function nearest(text: string, candidates: readonly string[], title: string): string {
  let best: string[] | undefined;
  for (const candidate of candidates) {
    const changed = changedVariables(text, candidate);
    if (best === undefined || changed.length < best.length) best = changed;
  }
  if (best === undefined) return "  there: no state at all";
  return `  ${title} (here -> there)${best.map((change) => `\n    ${change}`).join("")}`;
}

/**
 * What modelGraph.ts exports: the same graph, found by the model's explorer. A digest, if any, is checked; a speed, if
 * any, is printed.
 */
export type ModelGraph = (
  configName: string,
) => GraphSource & { readonly digest?: string; readonly speed?: Speed };

export interface Pinned {
  readonly states: number;
  readonly edges: number;
  readonly digest: string;
}

interface Options {
  readonly only: readonly string[] | undefined;
  readonly deep: boolean;
  readonly update: boolean;
  readonly dir: string;
  readonly model: string;
  readonly pinned: string;
}

/** What is said of one configuration. */
export interface Result {
  readonly model: ModelConfig;
  readonly found: Pinned | undefined;
  /** Of the model's explorer. */
  readonly speed: Speed | undefined;
  readonly seconds: number;
  /** Whether both sides have the same graph; pinned numbers may still differ. */
  readonly equal: boolean;
  readonly differences: readonly string[];
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === "help") {
    console.log(usage);
    return 0;
  }
  const manifest = await readManifest(options.dir);
  const models = selectModels(manifest, options, (model) => model.graph);
  const modelGraph = await importModel(options.model);
  const pinned = await readPinned(options.pinned);
  const toolchain = await findToolchain();
  if (toolchain.warning !== undefined) console.error(toolchain.warning);
  const results = await compareAll(toolchain, models, modelGraph, pinned, options);
  const strangers = Object.keys(pinned).filter(
    (name) => !manifest.models.some((m) => m.name === name && m.graph),
  );
  console.log(report(results, strangers));
  if (options.update) return update(options.pinned, pinned, strangers, results);
  return strangers.length === 0 && results.every((result) => result.differences.length === 0) ? 0 : 1;
}

function readOptions(args: readonly string[]): Options | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  return {
    only: values.only?.split(",").map((name) => name.trim()),
    deep: values.deep,
    update: values.update,
    dir: values.dir ?? join(root, "tla"),
    model: values.model ?? join(root, "tla", "tools", "modelGraph.ts"),
    pinned: values.pinned ?? join(root, "model", "pinned.json"),
  };
}

function parse(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { only: text, deep: flag, update: flag, dir: text, model: text, pinned: text, help: flag },
    }).values;
  } catch (cause) {
    throw new ToolError("read the arguments", reasonOf(cause), "See --help.", { cause });
  }
}

async function importModel(file: string): Promise<ModelGraph> {
  const whatToDo = "Let --model name a module that exports modelGraph(configName).";
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(resolve(file)).href);
  } catch (cause) {
    throw new ToolError("import the model's graph", reasonOf(cause), whatToDo, { cause });
  }
  const { modelGraph } = module;
  if (typeof modelGraph !== "function") {
    throw new ToolError("import the model's graph", "the module exports no function modelGraph", whatToDo);
  }
  return modelGraph as ModelGraph;
}

async function readPinned(file: string): Promise<Record<string, Pinned>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    // Not a pass: every configuration will differ from "not pinned", until --update writes the file.
    if (isMissingFile(cause)) return {};
    throw new ToolError("read the pinned graphs", reasonOf(cause), "Make it a readable file.", { cause });
  }
  try {
    return JSON.parse(text) as Record<string, Pinned>;
  } catch (cause) {
    throw new ToolError("parse the pinned graphs", reasonOf(cause), "Make it valid JSON.", { cause });
  }
}

async function compareAll(
  toolchain: Toolchain,
  models: readonly ModelConfig[],
  modelGraph: ModelGraph,
  pinned: Record<string, Pinned>,
  options: Options,
): Promise<Result[]> {
  const signal = stopOnSignals();
  const progress = new Progress(process.stdout);
  const results: Result[] = [];
  try {
    for (const [index, model] of models.entries()) {
      const title = `[${index + 1}/${models.length}] ${model.name}`;
      progress.start(title);
      const started = performance.now();
      const compared = await compareOne(
        toolchain,
        model,
        modelGraph,
        pinned[model.name],
        options.dir,
        signal,
      );
      const seconds = (performance.now() - started) / 1000;
      results.push({ model, seconds, ...compared });
      progress.end(
        `${title}: ${compared.differences.length === 0 ? "ok" : "DIFFERS"} (${seconds.toFixed(1)} s)`,
      );
    }
  } catch (error) {
    progress.stop();
    throw error;
  }
  return results;
}

type Compared = Pick<Result, "found" | "speed" | "equal" | "differences">;

async function compareOne(
  toolchain: Toolchain,
  model: ModelConfig,
  modelGraph: ModelGraph,
  pinned: Pinned | undefined,
  dir: string,
  signal: AbortSignal,
): Promise<Compared> {
  const explored = await exploreWithTlc(toolchain, model, dir, signal);
  if (explored.kind === "differs")
    return { found: undefined, speed: undefined, equal: false, differences: explored.differences };
  const { graph } = explored;
  const found = { states: graph.states.length, edges: graph.edgeCount, digest: graphDigest(graph) };
  const source = modelGraph(basename(model.config, ".cfg"));
  const other = buildGraph(source);
  const graphs = compareGraphs(graph, other);
  const differences = graphLines(graphs);
  const otherDigest = graphDigest(other);
  // The digest is what runs without Java compare, so it must not be able to drift from the graph.
  if (source.digest !== undefined && otherDigest !== source.digest) {
    differences.push("the model's digest is not that of the model's graph");
  }
  if (graphs.equal && otherDigest !== found.digest) differences.push("equal graphs with different digests");
  const equal = differences.length === 0;
  differences.push(...explored.differences);
  if (pinned === undefined) differences.push("not pinned yet");
  else differences.push(...pinnedDifferences(found, pinned));
  return { found, speed: source.speed, equal, differences };
}

type Explored =
  /** The differences are numbers of the manifest: no reason not to compare, but no pass either. */
  | { readonly kind: "graph"; readonly graph: Graph; readonly differences: readonly string[] }
  | { readonly kind: "differs"; readonly differences: readonly string[] };

async function exploreWithTlc(
  toolchain: Toolchain,
  model: ModelConfig,
  dir: string,
  signal: AbortSignal,
): Promise<Explored> {
  const folder = await mkdtemp(join(tmpdir(), "session-write-lock-graph-"));
  try {
    const dumpFile = join(folder, "graph.dot");
    const run = await runTlc(toolchain, dir, model, { workers: 1, dumpFile, signal });
    const result = compare(model, run);
    const { differences } = result;
    if (!verdictMatches(result)) return { kind: "differs", differences: [...differences, ...result.tail] };
    const graph = await readDump(dumpFile);
    if (graph.states.length !== run.outcome.distinct) {
      const reason = `it has ${graph.states.length} states, but TLC found ${run.outcome.distinct}`;
      throw new ToolError("read TLC's dump", reason, "Look for a constraint that leaves states out.");
    }
    return { kind: "graph", graph, differences };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function graphLines(graphs: GraphDifferences): string[] {
  const describe = (difference: Difference, what: string): string[] => {
    if (difference.count === 0) return [];
    const examples = difference.examples.map(
      (example, index) => `  ${index + 1}. ${example.replaceAll("\n", "\n  ")}`,
    );
    return [[`${grouped(difference.count)} ${what}`, ...examples].join("\n")];
  };
  return [
    ...describe(graphs.onlyLeftInit, "initial states only of TLC"),
    ...describe(graphs.onlyRightInit, "initial states only of the model"),
    ...describe(graphs.onlyLeftStates, "states only of TLC"),
    ...describe(graphs.onlyRightStates, "states only of the model"),
    ...describe(graphs.onlyLeftEdges, "edges only of TLC"),
    ...describe(graphs.onlyRightEdges, "edges only of the model"),
  ];
}

function pinnedDifferences(found: Pinned, pinned: Pinned): string[] {
  return (["states", "edges", "digest"] as const)
    .filter((key) => found[key] !== pinned[key])
    .map((key) => `pinned ${key}: ${pinned[key]}, found ${found[key]}`);
}

export function report(results: readonly Result[], strangers: readonly string[]): string {
  const rows = results.map(({ model, found, speed, seconds, differences }) => [
    model.name,
    grouped(found?.states),
    grouped(found?.edges),
    found?.digest.slice(0, 12) ?? "-",
    speed === undefined ? "-" : perSecond(speed.generated, speed.seconds),
    speed === undefined ? "-" : perSecond(speed.distinct, speed.seconds),
    seconds.toFixed(1),
    differences.length === 0 ? "ok" : "DIFFERS",
  ]);
  const explanations = results.flatMap(({ model, differences }) =>
    differences.map((difference) => `${model.name}: ${difference}\n`),
  );
  const wrong = results.filter(({ differences }) => differences.length > 0);
  const total = `${results.length} graphs: ${wrong.length === 0 ? "all equal and as pinned" : `${wrong.length} not as expected`}`;
  return [
    "",
    table(["configuration", "states", "edges", "digest", "generated/s", "distinct/s", "seconds", "ok"], rows),
    "",
    ...explanations,
    ...strangers.map((name) => `${name}: pinned, but not a configuration with a graph`),
    ...speedLine(results),
    total,
  ].join("\n");
}

/** The model's explorer alone: TLC, and the comparison, are in the seconds of the table. */
function speedLine(results: readonly Result[]): string[] {
  const speeds = results.flatMap(({ speed }) => speed ?? []);
  if (speeds.length === 0) return [];
  const sum = (of: keyof Speed): number => speeds.reduce((total, speed) => total + speed[of], 0);
  const [generated, distinct, seconds] = [sum("generated"), sum("distinct"), sum("seconds")];
  return [
    `explorer: ${grouped(generated)} states generated, ${grouped(distinct)} distinct in ${seconds.toFixed(1)} s: ${perSecond(generated, seconds)} generated/s, ${perSecond(distinct, seconds)} distinct/s`,
  ];
}

async function update(
  file: string,
  pinned: Record<string, Pinned>,
  strangers: readonly string[],
  results: readonly Result[],
): Promise<number> {
  const next = Object.fromEntries(Object.entries(pinned).filter(([name]) => !strangers.includes(name)));
  for (const { model, found, equal } of results) {
    if (equal && found !== undefined) next[model.name] = found;
    else console.error(`${model.name}: not updated, the graphs differ`);
  }
  const sorted = Object.fromEntries(Object.entries(next).sort(([one], [two]) => (one < two ? -1 : 1)));
  await writeFile(file, `${JSON.stringify(sorted, null, 2)}\n`);
  return results.every(({ equal }) => equal) ? 0 : 1;
}

if (isProgram(import.meta.url)) await runProgram(() => main(process.argv.slice(2)));
