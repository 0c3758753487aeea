/** Disks that break A3, each in one way: on a real directory, what they do besides is done to the real one. */

import fs from "node:fs";
import { join } from "node:path";
import { type Disk, type DiskCall, type DiskReply, nodeDisk, performNow } from "../../../src/disk.ts";

const DONE: DiskReply = { ok: true, names: [] };

/** A disk that answers some calls itself. */
function diskThat(answer: (call: DiskCall) => DiskReply | undefined): Disk {
  const now = (call: DiskCall): DiskReply => answer(call) ?? performNow(call);
  return { ...nodeDisk, now, later: (call, done) => setImmediate(() => done(now(call))) };
}

const renames = (answer: (from: string, to: string) => DiskReply | undefined): Disk =>
  diskThat((call) => (call.call === "rename" ? answer(call.from, call.to) : undefined));

const isFull = (path: string): boolean => isDirectory(path) && fs.readdirSync(path).length > 0;
const isDirectory = (path: string): boolean =>
  fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function replace(from: string, to: string): DiskReply {
  fs.rmSync(to, { recursive: true });
  fs.renameSync(from, to);
  return DONE;
}

export interface BrokenDisk {
  readonly name: string;
  readonly disk: Disk;
  /** The rows that say so; all others of A3 stay as they are. */
  readonly caughtBy: readonly string[];
}

const FULL = "rename to a directory that is not empty";
const RACE = "rename, four at the same time";

export const BROKEN_DISKS: readonly BrokenDisk[] = [
  {
    name: "merges two directories",
    disk: renames((from, to) => {
      if (!isFull(to)) return undefined;
      for (const name of fs.readdirSync(from)) fs.renameSync(join(from, name), join(to, name));
      fs.rmdirSync(from);
      return DONE;
    }),
    caughtBy: [FULL, RACE],
  },
  {
    name: "replaces a directory that is not empty",
    disk: renames((from, to) => (isFull(to) ? replace(from, to) : undefined)),
    caughtBy: [FULL, RACE],
  },
  {
    name: "replaces a file",
    disk: renames((from, to) =>
      fs.lstatSync(to, { throwIfNoEntry: false })?.isFile() ? replace(from, to) : undefined,
    ),
    caughtBy: ["rename to a file"],
  },
  {
    name: "follows a symbolic link",
    disk: renames((from, to) => {
      if (fs.lstatSync(to, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return undefined;
      return performNow({ call: "rename", from, to: fs.readlinkSync(to) });
    }),
    caughtBy: ["rename to a symbolic link"],
  },
  {
    name: "refuses an empty directory",
    disk: renames((_from, to) =>
      isDirectory(to) ? { ok: false, errno: "EPERM", error: new Error("EPERM") } : undefined,
    ),
    caughtBy: ["rename to an empty directory", RACE],
  },
  {
    name: "refuses, and has done it all the same",
    disk: renames((from, to) => {
      if (!isFull(to)) return undefined;
      replace(from, to);
      return { ok: false, errno: "ENOTEMPTY", error: new Error("ENOTEMPTY") };
    }),
    caughtBy: [FULL, RACE],
  },
  {
    name: "copies, and leaves what it should move",
    disk: renames((from, to) => {
      if (isFull(to) || (fs.existsSync(to) && !isDirectory(to))) return undefined;
      fs.cpSync(from, to, { recursive: true });
      return DONE;
    }),
    caughtBy: ["rename to what is absent", "rename to an empty directory", RACE],
  },
  {
    name: "looks first, and renames later",
    disk: withLookFirst(),
    caughtBy: [RACE],
  },
  {
    name: "removes what is there, whatever its name",
    disk: diskThat((call) => {
      if (call.call !== "unlink" || fs.existsSync(call.path)) return undefined;
      const directory = join(call.path, "..");
      for (const name of fs.readdirSync(directory)) fs.unlinkSync(join(directory, name));
      return DONE;
    }),
    caughtBy: ["unlink by name"],
  },
  {
    name: "forgets what was removed only later",
    disk: diskThat((call) => (call.call === "unlink" && fs.existsSync(call.path) ? DONE : undefined)),
    caughtBy: ["unlink by name"],
  },
  {
    name: "removes a directory with all that is in it",
    disk: diskThat((call) => {
      if (call.call !== "rmdir") return undefined;
      fs.rmSync(call.path, { recursive: true });
      return DONE;
    }),
    caughtBy: ["rmdir of a directory that is not empty"],
  },
];

/** Right one after the other, wrong at the same time: as tools do that look whether something is there, and then act. */
function withLookFirst(): Disk {
  return {
    ...nodeDisk,
    later: (call, done) => {
      if (call.call !== "rename") return nodeDisk.later(call, done);
      const { from, to } = call;
      const full = isFull(to);
      setImmediate(() => {
        if (full) return done({ ok: false, errno: "ENOTEMPTY", error: new Error("ENOTEMPTY") });
        fs.rmSync(to, { recursive: true, force: true });
        done(performNow({ call: "rename", from, to }));
      });
    },
  };
}
