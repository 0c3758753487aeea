/**
 * What others may have planted: never follows a link, never waits for a pipe, never opens a device, never reads more
 * than a bound, never writes into what is not ours alone (spec/security.md).
 */

import fs from "node:fs";

/** Ours have some 150 bytes and 2 KiB of metadata; an old lock file has 100. */
export const READ_LIMIT_BYTES = 4096;

export interface RegularFile {
  /** At most the first {@link READ_LIMIT_BYTES}. */
  readonly bytes: Buffer;
  /** Of the file that was read, whatever stands at its path by now. */
  readonly stat: fs.BigIntStats;
}

/** The beginning of a regular file; undefined if it is anything else. Throws the error of the system call. */
export function readRegularFile(path: string): RegularFile | undefined {
  // Opening a device may do something (a tape rewinds); and what is no file now may be one when it is opened.
  if (!fs.lstatSync(path).isFile()) return undefined;
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
  const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stat = fs.fstatSync(fd, { bigint: true });
    if (!stat.isFile()) return undefined;
    const buffer = Buffer.alloc(READ_LIMIT_BYTES);
    return { bytes: buffer.subarray(0, fs.readSync(fd, buffer, 0, buffer.length, 0)), stat };
  } finally {
    fs.closeSync(fd);
  }
}

/** Never creates, never follows a link, never waits for the other end of a pipe. */
export const OWN_FILE_FLAGS: number =
  fs.constants.O_RDWR | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0);

/** Opens an owner file of ours to write into it. Throws the error of the system call, or `EINVAL` if it is none of ours. */
export function withOwnFile(path: string, use: (fd: number, stat: fs.Stats) => void): void {
  const fd = fs.openSync(path, OWN_FILE_FLAGS);
  try {
    const stat = fs.fstatSync(fd);
    refuseOthers(stat, path);
    use(fd, stat);
  } finally {
    fs.closeSync(fd);
  }
}

/** What somebody planted under our name may be a pipe, or a second name of a file of somebody else. */
function refuseOthers(stat: fs.Stats, path: string): void {
  if (stat.isFile() && stat.nlink === 1) return;
  throw notOurs(path);
}

/** For what was planted where an owner file of ours should be. */
export function notOurs(path: string): Error {
  return Object.assign(new Error(`EINVAL: not an owner file of ours, ${path}`), { code: "EINVAL" });
}

/** To open a directory itself: what a link leads to is refused. */
export const OWN_DIRECTORY_FLAGS: number =
  fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0) | (fs.constants.O_NOFOLLOW ?? 0);
