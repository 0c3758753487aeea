/** src/lock.ts, without waiting for anything: also what only a command under the lock, another platform or a broken disk comes to. */

import { getEventListeners } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acquireSessionWriteLock,
  type SessionWriteLockError,
  tryAcquireSessionWriteLock,
  withSessionWriteLock,
} from "../../src/index.ts";
import { acquireWithGuest, prepareToDie } from "../../src/lock.ts";
import { DEFAULT_TIMEOUT_MS, type TakeoverInfo } from "../../src/options.ts";
import { newNonce, readGuestScope, readOwnerScope } from "../../src/owner/identity.ts";
import { formatOwnerName, parseHomeName, parseOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { isLocalDisk } from "../../src/paths.ts";
import { type Entry, type Guest, processRegistry } from "../../src/registry.ts";

let directory = "";
let sessionFile = "";
let lockPath = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-lock-")));
  sessionFile = join(directory, "a.jsonl");
  lockPath = `${sessionFile}.lock`;
});
/** In the turn that asks, always: that is when a home is made. */
function inPrepare(action: () => unknown): void {
  const mkdir = fs.mkdirSync;
  vi.spyOn(fs, "mkdirSync").mockImplementation(((path: string, options: fs.MakeDirectoryOptions) => {
    action();
    return mkdir(path, options);
  }) as never);
}

/** What is left of a timeout in the turn in which it was asked for. */
const isAbout = (timeoutMs: number, ms = 0): boolean => ms <= timeoutMs && ms > timeoutMs - 1_000;

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  fs.rmSync(directory, { recursive: true, force: true });
});

const homes = (): string[] => fs.readdirSync(directory).filter((name) => parseHomeName(name) !== undefined);
/** However slow the machine is. */
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 1 });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function newGuest(): Guest & { goes: number } {
  const observer = createObserver();
  // Another process: in a worker thread, which has no life socket, our own would have our name.
  const scope = readGuestScope(readOwnerScope(observer), observer, process.ppid);
  const guest = { scope, goes: 0, letGo: () => guest.goes++ };
  return guest;
}

/** No pid is that large: proved dead. */
const dead = (): string =>
  formatOwnerName({
    ...readOwnerScope(createObserver()),
    pid: "2147483646",
    tid: "2147483646",
    life: "-",
    nonce: newNonce(),
  });
const STRANGER =
  "own1_4711_4711_1000_1000_0123456789abcdef_fedcba9876543210_4026531836_4026531834_00000000feedbeef00000000feedbeef_0123456789abcdef01234567";

/** Puts a lock there that an owner has. */
function plant(owner: string): void {
  fs.mkdirSync(lockPath);
  fs.writeFileSync(join(lockPath, owner), "{}");
}
const entry = (): Entry => processRegistry().entries.get(lockPath) ?? expect.unreachable();
const errorOf = (promise: Promise<unknown>): Promise<SessionWriteLockError> =>
  promise.then(
    () => expect.unreachable(),
    (error: SessionWriteLockError) => error,
  );

