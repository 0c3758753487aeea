import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { buildGraph, type Graph, stateText } from "./graphDigest.ts";
import { ToolError } from "./toolError.ts";
import { canonicalText } from "./values.ts";

/** Reads the file that TLC writes with `-dump dot,actionlabels`. */
export function readDump(file: string): Promise<Graph> {
  return parseDump(createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY }));
}

export async function parseDump(lines: AsyncIterable<string> | Iterable<string>): Promise<Graph> {
  const found = new FoundGraph();
  let last = "";
  for await (const line of lines) {
    if (line === "") continue;
    last = line;
    const edge = edgePattern.exec(line);
    if (edge !== null) {
      found.addEdge(edge[1] ?? "", edge[3] ?? "", edge[2] ?? "");
      continue;
    }
    const state = statePattern.exec(line);
    if (state !== null) found.addState(state[1] ?? "", state[2] ?? "", state[3] !== undefined);
    else if (!framePattern.test(line))
      throw unreadable(`it has a line of another kind: ${line.slice(0, 200)}`);
  }
  if (last !== "}") throw unreadable("it has no end");
  return found.finish();
}

/**
 * TLC names states by fingerprint, and names the target of an edge before it describes it. So states get small
 * numbers as they are met, and edges are kept as numbers until every state is known.
 */
class FoundGraph {
  readonly #numbers = new Map<string, number>();
  readonly #states: Array<string | undefined> = [];
  readonly #init: string[] = [];
  readonly #labels = new Map<string, string>();
  readonly #edges: Array<readonly [number, string, number]> = [];

  addState(id: string, label: string, initial: boolean): void {
    const state = canonicalState(unescapeDot(label));
    this.#states[this.#numberOf(id)] = state;
    if (initial) this.#init.push(state);
  }

  addEdge(from: string, label: string, to: string): void {
    // One string per label: the one cut out of the line would keep the line in memory.
    let known = this.#labels.get(label);
    if (known === undefined) {
      known = unescapeDot(label);
      this.#labels.set(label, known);
    }
    this.#edges.push([this.#numberOf(from), known, this.#numberOf(to)]);
  }

  finish(): Graph {
    const graph = buildGraph({ init: this.#init, states: this.#listStates(), edges: this.#listEdges() });
    // Two fingerprints with one text: the canonical text loses something that TLC tells apart.
    if (graph.states.length !== this.#states.length) {
      throw unreadable(`its ${this.#states.length} states have only ${graph.states.length} canonical texts`);
    }
    return graph;
  }

  *#listStates(): Generator<string> {
    for (const number of this.#states.keys()) yield this.#stateAt(number);
  }

  *#listEdges(): Generator<readonly [string, string, string]> {
    for (const [from, label, to] of this.#edges) yield [this.#stateAt(from), label, this.#stateAt(to)];
  }

  #stateAt(number: number): string {
    const state = this.#states[number];
    if (state === undefined) throw unreadable("an edge names a state that it does not describe");
    return state;
  }

  #numberOf(id: string): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    const number = this.#states.push(undefined) - 1;
    this.#numbers.set(id, number);
    return number;
  }
}

const statePattern = /^(-?\d+) \[label="((?:[^"\\]|\\.)*)"(,style = filled)?\];?$/;
const edgePattern = /^(-?\d+) -> (-?\d+) \[label="((?:[^"\\]|\\.)*)"[^\]]*\];?$/;

/** The lines around the graph. */
const framePattern = /^(\}|strict digraph .*|nodesep=.*|subgraph .*|color=.*|\{rank = same;.*)$/;

function unreadable(reason: string): ToolError {
  return new ToolError("read TLC's dump", reason, "Run it again; if it stays so, look at tla/tools/dump.ts.");
}

/** Undoes the three replacements of TLC's writer: backslash, quote, end of line. */
function unescapeDot(label: string): string {
  if (!label.includes("\\")) return label;
  return label.replaceAll(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}

/** One line per variable, `/\ x = value`, but continued on indented lines, and without `/\` if there is one. */
export function canonicalState(text: string): string {
  const parts = text.startsWith("/\\ ") ? text.slice(3).split("\n/\\ ") : [text];
  return stateText(
    parts.map((part) => {
      const sign = part.indexOf(" = ");
      if (sign === -1) throw unreadable(`a state has a part without "=": ${part.slice(0, 200)}`);
      return [part.slice(0, sign), canonicalText(part.slice(sign + 3))] as const;
    }),
  );
}
