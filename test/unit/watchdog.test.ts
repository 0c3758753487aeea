import { describe, expect, it } from "vitest";
import type { SessionWriteLockError } from "../../src/errors.ts";
import type { Attempt, Entry } from "../../src/registry.ts";
import { watchHolder } from "../../src/watchdog.ts";
import { stubAttempt, stubEntry } from "./stubs.ts";

interface Watched {
  readonly entry: Entry;
  readonly timers: { readonly ms: number; readonly background: string | undefined; bark(): void }[];
  /** Warnings, and that the holder was told; with whether it was held then. */
  readonly log: string[];
  told: SessionWriteLockError | undefined;
  cancelled: number;
}

function watch(revokeAfterMaxHold: boolean, attempt: Attempt = stubAttempt()): Watched {
  const log: string[] = [];
  const timers: Watched["timers"] = [];
  const entry = stubEntry({
    clock: {
      now: () => 0,
      random: () => 0.5,
      setTimer: (ms, bark, background) => {
        timers.push({ ms, background, bark });
        return { cancel: () => watched.cancelled++ };
      },
    },
    // A release goes to the disk, which refuses.
    drive: (run) => {
      let step = run.next({ ok: true, names: [] });
      for (let i = 0; i < 5 && step.done !== true; i++) {
        const failure = { ok: false, errno: "EIO", error: new Error("EIO: by the test") } as const;
        step = run.next(failure);
      }
    },
    warn: (message, code) => log.push(`${code}: ${message}`),
    quiet: () => {},
  });
  entry.held.add(attempt);
  entry.home = { name: "own", path: "/d/home", guests: [] };
  const watched: Watched = { entry, timers, log, told: undefined, cancelled: 0 };
  const timer = watchHolder(entry, attempt, { maxHoldMs: 70, revokeAfterMaxHold }, (error) => {
    watched.told = error;
    log.push(`told while it is ${entry.held.has(attempt) ? "held" : "not held"}`);
  });
  timer.cancel();
  expect(watched.cancelled).toBe(1);
  return watched;
}

const OVERDUE = `session lock /d/a.lock is held for longer than 70 ms by pid ${process.pid}`;
const about = { sessionFile: "/d/a", lockPath: "/d/a.lock" };

describe("the watchdog", () => {
  it("waits in the background, for as long as a lock may be held, and says nothing before", () => {
    const { timers, log } = watch(false);
    expect(timers).toMatchObject([{ ms: 70, background: "background" }]);
    expect(log).toEqual([]);
  });

  it("warns, and tells the holder that it is overdue; the lock is still held", () => {
    const watched = watch(false);
    watched.timers[0]?.bark();
    expect(watched.log).toEqual([`SWL_OVERDUE: ${OVERDUE}`, "told while it is held"]);
    expect(watched.told).toMatchObject({ code: "EOVERDUE", message: OVERDUE, ...about });
  });

  it.each([
    [undefined, ""],
    ["", ""],
    ['{"run":7}', ', {"run":7}'],
  ])("says whose it is: metadata %j", (metadata, shown) => {
    const watched = watch(false, stubAttempt(metadata === undefined ? {} : { metadata }));
    watched.timers[0]?.bark();
    expect(watched.told?.message).toBe(`${OVERDUE}${shown}`);
  });

  it("takes the lock away first, if that was asked for, and then tells; what is owed is a warning", () => {
    const watched = watch(true);
    watched.timers[0]?.bark();
    expect(watched.log).toEqual([
      `SWL_OVERDUE: ${OVERDUE}: it is taken away`,
      expect.stringMatching(/^SWL_RELEASE: Cannot take the session lock off the disk at \/d\/a\.lock: EIO/),
      "told while it is not held",
    ]);
    expect(watched.told).toMatchObject({
      code: "ECOMPROMISED",
      message: `${OVERDUE}: it is taken away`,
      ...about,
    });
  });

  it("says nothing of a release that the disk did not refuse: others still share the lock", () => {
    const watched = watch(true);
    watched.entry.held.add(stubAttempt({ reentrant: true }));
    watched.timers[0]?.bark();
    expect(watched.log).toEqual([`SWL_OVERDUE: ${OVERDUE}: it is taken away`, "told while it is not held"]);
  });
});