describe("a wait", () => {
  it("ends after timeoutMs, and leaves nobody who would take the lock later", async () => {
    plant(STRANGER);
    const error = await errorOf(acquireSessionWriteLock({ sessionFile, timeoutMs: 1 }));
    expect(error).toMatchObject({ code: "ELOCKED", sessionFile, lockPath });
    await until(() => expect(entry().contender).toBeNull());
    expect([entry().wait, entry().queue.size, fs.readdirSync(lockPath)]).toEqual([null, 0, [STRANGER]]);
  });

  it("ends with the reason of a signal, to which nobody listens any more", async () => {
    plant(STRANGER);
    const controller = new AbortController();
    const watch = vi.spyOn(processRegistry().watches, "watch");
    const waiting = errorOf(
      acquireSessionWriteLock({ sessionFile, signal: controller.signal, timeoutMs: 600_000 }),
    );
    await until(() => expect(watch).toHaveBeenCalledWith(lockPath, expect.any(Function)));
    await until(() => expect(entry().wait).not.toBeNull());
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    const reason = new Error("no longer");
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    expect(entry().contender).toBeNull();
  });

  it("does not begin for a signal that is aborted: nothing is made", async () => {
    const error = errorOf(acquireSessionWriteLock({ sessionFile, signal: AbortSignal.abort("no") }));
    expect(await error).toBe("no");
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("that is over has let its timer and its signal go", async () => {
    const { signal } = new AbortController();
    const holder = await acquireSessionWriteLock({ sessionFile });
    const timers = vi.spyOn(globalThis, "setTimeout");
    const waiting = acquireSessionWriteLock({ sessionFile, signal, timeoutMs: 612_345 });
    const made = timers.mock.calls.findIndex(([, ms]) => isAbout(612_345, ms));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    const clear = vi.spyOn(globalThis, "clearTimeout");
    await holder.release();
    const lock = await waiting;
    expect(made).toBeGreaterThanOrEqual(0);
    expect(clear.mock.calls.map(([timer]) => timer)).toContain(timers.mock.results[made]?.value);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    await lock.release();
  });

  it.runIf(isLocalDisk(tmpdir()))(
    "that never began, since the lock was free, has no timer, and has let its signal go",
    async () => {
      const { signal } = new AbortController();
      const timers = vi.spyOn(globalThis, "setTimeout");
      const lock = await acquireSessionWriteLock({ sessionFile, signal, timeoutMs: 612_345 });
      expect(timers.mock.calls.filter(([, ms]) => isAbout(612_345, ms))).toEqual([]);
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
      await lock.release();
    },
  );

  it("ends by a signal that aborts in the turn that asks", async () => {
    const controller = new AbortController();
    inPrepare(() => controller.abort("while it asked"));
    const { signal } = controller;
    const asked = errorOf(acquireSessionWriteLock({ sessionFile, signal, timeoutMs: 600_000 }));
    expect(await asked).toBe("while it asked");
    vi.restoreAllMocks();
    // The slot was kept until the turn of the call that was under way.
    await until(() => expect(fs.existsSync(lockPath)).toBe(false));
    await (await acquireSessionWriteLock({ sessionFile })).release();
  });

  it("is counted from the call on: what was asked at once may have taken long", async () => {
    const controller = new AbortController();
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, "of somebody"), "");
    const began = Math.ceil(performance.now());
    const clock = vi.spyOn(performance, "now").mockReturnValue(began);
    inPrepare(() => clock.mockReturnValue(began + 400));
    const timers = vi.spyOn(globalThis, "setTimeout");
    const { signal } = controller;
    const asked = [612_345, 399].map((timeoutMs) =>
      errorOf(acquireSessionWriteLock({ sessionFile, signal, timeoutMs })),
    );
    // The second one begins when the time of the first has gone by; it makes nothing.
    expect(timers.mock.calls.map(([, ms]) => ms)).toEqual(expect.arrayContaining([611_945, 399]));
    vi.restoreAllMocks();
    controller.abort("enough");
    expect(await Promise.all(asked)).toEqual(["enough", "enough"]);
    fs.rmSync(lockPath, { recursive: true });
  });

  it("is never begun with a signal that cannot be listened to", async () => {
    const { signal } = new AbortController();
    vi.spyOn(signal, "addEventListener").mockImplementation(() => {
      throw new Error("on purpose");
    });
    const holder = await acquireSessionWriteLock({ sessionFile });
    expect(await errorOf(acquireSessionWriteLock({ sessionFile, signal }))).toMatchObject({
      message: "on purpose",
    });
    expect(entry().queue.size).toBe(0);
    await holder.release();
    await (await acquireSessionWriteLock({ sessionFile })).release();
  });

  it("gets what the disk refuses, at once", async () => {
    const refuse = (): never => {
      throw Object.assign(new Error("EROFS: on purpose"), { code: "EROFS" });
    };
    vi.spyOn(fs, "mkdirSync").mockImplementation(refuse);
    const error = await errorOf(acquireSessionWriteLock({ sessionFile }));
    expect(error).toMatchObject({ code: "EDISK", cause: { code: "EROFS" } });
    // Without a home there is nothing to remember.
    vi.restoreAllMocks();
    await until(() => expect(processRegistry().entries.get(lockPath)).toBeUndefined());
  });
});

