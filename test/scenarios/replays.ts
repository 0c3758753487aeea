/**
 * Which test replays which hole, and what it shows: the tests of this folder are made from this list, and so is the
 * column "on a real disk" of spec/findings/. Sentences are titles of tests.
 */

import type { Hole } from "../../model/issue/state.ts";

export interface Replay {
  readonly hole: Hole;
  /** Who says, after the shortest run, that he holds, and whose file stands at the lock path then. */
  readonly holders: readonly string[];
  readonly file: string | undefined;
  /** The step of the same run that is not there any more once this hole is closed; `the end` has no violation then. */
  readonly closedAt: string;
  /** Where the same story is refused by our lock. */
  readonly refusal: string;
  /** What real processes do, where stopped processes can provoke it. */
  readonly processes?: string;
}

export const REPLAYS: readonly Replay[] = [
  {
    hole: "OrphanWhileReleasing",
    holders: ["a1", "a2"],
    file: "a1",
    closedAt: "Reclaim(a2)",
    refusal: "a2 queues, since RELEASING has the lock, and does not look at the disk",
    processes:
      "a slow close of a1 lets a2 take the lock, the removal of a1 takes it away, and b1 writes beside a2",
  },
  {
    hole: "GuardRemovedEarly",
    holders: ["a1", "a2"],
    file: "a2",
    closedAt: "Reclaim(a1)",
    refusal: "a2 queues until the turn of the Drop of a1: there is never a second release in flight",
  },
  {
    hole: "OrphanWhileTaking",
    holders: ["a1", "a2"],
    file: "a2",
    closedAt: "Reclaim(a2)",
    refusal: "a2 queues behind the one contender, and does not look at what a1 has taken",
    processes: "the turn of a1 comes after a2 took its lock for an orphan: both hold",
  },
  {
    hole: "OrphanOfAnotherRegistry",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Reclaim(b1)",
    refusal: "b1 waits at Judge: an owner with the own pid and another nonce is not proved dead",
  },
  {
    hole: "OrphanByPath",
    holders: ["a1", "b1"],
    file: "a1",
    closedAt: "Opened(a1)",
    refusal: "a2 queues behind its holder, so it has read nothing that can be judged too late",
  },
  {
    hole: "StaleByPath",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Opened(b1)",
    refusal: "the Evict of the slower one hits only the name of the dead: ENOENT",
    processes: "a contender that is stopped before its removal removes the lock of the one that was faster",
  },
  {
    hole: "JoinWhileReleasing",
    holders: ["a2"],
    file: undefined,
    closedAt: "the end",
    refusal: "a2 queues, although it may share: HELD_LOCKS has nothing to join",
  },
  {
    hole: "LateDeleteHitsAnother",
    holders: ["a2"],
    file: "a2",
    closedAt: "the end",
    refusal: "a2 is in HELD_LOCKS only after the release of a1 has ended, and stays there",
  },
  {
    hole: "JoinExclusive",
    holders: ["a1", "a2"],
    file: "a1",
    closedAt: "the end",
    refusal: "a2 queues: the holder did not ask to share",
  },
  {
    hole: "ReleaseTwice",
    holders: ["a2"],
    file: undefined,
    closedAt: "ReleaseAgain(a1)",
    refusal: "a second release is the same promise, and the other holder keeps the lock",
    processes: "a handle that is released twice unlocks a2, which shares it, and b1 writes beside a2",
  },
  {
    hole: "ForgetFailedRemoval",
    holders: [],
    file: "a1",
    closedAt: "the end",
    refusal: "the release that failed is owed, and the Retry takes the name off the disk",
  },
  {
    hole: "UnwrittenIsStale",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Stat(b1)",
    refusal: "b1 waits at Judge: from its first moment the lock has the name of a1 in it",
    processes:
      "a holder that is stopped between open and write holds beside the one who took its lock for stale",
  },
  {
    hole: "UnreadableIsStale",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Stat(b1)",
    refusal: "b1 waits at Judge: the verdict needs the name of a1, not the content of a file",
  },
  {
    hole: "MtimeOfAnother",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Stat(b1)",
    refusal: "b1 has seen nothing, so it tries to take again, and is refused",
    processes:
      "a contender that is stopped after it read nothing asks for the mtime of the next holder, and removes its lock",
  },
  {
    hole: "AgeIsDeath",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Reclaim(b1)",
    refusal: "b1 waits at Judge: a1 runs, however old its lock is",
    processes: "a lock that is older than staleMs is removed while its owner writes",
  },
  {
    hole: "WatchdogReleases",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Expire(a)",
    refusal: "an overdue holder is told, and the lock stays its own",
    processes: "the watchdog releases a lock, its holder is not told, and both write",
  },
  {
    hole: "ExitUnlocksHolder",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "ExitHook(a)",
    refusal: "the exit hook leaves a held lock alone, until its owner is dead",
    processes:
      "a later exit hook writes its line after the lock was removed, into the line of the next holder",
  },
  {
    hole: "ExitWhileReleasing",
    holders: ["a1", "b1"],
    file: "a1",
    closedAt: "ExitHook(a)",
    refusal: "a Drop that runs after the death of its process hits only its own name: ENOENT",
  },
  {
    hole: "SweepOfNothing",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Reclaim(b1)",
    refusal: "a sweep never touches the lock path, whatever it saw there",
  },
  {
    hole: "SweepByPath",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Opened(b1)",
    refusal: "a sweep leaves the lock of a dead owner to the next acquire, and that of a living one too",
    processes: "a sweep that is stopped before its removal removes the lock of the next holder",
  },
];

/** Where the stories are told to our lock. */
export const REFUSED_IN = "issueRefused.test.ts";

/** The test files of this folder that replay holes: what a page calls that, and the title of each hole's test. */
export const REPLAY_FILES: Readonly<
  Record<string, { readonly what: string; readonly title: (replay: Replay) => string | undefined }>
> = {
  "issueOnDisk.test.ts": { what: "step by step", title: endOf },
  "issueInProcesses.test.ts": { what: "in processes", title: ({ processes }) => processes },
  [REFUSED_IN]: { what: "refused", title: ({ refusal }) => refusal },
};

/** What the directory and the callers say at the end of the run. */
function endOf({ holders, file }: Replay): string {
  const who = holders.join(" and ");
  const hold = who === "" ? "nobody holds" : `${who} ${holders.length > 1 ? "hold" : "holds"}`;
  return `${hold}, and ${file === undefined ? "nothing" : `the file of ${file}`} is at the lock path`;
}

/** The test of this file that replays the hole, as vitest prints it. */
export function titleIn(file: string, hole: string): string | undefined {
  const replay = REPLAYS.find((candidate) => candidate.hole === hole);
  const title = replay === undefined ? undefined : REPLAY_FILES[file]?.title(replay);
  return title === undefined ? undefined : `${hole}: ${title}`;
}
