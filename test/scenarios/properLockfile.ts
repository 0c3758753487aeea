/**
 * The real proper-lockfile, driven along a run of MkdirMtime on a real directory. Each process of the run is a copy of
 * the library; each of its calls waits until the run has it, and the clock is that of the run.
 */

import fs from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { labelText, type MachineLabel } from "../../model/machine.ts";
import type { Config, State } from "../../model/peers/mkdirMtime.ts";
import { at } from "../../model/state.ts";

type Callback = (error: NodeJS.ErrnoException | null, value?: unknown) => void;
/** The library's own; the package wraps it in a promise. */
type Release = (callback: () => void) => void;
type Lock = (
  file: string,
  options: object,
  callback: (error: Error | null, release?: Release) => void,
) => void;

/** The least that the library takes. */
const STALE_MS = 2_000;
/** A little more than the part of it that a tick stands for: the library asks for older, not for as old. */
const tickMs = (c: Config): number => STALE_MS / c.stale + 1;

interface Call {
  readonly op: Op;
  readonly run: (done: Callback) => void;
  readonly callback: Callback;
}

const OPS = ["mkdir", "stat", "rmdir", "utimes"] as const;
type Op = (typeof OPS)[number];

/** One process: a copy of the library, its calls that are under way, and what its caller was told. */
class Process {
  readonly calls: Call[] = [];
  holds = false;
  told: string | undefined;
  timer: (() => void) | undefined;
  release: Release | undefined;
  /** What a stat gave, until it is judged. */
  answer: (() => void) | undefined;
  readonly lock: Lock;
  readonly fs: Record<string, unknown> = {};

  constructor() {
    this.lock = freshCopy();
    for (const op of OPS) {
      this.fs[op] = (...args: unknown[]) => {
        const callback = args.pop() as Callback;
        const run = (done: Callback): void => (fs[op] as (...all: unknown[]) => void)(...args, done);
        this.calls.push({ op, run, callback });
      };
    }
  }

  take(op: Op): Call {
    const index = this.calls.findIndex((call) => call.op === op);
    const [call] = index === -1 ? [] : this.calls.splice(index, 1);
    if (call === undefined) throw new Error(`no ${op} is under way, but ${this.calls.map((one) => one.op)}`);
    return call;
  }
}

/** A module of its own, with its own table of locks, as another process has. */
function freshCopy(): Lock {
  const require = createRequire(import.meta.url);
  const main = require.resolve("proper-lockfile");
  const folder = join(main, "..");
  for (const file of Object.keys(require.cache)) if (file.startsWith(folder)) delete require.cache[file];
  return (require(join(folder, "lib", "lockfile.js")) as { lock: Lock }).lock;
}

export class Driver {
  readonly #config: Config;
  readonly #file: string;
  readonly #processes: ReadonlyMap<string, Process>;
  readonly #begin: number = Math.floor(Date.now() / 1000) * 1000;

  constructor(config: Config, folder: string) {
    this.#config = config;
    this.#file = join(folder, "a.jsonl");
    this.#processes = new Map(config.procs.map((p) => [p, new Process()]));
  }

  /** The first lock of a process probes the precision of the mtime, which MkdirMtime leaves out. */
  async warmUp(): Promise<void> {
    for (const [p, process] of this.#processes) {
      const done = new Promise<Release>((resolve, reject) => {
        const options = { ...this.#options(process), onCompromised: reject };
        process.lock(`${this.#file}.${p}`, options, (error, release) =>
          release === undefined ? reject(error) : resolve(release),
        );
      });
      for (const op of ["mkdir", "utimes", "stat"] as const) await this.#call(process, op, this.#begin);
      const release = await done;
      release(() => undefined);
      await this.#call(process, "rmdir", this.#begin);
    }
  }

  #options(process: Process): object {
    return { fs: process.fs, realpath: false, stale: STALE_MS, update: STALE_MS / 2 };
  }

