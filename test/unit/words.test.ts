/** What people are told: who has a lock, why the disk refuses, what a waiter waits for, why a lock is lost. */

import fs from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ageOf, describeOwner, explainRefusal } from "../../src/describe.ts";
import type { DiskReply } from "../../src/disk.ts";
import { oursIn } from "../../src/loss.ts";
import { readOptions } from "../../src/options.ts";
import { formatOwnerName } from "../../src/owner/name.ts";
import type { Entry, Obstacle, Owners } from "../../src/registry.ts";
import { describeWait, timeoutError } from "../../src/waiting.ts";
import { OWNER } from "./owner/fixtures.ts";
import { STUB_SERVICES, stubEntry } from "./stubs.ts";

const NAME = formatOwnerName(OWNER);

let directory = "";
let lockPath = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-words-")));
  lockPath = join(directory, "a.jsonl.lock");
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

function plantOwner(content: object): void {
  fs.mkdirSync(lockPath);
  fs.writeFileSync(join(lockPath, NAME), JSON.stringify(content));
}

describe("who an owner is", () => {
  it("is told by its name, by its file, and by when the directory came there", () => {
    plantOwner({ hostname: "elsewhere", metadata: { run: 7 } });
    expect(describeOwner(NAME, lockPath, "it runs")).toEqual({
      name: NAME,
      pid: 4711,
      uid: fs.lstatSync(lockPath).uid,
      host: "elsewhere",
      metadata: { run: 7 },
      ageMs: expect.any(Number) as number,
      verdict: "it runs",
    });
  });

  it("is not known if its file is gone, and has no pid if it has not the name of an owner", () => {
    expect(describeOwner("somebody", lockPath, "")).toEqual({
      name: "somebody",
      pid: undefined,
      uid: undefined,
      host: undefined,
      metadata: undefined,
      ageMs: undefined,
      verdict: "",
    });
  });
});

describe("how long a lock has been there", () => {
  const at = (ctimeMs: number): number | undefined => {
    vi.spyOn(fs, "lstatSync").mockReturnValue({ ctimeMs } as fs.Stats);
    return ageOf(lockPath);
  };

  it("is told by its ctime; if the clocks do not agree, it is not negative", () => {
    vi.spyOn(Date, "now").mockReturnValue(1_000);
    expect([at(400), at(1_500)]).toEqual([600, 0]);
  });

  it("is not known if it is not there, or cannot be seen", () => {
    expect(ageOf(lockPath)).toBeUndefined();
    fs.writeFileSync(lockPath, "");
    expect(ageOf(join(lockPath, "in a file"))).toBeUndefined();
  });
});

describe("a refusal of the disk", () => {
  it("is explained where permissions are why", () => {
    fs.mkdirSync(lockPath);
    fs.chmodSync(lockPath, 0o750);
    const { uid } = fs.lstatSync(lockPath);
    for (const errno of ["EACCES", "EPERM"]) {
      expect(explainRefusal(errno, lockPath)).toBe(
        `${errno}: ${lockPath} belongs to uid ${uid}, and its mode is 750`,
      );
    }
    fs.chmodSync(directory, 0o1777);
    expect(explainRefusal("EPERM", lockPath)).toBe(
      `EPERM: ${lockPath} belongs to uid ${uid}, and its directory is sticky, where only that user may remove it`,
    );
  });

  it("is only named where they are not, or where nobody can look", () => {
    fs.mkdirSync(lockPath);
    expect(explainRefusal("EIO", lockPath)).toBe("EIO");
    expect(explainRefusal("EACCES", join(directory, "missing"))).toBe("EACCES");
  });
});

