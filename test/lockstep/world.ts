/**
 * The real protocol on a real directory, one step at a time.
 *
 * A world has a few processes, each with the registry entry and the protocol code of src/. They reach the
 * world through the ports only, and the ports are here: a disk call is made for real, synchronously, when the
 * scheduler releases its effect; its reply is given to the code when the scheduler releases its turn. So every
 * schedule is possible, and each replays. After every step the whole real state is compared with the model's:
 * it must be a successor of the previous state under the action of that name.
 *
 * What is not real here: death, /proc and the clock (test/process has those).
 */

import fs from "node:fs";
import { join } from "node:path";
import {
  type ActionName,
  freshName,
  type Label,
  type Step as ModelStep,
  mayStartGuest,
  successors,
} from "../../model/actions.ts";
import { labelText } from "../../model/machine.ts";
import {
  INVARIANTS,
  STEP_PROPERTIES,
  WEAKER_INVARIANTS,
  WEAKER_STEP_PROPERTIES,
} from "../../model/properties.ts";
import {
  at,
  type Budget,
  type Config,
  type FaultKind,
  type Guest,
  guestNames,
  guestsOf,
  initialState,
  type LivingGuest,
  type Name,
  type Proc,
  type State,
  stateKey,
  type Task,
} from "../../model/state.ts";
import { type DiskCall, type DiskReply, type OwnerFile, performNow } from "../../src/disk.ts";
import type * as protocolModule from "../../src/protocol.ts";
import {
  type Attempt,
  createEntry,
  type Debt,
  type DebtStep,
  type Entry,
  type Home,
} from "../../src/registry.ts";
import type { CallAction, Run, Step } from "../../src/steps.ts";
import { differences, project } from "./projection.ts";

/** The model's side of the comparison: `successors`, or a broken double of it. */
export type Successors = typeof successors;

/** The code under test: src/protocol.ts, or a broken double of it. */
export type Protocol = Pick<typeof protocolModule, "request" | "giveUp" | "letGo" | "release" | "expire">;

/** A run of the protocol, and the step that it waits for. */
export interface Pending {
  readonly proc: Proc;
  readonly run: Run;
  /** Never a question: no owner of the harness has a life socket. */
  step: Exclude<Step, { readonly kind: "ask" }>;
  /** The reply of an asynchronous call whose effect has happened, until its turn. */
  reply: DiskReply | undefined;
  /** Of a release: the task that releases. */
  releaser: Task | undefined;
  /** Of a debt: the owner's name. */
  readonly debt: string | undefined;
  /** The last Take of this run failed in a way that is no clean refusal. */
  doubt: boolean;
  /** What the last Look saw and nobody has judged and evicted yet; undefined: nothing, or absent. */
  seen: readonly string[] | undefined;
  /** Of a release: its PutBack was made, or was reported as failed and may have been. */
  moved: boolean;
  /** The action before the present step. */
  last: string;
}

export interface Process {
  readonly proc: Proc;
  incarnation: number;
  alive: boolean;
  entry: Entry;
  pending: Pending[];
}

export interface LateWorldCall {
  readonly op: string;
  /** The owner's real name. */
  readonly name: string;
  readonly call: DiskCall;
}

/** A caller of acquire and release: the promises that it was given. */
export interface Client {
  readonly task: Task;
  readonly proc: Proc;
  /** How the promise of its acquire settled. */
  told: "nothing" | "granted" | "failed" | "gave up";
  release: "not asked" | "revoked" | "asked" | "settled";
}

/** Something that can happen now. */
export interface Option {
  /** As in a trace: `Take(a1)`, `Take(a1) fails, later`, `Release(a1) to disk`. Unique among the options. */
  readonly text: string;
  /** `step`: the code goes on. `call`: a client calls. The others are the environment's. */
  readonly kind: "step" | "call" | "crash" | "start" | "guest" | "fault" | "late" | "vandal" | "harm";
  readonly perform: () => void;
}

/** A state of the model, and its key. */
export interface Known {
  readonly state: State;
  readonly key: string;
}

/** The real state is not a successor of the previous one under the action of that name. */
/** Longer than any bound. */
const LONG_MS = 1e6;

export class Divergence extends Error {
  override readonly name = "Divergence";
}

/** What rename says of something that stands at L; anything else is a doubt. */
const CLEAN_REFUSALS = ["ENOTEMPTY", "EEXIST", "ENOTDIR"];
/** The name of what stands at L. */
export const LOCK = "session.jsonl.lock";
const BUDGET_OF = { Suspect: "suspicion", Break: "break", Remove: "removal" } as const;
/** Of a rename, by a disk that does not replace an empty directory. */
const REFUSED: DiskReply = { ok: false, errno: "ENOTEMPTY", error: new Error("ENOTEMPTY: the scope's disk") };
/** Of a guest here only the pid counts. */
const NO_SCOPE = {
  tid: "-",
  processStart: "-",
  threadStart: "-",
  host: "-",
  boot: "-",
  pidNamespace: "-",
  timeNamespace: "-",
};

/** How a call fails: what it answers, and whether that is believed although it is not so. */
export interface Failure {
  /** What follows `fails` in the option's text; empty for the one that stands for all. */
  readonly text: string;
  /** As libuv reports it. */
  readonly errno: string;
  /**
   * The protocol takes this answer for the truth, and here it is none: what the model does not have. From then on
   * only the properties are looked at.
   */
  readonly isLie: boolean;
  /** In this way alone. */
  readonly way?: WayToFail;
}

/** Whether a call that reports a failure happened, and whether it happens later (again). */
export interface WayToFail {
  readonly happened: boolean;
  readonly later: boolean;
}

/** The failures of a call that a task, or a debt, is about to make. */
export type Failures = (action: CallAction, call: DiskCall) => readonly Failure[];

