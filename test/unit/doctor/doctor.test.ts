import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DiskReply } from "../../../src/disk.ts";
import { checkClock, lookAtClock } from "../../../src/doctor/clock.ts";
import { checkDisk } from "../../../src/doctor/disk.ts";
import { examine, REAL_WORLD } from "../../../src/doctor/doctor.ts";
import { checkWriters, lookAtOtherLocks } from "../../../src/doctor/place.ts";
import { checkHost, checkProcesses } from "../../../src/doctor/processes.ts";
import type { Result, Row, World } from "../../../src/doctor/row.ts";
import { newNonce, readOwnerScope } from "../../../src/owner/identity.ts";
import { formatOwnerName } from "../../../src/owner/name.ts";
import { createObserver, type SystemCalls } from "../../../src/owner/observe.ts";
import { BROKEN_DISKS } from "./disks.ts";

// tests A1, A2, A3, A5, A6, A7, A8

let directory = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-doctor-test-")));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const real = createObserver();
const linux = process.platform === "linux";
const self = readOwnerScope(real);

/** The real machine, with some of its answers changed. */
const worldWith = (calls: Partial<SystemCalls>): World => ({
  ...REAL_WORLD,
  observer: createObserver({ ...real, ...calls }),
});

/** What is not as it was on the real machine: `{ tried: result }`. */
function changed(before: readonly Row[], after: readonly Row[]): Record<string, Result> {
  const results = new Map(before.map(({ tried, result }) => [tried, result]));
  return Object.fromEntries(
    after
      .filter(({ tried, result }) => results.get(tried) !== result)
      .map(({ tried, result }) => [tried, result]),
  );
}

const resultsOf = (rows: readonly Row[]): Record<string, Result> => changed([], rows);

describe("A3", () => {
  it("is as assumed on this disk", async () => {
    const rows = await checkDisk(REAL_WORLD.disk, directory, 20);
    expect(rows).toHaveLength(11);
    expect(rows.filter(({ result }) => result === "fail" || result === "not known")).toEqual([]);
  });

  for (const { name, disk, caughtBy } of BROKEN_DISKS) {
    it(`fails where the disk ${name}, in the row that says so`, async () => {
      const rows = await checkDisk(disk, directory, 20);
      const failed = rows.filter(({ subject, result }) => subject === "A3" && result === "fail");
      expect(failed.map(({ tried }) => tried).sort()).toEqual([...caughtBy].sort());
      for (const { means } of failed) expect(means).not.toBe("");
      expect(rows.filter(({ result }) => result === "not known")).toEqual([]);
    });
  }

  it("says that two directories were merged", async () => {
    const [broken] = BROKEN_DISKS;
    const rows = await checkDisk(broken?.disk ?? REAL_WORLD.disk, directory, 20);
    const found = rows.find(({ tried }) => tried === "rename to a directory that is not empty");
    expect(found?.seen).toBe("done: it merges the two");
  });

  it("warns where a refusal is said in other words (A7), and nowhere else", async () => {
    const { now, ...disk } = REAL_WORLD.disk;
    const rows = await checkDisk(
      {
        ...disk,
        now: (call) => {
          const reply = now(call);
          return reply.ok ? reply : { ...reply, errno: "EPERM" };
        },
      },
      directory,
      20,
    );
    const warned = rows.filter(({ result }) => result !== "ok" && result !== "not known");
    expect(warned.filter(({ tried }) => !tried.startsWith("names"))).toMatchObject([
      { subject: "A7", result: "warn", seen: "EPERM, EPERM, EPERM" },
    ]);
  });

  it("is not known, and not passed, where a check cannot be made", async () => {
    const throws = (): never => {
      throw Object.assign(new Error("no"), { code: "EIO" });
    };
    const rows = await checkDisk({ ...REAL_WORLD.disk, now: throws, later: throws }, directory, 20);
    expect(resultsOf(rows.filter(({ tried }) => !tried.startsWith("names")))).toEqual({
      "rename to what is absent": "not known",
      "rename to an empty directory": "not known",
      "rename to a directory that is not empty": "not known",
      "rename to a file": "not known",
      "rename to a symbolic link": "not known",
      "unlink by name": "not known",
      "rmdir of a directory that is not empty": "not known",
      "rename, four at the same time": "not known",
      "refusals are said in the words that are understood": "not known",
    });
  });
});

