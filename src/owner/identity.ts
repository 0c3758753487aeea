import { createHash, randomBytes } from "node:crypto";
import type { ProcessObserver, TextReading } from "./observe.ts";
import type { StatReading } from "./verdict.ts";

/**
 * Who owns a lock: one JS thread of one process, and one lock of its (the nonce). Every field is a string of the
 * shape that `name.ts` prescribes.
 *
 * A *start* that could not be read is `-`: never compared, proves nothing (A1). A *scope* field (host, boot,
 * namespaces) is `-` where the platform has no such thing, and random, marked `r`, where it should have been read
 * but was not: then everybody else's judgement is `unknown` (A1).
 */
export interface OwnerIdentity {
  readonly pid: string;
  /** The thread id of the JS thread; equal to `pid` for the main thread; `-` where it is not known. */
  readonly tid: string;
  /** Field 22 of `/proc/<pid>/stat`, in clock ticks since boot. */
  readonly processStart: string;
  /** Field 22 of `/proc/<pid>/task/<tid>/stat`. */
  readonly threadStart: string;
  /** Hash of machine id and host name, or of what the user sets; `m` before it if it is not the name alone (A6). */
  readonly host: string;
  /** Hash of the boot id; `c` before it if it is that of a container (A1, "the reboot rule"). */
  readonly boot: string;
  /** Inode number of the namespace, unique in one kernel. */
  readonly pidNamespace: string;
  readonly timeNamespace: string;
  /** Names the life socket of the process in this directory; `-` where there is none. */
  readonly life: string;
  /** New for each home, so that a name is used once in the world. */
  readonly nonce: string;
}

/** The part of an identity that a thread reads once and keeps. */
export type OwnerScope = Omit<OwnerIdentity, "life" | "nonce">;

export interface OwnerScopeOptions {
  /** Stands in for machine id and host name: needed where cloned machines share a directory (A6). */
  readonly host?: string | undefined;
}

/** Reads who this thread is. Once per thread: a second call may give other random values. */
export function readOwnerScope(observer: ProcessObserver, options: OwnerScopeOptions = {}): OwnerScope {
  return {
    pid: String(observer.pid),
    ...readThread(observer),
    host: readHost(observer, options.host),
    boot: readBoot(observer),
    ...readNamespaces(observer),
  };
}

/**
 * Who a child of this process is, read while it is held back: its scope is ours. Call it in the turn that started
 * the child: until our event loop has waited for it, its pid is nobody else's.
 */
export function readGuestScope(self: OwnerScope, observer: ProcessObserver, child: number): OwnerScope {
  const pid = String(child);
  // exec leaves pid and start as they are (measured on Linux, for a program with threads too).
  const start = readProcessStart(observer, pid);
  return { ...self, pid, tid: pid, processStart: start, threadStart: start };
}

/** 96 random bits: a collision needs some 2^48 homes. */
export function newNonce(): string {
  return randomBytes(12).toString("hex");
}

function readThread(observer: ProcessObserver): Pick<OwnerScope, "tid" | "processStart" | "threadStart"> {
  const pid = String(observer.pid);
  const tid = readTid(observer);

  const processStart = readProcessStart(observer, pid);
  if (processStart === "-") return { tid, processStart, threadStart: "-" };

  return { tid, processStart, threadStart: startOf(observer.observe({ pid, tid }).task) };
}

function readProcessStart(observer: ProcessObserver, pid: string): string {
  // Emulators (qemu-user, so containers of another architecture) write /proc/<own pid>/stat themselves, with a
  // start that nobody else reads; everyone else would "prove" us dead. They do not fake the same under task/.
  const { before, task } = observer.observe({ pid, tid: pid });
  return startOf(before) === startOf(task) ? startOf(before) : "-";
}

/** Synchronously: `/proc/thread-self` of an asynchronous call names a thread of the pool. */
function readTid(observer: ProcessObserver): string {
  if (!observer.procIsOurs()) return "-";
  const link = observer.readLink("/proc/thread-self");
  if (link.kind !== "text") return "-";
  const [, pid, tid = "-"] = /^([1-9][0-9]{0,9})\/task\/([1-9][0-9]{0,9})$/.exec(link.text) ?? [];
  return pid === String(observer.pid) ? tid : "-";
}

