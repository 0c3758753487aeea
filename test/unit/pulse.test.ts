/** The heartbeat step by step: which call it makes when, and what it makes of each reply. No disk, no clock of its own. */

import { beforeEach, describe, expect, it } from "vitest";
import type { DiskReply } from "../../src/disk.ts";
import type { SessionWriteLockError } from "../../src/errors.ts";
import { createHeartbeat } from "../../src/heartbeat.ts";
import type { Entry, Heartbeat } from "../../src/registry.ts";
import type { Run } from "../../src/steps.ts";
import { STUB_SERVICES, stubAttempt, stubEntry, unused } from "./stubs.ts";

const BEAT_MS = 60_000;
const WATCH_MS = BEAT_MS / 12;

let now = 0;
let timers: { readonly ms: number; readonly background: string | undefined; end(): void }[] = [];
let calls: string[] = [];
/** Ends the call of a run that is under way. */
let pending: ((reply: DiskReply) => void)[] = [];
let told: SessionWriteLockError[] = [];
/** What a beat says that is made at once. */
let fresh: DiskReply;

const OURS: DiskReply = { ok: true, names: ["own"] };
const DONE: DiskReply = { ok: true, names: [] };
const failed = (errno: string): DiskReply => ({ ok: false, errno, error: new Error(errno) });

const clock = {
  ...STUB_SERVICES.clock,
  now: () => now,
  setTimer: (ms: number, end: () => void, background?: "background") => {
    timers.push({ ms, background, end });
    return { cancel: unused };
  },
};

let heartbeat: Heartbeat;
beforeEach(() => {
  now = 0;
  timers = [];
  calls = [];
  pending = [];
  told = [];
  fresh = DONE;
  heartbeat = createHeartbeat({ clock, timeOfDay: () => now, beatMs: BEAT_MS });
});

function entryOf(lockPath = "/d/a.lock"): Entry {
  const drive = (run: Run): void => {
    const goOn = (reply: DiskReply): void => {
      const { done, value: step } = run.next(reply);
      if (done === true) return;
      if (step?.kind !== "call") throw new Error("the heartbeat makes calls, and nothing else");
      const { call } = step;
      calls.push(`${step.action} ${step.mode} ${call.call} ${"path" in call ? call.path : ""}`);
      pending.push(goOn);
    };
    goOn(DONE);
  };
  const disk = {
    ...STUB_SERVICES.disk,
    now: (call: { readonly call: string }) => {
      calls.push(`now ${call.call}`);
      return fresh;
    },
  };
  const entry = stubEntry({ clock, drive, disk }, lockPath);
  entry.home = { name: "own", path: "/d/home", guests: [] };
  return entry;
}

function hold(entry: Entry = entryOf()): Entry {
  entry.held.add(stubAttempt({ lost: (error) => told.push(error) }));
  heartbeat.held(entry);
  return entry;
}

/** The next tick, after so long; and its reply, if there is one. */
function tick(ms: number, reply?: DiskReply): readonly string[] {
  now += ms;
  calls = [];
  timers.shift()?.end();
  if (reply !== undefined) pending.shift()?.(reply);
  return calls;
}

const WATCH = "Watch async readdir /d/a.lock/.";
const BEAT = "Beat async beat /d/a.lock/own";

