/**
 * The algorithm of the issue on a real directory, one step at a time, along a run of its model. As
 * test/lockstep/world.ts does for our lock: a disk call is made for real when its action is performed, and the code
 * goes on when the action of its turn is. After every step the whole real state is compared with the model's.
 *
 * What is not real here: death, pids and the clock, that of the file system among them; and a call that fails
 * where the run says so.
 */

import fs from "node:fs";
import { join } from "node:path";
import { type Step as ModelStep, processOf, steps } from "../../model/issue/actions.ts";
import {
  type Agent,
  agents,
  type Config,
  freshId,
  type Hole,
  type Id,
  initialState,
  type Life,
  type Pc,
  type Seen,
  type State,
} from "../../model/issue/state.ts";
import { labelText } from "../../model/machine.ts";
import { at, ownerOf, type Proc, type Task } from "../../model/state.ts";
import { differences } from "../lockstep/projection.ts";
import { type IssueReply, type LockFile, performNow } from "./issueDisk.ts";
import {
  type CallAction,
  type Caller,
  createModule,
  exitHook,
  expire,
  type Handle,
  isTooOld,
  type Module,
  type Reason,
  type Run,
  release,
  request,
  type Step,
  sweep,
  type TurnAction,
} from "./issueLock.ts";

/** A caller, and the promises that it was given. */
export interface Client extends Caller {
  readonly task: Task;
  told: "nothing" | "granted" | "failed";
  handle: Handle | undefined;
  /** It has called release. */
  letGo: boolean;
}

interface Process {
  readonly proc: Proc;
  life: Life;
  incarnation: number;
  module: Module;
}

/** A run of the fixture, and the step that it waits for. */
interface Pending {
  readonly agent: Agent;
  readonly run: Run;
  step: Step;
  /** What its last call answered. */
  reply: IssueReply;
  /** What it has made, or releases. */
  file: LockFile | undefined;
  readonly sweeps: boolean;
  seen: Seen | null;
  seenInode: bigint | undefined;
}

/** The real state is not what the model has after a step of that name, or there is no such step. */
export class Divergence extends Error {
  override readonly name = "Divergence";
  readonly step: string;
  readonly what: string;

  constructor(what: string, trace: readonly string[]) {
    const step = trace.at(-1) ?? "";
    super(`${step}: ${what}\nafter: ${trace.join("; ")}`);
    this.step = step;
    this.what = what;
  }
}

/** Of a run that another configuration has. */
export const NO_SUCH_STEP = "the model has no such step here";

const DONE: IssueReply = { ok: true };

/** Where a run is, by the step that it waits for. */
const CALLS: Readonly<Record<CallAction, Pc>> = {
  Open: "open",
  Write: "write",
  Read: "read",
  Stat: "stat",
  Reclaim: "removeDead",
  Close: "close",
  Remove: "remove",
  Sweep: "idle",
};
const REASONS: Readonly<Record<Reason, Pc>> = {
  dead: "removeDead",
  orphan: "removeOrphan",
  old: "removeOld",
  sweep: "sweepRemove",
};
const TURNS: Readonly<Record<TurnAction, Pc>> = {
  Opened: "opened",
  Granted: "written",
  Refused: "exists",
  Judge: "looked",
  JudgeAge: "young",
  Reclaimed: "reclaimed",
  Wake: "waiting",
  GiveUp: "waiting",
  Closed: "closed",
  Released: "removed",
};
/** Where what was read still matters. */
const JUDGING: readonly Pc[] = ["looked", "sweepLooked", "stat", "old", "young", ...Object.values(REASONS)];

const STALE_MS = 30 * 60_000;
const FIRST_PID = 4711;
const INJECTED = Object.assign(new Error("EIO: injected"), { code: "EIO" });

export class IssueWorld {
  readonly config: Config;
  readonly directory: string;
  readonly lockPath: string;
  readonly clients: Map<Task, Client> = new Map();
  /** The model's state, equal to the projection of the real one. */
  state: State;
  readonly trace: string[] = [];

