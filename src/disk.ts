/**
 * The disk, as the lock sees it: the calls of the protocol and nothing else. A reply is a value; which
 * errors mean what is decided in protocol.ts, by the few outcomes that are understood.
 */

import fs from "node:fs";
import { dirname } from "node:path";
import { notOurs, OWN_DIRECTORY_FLAGS, OWN_FILE_FLAGS } from "./bounded.ts";
import { ignoreErrors } from "./errors.ts";

export type DiskCall =
  /** mkdir(home), then create home/name for each file: a private place, so one step. */
  | { readonly call: "prepare"; readonly home: string; readonly files: readonly OwnerFile[] }
  | { readonly call: "rename"; readonly from: string; readonly to: string }
  | { readonly call: "readdir"; readonly path: string }
  | { readonly call: "unlink"; readonly path: string }
  | { readonly call: "rmdir"; readonly path: string }
  /** Writes a byte into an owner file that is there, so that the file server stamps it (spec/lease.md). */
  | { readonly call: "beat"; readonly path: string };

export interface OwnerFile {
  readonly name: string;
  readonly content: string;
}

export type DiskReply =
  /** `names` is what a readdir found; empty for the other calls. */
  { readonly ok: true; readonly names: readonly string[] } | DiskFailure;

export interface DiskFailure {
  readonly ok: false;
  /** `ENOENT` and the like; libuv's message where it has no name for it. */
  readonly errno: string;
  readonly error: Error;
}

export interface Disk {
  /** Whether rename(2) puts a directory in the place of an empty one. */
  readonly renameReplacesEmpty: boolean;
  /** In this turn. */
  now(call: DiskCall): DiskReply;
  /** In the thread pool; the reply comes in a turn of its own. */
  later(call: DiskCall, done: (reply: DiskReply) => void): void;
}

const DONE: DiskReply = { ok: true, names: [] };

export const nodeDisk: Disk = {
  // Windows refuses (not tested: src/lock.ts refuses Windows).
  renameReplacesEmpty: process.platform !== "win32",
  now: performNow,
  later: performLater,
};

export function performNow(call: DiskCall): DiskReply {
  try {
    return perform(call);
  } catch (error) {
    return failure(error);
  }
}

function perform(call: DiskCall): DiskReply {
  switch (call.call) {
    case "prepare":
      return prepare(call);
    case "rename":
      fs.renameSync(call.from, call.to);
      return DONE;
    case "readdir":
      return { ok: true, names: fs.readdirSync(call.path) };
    case "unlink":
      fs.unlinkSync(call.path);
      return DONE;
    case "rmdir":
      fs.rmdirSync(call.path);
      return DONE;
    case "beat":
      beatNow(call.path);
      return DONE;
  }
}

function performLater(call: DiskCall, settle: (reply: DiskReply) => void): void {
  const settled = (error: Error | null): void => settle(error === null ? DONE : failure(error));
  switch (call.call) {
    case "prepare":
      settle(performNow(call));
      break;
    case "rename":
      fs.rename(call.from, call.to, settled);
      break;
    case "readdir":
      fs.readdir(call.path, (error, names) => settle(error === null ? { ok: true, names } : failure(error)));
      break;
    case "unlink":
      fs.unlink(call.path, settled);
      break;
    case "rmdir":
      fs.rmdir(call.path, settled);
      break;
    case "beat":
      beatLater(call.path, settled);
      break;
    default:
      call satisfies never;
  }
}

/**
 * Permission bits that a home takes over from its parent, so that whoever may write there may evict, and, where the
 * parent is sticky, nobody else.
 */
const MODE_BITS = 0o3777;

function prepare(call: DiskCall & { call: "prepare" }): DiskReply {
  makeLikeParent(call.home);
  for (const { name, content } of call.files)
    fs.writeFileSync(`${call.home}/${name}`, content, { flag: "wx" });
  return DONE;
}

/** A directory in which those may write that may write beside it. Throws the error of the system call. */
export function makeLikeParent(directory: string): void {
  const parent = fs.statSync(dirname(directory));
  const mode = parent.mode & MODE_BITS;
  fs.mkdirSync(directory, { mode });
  const made = fs.lstatSync(directory);
  // The umask took bits away, or the directory is not of its parent's group. Not being allowed to mend it
  // costs no safety: another user's takeover would fail with a clear error instead.
  if ((made.mode & MODE_BITS) !== mode || made.gid !== parent.gid) {
    ignoreErrors(() => mend(directory, mode, parent.gid));
  }
}

/** By descriptor: chmod follows links, and by now something else may stand there (spec/security.md). */
function mend(directory: string, mode: number, gid: number): void {
  const fd = fs.openSync(directory, OWN_DIRECTORY_FLAGS);
  try {
    const stat = fs.fstatSync(fd);
    if (stat.uid !== process.geteuid?.()) return;
    if ((stat.mode & MODE_BITS) !== mode) ignoreErrors(() => fs.fchmodSync(fd, mode));
    if (stat.gid !== gid) ignoreErrors(() => fs.fchownSync(fd, -1, gid));
  } finally {
    fs.closeSync(fd);
  }
}

function beatNow(path: string): void {
  const fd = fs.openSync(path, OWN_FILE_FLAGS);
  try {
    const first = Buffer.alloc(1);
    const isFile = fs.fstatSync(fd).isFile();
    if (isFile) fs.readSync(fd, first, 0, 1, 0);
    refuseOthers(isFile, first, path);
    fs.writeSync(fd, first, 0, 1, 0);
  } finally {
    fs.closeSync(fd);
  }
}

function beatLater(path: string, settled: (error: Error | null) => void): void {
  const beat = async (): Promise<void> => {
    const file = await fs.promises.open(path, OWN_FILE_FLAGS);
    try {
      const first = Buffer.alloc(1);
      const isFile = (await file.stat()).isFile();
      if (isFile) await file.read(first, 0, 1, 0);
      refuseOthers(isFile, first, path);
      await file.write(first, 0, 1, 0);
    } finally {
      await file.close();
    }
  };
  beat().then(() => settled(null), settled);
}

/** Of every owner file (src/owner/content.ts). */
const FIRST_BYTE = Buffer.from("{");

/**
 * What somebody planted under our name may be a pipe, or a second name of a file of somebody else. But a second name of
 * our own file is no reason to fall silent: a snapshot by hard links (`cp -al`) makes one. What is written is what was there.
 */
function refuseOthers(isFile: boolean, first: Buffer, path: string): void {
  if (isFile && first.equals(FIRST_BYTE)) return;
  throw notOurs(path);
}

/** By its members: in a vm context the errors of node:fs are of another realm. */
export function failure(error: unknown): DiskFailure {
  const { code, message } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const failed = typeof message === "string" ? (error as Error) : new Error(String(error));
  return { ok: false, errno: typeof code === "string" ? code : failed.message, error: failed };
}
