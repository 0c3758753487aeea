/**
 * A stress run: real processes that use one lock, each replaced when it ends, killed and stopped at random moments.
 * The seed decides what each process asks for, whom it hits and after how long; real timing does not replay. What
 * does is the trace that is left: `npm run stress -- --check DIR`.
 */

import { type ChildProcess, fork } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Proc } from "../../model/state.ts";
import { isLocalDisk } from "../../src/paths.ts";
import { seededRandom } from "../support/random.mjs";
import { lifeFile, type ParentRecord, parentFile, procOfSlot, type RunMeta } from "./records.ts";

export interface RunOptions extends RunMeta {
  /** Runs at least so many steps. */
  readonly steps: number;
  /** A new directory on the disk to try; the trace is in it too. */
  readonly directory: string;
  /** What the processes import. */
  readonly library: string;
  /** Broken code may never end in order, and nobody waits for it so long. */
  readonly endsWithinMs?: number;
  readonly onProgress?: (steps: number) => void;
}

/** What went wrong with processes that nobody killed. */
export interface RunOutcome {
  readonly failures: readonly string[];
}

/** Often enough that no trace is without deaths; rarely enough that processes do more than start. */
const HIT_AFTER_MS = { from: 5, to: 120 } as const;
/** Of the hits, so many kill; the others stop the process for a while. */
const KILLS = 0.4;
/** However soon the steps are done. */
const FEWEST_KILLS = 3;
/** From nothing to longer than every wait of the protocol. */
const STOPPED_MS = 40;
/** Of those that are stopped, so many are killed before they go on. */
const KILLED_WHILE_STOPPED = 0.15;
/** What neither goes on nor ends for so long hangs: far from what a very busy machine needs. */
const HANGS_AFTER_MS = 180_000;

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

export const traceDirectory = (directory: string): string => join(directory, "trace");

/** Runs, and leaves the trace in {@link traceDirectory}. */
export async function runStress(options: RunOptions): Promise<RunOutcome> {
  fs.mkdirSync(traceDirectory(options.directory), { recursive: true });
  fs.mkdirSync(join(options.directory, "sessions"), { recursive: true });
  // Where the disk is not known to be local the library releases by Drop, whatever was asked for.
  const local = options.local && isLocalDisk(options.directory);
  const run = new Run({ ...options, local });
  const onExit = (): void => run.abandon();
  process.once("exit", onExit);
  try {
    await run.untilEnough();
    await run.end();
  } finally {
    process.removeListener("exit", onExit);
    run.abandon();
  }
  return { failures: run.failures };
}

class Run {
  readonly failures: string[] = [];
  private readonly options: RunOptions;
  private readonly random: () => number;
  private readonly log: number;
  private readonly slots: Slot[] = [];
  private steps = 0;
  private kills = 0;
  private lastStepAt = performance.now();
  private ending = false;

  constructor(options: RunOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    this.log = fs.openSync(parentFile(traceDirectory(options.directory)), "a");
    const { processes, tasks, local, seed } = options;
    this.write({ at: now(), is: "run", processes, tasks, local, seed });
    for (let slot = 0; slot < processes; slot++) this.start(procOfSlot(slot), 1);
  }

  async untilEnough(): Promise<void> {
    const isEnough = (): boolean => this.steps >= this.options.steps && this.kills >= FEWEST_KILLS;
    while (!isEnough() && this.failures.length === 0) {
      if (performance.now() - this.lastStepAt > HANGS_AFTER_MS) {
        this.failures.push(`nothing happened for ${HANGS_AFTER_MS} ms`);
        return;
      }
      // All are drawn every time, so that the seed decides the same whatever the timing.
      const [pause, slot, what, stopped, then] = [0, 0, 0, 0, 0].map(() => this.random());
      await sleep(between(HIT_AFTER_MS, pause));
      const hit = this.slots[Math.floor((slot ?? 0) * this.slots.length)];
      if (hit === undefined || !hit.ready || !isRunning(hit.child)) continue;
      if ((what ?? 0) < KILLS) this.signal(hit, "kill");
      else await this.stop(hit, (stopped ?? 0) * STOPPED_MS, (then ?? 0) < KILLED_WHILE_STOPPED);
    }
  }

