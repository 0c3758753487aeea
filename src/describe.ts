/** Who an owner is, for people: what its name and its file say. Claims of the owner; no verdict needs them. */

import fs from "node:fs";
import { join } from "node:path";
import type { LockOwner } from "./errors.ts";
import { readContent } from "./owner/content.ts";
import { parseOwnerName } from "./owner/name.ts";

/** `verdict`: what is known about its life, in words. */
export function describeOwner(name: string, lockPath: string, verdict: string): LockOwner {
  const pid = parseOwnerName(name)?.pid;
  return {
    name,
    pid: pid === undefined ? undefined : Number(pid),
    ...readContent(join(lockPath, name)),
    ageMs: ageOf(lockPath),
    verdict,
  };
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
