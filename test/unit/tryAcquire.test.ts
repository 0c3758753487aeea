import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acquireSessionWriteLock,
  type SessionWriteLock,
  tryAcquireSessionWriteLock,
  withSessionWriteLock,
} from "../../src/index.ts";
import { parseHomeName } from "../../src/owner/name.ts";
import { processRegistry } from "../../src/registry.ts";
import { holdAndDie } from "../support/processes.ts";

let directory = "";
let sessionFile = "";
let lockPath = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-try-")));
  sessionFile = join(directory, "a.jsonl");
  lockPath = `${sessionFile}.lock`;
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** What the process remembers of the lock: nobody may be left waiting in it. */
function entry() {
  const { contender, queue, wait } = processRegistry().entries.get(lockPath) ?? {};
  return { contender: contender ?? null, queue: queue?.size ?? 0, wait: wait ?? null };
}
const NOBODY = { contender: null, queue: 0, wait: null };

const STRANGER =
  "own1_4711_4711_1000_1000_0123456789abcdef_fedcba9876543210_4026531836_4026531834_00000000feedbeef00000000feedbeef_0123456789abcdef01234567";

describe("tryAcquireSessionWriteLock", () => {
  it("takes a free lock", async () => {
    const lock = await tryAcquireSessionWriteLock({ sessionFile });
    lock?.assertHeld();
    expect(lock?.isHeld()).toBe(true);
    await lock?.release();
    expect(fs.existsSync(lockPath)).toBe(false);
  });

  it("is undefined if a task of this process has it, and leaves nobody in the queue", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    expect(entry()).toEqual(NOBODY);
    lock.assertHeld();
    await lock.release();
    const next = await tryAcquireSessionWriteLock({ sessionFile });
    await next?.release();
    expect(next).toBeDefined();
  });

  it("is undefined if a task of this process waits for it, and does not overtake it", async () => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, STRANGER), "");
    const waiting = acquireSessionWriteLock({ sessionFile });
    await new Promise((resolve) => setTimeout(resolve, 20));
    fs.unlinkSync(join(lockPath, STRANGER));
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    await (await waiting).release();
  });

  it("leaves the event loop to others, however often it is asked", async () => {
    const holder = await acquireSessionWriteLock({ sessionFile });
    let timers = 0;
    setTimeout(() => {
      timers++;
      void holder.release();
    }, 5);
    let lock: SessionWriteLock | undefined;
    // Bounded, so that a failure ends.
    for (let tries = 0; tries < 100_000 && lock === undefined; tries++)
      lock = await tryAcquireSessionWriteLock({ sessionFile });
    expect([timers, lock?.isHeld()]).toEqual([1, true]);
    await lock?.release();
  });

  it.each<[string, (home: string) => void]>([
    ["removed", (home) => fs.rmSync(home, { recursive: true })],
    ["emptied", (home) => fs.unlinkSync(join(home, fs.readdirSync(home)[0] ?? ""))],
    ["removed with its directory", () => fs.rmSync(directory, { recursive: true })],
  ])("takes a free lock also if the home that lay idle was %s meanwhile", async (_how, remove) => {
    await (await tryAcquireSessionWriteLock({ sessionFile }))?.release();
    const [home = ""] = fs.readdirSync(directory).filter((name) => parseHomeName(name) !== undefined);
    remove(join(directory, home));
    const lock = await tryAcquireSessionWriteLock({ sessionFile });
    lock?.assertHeld();
    expect(lock).toBeDefined();
    await lock?.release();
  });

  it.each([
    ["an owner that cannot be judged has it", () => fs.mkdirSync(lockPath), STRANGER],
    ["something foreign is in it", () => fs.mkdirSync(lockPath), "notes.txt"],
    ["a file is in the way", () => fs.writeFileSync(lockPath, "{}"), undefined],
  ])("is undefined if %s: without a timer, and nothing is touched", async (_what, plant, name) => {
    plant();
    if (name !== undefined) fs.writeFileSync(join(lockPath, name), "x");
    const before = fs.statSync(lockPath).mtimeMs;
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    expect(entry()).toEqual(NOBODY);
    expect(fs.statSync(lockPath).mtimeMs).toBe(before);
    // The way that was left does not go on behind our back.
    fs.rmSync(lockPath, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(fs.existsSync(lockPath)).toBe(false);
  });

  it("takes over from the dead", async () => {
    const pid = holdAndDie({ sessionFile });
    const told: unknown[] = [];
    const lock = await tryAcquireSessionWriteLock({
      sessionFile,
      onTakeover: ({ owners }) => told.push(...owners.map((owner) => owner.pid)),
    });
    lock?.assertHeld();
    expect(told).toEqual([pid]);
    await lock?.release();
  });

  it("is undefined inside of withSessionWriteLock of the same file: it would not wait for itself", async () => {
    await withSessionWriteLock({ sessionFile }, async () => {
      expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    });
  });

  it("joins holders who share", async () => {
    const first = await acquireSessionWriteLock({ sessionFile, allowReentrant: true });
    const second = await tryAcquireSessionWriteLock({ sessionFile, allowReentrant: true });
    expect(second?.isHeld()).toBe(true);
    await second?.release();
    await first.release();
  });

  it("rejects with the reason of a signal that is aborted already", async () => {
    const signal = AbortSignal.abort("no");
    await expect(tryAcquireSessionWriteLock({ sessionFile, signal })).rejects.toBe("no");
  });

  it.each(["timeoutMs", "onWaiting"])("has no option %s", async (option) => {
    const params = { sessionFile, [option]: 1 };
    await expect(tryAcquireSessionWriteLock(params)).rejects.toMatchObject({
      code: "EINVAL",
      message: `Cannot acquire session lock: there is no option "${option}"`,
    });
  });

  it("says what the disk refuses, and tries it once", async () => {
    const refused = Object.assign(new Error("EIO: on purpose"), { code: "EIO" });
    const rename = vi.spyOn(fs, "renameSync").mockImplementation(() => {
      throw refused;
    });
    // On a disk that is not known to be local, no Take is made at once.
    const renameLater = vi.spyOn(fs, "rename").mockImplementation((_from, _to, done) => done(refused));
    try {
      const trying = tryAcquireSessionWriteLock({ sessionFile });
      await expect(trying).rejects.toMatchObject({ code: "EDISK", cause: { code: "EIO" } });
      expect(rename.mock.calls.length + renameLater.mock.calls.length).toBe(1);
    } finally {
      vi.restoreAllMocks();
    }
    expect(entry()).toEqual(NOBODY);
    const lock = await tryAcquireSessionWriteLock({ sessionFile });
    expect(lock?.isHeld()).toBe(true);
    await lock?.release();
  });

  it("gives the lock to exactly one of many who try at once", async () => {
    const tries = await Promise.all(
      Array.from({ length: 20 }, () => tryAcquireSessionWriteLock({ sessionFile })),
    );
    const locks = tries.filter((lock) => lock !== undefined);
    expect(locks).toHaveLength(1);
    await locks[0]?.release();
  });
});