  private readonly openHoles: readonly Hole[];
  private readonly processes: ReadonlyMap<Proc, Process>;
  private pending: Pending[] = [];
  /** The model's identity of every creation. */
  private readonly ids: Map<LockFile, Id> = new Map();
  private readonly makers: Map<LockFile, Task> = new Map();
  private readonly open: Set<LockFile> = new Set();
  /** The handle that a task has released, and may release again. */
  private readonly spent: Map<Task, Handle> = new Map();
  private crashes = 0;
  /** How far the clock was moved. */
  private laterMs = 0;
  private started: Agent = "";

  /** `openHoles`: those of the fixture, if they are not those of the configuration. For the twins. */
  constructor(config: Config, directory: string, openHoles: readonly Hole[] = config.openHoles) {
    this.config = config;
    this.directory = directory;
    this.openHoles = openHoles;
    this.lockPath = join(directory, "a.jsonl.lock");
    this.state = initialState(config);
    const start = (proc: Proc): Process => ({
      proc,
      life: "runs",
      incarnation: 1,
      module: this.newModule(proc),
    });
    this.processes = new Map(config.procs.map((proc) => [proc, start(proc)]));
  }

  /**
   * Makes `Open(a1)` happen, and compares. `next` says which of several outcomes the call is to have, and with
   * `its states` it is the state that must come of it.
   */
  perform(label: string, next: State | undefined, through: "its states" | "any state"): void {
    const [, action = "", arg = ""] = /^(\w+)(?:\((\w+)\))?$/.exec(label) ?? [];
    this.trace.push(label);
    const candidates = steps(this.config, this.state).filter((step) => labelText(step.label) === label);
    if (candidates.length === 0) throw this.divergence(NO_SUCH_STEP);
    const outside = this.calls[action];
    if (outside === undefined) this.step(action, arg, next ?? candidates[0]?.next ?? this.state);
    else outside(arg);
    this.compare(candidates, through === "its states" ? next : undefined);
  }

  /** What is still open is closed, as the kernel does it for the dead. */
  close(proc?: Proc): void {
    for (const file of [...this.open]) {
      if (proc !== undefined && ownerOf(this.ids.get(file) ?? "").proc !== proc) continue;
      this.open.delete(file);
      fs.closeSync(file.descriptor);
    }
  }

  /** Whose file stands at the lock path; undefined if none does. */
  ownerAtLock(): Task | undefined {
    const inode = this.inodeAtLock();
    return [...this.makers].findLast(([file]) => file.inode === inode)?.[1];
  }

  /** Those who were told that they hold, and have not let go; the writes of one that exits are still under way. */
  holders(): readonly Client[] {
    const holds = ({ told, letGo }: Client): boolean => told === "granted" && !letGo;
    return [...this.clients.values()].filter((client) => holds(client));
  }

  /** What is wrong now, by the directory and by what the callers were told. Nothing here asks the model. */
  violations(): readonly string[] {
    const holders = this.holders();
    const found: string[] = [];
    const alone = (one: Client, other: Client): boolean =>
      one === other ||
      (this.procOf(one.task) === this.procOf(other.task) && one.allowReentrant && other.allowReentrant);
    if (holders.some((one) => holders.some((other) => !alone(one, other)))) found.push("MutualExclusion");
    const inode = this.inodeAtLock();
    if (holders.some(({ handle }) => handle?.file.inode !== inode)) found.push("HeldIsOnDisk");
    const isGhost = ({ task, handle }: Client): boolean => {
      const { module } = this.process(this.procOf(task));
      return module.heldLocks.get(module.options.sessionFile)?.file !== handle?.file;
    };
    if (holders.some(isGhost)) found.push("NoGhostHolder");
    if (inode !== undefined && this.isForgotten(inode)) found.push("NothingForgotten");
    return found;
  }

  /** The file names a process that runs, and nobody there holds it, makes it or removes it. */
  private isForgotten(inode: bigint): boolean {
    const { pid } = JSON.parse(fs.readFileSync(this.lockPath, "utf8") || "{}") as { pid?: number };
    const runs = [...this.processes.values()].some(
      ({ life, module }) => life !== "dead" && module.services.pid === pid,
    );
    const known = [
      ...this.holders().map(({ handle }) => handle?.file),
      ...this.pending.map(({ file }) => file),
    ];
    return runs && !known.some((file) => file?.inode === inode);
  }

