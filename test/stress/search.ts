/**
 * Is a history a behaviour of the model? That is: is there one order of its steps in which each takes place between
 * its two moments, is a step of the model there, and has the outcome that its process saw?
 *
 * The moments are gone through in order, with every state that the model may be in (the frontier). Three observations
 * keep it small, and none of them loses an order:
 *
 * - A *local* step commutes with every step of another process, so it takes place at its first moment.
 * - An *observer* changes nothing that another process reads, and its own process cannot tell before it has ended. If
 *   it fits at some moment it may as well take place at the first at which it fits: so it does.
 * - A *mutator* takes place when it is needed: when one has to end, or an observer has to end that does not fit
 *   yet, every sequence of open mutators up to there is tried. (If an order exists, then so does one in which each
 *   waits for that: moving it later, past steps that do not need it, changes none of their outcomes.) Since the
 *   outcomes are known, few sequences fit: calls take microseconds, and rarely more than two or three are open.
 *
 * A call whose process died in it is open until the Crash, and need not take place. A Crash takes place between the
 * last record (or the SIGKILL, if later) and the moment at which the parent had waited for the process.
 */

import { type ActionName, CONTENDING, freshName, successors } from "../../model/actions.ts";
import {
  at,
  type Config,
  type Dir,
  initialState,
  lives,
  mapGet,
  type Name,
  type NameMap,
  type Pc,
  type Proc,
  type State,
  stateKey,
  type Task,
} from "../../model/state.ts";
import type { Event, History, Op } from "./history.ts";
import type { AttemptId, Observed } from "./records.ts";

/** A step of the behaviour that was found. */
export interface Taken {
  readonly op: Op;
  /** Of the model: a task, a process, or a name. */
  readonly arg: string;
  readonly from: State;
  readonly to: State;
}

/** Where the model may be. */
interface Node {
  readonly state: State;
  /** Which attempt a task of the model stands for. */
  readonly attempts: Readonly<Record<Task, AttemptId>>;
  /** The open steps that have taken place. */
  readonly done: readonly number[];
  /** How it came here, since the frontier was one state. */
  readonly way: Way | undefined;
}

interface Way {
  readonly taken: Taken;
  readonly before: Way | undefined;
}

export type Verdict =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** The moment up to which no order fits; what came before has one. */
      readonly event: Event;
      /** The states before it, each with what does not fit there. */
      readonly misfits: readonly { readonly state: State; readonly why: string }[];
      readonly open: readonly Op[];
    };

export interface SearchReport {
  readonly verdict: Verdict;
  readonly largestFrontier: number;
}

/** A frontier that grows beyond this is an answer that nobody waits for: an error, never a pass. */
const LARGEST_FRONTIER = 20_000;

/** `onTaken` is told each step of the behaviour, in its order, as soon as no other order is left. */
export function search(history: History, onTaken: (taken: Taken) => void = () => {}): SearchReport {
  return new Search(history, onTaken).run();
}

/** The same, and every open step is tried at every moment: for small histories, to check the observations above. */
export function searchEveryOrder(history: History): SearchReport {
  return new EveryOrder(history, () => {}).run();
}

class Search {
  private readonly config: Config;
  private readonly history: History;
  private readonly onTaken: (taken: Taken) => void;
  protected nodes: readonly Node[];
  protected open: readonly Op[] = [];
  private largest = 1;

  constructor(history: History, onTaken: (taken: Taken) => void) {
    this.history = history;
    this.config = history.config;
    this.onTaken = onTaken;
    this.nodes = [{ state: initialState(this.config), attempts: {}, done: [], way: undefined }];
  }

  run(): SearchReport {
    for (const event of this.history.events) {
      const before = this.nodes;
      this.nodes = this.pass(event);
      this.largest = Math.max(this.largest, this.nodes.length);
      if (this.nodes.length === 0) return this.report(this.refusal(event, before));
      if (this.nodes.length === 1) this.settle();
    }
    // Several orders fit: any of them is one.
    this.nodes = this.nodes.slice(0, 1);
    this.settle();
    return this.report({ ok: true });
  }

