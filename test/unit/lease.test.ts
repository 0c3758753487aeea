/**
 * The judge's half of spec/lease.md, on real files. Their mtimes are set with utimes: in these tests that is the file
 * server's clock. What is written now has the time that it really is.
 */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { nodeDisk } from "../../src/disk.ts";
import { createLeases, type Leases } from "../../src/lease.ts";
import { readOwnerScope } from "../../src/owner/identity.ts";
import { markPath, parseMarkName } from "../../src/owner/mark.ts";
import { formatOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import { giveUp, request } from "../../src/protocol.ts";
import { type Attempt, createEntry } from "../../src/registry.ts";
import { createDriver } from "../../src/steps.ts";
import { sweep } from "../../src/sweep.ts";

const BEAT_MS = 60_000;
const MINUTE_MS = 60_000;
const STALE_MS = 30 * MINUTE_MS;
const self = readOwnerScope(createObserver());
/** Of a machine that we know nothing of. */
const owner = formatOwnerName({ ...self, boot: "0123456789abcdef", life: "-", nonce: "a".repeat(24) });

let directory = "";
let lockPath = "";
let file = "";
let mark = "";
let monotonicMs = 0;

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-lease-"));
  lockPath = join(directory, "a.jsonl.lock");
  file = join(lockPath, owner);
  mark = markPath(lockPath, owner);
  monotonicMs = 0;
  fs.mkdirSync(lockPath);
  fs.writeFileSync(file, "{}\n");
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** A judge that lives for one look, if it is asked for one. */
const newJudge = (): Leases =>
  createLeases({
    beatMs: BEAT_MS,
    clock: { now: () => monotonicMs, random: () => 0.5, setTimer: () => ({ cancel: () => {} }) },
  });

async function look(judge = newJudge(), staleMs = STALE_MS): Promise<string> {
  await judge.look(lockPath, owner, staleMs);
  const { verdict, reason } = judge.judge(lockPath, owner, staleMs, "another boot id");
  return `${verdict}: ${reason}`;
}

/** The last sign of life was so long ago. */
function silentFor(ms: number): void {
  setAge(file, ms);
}

/** The mark was left so long ago. */
function markedFor(ms: number): void {
  setAge(mark, ms);
}

function setAge(path: string, ms: number): void {
  const at = (Date.now() - ms) / 1000;
  fs.utimesSync(path, at, at);
}

const leftovers = (): string[] =>
  fs.readdirSync(directory).filter((name) => parseMarkName(name) !== undefined);
const LAPSED = /^lapsed: another boot id; silent for \d+ min$/;

describe("an owner that cannot be judged", () => {
  it("is waited for while it beats, and nothing is left beside the lock", async () => {
    silentFor(12 * MINUTE_MS);
    expect(await look()).toBe(
      "unknown: another boot id; silent for 12 min, evicted after 30 min without a beat",
    );
    expect(leftovers()).toEqual([]);
  });

  it("that is stale is marked by the first who looks, and not evicted, by whoever looks at once", async () => {
    silentFor(40 * MINUTE_MS);
    for (let i = 0; i < 3; i++) {
      expect(await look()).toBe(
        "unknown: another boot id; silent for 40 min, evicted in 3 min if it stays silent",
      );
    }
    expect(leftovers()).toEqual([mark.slice(directory.length + 1)]);
    markedFor(2.9 * BEAT_MS);
    expect(await look()).toMatch(/^unknown: .* evicted in 6 s if it stays silent$/);
  });

  it("has lapsed three beats later, for a judge that never saw it before; once it is evicted the mark goes", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    markedFor(3.1 * BEAT_MS);
    const judge = newJudge();
    expect(await look(judge)).toMatch(LAPSED);
    judge.evicted(lockPath, owner);
    await expect.poll(leftovers, { timeout: 60_000 }).toEqual([]);
    expect(judge.judge(lockPath, owner, STALE_MS, "why")).toEqual({ verdict: "unknown", reason: "why" });
  });

  it("is marked so that judges of other users can read it, whatever our umask is", async () => {
    silentFor(40 * MINUTE_MS);
    const umask = process.umask(0o077);
    try {
      await look();
    } finally {
      process.umask(umask);
    }
    expect(fs.statSync(mark).mode & 0o777).toBe(0o644);
  });

  it("that beat after the mark, and is stale again, is marked anew", async () => {
    silentFor(90 * MINUTE_MS);
    await look();
    markedFor(50 * MINUTE_MS);
    silentFor(45 * MINUTE_MS);
    expect(await look()).toMatch(/^unknown: .* silent for 45 min, evicted in 3 min/);
    expect(Date.now() - fs.statSync(mark).mtimeMs).toBeLessThan(MINUTE_MS);
  });

  it("that beats again is rid of the mark about its silence", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    silentFor(0);
    expect(await look()).toMatch(/^unknown: .* silent for 0 s/);
    expect(leftovers()).toEqual([]);
  });

  it("keeps the mark of a judge with less patience, as long as it does not beat", async () => {
    silentFor(20 * MINUTE_MS);
    expect(await look(newJudge(), 10 * MINUTE_MS)).toMatch(/^unknown: .* evicted in 3 min/);
    expect(await look()).toMatch(/^unknown: .* evicted after 30 min without a beat$/);
    expect(leftovers()).toHaveLength(1);
  });

  it("and that somebody else evicts before it is due keeps its mark: other judges may still need it", async () => {
    silentFor(40 * MINUTE_MS);
    const judge = newJudge();
    await look(judge);
    judge.evicted(lockPath, owner);
    newJudge().evicted(lockPath, owner);
    // A mark is removed in the thread pool.
    await sleep(20);
    expect(leftovers()).toHaveLength(1);
  });

  it("is told in minutes from two minutes on", async () => {
    silentFor(2 * MINUTE_MS);
    expect(await look()).toMatch(/silent for 2 min,/);
    silentFor(1.5 * MINUTE_MS);
    expect(await look()).toMatch(/silent for \d+ s,/);
  });

  it("is forgotten for those that were looked at later, if there are very many", () => {
    const judge = newJudge();
    const names = Array.from({ length: 1_001 }, (_, i) => `own${i}`);
    for (const name of names.slice(0, 1_000)) judge.defer(name);
    expect(names.filter((name) => judge.isDue(name))).toEqual(["own1000"]);
    judge.defer("own0");
    judge.defer("own1000");
    expect(names.filter((name) => judge.isDue(name))).toEqual(["own1"]);
  });

  it("that beats between the look and the judgement is not evicted, nor by the same look later", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    markedFor(3.1 * BEAT_MS);
    const judge = newJudge();
    await judge.look(lockPath, owner, STALE_MS);
    silentFor(39 * MINUTE_MS);
    expect(judge.judge(lockPath, owner, STALE_MS, "why")).toEqual({ verdict: "unknown", reason: "why" });
    silentFor(40 * MINUTE_MS);
    expect(judge.judge(lockPath, owner, STALE_MS, "why").verdict).toBe("unknown");
  });

  it("that has lapsed stays so as long as it stays silent, mark and all, and no longer", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    markedFor(3.1 * BEAT_MS);
    const judge = newJudge();
    expect(await look(judge)).toMatch(LAPSED);
    expect(judge.judge(lockPath, owner, STALE_MS, "why").verdict).toBe("lapsed");
    expect(leftovers()).toHaveLength(1);
    silentFor(0);
    expect(judge.judge(lockPath, owner, STALE_MS, "why")).toEqual({ verdict: "unknown", reason: "why" });
  });

  it("is not evicted by what was measured for a judge of less patience", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    markedFor(3.1 * BEAT_MS);
    const judge = newJudge();
    expect(await look(judge)).toMatch(LAPSED);
    expect(judge.judge(lockPath, owner, 41 * MINUTE_MS, "why")).toEqual({
      verdict: "unknown",
      reason: "why; silent for 40 min, evicted after 41 min without a beat",
    });
    expect(judge.judge(lockPath, owner, Infinity, "why").verdict).toBe("unknown");
    expect(judge.judge(lockPath, owner, 39 * MINUTE_MS, "why").verdict).toBe("lapsed");
  });

  it("whose last sign of life is in the future is not stale; a mark from the future is written anew", async () => {
    silentFor(-40 * MINUTE_MS);
    expect(await look()).toMatch(/^unknown: .* silent for 0 s/);
    silentFor(40 * MINUTE_MS);
    await look();
    markedFor(-20 * MINUTE_MS);
    expect(await look()).toMatch(/^unknown: .* evicted in 3 min/);
    expect(Math.abs(Date.now() - fs.statSync(mark).mtimeMs)).toBeLessThan(MINUTE_MS);
  });

  it("is stale after three beats at the earliest, however small staleMs is; never, if it is Infinity", async () => {
    silentFor(2.9 * BEAT_MS);
    expect(await look(newJudge(), 1)).toMatch(/^unknown: .* evicted after 3 min without a beat$/);
    silentFor(3.1 * BEAT_MS);
    expect(await look(newJudge(), 1)).toMatch(/^unknown: .* evicted in 3 min/);
    silentFor(1e10);
    markedFor(1e10);
    expect(await look(newJudge(), Infinity)).toMatch(/^unknown: .*never evicted \(staleMs is Infinity\)$/);
  });

  it("is looked at twice a beat, and one of whom something is known as rarely", async () => {
    const judge = newJudge();
    expect(judge.isDue(owner)).toBe(true);
    await look(judge);
    expect(judge.isDue(owner)).toBe(false);
    monotonicMs = BEAT_MS / 2;
    expect(judge.isDue(owner)).toBe(true);
    judge.defer(owner);
    expect(judge.isDue(owner)).toBe(false);
  });
});