  private inodeAtLock(): bigint | undefined {
    return fs.statSync(this.lockPath, { bigint: true, throwIfNoEntry: false })?.ino;
  }

  private procOf(agent: Agent): Proc {
    return processOf(this.config, agent);
  }

  process(proc: Proc): Process {
    const process = this.processes.get(proc);
    if (process === undefined) throw new Error(`no process ${proc}`);
    return process;
  }

  // ----------------------------------------------------------------------------------------------
  // Calls from outside, and the environment

  private readonly calls: Readonly<Record<string, (arg: string) => void>> = {
    Request: (task) => this.request(task),
    Release: (task) => this.release(task, this.clients.get(task)?.handle),
    ReleaseAgain: (task) => this.release(task, this.spent.get(task)),
    Sweep: (task) => this.sweep(task),
    Expire: (proc) => {
      this.started = proc;
      expire(this.process(proc).module);
    },
    ExitHook: (proc) => {
      exitHook(this.process(proc).module);
      this.process(proc).life = "exiting";
      this.crashes++;
    },
    Crash: (proc) => this.crash(this.process(proc)),
    Start: (proc) => {
      const process = this.process(proc);
      process.life = "runs";
      process.incarnation++;
      process.module = this.newModule(proc);
    },
    Age: () => this.age(),
  };

  private newClient(task: Task): Client {
    const client: Client = {
      task,
      allowReentrant: this.config.reentrantTasks.includes(task),
      told: "nothing",
      handle: undefined,
      letGo: false,
      granted: (handle) => {
        client.told = "granted";
        client.handle = handle;
      },
      failed: () => {
        client.told = "failed";
      },
    };
    this.clients.set(task, client);
    return client;
  }

  private request(task: Task): void {
    this.started = task;
    request(this.process(this.procOf(task)).module, this.newClient(task));
  }

  private release(task: Task, handle: Handle | undefined): void {
    const client = this.clients.get(task);
    if (client === undefined || handle === undefined) throw this.divergence(`${task} has no handle`);
    this.started = task;
    const again = this.spent.delete(task);
    const mayAgain = this.config.features.includes("twice") && this.config.openHoles.includes("ReleaseTwice");
    if (!again && mayAgain) this.spent.set(task, handle);
    client.letGo = true;
    release(this.process(this.procOf(task)).module, handle, () => {});
  }

  private sweep(task: Task): void {
    this.started = task;
    sweep(this.process(this.procOf(task)).module, () => {});
    this.step("Sweep", task, this.state);
  }

  private crash(process: Process): void {
    this.close(process.proc);
    if (process.life === "runs") this.crashes++;
    process.life = "dead";
    process.module = this.newModule(process.proc);
    this.pending = this.pending.filter(({ agent }) => this.procOf(agent) !== process.proc);
    for (const task of this.config.tasks) {
      if (this.procOf(task) !== process.proc) continue;
      this.clients.delete(task);
      this.spent.delete(task);
    }
  }

  /** By the clock; or, where the age of a payload is no matter, by the mtime alone. */
  private age(): void {
    if (this.config.features.includes("age")) {
      this.laterMs += STALE_MS + 1_000;
      return;
    }
    const old = (this.now() - STALE_MS - 1_000) / 1_000;
    fs.utimesSync(this.lockPath, old, old);
  }

  // ----------------------------------------------------------------------------------------------
  // Ports

  private now(): number {
    return Date.now() + this.laterMs;
  }

  private newModule(proc: Proc): Module {
    const pidOf = (of: Proc): number => FIRST_PID + this.config.procs.indexOf(at(this.config.pidOf, of));
    const startTimeOf = (of: Proc): string => `${of}-${this.processes?.get(of)?.incarnation ?? 1}`;
    const hasStartTime = this.config.startTime;
    return createModule(
      {
        sessionFile: join(this.directory, "a.jsonl"),
        staleMs: STALE_MS,
        fix: this.config.fix,
        openHoles: this.openHoles,
        copy: proc,
      },
      {
        pid: pidOf(proc),
        startTime: hasStartTime ? startTimeOf(proc) : undefined,
        isAlive: (pid, startTime) =>
          [...this.processes.values()].some(
            ({ proc: of, life }) =>
              life !== "dead" &&
              pidOf(of) === pid &&
              (startTime === undefined || startTimeOf(of) === startTime),
          ),
        now: () => this.now(),
        drive: (run) => this.drive(run),
        removeNow: (path) => fs.rmSync(path, { force: true }),
      },
    );
  }

