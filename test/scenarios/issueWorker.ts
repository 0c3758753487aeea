/**
 * A process that uses the algorithm of the issue, on the asynchronous calls of Node.js, and does as it is told: one
 * JSON command per line, one JSON answer per line, as test/process/support/worker.mjs for our lock. Every hole is
 * open, and nothing is faked: the pid, deaths, the clock and the disk are the real ones, and start times where there are
 * to be any.
 *
 * A task may have gates: steps before which it is held, or before which the whole process stops itself (SIGSTOP).
 * A command for another thread goes to a worker thread of this process, which runs this program too.
 */

import fs from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, threadId, Worker } from "node:worker_threads";
import type { Fix, Hole } from "../../model/issue/state.ts";
import { type IssueReply, performLater } from "./issueDisk.ts";
import {
  type Caller,
  createModule,
  exitHook,
  expire,
  type Handle,
  type Module,
  type Run,
  release,
  request,
  type Step,
  sweep,
} from "./issueLock.ts";

/** What startChild is given as the worker's options. */
export interface IssueWorkerOptions {
  readonly fix: Fix;
  /** FALSE: as on macOS and Windows. */
  readonly startTime: boolean;
  readonly staleMs: number;
  readonly openHoles: readonly Hole[];
}

export interface Gate {
  readonly before: string;
  /** `hold`: this task waits for `pass`. `stop`: the process waits for SIGCONT. */
  readonly how: "hold" | "stop";
}

interface Command {
  readonly id: number;
  readonly do: string;
  readonly task?: string;
  /** Another thread than the main one. */
  readonly thread?: string;
  readonly gates?: readonly Gate[];
  readonly allowReentrant?: boolean;
  readonly timeoutMs?: number;
  readonly text?: string;
}

class Signal {
  give: () => void = () => {};
  readonly given: Promise<void> = new Promise((resolve) => {
    this.give = resolve;
  });
}

interface Task {
  gates: Gate[];
  deadline: number;
  handle: Handle | undefined;
  holds: boolean;
  /** Of a gate that holds it: that it is there, and that it may go on. */
  arrived: Signal;
  passed: Signal;
}

const params = JSON.parse(process.argv[2] ?? "") as IssueWorkerOptions & { readonly sessionFile: string };
const DONE: IssueReply = { ok: true };
/** Longer than a signal needs to stop every thread. */
const STOPPED_BY_THEN_MS = 50;
const tasks = new Map<string, Task>();
/** Whose run is driven next: request, release and sweep drive theirs before they return. */
let current = newTask();

const module = loadModule();
/** What fills the table of descriptors. */
const ballast: number[] = [];

/** This thread's: HELD_LOCKS is on its heap. */
function loadModule(): Module {
  const { sessionFile, staleMs, fix, openHoles } = params;
  const module = createModule(
    { sessionFile, staleMs, fix, openHoles, copy: String(threadId) },
    {
      pid: process.pid,
      startTime: params.startTime ? statOf(process.pid)?.startTime : undefined,
      isAlive,
      now: () => Date.now(),
      drive: (run) => void drive(run, current),
      removeNow: (path) => fs.rmSync(path, { force: true }),
    },
  );
  process.on("exit", () => exitHook(module));
  return module;
}

/** A turn follows upon its call at once; a call is sent to the thread pool. */
async function drive(run: Run, task: Task): Promise<void> {
  let result = run.next(DONE);
  while (result.done !== true) {
    const step = result.value;
    if (step.kind !== "sleep" && task.gates[0]?.before === step.action) await atGate(task);
    result = run.next(step.kind === "turn" ? DONE : await reply(step, task));
  }
}

async function reply(step: Exclude<Step, { readonly kind: "turn" }>, task: Task): Promise<IssueReply> {
  if (step.kind === "call") return await performLater(step.call);
  if (Date.now() < task.deadline) return await sleep(step.ms, DONE);
  return { ok: false, errno: "ETIMEDOUT", error: new Error("timeout") };
}

async function atGate(task: Task): Promise<void> {
  if (task.gates.shift()?.how === "hold") {
    task.arrived.give();
    await task.passed.given;
    [task.arrived, task.passed] = [new Signal(), new Signal()];
    return;
  }
  process.kill(process.pid, "SIGSTOP");
  await sleep(STOPPED_BY_THEN_MS);
}

// ------------------------------------------------------------------------------------------------
// Processes

function isAlive(pid: number, startTime: string | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = statOf(pid);
  return stat?.state !== "Z" && (startTime === undefined || startTime === stat?.startTime);
}

