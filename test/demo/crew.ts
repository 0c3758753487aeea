/** The writers: real processes, one per slot, replaced when they are killed. */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Kill } from "./check.ts";

export interface CrewOptions {
  readonly directory: string;
  readonly processes: number;
  readonly withoutLock: boolean;
}

export interface Crew {
  readonly kills: readonly Kill[];
  /** What went wrong with writers that nobody killed. */
  readonly failures: readonly string[];
  /** Resolves when every slot has a writer that runs. */
  ready(): Promise<void>;
  /** Sends SIGKILL to this writer, if it lives, else to whoever is in the slot. */
  kill(target: { readonly writer: string | undefined; readonly slot: number }): void;
  /** Lets every writer finish what it is doing. Those that do not within the limit are failures. */
  dismiss(limitMs: number): Promise<void>;
  /** At once, and without a word. */
  abandon(): void;
}

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

export function createCrew(options: CrewOptions): Crew {
  const slots: Life[] = [];
  const kills: Kill[] = [];
  const failures: string[] = [];
  let lives = 0;
  let dismissed = false;

  const start = (slot: number): void => {
    const life = startLife(options, `w${slot}-${++lives}`);
    slots[slot] = life;
    void life.ended.then((failure) => {
      if (failure !== undefined) failures.push(failure);
      else if (!dismissed) start(slot);
    });
  };
  for (let slot = 0; slot < options.processes; slot++) start(slot);

  const sendKill = (life: Life): void => {
    if (life.killed || !isRunning(life)) return;
    life.killed = true;
    kills.push({ writer: life.writer, at: Number(process.hrtime.bigint()) / 1e6 });
    life.child.kill("SIGKILL");
  };

  return {
    kills,
    failures,
    ready: async () => {
      await Promise.all(slots.map(({ started }) => started));
    },
    kill: ({ writer, slot }) => {
      const life = slots.find((candidate) => candidate.writer === writer) ?? slots[slot];
      if (life !== undefined) sendKill(life);
    },
    dismiss: async (limitMs) => {
      dismissed = true;
      // Not `disconnect()`: after it, Node 20 may never emit the "close" of the child.
      for (const { child } of slots) if (child.connected) child.send("stop", () => {});
      const all = Promise.all(slots.map(({ ended }) => ended));
      const limit = new Promise<"late">((resolve) => setTimeout(resolve, limitMs, "late").unref());
      if ((await Promise.race([all, limit])) !== "late") return;
      for (const { writer, child } of slots.filter(isRunning)) {
        failures.push(`writer ${writer} did not end within ${limitMs} ms`);
        child.kill("SIGKILL");
      }
      await all;
    },
    abandon: () => {
      dismissed = true;
      for (const { child } of slots.filter(isRunning)) child.kill("SIGKILL");
    },
  };
}

/** One life of a writer. */
interface Life {
  readonly writer: string;
  readonly child: ChildProcess;
  /** Resolves when it is about to begin; or ends before. */
  readonly started: Promise<unknown>;
  /** What is wrong with the end, if anything. */
  readonly ended: Promise<string | undefined>;
  killed: boolean;
}

function startLife({ directory, withoutLock }: CrewOptions, writer: string): Life {
  const child = fork(WORKER, [JSON.stringify({ directory, writer, withoutLock })], {
    // Without it the loaders of the demo itself would be started with each writer.
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let complaint = "";
  child.stderr?.on("data", (text: Buffer) => {
    complaint = `${complaint}${text.toString()}`.slice(-2_000);
  });
  const ended = new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(`writer ${writer} could not be started: ${error.message}`));
    child.once("close", (code, signal) => {
      const asExpected = life.killed ? signal === "SIGKILL" : code === 0;
      resolve(asExpected ? undefined : `writer ${writer} ended with ${signal ?? code}: ${complaint.trim()}`);
    });
  });
  const started = Promise.race([ended, new Promise((resolve) => child.once("message", resolve))]);
  const life: Life = { writer, child, started, ended, killed: false };
  return life;
}

const isRunning = ({ child }: Life): boolean => child.exitCode === null && child.signalCode === null;
