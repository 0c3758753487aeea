import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { type Disk, type DiskCall, type DiskFailure, nodeDisk } from "../../src/disk.ts";
import type { SessionWriteLockError } from "../../src/errors.ts";
import { newNonce, readOwnerScope } from "../../src/owner/identity.ts";
import { formatOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import * as protocol from "../../src/protocol.ts";
import { type Attempt, createEntry, type Entry, type Evictions, NO_EVICTIONS } from "../../src/registry.ts";
import { createDriver } from "../../src/steps.ts";
import type { Tracer } from "../../src/trace.ts";
import { deadPid } from "../support/processes.ts";
import { doubleOf, loadDouble } from "../twins/doubles.ts";

// The protocol under its real driver, on a real directory, with a disk that can be made to fail and a clock that
// never waits. Lockstep has every schedule; here are the parts that it fakes: driver, timers, errors to the caller.

let directory = "";
let failing: (call: DiskCall) => string | undefined = () => undefined;
let delays: number[] = [];
const quiet: number[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-protocol-"));
  failing = () => undefined;
  delays = [];
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const disk: Disk = {
  renameReplacesEmpty: true,
  now: (call) => failureOf(call) ?? nodeDisk.now(call),
  later: (call, done) => {
    const failure = failureOf(call);
    if (failure === undefined) nodeDisk.later(call, done);
    else setImmediate(done, failure);
  },
};

function failureOf(call: DiskCall): DiskFailure | undefined {
  const errno = failing(call);
  if (errno === undefined) return undefined;
  return { ok: false, errno, error: Object.assign(new Error(`${errno}: injected`), { code: errno }) };
}

const clock: Clock = {
  now: () => performance.now(),
  random: () => 0.5,
  setTimer: (ms, callback) => {
    delays.push(ms);
    const timer = setImmediate(callback);
    return { cancel: () => clearImmediate(timer) };
  },
};

function entryOf(local: boolean): Entry {
  return createEntry({
    lockPath: join(directory, "a.jsonl.lock"),
    sessionFile: join(directory, "a.jsonl"),
    local,
    services: {
      disk,
      clock,
      owners: createOwners(readOwnerScope(createObserver())),
      drive: createDriver(disk, clock),
      warn: (message) => {
        throw new Error(`nobody expects: ${message}`);
      },
      quiet: () => quiet.push(1),
    },
  });
}

function take(entry: Entry, code: Pick<typeof protocol, "request"> = protocol): Promise<Attempt> {
  return new Promise((resolve, reject) => {
    const attempt: Attempt = {
      reentrant: false,
      gaveUp: false,
      revoked: false,
      granted: () => resolve(attempt),
      failed: reject,
      lost: reject,
    };
    code.request(entry, attempt);
  });
}

/** The name of an owner of that pid, at L. */
function plant({ lockPath }: Entry, pid: number): string {
  const ids = { pid: String(pid), tid: String(pid) };
  const self = readOwnerScope(createObserver());
  const name = formatOwnerName({ ...self, ...ids, life: "-", nonce: newNonce() });
  fs.mkdirSync(lockPath, { recursive: true });
  fs.writeFileSync(join(lockPath, name), "");
  return name;
}

const takenOver = (entry: Entry): Promise<Evictions | undefined> =>
  new Promise((granted, failed) =>
    protocol.request(entry, {
      reentrant: false,
      gaveUp: false,
      revoked: false,
      granted,
      failed,
      lost: failed,
    }),
  );

const namesIn = ({ owners, overtaken } = NO_EVICTIONS): object => ({
  names: owners.map(({ name }) => name),
  overtaken,
});

const letGo = (entry: Entry, attempt: Attempt): Promise<Error | undefined> =>
  new Promise((resolve) => protocol.release(entry, attempt, resolve));

describe.each([
  ["PutBack", true],
  ["Drop", false],
])("a lock that is released by %s", (_way, local) => {
  it("is taken and given back again and again, and leaves nothing at its path but an empty directory", async () => {
    const entry = entryOf(local);
    for (let i = 0; i < 5; i++) {
      const attempt = await take(entry);
      expect(fs.readdirSync(entry.lockPath)).toEqual([entry.home?.name]);
      expect(await letGo(entry, attempt)).toBeUndefined();
      expect(fs.existsSync(entry.lockPath) ? fs.readdirSync(entry.lockPath) : []).toEqual([]);
    }
  });

  it("that cannot be taken off the disk is reported as ERELEASE, and owed until it can", async () => {
    const entry = entryOf(local);
    const attempt = await take(entry);
    const name = entry.home?.name ?? "";
    failing = ({ call }) => (call === "rename" || call === "unlink" ? "EIO" : undefined);
    const error = await letGo(entry, attempt);
    expect(error).toMatchObject({ code: "ERELEASE", lockPath: entry.lockPath, cause: { code: "EIO" } });
    expect(entry.held.size).toBe(0);
    expect(entry.releasing).toMatchObject({ name });
    expect(fs.readdirSync(entry.lockPath)).toEqual([name]);
    // Nobody of this process passes it meanwhile, on the disk or in memory.
    let granted = false;
    const next = take(entry).then((heir) => {
      granted = true;
      return heir;
    });
    delays = [];
    while (delays.length < 12) await new Promise((resolve) => setImmediate(resolve));
    expect(granted).toBe(false);
    // The pauses double, up to a limit.
    const at = delays.indexOf(40);
    expect(delays.slice(at, at + 3)).toEqual([40, 80, 160]);
    expect(Math.max(...delays)).toBe(5_000);
    failing = () => undefined;
    const heir = await next;
    expect(entry.releasing).toBeNull();
    expect(fs.readdirSync(entry.lockPath)).toEqual([entry.home?.name]);
    expect(entry.home?.name).not.toBe(name);
    expect(await letGo(entry, heir)).toBeUndefined();
  });

  it("whose home cannot be made is EDISK at once, and leaves nothing", async () => {
    const entry = entryOf(local);
    failing = ({ call }) => (call === "prepare" ? "ENOSPC" : undefined);
    const error: SessionWriteLockError = await take(entry).then(
      () => expect.unreachable(),
      (caught: SessionWriteLockError) => caught,
    );
    expect(error).toMatchObject({ code: "EDISK", cause: { code: "ENOSPC" } });
    while (entry.owes.size > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("whose Take fails again and again is EDISK after three homes, all of which go", async () => {
    const entry = entryOf(local);
    const homes = new Set<string>();
    failing = (call) => {
      if (call.call !== "rename" || call.to !== entry.lockPath) return undefined;
      homes.add(call.from);
      return "EIO";
    };
    await expect(take(entry)).rejects.toMatchObject({ code: "EDISK", cause: { code: "EIO" } });
    expect(homes.size).toBe(3);
    while (entry.owes.size > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("whose owner is dead: who evicts it is told of it", async () => {
    const entry = entryOf(local);
    const dead = plant(entry, deadPid());
    expect(namesIn(await takenOver(entry))).toEqual({ names: [dead], overtaken: false });
    expect(entry.evictions.owners).toEqual([]);
  });

  it("whose owner is dead: who comes too late to evict it is told of nobody", async () => {
    const entry = entryOf(local);
    const dead = plant(entry, deadPid());
    failing = (call) => {
      if (call.call !== "unlink" || !call.path.endsWith(dead)) return undefined;
      fs.unlinkSync(call.path);
      return "ENOENT";
    };
    expect(namesIn(await takenOver(entry))).toEqual({ names: [], overtaken: false });
  });

  it("whose owner is dead, and that somebody else takes first: who evicted it is told of both", async () => {
    const entry = entryOf(local);
    const dead = plant(entry, deadPid());
    let other: string | undefined;
    failing = (call) => {
      // In the window between the Evict and the Take.
      if (call.call === "unlink" && call.path.endsWith(dead)) other ??= plant(entry, process.pid);
      if (call.call === "readdir" && entry.evictions.overtaken)
        fs.rmSync(join(entry.lockPath, other ?? ""), { force: true });
      return undefined;
    };
    expect(namesIn(await takenOver(entry))).toEqual({ names: [dead], overtaken: true });
  });

  it("is taken although the reply of its Take was lost", async () => {
    const entry = entryOf(local);
    let lost = 0;
    failing = (call) => {
      if (call.call !== "rename" || call.to !== entry.lockPath || lost++ > 0) return undefined;
      fs.renameSync(call.from, call.to);
      return "ETIMEDOUT";
    };
    const attempt = await take(entry);
    expect(lost).toBe(1);
    expect(fs.readdirSync(entry.lockPath)).toEqual([entry.home?.name]);
    expect(await letGo(entry, attempt)).toBeUndefined();
  });
});

describe("on a disk that refuses to take names away", () => {
  /** How many homes there are, after as many rounds as two patient requests have. */
  async function homesOf(code: Pick<typeof protocol, "request">): Promise<number> {
    const entry = entryOf(false);
    failing = ({ call }) => (call === "unlink" || call === "rename" ? "EIO" : undefined);
    await expect(take(entry, code)).rejects.toMatchObject({ code: "EDISK" });
    let second = "waits";
    const waiting = take(entry, code).then(
      () => (second = "granted"),
      () => (second = "failed"),
    );
    // Its waits become the longest if it only waits; those after a failure do not grow.
    const isPatient = (): boolean => (entry.patience?.waitMs ?? 0) >= 15;
    while (second === "waits" && !isPatient()) await new Promise((resolve) => setImmediate(resolve));
    const homes = fs.readdirSync(directory).length;
    failing = () => undefined;
    await waiting;
    return homes;
  }

  it("a process makes as many homes as it may owe, and then waits", async () => {
    expect(await homesOf(protocol)).toBe(protocol.MAX_DEBTS);
  });

  it("twin: without MAX_DEBTS it makes more", async () => {
    expect(await homesOf(await loadDouble(doubleOf("NoMaxDebts")))).toBeGreaterThan(protocol.MAX_DEBTS);
  });
});

describe("the trace port", () => {
  const key = Symbol.for("session-write-lock.trace.v1");
  const hook = globalThis as { [key]?: (entry: Entry) => Tracer };
  afterEach(() => {
    delete hook[key];
  });

  it("has nobody who listens, unless somebody asked before", () => {
    expect(entryOf(true).tracer).toBeUndefined();
  });

  it.each([
    [
      true,
      ["Check", "Check is done", "PutBack", "PutBack is done", "Confirm", "Confirm is done", "Released"],
    ],
    [false, ["Drop", "Drop is done", "Released"]],
  ])(
    "tells each call from outside, each turn, and each call before and after: local %s",
    async (local, out) => {
      const heard: string[] = [];
      let last = "";
      hook[key] = () => ({
        called: (action) => heard.push(action),
        begins: (_run, { action }) => {
          last = action;
          heard.push(action);
        },
        ends: (_run, reply) => heard.push(reply.ok ? `${last} is done` : reply.errno),
      });
      const entry = entryOf(local);
      await letGo(entry, await take(entry));
      const way = [
        "Prepare",
        "Prepare is done",
        "Take",
        "Take is done",
        "Verify",
        "Verify is done",
        "Granted",
      ];
      expect(heard).toEqual(["Request", ...way, "Release", ...out]);
    },
  );
});