describe("what is granted", () => {
  it.runIf(isLocalDisk(tmpdir()))(
    "on a local disk, is so in the turn that asks, if that has time left",
    async () => {
      await turn();
      const order: string[] = [];
      setImmediate(() => order.push("a turn"));
      const lock = await acquireSessionWriteLock({ sessionFile });
      order.push("granted");
      await turn();
      expect(order).toEqual(["granted", "a turn"]);
      await lock.release();
    },
  );

  it("again and again leaves the event loop to others", async () => {
    const shared = { sessionFile, allowReentrant: true };
    const holder = await acquireSessionWriteLock(shared);
    let turns = 0;
    setImmediate(() => turns++);
    // Bounded, so that a failure ends.
    for (let joins = 0; joins < 20_000 && turns === 0; joins++)
      await (await acquireSessionWriteLock(shared)).release();
    expect(turns).toBe(1);
    await holder.release();
  });

  it("or not, to whoever only tries needs no timer", async () => {
    plant(STRANGER);
    const set = vi.spyOn(globalThis, "setTimeout");
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    expect(set.mock.calls.filter(([, ms]) => isAbout(DEFAULT_TIMEOUT_MS, ms))).toEqual([]);
    const controller = new AbortController();
    const waiting = errorOf(acquireSessionWriteLock({ sessionFile, signal: controller.signal }));
    expect(set.mock.calls.filter(([, ms]) => isAbout(DEFAULT_TIMEOUT_MS, ms))).toHaveLength(1);
    controller.abort("enough");
    await waiting;
  });
});

describe("whoever asks for a lock that is free, though others had no turn for long,", () => {
  /** As if others waited: what is told to those who stand aside. */
  async function standsAside(): Promise<{ readonly asks: (() => void)[]; readonly cancel: () => void }> {
    await (await acquireSessionWriteLock({ sessionFile })).release();
    const [asks, cancel] = [[] as (() => void)[], vi.fn()];
    const turns = entry().services.turns ?? expect.unreachable();
    const home = entry().home?.name;
    vi.spyOn(turns, "standAside").mockImplementation((of, name, ask) => {
      expect([of, name]).toEqual([lockPath, home]);
      asks.push(ask);
      return { cancel };
    });
    return { asks, cancel };
  }

  it("stands aside, and asks when it is told to, though its entry was forgotten meanwhile", async () => {
    const { asks, cancel } = await standsAside();
    const waiting = acquireSessionWriteLock({ sessionFile });
    await turn();
    expect([asks.length, fs.existsSync(lockPath)]).toEqual([1, false]);
    processRegistry().entries.delete(entry());
    asks[0]?.();
    const lock = await waiting;
    lock.assertHeld();
    expect(cancel).not.toHaveBeenCalled();
    // Nobody stands aside for nothing.
    expect(entry().toldAt).toBeGreaterThan(0);
    expect(entry().held.size).toBe(1);
    await lock.release();
  });

  it("may be told not to wait any more while it stands aside, and does not ask then", async () => {
    const { asks, cancel } = await standsAside();
    const controller = new AbortController();
    const waiting = errorOf(acquireSessionWriteLock({ sessionFile, signal: controller.signal }));
    expect(asks).toHaveLength(1);
    controller.abort("enough");
    expect(await waiting).toBe("enough");
    expect([vi.mocked(cancel).mock.calls.length, entry().contender]).toEqual([1, null]);
  });

  it("gives up as others do once it has asked", async () => {
    const { asks, cancel } = await standsAside();
    const controller = new AbortController();
    const waiting = errorOf(acquireSessionWriteLock({ sessionFile, signal: controller.signal }));
    plant(STRANGER);
    asks[0]?.();
    await until(() => expect(entry().wait).not.toBeNull());
    controller.abort("enough");
    expect(await waiting).toBe("enough");
    expect([vi.mocked(cancel).mock.calls.length, entry().contender]).toEqual([0, null]);
  });

  it("does not if it only tries, or if this process has the lock, gives it back, or wants it", async () => {
    const { asks } = await standsAside();
    const lock = (await tryAcquireSessionWriteLock({ sessionFile })) ?? expect.unreachable();
    const next = acquireSessionWriteLock({ sessionFile });
    await lock.release();
    await (await next).release();
    plant(STRANGER);
    const controllers = [new AbortController(), new AbortController()];
    vi.mocked(entry().services.turns?.standAside ?? expect.unreachable()).mockReturnValue(undefined);
    const [one] = controllers.map(({ signal }) => errorOf(acquireSessionWriteLock({ sessionFile, signal })));
    expect(entry().services.turns?.standAside).toHaveBeenCalledTimes(1);
    for (const controller of controllers) controller.abort("enough");
    expect([await one, asks]).toEqual(["enough", []]);
  });
});

