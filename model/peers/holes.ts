/** The holes in how popular libraries take over a stale lock. */

import type { Hole } from "../hole.ts";

const byName =
  "Nothing is removed by path: `Evict` and `Drop` unlink a *name* that was used once, and hit nobody else " +
  "([what it rests on](../protocol.md#what-it-rests-on), [G7](../guarantees.md#g7-nobody-touches-the-lock-of-another)).";
const byProof =
  "There is no lease: an owner is evicted only if its death is proved, and death is for ever " +
  "([A1](../assumptions.md#a1-nobody-judges-a-living-owner-dead)). The price: an owner that cannot be judged is waited for.";
const moved =
  "A living owner's name is never moved: only its owner renames L away, and it looks again afterwards " +
  "([PutBack](../protocol.md#putback), [G2](../guarantees.md#g2-who-holds-is-on-the-disk)).";

/** `mkdir` and an mtime that the holder keeps fresh, as proper-lockfile does it. */
export const MKDIR_MTIME_HOLES: readonly Hole[] = [
  {
    name: "TakeoverByPath",
    title: "Two contenders find the same stale directory, and both get the lock",
    configuration: "MkdirMtimeTakeover",
    property: "MutualExclusion",
    story:
      "Process a dies holding. Processes b and c both find its directory stale. b removes it, makes its own " +
      "and holds. c, which has judged the *old* directory, removes by path: it removes the new one, makes " +
      "its own, and holds too. Nobody is slow, and every clock is right.",
    closedBy:
      "A removal that hits only the directory that was judged. rmdir(2) has no such form; a uniquely named file in the " +
      "directory gives it: remove the file by its name first, and rmdir fails for everybody else.",
    whyOursIsNot: byName,
  },
  {
    name: "OldLook",
    title: "A contender that is slow removes a directory that was stale when it looked, and is fresh by now",
    configuration: "MkdirMtimeOldLook",
    property: "MutualExclusion",
    story:
      "A contender stats the directory, and is held up before it judges (a busy event loop, a full disk). " +
      "The holder updates the mtime in time, as always. The contender goes on, compares the mtime of its " +
      "old look with the present time, finds it stale, and removes the lock of a holder that did nothing " +
      "wrong.",
    closedBy:
      "A removal that fails if the mtime has changed since the look. No file system has it: looking once more before the removal " +
      "only makes the gap shorter.",
    whyOursIsNot: byProof,
  },
  {
    name: "ReleaseByPath",
    title: "A release removes the directory of the next owner",
    configuration: "MkdirMtimeRelease",
    property: "PunctualExclusion",
    story:
      "A holder releases, and is stopped for longer than the lease before its rmdir takes effect. The lock " +
      "is taken over meanwhile, rightly. Then the rmdir goes by path: what it removes is the lock of the " +
      "new, punctual owner, and the next one to come holds beside it. A holder that was stopped before it " +
      "called release does the same: nothing is looked at in a release.",
    closedBy:
      "The same conditional removal in the release. A look before it is a check and then an act: the gap stays.",
    whyOursIsNot: byName,
  },
  {
    name: "TouchByPath",
    title: "An update of the mtime that comes late hits the next owner, who is told that its lock is lost",
    configuration: "MkdirMtimeTouch",
    property: "OnlyTheOverdueLose",
    story:
      "The timer has found the mtime to be its own, and sends utimes. The holder releases, the next one takes the lock, and only then " +
      "the utimes takes effect, on the directory of the next one. Its mtime is not the one that its owner set: it is told that its " +
      "lock is compromised. By default that is an exception that ends the process.",
    closedBy:
      "futimes(2) on a descriptor that was opened when the directory was made: a descriptor names the object, not the path. Or a " +
      "release that waits for the update.",
    whyOursIsNot:
      "Nothing is updated while the lock is held, and the identity is the owner's name, not a time " +
      "([the owner's name](../assumptions.md#the-owners-name)).",
  },
  {
    name: "UndoByPath",
    title: "An acquisition that has failed tidies up, and removes the lock of another",
    configuration: "MkdirMtimeUndo",
    property: "PunctualExclusion",
    story:
      "A process makes the directory, and is stopped before its first stat. The directory becomes stale and " +
      "is taken over. The stat comes between the removal and the mkdir of the takeover and finds nothing, " +
      "so the acquisition has failed, and what it may have left is removed, by path. By then the new owner " +
      "holds the lock.",
    closedBy: "To remove nothing there: what was made is gone.",
    whyOursIsNot:
      "What a failed acquisition leaves is given up by name: `unlink` of its own name, in its home and in L " +
      "([owed](../protocol.md#owed), [G6](../guarantees.md#g6-nothing-is-forgotten)).",
  },
  {
    name: "OwnClock",
    title: "A clock that is ahead makes every lock stale",
    configuration: "MkdirMtimeClock",
    property: "MutualExclusion",
    story:
      "The mtime is set by one machine (mkdir: the file server; utimes: the holder) and compared with the clock of another. A " +
      "contender whose clock is ahead by more than the lease takes over a lock that was made a moment ago.",
    closedBy:
      "To compare with the mtime of a file that the contender has just written to the same file system, and to let the " +
      "server set the time (utimes with UTIME_NOW).",
    whyOursIsNot: byProof,
  },
  {
    name: "inherent",
    title: "A holder that was stopped for too long goes on writing beside the next one",
    configuration: "MkdirMtimeSuspended",
    property: "MutualExclusion",
    story:
      "With every other hole closed: a holder is stopped (SIGSTOP, a sleeping laptop, a long garbage collection), the lease runs " +
      "out, another one takes the lock over. When the first one wakes up it holds, as far as it knows, until its timer looks.",
    closedBy:
      "Nothing that a lock can do: a lease ends without its holder. Only fencing helps, where the storage refuses the writes of an " +
      "earlier holder. With every hole closed and everybody in time, MkdirMtime excludes " +
      "([MkdirMtimeHolds](../../tla/MkdirMtimeHolds.cfg)); where holders may be late, at least those who are in time exclude each " +
      "other ([MkdirMtimeLease](../../tla/MkdirMtimeLease.cfg)).",
    whyOursIsNot: byProof,
  },
];