  /** Everybody finishes what it does. */
  async end(): Promise<void> {
    this.ending = true;
    for (const { child } of this.slots) if (child.connected) child.send("stop", () => {});
    const all = Promise.all(this.slots.map(({ ended }) => ended));
    const { endsWithinMs = HANGS_AFTER_MS } = this.options;
    const limit = sleep(endsWithinMs, "late" as const, { ref: false });
    if ((await Promise.race([all, limit])) !== "late") return;
    this.failures.push(`it did not end within ${endsWithinMs} ms`);
    for (const slot of this.slots) this.signal(slot, "kill");
    await all;
  }

  abandon(): void {
    this.ending = true;
    for (const { child } of this.slots) if (isRunning(child)) child.kill("SIGKILL");
    fs.closeSync(this.log);
  }

  private start(proc: Proc, life: number): void {
    const { directory, library, tasks, local, seed } = this.options;
    const worker = {
      library,
      sessionFile: join(directory, "sessions", "a.jsonl"),
      traceFile: lifeFile(traceDirectory(directory), proc, life),
      tasks,
      local,
      seed: seed * 1_000 + life * 10 + this.slots.length,
      who: `${proc}${life}`,
    };
    this.write({ at: now(), is: "start", proc, life });
    // Without execArgv the loaders of this process would be started with each worker.
    const child = fork(WORKER, [JSON.stringify(worker)], {
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const slot: Slot = {
      proc,
      life,
      child,
      ready: false,
      killed: false,
      ended: this.watch(child, () => slot),
    };
    child.on("message", (message: { steps?: number }) => {
      slot.ready = true;
      this.steps += message.steps ?? 0;
      this.lastStepAt = performance.now();
      this.options.onProgress?.(this.steps);
    });
    const at = this.slots.findIndex((other) => other.proc === proc);
    if (at < 0) this.slots.push(slot);
    else this.slots[at] = slot;
  }

  /** Until it was waited for; then, mostly, the next one takes its place. */
  private watch(child: ChildProcess, slotOf: () => Slot): Promise<void> {
    let complaint = "";
    child.stderr?.on("data", (text: Buffer) => {
      complaint = `${complaint}${text.toString()}`.slice(-4_000);
    });
    return new Promise((resolve) => {
      child.once("exit", () => {
        const { proc, life } = slotOf();
        this.write({ at: now(), is: "end", proc, life });
      });
      child.once("close", (code, signal) => {
        const { proc, life, killed } = slotOf();
        const asExpected = killed ? signal === "SIGKILL" : this.ending && code === 0;
        if (!asExpected)
          this.failures.push(`process ${proc}${life} ended with ${signal ?? code}: ${complaint.trim()}`);
        else if (!this.ending) this.start(proc, life + 1);
        resolve();
      });
    });
  }

  private async stop(slot: Slot, ms: number, kills: boolean): Promise<void> {
    this.signal(slot, "stop");
    await sleep(ms);
    this.signal(slot, kills ? "kill" : "continue");
  }

  private signal(slot: Slot, what: keyof typeof SIGNALS): void {
    if (!isRunning(slot.child) || slot.killed) return;
    if (what === "kill") {
      slot.killed = true;
      this.kills++;
    }
    this.write({ at: now(), is: what, proc: slot.proc, life: slot.life });
    slot.child.kill(SIGNALS[what]);
  }

  private write(record: ParentRecord): void {
    fs.writeSync(this.log, `${JSON.stringify(record)}\n`);
  }
}

const SIGNALS = { kill: "SIGKILL", stop: "SIGSTOP", continue: "SIGCONT" } as const;

interface Slot {
  readonly proc: Proc;
  readonly life: number;
  readonly child: ChildProcess;
  ready: boolean;
  killed: boolean;
  readonly ended: Promise<void>;
}

const now = (): number => Number(process.hrtime.bigint());
const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;
const between = ({ from, to }: { readonly from: number; readonly to: number }, share = 0): number =>
  from + share * (to - from);
