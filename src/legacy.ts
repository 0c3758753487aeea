/**
 * Old lock files: what other, older modules leave at a lock path is a file, `{ pid, createdAt, starttime? }`. It is
 * never a lock of ours, so it is waited for, and shown. Removing one is only for those who ask for it:
 * spec/decisions/0005-old-lock-files.md says how, and which hole is left.
 */

import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { type RegularFile, readRegularFile } from "./bounded.ts";
import { errnoText, ignoreErrors } from "./errors.ts";
import { newNonce } from "./owner/identity.ts";
import { lockDigest } from "./owner/name.ts";
import type { Judgement, OwnerPlace } from "./registry.ts";

/** What an old lock file says of its owner. */
export interface LegacyClaim {
  readonly pid: number;
  /** As it stands there: a date. */
  readonly createdAt: string;
  /** Field 22 of `/proc/<pid>/stat`; undefined if it was not given, or is none: then it is never compared. */
  readonly start: string | undefined;
}

/** What stands at a lock path that is not a directory. */
export interface Obstruction {
  /** In words, without anything that others wrote but numbers and a date. */
  readonly what: string;
  readonly legacy: LegacyClaim | undefined;
}

export function lookAtObstruction(lockPath: string): Obstruction {
  try {
    const stat = fs.lstatSync(lockPath);
    const legacy = stat.isFile() ? parseLegacy(readRegularFile(lockPath)) : undefined;
    return { what: legacy === undefined ? kindOf(stat) : wordsOf(legacy), legacy };
  } catch (error) {
    return { what: errnoText(error), legacy: undefined };
  }
}

function kindOf(stat: fs.Stats): string {
  if (stat.isSymbolicLink()) return "a symbolic link";
  if (stat.isFIFO()) return "a FIFO";
  if (stat.isSocket()) return "a socket";
  if (stat.isDirectory()) return "a directory";
  if (!stat.isFile()) return "a device";
  return stat.size === 0 ? "an empty file" : `a file of ${stat.size} bytes`;
}

function wordsOf({ pid, createdAt }: LegacyClaim): string {
  return `an old lock file of pid ${pid}, made at ${createdAt}`;
}

/** The whole file must be one JSON object with a pid and a date, or it is nobody's. */
export function parseLegacy(file: RegularFile | undefined): LegacyClaim | undefined {
  if (file === undefined || BigInt(file.bytes.length) !== file.stat.size) return undefined;
  try {
    const fields = lowerCased(JSON.parse(file.bytes.toString("utf8")));
    const { pid, createdat, starttime } = fields ?? {};
    const isPid = typeof pid === "number" && Number.isInteger(pid) && pid > 0 && pid <= 0x7fff_ffff;
    const isDate = typeof createdat === "string" && /^[\d.:TZ+-]{10,32}$/.test(createdat);
    if (!isPid || !isDate || Number.isNaN(Date.parse(createdat))) return undefined;
    const start = typeof starttime === "number" && Number.isSafeInteger(starttime) ? String(starttime) : "";
    return { pid, createdAt: createdat, start: /^[1-9][0-9]{0,12}$/.test(start) ? start : undefined };
  } catch {
    return undefined;
  }
}

/** Some wrote their keys otherwise. The same key twice says nothing. */
function lowerCased(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value).map(([key, field]) => [key.toLowerCase(), field] as const);
  const fields = new Map<string, unknown>(entries);
  return fields.size === entries.length ? Object.fromEntries(fields) : undefined;
}

/** Whether an old lock file was removed, whose owner is proved dead. Anything else is left where it is. */
export function migrateLegacyLock(
  { path, local }: OwnerPlace,
  judge: (claim: LegacyClaim) => Judgement,
  warn: (message: string) => void,
): boolean {
  // What is put back is put back by a hard link.
  if (!local) return false;
  try {
    const judged = readRegularFile(path);
    const claim = parseLegacy(judged);
    if (judged === undefined || claim === undefined || judge(claim).verdict !== "dead") return false;
    return removeFile(path, judged, warn);
  } catch {
    return false;
  }
}

/**
 * Moves what stands at the path aside, and removes it if it is the file that was judged. rename refuses to put a
 * directory in the place of a file: so an owner directory that has come to L meanwhile is never moved.
 */
function removeFile(path: string, judged: RegularFile, warn: (message: string) => void): boolean {
  const aside = join(dirname(path), `.swl-${lockDigest(basename(path))}-old-${newNonce()}`);
  fs.writeFileSync(aside, "", { flag: "wx", mode: 0o600 });
  try {
    fs.renameSync(path, aside);
  } catch {
    // Nothing moved: it is gone, or a directory by now.
    ignoreErrors(() => fs.unlinkSync(aside));
    return false;
  }
  if (isSame(judged, aside)) {
    fs.unlinkSync(aside);
    return true;
  }
  putBack(aside, path, warn);
  return false;
}

function isSame({ bytes, stat }: RegularFile, path: string): boolean {
  try {
    const now = readRegularFile(path);
    const sameFile = now?.stat.dev === stat.dev && now.stat.ino === stat.ino;
    return sameFile && now.stat.mtimeNs === stat.mtimeNs && now.bytes.equals(bytes);
  } catch {
    return false;
  }
}

/** A running old version has come in between. link never replaces anything. */
function putBack(aside: string, path: string, warn: (message: string) => void): void {
  try {
    fs.linkSync(aside, path);
  } catch (error) {
    warn(
      `an old version uses ${path} while migrateLegacyLocks removes its files: ` +
        `its lock file is now ${aside}, since it could not be put back (${errnoText(error)})`,
    );
    return;
  }
  ignoreErrors(() => fs.unlinkSync(aside));
}
