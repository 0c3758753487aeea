/**
 * A trace as the steps of the model, each with the moments between which it took place, and with what the process saw
 * of it. The moments of all processes are on one line: that is all that is known of their order.
 */

import type { ActionName } from "../../model/actions.ts";
import { type Config, type Name, nameOf, type Proc, type Task } from "../../model/state.ts";
import { scope } from "../lockstep/scopes.ts";
import type { Life, Observed, RealName, StepRecord, Trace } from "./records.ts";

/** A step that took place, or (if its process died in it) may have. */
export interface Op {
  readonly id: number;
  readonly proc: Proc;
  readonly action: ActionName;
  readonly begin: number;
  /** Undefined: nobody was told of its end. */
  readonly end: number | undefined;
  /**
   * `local`: reads and writes what its process owns, and nothing else. `observer`: besides, it reads what others
   * change. `mutator`: it changes what others read.
   */
  readonly kind: "local" | "observer" | "mutator";
  readonly record: StepRecord | undefined;
  readonly reply: (StepRecord & { readonly is: "end" }) | undefined;
  /** What comes next in the process, for steps whose outcome only that tells; undefined if nothing does. */
  readonly next: ActionName | "end" | undefined;
}

/** In the order of their moments. */
export type Event =
  | { readonly at: number; readonly is: "begin" | "end"; readonly op: Op }
  /** What a process knew then, and had known since its last step. */
  | { readonly at: number; readonly is: "observed"; readonly proc: Proc; readonly observed: Observed };

export interface History {
  readonly config: Config;
  readonly events: readonly Event[];
  readonly names: ReadonlyMap<RealName, Name>;
}

export function historyOf(trace: Trace): History {
  const names = new Map<RealName, Name>();
  const events: Event[] = [];
  let ops = 0;
  let crashes = 0;
  const nextId = (): number => ++ops;
  for (const proc of new Set(trace.lives.map((life) => life.proc))) {
    // A life without a record was killed before it could do anything.
    const lives = trace.lives.filter((life) => life.proc === proc && life.records.length > 0);
    for (const [at, life] of lives.entries()) {
      nameHomes(life, at + 1, names);
      const found = eventsOf(life, at > 0, nextId);
      for (const event of found) {
        if (event.is === "begin" && event.op.action === "Crash") crashes++;
        events.push(event);
      }
    }
  }
  return { config: configFor(trace, crashes), events: inOrder(events), names };
}

/** A process's k-th name in the words of the model. Names come once: the search renames what the model takes again. */
function nameHomes({ proc, records }: Life, inc: number, names: Map<RealName, Name>): void {
  let ordinal = 0;
  for (const record of records) {
    if (record.is !== "begin" || record.action !== "Prepare") continue;
    names.set(record.name ?? "", nameOf(proc, inc, ++ordinal));
  }
}

/** Moments of one process are in the order of its file; of two processes, a begin comes before an end. */
function inOrder(events: Event[]): readonly Event[] {
  const rank = { observed: 0, begin: 1, end: 2 };
  // Stable: a process's records have different moments, but for those that belong to one record.
  return events.sort((one, other) => one.at - other.at || rank[one.is] - rank[other.is]);
}

// ------------------------------------------------------------------------------------------------
// One life

function eventsOf(life: Life, restarted: boolean, nextId: () => number): readonly Event[] {
  const { proc, records, killedAt, endedAt } = life;
  const replies = new Map(records.flatMap((record) => (record.is === "end" ? [[record.id, record]] : [])));
  const events: Event[] = [];
  const add = (op: Omit<Op, "id" | "proc">): void => {
    const whole: Op = { ...op, id: nextId(), proc };
    // Private, or a look that nobody knows the answer of: of a process that died in it nothing follows.
    if (whole.end === undefined && (whole.kind !== "mutator" || whole.record === undefined)) return;
    events.push({ at: whole.begin, is: "begin", op: whole });
    if (whole.end !== undefined && whole.kind !== "local")
      events.push({ at: whole.end, is: "end", op: whole });
  };
  const environment = { record: undefined, reply: undefined, next: undefined };
  const [first, last] = [records[0], records.at(-1)];
  if (first === undefined || last === undefined) return [];
  // Any moment after the death of the one before: this one is as good as any, before its first record.
  const startedAt = first.at - 1;
  if (restarted) add({ ...environment, action: "Start", begin: startedAt, end: startedAt, kind: "local" });
  for (const [at, record] of records.entries()) {
    if (record.is === "end") continue;
    if (record.state !== undefined) {
      events.push({ at: record.at, is: "observed", proc, observed: record.state });
    }
    const next = records[at + 1];
    const reply = record.is === "begin" ? replies.get(record.id) : undefined;
    const nextAction = next?.is === "end" ? "end" : next?.action;
    const end = record.is === "begin" ? reply?.at : endOfTurn(record.action, record.at, next?.at);
    const kind = kindOf(record, reply?.reply);
    add({ action: record.action, begin: record.at, end, kind, record, reply, next: nextAction });
  }
  if (endedAt !== undefined) {
    // It was alive when it wrote, and when it was killed.
    const begin = Math.max(last.at, killedAt ?? 0);
    add({ ...environment, action: "Crash", begin, end: endedAt, kind: "mutator" });
  }
  return events;
}

/**
 * A turn judges until just before it does what it has judged; every other turn is local, so that any moment of it
 * will do.
 */
function endOfTurn(action: ActionName, begin: number, next: number | undefined): number | undefined {
  if (action !== "Judge") return begin;
  return next === undefined ? undefined : next - 1;
}

function kindOf(record: StepRecord & { readonly action: ActionName }, reply: string | undefined): Op["kind"] {
  const { action } = record;
  if (action === "Judge") return "observer";
  if (record.is !== "begin") return "local";
  if (action === "Prepare") return "local";
  if (["Verify", "Look", "Check", "Confirm"].includes(action)) return "observer";
  if (action === "Retry" && record.debt !== "unlinkLock") return "observer";
  // Without a reply it may have happened.
  return reply === undefined || reply === "ok" ? "mutator" : "observer";
}

// ------------------------------------------------------------------------------------------------
// The scope

/** Those that share are tasks of their own: in the model a task asks to share always, or never. */
export const tasksOfProc = (proc: Proc, tasks: number, shares: boolean): readonly Task[] => {
  // An attempt that gave up may still contend, and one that was let go may still be on its way off the disk.
  const lingering = 2;
  const exclusive = tasks + lingering;
  // A holder that shares may ask once more.
  const count = shares ? 2 * tasks + lingering : exclusive;
  return Array.from({ length: count }, (_, at) => `${proc}${at + 1 + (shares ? exclusive : 0)}`);
};

function configFor({ meta, lives }: Trace, crashes: number): Config {
  const procs = [...new Set(lives.map(({ proc }) => proc))].sort();
  const sharing = procs.flatMap((proc) => tasksOfProc(proc, meta.tasks, true));
  const tasks = procs.flatMap((proc) => [...tasksOfProc(proc, meta.tasks, false)]).concat(sharing);
  return scope(tasks.sort(), {
    procs,
    procOf: Object.fromEntries(tasks.map((task) => [task, task.slice(0, 1)])),
    pidOf: Object.fromEntries(procs.map((proc) => [proc, proc])),
    reentrantTasks: [...sharing].sort(),
    local: meta.local,
    // The disks here do not fail, and nobody vandalises: a call that fails is no behaviour of this configuration.
    maxCrashes: crashes,
  });
}