describe("what a waiter is told", () => {
  function entryOf(obstacle: Obstacle | undefined, owners: Partial<Owners> = {}): Entry {
    const entry = stubEntry(
      {
        clock: { ...STUB_SERVICES.clock, now: () => 1_234.4 },
        owners: { ...STUB_SERVICES.owners, ...owners },
      },
      lockPath,
    );
    entry.obstacle = obstacle;
    return entry;
  }
  const wait = (obstacle: Obstacle | undefined, owners?: Partial<Owners>): ReturnType<typeof describeWait> =>
    describeWait(entryOf(obstacle, owners), 234);
  const common = (): object => ({ sessionFile: join(directory, "a.jsonl"), lockPath, waitedMs: 1_000 });

  it("names the owner that was seen last, and its host if that is another one", () => {
    plantOwner({ hostname: hostname() });
    const obstacle = { kind: "owner", name: NAME, verdict: "pid 4711 runs" } as const;
    expect(wait(obstacle)).toEqual({
      ...common(),
      reason: "session_busy",
      owner: expect.objectContaining({ pid: 4711, name: NAME, verdict: "pid 4711 runs" }) as object,
      what: `pid=4711 ${lockPath} (pid 4711 runs; waited 1000 ms)`,
    });
    fs.writeFileSync(join(lockPath, NAME), JSON.stringify({ hostname: "elsewhere" }));
    expect(wait(obstacle).what).toBe(`pid=4711 host=elsewhere ${lockPath} (pid 4711 runs; waited 1000 ms)`);
    fs.rmSync(lockPath, { recursive: true });
    expect(wait({ ...obstacle, name: "somebody" }).what).toBe(
      `pid=unknown ${lockPath} (pid 4711 runs; waited 1000 ms)`,
    );
  });

  it("names this process, if that has the lock: by its home, or without", () => {
    fs.mkdirSync(lockPath);
    expect(wait(undefined)).toEqual({
      ...common(),
      reason: "session_busy",
      owner: {
        name: "",
        pid: process.pid,
        uid: process.getuid?.(),
        host: hostname(),
        ageMs: expect.any(Number) as number,
        verdict: "this process has it, or is taking it",
        metadata: undefined,
      },
      what: `pid=${process.pid} ${lockPath} (this process has it, or is taking it; waited 1000 ms)`,
    });
    const entry = entryOf(undefined);
    entry.home = { name: NAME, path: "", guests: [] };
    expect(describeWait(entry, 234)).toMatchObject({ owner: { name: NAME, pid: 4711 } });
  });

  it("says what a free lock is refused with", () => {
    expect(wait({ kind: "refusal", errno: "ENOTEMPTY" })).toEqual({
      ...common(),
      reason: "session_busy",
      owner: undefined,
      what: `${lockPath} seems free, but taking it is refused with ENOTEMPTY`,
    });
  });

  const foreign = { kind: "foreign", what: "what was seen" } as const;
  const none = (words: string): string =>
    `${lockPath} is not a lock of this library (${words}); it is left alone`;

  it("says what else stands there: what was seen, or by now what kind of file", () => {
    const asSeen = { ...common(), reason: "foreign", owner: undefined, what: none("what was seen") };
    expect(wait(foreign)).toEqual(asSeen);
    fs.mkdirSync(lockPath);
    expect(wait(foreign)).toEqual(asSeen);
    fs.rmdirSync(lockPath);
    fs.writeFileSync(lockPath, "garbage");
    expect(wait(foreign)).toEqual({ ...asSeen, what: none("a file of 7 bytes") });
  });

  it("names the owner that an old lock file claims, and what is known of it", () => {
    fs.writeFileSync(lockPath, JSON.stringify({ pid: 4711, createdAt: "2026-01-01T00:00:00.000Z" }));
    const old = "an old lock file of pid 4711, made at 2026-01-01T00:00:00.000Z";
    const owner = {
      name: "",
      pid: 4711,
      uid: undefined,
      host: undefined,
      ageMs: expect.any(Number) as number,
      verdict: old,
      metadata: undefined,
    };
    expect(wait(foreign)).toEqual({ ...common(), reason: "foreign", owner, what: `pid=4711 ${none(old)}` });
    const asked: unknown[] = [];
    const judged = wait(foreign, {
      judgeLegacy: (claim, place) => {
        asked.push(claim.pid, place);
        return { verdict: "dead", reason: "pid 4711 is gone" };
      },
    });
    expect(asked).toEqual([4711, { path: lockPath, local: true }]);
    expect(judged).toMatchObject({
      owner: { verdict: "pid 4711 is gone" },
      what: `pid=4711 ${none(`${old}; pid 4711 is gone`)}`,
    });
  });

  it("after its time is an error with all of it", () => {
    const options = readOptions({ sessionFile: "a.jsonl", timeoutMs: 70 }, { waits: true });
    const error = timeoutError(entryOf(foreign), options, 234);
    expect(error).toMatchObject({
      code: "ELOCKED",
      sessionFile: join(directory, "a.jsonl"),
      lockPath,
      reason: "foreign",
      owner: undefined,
      message: `session file locked (timeout 70ms): ${none("what was seen")}`,
    });
    plantOwner({});
    expect(timeoutError(entryOf({ kind: "owner", name: NAME, verdict: "" }), options, 234)).toMatchObject({
      reason: "session_busy",
      owner: { pid: 4711 },
    });
  });
});

describe("a look whether the lock is ours", () => {
  const home = { name: "ours", path: "", guests: ["guest"] };
  const found = (...names: readonly string[]): DiskReply => ({ ok: true, names });
  const failed = (errno: string): DiskReply => ({ ok: false, errno, error: new Error(errno) });

  it("is answered by exactly our names, known junk aside", () => {
    expect(oursIn(found("ours", "guest"), home)).toEqual({ ours: true });
    expect(oursIn(found("guest", ".DS_Store", "ours"), home)).toEqual({ ours: true });
    expect(oursIn(found("ours"), home)).toEqual({ ours: false, why: "somebody else's name is in it" });
    expect(oursIn(found("ours", "guest", "another"), home).ours).toBe(false);
    expect(oursIn(found("ours", "guest"), null).ours).toBe(false);
    expect(oursIn(found(), home)).toEqual({ ours: false, why: "somebody emptied it" });
    expect(oursIn(found("._a"), home)).toEqual({ ours: false, why: "somebody emptied it" });
    expect(oursIn(found("._a", "another"), home).why).toBe("somebody else's name is in it");
  });

  it.each(["ENOENT", "ENOTDIR"])("says that it is not there any more: %s", (errno) => {
    expect(oursIn(failed(errno), home)).toEqual({
      ours: false,
      why: "it is not there any more",
      cause: new Error(errno),
    });
  });

  it("says nothing of a disk that does not answer", () => {
    expect(oursIn(failed("EMFILE"), home)).toEqual({
      ours: undefined,
      why: "the lock path cannot be read (EMFILE)",
      cause: new Error("EMFILE"),
    });
  });
});
