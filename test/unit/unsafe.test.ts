/** What is said of a directory that others may change, and which ones those are (spec/security.md). */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dangerOf, warnIfUnsafe } from "../../src/unsafe.ts";
import { warn } from "../../src/warnings.ts";

let directory = "";
const said: unknown[][] = [];
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-unsafe-")));
  said.length = 0;
  vi.spyOn(process, "emitWarning").mockImplementation((...words) => void said.push(words));
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

describe("a process warning", () => {
  it("has a type and a code, and nothing in it moves a cursor", () => {
    warn("a\u001b[2J", "SWL_LOST");
    expect(said).toEqual([["a\\u{1b}[2J", { type: "SessionWriteLockWarning", code: "SWL_LOST" }]]);
  });
});

describe.skipIf(process.platform === "win32")("a directory that everybody may write to", () => {
  it("is told of once", () => {
    fs.chmodSync(directory, 0o777);
    warnIfUnsafe(directory);
    warnIfUnsafe(directory);
    expect(said).toEqual([
      [
        `session locks in ${directory} do not exclude everybody: everybody may write to ${directory}`,
        { type: "SessionWriteLockWarning", code: "SWL_UNSAFE_DIRECTORY" },
      ],
    ]);
  });

  it("is not one that only we may write to, nor one that cannot be looked at, nor any where there are no uids", () => {
    fs.chmodSync(directory, 0o700);
    warnIfUnsafe(directory);
    warnIfUnsafe(join(directory, "none"));
    fs.mkdirSync(join(directory, "open"));
    fs.chmodSync(join(directory, "open"), 0o777);
    vi.stubGlobal("process", Object.create(process, { geteuid: { value: undefined } }));
    warnIfUnsafe(join(directory, "open"));
    vi.unstubAllGlobals();
    expect(said).toEqual([]);
  });
});

describe("who else may change what stands in a directory", () => {
  const ME = 1_000;
  type Look = { readonly mode: number; readonly uid: number };
  const OURS: Look = { mode: 0o40755, uid: 0 };
  const danger = (looks: Readonly<Record<string, Look>>, uid: number | undefined = ME): string | undefined =>
    dangerOf("/s/d", uid, (path) => looks[path] ?? OURS);

  it.each<[string, Readonly<Record<string, Look>>, string | undefined]>([
    ["nobody", {}, undefined],
    ["its owner is we", { "/s/d": { mode: 0o40700, uid: ME } }, undefined],
    ["its owner is not known here", { "/s/d": { mode: 0o40700, uid: 65_534 } }, undefined],
    ["its owner is another user", { "/s/d": { mode: 0o40755, uid: 7 } }, "/s/d belongs to uid 7"],
    ["a group shares it", { "/s/d": { mode: 0o40775, uid: 7 } }, undefined],
    ["our group, as it was meant to", { "/s/d": { mode: 0o40770, uid: ME } }, undefined],
    ["everybody", { "/s/d": { mode: 0o40777, uid: ME } }, "everybody may write to /s/d"],
    ["everybody, each his own", { "/s/d": { mode: 0o41777, uid: ME } }, undefined],
    ["everybody, above it", { "/s": { mode: 0o40777, uid: 0 } }, "everybody may write to /s"],
    ["everybody, at the root", { "/": { mode: 0o40757, uid: 0 } }, "everybody may write to /"],
    ["each his own, above it", { "/s": { mode: 0o41777, uid: 0 } }, undefined],
  ])("%s", (_what, looks, said) => {
    expect(danger(looks)).toBe(said);
  });

  it("is not asked where there are no uids", () => {
    expect(dangerOf("/s/d", undefined, () => expect.unreachable())).toBeUndefined();
  });

  it("is read from the disk if nobody gives anything else", () => {
    expect(() => dangerOf(join(directory, "none"), 0)).toThrow("ENOENT");
  });
});
