import { beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { ASIDE_MS } from "../../src/protocol.ts";
import { createTurns, MOST_STREAK_MS, type Turns } from "../../src/turns.ts";

let now = 0;
/** Timers of Node.js may be, by less than a millisecond. */
let early = 0;
let timers: { readonly at: number; readonly callback: () => void }[] = [];
const clock: Clock = {
  now: () => now,
  setTimer: (ms, callback) => {
    const timer = { at: now + ms - early, callback };
    timers.push(timer);
    return { cancel: () => (timers = timers.filter((other) => other !== timer)) };
  },
  random: () => 0.5,
};
let turns: Turns;
beforeEach(() => {
  [now, early, timers, turns] = [0, 0, [], createTurns({ clock })];
});

const L = "/sessions/a.jsonl.lock";
const HOME = "own";

/** Time passes, and what is due happens. */
function pass(ms: number): void {
  const end = now + ms;
  for (let due = next(end); due !== undefined; due = next(end)) {
    now = due.at;
    timers = timers.filter((other) => other !== due);
    due.callback();
  }
  now = end;
}

const next = (end: number) => timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];

/** Has the lock for so long, and gives it back. */
function hold(ms: number, contested = false): void {
  turns.taken(L, contested);
  pass(ms);
  turns.free(L, true);
}

/**
 * Has the lock for so long again and again, and asks again at once: how long it was kept from others, at most. Free for
 * less than {@link ASIDE_MS} is not free: nobody notices.
 */
function longestStreak(holdMs: number, lastsMs: number, { standAside }: Pick<Turns, "standAside">): number {
  let [since, longest] = [0, 0];
  while (now < lastsMs) {
    let asked = false;
    const freeAt = now;
    if (standAside(L, HOME, () => (asked = true)) !== undefined) {
      while (!asked) pass(1);
      if (now - freeAt >= ASIDE_MS) since = now;
    }
    hold(holdMs);
    longest = Math.max(longest, now - since);
  }
  return longest;
}

describe("who has a lock again and again", () => {
  it.each([0.1, 5, 50, 1_500])("for %d ms each stands aside in between", (ms) => {
    expect(longestStreak(ms, 20_000, turns)).toBeLessThanOrEqual(MOST_STREAK_MS + ms);
  });

  it("twin: else nobody comes in between", () => {
    expect(longestStreak(50, 20_000, { standAside: () => undefined })).toBeGreaterThanOrEqual(20_000);
  });

  it("stands aside for as long as others need to notice that it is free, counted from then on", () => {
    hold(MOST_STREAK_MS);
    pass(5);
    const asked: number[] = [];
    for (const task of [1, 2, 3]) turns.standAside(L, HOME, () => asked.push(task, now));
    pass(100);
    const at = MOST_STREAK_MS + ASIDE_MS;
    expect(asked).toEqual([1, at, 2, at, 3, at]);
  });

  it("does not if the lock was free for as long already", () => {
    hold(MOST_STREAK_MS);
    pass(ASIDE_MS);
    expect(turns.standAside(L, HOME, () => {})).toBeUndefined();
    hold(1);
    expect(turns.standAside(L, HOME, () => {})).toBeUndefined();
  });

  it("does not while others have the lock in between", () => {
    for (let ms = 0; ms < 10 * MOST_STREAK_MS; ms += 50) {
      hold(50, true);
      expect(turns.standAside(L, HOME, () => {})).toBeUndefined();
    }
  });

  it("has stood aside also if the timer was early", () => {
    early = 0.5;
    hold(MOST_STREAK_MS);
    turns.standAside(L, HOME, () => {});
    pass(ASIDE_MS - 0.5);
    hold(1);
    expect(turns.standAside(L, HOME, () => {})).toBeUndefined();
  });

  it("and leaves before its turn is not asked, and leaves no timer", () => {
    hold(MOST_STREAK_MS);
    const asked: string[] = [];
    const [first, second] = ["first", "second"].map((who) =>
      turns.standAside(L, HOME, () => asked.push(who)),
    );
    first?.cancel();
    first?.cancel();
    expect(timers).toHaveLength(1);
    pass(ASIDE_MS);
    second?.cancel();
    expect([asked, timers]).toEqual([["second"], []]);
    const last = turns.standAside(L, HOME, () => {});
    expect(last).toBeUndefined();
  });

  it("has other locks without standing aside", () => {
    hold(MOST_STREAK_MS);
    expect(turns.standAside("/sessions/b.jsonl.lock", HOME, () => {})).toBeUndefined();
  });

  it("remembers a thousand locks, and each that somebody stands aside from", () => {
    const takeOthers = (count: number): void => {
      for (let i = 0; i < count; i++) {
        turns.taken(`/sessions/${i}.jsonl.lock`, false);
        turns.free(`/sessions/${i}.jsonl.lock`, true);
      }
    };
    hold(MOST_STREAK_MS);
    takeOthers(999);
    const asked: string[] = [];
    expect(turns.standAside(L, HOME, () => asked.push("first"))).toBeDefined();
    takeOthers(1_500);
    expect(turns.standAside(L, HOME, () => asked.push("second"))).toBeDefined();
    pass(ASIDE_MS);
    expect(asked).toEqual(["first", "second"]);
    [now, timers, turns] = [0, [], createTurns({ clock })];
    hold(MOST_STREAK_MS);
    takeOthers(1_000);
    expect(turns.standAside(L, HOME, () => {})).toBeUndefined();
  });
});
