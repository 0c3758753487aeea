import { closeSync, lstatSync, openSync, readlinkSync, readSync } from "node:fs";
import { hostname, uptime } from "node:os";
import type { OwnerIdentity, OwnerScope } from "./identity.ts";
import type { LifeAnswer } from "./life.ts";
import { parseOwnerName } from "./name.ts";
import type { ProbeResult, ProcessSighting, ProcessStat, StatReading, Verdict } from "./verdict.ts";
import { judgeOwner } from "./verdict.ts";

/** A file or link that was read; `missing` is ENOENT, `unreadable` every other error. */
export type TextReading =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "missing" }
  | { readonly kind: "unreadable" };

/** The calls that reach the operating system. All synchronous. */
export interface SystemCalls {
  readonly platform: string;
  readonly pid: number;
  hostName(): string;
  /** `kill(pid, 0)`. */
  probe(pid: number): ProbeResult;
  /** At most the first 64 KiB. */
  readText(path: string): TextReading;
  readLink(path: string): TextReading;
  /** When a file was last changed, its attributes too, in ms since 1970; undefined if that cannot be read. */
  lastChange(path: string): number | undefined;
  /** When this kernel booted, by the present clock, in ms since 1970; undefined if uptime is not the kernel's. */
  bootTime(): number | undefined;
  /** Whether something is mounted on this file of /proc. */
  isMounted(path: string): boolean;
}

/** What is learnt about processes from them. */
export interface ProcessObserver extends SystemCalls {
  /** Looks at an owner's pid and thread. Never throws. */
  observe(owner: Pick<OwnerIdentity, "pid" | "tid">): ProcessSighting;
  /** Whether a file was last changed before this kernel booted, by more than clocks are usually corrected by. */
  isOlderThanBoot(path: string): boolean;
  /** Whether `/proc` is that of our own pid namespace, so that its numbers mean what ours mean. */
  procIsOurs(): boolean;
}

/** The observer of the real system, or of one that is given. */
export function createObserver(calls: SystemCalls = createSystemCalls()): ProcessObserver {
  return {
    platform: calls.platform,
    get pid() {
      return calls.pid;
    },
    hostName: calls.hostName,
    probe: calls.probe,
    readText: calls.readText,
    readLink: calls.readLink,
    lastChange: calls.lastChange,
    bootTime: calls.bootTime,
    isMounted: calls.isMounted,
    observe: (owner) => observe(calls, owner),
    isOlderThanBoot: (path) => {
      const changedAt = calls.lastChange(path);
      const bootedAt = calls.bootTime();
      return changedAt !== undefined && bootedAt !== undefined && changedAt < bootedAt - BOOT_MARGIN_MS;
    },
    procIsOurs: () => procIsOurs(calls),
  };
}

/** A clock that is set at boot is corrected soon after; a file that is so much older than boot is not of this boot. */
const BOOT_MARGIN_MS = 60_000;

/** What can be seen of an owner beside its process. */
export interface Circumstances {
  /** Its owner file. */
  readonly file: string;
  /** Whether that lies on a disk that is known to be local. */
  readonly local: boolean;
  readonly socket: LifeAnswer;
}

/** Judges owners by the names of their owner files, as seen from one thread. */
export function createJudge(
  self: OwnerScope,
  observer: Pick<ProcessObserver, "observe" | "isOlderThanBoot">,
): (ownerName: string, circumstances: Circumstances) => Verdict {
  return (ownerName, { file, local, socket }) => {
    const owner = parseOwnerName(ownerName);
    if (owner === undefined) return { verdict: "unknown", reason: "not the name of an owner" };
    // Of an owner of this boot it would say nothing: not looked at.
    const fileBeforeBoot = local && owner.boot !== self.boot && observer.isOlderThanBoot(file);
    return judgeOwner(self, owner, { ...observer.observe(owner), fileBeforeBoot, socket });
  };
}

function observe(calls: SystemCalls, owner: Pick<OwnerIdentity, "pid" | "tid">): ProcessSighting {
  const pid = toPid(owner.pid);
  const tid = toPid(owner.tid);
  const probe = pid === undefined ? "unanswered" : calls.probe(pid);
  if (!procIsOurs(calls)) return { probe, before: "untrusted", task: "untrusted", after: "untrusted" };
  if (pid === undefined) return { probe, before: "unreadable", task: "unreadable", after: "unreadable" };

  // In this order: a missing thread proves something only between two sightings of its process (A1).
  const before = readStat(calls, `/proc/${pid}/stat`);
  const task = tid === undefined ? "unreadable" : readStat(calls, `/proc/${pid}/task/${tid}/stat`);
  const after = readStat(calls, `/proc/${pid}/stat`);
  return { probe, before, task, after };
}