describe.runIf(linux)("A1 and A6", () => {
  const look = (world: World): Promise<readonly Row[]> =>
    checkProcesses(world, directory, { quick: false, local: true });

  it("see a child of ours alive, and then dead, and its socket accept, and then refuse", async () => {
    const results = resultsOf(await look(REAL_WORLD));
    expect(results).toMatchObject({
      "the socket of a child accepts, then refuses": "ok",
      "a life socket in this directory": "ok",
    });
    const proven = results["/proc is that of this pid namespace"] === "ok" ? "ok" : "warn";
    expect(results["a child of ours is alive, then dead"]).toBe(proven);
    expect(fs.readdirSync(directory)).toEqual(["child.socket"]);
  });

  it("do not start a child with --quick, and say so", async () => {
    const rows = await checkProcesses(REAL_WORLD, directory, { quick: true, local: true });
    expect(resultsOf(rows)).toMatchObject({
      "a child of ours is alive, then dead": "not known",
      "the socket of a child accepts, then refuses": "not known",
    });
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("fail where the living are taken for dead", async () => {
    const rows = await look(worldWith({ probe: () => "gone" }));
    expect(resultsOf(rows)["a child of ours is alive, then dead"]).toBe("fail");
  });

  it("fail where the dead are taken for living", async () => {
    let stat = "";
    const keep: SystemCalls["readText"] = (path) => {
      const found = real.readText(path);
      if (!/^\/proc\/\d+\/(task\/\d+\/)?stat$/.test(path)) return found;
      if (found.kind === "text") stat = found.text;
      return { kind: "text", text: stat };
    };
    const rows = await look(worldWith({ probe: () => "runs", readText: keep }));
    expect(resultsOf(rows)["a child of ours is alive, then dead"]).toBe("fail");
  });

  const readLink =
    (changes: Readonly<Record<string, string>>): SystemCalls["readLink"] =>
    (path) => {
      const text = changes[path];
      return text === undefined ? real.readLink(path) : { kind: "text", text };
    };
  const without =
    (pattern: RegExp, kind: "missing" | "unreadable" = "unreadable"): SystemCalls["readText"] =>
    (path) =>
      pattern.test(path) ? { kind } : real.readText(path);

  it.each<[string, Partial<SystemCalls>, Record<string, Result>]>([
    [
      "the host's /proc in a sandbox",
      { readLink: readLink({ "/proc/self": "4711" }) },
      {
        "/proc is that of this pid namespace": "warn",
        "when a process and its threads started": "warn",
        "processes of other users can be seen": "not known",
      },
    ],
    [
      "hidepid",
      { readText: without(/^\/proc\/1\/stat$/, "missing") },
      { "processes of other users can be seen": "warn" },
    ],
    ["no boot id", { readText: without(/boot_id$/) }, { "the boot id": "warn" }],
    ["the boot id of a container", { isMounted: () => true }, { "the boot id": "warn" }],
    [
      "namespaces that cannot be read",
      { readLink: (path) => (path.includes("/ns/") ? { kind: "unreadable" } : real.readLink(path)) },
      { "namespaces of pids and time": "warn" },
    ],
    [
      "a time namespace of our own",
      { readLink: readLink({ "/proc/self/ns/time": "time:[4026532000]" }) },
      { "namespaces of pids and time": "warn" },
    ],
    [
      "no /proc at all",
      { platform: "darwin" },
      {
        "/proc is that of this pid namespace": "warn",
        "when a process and its threads started": "warn",
        "processes of other users can be seen": "not known",
        "the boot id": "warn",
      },
    ],
  ])("say what %s means", async (_what, calls, expected) => {
    const how = { quick: true, local: true };
    const before = await checkProcesses(REAL_WORLD, directory, how);
    const after = await checkProcesses(worldWith(calls), directory, how);
    for (const row of after.filter(({ tried }) => tried in expected)) expect(row.means).not.toBe("");
    // What is so on this machine anyway is no change.
    const wanted = Object.entries(expected).filter(([tried, result]) => resultsOf(before)[tried] !== result);
    expect(changed(before, after)).toEqual(Object.fromEntries(wanted));
  });

  it("say how well this machine can be told from others", () => {
    const ids = { readText: without(/machine-id$/) };
    expect(
      checkHost(worldWith({ readText: () => ({ kind: "text", text: "0".repeat(32) }) }).observer).result,
    ).toBe("ok");
    expect(checkHost(worldWith(ids).observer).seen).toBe("the host name alone");
    expect(checkHost(worldWith({ ...ids, hostName: () => "localhost" }).observer)).toMatchObject({
      result: "warn",
      seen: "no machine id, and a host name that many have",
    });
  });
});

describe.skipIf(process.platform === "win32")("A2", () => {
  it.each([
    [0o700, "ok"],
    [0o775, "ok"],
    [0o777, "warn"],
    [0o1777, "warn"],
  ] as const)("mode %o: %s", (mode, result) => {
    fs.chmodSync(directory, mode);
    expect(checkWriters(directory)[0]?.result).toBe(result);
  });

  it("asks ls for access lists, and does not know without it", () => {
    const path = process.env["PATH"];
    const answer = (script: string): string | undefined => {
      fs.writeFileSync(join(directory, "ls"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      return checkWriters(directory)[1]?.result;
    };
    try {
      process.env["PATH"] = `${directory}:${path}`;
      expect(answer(`echo "drwxrwxr-x+ 2 root root 4096 Jan 1 00:00 $3"`)).toBe("warn");
      expect(answer(`echo "drwxrwxr-x 2 root root 4096 Jan 1 00:00 $3"`)).toBe("ok");
      expect(answer("exit 1")).toBe("not known");
    } finally {
      process.env["PATH"] = path;
    }
  });

  it("sees who may put another directory in its place", () => {
    const inner = join(directory, "inner");
    fs.mkdirSync(inner);
    expect(checkWriters(inner)[2]?.result).toBe("ok");
    fs.chmodSync(directory, 0o777);
    expect(checkWriters(inner)[2]).toMatchObject({ result: "warn", seen: `${directory} has mode 0777` });
  });
});

describe("A5", () => {
  it("fails where somebody keeps an empty directory fresh", async () => {
    const lock = join(directory, "a.jsonl.lock");
    fs.mkdirSync(lock);
    const again = await lookAtOtherLocks(directory, true);
    fs.utimesSync(lock, new Date(), new Date(Date.now() + 1_000));
    expect(await again()).toMatchObject({ result: "fail" });
  });

  it("does not know whether an empty directory is a held lock, on a disk where ours leave none", async () => {
    fs.mkdirSync(join(directory, "a.jsonl.lock"));
    expect((await (await lookAtOtherLocks(directory, true))()).result).not.toBe("ok");
  });

  it("warns of files, and has nothing to say where there are none", async () => {
    expect(await (await lookAtOtherLocks(directory, true))()).toMatchObject({ result: "ok" });
    fs.writeFileSync(join(directory, "a.jsonl.lock"), "x");
    expect(await (await lookAtOtherLocks(directory, true))()).toMatchObject({
      result: "warn",
      seen: `1: ${directory}/a.jsonl.lock: a file of 1 bytes`,
    });
  });
});

describe("the clocks", () => {
  const check = async (world: World, moveTo: World = world): Promise<Record<string, Result>> => {
    const first = lookAtClock(world, directory);
    return resultsOf(await checkClock(moveTo, directory, first));
  };
  const AS_IT_SHOULD_BE = {
    "the file server's clock against ours": "ok",
    "a beat moves the mtime": "ok",
    "jumps of the clocks while we looked": "ok",
  };

  it("are as they should be here", async () => {
    expect(await check(REAL_WORLD)).toMatchObject(AS_IT_SHOULD_BE);
  });

  // One that moves nothing is waited for: test/unit/doctor/clock.test.ts.
  it("fail where a beat is refused", async () => {
    const refused: DiskReply = { ok: false, errno: "EROFS", error: new Error("EROFS") };
    const { disk } = REAL_WORLD;
    const now: World["disk"]["now"] = (call) => (call.call === "beat" ? refused : disk.now(call));
    expect(await check({ ...REAL_WORLD, disk: { ...disk, now } })).toMatchObject({
      "a beat moves the mtime": "fail",
    });
  });

  it("a server that is an hour ahead is told", async () => {
    const late = { ...REAL_WORLD, wall: () => Date.now() - 3_600_000 };
    expect(await check(late)).toMatchObject({
      ...AS_IT_SHOULD_BE,
      "the file server's clock against ours": "warn",
    });
  });

  it("a clock that is set while we look is told", async () => {
    const set = { ...REAL_WORLD, wall: () => Date.now() + 3_000 };
    expect(await check(REAL_WORLD, set)).toMatchObject({
      ...AS_IT_SHOULD_BE,
      "jumps of the clocks while we looked": "warn",
    });
  });

  it("are as they should be though a busy machine sleeps for seconds between two looks at them", async () => {
    for (let at = 0; at < 16; at++) {
      fs.rmSync(join(directory, "beat"), { force: true });
      let [walls, looks, slept] = [0, 0, 0];
      // From the end of the stamp on, which a real disk writes without sleeping.
      const look = (clock: () => number): number => {
        if (walls >= 2 && looks++ === at) slept = 12_000;
        return clock() + slept;
      };
      const wall = (): number => {
        walls++;
        return look(Date.now);
      };
      const monotonic = (): number => look(() => performance.now());
      expect(await check(REAL_WORLD, { ...REAL_WORLD, wall, monotonic }), `look ${at}`).toMatchObject(
        AS_IT_SHOULD_BE,
      );
    }
  });

  it("are as they should be though a busy disk takes seconds for a beat", async () => {
    let slept = 0;
    const disk: World["disk"] = {
      ...REAL_WORLD.disk,
      now: (call) => {
        slept += 2_000;
        return REAL_WORLD.disk.now(call);
      },
    };
    const monotonic = (): number => performance.now() + slept;
    expect(await check({ ...REAL_WORLD, disk, monotonic })).toMatchObject({ "a beat moves the mtime": "ok" });
  });

  it("an uptime that is a container's, and a boot in 1970, are told", async () => {
    for (const bootTime of [() => undefined, () => 0, () => Date.now() + 60_000]) {
      fs.rmSync(join(directory, "beat"), { force: true });
      expect(await check(worldWith({ bootTime }))).toMatchObject({ "when this machine booted": "warn" });
    }
  });
});

describe("what the doctor leaves", () => {
  it("is nothing, and what was there is as it was", async () => {
    fs.writeFileSync(join(directory, "a.jsonl"), "line\n");
    fs.mkdirSync(join(directory, "a.jsonl.lock"));
    const stat = (): unknown =>
      fs.readdirSync(directory).map((name) => fs.statSync(join(directory, name)).ctimeMs);
    const before = stat();
    const { directory: seen, rows } = await examine(directory, { quick: true });
    expect(seen).toBe(directory);
    expect([...new Set(rows.map(({ subject }) => subject))]).toEqual([
      "A1",
      "A2",
      "A3",
      "A4",
      "A5",
      "A6",
      "A7",
      "A8",
      "needs",
    ]);
    expect(fs.readdirSync(directory).sort()).toEqual(["a.jsonl", "a.jsonl.lock"]);
    expect(stat()).toEqual(before);
  });

  it("can be removed from before it is made: a signal may come right after", async () => {
    const there: (readonly string[])[] = [];
    const onScratch = (): void => void there.push(fs.readdirSync(directory));
    await examine(directory, { quick: true, onScratch });
    expect(there).toEqual([[]]);
  });

  it.runIf(linux)("goes with the next doctor if it was killed, and not while it lives", async () => {
    const name = (pid: string, life: string): string =>
      `.swl-doctor-${formatOwnerName({ ...self, pid, tid: pid, life, nonce: newNonce() })}`;
    const [dead, open, living] = [name("2147483646", "-"), name("2147483645", "-"), name(self.pid, "-")];
    for (const path of [dead, open, living])
      fs.mkdirSync(join(directory, path, "x"), { recursive: true, mode: 0o700 });
    // Others may have put something there.
    fs.chmodSync(join(directory, open), 0o777);
    fs.mkdirSync(join(directory, ".swl-doctor-x"));
    await examine(directory, { quick: true });
    expect(fs.readdirSync(directory).sort()).toEqual([".swl-doctor-x", open, living].sort());
  });

  it.runIf(linux)("where nothing can be made, it fails, and says what it could not try", async () => {
    const { result, rows } = await examine("/proc", { quick: true });
    expect(result).toBe("fail");
    const said = resultsOf(rows);
    expect(said).toMatchObject({ "a directory can be made": "fail", rename: "not known" });
    expect(rows.find(({ tried }) => tried === "the kind of file system")?.seen).toContain(
      "not known to be local",
    );
  });
});
