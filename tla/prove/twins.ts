/** Which row fails when a guard is taken out. A proof that nothing can break proves nothing. */

import type { ActionName } from "../../model/actions.ts";
import { GUARDS, type Guard } from "../../model/state.ts";

/**
 * Guests are not in the proof. Where nobody has one, their actions make no step (the comparison with the model looks
 * for such steps too), and their guards change nothing that is proved.
 */
export type ProvedAction = Exclude<
  ActionName,
  "LetGo" | "Expire" | "GuestEnds" | "Suspect" | "Break" | "Remove"
>;
export type ProvedGuard = Exclude<
  Guard,
  | "GuestNotInHome"
  | "VerifyAnyNames"
  | "EvictTheLiving"
  | "LetGoEarly"
  | "ReleaseUnderGuest"
  | "EndOfPipeIsGo"
>;

export interface Twin {
  readonly action: string;
  readonly claim: string;
}

export const TWINS: Readonly<Record<ProvedGuard, Twin | null>> = {
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

export const PROVED_GUARDS: readonly ProvedGuard[] = GUARDS.filter(
  (guard): guard is ProvedGuard => guard in TWINS,
);
