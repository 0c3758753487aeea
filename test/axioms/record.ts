/** Histories of real processes on a real file system, which is mounted in a namespace that ends with them. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Child, startChild } from "../process/support/child.ts";
import { type DiskCase, placeOf } from "../process/support/disks.ts";
import { seededRandom } from "../support/random.mjs";
import { type Layout, listingText, PATHS, type Standing, stateOf } from "./disk.ts";
import type { History } from "./history.ts";
import { PROCESSES, type Round, randomRound } from "./workload.ts";

/** Of ports.mjs: each breaks the axioms in one call. */
export const BROKEN_PORTS = [
  "rename in two steps",
  "rename by copy",
  "rename replaces",
  "unlink of whatever is there",
  "rmdir of everything",
  "stale listings",
] as const;
export type Port = "node" | (typeof BROKEN_PORTS)[number];

export interface Recording {
  readonly rounds: number;
  readonly seed: number;
  readonly port?: Port;
}

const BATCH = 250;
/** From one round to the next, before it is known how long they take here. */
const FIRST_PACE_NS = 1_000_000;
/** Until all processes have read their commands. */
const HEAD_START_NS = 30_000_000n;

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

/** Each history is given as soon as it is there. */
export async function record(
  disk: DiskCase,
  { rounds, seed, port = "node" }: Recording,
  use: (history: History, round: number) => void,
): Promise<void> {
  const scratch = fs.mkdtempSync(join(tmpdir(), "swl-axioms-"));
  const place = await placeOf(disk, scratch);
  const crew: Child[] = [];
  try {
    const directory = join(scratch, "disk", "rounds");
    const seen = join(`/proc/${place.keeper}/root`, directory);
    for (let process = 0; process < PROCESSES; process++) {
      const options = { prefix: place.enter, worker: { file: WORKER, options: { port } } };
      crew.push(await startChild({ who: `p${process + 1}`, sessionFile: directory, witness: "" }, options));
    }
    const random = seededRandom(seed);
    let paceNs = FIRST_PACE_NS;
    for (let done = 0; done < rounds; done += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, rounds - done) }, () =>
        randomRound(random, { removesCreated: disk.served !== true }),
      );
      const histories = await recordBatch(batch, crew, { directory, seen, paceNs });
      paceNs = paceOf(histories);
      histories.forEach((history, i) => {
        use(history, done + i);
      });
    }
  } finally {
    for (const child of crew) await child.leave();
    await place.close();
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

interface Ground {
  /** Of the rounds: as the processes see it, and as we see it from outside. */
  readonly directory: string;
  readonly seen: string;
  readonly paceNs: number;
}

async function recordBatch(
  batch: readonly Round[],
  crew: readonly Child[],
  { directory, seen, paceNs }: Ground,
): Promise<readonly History[]> {
  fs.mkdirSync(seen);
  batch.forEach(({ initial }, i) => {
    layOut(join(seen, String(i)), initial);
  });
  const startAt = String(process.hrtime.bigint() + HEAD_START_NS);
  const answers = await Promise.all(
    crew.map((child, process) =>
      child.ask("rounds", {
        startAt,
        everyNs: paceNs,
        rounds: batch.map(({ processes }, i) => ({
          directory: join(directory, String(i)),
          planned: processes[process],
        })),
      }),
    ),
  );
  const histories = batch.map((round, i) => {
    const timings = answers.map((answer) => (answer as unknown as Timings).rounds[i] ?? []);
    return historyOf(round, timings, lookAt(join(seen, String(i))));
  });
  await Promise.all(crew.map((child) => child.ask("leave")));
  // FUSE hears late that a file was closed, and hides what is removed before.
  fs.rmSync(seen, { recursive: true, maxRetries: 5 });
  return histories;
}

interface Timings {
  readonly rounds: readonly (readonly Timing[])[];
}

interface Timing {
  readonly reply: string;
  readonly begin: number;
  readonly end: number;
}

function historyOf(round: Round, timings: readonly (readonly Timing[])[], final: Layout): History {
  return {
    initial: stateOf(round.initial),
    processes: round.processes.map((planned, process) =>
      planned.map(({ call }, i) => {
        const timing = timings[process]?.[i];
        if (timing === undefined) throw new Error(`p${process + 1} did not make its call ${i + 1}`);
        // POSIX allows both for a directory that is not empty; xfs says EEXIST.
        const isAlike = timing.reply === "EEXIST" && (call.call === "rename" || call.call === "rmdir");
        return { ...timing, process, call, reply: isAlike ? "ENOTEMPTY" : timing.reply };
      }),
    ),
    final,
  };
}

/** So that most processes are ready when a round begins: half as much again as a process usually needs for one. */
function paceOf(histories: readonly History[]): number {
  const lengths = histories
    .flatMap(({ processes }) =>
      processes.map((events) => (events.at(-1)?.end ?? 0) - (events[0]?.begin ?? 0)),
    )
    .sort((one, other) => one - other);
  return Math.round(1.5 * (lengths[Math.floor(lengths.length / 2)] ?? FIRST_PACE_NS)) + 250_000;
}

// ------------------------------------------------------------------------------------------------
// The directory of a round

function layOut(directory: string, initial: Round["initial"]): void {
  fs.mkdirSync(directory);
  fs.mkdirSync(join(directory, "elsewhere"));
  for (const path of PATHS) {
    const at = join(directory, path);
    const standing = initial[path];
    if (standing === "file") fs.writeFileSync(at, "");
    else if (standing === "link") fs.symlinkSync("elsewhere", at);
    else if (standing !== "absent") {
      fs.mkdirSync(at);
      for (const name of standing.match(/n\d/g) ?? []) fs.writeFileSync(join(at, name), "");
    }
  }
}

function lookAt(directory: string): Layout {
  const standing = (path: string): Standing => {
    const at = join(directory, path);
    const found = fs.lstatSync(at, { throwIfNoEntry: false });
    if (found === undefined) return "absent";
    if (found.isSymbolicLink()) return "link";
    return found.isDirectory() ? listingText(fs.readdirSync(at)) : "file";
  };
  return {
    L: standing("L"),
    h1: standing("h1"),
    h2: standing("h2"),
    h3: standing("h3"),
    elsewhere: standing("elsewhere"),
  };
}
