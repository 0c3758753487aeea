import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acquireSessionWriteLock,
  type SessionWriteLock,
  type SessionWriteLockError,
  tryAcquireSessionWriteLock,
  withSessionWriteLock,
} from "../../src/index.ts";
import { parseHomeName } from "../../src/owner/name.ts";
import { diskKindOf, isLocalDisk } from "../../src/paths.ts";
import { type Entry, processRegistry } from "../../src/registry.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
let directory = "";
let sessionFile = "";

beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-housekeeping-")));
  sessionFile = join(directory, "a.jsonl");
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const homes = (): string[] => fs.readdirSync(directory).filter((name) => parseHomeName(name) !== undefined);

/** Runs a script that imports the built package by its name, as a user would. */
function runScript(script: string): { readonly status: number | null; readonly stderr: string } {
  const code = `import { acquireSessionWriteLock } from "session-write-lock";\nconst sessionFile = process.argv[1];\n${script}`;
  const args = ["--input-type=module", "-e", code, sessionFile];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  return { status, stderr };
}

describe("idle homes", () => {
  it("are bounded: a process that went through many sessions keeps a few", async () => {
    for (let i = 0; i < 100; i++) {
      const lock = await acquireSessionWriteLock({ sessionFile: join(directory, `${i}.jsonl`) });
      await lock.release();
    }
    expect(homes().length).toBeLessThanOrEqual(64);
    const again = await acquireSessionWriteLock({ sessionFile: join(directory, "0.jsonl") });
    again.assertHeld();
    await again.release();
  });

  it("go on a clean exit", () => {
    const script = "const lock = await acquireSessionWriteLock({ sessionFile }); await lock.release();";
    expect(runScript(script)).toEqual({ status: 0, stderr: "" });
    expect(homes()).toEqual([]);
  });
});

describe("what a process remembers of a lock path", () => {
  const use = async (file = sessionFile): Promise<Entry | undefined> => {
    const lock = await acquireSessionWriteLock({ sessionFile: file });
    await lock.release();
    return processRegistry().entries.get(lock.lockPath);
  };

  it("is kept with its home for the next time, however many other locks it holds", async () => {
    const held: SessionWriteLock[] = [];
    for (let i = 0; i < 70; i++)
      held.push(await acquireSessionWriteLock({ sessionFile: join(directory, `${i}.jsonl`) }));
    const [before, home] = [await use(), homes()];
    expect(home).toHaveLength(1);
    // More often than there can be idle ones of other tests, which would go first.
    for (let i = 0; i < 70; i++) expect(await use()).toBe(before);
    expect(homes()).toEqual(home);
    for (const lock of held) await lock.release();
    expect(homes()).toHaveLength(64);
  });

  it("stays while it is used, and then goes before those that were used later, with its life socket", async () => {
    const other = fs.mkdtempSync(join(tmpdir(), "swl-housekeeping-"));
    const manyOthers = async (): Promise<void> => {
      for (let i = 0; i < 70; i++) await use(join(other, `${i}.jsonl`));
    };
    const lives = (): string[] => fs.readdirSync(directory).filter((name) => name.startsWith(".swl-life-"));
    try {
      const before = await use();
      const lock = await acquireSessionWriteLock({ sessionFile });
      await manyOthers();
      lock.assertHeld();
      expect(processRegistry().entries.get(lock.lockPath)).toBe(before);
      await lock.release();
      expect([homes(), lives()].map((names) => names.length)).toEqual([
        1,
        process.platform === "linux" && isMainThread ? 1 : 0,
      ]);
      await manyOthers();
      expect([processRegistry().entries.get(lock.lockPath), homes(), lives()]).toEqual([undefined, [], []]);
    } finally {
      fs.rmSync(other, { recursive: true, force: true });
    }
  });

  it.each<[string, boolean, Partial<Entry>]>([
    ["another kind of disk by now", false, { disk: -1 }],
    ["another kind of disk by now, and the file is there", true, { disk: -1 }],
    ["a disk that could not be seen", true, { disk: undefined }],
  ])("is found out anew if the directory is on %s", async (_what, isThere, as) => {
    if (isThere) fs.writeFileSync(sessionFile, "");
    const [before, home] = [await use(), homes()];
    expect(before?.disk).toBe(diskKindOf(directory));
    // As if that had been another one.
    Object.assign(before ?? {}, as, { local: before?.local !== true });
    const after = await use();
    expect(after).not.toBe(before);
    expect(after?.disk).toBe(diskKindOf(directory));
    expect(after?.local).toBe(isLocalDisk(directory));
    expect(homes()).toHaveLength(1);
    expect(homes()).not.toEqual(home);
  });

  it("is kept, and asked each time is where the path leads, and what kind of disk that is on", async () => {
    const before = await use();
    const [realpath, statfs] = [vi.spyOn(fs.realpathSync, "native"), vi.spyOn(fs, "statfsSync")];
    for (let i = 1; i < 4; i++) {
      expect(await use()).toBe(before);
      expect([realpath.mock.calls, statfs.mock.calls]).toEqual([
        Array(i).fill([directory]),
        Array(i).fill([`${directory}/`]),
      ]);
    }
  });

  it("is not asked for while this process uses the lock, but for where the path leads", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const [realpath, statfs] = [vi.spyOn(fs.realpathSync, "native"), vi.spyOn(fs, "statfsSync")];
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    expect([realpath.mock.calls, statfs.mock.calls]).toEqual([[[directory]], []]);
    await lock.release();
  });

  it("is not that its directory is one: another thing in its place is seen at once", async () => {
    const sessions = join(directory, "sessions");
    fs.mkdirSync(sessions);
    const file = { sessionFile: join(sessions, "a.jsonl") };
    await use(file.sessionFile);
    fs.renameSync(sessions, join(directory, "moved"));
    fs.writeFileSync(sessions, "");
    await expect(tryAcquireSessionWriteLock(file)).rejects.toMatchObject({ code: "EDISK" });
    await expect(acquireSessionWriteLock(file)).rejects.toMatchObject({ code: "EDISK", message: /ENOTDIR/ });
  });

  it("is, once a second at most, that its session file is no directory", async () => {
    const began = Math.ceil(performance.now());
    const clock = vi.spyOn(performance, "now").mockReturnValue(began);
    const before = await use();
    fs.mkdirSync(sessionFile);
    clock.mockReturnValue(began + 999.9);
    expect(await use()).toBe(before);
    clock.mockReturnValue(began + 1_000);
    for (let i = 0; i < 2; i++) {
      await expect(use()).rejects.toMatchObject({ code: "EINVAL", message: /is a directory/ });
    }
    fs.rmdirSync(sessionFile);
    await use();
    fs.mkdirSync(sessionFile);
    clock.mockReturnValue(began + 1_999);
    expect(await use()).toBe(before);
  });
});

