import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acquireSessionWriteLock,
  breakSessionLock,
  cleanStaleLockFiles,
  inspectSessionLocks,
  type SessionWriteLock,
  type SessionWriteLockError,
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
  vi.restoreAllMocks();
  await held?.release();
  held = undefined;
  fs.rmSync(directory, { recursive: true, force: true });
});

const self = readOwnerScope(createObserver());
const nameOf = (pid: string): string =>
  formatOwnerName({
    ...self,
    pid,
    tid: pid,
    processStart: "-",
    threadStart: "-",
    life: "-",
    nonce: newNonce(),
  });
/** No pid is that large. */
const DEAD = "2147483646";
/** Puts a lock there that these have. */
function plantLock(name: string, ...owners: readonly string[]): void {
  fs.mkdirSync(lockOf(name));
  for (const owner of owners) fs.writeFileSync(join(lockOf(name), owner), "{}");
}
/** A call of node:fs that fails at one path. */
function failAt(
  call: "readdirSync" | "unlinkSync" | "lstatSync" | "realpathSync",
  at: string,
  errno: string,
): void {
  const real = fs[call] as (...args: unknown[]) => unknown;
  vi.spyOn(fs, call).mockImplementation(((...args: unknown[]) => {
    if (args[0] === at) throw Object.assign(new Error(`${errno}: on purpose`), { code: errno });
    return real(...args);
  }) as never);
}
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

  it.each([
    [undefined, "undefined"],
    [null, "null"],
    [1, "1"],
    ["", ""],
    ["a\0b", "a\0b"],
  ])("refuses %j with EINVAL", async (path, text) => {
    await expect(inspectSessionLocks(path as string)).rejects.toMatchObject({
      code: "EINVAL",
      message: `Cannot look at the locks of ${text}: it must be a path, a string that is not empty`,
      sessionFile: text,
    });
  });

  it("says of a lock that nobody has all that is to be said", async () => {
    const free = {
      owners: [],
      pid: null,
      pidAlive: false,
      createdAt: null,
      ageMs: null,
      stale: false,
      staleReasons: [],
      removed: false,
      state: "free",
    };
    plantLock("b");
    plantLock("a", ".DS_Store");
    expect(await inspectSessionLocks(directory)).toEqual([
      { ...free, lockPath: lockOf("a"), note: "an empty directory" },
      { ...free, lockPath: lockOf("b"), note: "an empty directory" },
    ]);
    expect(await inspectSessionLocks(session("c"))).toEqual([
      { ...free, lockPath: lockOf("c"), note: "nothing stands there" },
    ]);
    fs.writeFileSync(lockOf("d"), "");
    expect(await inspectSessionLocks(session("d"))).toEqual([
      { ...free, lockPath: lockOf("d"), state: "foreign", note: "an empty file" },
    ]);
  });

  it.runIf(process.platform === "linux")(
    "says of an old lock file whose it is, and whether that one is dead",
    async () => {
      fs.writeFileSync(lockOf("a"), JSON.stringify({ pid: Number(DEAD), ...LEGACY }));
      const [found] = await inspectSessionLocks(session("a"));
      expect(found).toEqual({
        lockPath: lockOf("a"),
        state: "foreign",
        owners: [],
        note: `an old lock file of pid ${DEAD}, made at ${LEGACY.createdAt}; pid ${DEAD} is gone`,
        pid: Number(DEAD),
        pidAlive: false,
        createdAt: LEGACY.createdAt,
        ageMs: found?.ageMs,
        stale: true,
        staleReasons: [`pid ${DEAD} is gone`],
        removed: false,
      });
      expect(found?.ageMs).toBeGreaterThanOrEqual(0);
      fs.writeFileSync(lockOf("a"), JSON.stringify({ pid: process.pid, ...LEGACY }));
      expect(await inspectSessionLocks(session("a"))).toMatchObject([
        { pidAlive: true, stale: false, staleReasons: [] },
      ]);
    },
  );

  it.runIf(process.platform === "linux")(
    "is of the first owner, held if one of them lives, and stale if none may",
    async () => {
      plantLock("a", nameOf(DEAD), STRANGER);
      plantLock("b", nameOf(String(process.ppid)), STRANGER);
      plantLock("c", nameOf(DEAD), nameOf(DEAD));
      const observer = createObserver();
      const { before } = observer.observe({ pid: String(process.ppid), tid: String(process.ppid) });
      const start = typeof before === "string" ? "-" : before.start;
      const parent = String(process.ppid);
      const living = { ...self, pid: parent, tid: parent, processStart: start, threadStart: start };
      plantLock("d", formatOwnerName({ ...living, life: "-", nonce: newNonce() }), STRANGER);
      vi.spyOn(Date, "now").mockReturnValue(fs.statSync(lockOf("d")).ctimeMs + 5_000);
      const found = await inspectSessionLocks(directory);
      expect(found.map(({ state, stale, staleReasons }) => [state, stale, staleReasons.length])).toEqual([
        ["unknown", false, 0],
        ["unknown", false, 0],
        ["stale", true, 2],
        ["held", false, 0],
      ]);
      expect(found[2]).toMatchObject({ pid: Number(DEAD), pidAlive: false, note: "" });
      const [first] = fs.readdirSync(lockOf("d"));
      const isParent = first?.startsWith(`own1_${parent}_`) === true;
      expect(found[3]).toMatchObject({
        pid: isParent ? process.ppid : 4711,
        pidAlive: true,
        ageMs: 5_000,
        createdAt: new Date(fs.statSync(lockOf("d")).ctimeMs).toISOString(),
      });
    },
  );

  it("is foreign if one name in it is, and stands in the order of the names", async () => {
    plantLock("b", STRANGER, "notes.txt");
    plantLock("a", STRANGER);
    const readdir = fs.readdirSync;
    vi.spyOn(fs, "readdirSync").mockImplementation(((at: string) => {
      const names = (readdir(at) as string[]).sort();
      return at === directory ? names.reverse() : names;
    }) as never);
    expect((await inspectSessionLocks(directory)).map(({ lockPath, state }) => [lockPath, state])).toEqual([
      [lockOf("a"), "unknown"],
      [lockOf("b"), "foreign"],
    ]);
  });

  it("says that one cannot be looked at, and shows the others", async () => {
    plantLock("a");
    plantLock("b");
    failAt("readdirSync", lockOf("a"), "EACCES");
    expect(await inspectSessionLocks(directory)).toMatchObject([
      { lockPath: lockOf("a"), state: "unknown", note: "EACCES", owners: [], stale: false, removed: false },
      { lockPath: lockOf("b"), state: "free" },
    ]);
    failAt("readdirSync", lockOf("a"), "ENOENT");
    expect(await inspectSessionLocks(session("a"))).toMatchObject([{ state: "free" }]);
  });

  it("says that a path cannot be looked at, and why", async () => {
    fs.writeFileSync(session("a"), "");
    const below = join(session("a"), "x");
    await expect(inspectSessionLocks(below)).rejects.toMatchObject({
      code: "EDISK",
      message: `Cannot look at the locks of ${below}: ENOTDIR`,
      sessionFile: below,
      cause: { code: "ENOTDIR" },
    });
    failAt("readdirSync", directory, "EACCES");
    await expect(inspectSessionLocks(directory)).rejects.toMatchObject({
      code: "EDISK",
      message: `Cannot look at the locks of ${directory}: EACCES`,
      cause: { code: "EACCES" },
    });
  });

  it("takes a directory that is called like a lock for one", async () => {
    fs.mkdirSync(join(directory, "x.lock", "y.lock"), { recursive: true });
    expect((await inspectSessionLocks(join(directory, "x.lock"))).map(({ lockPath }) => lockPath)).toEqual([
      join(directory, "x.lock"),
    ]);
    expect((await inspectSessionLocks(join(directory, "no", "c"))).map(({ lockPath }) => lockPath)).toEqual([
      join(directory, "no", "c.lock"),
    ]);
  });

  it("says that a directory cannot be read", async () => {
    fs.writeFileSync(session("a"), "");
    await expect(cleanStaleLockFiles({ sessionsDir: session("a") })).rejects.toMatchObject({
      code: "EDISK",
      message: `Cannot look at the locks of ${session("a")}: ENOTDIR`,
      sessionFile: session("a"),
      cause: { code: "ENOTDIR" },
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

  it.runIf(process.platform === "linux")("says why a lock stays, and takes none away in part", async () => {
    const [one, other] = [nameOf(DEAD), nameOf(DEAD)].sort();
    plantLock("a", one ?? "", other ?? "");
    failAt("unlinkSync", join(lockOf("a"), one ?? ""), "EACCES");
    const untouched = vi.spyOn(fs, "rmdirSync");
    expect((await cleanStaleLockFiles({ sessionsDir: directory })).locks).toMatchObject([
      { removed: false, note: "it cannot be removed: EACCES" },
    ]);
    expect(untouched).not.toHaveBeenCalled();
    expect(fs.readdirSync(lockOf("a")).sort()).toEqual([one, other]);
    vi.restoreAllMocks();
    failAt("unlinkSync", join(lockOf("a"), one ?? ""), "ENOENT");
    expect((await cleanStaleLockFiles({ sessionsDir: directory })).locks).toMatchObject([
      { removed: false, note: "somebody else was first" },
    ]);
    // What is foreign stays, and so does the directory.
    vi.restoreAllMocks();
    const rmdir = vi.spyOn(fs, "rmdirSync").mockImplementation(() => {
      throw Object.assign(new Error("ENOTEMPTY"), { code: "ENOTEMPTY" });
    });
    expect((await cleanStaleLockFiles({ sessionsDir: directory })).cleaned).toMatchObject([{ note: "" }]);
    expect(rmdir.mock.calls).toEqual([[lockOf("a")]]);
  });

  it.runIf(process.platform === "linux")("warns of an old lock file that came in between", async () => {
    fs.writeFileSync(lockOf("a"), JSON.stringify({ pid: Number(DEAD), ...LEGACY }));
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const rename = fs.renameSync;
    vi.spyOn(fs, "renameSync").mockImplementation((from, to) => {
      fs.writeFileSync(lockOf("a"), "of a living one");
      rename(from, to);
    });
    vi.spyOn(fs, "linkSync").mockImplementation(() => {
      throw Object.assign(new Error("EEXIST"), { code: "EEXIST" });
    });
    const options = { sessionsDir: directory, migrateLegacyLocks: true };
    const { cleaned } = await cleanStaleLockFiles(options);
    expect(cleaned).toEqual([]);
    expect(warned.mock.calls.map(([, how]) => how)).toEqual([
      { type: "SessionWriteLockWarning", code: "SWL_LEGACY" },
    ]);
  });

  it.each([
    [undefined, "the parameters must be an object"],
    [null, "the parameters must be an object"],
    ["x", "the parameters must be an object"],
    [{}, "sessionsDir must be a path, a string that is not empty"],
    [{ sessionsDir: "" }, "sessionsDir must be a path, a string that is not empty"],
    [{ sessionsDir: "a\0b" }, "sessionsDir must be a path, a string that is not empty"],
    [{ sessionsDir: ["x"] }, "sessionsDir must be a path, a string that is not empty"],
    [{ sessionsDir: "x", migrateLegacyLocks: "no" }, 'migrateLegacyLocks must be a boolean, not "no"'],
    [{ sessionsDir: "x", removeStale: 1 }, "removeStale must be a boolean, not 1"],
    [{ sessionsDir: "x", staleMs: 1 }, 'there is no option "staleMs"'],
  ])("refuses %j with EINVAL", async (params, words) => {
    await expect(cleanStaleLockFiles(params as never)).rejects.toMatchObject({
      code: "EINVAL",
      message: `Cannot clean session locks: ${words}`,
      sessionFile: "",
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
      message: `Cannot break the session lock ${lockOf("a")}: this very process has it, or is about to take it`,
      sessionFile: session("a"),
      lockPath: lockOf("a"),
      reason: "session_busy",
      owner: { pid: process.pid, verdict: "this very process has it, or is about to take it" },
    });
    held.assertHeld();
  });

  it("refuses for an owner that is proved alive, though not by what this process remembers", async () => {
    const living = formatOwnerName({ ...self, life: "-", nonce: newNonce() });
    plantLock("a", living);
    const { verdict, code, message } = await breakSessionLock(session("a"), living).then(
      () => expect.unreachable(),
      (error: SessionWriteLockError) => ({ ...error, ...error.owner, message: error.message }),
    );
    expect(verdict).toMatch(/this|runs/);
    expect([code, message]).toEqual(["ELOCKED", `Cannot break the session lock ${lockOf("a")}: ${verdict}`]);
    expect(fs.readdirSync(lockOf("a"))).toEqual([living]);
  });

  it("says what the disk refuses, and of a directory means the lock that is called like it", async () => {
    plantLock("a", STRANGER);
    failAt("unlinkSync", join(lockOf("a"), STRANGER), "EACCES");
    await expect(breakSessionLock(session("a"), STRANGER)).rejects.toMatchObject({
      code: "EDISK",
      message: `Cannot break the session lock ${lockOf("a")}: EACCES`,
      sessionFile: session("a"),
      lockPath: lockOf("a"),
      reason: undefined,
      owner: undefined,
    });
    vi.restoreAllMocks();
    fs.mkdirSync(session("a"));
    expect(await breakSessionLock(session("a"), STRANGER)).toBe(true);
    failAt("unlinkSync", join(lockOf("a"), STRANGER), "ENOTDIR");
    expect(await breakSessionLock(session("a"), STRANGER)).toBe(false);
  });

  it.each(["notes.txt", "", "..", "../a.jsonl", `${STRANGER}/x`, `../${STRANGER}`])(
    "refuses %j, which is not the name of an owner, and touches nothing",
    async (name) => {
      fs.mkdirSync(lockOf("a"));
      fs.writeFileSync(join(lockOf("a"), "notes.txt"), "");
      const before = listing();
      await expect(breakSessionLock(session("a"), name)).rejects.toMatchObject({
        code: "EINVAL",
        message: `Cannot break the session lock ${lockOf("a")}: ${JSON.stringify(name)} is not the name of an owner`,
      });
      expect(listing()).toEqual(before);
    },
  );
});