describe("a takeover", () => {
  it("is told with the lock held, before the promise resolves, and around whatever the hook does", async () => {
    const owner = dead();
    plant(owner);
    const told: TakeoverInfo[] = [];
    let inside: SessionWriteLockError | undefined;
    const lock = await acquireSessionWriteLock({
      sessionFile,
      onTakeover: async (info, held) => {
        held.assertHeld();
        told.push(info);
        inside = await errorOf(acquireSessionWriteLock({ sessionFile }));
      },
    });
    expect(told).toMatchObject([{ sessionFile, lockPath, overtaken: false, owners: [{ name: owner }] }]);
    expect(inside).toMatchObject({
      code: "EDEADLK",
      sessionFile,
      lockPath,
      message: `Cannot acquire session lock ${lockPath}: onTakeover of the same file is around this call, and it would wait for itself`,
    });
    expect(inside?.cause).toBeUndefined();
    await lock.release();
    await (
      await acquireSessionWriteLock({ sessionFile, onTakeover: () => told.push(told[0] as never) })
    ).release();
    expect(told).toHaveLength(1);
  });

  it("is no warning without a hook, and one if the hook fails", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    plant(dead());
    await (await acquireSessionWriteLock({ sessionFile })).release();
    expect(warned).not.toHaveBeenCalled();
    plant(dead());
    const onTakeover = (): never => {
      throw new Error("on purpose");
    };
    await (await acquireSessionWriteLock({ sessionFile, onTakeover })).release();
    expect(warned.mock.calls.map(([message]) => message)).toEqual([
      `onTakeover of session lock ${lockPath} failed: Error: on purpose`,
    ]);
  });

  it("needs no hook; a hook may join what both share, and stands inside of what is around it", async () => {
    plant(dead());
    await (await acquireSessionWriteLock({ sessionFile })).release();
    plant(dead());
    const other = join(directory, "b.jsonl");
    await withSessionWriteLock({ sessionFile: other }, async () => {
      const lock = await acquireSessionWriteLock({
        sessionFile,
        allowReentrant: true,
        onTakeover: async () => {
          await (await acquireSessionWriteLock({ sessionFile, allowReentrant: true })).release();
          expect(await errorOf(acquireSessionWriteLock({ sessionFile: other }))).toMatchObject({
            code: "EDEADLK",
            message: expect.stringContaining("withSessionWriteLock of the same file") as string,
          });
        },
      });
      await lock.release();
    });
  });

  it("is told once all have been told who were granted the lock with it: a hook may abort them, too late", async () => {
    plant(dead());
    const controller = new AbortController();
    const shared = { sessionFile, allowReentrant: true };
    const both = [
      acquireSessionWriteLock({ ...shared, onTakeover: () => controller.abort() }),
      acquireSessionWriteLock({ ...shared, signal: controller.signal }),
    ];
    for (const lock of await Promise.all(both)) await lock.release();
    expect(controller.signal.aborted).toBe(true);
  });
});

