/**
 * Which test replays which hole, and what it shows: the tests of this folder are made from this list, and so is the
 * column "on a real disk" of spec/findings/. Sentences are titles of tests.
 */

import type { Hole } from "../../model/issue/state.ts";
import { MKDIR_MTIME_HOLES } from "../../model/peers/holes.ts";

/** After the shortest run: who says that he holds, and whose file stands at the lock path. */
interface End {
  readonly holders: readonly string[];
  readonly file: string | undefined;
}

export interface Replay extends End {
  readonly hole: Hole;
  /** The step of the same run that is not there any more once this hole is closed; `the end` has no violation then. */
  readonly closedAt: string;
  /** Where the same story is refused by our lock. */
  readonly refusal: string;
  /** What real processes do, of which one is stopped, or a task held, between two calls. */
  readonly processes: string;
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
    processes:
      "the turn of a1 takes the guard away from the release of a2; an orphan is taken, removed, and taken by b1",
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
    processes:
      "of two worker threads of one process the second one takes the lock of the first for an orphan",
  },
  {
    hole: "OrphanByPath",
    holders: ["a1", "b1"],
    file: "a1",
    closedAt: "Opened(a1)",
    refusal:
      "b1, with the pid of a1, looked before the release and judges after it: no name of a living owner is dead",
    processes: "a2 judges what it read before a1 released, and removes the lock of b1",
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
    processes: "a2 joins the entry of a1, whose removal takes the lock off the disk, and b1 writes beside a2",
  },
  {
    hole: "LateDeleteHitsAnother",
    holders: ["a2"],
    file: "a2",
    closedAt: "the end",
    refusal: "a2 is in HELD_LOCKS only after the release of a1 has ended, and stays there",
    processes: "the entry of a2 is deleted by the release of a1, and its file stays although nobody holds",
  },
  {
    hole: "JoinExclusive",
    holders: ["a1", "a2"],
    file: "a1",
    closedAt: "the end",
    refusal: "a2 queues: the holder did not ask to share",
    processes: "a2, which may share, writes beside a1, which does not",
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
    processes:
      "the removal meets a directory that is away for a moment, and the file stays although nobody holds",
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
    processes:
      "a contender without a free descriptor cannot read the lock of a living holder, and removes it",
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
    processes:
      "the exit hook removes for an entry that is on its way out: the lock of b1, and c1 writes beside it",
  },
  {
    hole: "SweepOfNothing",
    holders: ["a1", "b1"],
    file: "b1",
    closedAt: "Reclaim(b1)",
    refusal: "a sweep beside a held lock, or beside an empty directory at its path, leaves both alone",
    processes:
      "a sweep that is stopped before its read, and before its removal, removes a lock that it never saw",
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

/** Of the shortest runs of RenameAside: who says at the end that he holds, and whose file is at the lock path. */
export const RENAME_ASIDE_ENDS: readonly (End & { readonly configuration: string })[] = [
  { configuration: "RenameAsideWindow", holders: ["a", "c"], file: "a.2" },
  { configuration: "RenameAsideRecheck", holders: ["a", "b"], file: "a.2" },
  { configuration: "RenameAsideClobber", holders: ["a", "c"], file: "c.1" },
  { configuration: "RenameAsideForgotten", holders: [], file: "c.1" },
  { configuration: "RenameAsideStranded", holders: ["c"], file: undefined },
  { configuration: "RenameAsideRelease", holders: ["a"], file: undefined },
];

/** Where the stories are told to our lock. */
export const REFUSED_IN = "issueRefused.test.ts";

/** The test files of this folder that replay holes: what a page calls that, and the title of each hole's test. */
export const REPLAY_FILES: Readonly<Record<string, ReplayFile>> = {
  "issueOnDisk.test.ts": { what: "step by step", title: ofIssue(endOf) },
  "issueInProcesses.test.ts": { what: "in processes", title: ofIssue(({ processes }) => processes) },
  [REFUSED_IN]: { what: "refused", title: ofIssue(({ refusal }) => refusal) },
  "properLockfile.test.ts": {
    what: "the real proper-lockfile",
    title: (configuration) => MKDIR_MTIME_HOLES.find((hole) => hole.configuration === configuration)?.title,
  },
  "renameAside.test.ts": {
    what: "step by step",
    title: (configuration) => {
      const end = RENAME_ASIDE_ENDS.find((candidate) => candidate.configuration === configuration);
      return end === undefined ? undefined : endOf(end);
    },
  },
};

interface ReplayFile {
  readonly what: string;
  /** Of the test for the hole with this configuration, without its name; undefined if there is none. */
  readonly title: (configuration: string) => string | undefined;
}

function ofIssue(title: (replay: Replay) => string): ReplayFile["title"] {
  return (configuration) => {
    const replay = REPLAYS.find(({ hole }) => `Issue${hole}` === configuration);
    return replay === undefined ? undefined : title(replay);
  };
}

/** What the directory and the callers say at the end of the run. */
function endOf({ holders, file }: End): string {
  const who = holders.join(" and ");
  const hold = who === "" ? "nobody holds" : `${who} ${holders.length > 1 ? "hold" : "holds"}`;
  return `${hold}, and ${file === undefined ? "nothing" : `the file of ${file}`} is at the lock path`;
}

/** The test of this file that replays the hole with this configuration, as vitest prints it. */
export function titleIn(file: string, configuration: string): string | undefined {
  const title = REPLAY_FILES[file]?.title(configuration);
  return title === undefined ? undefined : `${configuration}: ${title}`;
}
