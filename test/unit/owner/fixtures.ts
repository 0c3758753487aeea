import type { OwnerIdentity } from "../../../src/owner/identity.ts";
import type { SystemCalls, TextReading } from "../../../src/owner/observe.ts";
import type { Observation, StatReading } from "../../../src/owner/verdict.ts";

/** A well-formed owner: the main thread of pid 4711. */
export const OWNER: OwnerIdentity = {
  pid: "4711",
  tid: "4711",
  processStart: "1000",
  threadStart: "1000",
  host: "0123456789abcdef",
  boot: "fedcba9876543210",
  pidNamespace: "4026531836",
  timeNamespace: "4026531834",
  life: "00000000feedbeef00000000feedbeef",
  nonce: "0123456789abcdef01234567",
};

/** A worker thread of the same process. */
export const WORKER_OWNER: OwnerIdentity = { ...OWNER, tid: "4713", threadStart: "1300" };

export function stat(start: string, state = "S", threads = 7): StatReading {
  return { start, state, threads };
}

/** Pid 4711 runs, as its owner recorded it. */
export const RUNNING: Observation = {
  probe: "runs",
  before: stat("1000"),
  task: stat("1000"),
  after: stat("1000"),
  fileBeforeBoot: false,
  socket: "silent",
};

/** A made-up system: whatever is in neither of the maps is missing. */
export function fakeSystem(parts: {
  platform?: string;
  pid?: number;
  hostName?: string;
  files?: Readonly<Record<string, string | TextReading>>;
  links?: Readonly<Record<string, string | TextReading>>;
  changes?: Readonly<Record<string, number>>;
  bootTime?: number;
  mounted?: readonly string[];
  probe?: SystemCalls["probe"];
}): SystemCalls {
  return {
    platform: parts.platform ?? "linux",
    pid: parts.pid ?? 4711,
    isMounted: (path) => parts.mounted?.includes(path) === true,
    hostName: () => parts.hostName ?? "box",
    probe: parts.probe ?? (() => "runs"),
    readText: (path) => toReading(parts.files?.[path]),
    readLink: (path) => toReading(parts.links?.[path]),
    lastChange: (path) => parts.changes?.[path],
    bootTime: () => parts.bootTime ?? 0,
  };
}

function toReading(entry: string | TextReading | undefined): TextReading {
  if (entry === undefined) return { kind: "missing" };
  return typeof entry === "string" ? { kind: "text", text: entry } : entry;
}

/** The line of a stat file, with a name that tries to look like one. */
export function statLine(pid: number, start: string, state = "S", threads = 7): string {
  const zeros = (count: number) => Array.from({ length: count }, () => "0").join(" ");
  return `${pid} (a) R 1 (b c) ${state} ${zeros(16)} ${threads} 0 ${start} ${zeros(30)}\n`;
}

/** The files and links of a Linux system whose /proc is that of our own pid namespace. */
export const LINUX_FILES: Readonly<Record<string, string>> = {
  "/proc/self/status": "Name:\tnode\nTgid:\t4711\nNSpid:\t4711\nThreads:\t7\n",
  "/proc/4711/stat": statLine(4711, "1000"),
  "/proc/4711/task/4711/stat": statLine(4711, "1000"),
  "/proc/4711/task/4713/stat": statLine(4713, "1300"),
  "/proc/sys/kernel/random/boot_id": "6f960e02-9818-4898-964c-af3b491fc2f6\n",
  "/etc/machine-id": "3d1219c7c4c5404aaa1f6d2a48adfda4\n",
};

export const LINUX_LINKS: Readonly<Record<string, string>> = {
  "/proc/self": "4711",
  "/proc/thread-self": "4711/task/4711",
  "/proc/self/ns/pid": "pid:[4026531836]",
  "/proc/self/ns/time": "time:[4026531834]",
};
