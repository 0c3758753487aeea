import { AsyncLocalStorage } from "node:async_hooks";
import { getEventListeners } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acquireSessionWriteLock,
  MAX_METADATA_BYTES,
  ON_WAITING_EVERY_MS,
  type SessionWriteLockError,
  type TakeoverInfo,
  tryAcquireSessionWriteLock,
  type WaitingInfo,
} from "../../src/index.ts";
import { holdAndDie, runScript } from "../support/processes.ts";

let directory = "";
let sessionFile = "";
let lockPath = "";
let warnings: { readonly code?: string; readonly message: string }[] = [];
const onWarning = (warning: Error & { code?: string }): void => void warnings.push(warning);

beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-hooks-")));
  sessionFile = join(directory, "a.jsonl");
  lockPath = `${sessionFile}.lock`;
  warnings = [];
  process.on("warning", onWarning);
});
afterEach(() => {
  process.off("warning", onWarning);
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Warnings are emitted in a later turn. */
const warned = async (): Promise<readonly string[]> => {
  await new Promise((resolve) => setImmediate(resolve));
  return warnings.map(({ code, message }) => `${code}: ${message}`);
};

const timedOut = async (): Promise<SessionWriteLockError> =>
  acquireSessionWriteLock({ sessionFile, timeoutMs: 100 }).then(
    () => expect.unreachable("the lock was granted"),
    (error: SessionWriteLockError) => error,
  );

describe("onWaiting", () => {
  it("is told once when the wait begins, and then at the interval, who has the lock", async () => {
    const told: WaitingInfo[] = [];
    const lock = await acquireSessionWriteLock({ sessionFile, metadata: { run: 1 } });
    const waiting = acquireSessionWriteLock({ sessionFile, onWaiting: (info) => told.push(info) });
    await undefined;
    expect(told).toHaveLength(1);
    await sleep(ON_WAITING_EVERY_MS * 1.5);
    await lock.release();
    await (await waiting).release();
    const count = told.length;
    expect(count).toBeGreaterThanOrEqual(2);
    expect(told[0]).toMatchObject({
      sessionFile,
      lockPath,
      reason: "session_busy",
      owner: { pid: process.pid, metadata: { run: 1 }, verdict: "this process has it, or is taking it" },
    });
    expect(told[0]?.what).toContain(`pid=${process.pid} ${lockPath} (`);
    expect(told[1]?.waitedMs).toBeGreaterThanOrEqual(ON_WAITING_EVERY_MS - 2);
    await sleep(ON_WAITING_EVERY_MS * 1.2);
    expect(told).toHaveLength(count);
  });

  it("is not told if there is no wait", async () => {
    const told: WaitingInfo[] = [];
    const lock = await acquireSessionWriteLock({ sessionFile, onWaiting: (info) => told.push(info) });
    await lock.release();
    expect(told).toEqual([]);
  });

  it("is told what stands in the way, if it is not a lock", async () => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, "notes.txt"), "");
    const told: WaitingInfo[] = [];
    const waiting = acquireSessionWriteLock({
      sessionFile,
      // Enough for a look on a busy machine.
      timeoutMs: 1_000,
      onWaiting: (info) => told.push(info),
    });
    await expect(waiting).rejects.toMatchObject({ code: "ELOCKED", reason: "foreign" });
    expect(told).toMatchObject([{ reason: "foreign", owner: undefined }]);
    expect(told[0]?.what).toContain('a directory that holds "notes.txt"');
  });

  it.each([
    [
      "throws",
      (): never => {
        throw new Error("on purpose");
      },
    ],
    ["rejects", () => Promise.reject(new Error("on purpose"))],
    [
      "throws something without a text form",
      (): never => {
        throw Object.create(null);
      },
    ],
  ])("that %s is a warning, and the wait goes on", async (_how, onWaiting) => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const waiting = acquireSessionWriteLock({ sessionFile, onWaiting });
    await sleep(20);
    await lock.release();
    await (await waiting).release();
    expect(await warned()).toEqual([
      expect.stringMatching(/^SWL_HOOK: onWaiting of session lock .*a\.jsonl\.lock failed: /),
    ]);
  });

  it("may end the wait", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const controller = new AbortController();
    const { signal } = controller;
    const onWaiting = (): void => controller.abort("I know him");
    await expect(acquireSessionWriteLock({ sessionFile, signal, onWaiting })).rejects.toBe("I know him");
    await lock.release();
  });

  it("runs in the context of whoever asked", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const lock = await storage.run("holder", () => acquireSessionWriteLock({ sessionFile }));
    const waiting = storage.run("waiter", () =>
      acquireSessionWriteLock({ sessionFile, onWaiting: () => seen.push(storage.getStore()) }),
    );
    await sleep(20);
    await lock.release();
    await (await waiting).release();
    expect(seen).toEqual(["waiter"]);
  });
});

