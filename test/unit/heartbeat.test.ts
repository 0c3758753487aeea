/** The holder's half of spec/lease.md: a virtual clock, and real files. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { type Disk, type DiskCall, type DiskReply, nodeDisk } from "../../src/disk.ts";
import type { SessionWriteLockError } from "../../src/errors.ts";
import { createHeartbeat } from "../../src/heartbeat.ts";
import { readOwnerScope } from "../../src/owner/identity.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import { release, request } from "../../src/protocol.ts";
import { type Attempt, createEntry, type Entry } from "../../src/registry.ts";
import { createDriver } from "../../src/steps.ts";

const BEAT_MS = 60_000;
const WATCH_MS = 5_000;

let directory = "";
let nowMs = 0;
let asleepMs = 0;
let timers: { readonly at: number; readonly callback: () => void }[] = [];
let calls: string[] = [];
let underWay = 0;
/** Replies that are held back, until they are let go. */
let heldBack: (() => void)[] | undefined;

beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-heartbeat-")));
  nowMs = asleepMs = 0;
  timers = [];
  calls = [];
  heldBack = undefined;
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const clock: Clock = {
  now: () => nowMs,
  random: () => 0.5,
  setTimer: (ms, callback) => {
    const timer = { at: nowMs + ms, callback };
    timers.push(timer);
    return {
      cancel: () => {
        timers = timers.filter((other) => other !== timer);
      },
    };
  },
};

const disk: Disk = {
  renameReplacesEmpty: true,
  now: (call) => nodeDisk.now(note(call)),
  later: (call, done) => {
    underWay++;
    nodeDisk.later(note(call), (reply) => {
      underWay--;
      if (heldBack === undefined) done(reply);
      else heldBack.push(() => done(reply));
    });
  },
};

function note(call: DiskCall): DiskCall {
  calls.push(call.call);
  return call;
}

function entryOf(local = true): Entry {
  return createEntry({
    lockPath: join(directory, "a.jsonl.lock"),
    sessionFile: join(directory, "a.jsonl"),
    local,
    services: {
      disk,
      clock,
      owners: createOwners(readOwnerScope(createObserver())),
      drive: createDriver(disk, clock),
      heartbeat: createHeartbeat({ clock, timeOfDay: () => nowMs + asleepMs, beatMs: BEAT_MS }),
      warn: () => {},
      quiet: () => {},
    },
  });
}

let told: SessionWriteLockError[] = [];

function take(entry: Entry): Promise<Attempt> {
  told = [];
  return new Promise((resolve, reject) => {
    const attempt: Attempt = {
      reentrant: false,
      gaveUp: false,
      revoked: false,
      granted: () => resolve(attempt),
      failed: reject,
      lost: (error) => told.push(error),
    };
    request(entry, attempt);
  });
}

const letGo = (entry: Entry, attempt: Attempt): Promise<Error | undefined> =>
  new Promise((resolve) => release(entry, attempt, resolve));

/** Time passes, in one piece: a process that was stopped sees it so. */
async function pass(ms: number): Promise<void> {
  nowMs += ms;
  for (;;) {
    const next = timers.find(({ at }) => at <= nowMs);
    if (next === undefined) break;
    timers = timers.filter((other) => other !== next);
    next.callback();
  }
  await settle();
}

/** Time passes as it does for a process that runs. */
async function run(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= WATCH_MS) await pass(Math.min(left, WATCH_MS));
}

/** Calls that are under way end. */
async function settle(): Promise<void> {
  do await turn();
  while (underWay > 0);
}

const ownFile = (entry: Entry): string => join(entry.lockPath, entry.home?.name ?? "");
const countOf = (call: DiskCall["call"]): number => calls.filter((made) => made === call).length;
const ageOf = (path: string): number => Date.now() - fs.statSync(path).mtimeMs;

function makeOld(path: string): void {
  fs.utimesSync(path, 1, 1);
}

