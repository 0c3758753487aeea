/** The rows about clocks, word by word; every clock says what a test says. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DiskReply } from "../../../src/disk.ts";
import { type ClockLook, checkClock, lookAtClock } from "../../../src/doctor/clock.ts";
import { REAL_WORLD } from "../../../src/doctor/doctor.ts";
import type { Row, World } from "../../../src/doctor/row.ts";

// tests A6, A8

let directory = "";
/** What the clocks of the machine say; the file server stamps with `serverMs`. */
let [wallMs, monotonicMs, serverMs] = [0, 0, 0];
const START = Date.UTC(2026, 0);
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-clock-"));
  [wallMs, monotonicMs, serverMs] = [START, 1_000, START];
  vi.spyOn(performance, "now").mockImplementation(() => monotonicMs);
  const fstat = fs.fstatSync;
  vi.spyOn(fs, "fstatSync").mockImplementation(((fd: number, options: { bigint: true }) => {
    const stat = fstat(fd, options);
    const at = path("clock");
    const isClock = fs.existsSync(at) && fs.statSync(at, { bigint: true }).ino === stat.ino;
    return isClock ? Object.assign(stat, { mtimeNs: BigInt(serverMs * 1e6) }) : stat;
  }) as typeof fs.fstatSync);
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const path = (name: string): string => join(directory, name);
const DONE: DiskReply = { ok: true, names: [] };
/** Moves the mtime of the beat's file by so many seconds. */
const stamp = (seconds: number): DiskReply => {
  const { mtimeMs } = fs.statSync(path("beat"));
  fs.utimesSync(path("beat"), 0, mtimeMs / 1e3 + seconds);
  return DONE;
};

const BOOTED_AT = Date.UTC(2025, 11, 31);
function worldWith(
  beat: () => DiskReply = () => stamp(1),
  bootTime: () => number | undefined = () => BOOTED_AT,
): World {
  return {
    disk: { ...REAL_WORLD.disk, now: beat },
    observer: { ...REAL_WORLD.observer, bootTime },
    wall: () => wallMs,
    monotonic: () => monotonicMs,
  };
}
/** The four rows: the server's clock, the beat, jumps, the boot. */
async function check(world: World = worldWith(), first?: ClockLook): Promise<readonly Row[]> {
  return checkClock(world, directory, first ?? lookAtClock(world, directory));
}
const row = (subject: string, tried: string, result: string, seen: string, means = ""): unknown => ({
  subject,
  tried,
  result,
  seen,
  means,
});
const NOT_TRIED = "it could not be tried";

describe("one look at the clocks", () => {
  it.each([
    [-2.5, -2.5],
    [0, 0],
    [7.5, 0],
    [12.5, 2.5],
  ])("says how far the server's is outside of our two looks: %d ms", (afterMs, aheadMs) => {
    const walls = [START, START + 10];
    serverMs = START + afterMs;
    expect(lookAtClock({ ...worldWith(), wall: () => walls.shift() ?? 0 }, directory).aheadMs).toBe(aheadMs);
  });

  it("compares ours with one that is never set, in the look that took the shortest", () => {
    const walls = [START, START, START + 1, START + 20, START + 3, START + 4, START + 5];
    const monotonics = [0, 9, 100, 101, 200, 209, 300, 302, 400, 401];
    const world = {
      ...worldWith(),
      wall: () => walls.shift() ?? 0,
      monotonic: () => monotonics.shift() ?? Number.NaN,
    };
    expect(lookAtClock(world, directory).sinceMs).toBe(START + 20 - 100);
    expect([walls, monotonics]).toEqual([[], []]);
  });

  it("writes one byte for each", () => {
    lookAtClock(worldWith(), directory);
    expect(fs.readFileSync(path("clock"), "utf8")).toBe(".");
    lookAtClock(worldWith(), directory);
    expect(fs.readFileSync(path("clock"), "utf8")).toBe("..");
  });

  it("says why the server's cannot be read, and minds no missing fsync; nothing stays open", () => {
    expect(lookAtClock(worldWith(), path("none")).aheadMs).toBe("ENOENT");
    const fsync = vi.spyOn(fs, "fsyncSync").mockImplementation(() => {
      throw new Error("EINVAL");
    });
    const close = vi.spyOn(fs, "closeSync");
    expect(lookAtClock(worldWith(), directory).aheadMs).toBe(0);
    expect([fsync.mock.calls.length, close.mock.calls.length]).toEqual([1, 1]);
  });
});

