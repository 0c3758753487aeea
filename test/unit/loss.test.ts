import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acquireSessionWriteLock,
  type SessionWriteLock,
  type SessionWriteLockError,
  withSessionWriteLock,
} from "../../src/index.ts";
import { parseHomeName } from "../../src/owner/name.ts";
import { processRegistry } from "../../src/registry.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
let directory = "";
let sessionFile = "";
let lockPath = "";
let warnings: { readonly code: string | undefined; readonly message: string }[] = [];
const onWarning = (warning: Error & { code?: string }): void => {
  if (warning.name === "SessionWriteLockWarning")
    warnings.push({ code: warning.code, message: warning.message });
};

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-loss-"));
  sessionFile = join(directory, "a.jsonl");
  lockPath = `${fs.realpathSync(directory)}/a.jsonl.lock`;
  warnings = [];
  process.on("warning", onWarning);
});
afterEach(() => {
  process.off("warning", onWarning);
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Enough for a look on a busy machine: an error that comes before cannot say what is in the way. */
const LOOKS_MS = 1_000;
/** A limit for what hangs, and no measure. */
const HANGS_MS = 60_000;

/** On a busy machine it may have aborted before anybody listens. */
const aborted = async ({ signal }: SessionWriteLock): Promise<void> => {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
};

/** Somebody who does not keep to the protocol (A2). */
function stealLock(): void {
  fs.rmSync(lockPath, { recursive: true });
  fs.mkdirSync(lockPath);
  fs.writeFileSync(join(lockPath, "somebody else's"), "");
}

describe("a lock that somebody took away", () => {
  it("is told to all that share it, once one of them has looked", async () => {
    const one = await acquireSessionWriteLock({ sessionFile, allowReentrant: true });
    const other = await acquireSessionWriteLock({ sessionFile, allowReentrant: true });
    stealLock();
    expect(() => one.assertHeld()).toThrow(/somebody else's name is in it/);
    for (const lock of [one, other]) {
      expect(lock.isHeld()).toBe(false);
      expect(lock.signal.reason).toMatchObject({ code: "ECOMPROMISED", lockPath });
    }
    fs.rmSync(lockPath, { recursive: true });
    await Promise.all([one.release(), other.release()]);
  });

  it("is joined by nobody any more, and handed over to nobody", async () => {
    const shared = { sessionFile, allowReentrant: true };
    const lock = await acquireSessionWriteLock(shared);
    const waiting = acquireSessionWriteLock({ sessionFile, timeoutMs: 5_000 });
    stealLock();
    expect(() => lock.assertHeld()).toThrow();
    const join_ = acquireSessionWriteLock({ ...shared, timeoutMs: LOOKS_MS });
    const joined = expect(join_).rejects.toMatchObject({ code: "ELOCKED", reason: "foreign" });
    await lock.release();
    await joined;
    expect(fs.readdirSync(lockPath)).toEqual(["somebody else's"]);
    fs.rmSync(lockPath, { recursive: true });
    const next = await waiting;
    next.assertHeld();
    await next.release();
  });

  it("refuses a nested acquire that would join it: it would wait for itself", async () => {
    await withSessionWriteLock({ sessionFile, allowReentrant: true }, async (lock) => {
      const nested = { sessionFile, allowReentrant: true, timeoutMs: 1_000 };
      await (await acquireSessionWriteLock(nested)).release();
      fs.rmSync(lock.lockPath, { recursive: true });
      expect(() => lock.assertHeld()).toThrow(/not there any more/);
      await expect(acquireSessionWriteLock(nested)).rejects.toMatchObject({ code: "EDEADLK" });
    });
  });

  it("is a warning of its release, which resolves, and removes nothing", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    stealLock();
    await lock.release();
    await sleep(0);
    expect(warnings).toMatchObject([{ code: "SWL_LOST" }]);
    expect(fs.readdirSync(lockPath)).toEqual(["somebody else's"]);
  });
});

describe("a lock that is held for too long", () => {
  it("is told by its signal and by a warning, and is still held", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile, maxHoldMs: 20 });
    await aborted(lock);
    expect(lock.signal.reason).toMatchObject({ code: "EOVERDUE" });
    await sleep(0);
    expect(warnings).toMatchObject([{ code: "SWL_OVERDUE" }]);
    lock.assertHeld();
    await lock.release();
  });

  it("is not called overdue after it was lost or released", async () => {
    const maxHoldMs = 200;
    const released = await acquireSessionWriteLock({ sessionFile, maxHoldMs });
    await released.release();
    const lost = await acquireSessionWriteLock({ sessionFile, maxHoldMs });
    fs.rmSync(lockPath, { recursive: true });
    expect(() => lost.assertHeld()).toThrow();
    await sleep(1.5 * maxHoldMs);
    expect(lost.signal.reason).toMatchObject({ code: "ECOMPROMISED" });
    await lost.release();
    await sleep(0);
    expect(warnings.filter(({ code }) => code === "SWL_OVERDUE")).toEqual([]);
  });
});