/** A stale lock file is renamed aside, and put back if it was not stale. */
export const RENAME_ASIDE_HOLES: readonly Hole[] = [
  {
    name: "MoveByPath",
    title: "While a living owner's file lies aside, somebody else takes the lock",
    configuration: "RenameAsideWindow",
    property: "MutualExclusion",
    story:
      "b reads the file of a. a releases and ends; c takes the lock. b judges the owner that it has *read*: " +
      "it is dead. It moves what is at the path, which is the file of c. It will notice, and put it back, " +
      "but for now nothing is at the path, and anybody may create a file.",
    closedBy:
      "Nothing smaller than a move that moves only what was judged; rename(2) moves what is there. With such a move everything " +
      "holds ([RenameAsideHolds](../../tla/RenameAsideHolds.cfg)).",
    whyOursIsNot: moved,
  },
  {
    name: "MoveByPath, after a second look",
    title: "A second look right before the move does not help",
    configuration: "RenameAsideRecheck",
    property: "MutualExclusion",
    story:
      "Process a dies holding. b and c judge its file, and both make their second look before the first of " +
      "them moves. b takes the lock over, c moves the file of b aside, and a third takes the lock.",
    closedBy: "As before: between a look and a call that goes by path there is always a gap, however short.",
    whyOursIsNot: moved,
  },
  {
    name: "PutBackByRename",
    title: "Putting back destroys the lock of a third",
    configuration: "RenameAsideClobber",
    property: "PutBackClobbersNobody",
    story:
      "While the file of a living owner lies aside, a third takes the lock. The mover notices that it has moved the wrong file and " +
      "renames it back: rename replaces the file of the third, who holds the lock without a file on the disk from now on.",
    closedBy:
      "link(2) instead of rename(2): it fails if anything is there ([RenameAsideLinkBack](../../tla/RenameAsideLinkBack.cfg)). Then the " +
      "*first* owner is the one without a file: the hole before this one stays.",
    whyOursIsNot:
      "Nothing is put over anything: `rename` of a directory fails unless the path is absent or an empty directory " +
      "([what it rests on](../protocol.md#what-it-rests-on)).",
  },
  {
    name: "PutBackAfterRelease",
    title: "A lock is put back that its owner has released meanwhile, and nobody will ever remove it",
    configuration: "RenameAsideForgotten",
    property: "NothingForgotten",
    story:
      "While its file lies aside, the owner releases. It finds nothing at the lock path, so there is nothing to remove. Then the " +
      "mover puts the file back. It names a living process, which does not know of it: everybody waits until that process ends.",
    closedBy:
      "Nothing short of the conditional move: the mover cannot know what the owner did meanwhile, and the owner not where its file is.",
    whyOursIsNot:
      "A name that did not leave the disk for certain stays owed, and is unlinked wherever it is " +
      "([owed](../protocol.md#owed), [G6](../guarantees.md#g6-nothing-is-forgotten)).",
  },
  {
    name: "CrashBeforePutBack",
    title: "The mover dies before it has put the file back",
    configuration: "RenameAsideStranded",
    property: "NobodyIsStranded",
    story:
      "A contender has moved the file of a living owner aside, and is killed before it could look at it. The file lies under a " +
      "unique name that nobody looks at. The owner holds without a lock on the disk, and anybody may take it.",
    closedBy: "Nothing short of the conditional move: two calls are never one.",
    whyOursIsNot: moved,
  },
  {
    name: "ReleaseByPath",
    title: "A release that has just seen its own file at the path removes the lock of another",
    configuration: "RenameAsideRelease",
    property: "ReleaseIsOwn",
    story:
      "A holder releases: it reads the lock file, finds it to be its own, and sends unlink. Before that takes effect a contender moves " +
      "the file aside and a third takes the lock. The unlink goes by path and removes the lock of the third.",
    closedBy:
      "Nothing in the release itself: check and act are two calls. It needs that a living owner's file is never moved.",
    whyOursIsNot: byName,
  },
];
