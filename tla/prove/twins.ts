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
  JoinExclusive: { action: "Request", claim: "HoldersShare" },
  JoinWhileReleasing: { action: "Request", claim: "ContendHoldOrRelease" },
  ShareWithExclusive: { action: "Granted", claim: "HoldersShare" },
  HandOverToAll: { action: "Release", claim: "HoldersShare" },
  HoldWhileReleasing: { action: "Release", claim: "NoGhostHolder" },
  ReleaseOfAll: { action: "Release", claim: "ContendHoldOrRelease" },
  GoneStaysQueued: { action: "GiveUp", claim: "WhoGaveUpHoldsNothing" },
  GrantToGone: { action: "Granted", claim: "WhoGaveUpHoldsNothing" },
  ReleasedNeverPromotes: { action: "Released", claim: "NoIdleQueue" },
  RefusedNeverPromotes: { action: "Refused", claim: "NoIdleQueue" },
  RetriedNeverPromotes: { action: "Retried", claim: "NoIdleQueue" },
  PromoteWhileOwed: { action: "Released", claim: "ContendHoldOrRelease" },
  OweLockFirst: { action: "Judge", claim: "DebtsGoForward" },
  PayAfterOne: { action: "Retry", claim: "DebtsGoForward" },
  MissedOwesNothing: { action: "Released", claim: "NothingUntracked" },
  ReuseName: { action: "Prepare", claim: "HomeIsNotOwed" },
  DoubtIsRefusal: { action: "Take", claim: "NotTakenYet" },
  TakeReplaces: { action: "Take", claim: "HeldNameIsAtL" },
  DropByPath: { action: "Drop", claim: "HeldNameIsAtL" },
  RetryByPath: { action: "Retry", claim: "HeldNameIsAtL" },
  KeepIncarnation: { action: "Start", claim: "NothingUntracked" },
  NoCheck: { action: "Check", claim: "HeldNameIsAtL" },
  NoConfirm: { action: "Confirm", claim: "LeftIsLeft" },
  LifoQueue: null,
  ClearByForce: { action: "Clear", claim: "HeldNameIsAtL" },
  RetriedForgetsRelease: null,
  NoMaxDebts: null,
  OwnIsAnothers: null,
  NeverEvict: null,
  NoRestore: null,
  NoClear: null,
};

/** Without these every conjunct is kept, and why that is so. */
export const WITHOUT_ROW: Readonly<Partial<Record<ProvedGuard, string>>> = {
  LifoQueue: "any order of the queue is safe; Fifo is checked by TLC (G8)",
  RetriedForgetsRelease: "who waits for ever does nothing wrong: a deadlock is no step",
  NoMaxDebts: "the proof has as many names as one likes",
  OwnIsAnothers: "a home that is not recognised is given up, and what is given up is owed",
  NeverEvict: "who waits for the dead for ever does nothing wrong",
  NoRestore: "under A1 and A2 nothing of another ever comes back, and what is lost is owed",
  NoClear:
    "a contender that waits for ever beside an empty L does nothing wrong; SomeoneGetsIt is checked by TLC (G11)",
};

export const PROVED_GUARDS: readonly ProvedGuard[] = GUARDS.filter(
  (guard): guard is ProvedGuard => guard in TWINS,
);
