import { beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import type { Line } from "../../src/line.ts";
import { ASIDE_MS, IN_LINE_MS } from "../../src/protocol.ts";
import { COME_MS, createTurns, MOST_STREAK_MS, TURN_MS, type Turns } from "../../src/turns.ts";

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

describe("who has a lock for its turn", () => {
  it("calls the first of the line when its turn is over, and not before: then another one has its", () => {
    const { played, calls } = withLine({ waiting: 2 });
    played.taken(L, true);
    pass(TURN_MS - 1);
    expect([played.free(L, true), calls()]).toEqual([false, 0]);
    played.taken(L, false);
    pass(1);
    expect([played.free(L, true), calls()]).toEqual([true, 1]);
    // A new turn.
    played.taken(L, false);
    expect([played.free(L, true), calls()]).toEqual([false, 1]);
  });

  it("calls also before, if it does not ask again in the same turn of the event loop", () => {
    const { played, calls, passTurn } = withLine({ waiting: 2 });
    played.taken(L, true);
    played.free(L, true);
    played.taken(L, false);
    passTurn();
    expect(calls()).toBe(0);
    played.free(L, true);
    played.taken(L, false);
    played.free(L, true);
    // Looked at once.
    expect(passTurn()).toBe(1);
    expect(calls()).toBe(1);
  });

  it("does not even look for a line on a disk that is not known to be local", () => {
    const { played, calls, looks, passTurn } = withLine({ waiting: 1 });
    played.taken(L, true);
    pass(2 * TURN_MS);
    expect(played.free(L, false)).toBe(false);
    passTurn();
    expect([calls(), looks()]).toEqual([0, 0]);
  });

  it("comes behind whom it has called, when it is called itself, or after a while", () => {
    for (const how of ["called", "waited"] as const) {
      const { played, tellAll, places } = withLine({ waiting: 1 });
      endTurn(played);
      const asked: string[] = [];
      for (const who of ["first", "second"]) played.standAside(L, HOME, () => asked.push(who));
      expect([asked, places]).toEqual([[], ["own waits"]]);
      pass(IN_LINE_MS - 1);
      expect(asked).toEqual([]);
      if (how === "called") tellAll();
      else pass(1);
      expect([asked, places, timers]).toEqual([["first", "second"], ["own left"], []]);
    }
  });

  it("does not stand aside if nobody was called, nor when he will have come", () => {
    const { played } = withLine({ waiting: 0 });
    expect(endTurn(played)).toBe(false);
    expect(played.standAside(L, HOME, () => {})).toBeUndefined();
    const late = withLine({ waiting: 1 }).played;
    endTurn(late);
    pass(COME_MS);
    expect(late.standAside(L, HOME, () => {})).toBeUndefined();
  });

  it("does not stand aside any more once it has the lock again, however soon: whom it called has had his chance", () => {
    const { played } = withLine({ waiting: 1 });
    endTurn(played);
    played.taken(L, true);
    played.free(L, true);
    expect(played.standAside(L, HOME, () => {})).toBeUndefined();
  });

  it("that stands aside calls nobody: the first in the line may be itself", () => {
    const { played, calls, passTurn } = withLine({ waiting: 2 });
    played.taken(L, true);
    played.free(L, true);
    played.taken(L, false);
    pass(TURN_MS);
    played.free(L, true);
    expect(played.standAside(L, HOME, () => {})).toBeDefined();
    expect([passTurn(), calls()]).toEqual([1, 1]);
  });

  it.each([
    ["without a home", undefined, true],
    ["where it can have no place", HOME, false],
  ] as const)("waits until he will have come, %s", (_how, home, mayJoin) => {
    const { played, places } = withLine({ waiting: 1, mayJoin });
    endTurn(played);
    const asked: number[] = [];
    const began = now;
    played.standAside(L, home, () => asked.push(now - began));
    pass(IN_LINE_MS);
    expect([asked, places]).toEqual([[COME_MS], []]);
  });

  it("leaves its place when nobody of it waits any more, and when it ends; if it was called, the next one is", () => {
    for (const how of ["cancel", "stop"] as const) {
      for (const wasCalled of [false, true]) {
        const { played, places, calls, markCalled } = withLine({ waiting: 2 });
        endTurn(played);
        const asked: string[] = [];
        const [one, two] = ["one", "two"].map((who) => played.standAside(L, HOME, () => asked.push(who)));
        if (wasCalled) markCalled();
        const before = calls();
        if (how === "stop") played.stop(L);
        else {
          one?.cancel();
          expect(places).toEqual(["own waits"]);
          two?.cancel();
        }
        expect([places, timers, calls() - before]).toEqual([["own left"], [], wasCalled ? 1 : 0]);
        pass(IN_LINE_MS);
        expect(asked).toEqual([]);
      }
    }
    turns.stop("/sessions/never-used.lock");
  });

  /** Whether somebody was called in the end. */
  function endTurn(played: Turns): boolean {
    played.taken(L, true);
    pass(TURN_MS);
    return played.free(L, true);
  }

  /** Somebody else waits, so many times. */
  function withLine({ waiting, mayJoin = true }: { readonly waiting: number; readonly mayJoin?: boolean }) {
    const places: string[] = [];
    let due: (() => void)[] = [];
    let left = waiting;
    let [calls, looks] = [0, 0];
    let wasCalled = false;
    let tell = (): void => {};
    const line: Line = {
      join: (lockPath, { owner }, called) => {
        expect(lockPath).toBe(L);
        if (!mayJoin) return undefined;
        const at = places.push(`${owner} waits`) - 1;
        tell = called;
        const stop = (): boolean => {
          places[at] = `${owner} left`;
          return wasCalled;
        };
        return { isOpen: () => true, stop };
      },
      callFirst: () => {
        looks++;
        if (left === 0) return false;
        left--;
        calls++;
        return true;
      },
    };
    const afterTurn = (callback: () => void): void => void due.push(callback);
    return {
      played: createTurns({ clock, line, afterTurn }),
      places,
      calls: () => calls,
      looks: () => looks,
      tellAll: () => tell(),
      markCalled: () => {
        wasCalled = true;
      },
      passTurn: () => {
        const ripe = due;
        due = [];
        for (const callback of ripe) callback();
        return ripe.length;
      },
    };
  }
});
