/** The clock, as the lock sees it. One real implementation; the harness brings its own. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds. Never the time of day: that one jumps. */
  now(): number;
  /**
   * Calls back once, after `ms` milliseconds (`Infinity`: never). A waiter's timer keeps the process alive
   * until then; one in the background does not.
   */
  setTimer(ms: number, callback: () => void, background?: "background"): Timer;
  /** Evenly distributed in [0, 1): jitter. */
  random(): number;
}

/** The longest delay that setTimeout takes: it makes 1 ms of anything longer. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (ms, callback, background) => {
    let timer: NodeJS.Timeout | undefined;
    const arm = (left: number): void => {
      const rest = left - LONGEST_DELAY_MS;
      timer = rest > 0 ? setTimeout(arm, LONGEST_DELAY_MS, rest) : setTimeout(callback, left);
      if (background !== undefined) timer.unref();
    };
    arm(ms);
    return { cancel: () => clearTimeout(timer) };
  },
  random: () => Math.random(),
};