  /** Drives one step, which the model makes from `before`. */
  async step({ action, arg }: MachineLabel, before: State): Promise<void> {
    if (action === "Tick") return;
    const process = this.#processes.get(arg);
    if (process === undefined) throw new Error(`no process ${arg}`);
    const now = this.#timeOf(before.now) + (this.#config.ahead.includes(arg) ? STALE_MS + 2 : 0);
    switch (action) {
      case "Request":
        return this.#turn(process, now, () => this.#request(process));
      case "Mkdir":
        return this.#mkdir(process, now, this.#timeOf(before.now));
      case "Probe":
        return this.#call(process, "stat", now);
      case "Stat":
        return this.#look(process, now);
      case "Judge":
        return this.#turn(process, now, () => process.answer?.());
      case "Remove":
      case "Undo":
      case "Unlock":
        return this.#call(process, "rmdir", now);
      case "Check":
        this.#turn(process, now, () => process.timer?.());
        return this.#call(process, "stat", now);
      case "Touch":
        return this.#call(process, "utimes", now);
      case "Release":
        process.holds = false;
        return this.#turn(process, now, () => process.release?.(() => undefined));
      case "Crash":
        // Nothing of it ever runs again.
        process.calls.length = 0;
        process.holds = false;
        return;
      default:
        throw new Error(`cannot drive ${labelText({ action, arg })}`);
    }
  }

  #timeOf(tick: number): number {
    return this.#begin + tick * tickMs(this.#config);
  }

  #request(process: Process): void {
    process.told = undefined;
    const onCompromised = (error: NodeJS.ErrnoException): void => {
      process.holds = false;
      process.told = error.code;
    };
    const options = { ...this.#options(process), onCompromised };
    process.lock(this.#file, options, (error, release) => {
      process.holds = error === null;
      process.release = release;
      // It was locked: with retries it asks again.
      if ((error as NodeJS.ErrnoException | null)?.code === "ELOCKED") this.#request(process);
    });
  }

  /** The server's clock stamps a directory. */
  async #mkdir(process: Process, now: number, serverMs: number): Promise<void> {
    const lock = `${this.#file}.lock`;
    await this.#call(process, "mkdir", now, () => fs.utimesSync(lock, serverMs / 1000, serverMs / 1000));
  }

  /** The effect of a stat. Its turn is Judge; where there is nothing to judge it follows at once. */
  async #look(process: Process, now: number): Promise<void> {
    const { run, callback } = process.take("stat");
    const [error, value] = await settled(run);
    process.answer = () => callback(error, value);
    if (error !== null) this.#turn(process, now, process.answer);
  }

  async #call(process: Process, op: Op, now: number, onSuccess?: () => void): Promise<void> {
    const { run, callback } = process.take(op);
    const [error, value] = await settled(run);
    if (error === null) onSuccess?.();
    this.#turn(process, now, () => callback(error, value));
  }

  /** Runs code of the library: with the clock of the run, and timers that fire when the run has them. */
  #turn(process: Process, now: number, run: () => void): void {
    const real = { now: Date.now, setTimeout: globalThis.setTimeout };
    Date.now = () => now;
    const fake = (callback: () => void): object => {
      process.timer = callback;
      return { unref: () => undefined };
    };
    globalThis.setTimeout = fake as unknown as typeof globalThis.setTimeout;
    try {
      run();
    } finally {
      Date.now = real.now;
      globalThis.setTimeout = real.setTimeout;
    }
  }

  /** What the disk and the callers show, in the words of {@link expectation}. */
  observe(): object {
    const lock = `${this.#file}.lock`;
    const found = fs.existsSync(lock) ? Math.round(fs.statSync(lock).mtimeMs) - this.#begin : null;
    const callers = [...this.#processes].map(([p, { holds, told }]) => [p, told ?? holds] as const);
    return { mtimeMs: found, ...Object.fromEntries(callers) };
  }

  /** What the model says that they show. */
  expectation(c: Config, s: State): object {
    const callers = c.procs.map((p) => {
      const pc = at(s.pc, p);
      return [p, pc === "lost" ? "ECOMPROMISED" : pc === "holding"] as const;
    });
    const mtimeMs = s.lock === null ? null : s.lock.mtime * tickMs(c);
    return { mtimeMs, ...Object.fromEntries(callers) };
  }
}

function settled(
  run: (done: Callback) => void,
): Promise<readonly [error: NodeJS.ErrnoException | null, value: unknown]> {
  return new Promise((resolve) => run((error, value) => resolve([error, value])));
}