  /** A run is taken to its first call, and waits there. */
  private drive(run: Run): void {
    const { value, done } = run.next(DONE);
    if (done === true || value.kind !== "call") throw new Error("a run begins with a call");
    this.pending.push({
      agent: this.started,
      run,
      step: value,
      reply: DONE,
      file: value.call.call === "close" ? value.call.file : undefined,
      sweeps: value.action === "Sweep",
      seen: null,
      seenInode: undefined,
    });
  }

  // ----------------------------------------------------------------------------------------------
  // Steps of the fixture

  private step(action: string, agent: Agent, next: State): void {
    const pending = this.pending.find((candidate) => candidate.agent === agent);
    if (pending === undefined) throw this.divergence(`${agent} waits for nothing`);
    const { step } = pending;
    if (step.kind === "sleep") {
      this.advance(pending, action === "GiveUp" ? { ok: false, errno: "ETIMEDOUT", error: INJECTED } : DONE);
      this.turn(pending, action);
    } else if (step.kind === "turn") {
      this.turn(pending, action);
    } else if (step.action === action) {
      this.effect(pending, step, next);
    } else {
      throw this.divergence(`the fixture waits for ${step.action}`);
    }
  }

  private turn(pending: Pending, action: string): void {
    const { step } = pending;
    if (step.kind !== "turn" || step.action !== action) {
      throw this.divergence(`the fixture waits for ${step.kind === "sleep" ? "its timer" : step.action}`);
    }
    this.advance(pending, DONE);
  }

  /** The real call. The code behind it begins with a turn: it is taken there, and waits. */
  private effect(pending: Pending, step: Step & { readonly kind: "call" }, next: State): void {
    const { agent } = pending;
    const failing = this.mustFail(step.action, agent, next);
    const reply = failing ?? performNow(step.call);
    if (step.call.call === "open" && reply.ok && reply.file !== undefined) {
      pending.file = reply.file;
      this.ids.set(reply.file, this.newId(agent));
      this.makers.set(reply.file, agent);
      this.open.add(reply.file);
      this.stamp(reply.file);
    }
    if (step.call.call === "close") this.open.delete(step.call.file);
    if (step.call.call === "write") this.stamp(step.call.file);
    if (step.call.call === "read") {
      pending.seen = this.seenBy(reply);
      pending.seenInode = reply.inode;
    }
    this.advance(pending, reply);
  }

  /** The file system's clock is ours. */
  private stamp({ descriptor }: LockFile): void {
    fs.futimesSync(descriptor, this.now() / 1_000, this.now() / 1_000);
  }

  private newId(agent: Agent): Id {
    const id = freshId(this.config, this.state, this.procOf(agent));
    if (id === undefined) throw this.divergence("the model has no identity left");
    return id;
  }

  /** A removal after which the file is still there, and a read that gives nothing of what is written. */
  private mustFail(action: CallAction, agent: Agent, next: State): IssueReply | undefined {
    const inode = this.inodeAtLock();
    const failure = { ok: false, errno: "EIO", error: INJECTED } as const;
    const { features, openHoles } = this.config;
    const removeFails = features.includes("removeFails") && openHoles.includes("ForgetFailedRemoval");
    const readFails = features.includes("readFails") && openHoles.includes("UnreadableIsStale");
    if (action === "Remove") return removeFails && next.file !== null ? failure : undefined;
    const seen = next.seen[agent];
    const empty = seen !== null && seen !== undefined && seen !== "absent" && seen.empty;
    if (!readFails || action !== "Read" || !empty || inode === undefined) return undefined;
    return { ...failure, inode };
  }

  private advance(pending: Pending, reply: IssueReply): void {
    pending.reply = reply;
    const result = pending.run.next(reply);
    if (result.done !== true) {
      pending.step = result.value;
      return;
    }
    this.pending = this.pending.filter((other) => other !== pending);
  }

  // ----------------------------------------------------------------------------------------------
  // The real state in the words of the model

