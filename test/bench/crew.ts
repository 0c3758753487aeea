/** The workers of the bench: real processes, each with one lock. */

import { type ChildProcess, fork, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Worker {
  /** @throws Error what the worker says; or that it has ended, or answers too late. */
  ask<Answer>(job: string, args: object): Promise<Answer>;
  /** SIGKILL. The moment before, in ms, by the clock of the workers. */
  kill(): number;
  /** As a peer may be in the middle of anything: it is killed. Resolves when it is gone. */
  end(): Promise<void>;
}

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));
/** Longer than the longest job, with whatever a peer takes to give up. */
const MOST_ANSWER_MS = 60_000;

interface Reply {
  readonly id: number;
  readonly result?: object;
  readonly error?: string;
}

interface Asked {
  resolve(result: object | undefined): void;
  reject(error: Error): void;
}

const alive = new Set<ChildProcess>();
// However the bench ends, its workers end with it.
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** Resolves when it is ready for jobs. */
export async function startWorker(lock: string, cwd: string): Promise<Worker> {
  const child = fork(WORKER, [lock], {
    // Without it the loaders of the bench itself would be started with each worker.
    execArgv: ["--expose-gc"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    serialization: "advanced",
    cwd,
  });
  alive.add(child);
  const asked = new Map<number, Asked>();
  let complaint = "";
  child.stderr?.on("data", (text: Buffer) => {
    complaint = `${complaint}${text.toString()}`.slice(-500);
  });
  const gone = new Promise<void>((resolve) => {
    child.once("close", (code, signal) => {
      alive.delete(child);
      const error = new Error(`its process ended with ${signal ?? code}: ${complaint.trim()}`);
      for (const { reject } of asked.values()) reject(error);
      asked.clear();
      resolve();
    });
  });
  child.on("message", ({ id, result, error }: Reply) => {
    const who = asked.get(id);
    asked.delete(id);
    if (error === undefined) who?.resolve(result);
    else who?.reject(new Error(error));
  });
  const answerTo = <Answer>(id: number): Promise<Answer> =>
    new Promise<Answer>((resolve, reject) => {
      const late = setTimeout(() => {
        asked.delete(id);
        reject(new Error(`no answer within ${MOST_ANSWER_MS / 1000} s`));
      }, MOST_ANSWER_MS);
      const settled =
        <Value>(settle: (value: Value) => void) =>
        (value: Value): void => {
          clearTimeout(late);
          settle(value);
        };
      asked.set(id, {
        resolve: settled((result) => resolve(result as Answer)),
        reject: settled((error: Error) => reject(error)),
      });
    });
  const end = (): Promise<void> => {
    child.kill("SIGKILL");
    return gone;
  };
  try {
    await answerTo(0);
  } catch (error) {
    await end();
    throw error;
  }
  let jobs = 0;
  return {
    ask: (job, args) => {
      const id = ++jobs;
      const answer = answerTo(id) as Promise<never>;
      child.send({ id, job, args });
      return answer;
    },
    kill: () => {
      const at = now();
      child.kill("SIGKILL");
      return at;
    },
    end,
  };
}

/** If the bench itself is killed, nobody ends them: longer than any round that wants them. */
const COUNTS = "for (const end = Date.now() + 20_000; Date.now() < end; );";

/** So many processes that do nothing but count. */
export function startBusy(count: number): { end(): void } {
  const busy = Array.from({ length: count }, () => {
    const child = spawn(process.execPath, ["-e", COUNTS], { stdio: "ignore" });
    alive.add(child);
    child.once("close", () => alive.delete(child));
    return child;
  });
  return {
    end: () => {
      for (const child of busy) child.kill("SIGKILL");
    },
  };
}

/** The clock of the workers. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;