describe("the file server's clock", () => {
  const TRIED = "the file server's clock against ours";

  it.each([
    [0, "ok", "less than 1 ms ahead"],
    [0.9, "ok", "less than 1 ms ahead"],
    [-0.9, "ok", "less than 1 ms behind"],
    [1, "ok", "1 ms ahead"],
    [-3.4, "ok", "3 ms behind"],
    [5_000, "ok", "5000 ms ahead"],
    [-5_000, "ok", "5000 ms behind"],
    [5_001, "warn", "5001 ms ahead"],
  ])("%d ms: %s", async (aheadMs, result, seen) => {
    serverMs = START + aheadMs;
    const means =
      result === "ok" ? "" : "the ages of locks are wrong by so much. Leases go by the server's clock alone";
    expect((await check())[0]).toEqual(row("A8", TRIED, result, seen, means));
  });

  it("is not known where nothing can be written", async () => {
    fs.mkdirSync(path("clock"));
    expect((await check())[0]).toEqual(row("A8", TRIED, "not known", "EISDIR", NOT_TRIED));
  });
});

describe("a beat", () => {
  const TRIED = "a beat moves the mtime";
  const NONE = "no lease: switch it off with staleMs: Infinity";
  /** A stamp that moves when so much time has gone by. */
  const after = (ms: number): (() => DiskReply) => {
    let beats = 0;
    return () => {
      if (beats++ > 0) return stamp(1);
      monotonicMs += ms;
      return DONE;
    };
  };

  it.each([
    [0, "ok", "after 1 ms"],
    [7.4, "ok", "after 7 ms"],
    [1_099, "ok", "after 1099 ms"],
    [1_100, "warn", "after 1100 ms"],
  ])("that moves the mtime after %d ms: %s", async (ms, result, seen) => {
    const means = result === "ok" ? "" : "stamps are coarse: two beats within it look like one";
    expect((await check(worldWith(after(ms))))[1]).toEqual(row("A8", TRIED, result, seen, means));
  });

  it("is tried again until the mtime moves", async () => {
    let beats = 0;
    const third = (): DiskReply => {
      monotonicMs += beats < 2 ? 2_000 : 0;
      return ++beats < 3 ? DONE : stamp(1);
    };
    expect((await check(worldWith(third)))[1]).toMatchObject({ result: "warn", seen: "after 4000 ms" });
    expect(beats).toBe(3);
  });

  it("that moves nothing within four seconds never does", async () => {
    let beats = 0;
    const none = (): DiskReply => {
      beats++;
      monotonicMs += 2_000;
      return DONE;
    };
    expect((await check(worldWith(none)))[1]).toEqual(row("A8", TRIED, "fail", "never", NONE));
    // Four seconds are not more than four seconds.
    expect(beats).toBe(4);
  });

  it("that moves the mtime back, or is refused, is none", async () => {
    expect((await check(worldWith(() => stamp(-1))))[1]).toEqual(
      row("A8", TRIED, "fail", "it went back", NONE),
    );
    fs.unlinkSync(path("beat"));
    const refused: DiskReply = { ok: false, errno: "EROFS", error: new Error("EROFS") };
    expect((await check(worldWith(() => refused)))[1]).toEqual(
      row("A8", TRIED, "fail", "it is refused: EROFS", NONE),
    );
  });

  it("is not known where its file cannot be made, or is gone", async () => {
    const gone = (): DiskReply => {
      monotonicMs += 5_000;
      fs.rmSync(path("beat"), { force: true });
      return DONE;
    };
    expect((await check(worldWith(gone)))[1]).toEqual(row("A8", TRIED, "not known", "ENOENT", NOT_TRIED));
    fs.writeFileSync(path("beat"), "");
    expect((await check())[1]).toEqual(row("A8", TRIED, "not known", "EEXIST", NOT_TRIED));
  });

  it("is not known where the first stamp cannot be read", async () => {
    const lstat = fs.lstatSync;
    let looks = 0;
    vi.spyOn(fs, "lstatSync").mockImplementation(((at: string) => {
      if (at === path("beat") && looks++ === 0) throw Object.assign(new Error("EIO"), { code: "EIO" });
      return lstat(at);
    }) as typeof fs.lstatSync);
    const beat = (): DiskReply => {
      monotonicMs += 5_000;
      return stamp(1);
    };
    expect((await check(worldWith(beat)))[1]).toEqual(row("A8", TRIED, "not known", "EIO", NOT_TRIED));
  });

  it("is one of an owner file that is there", async () => {
    const calls: unknown[] = [];
    const world = worldWith();
    await check({
      ...world,
      disk: {
        ...world.disk,
        now: (call) => {
          calls.push(call, fs.readFileSync(path("beat"), "utf8"));
          return stamp(1);
        },
      },
    });
    expect(calls).toEqual([{ call: "beat", path: path("beat") }, "{}"]);
  });
});