describe("a holder", () => {
  it("beats once a minute, looks at its lock every five seconds, and changes nothing in its file", async () => {
    const entry = entryOf();
    const attempt = await take(entry);
    const content = fs.readFileSync(ownFile(entry), "utf8");
    makeOld(ownFile(entry));
    calls = [];
    await run(55_000);
    expect(calls).toEqual(Array(11).fill("readdir"));
    await run(5_000);
    expect(countOf("beat")).toBe(1);
    expect(ageOf(ownFile(entry))).toBeLessThan(60_000);
    expect(fs.readFileSync(ownFile(entry), "utf8")).toBe(content);
    await run(10 * BEAT_MS);
    expect(countOf("beat")).toBe(11);
    expect(entry.services.heartbeat?.missed(entry)).toBe(false);
    expect(await letGo(entry, attempt)).toBeUndefined();
    expect(told).toEqual([]);
  });

  it("is not watched any more soon after its release, and is again after the next Granted", async () => {
    const entry = entryOf();
    await letGo(entry, await take(entry));
    await run(WATCH_MS);
    calls = [];
    await run(10 * BEAT_MS);
    expect(calls).toEqual([]);
    expect(timers).toEqual([]);
    await take(entry);
    await run(WATCH_MS);
    expect(countOf("readdir")).toBeGreaterThan(0);
  });

  for (const [what, damage] of [
    ["removed", (entry: Entry) => fs.rmSync(entry.lockPath, { recursive: true })],
    ["emptied", (entry: Entry) => fs.unlinkSync(ownFile(entry))],
    [
      "taken by another",
      (entry: Entry) => {
        fs.unlinkSync(ownFile(entry));
        fs.writeFileSync(join(entry.lockPath, "another"), "");
      },
    ],
  ] as const) {
    it(`whose lock was ${what} is told within five seconds, once`, async () => {
      const entry = entryOf();
      const attempt = await take(entry);
      damage(entry);
      await run(WATCH_MS);
      expect(told).toMatchObject([{ code: "ECOMPROMISED", lockPath: entry.lockPath }]);
      await run(BEAT_MS);
      expect(told).toHaveLength(1);
      expect(await letGo(entry, attempt)).toBeUndefined();
    });
  }

  it("is told by a beat too, when it was stopped and comes back", async () => {
    const entry = entryOf();
    await take(entry);
    fs.unlinkSync(ownFile(entry));
    calls = [];
    await pass(40 * BEAT_MS);
    expect(calls[0]).toBe("beat");
    expect(told).toMatchObject([{ code: "ECOMPROMISED" }]);
  });

  it("is not told of a loss that was none: the disk would not answer", async () => {
    const entry = entryOf();
    await take(entry);
    fs.renameSync(entry.lockPath, join(directory, "aside"));
    fs.symlinkSync(entry.lockPath, entry.lockPath);
    await run(2 * BEAT_MS);
    expect(told).toEqual([]);
    expect(entry.services.heartbeat?.missed(entry)).toBe(true);
  });

  it("has one call under way, never two, and misses its beats while that does not end", async () => {
    const entry = entryOf();
    await take(entry);
    heldBack = [];
    calls = [];
    await run(5 * BEAT_MS);
    expect(calls).toEqual(["readdir"]);
    expect(entry.services.heartbeat?.missed(entry)).toBe(true);
  });

  it("does not take an answer about an earlier hold of the same home for a loss", async () => {
    const entry = entryOf();
    const attempt = await take(entry);
    const name = entry.home?.name;
    heldBack = [];
    // What was sent sees a lock that is not there, and its answer comes in the next hold.
    fs.renameSync(entry.lockPath, join(directory, "aside"));
    await run(WATCH_MS);
    fs.renameSync(join(directory, "aside"), entry.lockPath);
    const [late] = heldBack;
    heldBack = undefined;
    await letGo(entry, attempt);
    await take(entry);
    expect(entry.home?.name).toBe(name);
    late?.();
    expect(told).toEqual([]);
  });
});

