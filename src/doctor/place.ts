/** A2, A4, A5, and what a user must bring along: the directory, its disk, and what stands there already. */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoText } from "../errors.ts";
import { inspectSessionLocks } from "../inspect.ts";
import { isLocalDisk } from "../paths.ts";
import { about, type Row } from "./row.ts";

// ------------------------------------------------------------------------------------------------
// A2: who may change what stands there

export function checkWriters(directory: string): readonly Row[] {
  return [checkMode(directory), checkAccessList(directory), checkAbove(directory)];
}

const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, "0");

function checkMode(directory: string): Row {
  const { ok, warn, unknown } = about("A2", "who may write in this directory");
  if (process.platform === "win32") return unknown("not tried", "this platform has other permissions");
  const { mode, uid, gid } = fs.statSync(directory);
  const seen = `mode ${octal(mode)}, uid ${uid}, gid ${gid}`;
  if ((mode & 0o1000) !== 0 && (mode & 0o022) !== 0) {
    return warn(`${seen}: sticky`, "it is for one user: nobody takes over the lock of another user");
  }
  if ((mode & 0o002) !== 0) return warn(seen, "everybody may remove the lock of a session");
  if ((mode & 0o020) !== 0) return ok(`${seen}: the group too, which may take over from each other`);
  return ok(seen);
}

/** ls marks what has an access list with a plus: there is no other way without a tool that few have. */
function checkAccessList(directory: string): Row {
  const { ok, warn, unknown } = about("A2", "access lists (ACL)");
  try {
    const options = { encoding: "utf8", env: { ...process.env, LC_ALL: "C" }, stdio: "pipe" } as const;
    const [mode = ""] = execFileSync("ls", ["-ld", "--", directory], options).split(" ");
    return mode.endsWith("+")
      ? warn("there is one", "more users may write here than the mode says")
      : ok("none that ls shows");
  } catch {
    return unknown("ls does not say", "more users may be allowed to write here than the mode says");
  }
}

function checkAbove(directory: string): Row {
  const { ok, warn, unknown } = about("A2", "who may write above it");
  if (process.platform === "win32") return unknown("not tried", "this platform has other permissions");
  for (let path = directory; path !== dirname(path); path = dirname(path)) {
    const parent = dirname(path);
    const { mode } = fs.statSync(parent);
    if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) {
      return warn(
        `${parent} has mode ${octal(mode)}`,
        "everybody may put another directory in the place of this one",
      );
    }
  }
  return ok("nobody but its owners and their groups");
}

// ------------------------------------------------------------------------------------------------
// A4: whether the disk is local

/** Of statfs(2) and linux/magic.h. Those of overlayfs and of the disks that are no disks matter here. */
const KINDS: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext2, ext3 or ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlayfs"],
  [0x2fc12fc1, "zfs"],
  [0xf2f52010, "f2fs"],
  [0x858458f6, "ramfs"],
  [0x65735546, "FUSE"],
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x01021997, "9p"],
  [0x4d44, "FAT"],
  [0x2011bab0, "exFAT"],
  [0x5346544e, "NTFS"],
  [0x7366746e, "NTFS"],
]);
const OVERLAY = 0x794c7630;

export function checkKind(directory: string): Row {
  const { ok, unknown } = about("A4", "the kind of file system");
  try {
    const { type } = fs.statfsSync(directory);
    const kind =
      process.platform === "linux" ? (KINDS.get(type) ?? `type 0x${type.toString(16)}`) : `type ${type}`;
    if (!isLocalDisk(directory)) {
      return ok(`${kind}, not known to be local: a release is a Drop, and an empty lock directory stays`);
    }
    if (type === OVERLAY) return unknown(`${kind}, taken for local`, "it is as local as the layers below it");
    return ok(`${kind}, taken for local: a release is a PutBack. Not if its device is one of the network`);
  } catch (error) {
    return unknown(errnoText(error), "taken for not local: a release is a Drop");
  }
}

// ------------------------------------------------------------------------------------------------
// A5: other kinds of locks

/** proper-lockfile stamps its directory every 5 s while it holds it; others less often. */
const STAMP_WITHIN_MS = 5_500;
/** One that is older is not stamped any more by anybody who does so every 5 s. */
const FRESH_MS = 30_000;

