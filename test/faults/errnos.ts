/**
 * Which errors a call of src/disk.ts may report: by the manual page of each system call that it is made of, on Linux
 * (man-pages 6) and macOS (14), and by the file systems of other machines, which report what no manual page of
 * the call has. Each is injected everywhere (faults.ts), so the table may be too long, and must not be too short.
 */

import { getSystemErrorName } from "node:util";
import type { DiskCall } from "../../src/disk.ts";
import type { CallAction } from "../../src/steps.ts";

/** The system calls that a call of src/disk.ts is made of. */
export type SystemCall =
  | "stat"
  | "mkdir"
  | "open, creating"
  | "write"
  | "close"
  | "rename"
  | "open, a directory"
  | "getdents"
  | "unlink"
  | "rmdir";

export const MADE_OF: Readonly<Record<DiskCall["call"], readonly SystemCall[]>> = {
  // chmod and chown belong to it too, and their errors are not looked at.
  prepare: ["stat", "mkdir", "open, creating", "write", "close"],
  rename: ["rename"],
  readdir: ["open, a directory", "getdents", "close"],
  unlink: ["unlink"],
  rmdir: ["rmdir"],
  // No step of the protocol: whatever it fails with, the beat was missed (test/unit/heartbeat.test.ts).
  beat: [],
};

/** Linux numbers: libuv reports by number. */
const NUMBERS = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOVERFLOW: 75,
  EDESTADDRREQ: 89,
  EOPNOTSUPP: 95,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EREMOTEIO: 121,
  EDQUOT: 122,
} as const;

export type ErrnoName = keyof typeof NUMBERS;

interface Manual {
  /** The section ERRORS of the Linux page. */
  readonly linux: readonly ErrnoName[];
  /** What the macOS page has besides. */
  readonly macos: readonly ErrnoName[];
}

/** On any path that is walked: path_resolution(7). */
const PATH = ["EACCES", "EFAULT", "ELOOP", "ENAMETOOLONG", "ENOENT", "ENOMEM", "ENOTDIR"] as const;
/** Of whatever needs a file descriptor: open(2). */
const DESCRIPTOR = ["EMFILE", "ENFILE"] as const;
/** Of whatever grows a directory. */
const ROOM = ["EDQUOT", "ENOSPC"] as const;

export const MANUAL: Readonly<Record<SystemCall, Manual>> = {
  // stat(2)
  stat: { linux: [...PATH, "EBADF", "EINVAL", "EOVERFLOW"], macos: ["EIO"] },
  // mkdir(2)
  mkdir: {
    linux: [...PATH, ...ROOM, "EBADF", "EEXIST", "EINVAL", "EMLINK", "EPERM", "EROFS"],
    macos: ["EIO", "EISDIR"],
  },
  // open(2), with O_WRONLY | O_CREAT | O_EXCL
  "open, creating": {
    linux: [
      ...PATH,
      ...ROOM,
      ...DESCRIPTOR,
      ...(["EAGAIN", "EBADF", "EBUSY", "EEXIST", "EFBIG", "EINTR", "EINVAL", "EISDIR", "ENODEV"] as const),
      ...(["ENXIO", "EOPNOTSUPP", "EOVERFLOW", "EPERM", "EROFS", "ETXTBSY"] as const),
    ],
    macos: ["EDEADLK", "EIO"],
  },
  // write(2)
  write: {
    linux: [
      ...([
        "EAGAIN",
        "EBADF",
        "EDESTADDRREQ",
        "EDQUOT",
        "EFAULT",
        "EFBIG",
        "EINTR",
        "EINVAL",
        "EIO",
      ] as const),
      ...(["ENOSPC", "EPERM", "EPIPE"] as const),
    ],
    macos: ["ENXIO"],
  },
  // close(2)
  close: { linux: ["EBADF", "EINTR", "EIO", "ENOSPC", "EDQUOT"], macos: [] },
  // rename(2)
  rename: {
    linux: [
      ...PATH,
      ...ROOM,
      ...(["EBUSY", "EEXIST", "EINVAL", "EISDIR", "EMLINK", "ENOTEMPTY", "EPERM", "EROFS", "EXDEV"] as const),
    ],
    macos: ["EIO", "EDEADLK"],
  },
  // open(2), with O_RDONLY | O_DIRECTORY
  "open, a directory": {
    linux: [...PATH, ...DESCRIPTOR, "EINTR", "EINVAL", "ENODEV", "ENXIO", "EPERM"],
    macos: ["EIO", "EAGAIN", "EDEADLK"],
  },
  // getdents(2); getdirentries(2)
  getdents: { linux: ["EBADF", "EFAULT", "EINVAL", "ENOENT", "ENOTDIR"], macos: ["EIO"] },
  // unlink(2)
  unlink: { linux: [...PATH, "EBUSY", "EIO", "EISDIR", "EPERM", "EROFS"], macos: ["EDEADLK"] },
  // rmdir(2)
  rmdir: { linux: [...PATH, "EBUSY", "EEXIST", "EINVAL", "ENOTEMPTY", "EPERM", "EROFS"], macos: ["EIO"] },
};

/** Of NFS, SMB and FUSE, from whatever call: the server's word, or that it gives none. */
export const NETWORK: readonly ErrnoName[] = ["EIO", "ESTALE", "ETIMEDOUT", "EREMOTEIO", "EINTR", "EAGAIN"];

/** One that nobody has ever seen: the protocol decides without lists of errors. */
const UNKNOWN = 4095;

export interface Errno {
  readonly name: string;
  /** As libuv reports it: for some it has no name (`Unknown system error -116`). */
  readonly reported: string;
}

const errno = (name: string, number: number): Errno => ({ name, reported: getSystemErrorName(-number) });

/** All that a call of src/disk.ts may report, sorted. */
export function errnosOf({ call }: Pick<DiskCall, "call">): readonly Errno[] {
  const manuals = MADE_OF[call].flatMap((name) => [...MANUAL[name].linux, ...MANUAL[name].macos]);
  const names = [...new Set([...manuals, ...NETWORK])].sort();
  return [...names.map((name) => errno(name, NUMBERS[name])), errno("E4095", UNKNOWN)];
}

/**
 * What the protocol takes for the truth, by action (src/protocol.ts): that something stands at L, or that a
 * name is not there. Everything else it does not understand, and it reads that with care. Of a readdir it
 * understands nothing but `ENOENT`, which it may read as it likes: what it saw may be over anyway.
 */
export const UNDERSTOOD: Readonly<Partial<Record<CallAction, readonly ErrnoName[]>>> = {
  Take: ["EEXIST", "ENOTDIR", "ENOTEMPTY"],
  Evict: ["ENOENT"],
  Drop: ["ENOENT"],
  Retry: ["ENAMETOOLONG", "ENOENT", "ENOTDIR"],
};

export function isUnderstood(action: CallAction, { call }: Pick<DiskCall, "call">, { name }: Errno): boolean {
  // The last call of a debt only tidies: whatever it says, it is over.
  return call !== "rmdir" && (UNDERSTOOD[action] ?? []).some((understood) => understood === name);
}
