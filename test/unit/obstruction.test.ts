/** What stands at a lock path that is no lock of ours, and what an old lock file says; what becomes of one: also legacy.test.ts. */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { lookAtObstruction, migrateLegacyLock, parseLegacy } from "../../src/legacy.ts";

let directory = "";
let path = "";
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-obstruction-"));
  path = join(directory, "a.lock");
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const createdAt = "2026-01-02T03:04:05.678Z";

describe("what stands at a lock path", () => {
  it.each<[string, () => void]>([
    ["a symbolic link", () => fs.symlinkSync("nowhere", path)],
    ["a directory", () => fs.mkdirSync(path)],
    ["an empty file", () => fs.writeFileSync(path, "")],
    ["a file of 3 bytes", () => fs.writeFileSync(path, "{}\n")],
    ["ENOENT", () => {}],
  ])("is said: %s", (what, make) => {
    make();
    expect(lookAtObstruction(path)).toEqual({ what, legacy: undefined });
  });

  it.skipIf(process.platform === "win32")("is said: a FIFO", () => {
    execFileSync("mkfifo", [path]);
    expect(lookAtObstruction(path)).toEqual({ what: "a FIFO", legacy: undefined });
  });

  it.each(["isSocket", "none"])("is said: a socket, or a device (%s)", (kind) => {
    fs.mkdirSync(path);
    const stat = Object.assign(fs.lstatSync(path), {
      isDirectory: () => false,
      isSocket: () => kind === "isSocket",
    });
    vi.spyOn(fs, "lstatSync").mockReturnValue(stat);
    expect(lookAtObstruction(path).what).toBe(kind === "isSocket" ? "a socket" : "a device");
  });

  it("is an old lock file, if it says so", () => {
    fs.writeFileSync(path, JSON.stringify({ pid: 7, createdAt, starttime: 5 }));
    expect(lookAtObstruction(path)).toEqual({
      what: `an old lock file of pid 7, made at ${createdAt}`,
      legacy: { pid: 7, createdAt, start: "5" },
    });
  });
});

describe("an old lock file", () => {
  const parse = (text: string, size = Buffer.byteLength(text)): unknown =>
    parseLegacy({ bytes: Buffer.from(text), stat: { size: BigInt(size) } as fs.BigIntStats });
  const claim = (more: object): unknown => parse(JSON.stringify({ pid: 7, createdAt, ...more }));

  it.each([
    [{}, undefined],
    [{ starttime: 1 }, "1"],
    [{ starttime: 9_999_999_999_999 }, "9999999999999"],
    [{ starttime: 10_000_000_000_000 }, undefined],
    [{ starttime: 0 }, undefined],
    [{ starttime: -5 }, undefined],
    [{ starttime: 1.5 }, undefined],
    [{ starttime: "5" }, undefined],
    [{ starttime: 2 ** 60 }, undefined],
    [{ starttime: null }, undefined],
    [{ hostname: "x" }, undefined],
  ])("with %j has the start %s", (more, start) => {
    expect(claim(more)).toEqual({ pid: 7, createdAt, start });
  });

  it.each([1, 0x7fff_ffff])("may be of pid %d", (pid) => {
    expect(claim({ pid })).toMatchObject({ pid });
  });

  it.each([0, -1, 1.5, 0x8000_0000, "7", null, [7]])("is of no pid that is %j", (pid) => {
    expect(claim({ pid })).toBeUndefined();
  });

  it.each(["2026-01-02", "2026-01-02T03:04:05+01:00"])("may be made at %s", (at) => {
    expect(claim({ createdAt: at })).toMatchObject({ createdAt: at });
  });

  it.each([
    5,
    null,
    ["2026-01-02"],
    "yesterday",
    "2026",
    "9999999999",
    "2026-01-02T03:04:05.678Z (old)",
    "Fri 2026-01-02",
    `2026-01-02T03:04:05.${"0".repeat(20)}Z`,
  ])("is made at no date that is %j", (at) => {
    expect(claim({ createdAt: at })).toBeUndefined();
  });

  it("may have written its keys otherwise, but not the same one twice", () => {
    expect(parse(JSON.stringify({ PID: 7, CreatedAt: createdAt }))).toMatchObject({ pid: 7, createdAt });
    expect(parse(`{"pid":7,"PID":7,"createdAt":"${createdAt}"}`)).toBeUndefined();
  });

  it.each(["", "{", "null", "7", '"text"', "[]", JSON.stringify([{ pid: 7, createdAt }])])(
    "is nothing but an object: not %j",
    (text) => {
      expect(parse(text)).toBeUndefined();
    },
  );

  it("is a whole file that could be read", () => {
    const text = JSON.stringify({ pid: 7, createdAt });
    expect(parse(text)).toBeDefined();
    expect(parse(text, text.length + 1)).toBeUndefined();
    expect(parseLegacy(undefined)).toBeUndefined();
  });
});