  private report(verdict: Verdict): SearchReport {
    return { verdict, largestFrontier: this.largest };
  }

  private pass(event: Event): readonly Node[] {
    if (event.is === "observed") {
      return this.nodes.filter((node) => this.misfit(node, event.proc, event.observed) === undefined);
    }
    const { op } = event;
    if (event.is === "end") return this.close(op);
    if (op.kind === "local") return distinct(this.nodes.flatMap((node) => this.take(node, op)));
    this.open = [...this.open, op];
    return this.begin(op);
  }

  protected begin(op: Op): readonly Node[] {
    return op.kind === "observer" ? this.nodes.map((node) => this.observe(node)) : this.nodes;
  }

  /** A step has ended: in every state of the frontier it has taken place. */
  protected close(op: Op): readonly Node[] {
    const found = new Map<string, Node>();
    const tried = new Set<string>();
    const left = [...this.nodes];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      if (node.done.includes(op.id)) {
        const closed = { ...node, done: node.done.filter((id) => id !== op.id) };
        found.set(found.size === 0 && left.length === 0 ? "" : keyOf(closed), closed);
        continue;
      }
      for (const mutator of this.open) {
        if (mutator.kind !== "mutator" || node.done.includes(mutator.id)) continue;
        for (const next of this.take(node, mutator)) {
          const after = this.observe({ ...next, done: insertId(next.done, mutator.id) });
          const key = keyOf(after);
          if (tried.has(key)) continue;
          tried.add(key);
          left.push(after);
        }
      }
      if (tried.size > LARGEST_FRONTIER)
        throw new Error(`the frontier grows beyond ${LARGEST_FRONTIER} states`);
    }
    this.forget(op);
    return op.action === "Crash"
      ? distinct([...found.values()].map((node) => this.withoutGone(node)))
      : [...found.values()];
  }

  /** With a process go the calls that it died in. */
  protected forget(op: Op): void {
    this.open = this.open.filter(
      (other) =>
        other !== op && !(op.action === "Crash" && other.proc === op.proc && other.end === undefined),
    );
  }

  protected withoutGone(node: Node): Node {
    return { ...node, done: node.done.filter((id) => this.open.some((op) => op.id === id)) };
  }

  /** The open observers that fit now take place. */
  private observe(node: Node): Node {
    let seen = node;
    for (const op of this.open) {
      if (op.kind !== "observer" || seen.done.includes(op.id)) continue;
      const [after, ...others] = this.take(seen, op);
      if (after === undefined) continue;
      if (others.length > 0) throw new Error(`${op.action} of ${op.proc} has two outcomes (a bug)`);
      seen = { ...after, done: insertId(after.done, op.id) };
    }
    return seen;
  }

  /** The states that a step leads to, if it is possible here and has the outcome that its process saw. */
  protected take(node: Node, op: Op): readonly Node[] {
    const { state } = node;
    const asked = this.argOf(node, op);
    if (asked === undefined) return [];
    const { arg, attempts } = asked;
    const victim = (op.record?.is === "begin" ? this.nameOf(op.record.name) : undefined) ?? "";
    if (!outcomeFits(this.history, state, op, arg)) return [];
    return successors(this.config, state, { action: op.action, arg })
      .filter((next) => stepFits(state, next, op, arg, victim))
      .map((next) => {
        const to = this.tidied(state, next, op);
        return {
          state: to,
          attempts,
          done: node.done,
          way: { taken: { op, arg, from: state, to }, before: node.way },
        };
      });
  }

  /** The argument of the model's action; undefined if there is none here. */
  private argOf(
    node: Node,
    op: Op,
  ): { readonly arg: string; readonly attempts: Node["attempts"] } | undefined {
    const { state, attempts } = node;
    const { proc, action, record } = op;
    if (record === undefined) return { arg: proc, attempts };
    if (action === "Request") return this.newTask(node, op);
    if (record.is === "call") {
      const arg = this.taskOf(node, proc, record.attempt);
      return arg === undefined ? undefined : { arg, attempts };
    }
    if (action === "Retry" || action === "Retried") {
      const arg = record.is === "end" ? undefined : this.nameOf(record.name);
      return arg === undefined ? undefined : { arg, attempts };
    }
    const leaving = LEAVING.includes(action);
    const arg = leaving
      ? this.tasksOf(proc).find((task) => !NOT_LEAVING.includes(at(state.pc, task)))
      : at(state.contender, proc);
    return arg === undefined || arg === null ? undefined : { arg, attempts };
  }

  /** An attempt is played by a task of the model that is idle; which one does not matter. */
  private newTask(node: Node, { proc, record }: Op): ReturnType<Search["argOf"]> {
    if (record?.is !== "call") return undefined;
    const arg = this.tasksOf(proc).find(
      (task) => at(node.state.pc, task) === "idle" && this.sharing.has(task) === (record.shares === true),
    );
    if (arg === undefined) throw new Error(`${proc} has more attempts than the model has tasks`);
    return { arg, attempts: { ...node.attempts, [arg]: record.attempt } };
  }

  private taskOf({ attempts, state }: Node, proc: Proc, attempt: AttemptId): Task | undefined {
    return this.tasksOf(proc).find((task) => attempts[task] === attempt && at(state.pc, task) !== "idle");
  }

  private nameOf(real: string | undefined): Name | undefined {
    return real === undefined ? undefined : this.history.names.get(real);
  }

  private readonly byProc = new Map<Proc, readonly Task[]>();
  private tasksOf(proc: Proc): readonly Task[] {
    let tasks = this.byProc.get(proc);
    if (tasks === undefined) {
      tasks = this.config.tasks.filter((task) => at(this.config.procOf, task) === proc);
      this.byProc.set(proc, tasks);
    }
    return tasks;
  }

  private sharingTasks: ReadonlySet<Task> | undefined;
  private get sharing(): ReadonlySet<Task> {
    this.sharingTasks ??= new Set(this.config.reentrantTasks);
    return this.sharingTasks;
  }

  /**
   * The same state up to what a trace has otherwise. A name that the model takes again gets the one that comes once
   * (decision 0004). What a dead process leaves in its homes, nobody sees: the sweep removes it. What it had
   * sent has taken effect before its death or never: these processes run on one kernel (A4).
   */
  private tidied(before: State, after: State, { action, proc, record }: Op): State {
    if (action === "Prepare" && record?.is === "begin") {
      const model = freshName(this.config, before, proc);
      const real = this.nameOf(record.name);
      return model === undefined || real === undefined ? after : renamed(after, proc, model, real);
    }
    if (action !== "Crash") return after;
    return { ...after, late: [], homes: after.homes.filter(([name]) => lives(after, name)) };
  }

  // ----------------------------------------------------------------------------------------------
  // What a process saw

  /** What of the model is not as the process had it; undefined if all is. */
  private misfit(node: Node, proc: Proc, observed: Observed): string | undefined {
    const { state, attempts } = node;
    const attemptOf = (task: Task | null): AttemptId | null => (task === null ? null : (attempts[task] ?? 0));
    const name = (real: string | null): Name | null =>
      real === null ? null : (this.nameOf(real) ?? `unknown ${real}`);
    const release = at(state.releasing, proc);
    const contender = at(state.contender, proc);
    const ascending = (one: number | null, other: number | null): number => (one ?? 0) - (other ?? 0);
    const pairs: readonly (readonly [string, unknown, unknown])[] = [
      ["heldLocks", at(state.heldLocks, proc).map(attemptOf).sort(ascending), observed.heldLocks],
      ["releasing.name", release?.name ?? null, name(observed.releasing?.name ?? null)],
      ["releasing.aside", release?.aside ?? null, observed.releasing?.aside ?? null],
      ["contender", attemptOf(contender), observed.contender],
      ["queue", at(state.queue, proc).map(attemptOf), observed.queue],
      ["home", at(state.home, proc), name(observed.home)],
      ["owes", at(state.owes, proc).map(([owed]) => owed), observed.owes.map(name).sort()],
      ["gaveUp", contender !== null && state.gaveUp.includes(contender), observed.gaveUp],
    ];
    const wrong = pairs.filter(([, model, real]) => !same(model, real));
    if (wrong.length === 0) return undefined;
    return wrong
      .map(([field, model, real]) => `${field}: model ${JSON.stringify(model)}, real ${JSON.stringify(real)}`)
      .join(", ");
  }

  private refusal(event: Event, before: readonly Node[]): Verdict {
    const misfits = before.map((node) => ({ state: node.state, why: this.whyNot(node, event) }));
    return { ok: false, event, misfits, open: this.open };
  }

  private whyNot(node: Node, event: Event): string {
    if (event.is === "observed") return this.misfit(node, event.proc, event.observed) ?? "";
    const { op } = event;
    const { state } = node;
    const asked = this.argOf(node, op);
    const pc = asked === undefined ? undefined : state.pc[asked.arg];
    const lock = `lock ${JSON.stringify(state.lock)}`;
    if (asked === undefined) return `${op.action}(${op.proc}): the model has no such step here; ${lock}`;
    const { arg } = asked;
    const next = successors(this.config, state, { action: op.action, arg });
    const allows = next.map((after) => after.pc[arg] ?? "a step").join(" or ") || "no such step";
    return `${op.action}(${arg})${pc === undefined ? "" : ` at ${pc}`}: the model allows ${allows}; ${lock}`;
  }

  // ----------------------------------------------------------------------------------------------
  // The behaviour

  /** One state is left: how it came there is the behaviour, for good. */
  private settle(): void {
    const [node] = this.nodes;
    if (node?.way === undefined) return;
    const taken: Taken[] = [];
    for (let way: Way | undefined = node.way; way !== undefined; way = way.before) taken.push(way.taken);
    for (const step of taken.reverse()) this.onTaken(step);
    this.nodes = [{ ...node, way: undefined }];
  }
}