  private content(): string {
    return fs.readFileSync(this.lockPath, "utf8");
  }

  private seenBy(reply: IssueReply): Seen {
    const file = this.fileAtLock();
    if (file === null) return "absent";
    return { id: file.id, empty: !reply.ok || reply.content === "", old: file.old };
  }

  private fileAtLock(): State["file"] {
    const stat = fs.statSync(this.lockPath, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return null;
    const content = this.content();
    const [, id = "nobody's"] = [...this.ids].findLast(([{ inode }]) => inode === stat.ino) ?? [];
    const { module } = this.process(ownerOf(id).proc);
    if (content !== "" && JSON.parse(content).pid !== module.services.pid) {
      throw this.divergence(`the file of ${id} names another process: ${content}`);
    }
    return { id, written: content !== "", old: isTooOld(module, Number(stat.mtimeMs)) };
  }

  private project(): State {
    const { config } = this;
    const per = <V>(keys: readonly string[], value: (key: string) => V): Record<string, V> =>
      Object.fromEntries(keys.map((key) => [key, value(key)] as const));
    const idOf = (file: LockFile | undefined): Id | null =>
      file === undefined ? null : (this.ids.get(file) ?? "nobody's");
    const all = agents(config);
    return {
      file: this.fileAtLock(),
      life: per(config.procs, (p) => this.process(p).life),
      inc: per(config.procs, (p) => this.process(p).incarnation),
      heldLocks: per(config.procs, (p) => {
        const { heldLocks, options } = this.process(p).module;
        const entry = heldLocks.get(options.sessionFile);
        if (entry === undefined) return null;
        return { id: idOf(entry.file) ?? "", count: entry.count, releasing: entry.releasing };
      }),
      releasing: per(config.procs, (p) => {
        const { releasing, options } = this.process(p).module;
        return releasing.get(options.sessionFile) ?? 0;
      }),
      handle: per(all, (x) => idOf(this.runOf(x)?.file ?? this.heldBy(x)?.file)),
      spent: per(config.tasks, (t) => idOf(this.spent.get(t)?.file)),
      seen: per(config.tasks, (t) => this.seenOf(t)),
      pc: per(all, (x) => this.pcOf(x)),
      budget: { crash: config.maxCrashes - this.crashes },
    };
  }

  private runOf(agent: Agent): Pending | undefined {
    return this.pending.find((pending) => pending.agent === agent);
  }

  private heldBy(agent: Agent): Handle | undefined {
    return this.holders().find(({ task }) => task === agent)?.handle;
  }

  private seenOf(task: Task): Seen | null {
    return JUDGING.includes(this.pcOf(task)) ? (this.runOf(task)?.seen ?? null) : null;
  }

  private pcOf(agent: Agent): Pc {
    const pending = this.runOf(agent);
    if (pending === undefined) return this.heldBy(agent) === undefined ? "idle" : "holding";
    const { step, sweeps, reply } = pending;
    if (step.kind === "sleep") return "waiting";
    if (step.kind === "call") {
      if (step.action === "Reclaim") return REASONS[step.reason ?? "sweep"];
      return sweeps && step.action === "Read" ? "sweepRead" : CALLS[step.action];
    }
    if (step.action === "JudgeAge") {
      const { module } = this.process(this.procOf(agent));
      const asked = this.openHoles.includes("MtimeOfAnother") || reply.inode === pending.seenInode;
      return asked && reply.ok && isTooOld(module, reply.mtimeMs) ? "old" : "young";
    }
    const pc = TURNS[step.action];
    if (!sweeps) return pc;
    return pc === "looked" ? "sweepLooked" : "sweepRemoved";
  }

  // ----------------------------------------------------------------------------------------------
  // Comparing

  private compare(candidates: readonly ModelStep[], wanted: State | undefined): void {
    const real = this.project();
    const expected = wanted === undefined ? candidates.map(({ next }) => next) : [wanted];
    const match = expected.find((candidate) => JSON.stringify(candidate) === JSON.stringify(real));
    if (match === undefined)
      throw this.divergence(expected.map((other) => differences(other, real)).join(" or "));
    this.state = match;
  }

  private divergence(what: string): Divergence {
    return new Divergence(what, this.trace);
  }
}