describe("a path that was canonical, and has a link in it by now", () => {
  const moved = (): string => join(directory, "moved");
  beforeEach(async () => {
    fs.mkdirSync(join(directory, "sessions"));
    sessionFile = join(directory, "sessions", "a.jsonl");
    fs.writeFileSync(sessionFile, "");
    for (let i = 0; i < 2; i++) await (await acquireSessionWriteLock({ sessionFile })).release();
    fs.renameSync(dirname(sessionFile), moved());
    fs.symlinkSync(moved(), dirname(sessionFile));
  });

  it("leads to the lock by its new path", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    expect(lock.lockPath).toBe(join(moved(), "a.jsonl.lock"));
    // A link that is switched while the lock is held is none of its business.
    fs.rmSync(dirname(sessionFile));
    lock.assertHeld();
    await lock.release();
    expect(fs.existsSync(lock.lockPath)).toBe(false);
  });

  it.each(["sessions", "moved"])("is one lock in memory too: asked for again by %s/", async (by) => {
    const again = { sessionFile: join(directory, by, "a.jsonl") };
    await withSessionWriteLock({ sessionFile }, async () => {
      await expect(acquireSessionWriteLock(again)).rejects.toMatchObject({ code: "EDEADLK" });
    });
    const shared = await Promise.all(
      [{ sessionFile }, again].map((file) => acquireSessionWriteLock({ ...file, allowReentrant: true })),
    );
    for (const lock of shared) await lock.release();
  });
});

describe("the signal of a lock", () => {
  it("is one, and is aborted for the first reason, also if it is asked for afterwards", async () => {
    const lost = await acquireSessionWriteLock({ sessionFile });
    fs.rmSync(lost.lockPath, { recursive: true });
    expect(() => lost.assertHeld()).toThrow(/not there any more/);
    const { signal } = lost;
    expect(signal).toBe(lost.signal);
    expect([signal.aborted, (signal.reason as SessionWriteLockError).code]).toEqual([true, "ECOMPROMISED"]);
    await lost.release();
  });
});

