/**
 * What happens to our own lock where an assumption is broken on purpose, or its watchdog revokes: pages of spec/findings/.
 * The "hole" is what OwnerDirectory.tla overrides.
 */

import type { Hole } from "./hole.ts";

const dropOnly =
  "With `Drop` alone only the owner loses that was wronged, and no third: " +
  "`MutualExclusionAmongInnocent` and `NeverTouchesAnInnocent` hold in " +
  "[SafeSuspectDrop](../../tla/SafeSuspectDrop.cfg), [SafeBreakDrop](../../tla/SafeBreakDrop.cfg) and " +
  "[SafeRemoveDrop](../../tla/SafeRemoveDrop.cfg). Every release and eviction is by a name that is used once.";
const noticed =
  "Whoever lost it is told: by `assertHeld()`, and by the warning `SWL_LOST` of its release. The losses are driven on the real lock " +
  "([scopes.ts](../../test/lockstep/scopes.ts), the scopes with suspected, broken and removed).";
const noPutBack =
  "To release by `Drop` always, at twice the price on ext4 ([decision 0002](../decisions/0002-release-by-putback-or-drop.md)). " +
  "`PutBack` is the only call that is not conditional by name, and here it moves the directory of another.";

export const ASSUMPTION_HOLES: readonly Hole[] = [
  {
    name: "MaxSuspicions",
    title: "A living owner that is taken for dead is evicted, and two hold",
    configuration: "BadSuspect",
    property: "MutualExclusion",
    story:
      "A1 is broken: somebody judges the living a dead, by a mistake that the rules of A1 are there to exclude. It evicts a, takes the " +
      "lock and holds. a does not know yet, and holds too.",
    closedBy:
      "Nothing but A1: a lock that can be taken from the dead can be taken from whoever is taken for dead.",
    whyOursIsNot: `${dropOnly}\n\n${noticed}`,
  },
  {
    name: "MaxSuspicions, Local",
    title:
      "With PutBack, an owner that is taken for dead while it releases moves the lock of the next one away",
    configuration: "BadSuspectPutBack",
    property: "MutualExclusionAmongInnocent",
    story:
      "a releases on a local disk. It has checked that L is its own, and before its PutBack b, by a mistake, evicts it, takes the lock and " +
      "holds. The PutBack of a moves the directory of b to the home of a. Before a can put it back, c takes the free L. Now b and c hold, " +
      "and nobody was wrong about either of them.",
    closedBy: noPutBack,
    whyOursIsNot: `The gap is between two synchronous calls of one turn, and a wrong verdict has to fall into it. a sees in \`Confirm\` what it has moved, puts it back at once if nobody took the place, and warns. ${dropOnly}`,
  },
  {
    name: "MaxBreaks, Local",
    title:
      "With PutBack, an owner that an operator breaks while it releases moves the lock of the next one away",
    configuration: "BadBreakPutBack",
    property: "MutualExclusionAmongInnocent",
    story:
      "The same gap, and no verdict is wrong: an operator breaks the lock of a, whose death cannot be proved, between Check and PutBack of a. " +
      "b takes the lock, and a moves it away; c takes the free L. b and c hold.",
    closedBy: noPutBack,
    whyOursIsNot: `Whoever breaks a lock is told so, and is refused if the owner is provably alive. ${dropOnly}`,
  },
  {
    name: "MaxBreaks, Local",
    title:
      "With PutBack, a Restore brings back the name of one who has released meanwhile, and nobody gets the lock",
    configuration: "BadBreakForgets",
    property: "NothingForgotten",
    story:
      "As before, the PutBack of a has moved the directory of b, which has just taken the free L. b verifies, finds nothing at L, and gives its home up. " +
      "Its name is not in its own home, and not at L: its debt is paid. Then a, which sees that what it moved is not its own, restores it. " +
      "L names b, which lives, holds nothing and owes nothing: everybody waits until b ends, or an operator breaks the lock.",
    closedBy: noPutBack,
    whyOursIsNot: `A lock that is held by nobody costs time, and two holders cost data: so a restores what it cannot judge. ${dropOnly}`,
  },
  {
    name: "MaxRemovals",
    title: "Somebody removes the lock while it is held, and two hold",
    configuration: "BadRemove",
    property: "MutualExclusion",
    story:
      "A2 is broken: somebody removes what stands at L, or the file in it. L is free, b takes it and holds. a does not know yet.",
    closedBy:
      "Nothing on a disk that lets others remove it. `assertHeld()` right before a write makes the time short in which it is not noticed.",
    whyOursIsNot: `${dropOnly}\n\n${noticed} With PutBack a removal between Check and PutBack is the gap of the pages before ([BadRemovePutBack](../../tla/BadRemovePutBack.cfg)).`,
  },
  {
    name: "Revokes",
    title: "A writer that ignores that its lock was revoked writes beside the next holder",
    configuration: "BadRevokedWriter",
    property: "WritersExclude",
    story:
      "With `revokeAfterMaxHold` the watchdog takes the lock of a1 away, because it is held for too long. The lock goes off the disk, and " +
      "b1 holds. a1 has not looked at its signal, and writes on.",
    closedBy:
      "Fencing, which a session file does not have. Without `revokeAfterMaxHold` nothing is taken away: that is the default.",
    whyOursIsNot:
      "Valid handles exclude each other all the same: `MutualExclusion` and `NoGhostHolder` hold in [SafeRevokes](../../tla/SafeRevokes.cfg). " +
      "The handle says so at once: `isHeld()` is false, `assertHeld()` throws, `signal` has aborted.",
  },
];
