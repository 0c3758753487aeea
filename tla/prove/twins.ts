/** Which row fails when a guard is taken out. A proof that nothing can break proves nothing. */

import type { Guard } from "../../model/state.ts";

export interface Twin {
  readonly action: string;
  readonly claim: string;
}

export const TWINS: Readonly<Record<Guard, Twin | null>> = {
  EvictByPath: { action: "Evict", claim: "HeldNameIsAtL" },
  JudgeByHeldLocks: { action: "Judge", claim: "EvictsOnlyTheDead" },
  ContendWhileReleasing: { action: "Request", claim: "ContendHoldOrRelease" },
  NoVerify: { action: "Verify", claim: "HeldNameIsAtL" },
  LatePutBack: { action: "Crash", claim: "LateOnlyIfNotLocal" },
  PassSlotInFlight: { action: "GiveUp", claim: "ContenderContends" },
  NeverPromote: { action: "GiveUp", claim: "NoIdleQueue" },
  ForgetFailedRelease: { action: "Released", claim: "NothingUntracked" },
  HoldDroppedName: { action: "Request", claim: "LateUnlinkIsNobodys" },
  ForgetGivenUpHome: { action: "Judge", claim: "NothingUntracked" },
  KeepIdleHome: { action: "Refused", claim: "IdleHomeIsHarmless" },
  // The order of the queue is in no conjunct: any order is safe. Fifo is checked by TLC (G8).
  LifoQueue: null,
  // Safety alone lets a contender wait for ever beside an empty L. SomeoneGetsIt is checked by TLC (G11).
  NoClear: null,
  ClearByForce: { action: "Clear", claim: "HeldNameIsAtL" },
};
