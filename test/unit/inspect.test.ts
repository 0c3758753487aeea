import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  acquireSessionWriteLock,
  breakSessionLock,
  cleanStaleLockFiles,
  inspectSessionLocks,
  type SessionWriteLock,
} from "../../src/index.ts";
import { newNonce, readOwnerScope } from "../../src/owner/identity.ts";
import { formatOwnerName, homeName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { deadPid, holdAndDie } from "../support/processes.ts";

const STRANGER =
  "own1_4711_4711_1000_1000_0123456789abcdef_fedcba9876543210_4026531836_4026531834_00000000feedbeef00000000feedbeef_0123456789abcdef01234567";
const LEGACY = { createdAt: "2020-01-01T00:00:00.000Z" };

let directory = "";
let held: SessionWriteLock | undefined;
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-inspect-")));
});
afterEach(async () => {
  await held?.release();
  held = undefined;
  fs.rmSync(directory, { recursive: true, force: true });
});

const session = (name: string): string => join(directory, `${name}.jsonl`);
const lockOf = (name: string): string => `${session(name)}.lock`;
/** All that stands there, our own idle homes and sockets aside. */
const listing = (): readonly string[] =>
  fs
    .readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith(".swl-"))
    .sort();

/** One of each kind: the pids of the dead. */
async function plant(): Promise<{ readonly dead: number; readonly legacy: number }> {
  held = await acquireSessionWriteLock({ sessionFile: session("held"), metadata: { run: 1 } });
  const dead = holdAndDie({ sessionFile: session("dead"), metadata: "d" });
  const legacy = deadPid();
  fs.mkdirSync(lockOf("empty"));
  fs.mkdirSync(lockOf("foreign"));
  fs.writeFileSync(join(lockOf("foreign"), "notes.txt"), "precious");
  fs.mkdirSync(lockOf("stranger"));
  fs.writeFileSync(join(lockOf("stranger"), STRANGER), "{}");
  fs.writeFileSync(lockOf("old-dead"), JSON.stringify({ pid: legacy, ...LEGACY }));
  fs.writeFileSync(lockOf("old-living"), JSON.stringify({ pid: process.pid, ...LEGACY }));
  fs.writeFileSync(lockOf("old-garbage"), "{");
  fs.writeFileSync(session("dead"), "not touched");
  return { dead, legacy };
}

describe("inspectSessionLocks", () => {
  it("says of each lock of a directory who has it, in the words of both, and changes nothing", async () => {
    const { dead, legacy } = await plant();
    const before = listing();
    const found = await inspectSessionLocks(directory);
    expect(found).toMatchObject([
      {
        lockPath: lockOf("dead"),
        state: "stale",
        owners: [{ pid: dead, life: "dead", verdict: `pid ${dead} is gone`, metadata: "d" }],
        pid: dead,
        pidAlive: false,
        stale: true,
        staleReasons: [`pid ${dead} is gone`],
        removed: false,
      },
      { lockPath: lockOf("empty"), state: "free", note: "an empty directory", pid: null, stale: false },
      { lockPath: lockOf("foreign"), state: "foreign", note: "it holds names that are not owners" },
      {
        lockPath: lockOf("held"),
        state: "held",
        owners: [{ pid: process.pid, life: "alive", metadata: { run: 1 } }],
        pidAlive: true,
        stale: false,
        staleReasons: [],
      },
      {
        lockPath: lockOf("old-dead"),
        state: "foreign",
        note: `an old lock file of pid ${legacy}, made at ${LEGACY.createdAt}; pid ${legacy} is gone`,
        pid: legacy,
        createdAt: LEGACY.createdAt,
        stale: true,
      },
      {
        lockPath: lockOf("old-garbage"),
        state: "foreign",
        note: "a file of 1 bytes",
        pid: null,
        stale: false,
      },
      { lockPath: lockOf("old-living"), state: "foreign", pid: process.pid, pidAlive: true, stale: false },
      {
        lockPath: lockOf("stranger"),
        state: "unknown",
        owners: [{ pid: 4711, life: "unknown" }],
        stale: false,
      },
    ]);
    const lock = found[3];
    expect(Math.abs(Date.now() - Date.parse(lock?.createdAt ?? "") - (lock?.ageMs ?? 0))).toBeLessThan(5_000);
    expect(listing()).toEqual(before);
    held?.assertHeld();
  });

  it("takes a session file, also through a symbolic link to its directory, and also if nothing is there", async () => {
    held = await acquireSessionWriteLock({ sessionFile: session("a") });
    fs.symlinkSync(directory, join(directory, "link"));
    expect(await inspectSessionLocks(join(directory, "link", "a.jsonl"))).toMatchObject([
      { lockPath: lockOf("a"), state: "held" },
    ]);
    expect(await inspectSessionLocks(session("b"))).toMatchObject([{ lockPath: lockOf("b"), state: "free" }]);
    expect(await inspectSessionLocks(join(directory, "no", "c.jsonl"))).toMatchObject([{ state: "free" }]);
  });

  it.each([undefined, null, 1, "", "a\0b"])("refuses %j with EINVAL", async (path) => {
    await expect(inspectSessionLocks(path as string)).rejects.toMatchObject({ code: "EINVAL" });
  });

  it("says that a directory cannot be read", async () => {
    fs.writeFileSync(session("a"), "");
    await expect(cleanStaleLockFiles({ sessionsDir: session("a") })).rejects.toMatchObject({
      code: "EDISK",
      message: `Cannot look at the locks of ${session("a")}: ENOTDIR`,
    });
  });
});