describe("a nested acquire", () => {
  const shared = { allowReentrant: true };
  const nested = (outer: object, inner: object, file = sessionFile): Promise<unknown> =>
    withSessionWriteLock({ sessionFile, ...outer }, async () =>
      (await acquireSessionWriteLock({ sessionFile: file, timeoutMs: 600_000, ...inner })).release(),
    );

  it("joins if both share, and only then", async () => {
    await nested(shared, shared);
    for (const [outer, inner] of [
      [shared, {}],
      [{}, shared],
      [{}, {}],
    ] as const)
      expect(await errorOf(nested(outer, inner))).toMatchObject({ code: "EDEADLK", sessionFile, lockPath });
  });

  it("of another file is none, but does not hide that of this one, further out", async () => {
    const other = join(directory, "b.jsonl");
    await nested({}, {}, other);
    const inner = withSessionWriteLock({ sessionFile }, () =>
      withSessionWriteLock({ sessionFile: other }, () => acquireSessionWriteLock({ sessionFile })),
    );
    expect((await errorOf(inner)).code).toBe("EDEADLK");
  });

  it("that would join a lock that is lost would wait for itself", async () => {
    await withSessionWriteLock({ sessionFile, ...shared }, async (lock) => {
      fs.rmSync(lockPath, { recursive: true });
      expect(() => lock.assertHeld()).toThrow(/it is not there any more/);
      expect((await errorOf(acquireSessionWriteLock({ sessionFile, ...shared }))).code).toBe("EDEADLK");
    });
  });

  it("after the release is none, also in what was started inside; what is further out counts", async () => {
    await withSessionWriteLock({ sessionFile }, async (lock) => {
      await lock.release();
      await (await acquireSessionWriteLock({ sessionFile })).release();
    });
    const other = join(directory, "b.jsonl");
    await withSessionWriteLock({ sessionFile: other }, async () => {
      await withSessionWriteLock({ sessionFile }, async (lock) => {
        await lock.release();
        await withSessionWriteLock({ sessionFile }, async () => {
          expect((await errorOf(acquireSessionWriteLock({ sessionFile: other }))).code).toBe("EDEADLK");
          // Those that have released are forgotten.
          expect(processRegistry().nesting.getStore()?.parent?.lockPath).toBe(`${other}.lock`);
        });
      });
    });
  });

  it("says where the outer one was called, in the message and as its cause", async () => {
    const outerCall = (): Promise<unknown> => nested({}, {});
    const error = await errorOf(outerCall());
    expect(error.message).toMatch(
      /and it would wait for itself; the outer one was called at nested \(.*lock\.test\.ts:\d+:\d+\)$/,
    );
    const { cause } = error as { cause?: Error };
    expect(cause?.message).toBe("the outer withSessionWriteLock was called here");
    expect(cause?.stack).toMatch(
      /^Error: the outer withSessionWriteLock was called here\n +at nested .*\n +at outerCall /,
    );
  });

  it("says nothing of that where stacks have no frames, or there are none", async () => {
    const before = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
      expect((await errorOf(nested({}, {}))).message).toMatch(/and it would wait for itself$/);
    } finally {
      Error.stackTraceLimit = before;
    }
    vi.stubGlobal("Error", Object.assign(class extends Error {}, { captureStackTrace: undefined }));
    const error = await errorOf(nested({}, {}));
    vi.unstubAllGlobals();
    expect(error.message).toMatch(/and it would wait for itself$/);
    expect(error.cause).toBeUndefined();
  });
});