/** Looks twice, at the beginning and when the result is called: an empty directory that is stamped meanwhile is a held lock. */
export async function lookAtOtherLocks(directory: string, quick: boolean): Promise<() => Promise<Row>> {
  const locks = await inspectSessionLocks(directory);
  const lookedAt = performance.now();
  const files = locks.filter(({ state }) => state === "foreign");
  const empty = locks
    .filter(({ state, ageMs }) => state === "free" && ageMs === null)
    .map(({ lockPath }) => lockPath);
  const before = empty.map((path) => stampOf(path));
  return async () => {
    const { ok, warn, fail, unknown } = about("A5", "other kinds of locks in this directory");
    const fresh = before.some((stamp) => stamp !== undefined && Date.now() - stamp.at < FRESH_MS);
    if (fresh && !quick) await sleep(Math.max(0, STAMP_WITHIN_MS - (performance.now() - lookedAt)));
    const stamped = empty.filter((path, i) => wasStamped(before[i], stampOf(path)));
    if (stamped.length > 0) {
      const means =
        "an empty directory counts as free, so it would be taken from whoever holds it: two kinds of locks must not share a path";
      return fail(`somebody keeps ${stamped[0]} fresh, as proper-lockfile does`, means);
    }
    if (files.length > 0) {
      const [first] = files;
      return warn(
        `${files.length}: ${first?.lockPath}: ${first?.note}`,
        "sessions behind them are waited for",
      );
    }
    if (empty.length === 0) return ok(`none among ${locks.length} locks`);
    const seen = `none that is seen; ${empty.length} empty lock directories`;
    const means = "they count as free, so no other kind of lock must use these paths";
    return isLocalDisk(directory) || (fresh && quick)
      ? unknown(seen, means)
      : ok(`${seen}, as our releases leave here`);
  };
}

interface Stamp {
  readonly inode: bigint;
  readonly mtimeNs: bigint;
  readonly at: number;
}

function stampOf(path: string): Stamp | undefined {
  try {
    const { ino, mtimeNs, mtimeMs } = fs.lstatSync(path, { bigint: true });
    return fs.readdirSync(path).length > 0 ? undefined : { inode: ino, mtimeNs, at: Number(mtimeMs) };
  } catch {
    return undefined;
  }
}

function wasStamped(before: Stamp | undefined, after: Stamp | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  return before.inode === after.inode && before.mtimeNs !== after.mtimeNs;
}

// ------------------------------------------------------------------------------------------------
// What a user must bring along

/** Homes take over mode and group of their parent, so that whoever may write there may evict. */
export function checkHomes(scratch: string, directory: string): readonly Row[] {
  return [checkHomeMode(scratch, directory), checkContent(scratch)];
}

const MODE_BITS = 0o2777;

function checkHomeMode(scratch: string, directory: string): Row {
  const { ok, warn, unknown } = about("needs", "homes with the mode and group of this directory");
  if (process.platform === "win32") return unknown("not tried", "this platform has other permissions");
  const means = "nobody else can take over what our user leaves";
  try {
    const home = join(scratch, "home");
    const parent = fs.statSync(directory);
    fs.mkdirSync(home);
    fs.chmodSync(home, parent.mode & MODE_BITS);
    if (fs.statSync(home).gid !== parent.gid) fs.chownSync(home, -1, parent.gid);
    const made = fs.statSync(home);
    const seen = `mode ${octal(made.mode)}, gid ${made.gid}`;
    const same = (made.mode & MODE_BITS) === (parent.mode & MODE_BITS) && made.gid === parent.gid;
    return same ? ok(seen) : warn(`${seen}, and not ${octal(parent.mode)}, gid ${parent.gid}`, means);
  } catch (error) {
    return warn(errnoText(error), means);
  }
}

/** An owner file with all its metadata. */
const CONTENT = "x".repeat(2_560);

function checkContent(scratch: string): Row {
  const { ok, fail } = about("needs", "an owner file written and read");
  try {
    const file = join(scratch, "content");
    fs.writeFileSync(file, CONTENT, { flag: "wx" });
    return fs.readFileSync(file, "utf8") === CONTENT
      ? ok("yes")
      : fail("it is not what was written", "do not use the lock here");
  } catch (error) {
    return fail(errnoText(error), "nobody can take a lock here");
  }
}

/** Some hundred homes; a lock that cannot be taken for want of space fails with `EDISK`. */
const FEW_BYTES = 1_048_576;
const FEW_FILES = 200;

export function checkSpace(directory: string): Row {
  const { ok, warn, unknown } = about("needs", "free space and files");
  try {
    const { blocks, bavail, bsize, files, ffree } = fs.statfsSync(directory);
    if (blocks === 0) return unknown("this file system does not say", "");
    const free = bavail * bsize;
    // Some file systems (btrfs) have no number of files.
    const few = files > 0 && ffree < FEW_FILES;
    const seen = `${Math.floor(free / FEW_BYTES)} MiB${files > 0 ? `, ${ffree} files` : ""}`;
    return free < FEW_BYTES || few ? warn(seen, "soon nobody can take a lock here") : ok(seen);
  } catch (error) {
    return unknown(errnoText(error), "it could not be tried");
  }
}
