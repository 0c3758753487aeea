/**
 * Bad input, bad directories, and whatever may stand at a lock path: a clear error of the one class, and
 * nothing is deleted. On a real temporary directory, through the public API alone.
 */

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type AcquireSessionWriteLockParams,
  acquireSessionWriteLock,
  type SessionWriteLock,
  SessionWriteLockError,
  type SessionWriteLockErrorCode,
  withSessionWriteLock,
} from "../../src/index.ts";

/** Long enough to look at the disk at least once on a machine that is busy with something else. */
const TIMEOUT_MS = Number(process.env["SWL_WAIT_MS"] ?? 500);
const posix = process.platform !== "win32";

let directory: string;
let sessionFile: string;
let lockPath: string;
let held: SessionWriteLock[];

beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "session-write-lock-bad-input-")));
  sessionFile = join(directory, "session.jsonl");
  lockPath = `${sessionFile}.lock`;
  held = [];
  fs.writeFileSync(sessionFile, "precious\n");
  fs.writeFileSync(join(directory, "other.jsonl.lock"), '{"pid":4711}');
});

afterEach(async () => {
  for (const lock of held) await lock.release();
  fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

describe("an option that cannot be used is refused with EINVAL, and nothing is touched:", () => {
  const noNumbers = [0, -1, Number.NEGATIVE_INFINITY, Number.NaN, "1000", null, {}, true, 10n];
  for (const option of ["timeoutMs", "staleMs", "maxHoldMs"]) {
    it.each(noNumbers)(`${option} is %s`, async (value) => {
      const words = new RegExp(`^Cannot acquire session lock: ${option} must be a positive number`);
      await expectRefusal({ sessionFile, [option]: value }, "EINVAL", words);
    });
  }

  it.each([0, 1, "true", null, {}])("allowReentrant is %j", async (allowReentrant) => {
    await expectRefusal(
      { sessionFile, allowReentrant },
      "EINVAL",
      /: allowReentrant must be a boolean, not /,
    );
  });

  it.each([
    null,
    "abort",
    {},
    { aborted: false },
    new AbortController(),
    new EventTarget(),
    { aborted: false, addEventListener: () => {} },
  ])("signal is %o", async (signal) => {
    await expectRefusal({ sessionFile, signal }, "EINVAL", /: signal must be an AbortSignal$/);
  });

  it.each(["meta", "timeout", "stale", "reentrant", "constructor"])("there is no option %s", async (key) => {
    const words = new RegExp(`: there is no option "${key}"$`);
    await expectRefusal({ sessionFile, [key]: 1 }, "EINVAL", words);
  });

  it.each(["timeoutMs", "allowReentrant"])("%s has no text form", async (option) => {
    const words = new RegExp(`: ${option} must be .*, not a value without a text form$`);
    await expectRefusal({ sessionFile, [option]: Object.create(null) as unknown }, "EINVAL", words);
  });

  it.each([undefined, null, 1, "a.jsonl"])("the parameters are %j", async (params) => {
    await expectRefusal(params, "EINVAL", /: the parameters must be an object$/);
  });
});

describe("options that change while they are used:", () => {
  it("each is read once", async () => {
    const read = new Map<PropertyKey, number>();
    const names =
      "sessionFile staleMs maxHoldMs revokeAfterMaxHold allowReentrant signal metadata migrateLegacyLocks";
    const all = `${names} onTakeover timeoutMs onWaiting`.split(" ");
    const params = new Proxy(
      { ...Object.fromEntries(all.map((name) => [name, undefined])), sessionFile },
      {
        get: (target, name, receiver) => {
          read.set(name, (read.get(name) ?? 0) + 1);
          return Reflect.get(target, name, receiver);
        },
      },
    );
    await withSessionWriteLock(params, () => {});
    expect([...read].sort()).toEqual(all.map((name) => [name, 1]).sort());
  });

  it("the lock is as it was asked for, whatever they say by now", async () => {
    const holder = await acquireSessionWriteLock({ sessionFile });
    const params = { sessionFile, allowReentrant: false };
    const section = withSessionWriteLock(params, () =>
      acquireSessionWriteLock({ sessionFile, allowReentrant: true, timeoutMs: 1_000 }),
    );
    params.allowReentrant = true;
    await holder.release();
    await expect(section).rejects.toMatchObject({ code: "EDEADLK" });
  });
});

describe("a session file that cannot be used is refused, and nothing is touched:", () => {
  it.each([undefined, null, 1, "", {}, Object.create(null) as unknown])(
    "sessionFile is %j",
    async (given) => {
      await expectRefusal(
        { sessionFile: given },
        "EINVAL",
        /: sessionFile must be a path, a string that is not empty$/,
      );
    },
  );

  it("sessionFile has a null byte in it", async () => {
    const given = `${sessionFile}\0.jsonl`;
    await expectRefusal({ sessionFile: given }, "EINVAL", /: sessionFile must not contain a null byte$/);
  });

  it("sessionFile is a directory", async () => {
    await expectRefusal({ sessionFile: directory }, "EINVAL", /^Cannot lock .*: it is a directory/);
    await expectRefusal({ sessionFile: `${directory}/` }, "EINVAL", /^Cannot lock .*: it is a directory/);
    await expectRefusal({ sessionFile: "/" }, "EINVAL", /^Cannot lock .*: it is a directory/);
  });

  it("its parent is a file", async () => {
    await expectRefusal(
      { sessionFile: join(sessionFile, "a.jsonl") },
      "EDISK",
      /^Cannot .*: (ENOTDIR|EEXIST)/,
    );
  });

  it("the parent of its parent is a file", async () => {
    const given = join(sessionFile, "deeper", "a.jsonl");
    await expectRefusal({ sessionFile: given }, "EDISK", /^Cannot use .* for a session: (ENOTDIR|EEXIST)/);
  });

  it.skipIf(!posix)("it is a symbolic link to itself, which is no session file to anybody", async () => {
    const loop = join(directory, "loop.jsonl");
    fs.symlinkSync("loop.jsonl", loop);
    await expectRefusal({ sessionFile: loop }, "EDISK", /^Cannot .*: ELOOP/);
  });

  it.skipIf(!posix).each([251, 252, 253, 254, 255, 256, 4096])(
    "its name has %i bytes, so that its lock's has more than 255",
    async (bytes) => {
      const given = join(directory, "n".repeat(bytes));
      await expectRefusal(
        { sessionFile: given },
        "EINVAL",
        /its name is longer than this file system allows$/,
      );
    },
  );

  it.skipIf(!posix)("its name has 126 letters, but 252 bytes", async () => {
    const given = join(directory, "ü".repeat(126));
    const words = /its name is longer than this file system allows$/;
    // File systems that count letters take it.
    if (!takesName(`${given}.lock`)) await expectRefusal({ sessionFile: given }, "EINVAL", words);
  });
});

describe("a session file is fine, although it looks odd:", () => {
  it.skipIf(!posix)("its name has 250 bytes, so that its lock's has 255", async () => {
    const lock = await acquire({ sessionFile: join(directory, "n".repeat(250)) });
    expect(fs.statSync(lock.lockPath).isDirectory()).toBe(true);
    await lock.release();
    const again = await acquire({ sessionFile: join(directory, "n".repeat(250)) });
    await again.release();
    expect(fs.existsSync(lock.lockPath)).toBe(false);
  });

  it("its directory is missing, and is made", async () => {
    const lock = await acquire({ sessionFile: join(directory, "new", "deeper", "a.jsonl") });
    expect(lock.lockPath).toBe(join(directory, "new", "deeper", "a.jsonl.lock"));
    expect(fs.existsSync(lock.lockPath)).toBe(true);
  });

  it("it does not exist, and is not made", async () => {
    const lock = await acquire({ sessionFile: join(directory, "new.jsonl") });
    expect(fs.existsSync(lock.sessionFile)).toBe(false);
  });

  it("its name has spaces, quotes, line feeds and dots", async () => {
    const lock = await acquire({ sessionFile: join(directory, posix ? " ..a 'b' \n\\c" : "a 'b' c") });
    expect(fs.existsSync(lock.lockPath)).toBe(true);
  });

  it("options are given, but undefined", async () => {
    const undefinedOptions = { timeoutMs: undefined, signal: undefined, staleMs: undefined };
    const params = { sessionFile, ...undefinedOptions } as unknown as AcquireSessionWriteLockParams;
    expect((await acquire(params)).isHeld()).toBe(true);
  });

  it("waits may be endless", async () => {
    const endless = Number.POSITIVE_INFINITY;
    await acquire({ sessionFile, timeoutMs: endless, staleMs: endless, maxHoldMs: endless });
  });
});

describe("a directory that the user may not use is refused with EDISK and the reason:", () => {
  // Root may do everything: the attempt is made by nobody, in a process of its own.
  it.skipIf(!posix)("it is writable after all, and the attempt succeeds", async () => {
    fs.chmodSync(directory, 0o777);
    expect(await acquireAsNobody()).toEqual({ held: true });
  });

  it.skipIf(!posix).each([
    ["read-only", 0o555],
    ["unreadable, but writable", 0o333],
    ["not to be entered", 0o666],
    ["closed", 0o000],
  ])("it is %s", async (_what, mode) => {
    const before = snapshot();
    fs.chmodSync(directory, mode);
    const outcome = await acquireAsNobody();
    fs.chmodSync(directory, 0o700);
    expect(outcome).toMatchObject({ name: "SessionWriteLockError", code: "EDISK", cause: "EACCES" });
    expect(outcome).toHaveProperty("message", expect.stringMatching(/^Cannot .*: EACCES/));
    // The unreadable one may have got an empty directory, which counts as free.
    expect(snapshot().filter((entry) => entry !== "session.jsonl.lock: directory")).toEqual(before);
  });
});

describe("what stands at the lock path and is not a lock is waited for, never followed, never deleted:", () => {
  it("an empty file", async () => {
    fs.writeFileSync(lockPath, "");
    await expectForeign("an empty file");
  });

  it("an old lock file with JSON in it", async () => {
    fs.writeFileSync(lockPath, JSON.stringify({ pid: 1, createdAt: "2020-01-01T00:00:00.000Z" }));
    const error = await expectForeign(
      "an old lock file of pid 1, made at 2020-01-01T00:00:00.000Z; pid 1 runs",
    );
    expect(error.message).toContain(`pid=1 ${lockPath} is not a lock`);
    expect(error.owner).toMatchObject({ pid: 1, name: "" });
  });

  it("a file with garbage in it", async () => {
    fs.writeFileSync(lockPath, Buffer.from([0, 255, 254, 10, 0]));
    await expectForeign("a file of 5 bytes");
  });

  it.skipIf(!posix)("a FIFO", async () => {
    execFileSync("mkfifo", [lockPath]);
    await expectForeign("a FIFO");
  });

  it.skipIf(!posix)("a socket", async () => {
    const server = createServer().listen(lockPath);
    await once(server, "listening");
    await expectForeign("a socket");
    server.close();
  });

  it.skipIf(process.getuid?.() !== 0)("a device", async () => {
    execFileSync("mknod", [lockPath, "c", "1", "5"]);
    await expectForeign("a device");
  });

  it("a huge file", async () => {
    fs.writeFileSync(lockPath, "");
    fs.truncateSync(lockPath, 2 ** 40);
    await expectForeign(`a file of ${2 ** 40} bytes`);
    fs.truncateSync(lockPath, 0);
  });

  it.skipIf(!posix)("a symbolic link to a file", async () => {
    fs.symlinkSync("session.jsonl", lockPath);
    await expectForeign("a symbolic link");
  });

  it.skipIf(!posix)("a symbolic link to an empty directory", async () => {
    fs.mkdirSync(join(directory, "elsewhere"));
    fs.symlinkSync("elsewhere", lockPath);
    await expectForeign("a symbolic link");
  });

  it.skipIf(!posix)("a symbolic link to a directory with known junk in it", async () => {
    fs.mkdirSync(join(directory, "elsewhere"));
    fs.writeFileSync(join(directory, "elsewhere", ".DS_Store"), "");
    fs.symlinkSync("elsewhere", lockPath);
    await expectForeign("a symbolic link");
  });

  it.skipIf(!posix)("a symbolic link to nowhere", async () => {
    fs.symlinkSync("nowhere", lockPath);
    await expectForeign("a symbolic link");
  });

  it.skipIf(!posix)("a symbolic link to itself", async () => {
    fs.symlinkSync("session.jsonl.lock", lockPath);
    await expectForeign("a symbolic link");
  });

  it("a directory with something unknown in it", async () => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, "notes.txt"), "precious");
    await expectForeign('a directory that holds "notes.txt"');
  });

  it("a directory with known junk and something unknown in it", async () => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, ".DS_Store"), "");
    fs.mkdirSync(join(lockPath, "precious"));
    await expectForeign('a directory that holds "precious"');
  });

  it("a directory with what is almost the name of an owner", async () => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, `${STRANGER}0`), "");
    await expectForeign("a directory that holds");
  });

  it("an owner of another host, whose life nobody here can judge", async () => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, STRANGER), '{"hostname":"app-0"}');
    const error = await expectTimeout("session_busy");
    expect(error.message).toContain(
      `pid=4711 host=app-0 ${lockPath} (another boot id; cannot be judged from here`,
    );
    expect(error.owner).toMatchObject({ pid: 4711, host: "app-0", name: STRANGER });
    expect(error.owner?.ageMs).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["a host name with control characters", '{"hostname":"a\\u001b[2Jb"}'],
    ["a host name that is none", '{"hostname":{"length":5}}'],
    ["a mebibyte", `{"hostname":"${"a".repeat(2 ** 20)}"}`],
  ])("an owner whose file holds %s: nothing of it is shown", async (_what, content) => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, STRANGER), content);
    const error = await expectTimeout("session_busy");
    expect(error.message).toContain(`pid=4711 ${lockPath}`);
    expect(error.owner?.host).toBeUndefined();
  });

  it("an owner whose file is a link or a pipe: it is not opened", async () => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(directory, "elsewhere"), '{"hostname":"app-0"}');
    fs.symlinkSync(join(directory, "elsewhere"), join(lockPath, STRANGER));
    expect((await expectTimeout("session_busy")).owner?.host).toBeUndefined();
    if (process.platform === "win32") return;
    fs.rmSync(join(lockPath, STRANGER));
    spawnSync("mkfifo", [join(lockPath, STRANGER)]);
    expect((await expectTimeout("session_busy")).owner?.host).toBeUndefined();
  });
});

