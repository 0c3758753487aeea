/**
 * Whose turn it is, between processes. Beside those who wait in the line (src/line.ts) a process has its turn, and calls the
 * first of them. And fairness to processes that poll: who releases and asks again at once would have the lock again before any of them has
 * noticed that it is free: they wait for ever. So a process that has had the lock again and again stands
 * aside before it asks once more. To the specification that is a `Request` that comes later. Those who are told that the
 * lock was let go (src/watch.ts) hardly need it.
 */

import { AsyncResource } from "node:async_hooks";
import type { Clock, Timer } from "./clock.ts";
import type { Line } from "./line.ts";
import { ASIDE_MS, IN_LINE_MS } from "./protocol.ts";
import { Queue } from "./queue.ts";
import { afterEvents } from "./watch.ts";

/**
 * How long a process may have a lock again and again, while others have no time to notice that it is free: so long a
 * wait nobody minds much, and standing aside once in it costs whoever is alone 2 %.
 */
export const MOST_STREAK_MS = 1_000;
/**
 * How long a process has a lock again and again, before it calls the first of the line: with four processes, each waits for the
 * turns of three others.
 */
export const TURN_MS = 2.5;
/** So soon after it has called somebody a process does not come before him. */
export const COME_MS = 3;
/** More locks than one process uses in turn. */
const MOST_REMEMBERED = 1_000;

/** Like {@link Timer}: of somebody who stands aside. */
export interface Turns {
  /** The lock was taken from the disk; `contested` if somebody else had it meanwhile. */
  taken(lockPath: string, contested: boolean): void;
  /** It is off the disk: others may take it. Whether the first of the line was called: there is one on local disks. */
  free(lockPath: string, isLocal: boolean): boolean;
  /**
   * Calls `ask` when it is our turn: in the order of the calls. Undefined if it is now, and then it does not.
   * `owner`: the name of the home, if there is one, for a place in the line.
   */
  standAside(lockPath: string, owner: string | undefined, ask: () => void): Timer | undefined;
  /** This process ends: whoever stands aside leaves. */
  stop(lockPath: string): void;
}

/** Of one lock. */
interface Streak {
  /** Since when others had no time to come in. */
  since: number;
  /** Since when this process has its turn. */
  turnAt: number;
  freeAt: number;
  /** When it has called the first of the line. */
  calledAt: number;
  isTaken: boolean;
  /** Whether it will be looked at when this turn of the event loop is over. */
  isWatched: boolean;
  readonly aside: Queue<() => void>;
  timer: Timer | undefined;
  /** The last wait of those who stood aside was over: a timer may be early by a millisecond. */
  stoodAside: boolean;
}

export interface TurnsParams {
  readonly clock: Clock;
  readonly line?: Line;
  /** Calls back after the events of this turn of the event loop. */
  readonly afterTurn?: (callback: () => void) => void;
}

export function createTurns({ clock, line, afterTurn = afterEvents }: TurnsParams): Turns {
  const streaks = new Map<string, Streak>();
  const streakOf = (lockPath: string): Streak => {
    let streak = streaks.get(lockPath);
    if (streak === undefined) {
      streak = {
        since: clock.now(),
        turnAt: clock.now(),
        freeAt: -Infinity,
        calledAt: -Infinity,
        isTaken: false,
        isWatched: false,
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
  const callFirst = (lockPath: string, streak: Streak): boolean => {
    if (line?.callFirst(lockPath) !== true) return false;
    streak.calledAt = clock.now();
    return true;
  };
  /** Whoever has let go of it, and does not ask again in this turn of the event loop, calls somebody too. */
  const lookLater = (lockPath: string, streak: Streak): void => {
    if (streak.isWatched) return;
    streak.isWatched = true;
    context.runInAsyncScope(afterTurn, undefined, () => {
      streak.isWatched = false;
      // Who stands aside has called somebody already, and the next one may be itself.
      if (!streak.isTaken && streak.timer === undefined) callFirst(lockPath, streak);
    });
  };
  /** Behind whom it has called: in the line; or, where it can have no place there, until he will have come. */
  const standBehind = (lockPath: string, owner: string | undefined, streak: Streak): Timer => {
    const stop = (): boolean => {
      timer.cancel();
      return place?.stop() === true;
    };
    const come = (): void => {
      stop();
      askAll(streak);
    };
    const place = owner === undefined ? undefined : line?.join(lockPath, { owner, since: Date.now() }, come);
    const timer = clock.setTimer(place === undefined ? COME_MS : IN_LINE_MS, come);
    const cancel = (): void => {
      if (stop()) line?.callFirst(lockPath);
    };
    return { cancel };
  };
  return {
    taken: (lockPath, contested) => {
      const streak = streakOf(lockPath);
      const now = clock.now();
      const stoodAside = streak.stoodAside || now - streak.freeAt >= ASIDE_MS;
      streak.stoodAside = false;
      streak.isTaken = true;
      // Whoever was called has had his chance.
      streak.calledAt = -Infinity;
      if (!contested && !stoodAside) return;
      streak.since = now;
      streak.turnAt = now;
    },
    free: (lockPath, isLocal) => {
      const streak = streakOf(lockPath);
      streak.isTaken = false;
      streak.freeAt = clock.now();
      if (!isLocal) return false;
      if (streak.freeAt - streak.turnAt < TURN_MS) {
        lookLater(lockPath, streak);
        return false;
      }
      streak.turnAt = streak.freeAt;
      return callFirst(lockPath, streak);
    },
    standAside: (lockPath, owner, ask) => {
      const streak = streaks.get(lockPath);
      if (streak === undefined) return undefined;
      const now = clock.now();
      if (streak.timer === undefined) {
        if (now - streak.calledAt < COME_MS) streak.timer = standBehind(lockPath, owner, streak);
        const leftMs = streak.freeAt + ASIDE_MS - now;
        if (isOver(streak) && leftMs > 0) streak.timer ??= clock.setTimer(leftMs, () => askAll(streak));
        if (streak.timer === undefined) return undefined;
      }
      streak.aside.push(ask);
      const leave = (): void => {
        if (!streak.aside.delete(ask) || streak.aside.size > 0) return;
        streak.timer?.cancel();
        streak.timer = undefined;
      };
      return { cancel: leave };
    },
    stop: (lockPath) => {
      const streak = streaks.get(lockPath);
      streak?.timer?.cancel();
      if (streak !== undefined) streak.timer = undefined;
    },
  };
}

/** Not of whoever lets go: its AsyncLocalStorage is none of this. */
const context = new AsyncResource("SessionWriteLockTurns");