describe("a handle", () => {
  it("says what it is, and holds until it is released, which gives the same promise each time", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    expect(lock).toMatchObject({ sessionFile, lockPath });
    expect([lock.isHeld(), lock.signal.aborted, lock.signal]).toEqual([true, false, lock.signal]);
    lock.assertHeld();
    const released = lock.release();
    expect(lock.isHeld()).toBe(false);
    expect(lock[Symbol.asyncDispose]()).toBe(released);
    expect(await released).toBeUndefined();
    expect(() => lock.assertHeld()).toThrow(
      expect.objectContaining({
        code: "ECOMPROMISED",
        message: `Cannot rely on session lock ${lockPath}: it was released`,
        sessionFile,
        lockPath,
      }),
    );
    expect(lock.signal.aborted).toBe(false);
  });

  it("that has lost its lock says so, now and later, and keeps the first reason", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const { signal } = lock;
    fs.rmSync(lockPath, { recursive: true });
    expect(lock.isHeld()).toBe(true);
    const lost = `Cannot rely on session lock ${lockPath}: it is not there any more`;
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: "ECOMPROMISED", message: lost }));
    expect([lock.isHeld(), signal.aborted]).toEqual([false, true]);
    expect(signal.reason).toMatchObject({ message: lost, cause: { code: "ENOENT" } });
    expect(() => lock.assertHeld()).toThrow(`Cannot rely on session lock ${lockPath}: it was lost`);
    expect(signal.reason).toMatchObject({ message: lost });
    await lock.release();
    expect(() => lock.assertHeld()).toThrow(`${lockPath}: it was lost`);
    // Asked for afterwards.
    const other = await acquireSessionWriteLock({ sessionFile });
    fs.rmSync(lockPath, { recursive: true });
    expect(() => other.assertHeld()).toThrow(lost);
    expect(other.signal).toMatchObject({ aborted: true, reason: { message: lost } });
    await other.release();
  });

  it("that cannot see its lock holds it all the same, and says why", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    vi.spyOn(fs, "readdirSync").mockImplementation(() => {
      throw Object.assign(new Error("EMFILE: on purpose"), { code: "EMFILE" });
    });
    expect(() => lock.assertHeld()).toThrow(
      expect.objectContaining({
        code: "EDISK",
        message: expect.stringContaining("EMFILE") as string,
        cause: expect.objectContaining({ code: "EMFILE" }) as unknown,
      }),
    );
    vi.restoreAllMocks();
    expect([lock.isHeld(), lock.signal.aborted]).toEqual([true, false]);
    lock.assertHeld();
    await lock.release();
  });

  it("that was held for too long is revoked if that was asked for, and says so", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile, maxHoldMs: 1, revokeAfterMaxHold: true });
    await until(() => expect(lock.isHeld()).toBe(false));
    expect(() => lock.assertHeld()).toThrow(
      `Cannot rely on session lock ${lockPath}: it was held for more than 1 ms, and taken away`,
    );
    expect(lock.signal.aborted).toBe(true);
    await lock.release();
  });

  it("whose lock is lost is watched no longer, unless others of this process wait for it to be revoked", async () => {
    const set = vi.spyOn(globalThis, "setTimeout");
    const clear = vi.spyOn(globalThis, "clearTimeout");
    for (const [revokeAfterMaxHold, cancelled] of [
      [false, 1],
      [true, 0],
    ] as const) {
      const lock = await acquireSessionWriteLock({ sessionFile, maxHoldMs: 7_654_321, revokeAfterMaxHold });
      const watchdogs = set.mock.results.filter((_result, i) => set.mock.calls[i]?.[1] === 7_654_321);
      const watchdog: unknown = watchdogs.at(-1)?.value;
      const cancels = (): number => clear.mock.calls.filter(([timer]) => timer === watchdog).length;
      fs.rmSync(lockPath, { recursive: true });
      expect(() => lock.assertHeld()).toThrow("it is not there any more");
      expect(cancels()).toBe(cancelled);
      await lock.release();
      expect(cancels()).toBeGreaterThan(0);
    }
  });

  it("whose release fails says so to whoever waits for it, and to nobody else", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const refuse = (): never => {
      throw Object.assign(new Error("EIO: on purpose"), { code: "EIO" });
    };
    const later = ((...args: unknown[]) => {
      const done = args.at(-1) as (error: Error) => void;
      setImmediate(() => done(Object.assign(new Error("EIO: on purpose"), { code: "EIO" })));
    }) as never;
    vi.spyOn(fs, "renameSync").mockImplementation(refuse);
    vi.spyOn(fs, "unlinkSync").mockImplementation(refuse);
    vi.spyOn(fs, "rename").mockImplementation(later);
    vi.spyOn(fs, "unlink").mockImplementation(later);
    expect(await errorOf(lock.release())).toMatchObject({ code: "ERELEASE" });
    vi.restoreAllMocks();
    await (await acquireSessionWriteLock({ sessionFile })).release();
  });
});

