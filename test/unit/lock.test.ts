/** The corners of src/lock.ts that only a command under the lock, another platform or a broken disk comes to. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acquireSessionWriteLock,
  type SessionWriteLockError,
  tryAcquireSessionWriteLock,
  withSessionWriteLock,
} from "../../src/index.ts";
import { acquireWithGuest, prepareToDie } from "../../src/lock.ts";
import { readOwnerScope } from "../../src/owner/identity.ts";
import { parseHomeName, parseOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import type { Guest } from "../../src/registry.ts";

let directory = "";
let sessionFile = "";
let lockPath = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-lock-")));
  sessionFile = join(directory, "a.jsonl");
  lockPath = `${sessionFile}.lock`;
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  fs.rmSync(directory, { recursive: true, force: true });
});

const homes = (): string[] => fs.readdirSync(directory).filter((name) => parseHomeName(name) !== undefined);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function newGuest(): Guest & { goes: number } {
  const guest = { scope: readOwnerScope(createObserver()), goes: 0, letGo: () => guest.goes++ };
  return guest;
}

describe("a lock for a guest", () => {
  it("has two owners, lets the guest go once it is told to, and is free when it is released", async () => {
    const guest = newGuest();
    const lock = await acquireWithGuest({ sessionFile, timeoutMs: 5_000 }, "waits", guest);
    expect(fs.readdirSync(lockPath).map((name) => parseOwnerName(name)?.pid)).toHaveLength(2);
    expect([guest.goes, lock?.signal.aborted]).toEqual([0, false]);
    lock?.letGo();
    expect(guest.goes).toBe(1);
    await lock?.release();
    expect(fs.existsSync(lockPath) ? fs.readdirSync(lockPath) : []).toEqual([]);
  });

  it("is undefined if it may not wait, and somebody has it; nobody else waits with it", async () => {
    const other = fs.mkdirSync(lockPath, { recursive: true }) ?? "";
    fs.writeFileSync(join(other, "somebody else's"), "");
    expect(await acquireWithGuest({ sessionFile }, "leaves", newGuest())).toBeUndefined();
    fs.rmSync(lockPath, { recursive: true });
  });

  it("is refused while this process uses the lock for something else, or keeps its home for the next time", async () => {
    const refusal = {
      code: "EINVAL",
      message: `Cannot run a command under ${lockPath}: this process uses the lock for something else`,
      sessionFile,
      lockPath,
    };
    const lock = await acquireSessionWriteLock({ sessionFile });
    await expect(acquireWithGuest({ sessionFile }, "waits", newGuest())).rejects.toMatchObject(refusal);
    await lock.release();
    expect(homes()).toHaveLength(1);
    await expect(acquireWithGuest({ sessionFile }, "waits", newGuest())).rejects.toMatchObject(refusal);
  });
});

describe("the signal of a lock", () => {
  it("comes from one getter for all: V8 keeps one of each handle, and all that it refers to, until a major collection", async () => {
    const other = await acquireSessionWriteLock({ sessionFile: join(directory, "b.jsonl") });
    const lock = await acquireSessionWriteLock({ sessionFile });
    const getters = [lock, other].map((each) => Object.getOwnPropertyDescriptor(each, "signal")?.get);
    const signals = [lock.signal, other.signal];
    await Promise.all([lock.release(), other.release()]);
    expect(getters[0]).toBeTypeOf("function");
    expect(getters[0]).toBe(getters[1]);
    expect(signals[0]).not.toBe(signals[1]);
  });

  it("is that of its copies too", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const copy = { ...lock };
    expect(copy.signal).toBe(lock.signal);
    await copy.release();
    expect([lock.isHeld(), copy.isHeld()]).toEqual([false, false]);
  });
});

describe("before this process ends itself by a signal,", () => {
  it("what it does not use goes; who holds is waited for, but not for longer than is said", async () => {
    const [held, idle] = [join(directory, "held.jsonl"), join(directory, "idle.jsonl")];
    await (await acquireSessionWriteLock({ sessionFile: idle })).release();
    const lock = await acquireSessionWriteLock({ sessionFile: held });
    expect(homes()).toHaveLength(1);
    await prepareToDie(1);
    expect(homes()).toEqual([]);
    lock.assertHeld();
    let isReady = false;
    const ready = prepareToDie(600_000).then(() => {
      isReady = true;
    });
    await turn();
    expect(isReady).toBe(false);
    await lock.release();
    await ready;
    expect(homes()).toEqual([]);
  });
});

describe("a platform that is not supported", () => {
  it("is a clear word", async () => {
    vi.stubGlobal("process", Object.create(process, { platform: { value: "win32" } }));
    await expect(acquireSessionWriteLock({ sessionFile })).rejects.toMatchObject({
      code: "EINVAL",
      message: expect.stringMatching(/^Cannot acquire session lock: Windows is not supported yet/) as string,
      sessionFile,
    });
    expect(fs.readdirSync(directory)).toEqual([]);
  });
});

describe("a session file that becomes a directory while this process uses the lock", () => {
  it("is not looked at again: whoever used it first was told", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    fs.mkdirSync(sessionFile);
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    await lock.release();
    await expect(tryAcquireSessionWriteLock({ sessionFile })).rejects.toMatchObject({ code: "EINVAL" });
  });
});

describe("withSessionWriteLock", () => {
  it("gives what the action gave, though the lock cannot be taken off the disk: that is a warning", async () => {
    const warnings: (Error & { code?: string })[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on("warning", listen);
    const refuse = (): never => {
      throw Object.assign(new Error("EIO: on purpose"), { code: "EIO" });
    };
    let result: string;
    try {
      result = await withSessionWriteLock({ sessionFile }, () => {
        vi.spyOn(fs, "renameSync").mockImplementation(refuse);
        vi.spyOn(fs, "unlinkSync").mockImplementation(refuse);
        vi.spyOn(fs, "unlink").mockImplementation(((_path: string, done: (error: Error) => void) => {
          setImmediate(() => done(Object.assign(new Error("EIO: on purpose"), { code: "EIO" })));
        }) as typeof fs.unlink);
        return "done";
      });
      await turn();
    } finally {
      vi.restoreAllMocks();
      process.off("warning", listen);
    }
    expect(result).toBe("done");
    expect(warnings.filter(({ name }) => name === "SessionWriteLockWarning")).toMatchObject([
      { code: "SWL_RELEASE", message: expect.stringContaining(`at ${lockPath}: EIO`) as string },
    ]);
    // It is tried again.
    await (await acquireSessionWriteLock({ sessionFile })).release();
  });

  it("says in the cause of a nested acquire where the outer one was called, in its stack too", async () => {
    const nested = withSessionWriteLock({ sessionFile }, () => acquireSessionWriteLock({ sessionFile }));
    const { cause } = await nested.then(
      () => expect.unreachable(),
      (error: SessionWriteLockError) => error as { cause?: Error },
    );
    expect(cause?.stack).toMatch(
      /^Error: the outer withSessionWriteLock was called here\n +at .*lock\.test\.ts:\d/,
    );
  });
});
