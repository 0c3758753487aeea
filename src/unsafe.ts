/**
 * Whoever may write to a directory may take any lock in it away, and nothing that is done inside of it can prevent that
 * (spec/security.md). So it is said, once per directory and thread. It is never refused: the directory is the user's.
 */

import fs from "node:fs";
import { dirname } from "node:path";
import { ignoreErrors } from "./errors.ts";
import { warn } from "./warnings.ts";

const looked: Set<string> = new Set();

export function warnIfUnsafe(directory: string): void {
  if (looked.has(directory)) return;
  looked.add(directory);
  // A directory that cannot be looked at is somebody else's error.
  ignoreErrors(() => {
    const danger = dangerOf(directory, process.geteuid?.());
    if (danger === undefined) return;
    warn(`session locks in ${directory} do not exclude everybody: ${danger}`, "SWL_UNSAFE_DIRECTORY");
  });
}

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;
const ROOT = 0;
/** Whom a user namespace shows in the place of those that it does not know. */
const NOBODY = 65_534;

/**
 * Who else may change what stands in a directory, in words; undefined if that is only whoever was meant to. A group that
 * may write was meant to: it is how users share, and with a umask of 002 it is every directory. Where there are no
 * uids nothing is said.
 */
export function dangerOf(
  directory: string,
  uid: number | undefined,
  look: (path: string) => Pick<fs.Stats, "mode" | "uid"> = fs.statSync,
): string | undefined {
  if (uid === undefined) return undefined;
  const { mode, uid: owner } = look(directory);
  const isShared = (mode & GROUP_WRITES) !== 0;
  if (!isShared && ![uid, ROOT, NOBODY].includes(owner)) return `${directory} belongs to uid ${owner}`;
  for (let path = directory; ; path = dirname(path)) {
    const open = look(path).mode & (OTHERS_WRITE | STICKY);
    if (open === OTHERS_WRITE) return `everybody may write to ${path}`;
    if (path === dirname(path)) return undefined;
  }
}
