/** The frame of every measure: one state for each lock, and rounds in which all locks take turns. */

import fs from "node:fs";
import { join } from "node:path";
import type { Book } from "./book.ts";
import { startWorker, type Worker } from "./crew.ts";
import type { LockInfo } from "./locks.ts";
import { shuffled } from "./statistics.ts";

export interface Bench {
  readonly locks: readonly LockInfo[];
  readonly rounds: number;
  /** Short, to see that it works. */
  readonly quick: boolean;
  readonly random: () => number;
  readonly book: Book;
  /** Where the measures make their directories. */
  readonly directory: string;
  /** For the progress line. */
  say(detail: string): void;
}

/** A number of a table: what is shown of a metric, over all rounds or samples. */
export interface Column {
  readonly title: string;
  readonly metric: string;
  readonly of: (values: readonly number[]) => number;
}

export interface Measure {
  readonly name: string;
  /** A heading. */
  readonly title: string;
  /** How it is measured: part of the result. */
  readonly how: string;
  readonly columns: readonly Column[];
  /** Whether the first column is a time, or a rate. */
  readonly better: "lower" | "higher";
  takes(lock: LockInfo): boolean;
  run(bench: Bench): Promise<void>;
}

/** A lock in a measure: its workers, and its directory, in which is one session file. */
export interface Place {
  readonly lock: LockInfo;
  readonly workers: readonly Worker[];
  readonly directory: string;
  readonly file: string;
}

/** A variant of a measure, of one lock in one round. */
export interface Turn {
  readonly name: string;
  /** What it throws is a failure of the lock, which takes no part from there on. `warm`: nothing is to be written down. */
  run(place: Place, warm: boolean): Promise<void>;
}

/**
 * All locks take turns in each round, in an order of its own: so what else the machine does, or how warm it is, hits
 * them alike. Before the first round, one that only warms up.
 */
export async function inRounds(
  bench: Bench,
  measure: Pick<Measure, "name" | "takes">,
  { workers, rounds = bench.rounds }: { readonly workers: number; readonly rounds?: number },
  turns: readonly Turn[],
): Promise<void> {
  const places: Place[] = [];
  const fail = (lock: LockInfo, variant: string, error: unknown): void =>
    bench.book.fail({ measure: measure.name, variant, lock: lock.name }, reasonOf(error, bench.directory));
  try {
    for (const lock of bench.locks.filter((lock) => measure.takes(lock))) {
      try {
        places.push(await openPlace(bench, measure.name, lock, workers));
      } catch (error) {
        fail(lock, turns[0]?.name ?? "", error);
      }
    }
    const out = new Set<Place>();
    for (let round = 0; round <= rounds; round++) {
      for (const turn of turns) {
        for (const place of shuffled(places, bench.random)) {
          if (out.has(place)) continue;
          bench.say(
            `${round === 0 ? "warming up" : `round ${round} of ${rounds}`}: ${turn.name}, ${place.lock.name}`,
          );
          try {
            await turn.run(place, round === 0);
          } catch (error) {
            out.add(place);
            fail(place.lock, turn.name, error);
          }
        }
      }
    }
  } finally {
    await Promise.all(places.flatMap((place) => place.workers.map((worker) => worker.end())));
    for (const { directory } of places) removeDirectory(directory);
  }
}

/** Without the path of a directory that is gone by the time somebody reads it. */
function reasonOf(error: unknown, directory: string): string {
  return (error as Error).message.replaceAll(/'[^' ]*\/([^'/]+)'/g, "'$1'").replaceAll(directory, ".");
}

async function openPlace(bench: Bench, measure: string, lock: LockInfo, workers: number): Promise<Place> {
  const directory = fs.mkdtempSync(join(bench.directory, `${measure}-${lock.name}-`));
  const started = await Promise.allSettled(
    Array.from({ length: workers }, () => startWorker(lock.name, directory)),
  );
  const failed = started.find((one) => one.status === "rejected");
  const ready = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  if (failed !== undefined) {
    await Promise.all(ready.map((worker) => worker.end()));
    removeDirectory(directory);
    throw failed.reason as Error;
  }
  return { lock, workers: ready, directory, file: sessionFile(directory, "a") };
}

/** A new one. All peers want it to exist. */
export function sessionFile(directory: string, name: string): string {
  const file = join(directory, `${name}.jsonl`);
  fs.writeFileSync(file, "");
  return file;
}

/** Tried again: a worker that was just killed may be in its last system call. */
function removeDirectory(directory: string): void {
  fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

export function first(workers: readonly Worker[]): Worker {
  const [worker] = workers;
  if (worker === undefined) throw new Error("there is no worker");
  return worker;
}