/** One that the protocol does not understand, for those that do not care which. */
const EIO: Failures = () => [{ text: "", errno: "EIO", isLie: false }];

/** A world other than that of the specification, and of the code as it is. */
export interface Otherwise {
  /** Instead of the model's, for a twin. */
  readonly successors?: Successors | undefined;
  /** Instead of EIO alone. */
  readonly failures?: Failures | undefined;
  /** Properties that are not looked at once a lie was told. */
  readonly tolerated?: readonly string[] | undefined;
}

export class World {
  readonly config: Config;
  readonly directory: string;
  readonly lockPath: string;
  readonly processes: Map<Proc, Process> = new Map();
  readonly attempts: Map<Task, Attempt> = new Map();
  /** The process warnings of the present step. */
  private readonly warnings: string[] = [];
  /** What the callers of living processes were told, so far. */
  readonly clients: Map<Attempt, Client> = new Map();
  /** Real owner's name -> the model's. */
  readonly names: Map<string, Name> = new Map();
  late: LateWorldCall[] = [];
  /** The guests that live. */
  readonly guests: Map<Guest, LivingGuest> = new Map();
  /** How often the environment has acted; the model's budget is what is left. */
  readonly spent: Record<keyof Budget, number> = {
    crash: 0,
    fault: 0,
    vandal: 0,
    request: 0,
    suspicion: 0,
    break: 0,
    removal: 0,
  };
  /** Real names of living owners that are no innocent ones: taken for dead, or taken away from L. */
  readonly suspects: Set<string> = new Set();
  /** The model's state, equal to the projection of the real one. */
  state: State;
  /** {@link stateKey} of it. */
  key: string;
  /** Everything that happened, as option texts. */
  readonly trace: string[] = [];
  /** How many labelled steps were compared with the model. */
  comparisons = 0;
  /** The kinds of edges that were driven: `Judge looked -> evict`, and the environment's actions. */
  readonly driven: Set<string> = new Set();

  private readonly protocol: Protocol;
  private readonly successors: Successors;
  private readonly failures: Failures;
  private readonly tolerated: readonly string[];
  /** An answer that was believed was not so: the model has no such step, and its successors need not be steps either. */
  private lied = false;
  /** Losses that were said although nobody changed what stands at L: after a lie only. */
  falseAlarms = 0;
  private compared: Label | undefined;
  private known: Known | undefined;
  /** The options, until one of them happens. */
  private offered: readonly Option[] | undefined;
  private now = 0;
  /** How much time passes each time that somebody asks for it. */
  private passes = 0;
  private homesMade = 0;
  private releasing: Task | undefined;
  /** In the turn of a release: a Drop that misses is a loss, since no PutBack can have brought the name back. */
  private missed = false;
  /** Whoever judges now takes the suspects for dead. */
  private mistaken = false;
  private missesBeat = false;

  constructor(config: Config, directory: string, protocol: Protocol, otherwise: Otherwise = {}) {
    this.config = config;
    this.directory = directory;
    this.lockPath = join(directory, LOCK);
    this.protocol = protocol;
    this.successors = otherwise.successors ?? successors;
    this.failures = otherwise.failures ?? EIO;
    this.tolerated = otherwise.tolerated ?? [];
    for (const proc of config.procs) {
      const entry = this.createEntry(proc);
      this.processes.set(proc, { proc, incarnation: 1, alive: true, entry, pending: [] });
    }
    this.state = initialState(config);
    this.key = stateKey(this.state);
  }

  /** Everything that can happen now. It is asked several times between two steps, and reads the directory. */
  options(): readonly Option[] {
    this.offered ??= this.allOptions();
    return this.offered;
  }

  private allOptions(): readonly Option[] {
    const found: Option[] = [];
    for (const process of this.processes.values()) {
      if (process.alive) found.push(...this.stepOptions(process), ...this.faultOptions(process));
    }
    return [...found, ...this.callOptions(), ...this.environmentOptions()];
  }

  /** Makes one option happen, and compares. The label of the model's step; undefined if the model stood still. */
  perform(option: Option): Label | undefined {
    this.trace.push(option.text);
    this.compared = undefined;
    try {
      option.perform();
    } finally {
      this.offered = undefined;
    }
    return this.compared;
  }

  /**
   * Makes an option happen that was compared before, in a world that was alike: the state that it led to is taken
   * for true. Whoever goes a way like this compares its end ({@link verify}).
   */
  repeat(option: Option, known: Known): void {
    this.known = known;
    this.perform(option);
    this.known = undefined;
  }

  /** Compares what is real with the state that is taken for it. */
  verify(): void {
    const real = project(this);
    if (stateKey(real) === this.key) return;
    throw this.divergence(`the same way led elsewhere: ${differences(this.state, real)}`);
  }

  process(proc: Proc): Process {
    const process = this.processes.get(proc);
    if (process === undefined) throw new Error(`no process ${proc}`);
    return process;
  }

  taskOf(attempt: Attempt | null): Task {
    for (const [task, other] of this.attempts) if (other === attempt) return task;
    return "nobody";
  }

  // ----------------------------------------------------------------------------------------------
  // Ports

  private createEntry(proc: Proc): Entry {
    return createEntry({
      lockPath: this.lockPath,
      sessionFile: join(this.directory, "session.jsonl"),
      local: this.config.local,
      services: {
        disk: {
          renameReplacesEmpty: this.config.renameReplacesEmpty,
          now: (call) => this.disk(call),
          later: () => {
            throw new Error("the driver makes the asynchronous calls");
          },
        },
        clock: {
          now: () => {
            this.now += this.passes;
            return this.now;
          },
          random: () => 0.5,
          setTimer: () => {
            throw new Error("the driver arms the timers");
          },
        },
        owners: {
          newHome: (_lockPath, guest) => this.newHome(proc, guest?.pid),
          content: (name) => `${name}\n`,
          isOwner: (name) => name.startsWith("own_"),
          judge: (name) => this.judge(name),
        },
        drive: (run) => this.drive(proc, run),
        // Nobody beats here; a fault says that a beat was missed.
        heartbeat: {
          made: () => {},
          isOld: () => false,
          freshen: () => {
            throw new Error("no home is old");
          },
          held: () => {},
          missed: () => this.missesBeat,
        },
        warn: (message) => this.warnings.push(message),
        quiet: () => {},
      },
    });
  }

