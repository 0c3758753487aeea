/**
 * The watchdog of a handle: a lock that is held for longer than `maxHoldMs` is overdue. Its holder is told; and if it
 * asked for that, the lock is taken away from it (`Expire` of spec/protocol.md).
 */

import type { Timer } from "./clock.ts";
import { SessionWriteLockError } from "./errors.ts";
import { expire } from "./protocol.ts";
import type { Attempt, Entry } from "./registry.ts";

export interface WatchdogOptions {
  readonly maxHoldMs: number;
  readonly revokeAfterMaxHold: boolean;
}

/**
 * Watches one holder until its time is over, or until the timer is cancelled. `tell` gets what the holder is told:
 * `EOVERDUE` while it still holds, `ECOMPROMISED` if it does not any more.
 */
export function watchHolder(
  entry: Entry,
  attempt: Attempt,
  options: WatchdogOptions,
  tell: (error: SessionWriteLockError) => void,
): Timer {
  const { sessionFile, lockPath, services } = entry;
  const { maxHoldMs, revokeAfterMaxHold } = options;
  const bark = (): void => {
    const overdue = `session lock ${lockPath} is held for longer than ${maxHoldMs} ms by ${holderOf(attempt)}`;
    const message = revokeAfterMaxHold ? `${overdue}: it is taken away` : overdue;
    services.warn(message, "SWL_OVERDUE");
    // First taken away, then told: whoever is told asks the handle.
    if (revokeAfterMaxHold) expire(entry, attempt, warnIfOwed(entry));
    const code = revokeAfterMaxHold ? "ECOMPROMISED" : "EOVERDUE";
    tell(new SessionWriteLockError(message, { code, sessionFile, lockPath }));
  };
  // Unref'd: a lock that is held keeps no process alive.
  return services.clock.setTimer(maxHoldMs, bark, "background");
}

function holderOf({ metadata }: Attempt): string {
  const shown = metadata === undefined || metadata === "" ? "" : `, ${metadata}`;
  return `pid ${process.pid}${shown}`;
}

/** Nobody waits for this release. It is tried again, as any other. */
const warnIfOwed =
  ({ services }: Entry) =>
  (error: Error | undefined): void => {
    if (error !== undefined) services.warn(error.message, "SWL_RELEASE");
  };