describe("a jump", () => {
  const TRIED = "jumps of the clocks while we looked";
  /** How far the clocks have jumped between the two looks. */
  const jump = async (oursMs: number, theirsMs: number): Promise<Row | undefined> => {
    serverMs = START + 100;
    const first = { aheadMs: 100 - theirsMs, sinceMs: START - 1_000 - oursMs };
    return (await check(worldWith(), first))[2];
  };

  it.each([
    [0, 0],
    [250, 0],
    [-250, 0],
    [0, 2_250],
    [0, -2_250],
  ])("by %d ms of ours, and %d ms of the server's, is none", async (oursMs, theirsMs) => {
    expect(await jump(oursMs, theirsMs)).toEqual(row("A8", TRIED, "ok", "none"));
  });

  it("of ours is told, and one of the server's", async () => {
    const [ages, lease] = [
      "ages of locks jump with it; deadlines do not",
      "a lease survives one jump, not two",
    ];
    for (const by of [251, -251])
      expect(await jump(by, 9_000)).toEqual(row("A8", TRIED, "warn", "ours by 251 ms", ages));
    for (const by of [2_251, -2_251])
      expect(await jump(0, by)).toEqual(row("A8", TRIED, "warn", "the server's by 2251 ms", lease));
  });

  it("of the server's is not known where its clock cannot be read, before or after", async () => {
    const unknown = row("A8", TRIED, "not known", "the server's cannot be read", NOT_TRIED);
    const sinceMs = START - 1_000;
    expect((await check(worldWith(), { aheadMs: "EIO", sinceMs }))[2]).toEqual(unknown);
    fs.unlinkSync(path("beat"));
    fs.rmSync(path("clock"));
    fs.mkdirSync(path("clock"));
    expect((await check(worldWith(), { aheadMs: 0, sinceMs }))[2]).toEqual(unknown);
  });
});

describe("when this machine booted", () => {
  const TRIED = "when this machine booted";
  const MEANS = "after a restart, owners of before are waited for";
  const boot = async (at: number | undefined): Promise<unknown> =>
    (await check(worldWith(undefined, () => at)))[3];

  it.each([
    [BOOTED_AT, "2025-12-31T00:00:00.000Z, by this clock"],
    [Date.UTC(2016, 0), "2016-01-01T00:00:00.000Z, by this clock"],
    [START, "2026-01-01T00:00:00.000Z, by this clock"],
  ])("is plausible (%#)", async (at, seen) => {
    expect(await boot(at)).toEqual(row("A6", TRIED, "ok", seen));
  });

  it.each([
    [Date.UTC(2016, 0) - 1, "2015-12-31T23:59:59.999Z, by this clock"],
    [START + 1, "2026-01-01T00:00:00.001Z, by this clock"],
  ])("is not plausible (%#)", async (at, seen) => {
    expect(await boot(at)).toEqual(row("A6", TRIED, "warn", seen, `the clock is not set; ${MEANS}`));
  });

  it("is not known where uptime is that of a container", async () => {
    expect(await boot(undefined)).toEqual(row("A6", TRIED, "warn", "uptime is not the kernel's", MEANS));
  });
});