/** Fields 3 and 22 of /proc/<pid>/stat; undefined where there is none. */
function statOf(pid: number): { readonly state: string; readonly startTime: string } | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", startTime: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

// ------------------------------------------------------------------------------------------------
// Commands

function newTask(): Task {
  return {
    gates: [],
    deadline: 0,
    handle: undefined,
    holds: false,
    arrived: new Signal(),
    passed: new Signal(),
  };
}

function taskOf({ task = "" }: Command): Task {
  const known = tasks.get(task) ?? newTask();
  tasks.set(task, known);
  return known;
}

/** The task whose turn it is to drive, with the gates of this command. */
function begin(command: Command): Task {
  current = taskOf(command);
  current.gates = [...(command.gates ?? [])];
  current.arrived = new Signal();
  current.passed = new Signal();
  return current;
}

const commands: Readonly<Record<string, (command: Command) => object | Promise<object>>> = {
  acquire: (command) =>
    new Promise((resolve) => {
      const task = begin(command);
      task.deadline = Date.now() + (command.timeoutMs ?? 10_000);
      const caller: Caller = {
        allowReentrant: command.allowReentrant ?? false,
        granted: (handle) => {
          task.handle = handle;
          task.holds = true;
          resolve({ held: true });
        },
        failed: (error) => resolve({ held: false, message: error.message }),
      };
      request(module, caller);
    }),
  /** By the handle of the task, also if it has released before. */
  release: (command) =>
    new Promise((resolve) => {
      const task = begin(command);
      task.holds = false;
      if (task.handle !== undefined) release(module, task.handle, () => resolve({}));
    }),
  sweep: (command) =>
    new Promise((resolve) => {
      begin(command);
      sweep(module, () => resolve({}));
    }),
  /** Answers when the task is held at its gate. */
  arrived: async (command) => {
    await taskOf(command).arrived.given;
    return {};
  },
  pass: (command) => {
    taskOf(command).passed.give();
    return {};
  },
  /** Those who were told that they hold, and have let nothing go. */
  holders: () => ({ tasks: [...tasks].filter(([, { holds }]) => holds).map(([name]) => name) }),
  /** As a program does: only a task that was told that it holds, and has let nothing go, writes. */
  write: (command) => {
    const { task = "", text = "" } = command;
    if (!taskOf(command).holds) throw new Error(`${task} does not hold, and does not write`);
    fs.appendFileSync(params.sessionFile, text);
    return {};
  },
  /** Looks once. The real one looks every 60 s. */
  watchdog: () => {
    current = newTask();
    expire(module);
    return {};
  },
  /** Nothing can be opened any more (EMFILE), until `free`. */
  exhaust: () => {
    try {
      for (;;) ballast.push(fs.openSync("/dev/null", "r"));
    } catch (error) {
      return { code: (error as NodeJS.ErrnoException).code };
    }
  },
  free: () => {
    for (const descriptor of ballast.splice(0)) fs.closeSync(descriptor);
    return {};
  },
  /** The program has an exit hook of its own, later than the module's: it finishes the line, once it is continued. */
  exit: ({ text = "" }) => {
    process.on("exit", () => {
      process.kill(process.pid, "SIGSTOP");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STOPPED_BY_THEN_MS);
      fs.appendFileSync(params.sessionFile, text);
    });
    setImmediate(() => process.exit(0));
    return {};
  },
};

async function obey(command: Command): Promise<void> {
  const { id } = command;
  try {
    const answer = await commands[command.do]?.(command);
    fs.writeSync(1, `${JSON.stringify({ ...answer, id })}\n`);
  } catch (error) {
    fs.writeSync(1, `${JSON.stringify({ id, error: String(error) })}\n`);
  }
}

const threads = new Map<string, Worker>();

/** It ends with the process, whose output it writes its answers to. */
function threadOf(name: string): Worker {
  const known = threads.get(name);
  if (known !== undefined) return known;
  const thread = new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2) });
  thread.unref();
  threads.set(name, thread);
  return thread;
}

function dispatch(command: Command): void {
  if (command.thread === undefined) void obey(command);
  else threadOf(command.thread).postMessage(command);
}

if (isMainThread) {
  createInterface({ input: process.stdin }).on("line", (line) => dispatch(JSON.parse(line) as Command));
  fs.writeSync(1, `${JSON.stringify({ ready: true, pid: process.pid })}\n`);
} else {
  parentPort?.on("message", (command: Command) => void obey(command));
}