describe("what a handle starts", () => {
  it.each([
    ["that is granted by the release of another", 1],
    ["that is granted at once", 0],
  ])("belongs to the context of whoever asked: one %s", async (_which, holders) => {
    const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const storage = new AsyncLocalStorage<string>();
    const held = await Promise.all(
      Array.from({ length: holders }, () =>
        storage.run("holder", () => acquireSessionWriteLock({ sessionFile })),
      ),
    );
    const asked = storage.run("waiter", () => acquireSessionWriteLock({ sessionFile, maxHoldMs: 100 }));
    for (const lock of held) await storage.run("holder", () => lock.release());
    const lock = await asked;
    // It runs where the event comes from: in the timer of the watchdog.
    const overdue = new Promise((resolve) => {
      lock.signal.addEventListener("abort", () => resolve(storage.getStore()));
    });
    expect(await overdue).toBe("waiter");
    await lock.release();
    warning.mockRestore();
  });
});

describe("onTakeover", () => {
  it("is told of the dead, with the lock held, before the promise resolves, and is waited for", async () => {
    const pid = holdAndDie({ sessionFile, metadata: { run: "r1" } });
    const order: string[] = [];
    const told: TakeoverInfo[] = [];
    const lock = await acquireSessionWriteLock({
      sessionFile,
      onTakeover: async (info, held) => {
        held.assertHeld();
        told.push(info);
        await sleep(20);
        order.push("recovered");
      },
    });
    order.push("granted");
    expect(order).toEqual(["recovered", "granted"]);
    expect(told).toMatchObject([
      {
        sessionFile,
        lockPath,
        overtaken: false,
        owners: [{ pid, metadata: { run: "r1" }, verdict: `pid ${pid} is gone` }],
      },
    ]);
    await lock.release();
  });

  it("is told of each death once: not again by the next acquisition", async () => {
    holdAndDie({ sessionFile });
    const told: TakeoverInfo[] = [];
    const onTakeover = (info: TakeoverInfo): void => void told.push(info);
    const locks = Array.from({ length: 5 }, () => acquireSessionWriteLock({ sessionFile, onTakeover }));
    for (const lock of locks) await (await lock).release();
    expect(told).toHaveLength(1);
  });

  it("is not told of a lock that was given back", async () => {
    const ended = runScript("const lock = await lib.acquireSessionWriteLock(args); await lock.release();", {
      sessionFile,
    });
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    const told: TakeoverInfo[] = [];
    const lock = await acquireSessionWriteLock({ sessionFile, onTakeover: (info) => told.push(info) });
    await lock.release();
    expect(told).toEqual([]);
  });

  it.each([
    [
      "throws",
      (): never => {
        throw new Error("on purpose");
      },
    ],
    ["rejects", () => Promise.reject(new Error("on purpose"))],
  ])("that %s is a warning, and the lock is granted", async (_how, onTakeover) => {
    holdAndDie({ sessionFile });
    const lock = await acquireSessionWriteLock({ sessionFile, onTakeover });
    lock.assertHeld();
    await lock.release();
    expect(await warned()).toEqual([
      `SWL_HOOK: onTakeover of session lock ${lockPath} failed: Error: on purpose`,
    ]);
  });

  it("may abort others to whom the lock is granted with it: too late, and nobody holds it unknown to all", async () => {
    holdAndDie({ sessionFile });
    const controller = new AbortController();
    const shared = { sessionFile, allowReentrant: true };
    const onTakeover = () => controller.abort();
    const both = [
      acquireSessionWriteLock({ ...shared, onTakeover }),
      acquireSessionWriteLock({ ...shared, signal: controller.signal }),
    ];
    for (const lock of await Promise.all(both)) await lock.release();
    expect(controller.signal.aborted).toBe(true);
    expect(fs.existsSync(lockPath)).toBe(false);
  });

  it("may not acquire the same file: EDEADLK, at once", async () => {
    holdAndDie({ sessionFile });
    const lock = await acquireSessionWriteLock({
      sessionFile,
      onTakeover: () => acquireSessionWriteLock({ sessionFile }),
    });
    await lock.release();
    expect(await warned()).toEqual([
      expect.stringContaining("onTakeover of the same file is around this call"),
    ]);
    // Not in what comes after it.
    await (await acquireSessionWriteLock({ sessionFile })).release();
  });

  it("may give the lock back", async () => {
    holdAndDie({ sessionFile });
    const lock = await acquireSessionWriteLock({ sessionFile, onTakeover: (_info, held) => held.release() });
    expect(lock.isHeld()).toBe(false);
    expect(fs.existsSync(lockPath)).toBe(false);
  });
});