describe("an old lock file", () => {
  const content = JSON.stringify({ pid: 2_147_483_646, createdAt: "2026-01-01T00:00:00.000Z" });

  it.runIf(process.platform === "linux")("of the dead goes, for whoever asked for that", async () => {
    fs.writeFileSync(lockPath, content);
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    const lock = await acquireSessionWriteLock({ sessionFile, migrateLegacyLocks: true });
    const { local } = entry();
    expect(local).toBe(isLocalDisk(directory));
    lock.assertHeld();
    await lock.release();
  });

  it.runIf(process.platform === "linux")(
    "that came in between, and cannot be put back, is a warning",
    async () => {
      fs.writeFileSync(lockPath, content);
      const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
      const rename = fs.renameSync;
      vi.spyOn(fs, "renameSync").mockImplementation((from, to) => {
        if (from === lockPath) fs.writeFileSync(lockPath, "of a living one");
        rename(from, to);
      });
      vi.spyOn(fs, "linkSync").mockImplementation(() => {
        throw Object.assign(new Error("EEXIST"), { code: "EEXIST" });
      });
      await tryAcquireSessionWriteLock({ sessionFile, migrateLegacyLocks: true });
      expect(warned.mock.calls).toEqual([
        [
          expect.stringContaining(`an old version uses ${lockPath}`),
          { type: "SessionWriteLockWarning", code: "SWL_LEGACY" },
        ],
      ]);
    },
  );
});

describe("what this process remembers of a lock path", () => {
  it("is nothing if there is no home, and no refusal", async () => {
    fs.mkdirSync(sessionFile);
    expect(await errorOf(acquireSessionWriteLock({ sessionFile }))).toMatchObject({ code: "EINVAL" });
    expect(processRegistry().entries.get(lockPath)).toBeUndefined();
    const long = join(directory, "x".repeat(300));
    expect(await errorOf(acquireSessionWriteLock({ sessionFile: long }))).toMatchObject({ code: "EINVAL" });
    expect(processRegistry().entries.get(`${long}.lock`)).toBeUndefined();
  });

  it("has a life socket beside it, if this is the main thread, and the disk is local", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const hasOne = process.platform === "linux" && isMainThread && isLocalDisk(directory);
    const lives = fs.readdirSync(directory).filter((name) => name.startsWith(".swl-life-"));
    expect(lives).toHaveLength(hasOne ? 1 : 0);
    await lock.release();
  });

  it("is found out anew if another disk was mounted there meanwhile", async () => {
    for (const other of [{ disk: -1, local: !isLocalDisk(directory) }, { disk: undefined }, {}]) {
      await (await acquireSessionWriteLock({ sessionFile })).release();
      const before = entry();
      const [home] = homes();
      Object.assign(before, other);
      await (await acquireSessionWriteLock({ sessionFile })).release();
      const isNew = Object.keys(other).length > 0;
      expect([entry() !== before, homes()[0] !== home, homes().length]).toEqual([isNew, isNew, 1]);
      expect(entry()).toMatchObject({
        disk: fs.statfsSync(directory).type,
        local: isLocalDisk(directory),
      });
    }
  });

  it("is refused again if its session file has become a directory", async () => {
    await (await acquireSessionWriteLock({ sessionFile })).release();
    fs.mkdirSync(sessionFile);
    entry().lookedAt -= 1_000;
    expect(await errorOf(acquireSessionWriteLock({ sessionFile }))).toMatchObject({ code: "EINVAL" });
    fs.rmdirSync(sessionFile);
    await (await acquireSessionWriteLock({ sessionFile })).release();
  });

  it("is the home of the idle one that was not used for longest, of sixty-four", async () => {
    for (let i = 0; i < 65; i++)
      await (await acquireSessionWriteLock({ sessionFile: join(directory, `${i}.jsonl`) })).release();
    expect(homes()).toHaveLength(64);
    const { entries } = processRegistry();
    expect(entries.get(join(directory, "0.jsonl.lock"))).toBeUndefined();
    expect(entries.get(join(directory, "1.jsonl.lock"))).toBeDefined();
  });

  it("stays while it is used, whoever has given up on it meanwhile", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const before = entry();
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    before.services.quiet(before);
    for (let i = 0; i < 65; i++)
      await (await acquireSessionWriteLock({ sessionFile: join(directory, `${i}.jsonl`) })).release();
    expect(entry()).toBe(before);
    lock.assertHeld();
    await lock.release();
  });
});

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
    entry().lookedAt -= 1_000;
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
});