describe("what stands at the lock path and counts as free is taken:", () => {
  it("an empty directory", async () => {
    fs.mkdirSync(lockPath);
    const lock = await acquire();
    lock.assertHeld();
  });

  it.each([".DS_Store", "Thumbs.db", "desktop.ini", "._session", ".nfs0001"])(
    "a directory with %s in it",
    async (junk) => {
      fs.mkdirSync(lockPath);
      fs.writeFileSync(join(lockPath, junk), "");
      const lock = await acquire();
      lock.assertHeld();
      expect(fs.readdirSync(lockPath)).not.toContain(junk);
    },
  );
});

describe("a wait that ends without the lock", () => {
  it("rejects at once with the reason of a signal that is aborted already, and touches nothing", async () => {
    const before = snapshot();
    const reason = new Error("not today");
    const elsewhere = join(directory, "new", "a.jsonl");
    expect(await failureOf({ sessionFile: elsewhere, signal: AbortSignal.abort(reason) })).toBe(reason);
    expect(await failureOf({ sessionFile: elsewhere, signal: AbortSignal.abort(undefined) })).toMatchObject({
      name: "AbortError",
    });
    expect(snapshot()).toEqual(before);
  });

  it("rejects with signal.reason when it is aborted in the queue, and leaves no entry there", async () => {
    const first = await acquire();
    const controller = new AbortController();
    const aborted = failureOf({ sessionFile, signal: controller.signal });
    const third = acquire();
    const reason = { any: "value" };
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    await first.release();
    expect((await third).isHeld()).toBe(true);
  });

  it("rejects with signal.reason when it is aborted on the disk, and a later one works", async () => {
    fs.writeFileSync(lockPath, "");
    const controller = new AbortController();
    const aborted = failureOf({ sessionFile, signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort("enough");
    expect(await aborted).toBe("enough");
    fs.unlinkSync(lockPath);
    expect((await acquire()).isHeld()).toBe(true);
  });

  it("does not release a lock that was granted, when its signal aborts later", async () => {
    const controller = new AbortController();
    const lock = await acquire({ sessionFile, signal: controller.signal });
    controller.abort();
    lock.assertHeld();
  });

  it("says after a timeout who has the lock, where, and for how long", async () => {
    await acquire();
    const error = await expectTimeout("session_busy");
    expect(error.message).toContain(`pid=${process.pid} ${lockPath}`);
    expect(error.owner?.pid).toBe(process.pid);
    expect(error.owner?.ageMs).toBeGreaterThanOrEqual(TIMEOUT_MS / 2);
  });

  it("leaves no queue entry after a timeout", async () => {
    const first = await acquire();
    await expectTimeout("session_busy");
    await first.release();
    expect((await acquire()).isHeld()).toBe(true);
  });
});

describe("one lock", () => {
  it.skipIf(!posix)("is behind all symbolic links to its directory", async () => {
    fs.mkdirSync(join(directory, "real"));
    fs.symlinkSync("real", join(directory, "link"));
    const throughReal = { sessionFile: join(directory, "real", "a.jsonl") };
    const throughLink = { sessionFile: join(directory, "link", "a.jsonl"), timeoutMs: TIMEOUT_MS };
    const first = await acquire(throughReal);
    expect(await failureOf(throughLink)).toMatchObject({ code: "ELOCKED", lockPath: first.lockPath });
    await first.release();
    const second = await acquire(throughLink);
    expect(await failureOf({ ...throughReal, timeoutMs: TIMEOUT_MS })).toMatchObject({ code: "ELOCKED" });
    expect(second.lockPath).toBe(first.lockPath);
  });

  it("is shared by two copies of the module in one process: they exclude each other", async () => {
    const copy = await secondCopy();
    await acquire();
    const error = await copy.acquireSessionWriteLock({ sessionFile, timeoutMs: TIMEOUT_MS }).catch(identity);
    expect(error).toMatchObject({ code: "ELOCKED", reason: "session_busy" });
    expect(error).toHaveProperty("owner.pid", process.pid);
  });

  it("is tidied up by one exit hook, however many copies of the module there are", async () => {
    const hooks = (): readonly number[] =>
      ["exit", "beforeExit"].map((event) => process.listenerCount(event));
    await (await acquire()).release();
    const before = hooks();
    const copy = await secondCopy();
    await (await copy.acquireSessionWriteLock({ sessionFile: `${sessionFile}.other` })).release();
    expect(hooks()).toEqual(before);
  });

  it("goes from one copy of the module to the other in memory", async () => {
    const copy = await secondCopy();
    // Only within milliseconds after it was taken: on a busy machine an attempt may come too late.
    for (let attempt = 0; attempt < 50; attempt++) {
      const ours = await acquire();
      let theirs: SessionWriteLock | undefined;
      const waiting = copy.acquireSessionWriteLock({ sessionFile }).then((lock) => {
        theirs = lock;
      });
      const released = ours.release();
      // The disk cannot answer before the next turn of the event loop; these are all of this one.
      for (let microtask = 0; microtask < 20; microtask++) await undefined;
      const inMemory: SessionWriteLock | undefined = theirs;
      await Promise.all([released, waiting]);
      await theirs?.release();
      if (inMemory !== undefined) return;
    }
    expect.unreachable("the lock went over the disk each time");
  });

  it("is joined by those who ask for it, and is free when the last of them has left", async () => {
    const reentrant = { sessionFile, allowReentrant: true };
    const [first, second] = [await acquire(reentrant), await acquire(reentrant)];
    expect([first.isHeld(), second.isHeld()]).toEqual([true, true]);
    await first.release();
    expect([first.isHeld(), second.isHeld()]).toEqual([false, true]);
    second.assertHeld();
    await expectTimeout("session_busy");
    await second.release();
    expect(fs.existsSync(lockPath)).toBe(false);
    expect((await acquire()).isHeld()).toBe(true);
  });

  it("is not joined by those who ask for it, if its holder did not", async () => {
    await acquire();
    const params = { sessionFile, allowReentrant: true, timeoutMs: TIMEOUT_MS };
    expect(await failureOf(params)).toMatchObject({ code: "ELOCKED" });
  });

  it("is given back once, however often its holder releases it", async () => {
    const first = await acquire();
    const released = first.release();
    expect(first.release()).toBe(released);
    await released;
    const second = await acquire();
    await first.release();
    await first[Symbol.asyncDispose]();
    second.assertHeld();
    expect(first.isHeld()).toBe(false);
    expect(() => first.assertHeld()).toThrow(expect.objectContaining({ code: "ECOMPROMISED" }));
  });
});

describe("a process", () => {
  it("stays alive while it waits for a lock", async () => {
    fs.writeFileSync(lockPath, "");
    const script = `acquireSessionWriteLock(params).catch((error) => console.log(error.code));`;
    const params = { sessionFile, timeoutMs: TIMEOUT_MS };
    expect(await runScript(script, { params })).toEqual({ code: 0, stdout: "ELOCKED\n", stderr: "" });
  });

  it("does not stay alive because it holds a lock, and others get it then", async () => {
    const script = `acquireSessionWriteLock(params).then(() => console.log("held"));`;
    expect(await runScript(script, { params: { sessionFile } })).toEqual({
      code: 0,
      stdout: "held\n",
      stderr: "",
    });
    expect(fs.readdirSync(lockPath)).toHaveLength(1);
    expect((await acquire()).isHeld()).toBe(true);
  });
});

// ------------------------------------------------------------------------------------------------
// Acquiring

async function acquire(params: AcquireSessionWriteLockParams = { sessionFile }): Promise<SessionWriteLock> {
  const lock = await acquireSessionWriteLock(params);
  held.push(lock);
  return lock;
}

/** What it rejects with; a lock that is granted instead fails the test. */
async function failureOf(params: unknown): Promise<unknown> {
  try {
    held.push(await acquireSessionWriteLock(params as AcquireSessionWriteLockParams));
  } catch (error) {
    return error;
  }
  return expect.unreachable("the lock was granted");
}

async function expectRefusal(params: unknown, code: SessionWriteLockErrorCode, words: RegExp): Promise<void> {
  const before = snapshot();
  const error = await failureOf(params);
  expect(error).toBeInstanceOf(SessionWriteLockError);
  expect(error).toMatchObject({ name: "SessionWriteLockError", code });
  expect(error).toHaveProperty("message", expect.stringMatching(words));
  expect(error).toHaveProperty("sessionFile", expect.any(String));
  expect(snapshot()).toEqual(before);
}

async function expectForeign(words: string): Promise<SessionWriteLockError> {
  const error = await expectTimeout("foreign");
  expect(error.message).toContain(`${lockPath} is not a lock of this library`);
  expect(error.message).toContain(words);
  expect(error.message).toContain("it is left alone");
  return error;
}

async function expectTimeout(reason: "session_busy" | "foreign"): Promise<SessionWriteLockError> {
  const before = snapshot();
  const startedAt = performance.now();
  const error = await failureOf({ sessionFile, timeoutMs: TIMEOUT_MS });
  // Timers of Node may be a millisecond early.
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(TIMEOUT_MS - 2);
  expect(snapshot()).toEqual(before);
  if (!(error instanceof SessionWriteLockError)) throw error;
  expect(error.message).toMatch(new RegExp(`^session file locked \\(timeout ${TIMEOUT_MS}ms\\): `));
  expect(error).toMatchObject({ code: "ELOCKED", reason, lockPath, sessionFile });
  return error;
}

/** All of `src`, loaded once more: other classes, other maps, the same `globalThis`. */
async function secondCopy(): Promise<typeof import("../../src/index.ts")> {
  vi.resetModules();
  const copy = await import("../../src/index.ts");
  expect(copy.acquireSessionWriteLock).not.toBe(acquireSessionWriteLock);
  return copy;
}

const identity = (error: unknown): unknown => error;

// ------------------------------------------------------------------------------------------------
// The disk

/** The name of an owner on another host, in another boot. */
const STRANGER =
  "own1_4711_4711_1000_1000_0123456789abcdef_fedcba9876543210_4026531836_4026531834_00000000feedbeef00000000feedbeef_0123456789abcdef01234567";

/** Everything in the directory, with its kind and content. The homes that this process keeps are its own. */
function snapshot(below = ""): string[] {
  const entries: string[] = [];
  for (const { name } of fs.readdirSync(join(directory, below), { withFileTypes: true })) {
    if (name.startsWith(".swl-")) continue;
    const path = join(below, name);
    const stat = fs.lstatSync(join(directory, path));
    if (stat.isDirectory()) entries.push(`${path}: directory`, ...snapshot(path));
    else if (stat.isSymbolicLink()) entries.push(`${path} -> ${fs.readlinkSync(join(directory, path))}`);
    else if (stat.size > 2 ** 30) entries.push(`${path}: ${stat.size} bytes`);
    else if (stat.isFile()) entries.push(`${path}: ${fs.readFileSync(join(directory, path), "hex")}`);
    else entries.push(`${path}: special`);
  }
  return entries.sort();
}

function takesName(path: string): boolean {
  try {
    fs.lstatSync(path, { throwIfNoEntry: false });
    return true;
  } catch {
    return false;
  }
}

// ------------------------------------------------------------------------------------------------
// Other processes

const NOBODY = 65_534;

/** As another user if we are root, who may do everything; else as ourselves. */
async function acquireAsNobody(): Promise<unknown> {
  const script = `
    const say = (outcome) => console.log(JSON.stringify(outcome));
    acquireSessionWriteLock(params).then(
      (lock) => lock.release().then(() => say({ held: true })),
      ({ name, code, message, cause }) => say({ name, code, message, cause: cause?.code }),
    );`;
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const { stdout, stderr } = await runScript(script, {
    params: { sessionFile, timeoutMs: TIMEOUT_MS },
    user,
  });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

interface ScriptOptions {
  readonly params: AcquireSessionWriteLockParams;
  readonly user?: { readonly uid?: number; readonly gid?: number };
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runScript(script: string, { params, user = {} }: ScriptOptions): Promise<Ended> {
  const source = `
    import { acquireSessionWriteLock } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url))};
    const params = ${JSON.stringify(params)};
    ${script}`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", source], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "pipe"],
    ...user,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => {
    stderr += text.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