describe("a wait that is over", () => {
  it("before its first word was said is told nothing, then and later", async () => {
    const holder = await acquireSessionWriteLock({ sessionFile });
    let told = 0;
    const { signal, abort } = abortable();
    const waiting = acquireSessionWriteLock({ sessionFile, signal, onWaiting: () => told++ });
    // In the turn of the call: the word is due in a later one.
    abort();
    await expect(waiting).rejects.toBe("enough");
    await sleep(1.2 * ON_WAITING_EVERY_MS);
    expect(told).toBe(0);
    await holder.release();
  });

  it("leaves no listener at its signal: granted, timed out, or tried", async () => {
    const { signal } = abortable();
    const holder = await acquireSessionWriteLock({ sessionFile, signal });
    const refused = acquireSessionWriteLock({ sessionFile, signal, timeoutMs: 20 });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await expect(refused).rejects.toMatchObject({ code: "ELOCKED" });
    expect(await tryAcquireSessionWriteLock({ sessionFile, signal })).toBeUndefined();
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await holder.release();
  });

  it("is listened to once, however many wait with it, and ends the waits of all that still do", async () => {
    const { signal, abort } = abortable();
    const holder = await acquireSessionWriteLock({ sessionFile, signal });
    const left = acquireSessionWriteLock({ sessionFile, signal, timeoutMs: 20 });
    const waiting = Array.from({ length: 20 }, () => acquireSessionWriteLock({ sessionFile, signal }));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await expect(left).rejects.toMatchObject({ code: "ELOCKED" });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    abort();
    const ends = await Promise.allSettled(waiting);
    expect(ends).toEqual(ends.map(() => ({ status: "rejected", reason: "enough" })));
    expect([getEventListeners(signal, "abort"), await warned()]).toEqual([[], []]);
    holder.assertHeld();
    await holder.release();
  });

  function abortable(): { readonly signal: AbortSignal; abort(): void } {
    const controller = new AbortController();
    return { signal: controller.signal, abort: () => controller.abort("enough") };
  }
});