/** Zero and negative numbers would name groups; above 31 bits there is no pid, and Node's `kill` throws. */
function toPid(text: string): number | undefined {
  const pid = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
  return pid > 0 && pid <= 0x7fff_ffff ? pid : undefined;
}

/**
 * A1: `NSpid` must have one entry, our pid. It lists the reader's pids from the namespace of this /proc down to the
 * reader's own, so one entry means that the two are the same. `/proc/self` must name our pid too: two witnesses,
 * though in a foreign /proc it may do so by accident. Asked each time, because mounts change.
 */
function procIsOurs(calls: SystemCalls): boolean {
  if (calls.platform !== "linux" && calls.platform !== "android") return false;
  const self = calls.readLink("/proc/self");
  if (self.kind !== "text" || self.text !== String(calls.pid)) return false;
  const status = calls.readText("/proc/self/status");
  return status.kind === "text" && new RegExp(`^NSpid:\\t${calls.pid}$`, "m").test(status.text);
}

function readStat(calls: SystemCalls, path: string): StatReading {
  const file = calls.readText(path);
  return file.kind === "text" ? (parseStat(file.text) ?? "unreadable") : file.kind;
}

/** Parses behind the *last* `)`: a process chooses its own name, which may hold blanks and parentheses. */
function parseStat(text: string): ProcessStat | undefined {
  const nameEnd = text.lastIndexOf(")");
  if (nameEnd < 0) return undefined;
  const fields = text.slice(nameEnd + 1).match(/\S+/g) ?? [];
  // The first of these is field 3.
  const [state = "", threads = "", start = ""] = [fields[3 - 3], fields[20 - 3], fields[22 - 3]];
  if (!/^[A-Za-z]$/.test(state) || !/^[0-9]{1,7}$/.test(threads)) return undefined;
  // Emulators print 0 for a start that they do not know (older versions of qemu-user).
  if (!/^[1-9][0-9]{0,12}$/.test(start)) return undefined;
  return { start, state, threads: Number(threads) };
}

/** The real system. `failed` is told of each error of reading, ENOENT among them: a reading says less. */
export function createSystemCalls(failed: (errno: string | undefined) => void = () => {}): SystemCalls {
  const attempt = (read: () => string): TextReading => {
    try {
      return { kind: "text", text: read() };
    } catch (error) {
      failed(codeOf(error));
      // Not ESRCH, which is a process that went away between the opening and the reading: the next look gets ENOENT.
      return { kind: codeOf(error) === "ENOENT" ? "missing" : "unreadable" };
    }
  };
  return {
    ...nodeCalls,
    // Asked each time: a startup snapshot is made by another process.
    get pid() {
      return process.pid;
    },
    readText: (path) => attempt(() => readBounded(path)),
    readLink: (path) => attempt(() => readlinkSync(path)),
  };
}

const nodeCalls: Omit<SystemCalls, "pid" | "readText" | "readLink"> = {
  platform: process.platform,
  hostName: () => hostname(),
  probe: (pid) => {
    try {
      process.kill(pid, 0);
      return "runs";
    } catch (error) {
      const code = codeOf(error);
      if (code === "ESRCH") return "gone";
      return code === "EPERM" ? "notPermitted" : "unanswered";
    }
  },
  lastChange: (path) => {
    try {
      const { mtimeMs, ctimeMs } = lstatSync(path);
      return Math.max(mtimeMs, ctimeMs);
    } catch {
      return undefined;
    }
  },
  bootTime: () => {
    // The monotonic clock stands still while the machine sleeps, and is not virtualised: an uptime that is less is
    // that of a container (lxcfs).
    const virtual = uptime() < Number(process.hrtime.bigint()) / 1e9 - 1;
    return virtual ? undefined : Date.now() - uptime() * 1000;
  },
  isMounted: (path) => {
    try {
      return lstatSync(path).dev !== lstatSync("/proc").dev;
    } catch {
      return true;
    }
  },
};

// A status file has some 1.5 KiB, plus a line that lists every group of the user.
const READ_LIMIT_BYTES = 64 * 1024;

function readBounded(path: string): string {
  const fd = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(READ_LIMIT_BYTES);
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(fd, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return buffer.toString("latin1", 0, length);
  } finally {
    closeSync(fd);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