/** No observation is used but the first. */
class EveryOrder extends Search {
  protected override begin(): readonly Node[] {
    return this.reachable();
  }

  protected override close(op: Op): readonly Node[] {
    const nodes = this.reachable().filter(({ done }) => done.includes(op.id));
    this.forget(op);
    return distinct(nodes.map((node) => this.withoutGone(node)));
  }

  /** Everything that the open steps lead to, in any order, all of them or not. */
  private reachable(): readonly Node[] {
    const found = new Map(this.nodes.map((node) => [keyOf(node), node]));
    const left = [...this.nodes];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      for (const op of this.open) {
        if (node.done.includes(op.id)) continue;
        for (const next of this.take(node, op)) {
          const after = { ...next, done: insertId(next.done, op.id) };
          const key = keyOf(after);
          if (found.has(key)) continue;
          found.set(key, after);
          left.push(after);
        }
      }
    }
    return [...found.values()];
  }
}

const keyOf = ({ state, attempts, done }: Node): string =>
  `${stateKey(state)} ${JSON.stringify(attempts)} ${done.join()}`;

function distinct(nodes: readonly Node[]): readonly Node[] {
  if (nodes.length < 2) return nodes;
  return [...new Map(nodes.map((node) => [keyOf(node), node])).values()];
}

