import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";

const LONGEST = 2 ** 31 - 1;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("the clock of the system", () => {
  it("calls back once, when the time is over", () => {
    const callback = vi.fn();
    systemClock.setTimer(70, callback);
    vi.advanceTimersByTime(69);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it.each([LONGEST, LONGEST + 1, 3 * LONGEST + 7])("waits for longer than one timer can: %i ms", (ms) => {
    const callback = vi.fn();
    systemClock.setTimer(ms, callback);
    vi.advanceTimersByTime(ms - 1);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it("waits for ever if it is told so, and not any more if that is cancelled", () => {
    const callback = vi.fn();
    const timer = systemClock.setTimer(Number.POSITIVE_INFINITY, callback);
    vi.advanceTimersByTime(2 * LONGEST);
    timer.cancel();
    expect([callback.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("keeps the process alive, but not for what is in the background", () => {
    const made: { hasRef(): boolean }[] = [];
    const real = globalThis.setTimeout;
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((...args: Parameters<typeof real>) => {
      const timer = real(...args);
      made.push(timer);
      return timer;
    }) as typeof real);
    systemClock.setTimer(LONGEST + 1, () => {});
    systemClock.setTimer(LONGEST + 1, () => {}, "background");
    expect(made.map((timer) => timer.hasRef())).toEqual([true, false]);
    vi.advanceTimersByTime(LONGEST);
    expect(made.slice(2).map((timer) => timer.hasRef())).toEqual([true, false]);
    vi.restoreAllMocks();
  });

  it("tells monotonic milliseconds, and chance", () => {
    vi.useRealTimers();
    const [before, now] = [performance.now(), systemClock.now()];
    expect(now).toBeGreaterThanOrEqual(before);
    expect(systemClock.now()).toBeLessThanOrEqual(performance.now());
    const some = Array.from({ length: 20 }, () => systemClock.random());
    expect(new Set(some).size).toBeGreaterThan(1);
    expect(some.every((one) => one >= 0 && one < 1)).toBe(true);
  });
});
