/** Who an owner is, for people: what its name and its file say. Claims of the owner; no verdict needs them. */

import fs from "node:fs";
import { dirname, join } from "node:path";
import type { LockOwner } from "./errors.ts";
import { readContent } from "./owner/content.ts";
import { parseOwnerName } from "./owner/name.ts";

/** `verdict`: what is known about its life, in words. */
export function describeOwner(name: string, lockPath: string, verdict: string): LockOwner {
  const pid = parseOwnerName(name)?.pid;
  return {
    name,
    pid: pid === undefined ? undefined : Number(pid),
    uid: uidOf(join(lockPath, name)),
    ...readContent(join(lockPath, name)),
    ageMs: ageOf(lockPath),
    verdict,
  };
}

function uidOf(file: string): number | undefined {
  try {
    return fs.lstatSync(file).uid;
  } catch {
    return undefined;
  }
}

/** Why the disk refuses to change what stands at a lock path, where permissions are why: whose it is. */
export function explainRefusal(errno: string, lockPath: string): string {
  if (errno !== "EACCES" && errno !== "EPERM") return errno;
  try {
    const [lock, parent] = [fs.lstatSync(lockPath), fs.statSync(dirname(lockPath))];
    const isSticky = (parent.mode & 0o1000) !== 0;
    const why = isSticky
      ? "its directory is sticky, where only that user may remove it"
      : `its mode is ${(lock.mode & 0o7777).toString(8)}`;
    return `${errno}: ${lockPath} belongs to uid ${lock.uid}, and ${why}`;
  } catch {
    return errno;
  }
}

/** Taking the lock renames a directory, which stamps its ctime. */
export function ageOf(lockPath: string): number | undefined {
  try {
    const stat = fs.lstatSync(lockPath, { throwIfNoEntry: false });
    return stat === undefined ? undefined : Math.max(0, Date.now() - stat.ctimeMs);
  } catch {
    return undefined;
  }
}
