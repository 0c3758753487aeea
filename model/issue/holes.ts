/**
 * The holes of IssueLock.tla as data: the pages of spec/findings/ are made of it. A story is told along the
 * shortest run that TLC and the explorer find for the hole's configuration. test/model/issue.test.ts checks
 * `openIn` for every hole, fix and setting, both ways: open where it says so, and nowhere else.
 */

import type { Hole } from "../hole.ts";
import type { Fix, Hole as HoleName } from "./state.ts";

/** One fix on one kind of platform: with start times (Linux) or without (macOS, Windows). */
export interface Cell {
  readonly fix: Fix;
  readonly startTime: boolean;
}

export interface IssueHole extends Hole {
  readonly name: HoleName;
  readonly openIn: readonly Cell[];
}

/** Whether a fix is enough, and where it is not. Markdown, as in {@link Hole}. */
export interface FixVerdict {
  readonly fix: Fix;
  /** As the issue calls it. */
  readonly title: string;
  readonly enough: boolean;
  readonly withoutStartTimes: string;
  readonly withStartTimes: string;
}

const cells = (fixes: readonly Fix[], startTimes: readonly boolean[]): readonly Cell[] =>
  fixes.flatMap((fix) => startTimes.map((startTime) => ({ fix, startTime })));

const ALL_FIXES: readonly Fix[] = ["none", "guardSet", "lateDelete"];
const EVERYWHERE = cells(ALL_FIXES, [true, false]);
const WITHOUT_START_TIME = cells(ALL_FIXES, [false]);
const LATE_DELETE = cells(["lateDelete"], [true, false]);

const A1 = "[A1](../assumptions.md#a1-nobody-judges-a-living-owner-dead)";
const G1 = "[G1](../guarantees.md#g1-mutual-exclusion)";
const G2 = "[G2](../guarantees.md#g2-who-holds-is-on-the-disk)";
const G3 = "[G3](../guarantees.md#g3-no-ghost-holder)";
const G4 = "[G4](../guarantees.md#g4-one-contender)";
const G6 = "[G6](../guarantees.md#g6-nothing-is-forgotten)";
const G7 = "[G7](../guarantees.md#g7-nobody-touches-the-lock-of-another)";
const G15 = "[G15](../guarantees.md#g15-nothing-is-deleted-that-is-not-proved-dead)";

/** What a design reviewer asks first. The numbers are in tla/models.json, `Issue*AsItIs`. */
export const FIX_VERDICTS: readonly FixVerdict[] = [
  {
    fix: "none",
    title: "No fix",
    enough: false,
    withoutStartTimes:
      "The scenario of the issue happens (OrphanWhileReleasing), and a shorter one that the issue does not tell: the lock of a task that has written it, but is not in HELD_LOCKS yet, is an orphan too (OrphanWhileTaking).",
    withStartTimes:
      "Exclusive tasks that nothing befalls exclude each other. One crash is enough for two holders (StaleByPath).",
  },
  {
    fix: "guardSet",
    title: "Fix A, guard set",
    enough: false,
    withoutStartTimes:
      "The scenario of the issue is closed as it is told, and open again with two releases in flight (GuardRemovedEarly). A verdict that rests on a read from before the release (OrphanByPath), a lock that is being taken (OrphanWhileTaking) and a worker thread with a HELD_LOCKS of its own (OrphanOfAnotherRegistry) are as before, without any crash.",
    withStartTimes:
      "A changes nothing: the orphan rule does not apply there. One crash is enough for two holders (StaleByPath).",
  },
  {
    fix: "lateDelete",
    title: "Fix B, late delete",
    enough: false,
    withoutStartTimes:
      "The scenario of the issue is closed, with several releases in flight too. OrphanByPath, OrphanWhileTaking and OrphanOfAnotherRegistry are as before, without any crash, and B adds holes of its own: LateDeleteHitsAnother, JoinWhileReleasing, ExitWhileReleasing.",
    withStartTimes:
      "B is worse than nothing: exclusive tasks that nothing befalls, and whom the algorithm of the issue served well, lose their entry in HELD_LOCKS, and their lock file stays, while their process lives, until somebody finds it older than staleMs (30 min) (LateDeleteHitsAnother). Holders who share lose the lock (JoinWhileReleasing). One crash is enough for two holders (StaleByPath).",
  },
];

