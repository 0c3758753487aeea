/** Checks a trace, and says what was seen on the way: or where it stops to be a behaviour of the model. */

import { labelText } from "../../model/machine.ts";
import { at, type State } from "../../model/state.ts";
import { table } from "../../tla/tools/console.ts";
import { type Event, type History, historyOf, type Op } from "./history.ts";
import type { Trace } from "./records.ts";
import { search, type Taken, type Verdict } from "./search.ts";

export interface CheckReport {
  readonly history: History;
  /** Those of the processes that are in the behaviour, which besides has crashes and starts. */
  readonly steps: number;
  /** How often each action is in the behaviour. */
  readonly actions: ReadonlyMap<string, number>;
  /** `Judge looked -> evict`: the kinds of edges of the model that the behaviour has. */
  readonly edges: ReadonlySet<string>;
  readonly crashes: number;
  /** Of the crashes, those of a process that held the lock. */
  readonly crashesWhileHolding: number;
  readonly largestFrontier: number;
  /** The first steps of the behaviour, as many as were asked for. */
  readonly beginning: readonly Taken[];
  /** Undefined: the trace is a behaviour of the model. */
  readonly refusal: string | undefined;
}

/** How much of a behaviour is shown before the step that does not fit. */
const SHOWN = 25;

/** `keep`: so many steps of the beginning are in the report. */
export function checkTrace(trace: Trace, keep = 0): CheckReport {
  const history = historyOf(trace);
  const actions = new Map<string, number>();
  const edges = new Set<string>();
  const beginning: Taken[] = [];
  const latest: Taken[] = [];
  let steps = 0;
  let crashesWhileHolding = 0;
  const { verdict, largestFrontier } = search(history, (taken) => {
    const { op, from } = taken;
    if (op.record !== undefined) steps++;
    actions.set(op.action, (actions.get(op.action) ?? 0) + 1);
    edges.add(edgeOf(taken));
    if (op.action === "Crash" && at(from.heldLocks, op.proc).length > 0) crashesWhileHolding++;
    if (beginning.length < keep) beginning.push(taken);
    latest.push(taken);
    if (latest.length > SHOWN) latest.shift();
  });
  return {
    history,
    steps,
    actions,
    edges,
    crashes: actions.get("Crash") ?? 0,
    crashesWhileHolding,
    largestFrontier,
    beginning,
    refusal: verdict.ok ? undefined : explain(history, verdict, latest),
  };
}

export function edgeOf({ op, arg, from, to }: Taken): string {
  const [before, after] = [from.pc[arg], to.pc[arg]];
  return before === undefined || after === undefined ? op.action : `${op.action} ${before} -> ${after}`;
}

/** Several orders may fit up to there; so many of the states that they lead to are shown. */
const MISFITS_SHOWN = 3;

function explain({ events }: History, verdict: Verdict & { ok: false }, latest: readonly Taken[]): string {
  const { event, misfits, open } = verdict;
  const begin = events[0]?.at ?? 0;
  const since = (moment: number | undefined): string =>
    moment === undefined ? "-" : ((moment - begin) / 1000).toFixed(1);
  const row = (taken: string, op: Op): string[] => [
    since(op.begin),
    since(op.end),
    taken,
    op.reply?.reply ?? "",
    (op.reply?.names ?? []).join(" "),
  ];
  const behaviour = latest.map((taken) => {
    const { op, arg, from, to } = taken;
    const edge = from.pc[arg] === undefined ? "" : ` ${from.pc[arg]} -> ${to.pc[arg]}`;
    return row(`${labelText({ action: op.action, arg })}${edge}`, op);
  });
  const candidates = open.map((op) => row(`${op.action} of ${op.proc}, open`, op));
  const before = events.indexOf(event);
  return [
    `No order of its steps is a behaviour of the model, at ${since(event.at)} µs. The ${before} moments before have one:`,
    "",
    table(["begin µs", "end µs", "step", "reply", "names"], [...behaviour, ...candidates]),
    "",
    `Then: ${describe(event)}`,
    ...misfits.slice(0, MISFITS_SHOWN).map(({ state, why }) => `  ${why}\n    ${stateText(state)}`),
    ...(misfits.length > MISFITS_SHOWN ? [`  and ${misfits.length - MISFITS_SHOWN} states more`] : []),
  ].join("\n");
}

function describe(event: Event): string {
  if (event.is === "observed") return `${event.proc} knows ${JSON.stringify(event.observed)}`;
  const { op } = event;
  const subject = op.record !== undefined && "name" in op.record ? ` ${op.record.name}` : "";
  const reply =
    op.reply === undefined ? "" : `, answered ${op.reply.reply} ${(op.reply.names ?? []).join(" ")}`;
  return `${op.action}${subject} of ${op.proc} has to have taken place${reply}`;
}

const stateText = ({ lock, alive, inc }: State): string =>
  `lock ${JSON.stringify(lock)}, alive ${alive.map((proc) => `${proc}.${at(inc, proc)}`).join(" ")}`;
