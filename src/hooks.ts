/** Calls what a user gave us to call: whatever it does, the lock goes on. */

import type { Timer } from "./clock.ts";
import type { CallerContext } from "./context.ts";
import { textOf } from "./errors.ts";
import { type AcquireOptions, ON_WAITING_EVERY_MS } from "./options.ts";
import type { Entry } from "./registry.ts";
import { describeWait } from "./waiting.ts";

/** Never rejects: what the hook throws, or rejects with, is a process warning. */
export async function callHook(
  { lockPath, services }: Entry,
  name: string,
  hook: () => unknown,
): Promise<void> {
  try {
    await hook();
  } catch (error) {
    services.warn(`${name} of session lock ${lockPath} failed: ${textOf(error)}`, "SWL_HOOK");
  }
}

export interface WaitingTeller {
  /** The wait has begun; again: nothing. */
  begin(): void;
  end(): void;
}

const SILENT: WaitingTeller = { begin: () => {}, end: () => {} };

/** Tells `onWaiting` what it waits for, in the context of whoever asked, and never inside a step of the protocol. */
export function createWaitingTeller(
  entry: Entry,
  { onWaiting }: AcquireOptions,
  startedAt: number,
  context: CallerContext,
): WaitingTeller {
  if (onWaiting === undefined) return SILENT;
  const { clock } = entry.services;
  let state: "before" | "waiting" | "over" = "before";
  let timer: Timer | undefined;
  const tell = (): void => {
    if (state === "over") return;
    timer = clock.setTimer(ON_WAITING_EVERY_MS, tell, "background");
    void callHook(entry, "onWaiting", () => onWaiting(describeWait(entry, startedAt)));
  };
  return {
    begin: () => {
      if (state !== "before") return;
      state = "waiting";
      context.run(() => queueMicrotask(tell));
    },
    end: () => {
      state = "over";
      timer?.cancel();
    },
  };
}
