/** Which life socket stands in the name of a home, and when it goes. As on the main thread, wherever the tests run. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type * as threads from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { acquireSessionWriteLock } from "../../src/index.ts";
import { prepareToDie } from "../../src/lock.ts";
import type * as life from "../../src/owner/life.ts";
import { parseOwnerName } from "../../src/owner/name.ts";
import { isLocalDisk } from "../../src/paths.ts";
import { type Entry, processRegistry } from "../../src/registry.ts";

const { refuses } = vi.hoisted(() => ({ refuses: { next: false } }));
vi.mock("node:worker_threads", async (original) => ({
  ...(await original<typeof threads>()),
  isMainThread: true,
}));
vi.mock("../../src/owner/life.ts", async (original) => {
  const real = await original<typeof life>();
  return {
    ...real,
    openLifeSocket: (directory: string) => {
      if (!refuses.next) return real.openLifeSocket(directory);
      refuses.next = false;
      return undefined;
    },
  };
});

let directory = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-lock-life-")));
});
afterEach(() => {
  vi.unstubAllGlobals();
  for (const entry of processRegistry().entries.values())
    if (dirname(entry.lockPath) === directory) processRegistry().entries.delete(entry);
  processRegistry().lives.get(directory)?.close();
  processRegistry().lives.delete(directory);
  fs.rmSync(directory, { recursive: true, force: true });
});

const lives = (): readonly string[] =>
  fs.readdirSync(directory).filter((name) => name.startsWith(".swl-life-"));
const entryOf = (file: string): Entry | undefined =>
  processRegistry().entries.get(join(directory, `${file}.lock`));
/** The life in the name under which a lock is taken. */
async function use(file: string): Promise<string | undefined> {
  const lock = await acquireSessionWriteLock({ sessionFile: join(directory, file) });
  const [name = ""] = fs.readdirSync(lock.lockPath);
  await lock.release();
  return parseOwnerName(name)?.life;
}

describe.runIf(process.platform === "linux" && isLocalDisk(tmpdir()))(
  "the life socket of a directory",
  () => {
    it("is made with the first home there, and stands in the names of all", async () => {
      const first = await use("a");
      expect(lives()).toEqual([`.swl-life-${first}`]);
      expect(await use("b")).toBe(first);
      expect(lives()).toHaveLength(1);
      expect(processRegistry().lives.get(directory)?.life).toBe(first);
    });

    it("is made anew if it is not in its place any more", async () => {
      const first = await use("a");
      fs.unlinkSync(join(directory, lives()[0] ?? ""));
      const second = await use("b");
      expect(second).not.toBe(first);
      expect(lives()).toEqual([`.swl-life-${second}`]);
    });

    it("is none where it cannot be made: the next home asks for it again", async () => {
      const first = await use("a");
      fs.unlinkSync(join(directory, `.swl-life-${first}`));
      refuses.next = true;
      expect(await use("b")).toBe("-");
      expect(processRegistry().lives.has(directory)).toBe(false);
      expect(await use("c")).toHaveLength(32);
    });

    it("is none on another platform", async () => {
      vi.stubGlobal("process", Object.create(process, { platform: { value: "darwin" } }));
      expect(await use("a")).toBe("-");
      expect(lives()).toEqual([]);
    });

    it("stays before this process ends by a signal, while it holds a lock there: nobody else would know that it died", async () => {
      const lock = await acquireSessionWriteLock({ sessionFile: join(directory, "a") });
      await prepareToDie(1);
      expect(lives()).toHaveLength(1);
      await lock.release();
      await prepareToDie(1);
      expect(lives()).toEqual([]);
    });

    it("goes with the last that is remembered there, and not before", async () => {
      await use("a");
      const first = await use("b");
      const another = (file: string): unknown => Object.assign(entryOf(file) ?? {}, { disk: -1 });
      another("a");
      expect(await use("a")).toBe(first);
      fs.unlinkSync(join(directory, `.swl-life-${first}`));
      const second = await use("c");
      // Only what is in its place goes: a copy of it elsewhere would refuse.
      expect(lives()).toEqual([`.swl-life-${second}`]);
      for (const file of ["a", "b"]) processRegistry().entries.delete(entryOf(file) as Entry);
      another("c");
      expect(await use("c")).not.toBe(second);
      expect(lives()).toHaveLength(1);
    });
  },
);
