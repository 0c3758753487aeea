/**
 * The ledger: edges of the model that the code cannot take, and why. The specification lets time and patience
 * decide, the code counts; so at a small scope a counter may not come far enough. Nothing else is here.
 *
 * A condition looks at the counters of the code at *every* place of the edge's first state. That each place has one
 * value of them is checked whenever it is met again (exhaustive.ts). So an entry cannot excuse an edge that the
 * counters allowed at a place that was met. And each kind of edge is driven somewhere, from places whose
 * counters came far enough: `atBound` in exhaust.json.
 */

import type { ActionName } from "../../model/actions.ts";
import { at, type DebtStep, mapGet, type Pc, type State } from "../../model/state.ts";
import { MOST_FAILURES, MOST_SPINS } from "../../src/protocol.ts";
import type { Edge } from "./edges.ts";
import type { Counters } from "./memory.ts";

type Stand = Pc | DebtStep | "paid";

export interface LedgerEntry {
  readonly action: ActionName;
  /** Where the task of the edge stands, or the debt. */
  readonly from: Stand;
  readonly to: Stand;
  /** Which of these edges. */
  readonly which: (edge: Edge) => boolean;
  /** Whether the code, with these counters of the process of the task or debt, cannot take it. */
  readonly unable: (counters: Counters, edge: Edge) => boolean;
  /** In a sentence: why the code cannot. */
  readonly reason: string;
  /** The scopes at which there are such edges; at others the entry excuses nothing. */
  readonly scopes: readonly string[];
}

const seesFree = ({ label, from }: Edge): boolean => (at(from.seen, label.arg) ?? []).length === 0;
const goesOn = ({ label, from }: Edge): boolean => !from.gaveUp.includes(label.arg);
const failedTooSeldom = ({ failures }: Counters): boolean => failures + 1 < MOST_FAILURES;

const succeeds = ({ from, to }: Edge): boolean => from.budget.fault === to.budget.fault;

export const LEDGER: readonly LedgerEntry[] = [
  {
    action: "Judge",
    from: "looked",
    to: "waiting",
    which: seesFree,
    unable: ({ spins }) => spins < MOST_SPINS,
    reason: "free, yet refused, must come MOST_SPINS times in a row before the code waits, not takes at once",
    scopes: [
      "2 processes, 1 task each, one falsely suspected, 2 requests",
      "2 processes, 1 task each, broken by an operator, 2 requests",
      "2 processes, 1 task each, removed, 2 requests",
      "2 processes, 1 task each, Drop, one falsely suspected, 2 requests",
      "2 processes, 1 task each, Drop, rename does not replace an empty directory, 3 requests",
      "2 processes, 1 task each, Drop, Clear fails, 2 requests",
      "2 processes, 1 task each, Drop, rename does not replace an empty directory",
      "2 processes, 1 task each, Evict fails, a crash, 2 requests",
      "2 processes, 1 task each, Drop, removed, 2 requests",
      "1 process, 2 tasks, a failing call",
      "1 process, 1 task, Drop, restarted twice, 3 requests",
      "2 processes, 1 task each, a crash, 4 requests",
      "1 process with a guest, a vandal, nobody gives up, 1 request",
      "2 processes, one with a guest, a crash, nobody gives up, 2 requests",
      "2 processes, one with a guest, a crash, 2 requests",
      "1 process with a guest, Drop, a failing call, 1 request",
      "2 processes, 1 task each, a crash",
      "2 processes, 1 task each, Drop, nobody gives up, a crash",
      "2 processes, 1 task each, Drop, a crash, 3 requests",
      "2 processes, 1 task each, Drop, a failing call, 2 requests",
      "1 process, 1 task, Drop, a failing call, a crash, 2 requests",
      "2 processes, 2 tasks each, a crash, one may give up",
      "2 processes, 2 tasks each, Drop, nobody gives up, a crash, 3 requests",
    ],
  },
  {
    action: "Judge",
    from: "lookedDoubt",
    to: "idle",
    which: goesOn,
    unable: failedTooSeldom,
    reason: "MOST_FAILURES homes in a row must fail before the code gives the request up",
    scopes: [
      "1 process, 2 tasks, a failing call",
      "1 process, 2 tasks, a vandal",
      "1 process, 1 task, Take fails three times",
      "1 process with a guest, a vandal, nobody gives up, 1 request",
      "1 process with a guest, Drop, a failing call, 1 request",
      "1 process, 1 task that never gives up, three vandals",
      "2 processes, 1 task each, a vandal",
      "2 processes, 1 task each, Drop, a failing call, 2 requests",
      "1 process, 1 task, Drop, a failing call, a crash, 2 requests",
    ],
  },
  {
    action: "Refused",
    from: "unverified",
    to: "idle",
    which: goesOn,
    unable: failedTooSeldom,
    reason: "as after a doubt: MOST_FAILURES homes in a row must fail before the code gives the request up",
    scopes: [
      "2 processes, 1 task each, one falsely suspected, 2 requests",
      "2 processes, 1 task each, broken by an operator, 2 requests",
      "2 processes, 1 task each, removed, 2 requests",
      "2 processes, 1 task each, Drop, one falsely suspected, 2 requests",
      "1 process, 2 tasks, broken by an operator, Restore fails, 2 requests",
      "1 process, 2 tasks, removed, 2 requests",
      "2 processes, 1 task each, Drop, removed, 2 requests",
      "1 process, 2 tasks, a failing call",
      "1 process, 2 tasks, a vandal",
      "1 process with a guest, a vandal, nobody gives up, 1 request",
      "1 process, 1 task that never gives up, three vandals",
      "2 processes, 1 task each, a vandal",
    ],
  },
  {
    action: "Clear",
    from: "clear",
    to: "waiting",
    which: succeeds,
    unable: ({ spins }) => spins < MOST_SPINS,
    reason: "free, yet refused, must come MOST_SPINS times in a row before the code waits after a Clear",
    scopes: [
      "2 processes, 1 task each, Drop, rename does not replace an empty directory, 3 requests",
      "2 processes, 1 task each, Drop, Clear fails, 2 requests",
      "2 processes, 1 task each, Drop, rename does not replace an empty directory",
    ],
  },
  {
    action: "Retry",
    from: "rmdirHome",
    to: "paid",
    which: () => true,
    unable: ({ answered }, { label }) => answered.includes(label.arg),
    reason:
      "the code sends a debt's next call in the turn of its last, which must wait while a release is in a turn of " +
      "its own; meanwhile another process put back the lock, and with it the name that this one owes",
    scopes: [
      "2 processes, 1 task each, one falsely suspected, 2 requests",
      "2 processes, 1 task each, broken by an operator, 2 requests",
      "2 processes, 1 task each, removed, 2 requests",
    ],
  },
];