const insertId = (ids: readonly number[], id: number): readonly number[] =>
  ids.includes(id) ? ids : [...ids, id].sort((one, other) => one - other);

function same(model: unknown, real: unknown): boolean {
  if (!Array.isArray(model) || !Array.isArray(real)) return model === real;
  return model.length === real.length && model.every((value, i) => value === real[i]);
}

/** The steps of a release; the others are the contender's. */
const LEAVING: readonly ActionName[] = ["Check", "PutBack", "Confirm", "Restore", "Drop", "Released"];
/** A task that is at none of these is on its way off the disk: at most one of a process. */
const NOT_LEAVING: readonly Pc[] = ["idle", "queued", "holding", ...CONTENDING];

// ------------------------------------------------------------------------------------------------
// Outcomes

const NOT_THERE = "ENOENT";
/** What rename says of something that stands at L. */
const REFUSALS = ["ENOTEMPTY", "EEXIST"];

const namesIn = (dir: Dir | undefined): readonly Name[] => dir ?? [];
const isFree = (dir: Dir): boolean => namesIn(dir).length === 0;

/** Does what the disk answered fit the model's disk? A call that nobody saw the answer of has happened. */
function outcomeFits(
  history: History,
  state: State,
  { action, proc, record, reply }: Op,
  arg: string,
): boolean {
  if (record?.is !== "begin") return true;
  const said = reply?.reply ?? "ok";
  const happened = said === "ok";
  const home = at(state.home, proc) ?? "";
  const saw = reply?.names?.map((real) => history.names.get(real) ?? `unknown ${real}`).sort() ?? [];
  /** Absent and empty are one to whoever looks: what was opened may be moved away and emptied before it is read. */
  const shows = (dir: Dir): boolean =>
    (happened || said === NOT_THERE) && same(namesIn(dir), happened ? saw : []);
  const unlinks = (name: Name, dir: Dir | undefined): boolean =>
    (happened || said === NOT_THERE) && happened === namesIn(dir).includes(name);
  switch (action) {
    case "Take":
      return happened
        ? mapGet(state.homes, home) !== undefined && isFree(state.lock)
        : REFUSALS.includes(said);
    case "Look":
    case "Verify":
    case "Check":
      return shows(state.lock);
    case "Confirm":
      return shows(mapGet(state.homes, home) ?? null);
    case "Evict":
      return unlinks(history.names.get(record.name ?? "") ?? "", state.lock);
    case "Drop":
      return unlinks(home, state.lock);
    case "Retry":
      return (
        mapGet(at(state.owes, proc), arg) === record.debt && retryFits(state, arg, record.debt, happened)
      );
    default:
      return true;
  }
}

