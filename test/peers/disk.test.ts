/** The disk in memory says, and becomes, what a real one does, for random calls on a few paths. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FOLDER } from "./contender.ts";
import {
  type Call,
  type Disk,
  diskKey,
  EMPTY_DISK,
  type Inode,
  NOW_MS,
  perform,
  type Reply,
} from "./disk.ts";
import { performReal, playOnDisk } from "./realDisk.ts";

const PATHS = ["L", "h", "L/x", "h/x", "L/y"].map((path) => `${FOLDER}/${path}`);
const path = fc.constantFrom(...PATHS);

const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({
    op: fc.constantFrom("mkdir", "rmdir", "stat", "readdir", "readFile", "unlink", "remove", "removeTree"),
    path,
  }),
  fc.record({ op: fc.constant("utimes"), path, mtimeMs: fc.constantFrom(NOW_MS - 5_000, NOW_MS - 9_000) }),
  fc.record({ op: fc.constantFrom("rename", "link"), from: path, to: path }),
  fc.record({ op: fc.constant("open"), path, process: fc.constant("0") }),
  fc.record({ op: fc.constant("prepare"), path: fc.constantFrom(`${FOLDER}/h`), names: fc.constant(["x"]) }),
  fc.record({
    op: fc.constant("write"),
    descriptor: fc.nat({ max: 3 }),
    content: fc.constantFrom("1", "2"),
    process: fc.constant("0"),
  }),
  fc.record({ op: fc.constant("close"), descriptor: fc.nat({ max: 3 }), process: fc.constant("0") }),
);

const SET = [NOW_MS - 5_000, NOW_MS - 9_000];

/** Times that a call has set are compared; those that the real clock has stamped only need to be later. */
function comparable(reply: Reply): unknown {
  if (!reply.ok || typeof reply.value !== "object" || !("kind" in reply.value)) return reply;
  const { kind, mtimeMs } = reply.value;
  return { kind, mtimeMs: SET.includes(mtimeMs) ? mtimeMs : "stamped" };
}

/** Descriptors by the order of their opening: the test's process has others open than a process of the harness. */
class Descriptors {
  readonly memory: number[] = [];
  readonly real: number[] = [];

  of(which: "memory" | "real", one: Call): Call {
    return "descriptor" in one ? { ...one, descriptor: this[which][one.descriptor] ?? 999_999 } : one;
  }
}

async function compare(calls: readonly Call[], folder: string): Promise<void> {
  let disk: Disk = {
    ...EMPTY_DISK,
    entries: new Map(perform(EMPTY_DISK, { op: "mkdir", path: FOLDER })[0].entries),
  };
  const opened = new Descriptors();
  try {
    for (const [i, one] of calls.entries()) {
      const [after, inMemory] = perform(disk, opened.of("memory", one));
      const onDisk = await performReal(
        opened.of("real", one),
        (given) => join(folder, given.slice(FOLDER.length)),
        0,
      );
      disk = after;
      const story = JSON.stringify(calls.slice(0, i + 1));
      if (one.op === "open" && inMemory.ok && onDisk.ok) {
        opened.memory.push(inMemory.value as number);
        opened.real.push(onDisk.value as number);
      } else {
        expect(comparable(inMemory), story).toEqual(comparable(onDisk));
      }
      // A descriptor that is closed is the next one's number, on both, but not at the same time.
      if (one.op === "close" && inMemory.ok) {
        opened.memory[one.descriptor] = 999_999;
        opened.real[one.descriptor] = 999_999;
      }
      expect(treeOf(disk), story).toEqual(fs.readdirSync(folder, { recursive: true }).sort());
    }
  } finally {
    for (const descriptor of opened.real) if (descriptor !== 999_999) fs.closeSync(descriptor);
  }
}

const treeOf = ({ entries }: Disk): readonly string[] =>
  [...entries.keys()]
    .map((one) => one.slice(FOLDER.length + 1))
    .filter(Boolean)
    .sort();

describe("the disk in memory", () => {
  it("does what a real disk does", async () => {
    // Fixed: what fails once fails again.
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 15, maxLength: 30 }), (calls) =>
        playOnDisk(tmpdir(), (folder) => compare(calls, folder)),
      ),
      { seed: 8, numRuns: 200, endOnFailure: true },
    );
  });

  it.each<readonly [string, readonly Call[]]>([
    ["rename", [{ op: "rename", from: `${FOLDER}/L`, to: `${FOLDER}/h` }]],
    ["link", [{ op: "link", from: `${FOLDER}/L`, to: `${FOLDER}/h` }]],
    [
      "unlink of a link",
      [
        { op: "unlink", path: `${FOLDER}/x` },
        { op: "rename", from: `${FOLDER}/L`, to: `${FOLDER}/h` },
      ],
    ],
    [
      "utimes",
      [
        { op: "utimes", path: `${FOLDER}/L`, mtimeMs: NOW_MS - 9_000 },
        { op: "link", from: `${FOLDER}/L`, to: `${FOLDER}/h` },
      ],
    ],
    ["readFile, which it does not,", [{ op: "readFile", path: `${FOLDER}/L` }]],
  ])("sets ctime at a %s, as a real disk does", async (_what, calls) => {
    const old = { mtimeMs: NOW_MS - 9_000, ctimeMs: NOW_MS - 9_000, content: "" };
    const file: Inode = { ...old, kind: "file" };
    const directory: Inode = { ...old, kind: "directory" };
    const entries = new Map([
      [FOLDER, directory],
      [`${FOLDER}/L`, file],
      [`${FOLDER}/x`, file],
    ]);
    const after = calls.reduce<Disk>((disk, one) => perform(disk, one)[0], { ...EMPTY_DISK, entries });
    const inMemory = (after.entries.get(`${FOLDER}/L`) ?? after.entries.get(`${FOLDER}/h`))?.ctimeMs;
    await playOnDisk(tmpdir(), async (folder) => {
      const real = (given: string): string => join(folder, given.slice(FOLDER.length));
      fs.writeFileSync(real(`${FOLDER}/L`), "");
      fs.linkSync(real(`${FOLDER}/L`), real(`${FOLDER}/x`));
      const before = fs.statSync(real(`${FOLDER}/L`)).ctimeMs;
      // More than a tick of the kernel's clock.
      await new Promise((resolve) => setTimeout(resolve, 30));
      for (const one of calls) expect((await performReal(one, real, 0)).ok).toBe(true);
      const path = [`${FOLDER}/L`, `${FOLDER}/h`].map(real).find((one) => fs.existsSync(one)) ?? "";
      expect(fs.statSync(path).ctimeMs > before).toBe(inMemory === NOW_MS);
    });
  });

  it("is told apart from another by what a call can see, and by nothing else", () => {
    const make = (...calls: readonly Call[]): string =>
      diskKey(calls.reduce((disk, one) => perform(disk, one)[0], EMPTY_DISK));
    const open = (name: string, process = "0"): Call => ({ op: "open", path: `/${name}`, process });
    const link: Call = { op: "link", from: "/a", to: "/b" };
    expect(make({ op: "mkdir", path: "/a" }, { op: "mkdir", path: "/b" })).toBe(
      make({ op: "mkdir", path: "/b" }, { op: "mkdir", path: "/a" }),
    );
    expect(make(open("a"), link)).not.toBe(make(open("a"), open("b")));
    expect(make(open("a"))).not.toBe(make(open("a"), { op: "close", descriptor: 3, process: "0" }));
    expect(make(open("a"))).not.toBe(make(open("a"), { op: "utimes", path: "/a", mtimeMs: 1 }));
  });
});