describe("what stands where a mark should be", () => {
  const plant: Readonly<Record<string, () => void>> = {
    garbage: () => fs.writeFileSync(mark, "not a number\n"),
    "an endless file": () => fs.writeFileSync(mark, "9".repeat(1e6)),
    nothing: () => {},
    "a pipe": () => execFileSync("mkfifo", [mark]),
    "a link to a file of somebody else": () => {
      const victim = join(directory, "victim");
      fs.writeFileSync(victim, `${fs.statSync(file, { bigint: true }).mtimeNs}\n`);
      setAge(victim, 10 * BEAT_MS);
      fs.symlinkSync(victim, mark);
    },
  };
  for (const [what, put] of Object.entries(plant)) {
    it(`${what} is no mark: one is left, and nothing else is touched`, async () => {
      silentFor(40 * MINUTE_MS);
      put();
      const victim = join(directory, "victim");
      const before = fs.existsSync(victim) ? fs.readFileSync(victim, "utf8") : undefined;
      expect(await look()).toMatch(/^unknown: .* evicted in 3 min/);
      expect(fs.lstatSync(mark).isFile()).toBe(true);
      expect(fs.existsSync(victim) ? fs.readFileSync(victim, "utf8") : undefined).toBe(before);
    });
  }

  it("a directory is said to be in the way, and the owner is waited for", async () => {
    silentFor(40 * MINUTE_MS);
    fs.mkdirSync(mark);
    expect(await look()).toMatch(
      /^unknown: .*for how long it was silent cannot be seen \((EISDIR|EEXIST|ENOTEMPTY)\)$/,
    );
    expect(leftovers()).toEqual([mark.slice(directory.length + 1)]);
  });
});