describe("a holder that missed a beat", () => {
  const misses: Readonly<Record<string, (entry: Entry) => Promise<void>>> = {
    "was stopped": async () => {
      nowMs += 2.1 * BEAT_MS;
    },
    "was on a machine that slept": async () => {
      asleepMs += 2.1 * BEAT_MS;
    },
    "was stopped, and has beaten since": async () => {
      await pass(2.1 * BEAT_MS);
      await run(3 * BEAT_MS);
    },
    "slept before its beat, and has beaten since": async () => {
      asleepMs += 2.1 * BEAT_MS;
      await run(3 * BEAT_MS);
    },
    "could not write its file once": async (entry) => {
      // A file of somebody else stands in its place.
      const aside = join(directory, "aside");
      fs.renameSync(ownFile(entry), aside);
      fs.writeFileSync(ownFile(entry), "text");
      await run(BEAT_MS);
      fs.renameSync(aside, ownFile(entry));
      await run(BEAT_MS);
    },
  };
  for (const [how, miss] of Object.entries(misses)) {
    it(`${how}: releases by Drop, on a local disk too`, async () => {
      const entry = entryOf();
      const attempt = await take(entry);
      await miss(entry);
      calls = [];
      expect(await letGo(entry, attempt)).toBeUndefined();
      expect(calls).toEqual(["unlink"]);
      expect(fs.readdirSync(entry.lockPath)).toEqual([]);
    });
  }

  it("while its Take was under way: releases by Drop, whatever beats came after", async () => {
    const entry = entryOf();
    heldBack = [];
    const taken = take(entry);
    await settle();
    nowMs += 2.1 * BEAT_MS;
    const [reply] = heldBack;
    heldBack = undefined;
    reply?.();
    const attempt = await taken;
    await run(3 * BEAT_MS);
    calls = [];
    expect(await letGo(entry, attempt)).toBeUndefined();
    expect(calls).toEqual(["unlink"]);
  });

  it("twin: one that was late by less puts back", async () => {
    const entry = entryOf();
    const attempt = await take(entry);
    await pass(1.9 * BEAT_MS);
    calls = [];
    expect(await letGo(entry, attempt)).toBeUndefined();
    expect(calls).toEqual(["readdir", "rename", "readdir"]);
  });

  it("puts back again in its next hold", async () => {
    const entry = entryOf();
    const attempt = await take(entry);
    nowMs += 3 * BEAT_MS;
    await letGo(entry, attempt);
    const next = await take(entry);
    calls = [];
    await letGo(entry, next);
    expect(calls).toEqual(["readdir", "rename", "readdir"]);
  });

  it("and was evicted meanwhile, takes nothing away from whoever holds now", async () => {
    const [one, other] = [entryOf(), entryOf()];
    const late = await take(one);
    nowMs += 40 * BEAT_MS;
    fs.unlinkSync(ownFile(one));
    await take(other);
    const owner = other.home?.name;
    expect(await letGo(one, late)).toBeUndefined();
    await settle();
    expect(fs.readdirSync(one.lockPath)).toEqual([owner]);
  });
});

describe("a home", () => {
  it("that lay idle for more than a beat gets one before its Take; one that did not, none", async () => {
    const entry = entryOf();
    await letGo(entry, await take(entry));
    const name = entry.home?.name;
    makeOld(join(entry.home?.path ?? "", name ?? ""));
    nowMs += 0.9 * BEAT_MS;
    calls = [];
    await letGo(entry, await take(entry));
    expect(countOf("beat")).toBe(0);
    nowMs += 0.2 * BEAT_MS;
    await take(entry);
    expect(calls.indexOf("beat")).toBeGreaterThan(calls.indexOf("rename"));
    expect(countOf("beat")).toBe(1);
    expect(entry.home?.name).toBe(name);
    expect(ageOf(ownFile(entry))).toBeLessThan(60_000);
    expect(entry.services.heartbeat?.missed(entry)).toBe(false);
  });

  it("that cannot be written is given up, and the lock is taken with a new one", async () => {
    const entry = entryOf();
    await letGo(entry, await take(entry));
    const former = entry.home;
    fs.unlinkSync(join(former?.path ?? "", former?.name ?? ""));
    nowMs += 2 * BEAT_MS;
    await take(entry);
    expect(entry.home?.name).not.toBe(former?.name);
    await settle();
    expect(fs.existsSync(former?.path ?? "")).toBe(false);
  });
});

describe("a beat", () => {
  const beat = (path: string): string => {
    const reply = nodeDisk.now({ call: "beat", path });
    return reply.ok ? "ok" : reply.errno;
  };

  it("creates nothing, follows no link, and writes into no file of another name", async () => {
    const file = join(directory, "file");
    expect(beat(file)).toBe("ENOENT");
    expect(fs.existsSync(file)).toBe(false);
    fs.writeFileSync(file, "text");
    fs.symlinkSync(file, join(directory, "link"));
    expect(beat(join(directory, "link"))).toBe("ELOOP");
    fs.linkSync(file, join(directory, "second name"));
    expect(beat(file)).toBe("EINVAL");
    expect(beat(directory)).toBe("EISDIR");
    expect(fs.readFileSync(file, "utf8")).toBe("text");
  });

  for (const [how, call] of [
    ["in this turn", async (path: string) => nodeDisk.now({ call: "beat", path })],
    [
      "later",
      (path: string) => new Promise<DiskReply>((done) => nodeDisk.later({ call: "beat", path }, done)),
    ],
  ] as const) {
    it(`${how}: a snapshot by hard links does not silence an owner; a file that begins otherwise is not written`, async () => {
      const file = join(directory, "own");
      fs.writeFileSync(file, "{}");
      fs.linkSync(file, join(directory, "snapshot"));
      makeOld(file);
      expect((await call(file)).ok).toBe(true);
      expect(ageOf(file)).toBeLessThan(BEAT_MS);
      expect(fs.readFileSync(file, "utf8")).toBe("{}");
      for (const content of ["", "text"]) {
        fs.writeFileSync(file, content);
        expect(await call(file)).toMatchObject({ ok: false, errno: "EINVAL" });
        expect(fs.readFileSync(file, "utf8")).toBe(content);
      }
    });
  }
});