  private newHome(proc: Proc, guest: Guest | undefined): Home {
    const number = `${this.process(proc).incarnation}_${++this.homesMade}`;
    const name = `own_${proc}_${number}`;
    const guests = guest === undefined ? [] : [`own_${guest}_${number}`];
    return { name, path: join(this.directory, `.home-${name}`), guests };
  }

  private lives(name: string): boolean {
    const [, owner = "", incarnation] = name.split("_");
    if (guestsOf(this.config).includes(owner)) return this.guests.get(owner)?.inc === Number(incarnation);
    const process = this.process(owner);
    return process.alive && process.incarnation === Number(incarnation);
  }

  private judge(name: string): { verdict: "dead" | "alive" | "unknown"; reason: string } {
    const lives = this.lives(name);
    if (lives && this.mistaken && this.suspects.has(name)) return { verdict: "dead", reason: "a mistake" };
    if (!lives) return { verdict: "dead", reason: "it is gone" };
    // Every second owner that lives cannot be judged: for the protocol that must be the same.
    return Number(name.split("_")[3]) % 2 === 0
      ? { verdict: "unknown", reason: "it may run" }
      : { verdict: "alive", reason: "it runs" };
  }

  /**
   * The real call. Where the scope says so, rename refuses an empty directory as well, or merges: no file system
   * here does either, so a look comes before it.
   */
  private disk(call: DiskCall): DiskReply {
    const { renameReplacesEmpty, merges } = this.config;
    if (call.call !== "rename" || (renameReplacesEmpty && !merges)) return performNow(call);
    if (!fs.existsSync(call.from)) return performNow(call);
    const target = listingOf(call.to);
    if (target === undefined) return performNow(call);
    if (!renameReplacesEmpty && target.length === 0) return REFUSED;
    if (!merges || call.to !== this.lockPath || target.length === 0) return performNow(call);
    for (const file of fs.readdirSync(call.from)) fs.renameSync(join(call.from, file), join(call.to, file));
    return performNow({ call: "rmdir", path: call.from });
  }

  /** The driver: a run is taken to its first step, and waits there. */
  private drive(proc: Proc, run: Run): void {
    const debt = this.newDebt(proc);
    const pending: Pending = {
      proc,
      run,
      step: { kind: "turn", action: "Wake" },
      reply: undefined,
      releaser: debt === undefined ? this.releasing : undefined,
      debt,
      doubt: false,
      seen: undefined,
      moved: false,
      last: "",
    };
    this.process(proc).pending.push(pending);
    this.advance(pending, { ok: true, names: [] });
  }

  /** A run that is driven for a debt is driven in the moment in which the debt is made. */
  private newDebt(proc: Proc): string | undefined {
    const { entry, pending } = this.process(proc);
    const known = pending.map((other) => other.debt);
    return [...entry.owes.keys()].find((name) => !known.includes(name));
  }

  /** Gives a run its reply, and lets it go on to its next step. */
  private advance(pending: Pending, reply: DiskReply): void {
    const process = this.process(pending.proc);
    pending.last = pending.step.kind === "sleep" ? "sleep" : pending.step.action;
    pending.reply = undefined;
    const result = pending.run.next(reply);
    if (result.done === true) {
      process.pending = process.pending.filter((other) => other !== pending);
      return;
    }
    if (result.value.kind === "ask") throw new Error("no owner of the harness has a life socket");
    pending.step = result.value;
    if (result.value.kind !== "sleep") return;
    const cancel = (): void => {
      process.pending = process.pending.filter((other) => other !== pending);
    };
    result.value.arm({ wake: () => {}, cancel });
  }

  // ----------------------------------------------------------------------------------------------
  // Steps of the code

  private stepOptions(process: Process): Option[] {
    const busy = isBusy(process);
    return process.pending.flatMap((pending): Option[] => {
      const { step } = pending;
      if (step.kind === "turn") {
        const turn = this.step(pending, () => this.turn(pending));
        const leaves = step.action === "Granted" && isLeftToNobody(process.entry);
        return leaves && this.mayMissBeat(process.proc)
          ? [turn, this.missing(turn.text, turn.perform)]
          : [turn];
      }
      if (step.kind === "call" && step.mode === "sync") {
        return [this.step(pending, () => this.callNow(pending, this.disk(step.call)))];
      }
      if (step.kind === "call" && pending.reply === undefined) {
        return [
          this.step(pending, () => this.effect(pending, this.disk(step.call))),
          ...this.listings(pending),
        ];
      }
      if (busy) return [];
      const what = step.kind === "sleep" ? "wake" : "turn of";
      const text = `${what} ${this.nameOf(pending)}`;
      const turn: Option = { text, kind: "step", perform: () => this.startTurn(pending) };
      return this.seesSuspect(pending) ? [turn, this.judgedWrongly(turn)] : [turn];
    });
  }

  /** A turn that judges names one of which is a suspect: one judge is mistaken, and another is not. */
  private seesSuspect({ step, seen }: Pending): boolean {
    return (
      step.kind === "call" && step.action === "Look" && seen?.some((name) => this.suspects.has(name)) === true
    );
  }

  private judgedWrongly({ text, kind, perform }: Option): Option {
    return {
      text: `${text}, mistaken`,
      kind,
      perform: () => {
        this.mistaken = true;
        perform();
        this.mistaken = false;
      },
    };
  }