describe("an owner file that is not what it should be", () => {
  it("is no ground for an eviction, and is not followed", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    markedFor(3.1 * BEAT_MS);
    fs.renameSync(file, join(directory, "elsewhere"));
    expect(await look()).toMatch(/cannot be seen \(ENOENT\)$/);
    fs.symlinkSync(join(directory, "elsewhere"), file);
    expect(await look()).toMatch(/cannot be seen \(its file is not a regular file\)$/);
    fs.unlinkSync(file);
    execFileSync("mkfifo", [file]);
    expect(await look()).toMatch(/cannot be seen \(its file is not a regular file\)$/);
  });
});

describe("the judge of the library", () => {
  const owners = (): ReturnType<typeof createOwners> => createOwners(self, { leases: newJudge() });
  const ask = async (asked: ReturnType<typeof createOwners>, staleMs?: number): Promise<boolean> => {
    const question = asked.ask?.([owner], { path: lockPath, local: true, staleMs });
    if (question !== undefined) await new Promise<void>(question);
    return question !== undefined;
  };

  it("asks about the lease of whom it cannot judge, and of nobody else", async () => {
    const living = formatOwnerName({ ...self, life: "-", nonce: "b".repeat(24) });
    fs.writeFileSync(join(lockPath, living), "");
    const asked = owners();
    expect(asked.ask?.([living], { path: lockPath, local: true, staleMs: STALE_MS })).toBeUndefined();
    expect(asked.judge(living, { path: lockPath, local: true, staleMs: STALE_MS }).verdict).toBe("alive");
    expect(await ask(asked, STALE_MS)).toBe(true);
    expect(asked.judge(owner, { path: lockPath, local: true, staleMs: STALE_MS })).toMatchObject({
      verdict: "unknown",
      reason: expect.stringMatching(/^another boot id.*; silent for 0 s/),
    });
  });

  it("evicts nobody by it where it is switched off, or nobody said how long", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    markedFor(3.1 * BEAT_MS);
    for (const staleMs of [undefined, Infinity]) {
      const asked = owners();
      expect(await ask(asked, staleMs)).toBe(false);
      expect(asked.judge(owner, { path: lockPath, local: true, staleMs }).verdict).toBe("unknown");
    }
    const asked = owners();
    await ask(asked, STALE_MS);
    expect(asked.judge(owner, { path: lockPath, local: true, staleMs: STALE_MS }).verdict).toBe("lapsed");
  });
});