describe("an acquisition that nobody is in the way of", () => {
  it("is granted in the turn that asks, on a local disk: to abort it is too late", async () => {
    const controller = new AbortController();
    const noLonger = new Error("no longer");
    // The test before may have used up what this turn may spend on calls that are made at once.
    await new Promise((resolve) => setImmediate(resolve));
    const asked = acquireSessionWriteLock({ sessionFile, signal: controller.signal });
    const isTaken = fs.existsSync(`${sessionFile}.lock`);
    controller.abort(noLonger);
    expect(isTaken).toBe(isLocalDisk(directory));
    if (!isTaken) return await expect(asked).rejects.toBe(noLonger);
    const lock = await asked;
    lock.assertHeld();
    await lock.release();
  });
});

describe("a lock that is joined again and again", () => {
  it("leaves the event loop to others", async () => {
    const shared = { sessionFile, allowReentrant: true };
    const holder = await acquireSessionWriteLock(shared);
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 0);
    // Bounded, so that a failure ends.
    for (let joins = 0; joins < 50_000 && !fired; joins++)
      await (await acquireSessionWriteLock(shared)).release();
    expect(fired).toBe(true);
    await holder.release();
  });
});

describe("a process that ends while it holds", () => {
  it.each([
    ["comes to its end", ""],
    ["calls process.exit", "process.exit(3);"],
    ["throws", "throw new Error('on purpose');"],
    ["is killed", "process.kill(process.pid, 'SIGKILL');"],
  ])("leaves the lock, and the next one takes it over: it %s", async (_how, ending) => {
    runScript(`await acquireSessionWriteLock({ sessionFile });\n${ending}`);
    expect(fs.readdirSync(`${sessionFile}.lock`)).toHaveLength(1);
    const lock = await acquireSessionWriteLock({ sessionFile, timeoutMs: 5_000 });
    lock.assertHeld();
    await lock.release();
  });

  it("is not taken over while it is stopped", async () => {
    const code = `import { acquireSessionWriteLock } from "session-write-lock";
      await acquireSessionWriteLock({ sessionFile: process.argv[1] });
      console.log("held");
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code, sessionFile], { cwd: root });
    try {
      await new Promise((resolve) => child.stdout.once("data", resolve));
      child.kill("SIGSTOP");
      const waiting = acquireSessionWriteLock({ sessionFile, timeoutMs: 1_000 });
      await expect(waiting).rejects.toMatchObject({ code: "ELOCKED", owner: { pid: child.pid } });
    } finally {
      child.kill("SIGKILL");
    }
  });
});

describe("withSessionWriteLock", () => {
  it("rejects with what the action threw, and has released", async () => {
    const boom = new Error("boom");
    const run = withSessionWriteLock({ sessionFile }, () => {
      throw boom;
    });
    await expect(run).rejects.toBe(boom);
    await (await acquireSessionWriteLock({ sessionFile, timeoutMs: 1_000 })).release();
  });

  it("refuses a nested acquire also after the lock was found to be lost", async () => {
    await withSessionWriteLock({ sessionFile }, async (lock) => {
      fs.rmSync(lock.lockPath, { recursive: true });
      expect(() => lock.assertHeld()).toThrow(/not there any more/);
      expect(lock.isHeld()).toBe(false);
      expect(lock.signal.aborted).toBe(true);
      await expect(acquireSessionWriteLock({ sessionFile })).rejects.toMatchObject({ code: "EDEADLK" });
    });
  });

  it("says where the outer one of a nested acquire was called", async () => {
    const outerCall = (action: () => Promise<unknown>): Promise<unknown> =>
      withSessionWriteLock({ sessionFile }, action);
    const error = await outerCall(() => acquireSessionWriteLock({ sessionFile })).catch(
      (caught: SessionWriteLockError) => caught,
    );
    expect(error).toMatchObject({
      code: "EDEADLK",
      message: expect.stringMatching(
        /; the outer one was called at outerCall .*housekeeping\.test\.ts:\d+:\d+\)$/,
      ),
      cause: { message: "the outer withSessionWriteLock was called here" },
    });
  });

  it("allows the next acquire after the lock was released inside", async () => {
    await withSessionWriteLock({ sessionFile }, async (lock) => {
      await lock.release();
      await (await acquireSessionWriteLock({ sessionFile, timeoutMs: 1_000 })).release();
    });
  });

  it("does not leak one section's context into the handle of the next", async () => {
    const outer = withSessionWriteLock(
      { sessionFile },
      () => new Promise((resolve) => setTimeout(resolve, 20)),
    );
    // Asked for outside of the section, granted by its release: not nested in it.
    const next = acquireSessionWriteLock({ sessionFile }).then(async (lock) => {
      await lock.release();
      await (await acquireSessionWriteLock({ sessionFile })).release();
    });
    await Promise.all([outer, next]);
  });
});
