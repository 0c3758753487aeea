/** The doctor on real file systems, in a sandbox that kept the host's /proc, and ended by a signal. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Diagnosis } from "../../src/doctor/doctor.ts";
import type { Result } from "../../src/doctor/row.ts";
import { DISKS, type DiskCase, FUSE_DISKS, needsOf, placeOf } from "./support/disks.ts";
import { root } from "./support/library.ts";
import { root as asRoot, linux, mounts, pidNamespaces } from "./support/places.ts";
import { skipWithout } from "./support/scenario.ts";

// tests A1, A2, A3, A4, A5

const CLI = join(root, "dist", "cli", "main.js");

/** It has no types. */
const { lock } = createRequire(import.meta.url)("proper-lockfile") as {
  lock(file: string, options: { stale: number; update: number }): Promise<() => Promise<void>>;
};

let scratch = "";
beforeEach(() => {
  scratch = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-doctor-run-")));
});
afterEach(() => fs.rmSync(scratch, { recursive: true, force: true }));

interface Examined extends Diagnosis {
  readonly code: number | null;
}

/** The built command, behind what leads to where it is run. */
function examine(directory: string, prefix: readonly string[] = []): Examined {
  const [file = "", ...args] = [...prefix, process.execPath, CLI, "doctor", "--json", directory];
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  return { code: status, ...(JSON.parse(stdout) as Diagnosis) };
}

/** What is not `ok` of this machine: looked at once, in a directory that nobody else uses. */
let ofMachine: Record<string, Result> | undefined;
function notOkHere(): Record<string, Result> {
  ofMachine ??= notOk(examine(scratch));
  return ofMachine;
}

/** What is not `ok`. */
const notOk = ({ rows }: Diagnosis): Record<string, Result> =>
  Object.fromEntries(
    rows.filter(({ result }) => result !== "ok").map(({ tried, result }) => [tried, result]),
  );

const table = ({ rows }: Diagnosis): string =>
  rows.map(({ subject, result, tried, seen }) => `${subject} ${result}: ${tried}: ${seen}`).join("\n");

/** What the doctor says of a disk beside what it says of this machine. */
const EXPECTED: Readonly<Record<DiskCase["type"], Record<string, Result>>> = {
  ext4: {},
  xfs: {},
  btrfs: {},
  tmpfs: {},
  overlay: { "the kind of file system": "not known" },
  ramfs: { "free space and files": "not known" },
  bindfs: {},
  // Mounted without its options for permissions, it has none.
  "ntfs-3g": { "who may write in this directory": "warn" },
};

describe("the doctor", () => {
  for (const disk of [...DISKS, ...FUSE_DISKS]) {
    it(`on ${disk.type}`, async (context) => {
      skipWithout(needsOf(disk), context);
      const here = notOkHere();
      const place = await placeOf(disk, scratch);
      try {
        const directory = join(scratch, "disk");
        place.run("chmod", "0755", directory);
        const before = place.run("ls", "-A", directory);
        const examined = examine(directory, place.enter);
        // A place with a pid namespace of its own has the /proc of this machine.
        const ofDisk = Object.entries(notOk(examined)).filter(
          ([tried]) => !(tried in here) && !(disk.served === true && OF_PROC.includes(tried)),
        );
        expect(Object.fromEntries(ofDisk), table(examined)).toEqual(EXPECTED[disk.type]);
        expect(place.run("ls", "-A", directory)).toBe(before);
        const disks = examined.rows.filter(({ subject }) => !["A1", "A2", "A6"].includes(subject));
        console.log(`doctor on ${disk.type}\n${table({ ...examined, rows: disks })}`);
      } finally {
        await place.close();
      }
    });
  }

  it("fails on a disk that is read-only, and says what it could not try", async (context) => {
    skipWithout([linux, asRoot, mounts], context);
    const place = await placeOf({ mount: 'mount -t tmpfs -o ro tmpfs "$mnt"' }, scratch);
    try {
      const examined = examine(join(scratch, "disk"), place.enter);
      expect(examined.code).toBe(3);
      expect(notOk(examined)).toMatchObject({ "a directory can be made": "fail", rename: "not known" });
      expect(examined.rows).toContainEqual(expect.objectContaining({ result: "fail", seen: "EROFS" }));
    } finally {
      await place.close();
    }
  });

  it("tells of a sandbox that kept the /proc of its host", (context) => {
    skipWithout([linux, asRoot, pidNamespaces], context);
    const here = notOkHere();
    const examined = examine(scratch, ["unshare", "--pid", "--fork", "--kill-child"]);
    const inSandbox = Object.entries(notOk(examined)).filter(([tried]) => !(tried in here));
    expect(examined.code).toBe(1);
    expect(Object.fromEntries(inSandbox), table(examined)).toEqual({
      "/proc is that of this pid namespace": "warn",
      "when a process and its threads started": "warn",
      "processes of other users can be seen": "not known",
      "a child of ours is alive, then dead": "warn",
    });
    // With a /proc of its own there is nothing to tell.
    const mended = notOk(examine(scratch, ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]));
    expect(Object.keys(mended).filter((tried) => !(tried in here))).toEqual([]);
  });

  it("warns of a directory that everybody may write", () => {
    fs.chmodSync(scratch, 0o777);
    const examined = examine(scratch);
    expect(examined.code).toBe(1);
    expect(notOk(examined)).toMatchObject({ "who may write in this directory": "warn" });
  });

  it("fails beside a lock of proper-lockfile that is held", async () => {
    fs.writeFileSync(join(scratch, "a.jsonl"), "");
    const release = await lock(join(scratch, "a.jsonl"), { stale: 5_000, update: 1_000 });
    const child = spawn(process.execPath, [CLI, "doctor", "--json", scratch], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const said: Buffer[] = [];
    child.stdout.on("data", (data: Buffer) => said.push(data));
    const [code] = await once(child, "close");
    await release();
    const examined = JSON.parse(Buffer.concat(said).toString()) as Diagnosis;
    expect(notOk(examined)).toMatchObject({ "other kinds of locks in this directory": "fail" });
    expect(code).toBe(3);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("ended by %s leaves nothing", async (signal) => {
    // It may have ended before the signal: then once more.
    for (let attempt = 0; ; attempt++) {
      const child = spawn(process.execPath, [CLI, "doctor", scratch], { stdio: "ignore" });
      const ended = once(child, "exit");
      while (child.exitCode === null && fs.readdirSync(scratch).length === 0) await sleep(1);
      await sleep(attempt);
      child.kill(signal);
      const [, by] = await ended;
      expect(fs.readdirSync(scratch)).toEqual([]);
      if (by === signal) return;
      expect(attempt).toBeLessThan(20);
    }
  });
});

const OF_PROC: readonly string[] = [
  "/proc is that of this pid namespace",
  "when a process and its threads started",
  "processes of other users can be seen",
  "a child of ours is alive, then dead",
];