describe("cleanStaleLockFiles", () => {
  it("removes what the dead have left, and nothing else", async () => {
    const { dead } = await plant();
    const before = listing();
    const { locks, cleaned } = await cleanStaleLockFiles({ sessionsDir: directory });
    expect(locks).toHaveLength(8);
    expect(cleaned).toMatchObject([
      {
        lockPath: lockOf("dead"),
        pid: dead,
        stale: true,
        staleReasons: [`pid ${dead} is gone`],
        removed: true,
      },
    ]);
    // The owner file and its directory: those two names and no other.
    expect(before.filter((name) => !listing().includes(name)).map((name) => name.split("/")[0])).toEqual([
      "dead.jsonl.lock",
      "dead.jsonl.lock",
    ]);
    held?.assertHeld();
    expect(await cleanStaleLockFiles({ sessionsDir: directory })).toMatchObject({ cleaned: [] });
  });

  it("removes homes that the dead have left, and names them", async () => {
    const self = readOwnerScope(createObserver());
    const pid = String(deadPid());
    const [left, living] = [pid, self.pid].map((of) =>
      homeName("a.jsonl.lock", formatOwnerName({ ...self, pid: of, tid: of, life: "-", nonce: newNonce() })),
    );
    for (const home of [left, living]) fs.mkdirSync(join(directory, home ?? ""));
    const { locks, leftovers } = await cleanStaleLockFiles({ sessionsDir: directory });
    expect({ locks, leftovers }).toEqual({ locks: [], leftovers: [left] });
    expect(fs.readdirSync(directory)).toEqual([living]);
  });

  it("only looks, if that is asked for", async () => {
    await plant();
    const before = listing();
    const { locks, cleaned, leftovers } = await cleanStaleLockFiles({
      sessionsDir: directory,
      removeStale: false,
    });
    expect([locks.length, cleaned, leftovers]).toEqual([8, [], []]);
    expect(listing()).toEqual(before);
  });

  it("removes old lock files of the dead on request, and no others", async () => {
    await plant();
    const { cleaned } = await cleanStaleLockFiles({ sessionsDir: directory, migrateLegacyLocks: true });
    expect(cleaned.map(({ lockPath }) => lockPath)).toEqual([lockOf("dead"), lockOf("old-dead")]);
    expect(
      [lockOf("old-dead"), lockOf("old-living"), lockOf("old-garbage")].map((p) => fs.existsSync(p)),
    ).toEqual([false, true, true]);
  });

  it("removes a lock of two dead owners whole", async () => {
    const self = readOwnerScope(createObserver());
    fs.mkdirSync(lockOf("two"));
    for (const pid of [deadPid(), deadPid()].map(String)) {
      const name = formatOwnerName({ ...self, pid, tid: pid, life: "-", nonce: newNonce() });
      fs.writeFileSync(join(lockOf("two"), name), "{}");
    }
    const { cleaned } = await cleanStaleLockFiles({ sessionsDir: directory });
    expect(cleaned).toMatchObject([{ lockPath: lockOf("two"), removed: true }]);
    expect(fs.existsSync(lockOf("two"))).toBe(false);
  });

  it("does not remove a lock with one dead owner and one that is not", async () => {
    holdAndDie({ sessionFile: session("two") });
    fs.writeFileSync(join(lockOf("two"), STRANGER), "{}");
    const { cleaned } = await cleanStaleLockFiles({ sessionsDir: directory });
    expect(cleaned).toEqual([]);
    expect(fs.readdirSync(lockOf("two"))).toHaveLength(2);
  });

  it.each([
    [undefined, "the parameters must be an object"],
    [{}, "sessionsDir must be a path, a string that is not empty"],
    [{ sessionsDir: "x", removeStale: 1 }, "removeStale must be a boolean, not 1"],
    [{ sessionsDir: "x", staleMs: 1 }, 'there is no option "staleMs"'],
  ])("refuses %j with EINVAL", async (params, words) => {
    await expect(cleanStaleLockFiles(params as never)).rejects.toMatchObject({
      code: "EINVAL",
      message: `Cannot clean session locks: ${words}`,
    });
  });
});