  /** The order of a listing is the disk's business, and the code evicts along it. */
  private listings(pending: Pending): Option[] {
    const { step } = pending;
    if (step.kind !== "call" || step.action !== "Look" || (this.state.lock?.length ?? 0) < 2) return [];
    const backwards = (): void => {
      const reply = this.disk(step.call);
      this.effect(pending, reply.ok ? { ...reply, names: [...reply.names].reverse() } : reply);
    };
    return [{ text: `${this.nameOf(pending)} backwards`, kind: "step", perform: backwards }];
  }

  private step(pending: Pending, perform: () => void): Option {
    return { text: this.nameOf(pending), kind: "step", perform };
  }

  /** `Take(a1)`: the action of a pending step with its argument. */
  private nameOf(pending: Pending): string {
    const { step } = pending;
    if (step.kind === "sleep")
      return pending.debt === undefined ? this.argOf(pending) : `debt ${this.argOf(pending)}`;
    return labelText({ action: step.action, arg: this.argOf(pending) });
  }

  private argOf(pending: Pending): string {
    if (pending.debt !== undefined) return this.names.get(pending.debt) ?? pending.debt;
    return pending.releaser ?? this.taskOf(this.process(pending.proc).entry.contender);
  }

  private labelOf(pending: Pending): Label {
    const { step } = pending;
    if (step.kind === "sleep") throw new Error("a sleep is not an action");
    return { action: step.action as ActionName, arg: this.argOf(pending) };
  }

  /** The effect of an asynchronous call: the code does not know of it before its turn. */
  private effect(pending: Pending, reply: DiskReply): void {
    const label = this.labelOf(pending);
    pending.reply = reply;
    if (label.action === "Take") pending.doubt = !reply.ok && !CLEAN_REFUSALS.includes(reply.errno);
    if (label.action === "Look") pending.seen = reply.ok ? reply.names : undefined;
    this.compare(label);
  }

  /** A synchronous call, and what the code makes of it, up to its next step. */
  private callNow(pending: Pending, reply: DiskReply): void {
    const label = this.labelOf(pending);
    const { step } = pending;
    if (step.kind === "call" && step.call.call === "prepare") this.learnNames(pending.proc, step.call.files);
    if (label.action === "Evict" && step.kind === "call" && step.call.call === "unlink") {
      const victim = step.call.path.slice(this.lockPath.length + 1);
      pending.seen = pending.seen?.filter((name) => name !== victim);
    }
    if (label.action === "PutBack") pending.moved = reply.ok || reply.errno !== "ENOENT";
    this.advance(pending, reply);
    if (pending.step.kind !== "call" || pending.step.action !== "Evict") pending.seen = undefined;
    this.compare(label);
  }

  private turn(pending: Pending): void {
    const label = this.labelOf(pending);
    const { contender } = this.process(pending.proc).entry;
    this.missed = !pending.moved;
    if (label.action === "Granted" && contender?.gaveUp === true) pending.releaser = this.taskOf(contender);
    this.advance(pending, { ok: true, names: [] });
    if (pending.step.kind !== "call" || pending.step.action !== "Evict") pending.seen = undefined;
    this.compare(label);
  }

  /** A reply is delivered, or a sleep is over: the turn begins with the step that the code takes next. */
  private startTurn(pending: Pending, failure?: Failure): void {
    this.advance(pending, pending.reply ?? { ok: true, names: [] });
    const { step } = pending;
    if (failure !== undefined) this.failWith(pending, failure);
    else if (step.kind === "turn") this.turn(pending);
    else if (step.kind === "call" && step.mode === "sync") this.callNow(pending, this.disk(step.call));
    else this.compareUnchanged(pending);
  }

  // ----------------------------------------------------------------------------------------------
  // Calls of clients

  private callOptions(): Option[] {
    return this.config.tasks.flatMap((task): Option[] => {
      const process = this.process(at(this.config.procOf, task));
      if (!process.alive || isBusy(process)) return [];
      const options: Option[] = [];
      const attempt = this.attempts.get(task);
      if (attempt?.revoked === true)
        options.push(this.call(`Release(${task}) revoked`, () => this.release(task, false)));
      else if (at(this.state.pc, task) === "idle" && this.mayRequest(process.proc))
        options.push(this.call(`Request(${task})`, () => this.request(task)));
      if (this.canGiveUp(task, process)) options.push(this.call(`GiveUp(${task})`, () => this.giveUp(task)));
      if (attempt !== undefined && process.entry.held.has(attempt)) {
        const guest = this.guests.get(this.config.guestOf[process.proc] ?? "");
        if (guest?.at === "heldBack") options.push(this.call(`LetGo(${task})`, () => this.letGo(task)));
        // As src/cli/run.ts: a guest that lives is waited for.
        if (guest !== undefined) return options;
        const alone = process.entry.held.size === 1;
        const ways = process.entry.queue.size > 0 && alone ? [false, true] : [false];
        const ends = this.config.revokes ? (["Release", "Expire"] as const) : (["Release"] as const);
        for (const handsOver of ways) {
          const where = handsOver ? "hands over" : "to disk";
          for (const end of ends) {
            const text = `${end}(${task}) ${where}`;
            const perform = (): void => this.release(task, handsOver, end);
            options.push(this.call(text, perform));
            if (!handsOver && alone && this.mayMissBeat(process.proc))
              options.push(this.missing(text, perform));
          }
        }
      }
      return options;
    });
  }

  private call(text: string, perform: () => void): Option {
    return { text, kind: "call", perform };
  }

  /** A lock with a guest's name in it goes by Drop anyway. */
  private mayMissBeat(proc: Proc): boolean {
    const { faults, maxFaults, local, guestOf } = this.config;
    return local && guestOf[proc] === undefined && faults.includes("beat") && this.spent.fault < maxFaults;
  }

