/** Real processes that use the lock, and do as they are told: see worker.mjs. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** How to start a process: the commands in front of it, and what it finds in its environment. */
export interface Start {
  /** As `nsenter --target 4711 --mount`; the command that it runs follows. */
  readonly prefix?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Another version of Node.js. */
  readonly node?: string;
  /** What it imports: the built package, if nothing is said. */
  readonly library?: string | undefined;
  /** Another program than worker.mjs, and what it is told beside the rest. */
  readonly worker?: { readonly file: string; readonly options: object };
  /** Plays at having the lock: for the twins that must be caught. */
  readonly without?: boolean;
}

export interface WorkerParams {
  readonly who: string;
  readonly sessionFile: string;
  readonly witness: string;
}

/** How an acquisition ended. Times are milliseconds of the machine's monotonic clock. */
export interface Acquired {
  readonly held: boolean;
  readonly at: number;
  readonly waitedMs: number;
  /** Whose markers were in the way: those of the dead, or the proof of two holders. */
  readonly found: readonly string[];
  /** The pids that `onTakeover` was told of. */
  readonly takenOver?: readonly number[];
  readonly overtaken?: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly verdict?: string;
  readonly reason?: string;
  readonly owner?: { readonly pid?: number; readonly uid?: number; readonly metadata?: unknown };
}

export interface Released {
  readonly found: readonly string[];
  readonly code?: string;
}

export interface AcquireArgs {
  /** A name for the lock, if the process takes several. */
  readonly as?: string;
  readonly timeoutMs?: number;
  readonly sessionFile?: string;
  /** Another copy of the module. */
  readonly library?: string;
  /** Whether the witnesses watch. Default true. */
  readonly inside?: boolean;
  /** Other options of the library. */
  readonly options?: object;
  /** Given up by an AbortSignal in the turn in which it asks. */
  readonly abort?: boolean;
  /** For who is refused: its time begins when it has seen by whom, so that the error can say so. */
  readonly judged?: boolean;
}

export interface Answer {
  readonly id?: number;
  readonly error?: string;
  readonly [key: string]: unknown;
}

export interface Child {
  readonly who: string;
  /** As the process sees itself. */
  readonly pid: number;
  /** The pid of the process, behind whatever stands in front of it, in our own pid namespace. */
  readonly hostPid: number;
  readonly isRunning: () => boolean;
  ask(what: string, args?: object): Promise<Answer>;
  acquire(args?: AcquireArgs): Promise<Acquired>;
  release(args?: { as?: string }): Promise<Released>;
  /** Ends its input: it ends by itself, and in order. */
  leave(): Promise<void>;
  /** Resolves when it is gone, and waited for; with the moment before the signal was sent. */
  kill(signal?: NodeJS.Signals): Promise<number>;
  signal(signal: NodeJS.Signals): void;
  /** Kills it, and whatever stands in front of it. */
  destroy(): Promise<void>;
  /** Resolves when it has ended, whoever ended it. */
  readonly ended: Promise<void>;
}

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

/** Milliseconds of the one monotonic clock of this machine. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Resolves when the process is ready for commands. */
export async function startChild(params: WorkerParams, start: Start = {}): Promise<Child> {
  const {
    prefix = [],
    env = {},
    node = process.execPath,
    library = "session-write-lock",
    without = false,
  } = start;
  const { file: program, options } = start.worker ?? { file: WORKER, options: {} };
  const [file = "", ...args] = [
    ...prefix,
    node,
    program,
    JSON.stringify({ ...params, library, without, ...options }),
  ];
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  const conversation = converse(params.who, child);
  const { pid } = (await conversation.next("ready")) as { pid?: number };
  const hostPid = leafOf(child.pid ?? 0);
  const { ask, ended } = conversation;
  const signal = (name: NodeJS.Signals): void => void process.kill(hostPid, name);
  return {
    who: params.who,
    pid: pid ?? 0,
    hostPid,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    ask,
    acquire: (options = {}) => ask("acquire", options) as Promise<Answer & Acquired>,
    release: (options = {}) => ask("release", options) as Promise<Answer & Released>,
    leave: async () => {
      child.stdin?.end();
      await ended;
    },
    kill: async (name = "SIGKILL") => {
      const at = now();
      signal(name);
      await ended;
      return at;
    },
    signal,
    destroy: async () => {
      for (const target of new Set([hostPid, child.pid ?? hostPid])) killIfThere(target);
      await ended;
    },
    ended,
  };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

interface Conversation {
  readonly ended: Promise<void>;
  ask(what: string, args?: object): Promise<Answer>;
  next(event: string): Promise<Answer>;
}

function converse(who: string, child: ChildProcess): Conversation {
  const waiting = new Map<number | string, { resolve(answer: Answer): void; reject(error: Error): void }>();
  let complaint = "";
  let asked = 0;
  child.stderr?.on("data", (text: Buffer) => {
    complaint = `${complaint}${text.toString()}`.slice(-2_000);
  });
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      const key = answer.id ?? "ready";
      const { resolve, reject } = waiting.get(key) ?? {};
      waiting.delete(key);
      if (answer.error === undefined) resolve?.(answer);
      else reject?.(new Error(`${who}: ${answer.error}`));
    });
  }
  const next = (key: number | string): Promise<Answer> =>
    new Promise((resolve, reject) => waiting.set(key, { resolve, reject }));
  const ended = (async () => {
    const [code, signal] = await Promise.race([once(child, "close"), once(child, "error")]);
    for (const { reject } of waiting.values()) {
      reject(new Error(`${who} ended with ${signal ?? code} before it answered: ${complaint.trim()}`));
    }
    waiting.clear();
  })();
  return {
    ended,
    next,
    ask: (what, args = {}) => {
      const id = ++asked;
      const answer = next(id);
      // Whoever kills a process that was asked something does not wait for the answer.
      answer.catch(() => {});
      child.stdin?.write(`${JSON.stringify({ ...args, do: what, id })}\n`);
      return answer;
    },
  };
}

/** Waits until the kernel shows the process in that state: signals are delivered when they are. */
export async function untilState({ hostPid }: Child, state: string): Promise<void> {
  while (!fs.readFileSync(`/proc/${hostPid}/stat`, "latin1").includes(`) ${state} `)) await sleep(5);
}

/** The last of a chain of commands: the process that the others wait for. */
export function leafOf(pid: number): number {
  let leaf = pid;
  for (;;) {
    const children = childrenOf(leaf);
    if (children[0] === undefined) return leaf;
    leaf = children[0];
  }
}

function childrenOf(pid: number): readonly number[] {
  try {
    const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