describe("breakSessionLock", () => {
  it("takes the lock from an owner that cannot be judged, by its exact name, and the next one gets it", async () => {
    fs.mkdirSync(lockOf("a"));
    fs.writeFileSync(join(lockOf("a"), STRANGER), "{}");
    const other = `${STRANGER.slice(0, -1)}8`;
    expect(await breakSessionLock(session("a"), other)).toBe(false);
    expect(fs.readdirSync(lockOf("a"))).toEqual([STRANGER]);
    expect(await breakSessionLock(session("a"), STRANGER)).toBe(true);
    expect(await breakSessionLock(session("a"), STRANGER)).toBe(false);
    held = await acquireSessionWriteLock({ sessionFile: session("a"), timeoutMs: 1_000 });
  });

  it.each(["missing", "a file"])(
    "takes it by the lock path too, and of a session file (%s) that is called like one",
    async (what) => {
      const called = join(directory, "x.lock");
      if (what === "a file") fs.writeFileSync(called, "{}\n");
      fs.mkdirSync(`${called}.lock`);
      fs.writeFileSync(join(`${called}.lock`, STRANGER), "{}");
      expect((await inspectSessionLocks(called)).map(({ lockPath, state }) => [lockPath, state])).toEqual([
        [called, what === "a file" ? "foreign" : "free"],
        [`${called}.lock`, "unknown"],
      ]);
      expect(await breakSessionLock(called, STRANGER)).toBe(true);
      expect(await breakSessionLock(called, STRANGER)).toBe(false);
      fs.mkdirSync(lockOf("a"));
      fs.writeFileSync(join(lockOf("a"), STRANGER), "{}");
      expect(await breakSessionLock(lockOf("a"), STRANGER)).toBe(true);
    },
  );

  it("refuses for an owner that lives", async () => {
    held = await acquireSessionWriteLock({ sessionFile: session("a") });
    const [name = ""] = fs.readdirSync(lockOf("a"));
    await expect(breakSessionLock(session("a"), name)).rejects.toMatchObject({
      code: "ELOCKED",
      owner: { pid: process.pid },
    });
    held.assertHeld();
  });

  it.each(["notes.txt", "", "..", "../a.jsonl", `${STRANGER}/x`, `../${STRANGER}`])(
    "refuses %j, which is not the name of an owner, and touches nothing",
    async (name) => {
      fs.mkdirSync(lockOf("a"));
      fs.writeFileSync(join(lockOf("a"), "notes.txt"), "");
      const before = listing();
      await expect(breakSessionLock(session("a"), name)).rejects.toMatchObject({ code: "EINVAL" });
      expect(listing()).toEqual(before);
    },
  );
});