  /** The same, by a holder that missed a beat: its release is a Drop, on a local disk too. */
  private missing(text: string, perform: () => void): Option {
    const miss = (): void => {
      this.spent.fault++;
      this.missesBeat = true;
      try {
        perform();
      } finally {
        this.missesBeat = false;
      }
    };
    return { text: `${text}, a beat was missed`, kind: "fault", perform: miss };
  }

  private mayRequest(proc: Proc): boolean {
    const { maxRequests } = this.config;
    const left = maxRequests === 0 || this.spent.request < maxRequests;
    return left && mayStartGuest(this.config, this.state, proc);
  }

  private canGiveUp(task: Task, { entry }: Process): boolean {
    const attempt = this.attempts.get(task);
    if (attempt === undefined || attempt.gaveUp || this.config.patientTasks.includes(task)) return false;
    return entry.contender === attempt || entry.queue.has(attempt);
  }

  private request(task: Task): void {
    const client: Client = {
      task,
      proc: at(this.config.procOf, task),
      told: "nothing",
      release: "not asked",
    };
    const tell = (what: "granted" | "failed"): void => {
      if (client.told !== "nothing")
        throw this.divergence(`${task} is told "${what}" after "${client.told}"`);
      client.told = what;
    };
    const attempt: Attempt = {
      guest: this.startGuest(client.proc),
      reentrant: this.config.reentrantTasks.includes(task),
      gaveUp: false,
      revoked: false,
      granted: () => tell("granted"),
      failed: () => tell("failed"),
      lost: () => {
        throw this.divergence(`${task} is told that the lock was lost`);
      },
    };
    this.forgetSettled(task);
    this.attempts.set(task, attempt);
    if (this.config.maxRequests > 0) this.spent.request++;
    this.clients.set(attempt, client);
    this.protocol.request(this.process(at(this.config.procOf, task)).entry, attempt);
    this.compare({ action: "Request", arg: task });
  }

  /** Before its process asks. It is faked as every process here is. */
  private startGuest(proc: Proc): Attempt["guest"] {
    const guest = this.config.guestOf[proc];
    if (guest === undefined) return undefined;
    const inc = this.process(proc).incarnation;
    this.guests.set(guest, { inc, at: "heldBack" });
    const letGo = (): void => {
      if (this.guests.has(guest)) this.guests.set(guest, { inc, at: "running" });
    };
    return { scope: { ...NO_SCOPE, pid: guest }, letGo };
  }

  private letGo(task: Task): void {
    const attempt = this.attempts.get(task);
    if (attempt !== undefined) {
      this.protocol.letGo(this.process(at(this.config.procOf, task)).entry, attempt);
    }
    this.compare({ action: "LetGo", arg: task });
  }

  private guestEnds(guest: Guest): void {
    this.guests.delete(guest);
    this.compare({ action: "GuestEnds", arg: guest });
  }

  /** A client whose promises have settled is of no more interest once its task asks again. */
  private forgetSettled(task: Task): void {
    const former = this.attempts.get(task);
    const client = former === undefined ? undefined : this.clients.get(former);
    if (former === undefined || client === undefined || isUnsettled(client)) return;
    this.clients.delete(former);
  }

  private giveUp(task: Task): void {
    const attempt = this.attempts.get(task);
    if (attempt !== undefined) {
      this.clientOf(attempt).told = "gave up";
      this.protocol.giveUp(this.process(at(this.config.procOf, task)).entry, attempt);
    }
    this.compare({ action: "GiveUp", arg: task });
  }

  /** `Expire`: not by its client, who may still call release, and believe that it holds until then. */
  private release(task: Task, handsOver: boolean, action: "Release" | "Expire" = "Release"): void {
    const attempt = this.attempts.get(task);
    const { entry } = this.process(at(this.config.procOf, task));
    // The hand-over clock: still in time, or not any more, also at the first hand-over: a thread may lose its core anywhere.
    const since = entry.handsOverSince ?? this.now;
    this.now = handsOver ? since : since + LONG_MS;
    this.passes = handsOver ? 0 : LONG_MS;
    this.releasing = task;
    if (attempt !== undefined) {
      const client = this.clientOf(attempt);
      client.release = action === "Release" ? "asked" : "revoked";
      const settled = (): void => {
        if (client.release !== "asked") throw this.divergence(`the release of ${task} is settled twice`);
        client.release = "settled";
      };
      // Nobody waits for the end of what the watchdog began.
      if (action === "Release") this.protocol.release(entry, attempt, settled);
      else this.protocol.expire(entry, attempt, () => {});
    }
    this.releasing = undefined;
    this.passes = 0;
    this.compare({ action, arg: task });
  }

  // ----------------------------------------------------------------------------------------------
  // The environment

  private environmentOptions(): Option[] {
    const { config, spent } = this;
    const options: Option[] = [];
    for (const process of this.processes.values()) {
      const { proc } = process;
      if (!process.alive) {
        options.push({ text: `Start(${proc})`, kind: "start", perform: () => this.start(process) });
      } else if (spent.crash < config.maxCrashes) {
        options.push({ text: `Crash(${proc})`, kind: "crash", perform: () => this.crash(process) });
      }
    }
    for (const guest of guestsOf(config)) {
      if (!this.guests.has(guest)) continue;
      options.push({ text: `GuestEnds(${guest})`, kind: "guest", perform: () => this.guestEnds(guest) });
    }
    for (const call of this.late) {
      const arg = `${call.op} ${this.names.get(call.name) ?? call.name}`;
      options.push({ text: `LateEffect(${arg})`, kind: "late", perform: () => this.lateEffect(call, arg) });
    }
    if (spent.vandal < config.maxVandals) options.push(...this.vandalOptions());
    return [...options, ...this.harmOptions()];
  }