export const ISSUE_HOLES: readonly IssueHole[] = [
  {
    name: "OrphanWhileReleasing",
    title: "A lock that is being released is taken for an orphan: the scenario of the issue",
    openIn: cells(["none"], [false]),
    configuration: "IssueOrphanWhileReleasing",
    property: "MutualExclusion",
    story:
      "a1 releases: its entry is out of HELD_LOCKS, its file still there. a2, of the same process, finds the file, its own pid in it, and no entry: an orphan. It removes the file of a1, creates its own and holds. The removal that a1 has sent removes the file of a2, and the next one who asks holds beside a2.",
    closedBy:
      "The orphan rule says no while a release of this process is in flight. Fix A does that for one release at a time, fix B for all of them.",
    whyOursIsNot: `There is no orphan rule, so nobody guesses whether a lock with the own pid is the own one, and nobody contends beside a release (${G4}; guards \`JudgeByHeldLocks\` and \`ContendWhileReleasing\`).`,
  },
  {
    name: "GuardRemovedEarly",
    title: "The release that ends first takes the guard away from the other one",
    openIn: cells(["guardSet"], [false]),
    configuration: "IssueGuardRemovedEarly",
    property: "MutualExclusion",
    story:
      "The file of a1 is removed, but the turn that says so has not run. a2 takes the free path, holds, and releases: RELEASING has the session already. Now the turn of a1 runs and deletes it, and the release of a2 is unguarded. What follows is the scenario of the issue, with fix A in place.",
    closedBy: "RELEASING counts the releases in flight: a number per session, not a Set.",
    whyOursIsNot: `RELEASING has one release, and nobody of the process contends until it is off the disk, so there is never a second one (${G4}; guard \`ContendWhileReleasing\`).`,
  },
  {
    name: "OrphanWhileTaking",
    title: "A lock that is written, but not yet in HELD_LOCKS, is taken for an orphan",
    openIn: WITHOUT_START_TIME,
    configuration: "IssueOrphanWhileTaking",
    property: "MutualExclusion",
    story:
      "a1 has created the file and written its payload; the turn that puts it into HELD_LOCKS is still to come. a2, of the same process, reads the payload: its own pid, no start time, no entry. It removes the file and takes the lock. The turn of a1 comes: two holders, and nobody has released or crashed. Neither fix is about this moment.",
    closedBy:
      "The orphan rule says no while a task of this process is between sending its open and its HELD_LOCKS.set.",
    whyOursIsNot: `There is no orphan rule, and a process has one contender: no task looks while another one takes (${G4}; guard \`JudgeByHeldLocks\`).`,
  },
  {
    name: "OrphanOfAnotherRegistry",
    title: "The lock of another worker thread of the same process is taken for an orphan",
    openIn: WITHOUT_START_TIME,
    configuration: "IssueOrphanOfAnotherRegistry",
    property: "MutualExclusion",
    story:
      "Two worker threads have one pid, and a heap each, so a HELD_LOCKS each. The issue calls HELD_LOCKS process-wide, and says nothing of threads. b1, in the other thread, reads the lock of a1: its own pid, no start time, no entry of its own. It removes the file of a holder, and both hold.",
    closedBy:
      "The payload names the HELD_LOCKS that its lock is in (a nonce), and the orphan rule applies only to the own one.",
    whyOursIsNot: `A name has thread and nonce besides the pid, and an owner with our pid that is not proved dead is \`unknown\`, which is never evicted (${A1}, ${G15}; guard \`JudgeByHeldLocks\`).`,
  },
  {
    name: "OrphanByPath",
    title: "A lock is read before its release and judged after it; then whatever stands there is removed",
    openIn: WITHOUT_START_TIME,
    configuration: "IssueOrphanByPath",
    property: "MutualExclusion",
    story:
      "a2 reads the lock of a1. Before a2 judges what it read, a1 releases, and the release ends: no entry, no guard, no file. b1, of another process, takes the lock. Now a2 judges what it read: its own pid, no entry, an orphan. It removes by path, which is the lock of b1, and the next one of its process holds beside b1. Nobody has crashed, and both fixes have done their work by then.",
    closedBy:
      "Nothing small: the removal must remove the file that was read and no other, in one step, and no system call does that for a file.",
    whyOursIsNot: `\`Evict\` unlinks a name in the lock, used once in the world, not a path: late or repeated it hits nobody (${G7}). And there is no orphan rule: a verdict is about the name that was seen, and a name of a living owner is never dead (${A1}). Here a2 would queue behind a1 and read nothing (${G4}); the one who reads too early is of another process.`,
  },
  {
    name: "StaleByPath",
    title: "Two find the same dead owner; the slower one removes the lock of the faster one",
    openIn: EVERYWHERE,
    configuration: "IssueStaleByPath",
    property: "MutualExclusion",
    story:
      "An owner dies. Two contenders, one of them the next life of its process, read its file and judge it dead, both rightly. The first one removes it, creates its own and holds. The second one's removal, by path, removes that, and it takes the lock too. Start times make the verdict better and the removal no safer. A file that is removed because of its age goes the same way.",
    closedBy:
      "Nothing small: the removal must remove the file that was judged and no other, in one step, and no system call does that for a file. Reading once more before the removal is a look and then an act again, and an inode number is no identity: ext4 gives that of a removed file to the next one (measured).",
    whyOursIsNot: `\`Evict\` unlinks the dead owner's name in the lock, so the second one finds nothing to unlink (${G7}; guard \`EvictByPath\`).`,
  },
  {
    name: "JoinWhileReleasing",
    title: "Fix B: a request joins an entry that is on its way out, and holds nothing",
    openIn: LATE_DELETE,
    configuration: "IssueJoinWhileReleasing",
    property: "HeldIsOnDisk",
    story:
      "a1 releases; with fix B its entry stays in HELD_LOCKS until the file is gone. a2 asks, finds the entry, and joins it: count += 1, and it holds. The removal of a1 removes the file under it, and the late delete removes the entry.",
    closedBy: "A request does not join an entry that has its releasePromise.",
    whyOursIsNot: `A release leaves HELD_LOCKS in its first turn, so there is nothing to join; whoever asks then queues until it is off the disk (${G2}, ${G3}).`,
  },
  {
    name: "LateDeleteHitsAnother",
    title: "Fix B: the late delete deletes the entry of the next holder",
    openIn: LATE_DELETE,
    configuration: "IssueLateDeleteHitsAnother",
    property: "NoGhostHolder",
    story:
      "The file of a1 is removed, but the turn that deletes its entry has not run. a2 takes the free path and puts its entry into HELD_LOCKS. The turn of a1 comes and deletes by key: the entry of a2. The watchdog does not see a2 any more, its release finds no entry and returns, and its file stays, while its process lives, until somebody finds it older than staleMs (30 min). Without start times it is an orphan at once, and a third one takes it.",
    closedBy: "The delete looks whether the entry is still the one that was released.",
    whyOursIsNot: `HELD_LOCKS is left before any disk call, and nobody of the process contends until \`Released\` (${G3}, ${G4}; guard \`ContendWhileReleasing\`).`,
  },
  {
    name: "JoinExclusive",
    title: "A task that may share joins a holder who does not share",
    openIn: EVERYWHERE,
    configuration: "IssueJoinExclusive",
    property: "MutualExclusion",
    story:
      "a1 holds, with allowReentrant off. a2 asks with allowReentrant on, which is the default: there is an entry, so it joins. Whether the holder wanted company is not asked.",
    closedBy: "A request joins only if every holder asked to share.",
    whyOursIsNot: `\`Request\` joins only holders who all asked to share, and the default is not to (${G1}).`,
  },
  {
    name: "ReleaseTwice",
    title: "One handle that is released twice gives back what another one holds",
    openIn: EVERYWHERE,
    configuration: "IssueReleaseTwice",
    property: "HeldIsOnDisk",
    story:
      "a1 and a2 share the lock, count 2. a1 releases, and releases again, as a finally block after an early release does. The count is 0, and the lock goes off the disk under a2. Handles of an exclusive lock are safe: the second release finds another entry, or none, or the releasePromise.",
    closedBy: "A handle knows that it is spent.",
    whyOursIsNot: `HELD_LOCKS has the tasks that hold, not their number, and \`Release\` of a handle happens once (${G3}).`,
  },
  {
    name: "ForgetFailedRemoval",
    title: "The removal of a release fails, and the lock is forgotten",
    openIn: EVERYWHERE,
    configuration: "IssueForgetFailedRemoval",
    property: "NothingForgotten",
    story:
      "a1 releases, and the removal fails (EBUSY, EPERM, EIO). The error is ignored: the file names a living process that does not hold and does not know about it, so everybody waits. With start times not even its own process can take it back before it is staleMs old.",
    closedBy: "The removal is tried until it has succeeded.",
    whyOursIsNot: `A release that failed stays in RELEASING, is owed, and is tried again (${G6}; guard \`ForgetFailedRelease\`).`,
  },
  {
    name: "UnwrittenIsStale",
    title: "A lock whose payload is not written yet is removed as stale",
    openIn: EVERYWHERE,
    configuration: "IssueUnwrittenIsStale",
    property: "MutualExclusion",
    story:
      "a1 has created the file and not yet written its payload when b1 reads: nothing, so the mtime decides. More than staleMs go by before b1 asks for it (its process is stopped, the machine sleeps); a1 has written by then, and holds. The mtime is old, b1 removes the file and takes the lock. It goes the same way if a1 is the one that is stopped, between open and write: it then writes to a file that has no name any more, and holds.",
    closedBy:
      "The file appears with its payload in it: it is written under another name, and linked to the lock path.",
    whyOursIsNot: `The lock appears by one rename with the owner's name in it; it is never seen half made, so there is no grace time (${G1}).`,
  },
  {
    name: "UnreadableIsStale",
    title: "A lock that could not be read is removed as stale",
    openIn: EVERYWHERE,
    configuration: "IssueUnreadableIsStale",
    property: "MutualExclusion",
    story:
      "a1 holds, for longer than staleMs. b1 cannot read the file (EMFILE, EACCES, EIO), which counts as a payload without pid and createdAt. The mtime is old, so the lock of a living holder is removed.",
    closedBy: "A read that fails says nothing about the lock: wait, and read again.",
    whyOursIsNot: `The verdict needs no content, only the name; what cannot be looked at is waited for (${A1}, ${G15}).`,
  },
  {
    name: "MtimeOfAnother",
    title: "The mtime that decides is that of another file than was read",
    openIn: EVERYWHERE,
    configuration: "IssueMtimeOfAnother",
    property: "MutualExclusion",
    story:
      "b1 is refused, and when it reads, the file has just been released: nothing. Before its stat its process is stopped for longer than staleMs; meanwhile a1 takes the lock and holds it. The stat is about the file of a1, which is old: b1 removes the lock of a living holder.",
    closedBy:
      "The mtime is that of the descriptor that was read (fstat); no file is no reason, but another try.",
    whyOursIsNot: `No verdict asks a path for its age, and no age is a reason (${A1}, ${G15}).`,
  },
  {
    name: "AgeIsDeath",
    title: "A living owner is removed because its lock is older than staleMs",
    openIn: EVERYWHERE,
    configuration: "IssueAgeIsDeath",
    property: "MutualExclusion",
    story:
      "a1 holds for longer than staleMs and writes on. b1 reads its payload, finds it too old although its owner runs, and removes it.",
    closedBy: "Age is no reason while the owner is not proved dead.",
    whyOursIsNot: `Only an owner that is proved dead is evicted, however old its lock is (${A1}, ${G15}).`,
  },
  {
    name: "WatchdogReleases",
    title: "The watchdog releases the lock of a holder who is not told",
    openIn: EVERYWHERE,
    configuration: "IssueWatchdogReleases",
    property: "MutualExclusion",
    story:
      "a1 holds for longer than maxHoldMs. The watchdog releases its lock. a1 is not told and writes on, and b1 takes the lock.",
    closedBy: "The watchdog tells the holder, and takes nothing away.",
    whyOursIsNot: `The watchdog only tells: \`signal\` aborts, the lock stays (${G3}).`,
  },
  {
    name: "ExitUnlocksHolder",
    title: "The exit hook unlocks a session file that is still being written",
    openIn: EVERYWHERE,
    configuration: "IssueExitUnlocksHolder",
    property: "MutualExclusion",
    story:
      "The process of a1 exits, or handles a signal. The hook removes the lock; what a1 has sent, its writes among it, runs until the process is gone. b1 takes the lock meanwhile.",
    closedBy: "The hook leaves the lock of a holder alone: its death is provable, and the takeover is fast.",
    whyOursIsNot: `A process dies holding: no exit hook and no signal handler releases a lock, and the next one evicts the dead (${G7}).`,
  },
  {
    name: "ExitWhileReleasing",
    title:
      "Fix B: the exit hook and a release in flight both remove; one of them removes the lock of another",
    openIn: LATE_DELETE,
    configuration: "IssueExitWhileReleasing",
    property: "MutualExclusion",
    story:
      "a1 releases; with fix B its entry stays in HELD_LOCKS. Its process exits: the hook removes the file for this entry, although the removal of the release is under way. Between the two b1 takes the lock, and the later one of them removes it.",
    closedBy: "The hook passes over entries that have their releasePromise.",
    whyOursIsNot: `No hook touches the lock, and a removal is by a name that is used once: twice is harmless (${G7}).`,
  },
  {
    name: "SweepOfNothing",
    title: "cleanStaleLockFiles removes a lock of which it read nothing",
    openIn: EVERYWHERE,
    configuration: "IssueSweepOfNothing",
    property: "MutualExclusion",
    story:
      "The sweep lists the lock of a1. Until it reads, a1 has released: nothing, so no pid, so stale, and the sweep knows no mtime rule. a1 takes the lock again, and the sweep removes it. A lock that is not written yet is removed as well.",
    closedBy: "The sweep passes over what it cannot read.",
    whyOursIsNot: `The sweep removes the homes of the dead, by name, and never touches the lock path (${G7}).`,
  },
  {
    name: "SweepByPath",
    title: "cleanStaleLockFiles removes another lock than it judged",
    openIn: EVERYWHERE,
    configuration: "IssueSweepByPath",
    property: "MutualExclusion",
    story:
      "The sweep reads the file of a dead owner and judges it dead, rightly. Before it removes it, another one has removed it, another sweep or a takeover, and the lock is taken. The sweep removes by path: the lock of the new holder.",
    closedBy:
      "Nothing small: the removal must remove the file that was judged and no other, in one step, and no system call does that for a file.",
    whyOursIsNot: `The sweep removes the homes of the dead, by name, and never touches the lock path (${G7}).`,
  },
];