describe("the removal of an old lock file of the dead", () => {
  const text = JSON.stringify({ pid: 7, createdAt });
  const dead = { verdict: "dead", reason: "" } as const;
  const said: string[] = [];
  beforeEach(() => {
    said.length = 0;
    fs.writeFileSync(path, text);
    fs.utimesSync(path, 1, 1);
  });
  /** Something happens after it was judged. */
  const remove = (between: () => void = () => {}): boolean =>
    migrateLegacyLock(
      { path, local: true },
      (claim) => {
        expect(claim).toEqual({ pid: 7, createdAt, start: undefined });
        between();
        return dead;
      },
      (message) => said.push(message),
    );

  it("moves it aside, onto a file of its own, and leaves nothing", () => {
    const write = vi.spyOn(fs, "writeFileSync");
    expect(remove()).toBe(true);
    expect([fs.readdirSync(directory), said]).toEqual([[], []]);
    const [[aside, ...how] = []] = write.mock.calls;
    expect(String(aside)).toMatch(/\/\.swl-[0-9a-f]{12}-old-[0-9a-f]{24}$/);
    // It is not written over what is there, and others need not read it.
    expect(how).toEqual(["", { flag: "wx", mode: 0o600 }]);
  });

  it.each<[string, () => void]>([
    [
      "was written again, in the same moment",
      () => {
        fs.writeFileSync(path, text.replace("7", "8"));
        fs.utimesSync(path, 1, 1);
      },
    ],
    ["was written again, the same", () => fs.utimesSync(path, 1, 2)],
    [
      "is another one, the same in everything else",
      () => {
        fs.renameSync(path, join(directory, "former"));
        fs.writeFileSync(path, text);
        fs.utimesSync(path, 1, 1);
      },
    ],
  ])("is none if it %s: it is put back", (_what, between) => {
    expect(remove(between)).toBe(false);
    expect(fs.existsSync(path)).toBe(true);
    expect(fs.readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([]);
    expect(said).toEqual([]);
  });

  it("is none if it is on another disk by now, or cannot be looked at: it is put back", () => {
    const fstat = fs.fstatSync;
    let looks = 0;
    const moved = vi.spyOn(fs, "fstatSync").mockImplementation(((fd: number, options: { bigint: true }) => {
      const stat = fstat(fd, options);
      return looks++ === 0 ? stat : Object.assign(stat, { dev: stat.dev + 1n });
    }) as typeof fs.fstatSync);
    expect(remove()).toBe(false);
    expect(looks).toBe(2);
    moved.mockRestore();
    const lstat = fs.lstatSync;
    vi.spyOn(fs, "lstatSync").mockImplementation(((at: string) => {
      if (at.includes("-old-")) throw Object.assign(new Error("EIO"), { code: "EIO" });
      return lstat(at);
    }) as typeof fs.lstatSync);
    expect(remove()).toBe(false);
    expect([fs.readdirSync(directory), said]).toEqual([["a.lock"], []]);
  });

  it("is none if it is gone, before it was judged or after", () => {
    expect(remove(() => fs.unlinkSync(path))).toBe(false);
    expect(remove()).toBe(false);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("says where it is, if it cannot be put back", () => {
    vi.spyOn(fs, "linkSync").mockImplementation(() => {
      throw Object.assign(new Error("EEXIST: on purpose"), { code: "EEXIST" });
    });
    expect(remove(() => fs.utimesSync(path, 1, 2))).toBe(false);
    const [aside = ""] = fs.readdirSync(directory);
    expect(said).toEqual([
      `an old version uses ${path} while migrateLegacyLocks removes its files: its lock file is now ${join(directory, aside)}, since it could not be put back (EEXIST)`,
    ]);
  });
});
