/**
 * Fairness to processes that poll. Who releases and asks again at once would have the lock again before any of them has
 * noticed that it is free: they wait for ever. So a process that has had the lock again and again stands
 * aside before it asks once more. To the specification that is a `Request` that comes later. Those who are told that the
 * lock was let go (src/watch.ts) hardly need it.
 */

import type { Clock, Timer } from "./clock.ts";
import { ASIDE_MS } from "./protocol.ts";
import { Queue } from "./queue.ts";

/**
 * How long a process may have a lock again and again, while others have no time to notice that it is free: so long a
 * wait nobody minds much, and standing aside once in it costs whoever is alone 2 %.
 */
export const MOST_STREAK_MS = 1_000;
/** More locks than one process uses in turn. */
const MOST_REMEMBERED = 1_000;

/** Like {@link Timer}: of somebody who stands aside. */
export interface Turns {
  /** The lock was taken from the disk; `contested` if somebody else had it meanwhile. */
  taken(lockPath: string, contested: boolean): void;
  /** It is off the disk: others may take it. */
  free(lockPath: string): void;
  /** Calls `ask` when it is our turn: in the order of the calls. Undefined if it is now, and then it does not. */
  standAside(lockPath: string, ask: () => void): Timer | undefined;
}

/** Of one lock. */
interface Streak {
  /** Since when others had no time to come in. */
  since: number;
  freeAt: number;
  readonly aside: Queue<() => void>;
  timer: Timer | undefined;
  /** The last wait of those who stood aside was over: a timer may be early by a millisecond. */
  stoodAside: boolean;
}

export function createTurns(clock: Clock): Turns {
  const streaks = new Map<string, Streak>();
  const streakOf = (lockPath: string): Streak => {
    let streak = streaks.get(lockPath);
    if (streak === undefined) {
      streak = {
        since: clock.now(),
        freeAt: -Infinity,
        aside: new Queue(),
        timer: undefined,
        stoodAside: false,
      };
      streaks.set(lockPath, streak);
      forgetOldest();
    }
    return streak;
  };
  const forgetOldest = (): void => {
    for (const [lockPath, { timer }] of streaks) {
      if (streaks.size <= MOST_REMEMBERED) return;
      if (timer === undefined) streaks.delete(lockPath);
    }
  };
  const isOver = ({ since, freeAt }: Streak): boolean => freeAt - since >= MOST_STREAK_MS;
  const askAll = (streak: Streak): void => {
    streak.timer = undefined;
    streak.stoodAside = true;
    // Whoever asks may have those behind leave.
    for (let ask = streak.aside.shift(); ask !== undefined; ask = streak.aside.shift()) ask();
  };
  return {
    taken: (lockPath, contested) => {
      const streak = streakOf(lockPath);
      const now = clock.now();
      const stoodAside = streak.stoodAside || now - streak.freeAt >= ASIDE_MS;
      streak.stoodAside = false;
      if (contested || stoodAside) streak.since = now;
    },
    free: (lockPath) => {
      streakOf(lockPath).freeAt = clock.now();
    },
    standAside: (lockPath, ask) => {
      const streak = streaks.get(lockPath);
      if (streak === undefined || !isOver(streak)) return undefined;
      const leftMs = streak.freeAt + ASIDE_MS - clock.now();
      if (leftMs <= 0 && streak.timer === undefined) return undefined;
      streak.aside.push(ask);
      streak.timer ??= clock.setTimer(leftMs, () => askAll(streak));
      const leave = (): void => {
        if (!streak.aside.delete(ask) || streak.aside.size > 0) return;
        streak.timer?.cancel();
        streak.timer = undefined;
      };
      return { cancel: leave };
    },
  };
}