function retryFits(state: State, name: Name, step: string | undefined, happened: boolean): boolean {
  const home = mapGet(state.homes, name);
  if (step === "unlinkHome") return happened === (home?.includes(name) === true);
  if (step === "unlinkLock") return happened === namesIn(state.lock).includes(name);
  return happened === (home?.length === 0);
}

/** Does the model's outcome fit what the process went on with? */
function stepFits(before: State, after: State, op: Op, arg: string, victim: Name): boolean {
  const { action, reply, next } = op;
  const pc = after.pc[arg];
  const happened = reply === undefined || reply.reply === "ok";
  switch (action) {
    case "Prepare":
      return happened;
    case "Take":
      return pc === (happened ? "taken" : "refused");
    case "PutBack":
      return pc === (happened ? "confirm" : "drop");
    case "Restore":
      return happened === (before.lock !== after.lock);
    case "Evict":
      return evicts(before.seen[arg], after.seen[arg], victim);
    // The rest of a turn follows at once, so what comes next in the process tells what was decided.
    case "Judge":
      return judgedAs(pc, next);
    case "Release":
      return (
        next === undefined || (next === "Check" || next === "Drop") === (pc === "check" || pc === "drop")
      );
    default:
      return true;
  }
}

/** Of the names that were seen, this one is dealt with. */
function evicts(before: Dir | undefined, after: Dir | undefined, victim: Name): boolean {
  return namesIn(before).includes(victim) && !namesIn(after).includes(victim);
}

function judgedAs(pc: Pc | undefined, next: Op["next"]): boolean {
  if (next === "Evict") return pc === "evict";
  if (next === "Verify") return pc === "verify";
  if (pc === "evict" || pc === "verify") return false;
  return next === "Take" ? pc !== "waiting" : pc !== "take";
}

/** A name of one process under another ordinal; nothing else refers to the old one, which was fresh, or to the new one. */
function renamed(state: State, proc: Proc, from: Name, to: Name): State {
  const name = (other: Name): Name => (other === from ? to : other);
  const keys = <V>(map: NameMap<V>, value: (v: V) => V): NameMap<V> =>
    map.map(([key, v]) => [name(key), value(v)] as const).sort((x, y) => (x[0] < y[0] ? -1 : 1));
  const home = at(state.home, proc);
  return {
    ...state,
    homes: keys(state.homes, (contents) => contents.map(name)),
    home: { ...state.home, [proc]: home === null ? null : name(home) },
    owes: { ...state.owes, [proc]: keys(at(state.owes, proc), (step) => step) },
  };
}
