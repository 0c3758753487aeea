import { buildGraph, type GraphSource, graphDigest, stateText } from "../../../tla/tools/graphDigest.ts";

type Party = "a1" | "b1";

interface State {
  readonly holder: Party | undefined;
  readonly log: readonly Party[];
}

const parties: readonly Party[] = ["a1", "b1"];
const rounds = 2;

/** Turns.tla with the constants of Holds.cfg, as the model's side of a comparison of graphs. */
export function modelGraph(_configName: string): GraphSource & { readonly digest: string } {
  const initial: State = { holder: undefined, log: [] };
  const states = new Map([[textOf(initial), initial]]);
  const edges: Array<readonly [string, string, string]> = [];
  for (const [from, state] of states) {
    for (const [label, next] of steps(state)) {
      const to = textOf(next);
      states.set(to, next);
      edges.push([from, label, to]);
    }
  }
  const source: GraphSource = { init: [textOf(initial)], states: [...states.keys()], edges };
  return { ...source, digest: graphDigest(buildGraph(source)) };
}

function* steps({ holder, log }: State): Generator<readonly [string, State]> {
  for (const party of parties) {
    if (holder === undefined && log.length < rounds)
      yield [`Take_${party}`, { holder: party, log: [...log, party] }];
    if (holder === party) yield [`Put_${party}`, { holder: undefined, log }];
  }
  if (holder === undefined && log.length === rounds) yield ["Done", { holder, log }];
}

function textOf({ holder, log }: State): string {
  const note = String.raw`"say \"hi\" \\ bye"`;
  const entries = log.map((who, index) => `[note |-> ${note}, round |-> ${-(index + 1)}, who |-> "${who}"]`);
  const seen = parties.filter((party) => log.includes(party)).map((party) => `"${party}"`);
  const doing = parties.map((party) => `${party} |-> "${party === holder ? "holding" : "idle"}"`);
  return stateText([
    ["pc", `[${doing.join(", ")}]`],
    ["holder", holder === undefined ? "NoOne" : `"${holder}"`],
    ["log", `<<${entries.join(", ")}>>`],
    ["seen", `{${seen.join(", ")}}`],
  ]);
}
