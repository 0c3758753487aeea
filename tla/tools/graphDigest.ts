import { createHash } from "node:crypto";

/**
 * A state graph. States are canonical texts, `a = 1 /\ b = {}` by variable name, and their number is their
 * place in sorted order: so equal graphs are equal data, and an edge need not repeat two long texts.
 */
export interface Graph {
  readonly states: readonly string[];
  readonly init: ReadonlySet<number>;
  readonly labels: readonly string[];
  /** Per state its edges, each `target * labels.length + label`; equal ones collapse, self loops count. */
  readonly edges: ReadonlyArray<ReadonlySet<number>>;
  readonly edgeCount: number;
}

export interface GraphSource {
  readonly init: Iterable<string>;
  readonly states: Iterable<string>;
  readonly edges: Iterable<readonly [from: string, label: string, to: string]>;
}

/** What a search took, properties and words apart. */
export interface Speed {
  readonly distinct: number;
  /** As TLC counts: the initial states, and the successors of all states, known ones too. */
  readonly generated: number;
  readonly seconds: number;
}

export interface Edge {
  readonly from: number;
  readonly label: string;
  readonly to: number;
}

/** The canonical text of a state from the canonical texts of its variables. */
export function stateText(variables: Iterable<readonly [name: string, value: string]>): string {
  const texts = [...variables].map(([name, value]) => `${name} = ${value}`);
  return texts.sort().join(" /\\ ");
}

/** The inverse of {@link stateText}. */
export function variablesOf(state: string): ReadonlyMap<string, string> {
  const parts = state.split(/ \/\\ (?=\w+ = )/);
  return new Map(
    parts.map((part) => [part.slice(0, part.indexOf(" = ")), part.slice(part.indexOf(" = ") + 3)]),
  );
}

export function buildGraph(source: GraphSource): Graph {
  const states = [...new Set(source.states)].sort();
  const numbers = new Map(states.map((state, number) => [state, number]));
  const numberOf = (state: string): number => {
    const number = numbers.get(state);
    if (number === undefined)
      throw new Error(`Cannot build graph: a state is missing from its states: ${state}`);
    return number;
  };
  const listed = [...source.edges];
  const labels = [...new Set(listed.map(([, label]) => label))].sort();
  const labelNumbers = new Map(labels.map((label, number) => [label, number]));
  const edges = states.map(() => new Set<number>());
  for (const [from, label, to] of listed) {
    edges[numberOf(from)]?.add(numberOf(to) * labels.length + (labelNumbers.get(label) ?? 0));
  }
  const edgeCount = edges.reduce((sum, out) => sum + out.size, 0);
  return { states, init: new Set([...source.init].map(numberOf)), labels, edges, edgeCount };
}

export function* edgesFrom(graph: Graph, from: number): Generator<Edge> {
  const { labels } = graph;
  for (const edge of graph.edges[from] ?? []) {
    yield { from, label: labels[edge % labels.length] ?? "", to: Math.floor(edge / labels.length) };
  }
}

/**
 * A fingerprint of the whole graph, the same for the same graph wherever it comes from: sha256 over the sorted
 * states, the initial ones marked, then over the edges in the order of from, label, to, states by number.
 */
export function graphDigest(graph: Graph): string {
  const hash = createHash("sha256");
  for (const [number, state] of graph.states.entries()) {
    hash.update(`${graph.init.has(number) ? "init" : "state"}\t${state}\n`);
  }
  for (const number of graph.states.keys()) {
    const lines = [...edgesFrom(graph, number)].sort(byLabelThenTarget);
    for (const { from, label, to } of lines) hash.update(`${from}\t${label}\t${to}\n`);
  }
  return hash.digest("hex");
}

function byLabelThenTarget(left: Edge, right: Edge): number {
  if (left.label !== right.label) return left.label < right.label ? -1 : 1;
  return left.to - right.to;
}
