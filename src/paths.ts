/** From a session file to its one lock path, and what can be said about the disk there. */

import fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { errnoText, SessionWriteLockError } from "./errors.ts";

export interface LockPath {
  /** The canonical session file: symbolic links in its directory are followed, the file itself is not. */
  readonly sessionFile: string;
  readonly lockPath: string;
  readonly directory: string;
}

/**
 * Where the lock of a session file is. Its directory is made if it is missing. However many symbolic links
 * lead to the directory, there is one lock. A session file that is itself a link, or has a second hard link,
 * is locked under the name that was given: different names, different locks.
 *
 * @throws SessionWriteLockError `EDISK` if the directory cannot be made or read.
 */
export function resolveLockPath(given: string): LockPath {
  const absolute = resolve(given);
  const parent = makeDirectory(dirname(absolute), given);
  // As `join` would, which looks at each character again: nothing that realpath gives ends in a slash, but the root.
  const sessionFile = `${parent === "/" ? "" : parent}/${basename(absolute)}`;
  return { sessionFile, lockPath: `${sessionFile}.lock`, directory: parent };
}

/** What may have changed whenever somebody asks. @throws SessionWriteLockError `EINVAL` if the session file is a directory. */
export function refuseDirectory({ sessionFile }: LockPath, given: string): void {
  if (!isDirectory(sessionFile, given)) return;
  throw new SessionWriteLockError(`Cannot lock ${sessionFile}: it is a directory, not a session file`, {
    code: "EINVAL",
    sessionFile,
  });
}

/** Whether a directory that was canonical still is: no link came into the way to it. */
export function isCanonical(directory: string): boolean {
  try {
    return fs.realpathSync.native(directory) === directory;
  } catch {
    return false;
  }
}

function makeDirectory(path: string, given: string): string {
  try {
    return fs.realpathSync.native(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw unusable(given, path, error);
  }
  try {
    fs.mkdirSync(path, { recursive: true });
    return fs.realpathSync.native(path);
  } catch (error) {
    throw unusable(given, path, error);
  }
}

function unusable(sessionFile: string, path: string, error: unknown): SessionWriteLockError {
  return new SessionWriteLockError(`Cannot use ${path} for a session: ${errnoText(error)}`, {
    code: "EDISK",
    sessionFile,
    cause: error,
  });
}

function isDirectory(path: string, given: string): boolean {
  try {
    return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    throw unusable(given, path, error);
  }
}

/** What src/owner/name.ts makes at most: an owner's name; before it, for a home, `.swl-` and a digest. */
export const LONGEST_OWNER_NAME = 184;
export const LONGEST_HOME_NAME = 202;

/**
 * The kernel is asked whether it takes these names: limits differ (255 bytes, 255 characters, 143 under
 * eCryptfs). Nobody may see a half-way failure later, when a lock should be released. Once for each lock path and disk.
 *
 * @throws SessionWriteLockError `EINVAL` if they are too long, `EDISK` if it does not say.
 */
export function refuseLongNames({ sessionFile, lockPath }: LockPath): void {
  const home = join(dirname(lockPath), "x".repeat(LONGEST_HOME_NAME));
  const owner = "x".repeat(LONGEST_OWNER_NAME);
  try {
    for (const path of [lockPath, home, join(home, owner)]) fs.lstatSync(path, { throwIfNoEntry: false });
    lookInto(lockPath, owner);
  } catch (error) {
    const tooLong = (error as NodeJS.ErrnoException).code === "ENAMETOOLONG";
    const why = tooLong ? "its name is longer than this file system allows" : errnoText(error);
    throw new SessionWriteLockError(`Cannot use the lock path ${lockPath}: ${why}`, {
      code: tooLong ? "EINVAL" : "EDISK",
      sessionFile,
      lockPath,
      cause: error,
    });
  }
}

/** What stands at L may be a file, a link to itself, a directory of somebody else: only the length matters here. */
function lookInto(lockPath: string, owner: string): void {
  try {
    fs.lstatSync(join(lockPath, owner), { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENAMETOOLONG") throw error;
  }
}

/**
 * File systems on which a system call has ended when its process is gone (A4), by the magic numbers of
 * Linux's statfs: ext2-4, xfs, btrfs, tmpfs, overlayfs, zfs, f2fs.
 */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010,
]);

/** What kind of file system a directory is on: its magic number. Undefined if that cannot be seen, or it is no directory. */
export function diskKindOf(directory: string): number | undefined {
  try {
    // With the slash the kernel refuses everything else.
    return fs.statfsSync(`${directory}/`).type;
  } catch {
    return undefined;
  }
}

/** Whether disks of this kind are known to be local. Unprovable is not local: `Drop` is right everywhere. */
export function isLocalKind(kind: number | undefined): boolean {
  return process.platform === "linux" && kind !== undefined && LOCAL_FILE_SYSTEMS.has(kind);
}

export function isLocalDisk(directory: string): boolean {
  return isLocalKind(diskKindOf(directory));
}
