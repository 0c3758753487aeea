/**
 * The disk of the issue's algorithm: what src/disk.ts is to ours, with the calls that it makes. A removal that is
 * conditional on what is removed is no system call: it is there to close a hole alone, in steps that happen one
 * at a time, and no process makes it.
 */

import fs from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type DiskFailure, failure } from "../../src/disk.ts";

/** An open lock file: which creation it is. */
export interface LockFile {
  readonly descriptor: number;
  readonly inode: bigint;
}

export type IssueCall =
  /** `wx`. With a payload it appears written: made under another name, and linked. */
  | { readonly call: "open"; readonly path: string; readonly payload: string | undefined }
  | { readonly call: "write"; readonly file: LockFile; readonly payload: string }
  | { readonly call: "close"; readonly file: LockFile }
  | { readonly call: "read"; readonly path: string }
  | { readonly call: "stat"; readonly path: string }
  /** By path, as `rm -f`. `only`: nothing but this inode. */
  | { readonly call: "rm"; readonly path: string; readonly only?: bigint | undefined }
  | { readonly call: "readdir"; readonly path: string };

export interface IssueDone {
  readonly ok: true;
  /** What an open made. */
  readonly file?: LockFile;
  /** What a read found. */
  readonly content?: string;
  /** Of what was read, or asked for its mtime. */
  readonly inode?: bigint;
  readonly mtimeMs?: number;
  readonly names?: readonly string[];
}

/** A read that fails may know of what: the file was open. */
export type IssueReply = IssueDone | (DiskFailure & { readonly inode?: bigint });

/** In this turn, and in one step. */
export function performNow(call: IssueCall): IssueReply {
  try {
    return perform(call);
  } catch (error) {
    return failure(error);
  }
}

function perform(call: IssueCall): IssueDone {
  switch (call.call) {
    case "open":
      return {
        ok: true,
        file: call.payload === undefined ? create(call.path) : link(call.path, call.payload),
      };
    case "write":
      fs.ftruncateSync(call.file.descriptor);
      fs.writeSync(call.file.descriptor, call.payload, 0);
      return DONE;
    case "close":
      fs.closeSync(call.file.descriptor);
      return DONE;
    case "read":
      return { ok: true, content: fs.readFileSync(call.path, "utf8"), inode: inodeAt(call.path) };
    case "stat": {
      const { ino, mtimeMs } = fs.statSync(call.path, { bigint: true });
      return { ok: true, inode: ino, mtimeMs: Number(mtimeMs) };
    }
    case "rm":
      if (call.only === undefined || inodeAt(call.path) === call.only) fs.rmSync(call.path, { force: true });
      return DONE;
    case "readdir":
      return { ok: true, names: fs.readdirSync(call.path) };
  }
}

const DONE: IssueDone = { ok: true };

function create(path: string): LockFile {
  const descriptor = fs.openSync(path, "wx+");
  return { descriptor, inode: fs.fstatSync(descriptor, { bigint: true }).ino };
}

function link(path: string, payload: string): LockFile {
  const aside = join(dirname(path), ".aside");
  fs.writeFileSync(aside, payload, { flag: "wx" });
  try {
    fs.linkSync(aside, path);
  } finally {
    fs.rmSync(aside);
  }
  const descriptor = fs.openSync(path, "r+");
  return { descriptor, inode: inodeAt(path) };
}

const inodeAt = (path: string): bigint => fs.statSync(path, { bigint: true }).ino;

/** In the thread pool, by the asynchronous calls of Node.js; the reply comes in a turn of its own. */
export async function performLater(call: IssueCall): Promise<IssueReply> {
  try {
    return await send(call);
  } catch (error) {
    return failure(error);
  }
}

const later = {
  open: promisify(fs.open),
  write: promisify(fs.write),
  close: promisify(fs.close),
};

async function send(call: IssueCall): Promise<IssueDone> {
  switch (call.call) {
    case "open": {
      if (call.payload !== undefined) throw new Error("a real process has the hole UnwrittenIsStale");
      const descriptor = await later.open(call.path, "wx");
      return { ok: true, file: { descriptor, inode: 0n } };
    }
    case "write":
      await later.write(call.file.descriptor, call.payload, 0);
      return DONE;
    case "close":
      await later.close(call.file.descriptor);
      return DONE;
    case "read":
      return { ok: true, content: await fs.promises.readFile(call.path, "utf8") };
    case "stat":
      return { ok: true, mtimeMs: (await fs.promises.stat(call.path)).mtimeMs };
    case "rm":
      if (call.only !== undefined) throw new Error("no system call removes only what was looked at");
      await fs.promises.rm(call.path, { force: true });
      return DONE;
    case "readdir":
      return { ok: true, names: await fs.promises.readdir(call.path) };
  }
}