  /** What an environment does that breaks an assumption, to names at L. */
  private harmOptions(): Option[] {
    const { config, spent } = this;
    const harmless =
      spent.suspicion >= config.maxSuspicions &&
      spent.break >= config.maxBreaks &&
      spent.removal >= config.maxRemovals;
    if (harmless) return [];
    return (listingOf(this.lockPath) ?? []).flatMap((name): Option[] => {
      const harm = (action: "Suspect" | "Break" | "Remove", how: string, act: () => void): Option => {
        const arg = this.names.get(name) ?? name;
        return {
          text: `${labelText({ action, arg })}${how}`,
          kind: "harm",
          perform: () => {
            const before = listingOf(this.lockPath) ?? [];
            act();
            const left = listingOf(this.lockPath) ?? [];
            for (const gone of before) if (!left.includes(gone) && this.lives(gone)) this.suspects.add(gone);
            this.spent[BUDGET_OF[action]]++;
            this.compare({ action, arg });
          },
        };
      };
      const file = join(this.lockPath, name);
      const options: Option[] = [];
      if (spent.suspicion < config.maxSuspicions && this.lives(name) && !this.suspects.has(name))
        options.push(harm("Suspect", "", () => this.suspects.add(name)));
      if (spent.break < config.maxBreaks) options.push(harm("Break", "", () => fs.unlinkSync(file)));
      if (spent.removal >= config.maxRemovals) return options;
      const removeLock = (): void => fs.rmSync(this.lockPath, { recursive: true });
      return [
        ...options,
        harm("Remove", " removes the file", () => fs.unlinkSync(file)),
        harm("Remove", " removes the lock", removeLock),
      ];
    });
  }

  private vandalOptions(): Option[] {
    return fs
      .readdirSync(this.directory)
      .filter((file) => file.startsWith(".home-"))
      .flatMap((file): Option[] => {
        const home = join(this.directory, file);
        const name = this.names.get(file.slice(".home-".length)) ?? file;
        const vandal = (text: string, act: () => void): Option => ({
          text: `Vandal(${name}) ${text}`,
          kind: "vandal",
          perform: () => {
            act();
            this.spent.vandal++;
            this.compare({ action: "Vandal", arg: name });
          },
        });
        const files = fs.readdirSync(home);
        const removeHome = vandal("removes the home", () => fs.rmSync(home, { recursive: true }));
        if (files.length === 0) return [removeHome];
        const removes = (gone: readonly string[]) => (): void => {
          for (const inside of gone) fs.rmSync(join(home, inside));
        };
        const one = files.length === 1 ? [] : files;
        return [
          vandal(files.length === 1 ? "removes the file" : "removes the files", removes(files)),
          ...one.map((inside) => vandal(`removes ${this.names.get(inside)}`, removes([inside]))),
          removeHome,
        ];
      });
  }

  private crash(process: Process): void {
    if (!this.config.local) {
      for (const call of this.sent(process)) this.addLate(call);
    }
    process.alive = false;
    process.pending = [];
    for (const task of this.config.tasks) {
      if (at(this.config.procOf, task) === process.proc) this.attempts.delete(task);
    }
    for (const [attempt, client] of this.clients) {
      if (client.proc === process.proc) this.clients.delete(attempt);
    }
    for (const name of this.suspects) if (name.split("_")[1] === process.proc) this.suspects.delete(name);
    process.entry = this.createEntry(process.proc);
    this.spent.crash++;
    this.compare({ action: "Crash", arg: process.proc });
  }

  /** What the process has sent, or is about to send: the calls that may be under way in the kernel. */
  private sent(process: Process): LateWorldCall[] {
    const calls = process.pending.flatMap((pending): LateWorldCall[] => {
      const { step } = pending;
      const home = process.entry.home?.name ?? "";
      if (step.kind !== "call" || pending.reply !== undefined) return [];
      if (step.action === "Take") return [{ op: "take", name: home, call: step.call }];
      if (step.action === "Clear") return [{ op: "clear", name: home, call: step.call }];
      if (step.action === "Drop") return [{ op: "unlinkLock", name: home, call: step.call }];
      if (step.action !== "Evict" || step.call.call !== "unlink") return [];
      return [{ op: "unlinkLock", name: step.call.path.slice(this.lockPath.length + 1), call: step.call }];
    });
    const owes = project(this).owes[process.proc] ?? [];
    const debts = [...process.entry.owes.values()].flatMap((debt): LateWorldCall[] => {
      const step = owes.find(([name]) => name === this.names.get(debt.name))?.[1];
      return step === undefined || step === "paid" ? [] : [this.debtCall(step, debt)];
    });
    return [...calls, ...debts];
  }

  private debtCall(op: DebtStep, { name, home: { path } }: Debt): LateWorldCall {
    if (op === "rmdirHome") return { op, name, call: { call: "rmdir", path } };
    return {
      op,
      name,
      call: { call: "unlink", path: join(op === "unlinkHome" ? path : this.lockPath, name) },
    };
  }

  private addLate(call: LateWorldCall): void {
    if (!this.late.some(({ op, name }) => op === call.op && name === call.name)) this.late.push(call);
  }

  private start(process: Process): void {
    process.alive = true;
    process.incarnation++;
    process.entry = this.createEntry(process.proc);
    this.compare({ action: "Start", arg: process.proc });
  }

  private lateEffect(call: LateWorldCall, arg: string): void {
    this.late = this.late.filter((other) => other !== call);
    this.disk(call.call);
    this.compare({ action: "LateEffect", arg });
  }

  // ----------------------------------------------------------------------------------------------
  // Failing calls

