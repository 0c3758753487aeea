/** One disk: its histories, each explained by the axioms or not, and what they say of stricter axioms. */

import type { DiskCase } from "../process/support/disks.ts";
import { AXIOMS, type Disk, diskOf, type Grain } from "./disk.ts";
import { diagram, type History, overlappingPairs, timeline } from "./history.ts";
import { linearize } from "./linearize.ts";
import { type Port, type Recording, record } from "./record.ts";

/** Each says one thing more than the protocol needs. A history that it cannot explain shows that it is not so. */
export const STRICTER: Readonly<Record<string, Grain>> = {
  "create and unlink in a directory are one moment": { ...AXIOMS, changes: "one moment" },
  "a listing is one moment": { ...AXIOMS, lists: "one moment" },
  "a listing is one moment of one object": { ...AXIOMS, lists: "one object" },
  "an empty directory is never listed as absent": { ...AXIOMS, empty: "empty" },
};

export interface Examined {
  readonly disk: string;
  readonly port: Port;
  readonly seed: number;
  readonly histories: number;
  readonly calls: number;
  /** Pairs of calls of different processes that overlapped: without any, nothing is shown. */
  readonly overlapping: number;
  /** Histories that the axioms do not explain. */
  readonly unexplained: number;
  /** The first of those, for people. */
  readonly example?: string;
  /** By stricter axiom: how many histories it cannot explain. */
  readonly refutes: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** Fewer are no evidence. Measured on two cores: 0.4 pairs for each history at a load of 14, up to 17 on FUSE. */
const FEWEST_PAIRS_PER_HISTORY = 0.02;

/** What is wrong with a result, in words for people; undefined if nothing is. */
export function problemOf(result: Examined): string | undefined {
  const { disk, port, seed, histories, overlapping, unexplained, example } = result;
  if (unexplained > 0) {
    return `${unexplained} of ${histories} histories on ${disk} (port ${port}, seed ${seed}) are not explained by the axioms. The first:\n${example}`;
  }
  if (overlapping < FEWEST_PAIRS_PER_HISTORY * histories) {
    return `Only ${overlapping} pairs of calls overlapped in ${histories} histories on ${disk}: that shows nothing. Is the machine too busy?`;
  }
  return undefined;
}

export async function examine(disk: DiskCase, recording: Recording): Promise<Examined> {
  const started = performance.now();
  const counts = { histories: 0, calls: 0, overlapping: 0, unexplained: 0 };
  const refutes = Object.fromEntries(Object.keys(STRICTER).map((name) => [name, 0]));
  let example: string | undefined;
  await record(disk, recording, (history, round) => {
    counts.histories++;
    counts.calls += history.processes.flat().length;
    counts.overlapping += overlappingPairs(history);
    const verdict = linearize(history, diskOf(AXIOMS));
    if (!verdict.linearizable) {
      counts.unexplained++;
      example ??= story(history, round, verdict.stuck);
      return;
    }
    for (const [name, grain] of Object.entries(STRICTER)) {
      if (!isExplained(history, diskOf(grain))) refutes[name] = (refutes[name] ?? 0) + 1;
    }
  });
  return {
    disk: disk.type,
    port: recording.port ?? "node",
    seed: recording.seed,
    ...counts,
    ...(example === undefined ? {} : { example }),
    refutes,
    seconds: (performance.now() - started) / 1000,
  };
}

export const isExplained = (history: History, disk: Disk): boolean => linearize(history, disk).linearizable;

function story(history: History, round: number, stuck: string): string {
  return [`round ${round}`, timeline(history), `no order goes further than: ${stuck}`, diagram(history)].join(
    "\n",
  );
}