describe("an acquisition", () => {
  /** Of a process that has just started. Resolves when the lock is granted, or when it waits. */
  const acquire = async (): Promise<"granted" | string> => {
    const entry = createEntry({
      lockPath,
      sessionFile: join(directory, "a.jsonl"),
      local: true,
      services: {
        disk: nodeDisk,
        clock: systemClock,
        owners: createOwners(self, { leases: newJudge() }),
        drive: createDriver(nodeDisk, systemClock),
        warn: () => {},
        quiet: () => {},
      },
    });
    return await new Promise((resolve, reject) => {
      const attempt: Attempt = {
        reentrant: false,
        staleMs: STALE_MS,
        gaveUp: false,
        revoked: false,
        granted: () => resolve("granted"),
        failed: reject,
        lost: reject,
      };
      request(entry, attempt);
      const waits = setInterval(() => {
        if (entry.wait === null && entry.contender !== null) return;
        clearInterval(waits);
        if (entry.contender === null) return;
        giveUp(entry, attempt);
        resolve(entry.obstacle?.kind === "owner" ? entry.obstacle.verdict : "it waits for nobody");
      }, 1);
    });
  };

  it("takes the lock of an owner whose lease has lapsed, and only then; the file goes by its name", async () => {
    silentFor(40 * MINUTE_MS);
    expect(await acquire()).toMatch(/; silent for 40 min, evicted in 3 min if it stays silent$/);
    expect(fs.readdirSync(lockPath)).toEqual([owner]);
    markedFor(3.1 * BEAT_MS);
    expect(await acquire()).toBe("granted");
    expect(fs.readdirSync(lockPath)).toHaveLength(1);
    expect(fs.existsSync(file)).toBe(false);
  });

  it("takes the lock of an owner and its guest, which beat last at different times, when both have lapsed", async () => {
    // Of one home, so of one nonce.
    const guest = formatOwnerName({
      ...self,
      boot: "0123456789abcdef",
      pid: "7",
      tid: "7",
      life: "-",
      nonce: "a".repeat(24),
    });
    fs.writeFileSync(join(lockPath, guest), "{}\n");
    // Whoever is seen first is told of. By the names, and so by the pid of this process, that may be either.
    const [first = "", second = ""] = fs.readdirSync(lockPath);
    const silent = (name: string, ms: number): void => setAge(join(lockPath, name), ms);
    silent(second, 90 * MINUTE_MS);
    silent(first, 29 * MINUTE_MS);
    expect(await acquire()).toMatch(/; silent for 29 min, evicted after 30 min without a beat$/);
    setAge(markPath(lockPath, second), 61 * BEAT_MS);
    silent(first, 40 * MINUTE_MS);
    expect(await acquire()).toMatch(/; silent for 40 min, evicted in 3 min if it stays silent$/);
    expect(fs.readdirSync(lockPath)).toHaveLength(2);
    setAge(markPath(lockPath, first), 3.1 * BEAT_MS);
    expect(await acquire()).toBe("granted");
    expect(fs.readdirSync(lockPath).filter((name) => [first, second].includes(name))).toEqual([]);
    await expect.poll(leftovers, { timeout: 60_000 }).toEqual([]);
  });

  it("waits for an owner that is silent, beside one that is not", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    markedFor(3.1 * BEAT_MS);
    const other = formatOwnerName({ ...self, boot: "0123456789abcdef", life: "-", nonce: "e".repeat(24) });
    fs.writeFileSync(join(lockPath, other), "{}\n");
    expect(await acquire()).toMatch(/; silent for 0 s/);
    expect(fs.readdirSync(lockPath).sort()).toEqual([owner, other].sort());
  });
});

describe("the sweep", () => {
  it("removes marks about owners that stand nowhere, and the probes of judges that died, and no other", async () => {
    silentFor(40 * MINUTE_MS);
    await look();
    const gone = markPath(lockPath, formatOwnerName({ ...self, life: "-", nonce: "c".repeat(24) }));
    const probe = `${mark}.${"d".repeat(16)}`;
    for (const path of [gone, probe]) fs.writeFileSync(path, "");
    await sweep(directory, createOwners(self));
    // A probe is young for a minute, by its ctime, which nobody can set.
    expect([mark, gone, probe].map((path) => fs.existsSync(path))).toEqual([true, false, true]);
    fs.rmSync(file);
    await sweep(directory, createOwners(self));
    expect(fs.existsSync(mark)).toBe(false);
  });
});