// tests G3
describe("a lock that is held for too long, with revokeAfterMaxHold", () => {
  const revoked = async (maxHoldMs: number, more: object = {}): Promise<SessionWriteLock> => {
    const lock = await acquireSessionWriteLock({ sessionFile, maxHoldMs, revokeAfterMaxHold: true, ...more });
    await aborted(lock);
    return lock;
  };

  it("is taken away, and its holder is told", async () => {
    const lock = await revoked(20, { metadata: { run: 7 } });
    expect(lock.signal.reason).toMatchObject({ code: "ECOMPROMISED" });
    expect(lock.isHeld()).toBe(false);
    expect(() => lock.assertHeld()).toThrow(/held for more than 20 ms, and taken away/);
    await sleep(0);
    expect(warnings).toMatchObject([
      {
        code: "SWL_OVERDUE",
        message: expect.stringContaining(`pid ${process.pid}, {"run":7}: it is taken away`),
      },
    ]);
    await lock.release();
  });

  it("goes to whoever waits, whose lock the release of the former holder leaves alone", async () => {
    const first = revoked(20);
    await sleep(0);
    const next = await acquireSessionWriteLock({ sessionFile });
    const former = await first;
    next.assertHeld();
    await former.release();
    next.assertHeld();
    expect(former.release()).toBe(former.release());
    await next.release();
  });

  it("goes off the disk if nobody waits", async () => {
    await revoked(20);
    const names = (): string[] => (fs.existsSync(lockPath) ? fs.readdirSync(lockPath) : []);
    await vi.waitFor(() => expect(names()).toEqual([]), { timeout: HANGS_MS });
  });

  it("is taken from that holder alone, if others share it", async () => {
    const shared = { sessionFile, allowReentrant: true };
    const other = await acquireSessionWriteLock(shared);
    const former = await revoked(20, shared);
    expect(former.isHeld()).toBe(false);
    other.assertHeld();
    await former.release();
    other.assertHeld();
    await other.release();
  });

  it("and that is known to be lost, goes to whoever waits here, though its holder never lets go", async () => {
    const lost = await acquireSessionWriteLock({ sessionFile, maxHoldMs: 300, revokeAfterMaxHold: true });
    fs.rmSync(lockPath, { recursive: true });
    expect(() => lost.assertHeld()).toThrow(/it is not there any more/);
    const next = await acquireSessionWriteLock({ sessionFile });
    next.assertHeld();
    await lost.release();
    next.assertHeld();
    await next.release();
  });

  it("does not keep a nested acquire of withSessionWriteLock from it", async () => {
    await withSessionWriteLock({ sessionFile, maxHoldMs: 20, revokeAfterMaxHold: true }, async (lock) => {
      await aborted(lock);
      await (await acquireSessionWriteLock({ sessionFile })).release();
    });
  });
});

describe("what is at the lock path", () => {
  it("is never taken through a symbolic link, even to our own home", async () => {
    await (await acquireSessionWriteLock({ sessionFile })).release();
    const home = fs.readdirSync(directory).find((name) => parseHomeName(name) !== undefined) ?? "";
    expect(home).not.toBe("");
    fs.symlinkSync(home, lockPath);
    const waiting = acquireSessionWriteLock({ sessionFile, timeoutMs: LOOKS_MS });
    await expect(waiting).rejects.toMatchObject({ code: "ELOCKED", reason: "foreign" });
    expect(fs.readlinkSync(lockPath)).toBe(home);
    expect(fs.readdirSync(join(directory, home))).toHaveLength(1);
  });

  it("may be junk that is a directory: it goes if it is empty; else it is said to be in the way", async () => {
    fs.mkdirSync(join(lockPath, "@eaDir"), { recursive: true });
    await (await acquireSessionWriteLock({ sessionFile, timeoutMs: 2_000 })).release();
    fs.mkdirSync(join(lockPath, "@eaDir", "more"), { recursive: true });
    const waiting = acquireSessionWriteLock({ sessionFile, timeoutMs: LOOKS_MS });
    await expect(waiting).rejects.toThrow(/a directory without an owner that holds "@eaDir"/);
    expect(fs.existsSync(join(lockPath, "@eaDir", "more"))).toBe(true);
  });

  it.skipIf(process.platform !== "linux")(
    "is a path that is too long for a release: refused before anything is made",
    async () => {
      let deep = fs.realpathSync(directory);
      while (Buffer.byteLength(deep) < 3_770) deep = join(deep, "d".repeat(100));
      fs.mkdirSync(deep, { recursive: true });
      const long = join(deep, "f".repeat(240));
      const refused = acquireSessionWriteLock({ sessionFile: long, timeoutMs: 1_000 });
      await expect(refused).rejects.toMatchObject({ code: "EINVAL" });
      expect(fs.readdirSync(deep)).toEqual([]);
    },
  );
});

