/**
 * Marks (spec/lease.md): what a judge writes down beside L about an owner that was silent for too long, and the files
 * by which it asks the server for the time. All times are stamps of the server, in nanoseconds.
 */

import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readRegularFile } from "../bounded.ts";
import { errnoText } from "../errors.ts";
import { lockDigest } from "./name.ts";

/** What an earlier judge saw, and when it wrote that down. */
export interface Mark {
  /** The mtime of the owner file. */
  readonly beatAt: bigint;
  readonly writtenAt: bigint;
}

/** The place of the mark about an owner: the same for every judge. */
export function markPath(lockPath: string, ownerName: string): string {
  return join(dirname(lockPath), `${PREFIX}${lockDigest(basename(lockPath))}-${ownerDigest(ownerName)}`);
}

/** Not its nonce: a guest has that of its process, and beats at other times. */
export const ownerDigest = (ownerName: string): string =>
  createHash("sha256").update(ownerName).digest("hex").slice(0, 24);

const PREFIX = ".swl-mark-";
const FILE_NAME = /^\.swl-mark-[0-9a-f]{12}-([0-9a-f]{24})(\.[0-9a-f]{16})?$/;

/** Whose mark a file is, by the digest of the owner's name, and whether it is only a probe; undefined for every other name. */
export function parseMarkName(
  name: string,
): { readonly owner: string; readonly isProbe: boolean } | undefined {
  const [, owner, random] = FILE_NAME.exec(name) ?? [];
  return owner === undefined ? undefined : { owner, isProbe: random !== undefined };
}

/** `ReadMark`. Undefined if there is none that can be read and believed. */
export function readMark(path: string): Mark | undefined {
  try {
    const file = readRegularFile(path);
    const [, beatAt] = /^(-?[0-9]{1,30})\n$/.exec(file?.bytes.toString("latin1") ?? "") ?? [];
    if (file === undefined || beatAt === undefined) return undefined;
    return { beatAt: BigInt(beatAt), writtenAt: file.stat.mtimeNs };
  } catch {
    return undefined;
  }
}

/**
 * `Stat`, `Recheck`: when an owner has shown that it lives, or why that cannot be seen. The file is opened, because
 * that makes a network file system ask its server, where a stat may be answered from memory.
 */
export function lastBeat(lockPath: string, ownerName: string): bigint | string {
  try {
    return readRegularFile(join(lockPath, ownerName))?.stat.mtimeNs ?? "its file is not a regular file";
  } catch (error) {
    return errnoText(error);
  }
}

/** A file that was written now: it says what time it is on the server, and can become the mark. */
export interface Probe {
  readonly writtenAt: bigint;
  /** `Mark`. */
  becomeMark(): Promise<void>;
  discard(): Promise<void>;
}

const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** `Probe`. @throws an error of the disk. */
export async function writeProbe(mark: string, beatAt: bigint): Promise<Probe> {
  const path = `${mark}.${randomBytes(8).toString("hex")}`;
  const discard = (): Promise<void> => removeMark(path);
  try {
    const writtenAt = await write(path, beatAt);
    return { writtenAt, becomeMark: () => fs.rename(path, mark), discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function write(path: string, beatAt: bigint): Promise<bigint> {
  const file = await fs.open(path, WRITE_FLAGS, 0o644);
  try {
    await file.write(`${beatAt}\n`);
    // Judges of other users must read it, whatever our umask is.
    await file.chmod(0o644);
    // A network file system stamps what reaches its server.
    await file.sync();
    return (await file.stat({ bigint: true })).mtimeNs;
  } finally {
    await file.close();
  }
}

/** Always safe: a mark that is gone only costs time. */
export async function removeMark(path: string): Promise<void> {
  await fs.unlink(path).catch(() => {});
}

/** A judge makes a mark of its probe, or removes it, at once. */
const PROBE_WITHIN_MS = 60_000;

/**
 * Removes a mark about an owner that stands nowhere any more, and a probe that a judge left when it died; whether it did.
 * `named`: the digests of the owners at lock paths, among others.
 */
export async function sweepMark(
  directory: string,
  name: string,
  named: ReadonlySet<string>,
): Promise<boolean> {
  const parsed = parseMarkName(name);
  const path = join(directory, name);
  try {
    if (parsed === undefined) return false;
    const { ctimeMs } = await fs.lstat(path);
    const young = parsed.isProbe && Date.now() - ctimeMs < PROBE_WITHIN_MS;
    if (young || (!parsed.isProbe && named.has(parsed.owner))) return false;
    await fs.unlink(path);
    return true;
  } catch {
    return false; // another sweeper was first
  }
}
