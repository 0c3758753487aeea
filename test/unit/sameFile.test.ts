/** What is not asked again when the session file is the very file that it was (spec/assumptions.md, A4). */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  acquireSessionWriteLock,
  type SessionWriteLock,
  tryAcquireSessionWriteLock,
  withSessionWriteLock,
} from "../../src/index.ts";
import { type FileIdentity, isLocalDisk, isOnBlockDevice, isSameFile } from "../../src/paths.ts";
import { type Entry, processRegistry } from "../../src/registry.ts";

const ON_BLOCK_DEVICE = 0xfd00;
const ANONYMOUS = 0x2a;

let scratch = "";
let directory = "";
let sessionFile = "";

beforeEach(() => {
  scratch = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-same-file-")));
  directory = join(scratch, "sessions");
  sessionFile = join(directory, "a.jsonl");
  fs.mkdirSync(directory);
  fs.writeFileSync(sessionFile, "");
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const entry = (): Entry => {
  const known = processRegistry().entries.get(`${sessionFile}.lock`);
  return known ?? expect.unreachable();
};

async function use(file = sessionFile): Promise<SessionWriteLock> {
  const lock = await acquireSessionWriteLock({ sessionFile: file });
  await lock.release();
  return lock;
}

/** As if all were on this device; and what it keeps of the birth of a file. */
function onDevice(dev: number, born?: (bornMs: number) => number): void {
  for (const call of ["statSync", "lstatSync"] as const) {
    const real = fs[call] as (...args: unknown[]) => fs.Stats | undefined;
    const pretend = (...args: unknown[]): fs.Stats | undefined => {
      const seen = real(...args);
      if (seen !== undefined) {
        Object.assign(seen, { dev, birthtimeMs: born?.(seen.birthtimeMs) ?? seen.birthtimeMs });
      }
      return seen;
    };
    vi.spyOn(fs, call).mockImplementation(pretend as never);
  }
}

/** What is asked about the way to the session file, and its disk, while `action` runs. */
async function askedBy(action: () => Promise<unknown>): Promise<readonly string[]> {
  const asked: string[] = [];
  const { native } = fs.realpathSync;
  const [realpath, statfs] = [
    vi.spyOn(fs.realpathSync, "native").mockImplementation(((path: string) => {
      asked.push("realpath");
      return native(path);
    }) as never),
    vi.spyOn(fs, "statfsSync").mockImplementation(
      Object.assign(() => {
        asked.push("statfs");
        return { type: entry().local ? 0xef53 : 0x6969 };
      }) as never,
    ),
  ];
  await action();
  realpath.mockRestore();
  statfs.mockRestore();
  return asked;
}

describe.runIf(isLocalDisk(tmpdir()))("a session file that is the very file that it was", () => {
  const ALL = ["realpath", "statfs"];

  it.each([
    ["a block device", ON_BLOCK_DEVICE, []],
    ["no block device, whose number might be that of another by now", ANONYMOUS, ["statfs"]],
  ])("is not asked for again on %s", async (_what, device, expected) => {
    onDevice(device);
    await use();
    expect(await askedBy(use)).toEqual(ALL);
    const before = entry();
    expect(await askedBy(use)).toEqual(expected);
    expect(await askedBy(async () => (await tryAcquireSessionWriteLock({ sessionFile }))?.release())).toEqual(
      expected,
    );
    expect(entry()).toBe(before);
  });

  const known = async (): Promise<void> => {
    onDevice(ON_BLOCK_DEVICE);
    for (let i = 0; i < 2; i++) await use();
    expect(await askedBy(use)).toEqual([]);
  };

  it("is asked for if the path leads there over a link: where it leads is another question each time", async () => {
    await known();
    const link = join(scratch, "link");
    fs.symlinkSync(directory, link);
    for (let i = 0; i < 2; i++) expect(await askedBy(() => use(join(link, "a.jsonl")))).toEqual(ALL);
  });

  it("is asked for once after it was replaced, also by one with its number", async () => {
    await known();
    fs.writeFileSync(join(directory, "new"), "");
    fs.renameSync(join(directory, "new"), sessionFile);
    expect(await askedBy(use)).toEqual(ALL);
    expect(await askedBy(use)).toEqual([]);
    vi.restoreAllMocks();
    onDevice(ON_BLOCK_DEVICE, (bornMs) => bornMs + 1);
    expect(await askedBy(use)).toEqual(ALL);
    expect(await askedBy(use)).toEqual([]);
  });

  it("is asked for each time where nobody keeps when it was born", async () => {
    onDevice(ON_BLOCK_DEVICE, () => 0);
    for (let i = 0; i < 2; i++) await use();
    for (let i = 0; i < 2; i++) expect(await askedBy(use)).toEqual(ALL);
  });

  it("is asked for while this process uses the lock: what is handed over in memory is that of the directory", async () => {
    await known();
    const lock = await acquireSessionWriteLock({ sessionFile });
    const attempt = (): Promise<unknown> => tryAcquireSessionWriteLock({ sessionFile });
    expect(await askedBy(attempt)).toEqual(["realpath"]);
    await lock.release();
  });

  it("is asked for if there is no home that lay idle, which would prove by its Take that it is the directory", async () => {
    await known();
    const { home } = entry();
    entry().home = null;
    expect(await askedBy(use)).toEqual(ALL);
    fs.rmSync(home?.path ?? "", { recursive: true });
  });

  it("is not what another device has under its number", async () => {
    await known();
    const before = entry();
    vi.restoreAllMocks();
    onDevice(ON_BLOCK_DEVICE + 1);
    await use();
    expect(entry()).not.toBe(before);
    expect(entry().device).toBe(ON_BLOCK_DEVICE + 1);
  });

  it("is on another kind of disk, without a block device: that is noticed, though the number is the same", async () => {
    onDevice(ANONYMOUS);
    for (let i = 0; i < 2; i++) await use();
    const before = entry();
    vi.spyOn(fs, "statfsSync").mockImplementation((() => ({ type: 0x6969 })) as never);
    await use();
    vi.restoreAllMocks();
    await use();
    expect(entry()).not.toBe(before);
  });
});

describe.runIf(isLocalDisk(tmpdir()))(
  "a path that led to the session file, and that has a link in it by now",
  () => {
    it("to another directory, leads to the lock that is there", async () => {
      for (let i = 0; i < 3; i++) await use();
      const other = join(scratch, "other");
      fs.renameSync(directory, join(scratch, "old"));
      fs.mkdirSync(other);
      fs.writeFileSync(join(other, "a.jsonl"), "");
      fs.symlinkSync(other, directory);
      const lock = await acquireSessionWriteLock({ sessionFile });
      expect(lock.lockPath).toBe(join(other, "a.jsonl.lock"));
      lock.assertHeld();
      expect(await tryAcquireSessionWriteLock({ sessionFile: join(other, "a.jsonl") })).toBeUndefined();
      await lock.release();
    });

    it("to the same directory, leads to the one lock: whoever names it by its new path is excluded", async () => {
      for (let i = 0; i < 3; i++) await use();
      const moved = join(scratch, "moved");
      fs.renameSync(directory, moved);
      fs.symlinkSync(moved, directory);
      const byNewPath = { sessionFile: join(moved, "a.jsonl") };
      const lock = await acquireSessionWriteLock({ sessionFile });
      lock.assertHeld();
      expect(fs.readdirSync(join(moved, "a.jsonl.lock"))).toEqual([entry().home?.name]);
      expect(await tryAcquireSessionWriteLock(byNewPath)).toBeUndefined();
      await lock.release();
      // And the other way round.
      await withSessionWriteLock(byNewPath, async (other) => {
        expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
        other.assertHeld();
      });
      await use();
    });

    it("to a directory with a hard link to the same file, leads to the lock that is there", async () => {
      for (let i = 0; i < 3; i++) await use();
      const other = join(scratch, "other");
      fs.mkdirSync(other);
      fs.linkSync(sessionFile, join(other, "a.jsonl"));
      fs.renameSync(directory, join(scratch, "old"));
      fs.symlinkSync(other, directory);
      const lock = await acquireSessionWriteLock({ sessionFile });
      lock.assertHeld();
      expect(fs.readdirSync(join(other, "a.jsonl.lock"))).toHaveLength(1);
      expect(await tryAcquireSessionWriteLock({ sessionFile: join(other, "a.jsonl") })).toBeUndefined();
      await lock.release();
      expect(fs.readdirSync(other).filter((name) => name.endsWith(".lock"))).toEqual([]);
    });
  },
);

describe("two looks at a file", () => {
  const seen: FileIdentity = { device: 1, inode: 2, bornMs: 3 };

  it.each<[string, Partial<FileIdentity>, boolean]>([
    ["the same", {}, true],
    ["another device", { device: 4 }, false],
    ["another inode", { inode: 4 }, false],
    ["an inode that was given again", { bornMs: 4 }, false],
  ])("of %s", (_what, change, expected) => {
    expect(isSameFile(seen, { ...seen, ...change })).toBe(expected);
  });

  it("prove nothing without a time of birth", () => {
    expect(isSameFile({ ...seen, bornMs: 0 }, { ...seen, bornMs: 0 })).toBe(false);
  });
});

// Of the kernel's encoding: the major number is in the bits 8 to 19 and from 44 on, the minor one in all others.
it.each([
  [0xfd00, true],
  [0x0801, true],
  [0x0001_0305, true],
  [0x0010_0002, false],
  [0x2a, false],
])("device %d is a block device: %s", (device, expected) => {
  expect(isOnBlockDevice({ device, inode: 1, bornMs: 1 })).toBe(expected);
});