function startOf(reading: StatReading): string {
  return typeof reading === "string" ? "-" : reading.start;
}

function readHost(observer: ProcessObserver, chosen: string | undefined): string {
  if (chosen !== undefined) return `m${digest("host set by the user", chosen)}`;
  const hostName = observer.hostName();
  const machineId = readMachineId(observer);
  // Names that half the world has say nothing by themselves: a scope field is never a constant (A1).
  if (machineId === undefined && SAYS_NOTHING.has(hostName)) return unreadable();
  const host = digest("machine id and host name", machineId ?? "", hostName);
  return machineId === undefined ? host : `m${host}`;
}

const SAYS_NOTHING: ReadonlySet<string> = new Set(["", "(none)", "localhost", "localhost.localdomain"]);

/** Absent on macOS and Windows, and in most containers (there the boot id decides, see `verdict.ts`). */
function readMachineId(observer: ProcessObserver): string | undefined {
  for (const path of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
    const file = observer.readText(path);
    // Images carry an empty file, or the word "uninitialized": no id.
    const id = file.kind === "text" ? file.text.trim() : "";
    if (/^[0-9a-f]{32}$/.test(id)) return id;
  }
  return undefined;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

function readBoot(observer: ProcessObserver): string {
  // macOS has kern.bootsessionuuid, but only a child process (sysctl) could read it. The host stands in (A1).
  if (hasNoProc(observer)) return "-";
  const file = observer.readText(BOOT_ID);
  const id = file.kind === "text" ? file.text.trim() : "";
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return unreadable();
  return `${observer.isMounted(BOOT_ID) ? "c" : ""}${digest("boot id", id)}`;
}

/**
 * The inode numbers of our pid and time namespace. They may be read from a /proc that is *not* our own (a sandbox
 * that kept the host's), where stat files may not:
 *
 * - `/proc/self` is made by the kernel for whoever reads it: it names the reader's pid as the namespace of that
 *   /proc sees it, and leads to the reader in the same /proc. If that namespace cannot see the reader (a sibling's
 *   or a descendant's), it does not resolve, and the field becomes random. It never leads to another process.
 * - `ns/pid` of a process is the namespace that it is *in*, and the inode number is the same from wherever one
 *   looks: namespaces are not numbered per /proc, as processes are.
 *
 * So what is read is ours. What /proc shows under a *number*, as the stat files, is ours only if it numbers as we do.
 */
function readNamespaces(observer: ProcessObserver): Pick<OwnerScope, "pidNamespace" | "timeNamespace"> {
  if (hasNoProc(observer)) return { pidNamespace: "-", timeNamespace: "-" };
  const pid = readNamespace(observer, "pid");
  const time = readNamespace(observer, "time");
  // Kernels before 5.6 (RHEL 8 has 4.18) have no time namespaces. ENOENT alone does not say so, it might be
  // /proc that is missing; beside a `pid` that is there, it does.
  const hasNoTime = pid.kind === "text" && time.kind === "missing";
  return {
    pidNamespace: pid.kind === "text" ? pid.text : unreadable(),
    timeNamespace: time.kind === "text" ? time.text : hasNoTime ? "-" : unreadable(),
  };
}

function readNamespace(observer: ProcessObserver, type: "pid" | "time"): TextReading {
  const link = observer.readLink(`/proc/self/ns/${type}`);
  if (link.kind !== "text") return link;
  const [, name, inode] = /^([a-z]+):\[([1-9][0-9]{0,15})\]$/.exec(link.text) ?? [];
  return name === type && inode !== undefined ? { kind: "text", text: inode } : { kind: "unreadable" };
}

/** Everything else, also a platform that we do not know, should have these fields: the safe side (A1). */
function hasNoProc(observer: ProcessObserver): boolean {
  return observer.platform === "darwin" || observer.platform === "win32";
}

/** Differs from every other value, and says of itself what it is. */
function unreadable(): string {
  return `r${randomBytes(8).toString("hex")}`;
}

/** Hex, because a name may hold neither capitals nor whatever a user puts into a host name. */
function digest(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}