/** Of the edges that were not driven: how many each entry explains, and which nobody explains. */
export interface Explained {
  readonly entries: readonly { readonly entry: LedgerEntry; readonly edges: number }[];
  readonly unexplained: readonly Edge[];
  /** Entries that are wrong here: they match nothing, or an edge that was driven. */
  readonly wrong: readonly string[];
  /** Kinds of edges of the ledger that were driven, from places whose counters had come far enough. */
  readonly atBound: readonly string[];
}

/** What the code remembered at each place of the state that the edge leaves. */
export type CountersAt = (edge: Edge) => readonly Counters[];

export function explain(
  scope: string,
  missed: Iterable<Edge>,
  driven: Iterable<Edge>,
  countersAt: CountersAt,
  ledger: readonly LedgerEntry[] = LEDGER,
): Explained {
  const applying = ledger.filter(({ scopes }) => scopes.includes(scope));
  const counts = new Map(applying.map((entry) => [entry, 0]));
  const unexplained: Edge[] = [];
  for (const edge of missed) {
    const entry = applying.find((candidate) => excuses(candidate, edge, countersAt));
    if (entry === undefined) unexplained.push(edge);
    else counts.set(entry, (counts.get(entry) ?? 0) + 1);
  }
  const wrong = applying
    .filter((entry) => counts.get(entry) === 0)
    .map((entry) => `${kindOf(entry)}: every such edge was driven, so it is not for this scope`);
  const atBound = new Set<string>();
  for (const edge of driven) {
    for (const about of ledger) if (isAbout(about, edge)) atBound.add(kindOf(about));
    const entry = applying.find((candidate) => excuses(candidate, edge, countersAt));
    if (entry !== undefined) wrong.push(`${kindOf(entry)}: it excuses an edge that was driven`);
  }
  const entries = [...counts].map(([entry, edges]) => ({ entry, edges }));
  return { entries, unexplained, wrong: [...new Set(wrong)], atBound: [...atBound].sort() };
}

function excuses(entry: LedgerEntry, edge: Edge, countersAt: CountersAt): boolean {
  return isAbout(entry, edge) && countersAt(edge).every((counters) => entry.unable(counters, edge));
}

function isAbout({ action, from, to, which }: LedgerEntry, edge: Edge): boolean {
  const { label } = edge;
  const fits = label.action === action && standOf(edge.from, edge) === from && standOf(edge.to, edge) === to;
  return fits && which(edge);
}

function standOf({ pc, owes }: State, { label: { arg } }: Edge): Stand | undefined {
  const [step] = Object.values(owes).flatMap((debts) => mapGet(debts, arg) ?? []);
  return pc[arg] ?? step;
}

/** `Judge looked -> waiting`, and of the environment the action alone. */
export function kindOf(edge: Edge | LedgerEntry): string {
  if ("reason" in edge) return `${edge.action} ${edge.from} -> ${edge.to}`;
  const { label, from, to } = edge;
  const before = from.pc[label.arg];
  return before === undefined ? label.action : `${label.action} ${before} -> ${to.pc[label.arg]}`;
}
