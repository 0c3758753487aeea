/** What stands at a lock path that is no lock of ours, and what an old lock file says; what becomes of one: legacy.test.ts. */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { lookAtObstruction, parseLegacy } from "../../src/legacy.ts";

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