  private faultOptions(process: Process): Option[] {
    if (this.spent.fault >= this.config.maxFaults) return [];
    return process.pending.flatMap((pending): Option[] => {
      const { step } = pending;
      // Nobody beats here.
      if (step.kind !== "call" || step.action === "Beat" || step.action === "Watch") return [];
      const { action } = step;
      if (pending.reply !== undefined) return this.verifyFaults(process, pending);
      if (!this.mayFail(action)) return [];
      const failing = this.failures(action, step.call).flatMap((failure) =>
        step.call.call === "prepare"
          ? this.prepareFaults(pending, step.call, failure)
          : this.waysToFail(step.call, failure).map((way) => this.fault(pending, step.call, failure, way)),
      );
      const twice = step.action === "Take" && !this.config.local;
      return twice ? [...failing, this.runsTwice(pending, step.call)] : failing;
    });
  }

  private mayFail(action: CallAction): boolean {
    return this.config.faults.some((fault) => fault === faultKind(action));
  }

  /** The one synchronous call that begins a turn: that of a Take which was answered. */
  private verifyFaults(process: Process, pending: Pending): Option[] {
    const { step, reply } = pending;
    const isNext = step.kind === "call" && step.action === "Take" && reply?.ok === true && !isBusy(process);
    if (!isNext || !this.mayFail("Verify")) return [];
    return this.failures("Verify", { call: "readdir", path: this.lockPath }).map((failure) => ({
      text: `Verify(${this.argOf(pending)}) fails${failure.text}`,
      kind: "fault",
      perform: () => this.startTurn(pending, failure),
    }));
  }

  /** A readdir changes nothing, so it makes no difference whether, or when, it happens. */
  private waysToFail({ call }: DiskCall, { way }: Failure): readonly WayToFail[] {
    if (way !== undefined) return [way];
    if (call === "readdir") return [{ happened: false, later: false }];
    const moments = this.config.local ? [false] : [false, true];
    return [false, true].flatMap((happened) => moments.map((later) => ({ happened, later })));
  }

  private fault(pending: Pending, call: DiskCall, failure: Failure, { happened, later }: WayToFail): Option {
    const how = `${failure.text}${happened ? ", happened" : ""}${later ? ", later" : ""}`;
    return {
      text: `${this.nameOf(pending)} fails${how}`,
      kind: "fault",
      perform: () => {
        if (happened) this.disk(call);
        if (later) this.addLate(this.lateOf(pending, call));
        this.failWith(pending, failure);
      },
    };
  }

  /** A call that is answered, and runs once more later: a retransmission. */
  private runsTwice(pending: Pending, call: DiskCall): Option {
    return {
      text: `${this.nameOf(pending)} runs twice`,
      kind: "fault",
      perform: () => {
        const reply = this.disk(call);
        this.addLate(this.lateOf(pending, call));
        this.spent.fault++;
        this.effect(pending, reply);
      },
    };
  }

  private lateOf(pending: Pending, call: DiskCall): LateWorldCall {
    const { step, debt } = pending;
    const home = this.process(pending.proc).entry.home?.name ?? "";
    if (step.kind === "call" && step.action === "Take") return { op: "take", name: home, call };
    if (step.kind === "call" && step.action === "Clear") return { op: "clear", name: home, call };
    if (debt === undefined) {
      const name = call.call === "unlink" ? call.path.slice(this.lockPath.length + 1) : home;
      return { op: "unlinkLock", name, call };
    }
    const op = this.process(pending.proc).entry.owes.get(debt)?.step ?? "unlinkHome";
    return { op, name: debt, call };
  }

  private prepareFaults(pending: Pending, call: DiskCall & { call: "prepare" }, failure: Failure): Option[] {
    const fault = (text: string, act: () => void): Option => ({
      text: `${this.nameOf(pending)} fails${failure.text}${text}`,
      kind: "fault",
      perform: () => {
        act();
        this.failWith(pending, failure);
      },
    });
    const [own] = call.files;
    const half = call.files.length > 1 && own !== undefined ? { ...call, files: [own] } : undefined;
    return [
      fault("", () => {}),
      fault(", made the directory", () => fs.mkdirSync(call.home)),
      ...(half === undefined ? [] : [fault(", made one file", () => performNow(half))]),
      fault(", happened", () => performNow(call)),
    ];
  }

  private failWith(pending: Pending, { errno, isLie }: Failure): void {
    const { step } = pending;
    const error = Object.assign(new Error(`${errno}: injected`), { code: errno });
    const reply: DiskReply = { ok: false, errno, error };
    this.spent.fault++;
    this.lied ||= isLie;
    if (step.kind === "call" && step.mode === "async") this.effect(pending, reply);
    else this.callNow(pending, reply);
  }

  // ----------------------------------------------------------------------------------------------
  // Comparing

  /** Our own first, as in src; then the guest's. */
  private learnNames(proc: Proc, files: readonly OwnerFile[]): void {
    const own = freshName(this.config, this.state, proc);
    if (own === undefined) throw new Divergence(`the model has no name left for ${proc}`);
    for (const [i, name] of [own, ...guestNames(this.config, own)].entries()) {
      const file = files[i];
      if (file !== undefined) this.names.set(file.name, name);
    }
  }

  private compare(label: Label): void {
    this.compared = label;
    if (this.known !== undefined) {
      this.state = this.known.state;
      this.key = this.known.key;
      this.warnings.length = 0;
      return;
    }
    this.comparisons++;
    const real = project(this);
    const key = stateKey(real);
    const candidates = this.successors(this.config, this.state, label);
    const isStep = candidates.find((candidate) => stateKey(candidate) === key);
    const match = isStep ?? (this.lied ? real : undefined);
    if (match !== undefined) {
      const [from, to] = [this.state.pc[label.arg], match.pc[label.arg]];
      this.driven.add(from === undefined ? label.action : `${label.action} ${from} -> ${to}`);
      const before = this.state;
      this.state = match;
      this.key = key;
      this.checkProperties(before, { label, next: match });
      this.checkClients();
      const misses = from === "dropMissed" && this.missed && !this.lied;
      this.checkWarnings(label.action === "Released" && (from === "lost" || misses));
      return;
    }
    const why =
      candidates.length === 0
        ? "the model has no such step here"
        : candidates.map((candidate) => differences(candidate, real)).join("\n or ");
    throw this.divergence(`${labelText(label)} is not a step of the model: ${why}`);
  }