describe("metadata", () => {
  it("is shown to whoever waits", async () => {
    const lock = await acquireSessionWriteLock({
      sessionFile,
      metadata: { run: "r1", session: ["ä", null] },
    });
    expect((await timedOut()).owner?.metadata).toEqual({ run: "r1", session: ["ä", null] });
    await lock.release();
  });

  it("is that of the present holder: of a home that is used again, and after a hand-over in memory", async () => {
    const first = await acquireSessionWriteLock({ sessionFile, metadata: "first" });
    await first.release();
    const second = await acquireSessionWriteLock({ sessionFile, metadata: "a second, longer one" });
    expect((await timedOut()).owner?.metadata).toBe("a second, longer one");
    await second.release();
    const third = await acquireSessionWriteLock({ sessionFile, metadata: 3 });
    const heir = acquireSessionWriteLock({ sessionFile });
    await third.release();
    const without = await heir;
    expect((await timedOut()).owner?.metadata).toBeUndefined();
    const last = acquireSessionWriteLock({ sessionFile, metadata: "last" });
    await without.release();
    const holder = await last;
    expect((await timedOut()).owner?.metadata).toBe("last");
    expect(fs.readdirSync(lockPath)).toHaveLength(1);
    await holder.release();
  });

  it("is not written into a file of somebody else, of which our owner file has become a second name", async () => {
    fs.writeFileSync(sessionFile, '{"line":1}\n');
    const first = await acquireSessionWriteLock({ sessionFile, metadata: "first" });
    const [own = ""] = fs.readdirSync(lockPath);
    fs.unlinkSync(join(lockPath, own));
    fs.linkSync(sessionFile, join(lockPath, own));
    const heir = acquireSessionWriteLock({ sessionFile, metadata: "second" });
    await first.release();
    await (await heir).release();
    expect(fs.readFileSync(sessionFile, "utf8")).toBe('{"line":1}\n');
  });

  it("may be as long as it says, in bytes, and stays readable when it is written over again and again", async () => {
    const longest = "ü".repeat((MAX_METADATA_BYTES - 2) / 2);
    for (const metadata of [longest, "x", longest, { a: "€".repeat(600) }, longest]) {
      const lock = await acquireSessionWriteLock({ sessionFile, metadata });
      expect((await timedOut()).owner?.metadata).toEqual(metadata);
      await lock.release();
    }
  });

  it.each([
    ["is too long", "x".repeat(MAX_METADATA_BYTES - 1)],
    ["has no JSON text", () => {}],
    ["is a symbol", Symbol("x")],
    ["has a BigInt in it", { n: 1n }],
    [
      "throws",
      {
        toJSON: () => {
          throw new Error("no");
        },
      },
    ],
  ])("that %s is EINVAL, and nothing is touched", async (_what, metadata) => {
    await expect(acquireSessionWriteLock({ sessionFile, metadata })).rejects.toMatchObject({
      code: "EINVAL",
      message: `Cannot acquire session lock: metadata must be a JSON value of at most ${MAX_METADATA_BYTES} bytes`,
    });
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it.each(["onWaiting", "onTakeover"])("%s that is no function is EINVAL", async (hook) => {
    await expect(acquireSessionWriteLock({ sessionFile, [hook]: "x" })).rejects.toMatchObject({
      code: "EINVAL",
      message: `Cannot acquire session lock: ${hook} must be a function, not "x"`,
    });
  });

  it("is not followed where somebody planted a link in place of the owner file", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile, metadata: "first" });
    const [name = ""] = fs.readdirSync(lockPath);
    const elsewhere = join(directory, "elsewhere");
    fs.writeFileSync(elsewhere, "precious");
    fs.unlinkSync(join(lockPath, name));
    fs.symlinkSync(elsewhere, join(lockPath, name));
    const heir = acquireSessionWriteLock({ sessionFile, metadata: "second" });
    await lock.release();
    await (await heir).release();
    expect(fs.readFileSync(elsewhere, "utf8")).toBe("precious");
  });
});