describe("the registry", () => {
  it("keeps nothing of acquisitions that failed", async () => {
    fs.writeFileSync(join(directory, "file"), "");
    const before = processRegistry().entries.size;
    for (let i = 0; i < 20; i++) {
      fs.writeFileSync(join(directory, `${i}.jsonl.lock`), "");
      const failing = acquireSessionWriteLock({ sessionFile: join(directory, `${i}.jsonl`), timeoutMs: 5 });
      await expect(failing).rejects.toMatchObject({ code: "ELOCKED" });
    }
    // Those that lie idle with a home are kept, 64 of all; none that contends or owes is left.
    while ([...processRegistry().entries.values()].some((entry) => entry.contender !== null)) await sleep(5);
    expect(processRegistry().entries.size).toBeLessThanOrEqual(Math.max(64, before));
  });

  it("keeps nothing of session files that are directories", async () => {
    const before = processRegistry().entries.size;
    await expect(acquireSessionWriteLock({ sessionFile: directory })).rejects.toMatchObject({
      code: "EINVAL",
    });
    expect(processRegistry().entries.size).toBe(before);
  });

  it("is that of all copies of the module: a nested acquire of another copy fails at once", () => {
    const copies = ["one", "two"].map((name) => {
      fs.cpSync(join(root, "dist"), join(directory, name, "dist"), { recursive: true });
      fs.cpSync(join(root, "package.json"), join(directory, name, "package.json"));
      return pathToFileURL(join(directory, name, "dist", "index.js")).href;
    });
    fs.symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
    const script = `
      const [one, two] = await Promise.all(process.argv.slice(1, 3).map((url) => import(url)));
      if (one.acquireSessionWriteLock === two.acquireSessionWriteLock) throw new Error("one copy");
      const sessionFile = process.argv[3];
      await one.withSessionWriteLock({ sessionFile }, () =>
        two.acquireSessionWriteLock({ sessionFile }).catch(({ code }) => console.log(code)));
      const lock = await two.acquireSessionWriteLock({ sessionFile });
      await one.acquireSessionWriteLock({ sessionFile, timeoutMs: 50 }).catch(({ message }) => console.log(message));
      await lock.release();`;
    const args = ["--input-type=module", "-e", script, ...copies, sessionFile];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^EDEADLK\nsession file locked \(timeout 50ms\): pid=\d+ .*this process has it/);
  });
});

describe("a vm context", () => {
  it("gets errors of another realm from node:fs, and waits all the same", async () => {
    // As a test runner does it: globals of its own, builtins of the host.
    const script = `
      const vm = require("node:vm"), fs = require("node:fs"), path = require("node:path");
      const dist = process.argv[1], context = vm.createContext({ process, Buffer, performance, setTimeout, clearTimeout,
        setImmediate, clearImmediate, AbortController, AbortSignal, console, URL });
      const cache = new Map();
      const link = async (specifier, from) => {
        if (specifier.startsWith(".")) return load(path.join(path.dirname(from.identifier), specifier));
        const host = await import(specifier);
        const names = Object.keys(host);
        const module = new vm.SyntheticModule(names, function () { for (const n of names) this.setExport(n, host[n]); }, { context });
        return module;
      };
      const load = (file) => {
        if (!cache.has(file)) cache.set(file, new vm.SourceTextModule(fs.readFileSync(file, "utf8"), { context, identifier: file }));
        return cache.get(file);
      };
      (async () => {
        const module = load(path.join(dist, "index.js"));
        await module.link(link);
        await module.evaluate();
        const { acquireSessionWriteLock } = module.namespace;
        const { acquireSessionWriteLock: outside } = await import(path.join(dist, "index.js"));
        const sessionFile = process.argv[2];
        const lock = await outside({ sessionFile });
        const error = await acquireSessionWriteLock({ sessionFile, timeoutMs: 1000 }).catch((caught) => caught);
        console.log(error.code, error.message);
        await lock.release();
        await (await acquireSessionWriteLock({ sessionFile, timeoutMs: 5000 })).release();
        console.log("taken");
      })();`;
    const args = [
      "--experimental-vm-modules",
      "--no-warnings",
      "-e",
      script,
      join(root, "dist"),
      sessionFile,
    ];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout).toMatch(
      /^ELOCKED .*this very thread of pid \d+ has it, by another path .* or in another realm/,
    );
    expect(stdout).toMatch(/\ntaken\n$/);
  });
});

describe("a worker thread", () => {
  it("that is terminated while it holds is an owner that is dead: the next one has the lock", async () => {
    const url = pathToFileURL(join(root, "dist", "index.js")).href;
    const code = `
      const { parentPort, workerData } = require("node:worker_threads");
      import(${JSON.stringify(url)}).then(async ({ acquireSessionWriteLock }) => {
        globalThis.lock = await acquireSessionWriteLock({ sessionFile: workerData });
        parentPort.postMessage("held");
        setInterval(() => {}, 1000);
      });`;
    const worker = new Worker(code, { eval: true, workerData: sessionFile });
    await new Promise((resolve) => worker.once("message", resolve));
    const early: SessionWriteLockError = await acquireSessionWriteLock({ sessionFile, timeoutMs: 100 }).then(
      () => expect.unreachable(),
      (error: SessionWriteLockError) => error,
    );
    expect(early).toMatchObject({ code: "ELOCKED", owner: { pid: process.pid } });
    await worker.terminate();
    const lock = await acquireSessionWriteLock({ sessionFile, timeoutMs: 5_000 });
    lock.assertHeld();
    await lock.release();
  });
});