describe("a holder", () => {
  it("looks twelve times for each beat, in the background; one timer for all locks", () => {
    hold();
    hold(entryOf("/d/b.lock"));
    expect(timers).toMatchObject([{ ms: WATCH_MS, background: "background" }]);
    expect(tick(WATCH_MS)).toEqual([WATCH, "Watch async readdir /d/b.lock/."]);
    expect(timers).toMatchObject([{ ms: WATCH_MS, background: "background" }]);
  });

  it("looks, and beats when that is due; and again at the next look, if the disk refused", () => {
    heartbeat.made(hold());
    expect(tick(WATCH_MS, OURS)).toEqual([WATCH]);
    expect(tick(BEAT_MS - WATCH_MS - 1, OURS)).toEqual([WATCH]);
    expect(tick(1, failed("EIO"))).toEqual([BEAT]);
    expect(tick(WATCH_MS, DONE)).toEqual([BEAT]);
    expect(tick(WATCH_MS, OURS)).toEqual([WATCH]);
    expect(told).toEqual([]);
  });

  it("never has two calls under way", () => {
    hold();
    expect(tick(WATCH_MS)).toEqual([WATCH]);
    expect(tick(WATCH_MS)).toEqual([]);
    pending.shift()?.(OURS);
    expect(tick(WATCH_MS)).toEqual([WATCH]);
  });

  it("is told that the lock was lost, by a look and by a beat, and is not watched any more", () => {
    const entry = hold();
    tick(WATCH_MS, { ok: true, names: ["another"] });
    const why = "session lock /d/a.lock was lost while it was held";
    expect(told).toMatchObject([
      {
        code: "ECOMPROMISED",
        message: `${why}: somebody else's name is in it`,
        sessionFile: "/d/a",
        lockPath: "/d/a.lock",
      },
    ]);
    expect(entry.lost).toBe(true);
    tick(WATCH_MS);
    expect([calls, timers]).toEqual([[], []]);

    told = [];
    hold();
    expect(tick(BEAT_MS, failed("ENOENT"))).toEqual([BEAT]);
    expect(told.map(({ message }) => message)).toEqual([`${why}: our name is not there any more`]);
  });

  it("that has released meanwhile is told nothing, nor is the next one: the answer is of an earlier hold", () => {
    const entry = hold();
    tick(WATCH_MS);
    entry.held.clear();
    pending.shift()?.({ ok: true, names: [] });
    expect([entry.lost, told]).toEqual([false, []]);

    const again = hold(entryOf("/d/b.lock"));
    tick(WATCH_MS);
    again.held.clear();
    hold(again);
    pending.pop()?.({ ok: true, names: [] });
    expect([again.lost, told]).toEqual([false, []]);
  });
});

describe("a beat", () => {
  it("was missed later than two beats after the last one, not before", () => {
    const entry = hold();
    heartbeat.made(entry);
    now += 2 * BEAT_MS;
    expect(heartbeat.missed(entry)).toBe(false);
    now += 1;
    expect(heartbeat.missed(entry)).toBe(true);
  });

  it("that was missed is missed for the whole hold, and not for the next one", () => {
    const entry = hold();
    heartbeat.made(entry);
    tick(BEAT_MS, failed("EIO"));
    expect(heartbeat.missed(entry)).toBe(true);
    tick(WATCH_MS, DONE);
    expect(heartbeat.missed(entry)).toBe(true);
    entry.held.clear();
    hold(entry);
    expect(heartbeat.missed(entry)).toBe(false);
  });

  it("counts from when it was sent", () => {
    const entry = hold();
    heartbeat.made(entry);
    tick(BEAT_MS);
    now += BEAT_MS;
    pending.shift()?.(DONE);
    now += BEAT_MS;
    expect(heartbeat.missed(entry)).toBe(false);
    now += 1;
    expect(heartbeat.missed(entry)).toBe(true);
  });
});

describe("a home", () => {
  it("is old when a beat has passed since it was made, and more", () => {
    const entry = entryOf();
    now += 10 * BEAT_MS;
    expect(heartbeat.isOld(entry)).toBe(false);
    now += 10 * BEAT_MS;
    heartbeat.made(entry);
    now += BEAT_MS;
    expect(heartbeat.isOld(entry)).toBe(false);
    now += 1;
    expect(heartbeat.isOld(entry)).toBe(true);
  });

  it("that was freshened is not old; one that could not be stays so", () => {
    const entry = entryOf();
    const home = entry.home ?? expect.unreachable();
    heartbeat.made(entry);
    now += 10 * BEAT_MS;
    fresh = failed("EIO");
    expect([heartbeat.freshen(entry, home), heartbeat.isOld(entry)]).toEqual([false, true]);
    fresh = DONE;
    expect([heartbeat.freshen(entry, home), heartbeat.isOld(entry)]).toEqual([true, false]);
    expect(calls).toEqual(["now beat", "now beat"]);
    hold(entry);
    expect(heartbeat.missed(entry)).toBe(false);
  });
});