  /** The scopes here are larger than those that TLC and the explorer exhaust. */
  private checkProperties(before: State, step: ModelStep): void {
    const { config } = this;
    const [promised, stepProperties] = promisedAt(config);
    const invariants = this.lied ? promised.filter(({ name }) => !this.tolerated.includes(name)) : promised;
    const broken =
      invariants.find((invariant) => !invariant.holds(config, step.next)) ??
      stepProperties.find((property) => !property.holds(config, before, step));
    if (broken !== undefined) throw this.divergence(`${broken.name} is violated by ${labelText(step.label)}`);
  }

  /** What a client was told is what the registry says: a holder knows it, and who waits is waiting. */
  private checkClients(): void {
    for (const [attempt, { task, proc, told, release }] of this.clients) {
      const { entry } = this.process(proc);
      const holds = entry.held.has(attempt);
      const waits = entry.contender === attempt || entry.queue.has(attempt);
      if (holds !== (told === "granted" && release === "not asked")) {
        throw this.divergence(`${task} was told "${told}", release ${release}, and holds: ${holds}`);
      }
      if (told === "nothing" && !waits) throw this.divergence(`${task} was told nothing, and does not wait`);
      if (told === "failed" && waits) throw this.divergence(`${task} was told "failed", and waits`);
    }
  }

  /** A loss is said, once; and nothing else is, unless somebody changes what stands at L (A2). */
  private checkWarnings(lost: boolean): void {
    const warnings = this.warnings.splice(0);
    if (warnings.length === (lost ? 1 : 0)) return;
    if (this.lied) {
      this.falseAlarms += warnings.length;
      return;
    }
    throw this.divergence(
      `it warns of ${JSON.stringify(warnings)}, and the lock was ${lost ? "" : "not "}lost`,
    );
  }

  /** Those whose promises have not settled. */
  unsettled(): readonly string[] {
    return [...this.clients.values()]
      .filter(isUnsettled)
      .map(({ task, told }) => (told === "nothing" ? `acquire of ${task}` : `release of ${task}`));
  }

  private clientOf(attempt: Attempt): Client {
    const client = this.clients.get(attempt);
    if (client === undefined) throw new Error("no such client");
    return client;
  }

  private divergence(what: string): Divergence {
    return new Divergence(`${what}\n${this.story()}`);
  }

  /** A turn that the model merges with the effect before it: nothing may have changed. */
  private compareUnchanged(pending: Pending): void {
    if (this.known !== undefined) return;
    const real = project(this);
    if (stateKey(real) === this.key) return;
    throw this.divergence(
      `the turn of ${this.nameOf(pending)} changed what it must not: ${differences(this.state, real)}`,
    );
  }

  /** How it came to that. `npm run lockstep -- --scope "..." --steps "..."` replays it. */
  private story(): string {
    return `after: ${this.trace.join("; ")}`;
  }
}

/** What is in a directory; undefined if there is none. */
function listingOf(path: string): string[] | undefined {
  return fs.existsSync(path) ? fs.readdirSync(path) : undefined;
}

/** What fails where an assumption is broken, and what then takes its place; with PutBack nothing does (BadBreakPutBack). */
const STRONG = ["MutualExclusion", "HeldIsOnDisk", "Refinement", "NeverTouchesAnothers"];
/** With PutBack, a Restore can bring back a name that its owner has given up meanwhile (BadBreakForgets). */
const STRONG_LOCALLY = [...STRONG, "NothingForgotten"];
const WEAK = ["MutualExclusionAmongInnocent", "InnocentIsOnDisk", "NeverTouchesAnInnocent"];

function promisedAt({ merges, local, maxSuspicions, maxBreaks, maxRemovals }: Config) {
  const harmed = maxSuspicions + maxBreaks + maxRemovals > 0;
  if (!harmed && !merges) return [INVARIANTS, STEP_PROPERTIES] as const;
  const broken = local ? STRONG_LOCALLY : STRONG;
  const lost = merges && !harmed ? broken.filter((name) => name !== "MutualExclusion") : broken;
  const kept = local ? [] : WEAK;
  const names = ({ name }: { readonly name: string }): boolean => kept.includes(name);
  return [
    [...INVARIANTS.filter(({ name }) => !lost.includes(name)), ...WEAKER_INVARIANTS.filter(names)],
    [...STEP_PROPERTIES.filter(({ name }) => !lost.includes(name)), ...WEAKER_STEP_PROPERTIES.filter(names)],
  ] as const;
}

/** Whoever contended has given up, and nobody else waits: what is granted goes off the disk. */
const isLeftToNobody = ({ contender, queue }: Entry): boolean =>
  contender?.gaveUp === true && queue.size === 0;

/** The model's word for the failures of an action: `putBack` of `PutBack`. */
export const faultKind = (action: CallAction): FaultKind =>
  `${action[0]?.toLowerCase()}${action.slice(1)}` as FaultKind;

/** What happens without anybody asking, failing or dying: the steps of the code, and that holders let go. */
export const goesOn = ({ kind, text }: Option): boolean =>
  kind === "step" || kind === "guest" || text.startsWith("Release(");

const isUnsettled = ({ told, release }: Client): boolean => told === "nothing" || release === "asked";

/** In the middle of a turn: only the step that comes next in it can run. */
export function isBusy({ pending }: Process): boolean {
  return pending.some(({ step }) => step.kind === "turn" || (step.kind === "call" && step.mode === "sync"));
}
