/**
 * The algorithm of the issue, as a fixture: what tla/IssueLock.tla describes, on a real disk. It is not our lock,
 * and it is not shipped. As src/protocol.ts it is written as steps: one `yield`, or one exported function, per
 * action of the specification, under its name. Two drivers make them happen: issueWorld.ts one at a time, along
 * a run of the model, and issueWorker.ts in a real process with the asynchronous calls of Node.js.
 *
 * Every hole can be closed alone, by the change that the specification names. What the issue has is all of them.
 */

import { basename, dirname, join } from "node:path";
import type { Fix, Hole } from "../../model/issue/state.ts";
import type { IssueCall, IssueReply, LockFile } from "./issueDisk.ts";

export type Step =
  /** Its effect is the action. What comes next is a turn of its own: no code that matters is between the two. */
  | {
      readonly kind: "call";
      readonly action: CallAction;
      readonly call: IssueCall;
      /** Of a `Reclaim`: what is removed, and why. */
      readonly reason?: Reason;
    }
  /** The turn that works on a result. */
  | { readonly kind: "turn"; readonly action: TurnAction }
  /** Ends with a reply that says whether time is left. */
  | { readonly kind: "sleep"; readonly ms: number };

export type CallAction = "Open" | "Write" | "Read" | "Stat" | "Reclaim" | "Close" | "Remove" | "Sweep";
export type TurnAction =
  | "Opened"
  | "Granted"
  | "Refused"
  | "Judge"
  | "JudgeAge"
  | "Reclaimed"
  | "Wake"
  | "GiveUp"
  | "Closed"
  | "Released";

export type Run = Generator<Step, void, IssueReply>;
type Part<T> = Generator<Step, T, IssueReply>;
export type Reason = "dead" | "orphan" | "old" | "sweep";

/** The world, as the module sees it. */
export interface Services {
  readonly pid: number;
  /** Of this process; undefined where there is none (macOS, Windows). */
  readonly startTime: string | undefined;
  /** kill(pid, 0), and the start time where the payload has one. */
  isAlive(pid: number, startTime: string | undefined): boolean;
  now(): number;
  drive(run: Run): void;
  /** What the exit hook does: rmSync. */
  removeNow(path: string): void;
}

export interface Options {
  readonly sessionFile: string;
  readonly staleMs: number;
  readonly fix: Fix;
  readonly openHoles: readonly Hole[];
  /** Names this HELD_LOCKS among those of its process's threads: OrphanOfAnotherRegistry is closed by it. */
  readonly copy: string;
}

/** An entry of HELD_LOCKS. */
export interface Entry {
  readonly file: LockFile;
  count: number;
  /** Fix B: it has its releasePromise. */
  releasing: boolean;
}

/** The module in one process, or in one thread of it, for one session file. */
export interface Module {
  readonly options: Options;
  readonly services: Services;
  readonly lockPath: string;
  /** HELD_LOCKS. */
  readonly heldLocks: Map<string, Entry>;
  /** RELEASING, fix A. A Set has every session once; with GuardRemovedEarly closed it counts. */
  readonly releasing: Map<string, number>;
  /** Who is between sending `open` and HELD_LOCKS.set, and who is on the way off the disk. */
  taking: number;
  leaving: number;
  /** The handles that are out: JoinExclusive is closed by asking them. */
  readonly handles: Set<Handle>;
}

/** Who calls acquire or cleanStaleLockFiles: the promise that it was given. */
export interface Caller {
  readonly allowReentrant: boolean;
  granted(handle: Handle): void;
  failed(error: Error): void;
}

export interface Handle {
  readonly file: LockFile;
  readonly allowReentrant: boolean;
  /** ReleaseTwice is closed by it. */
  spent: boolean;
}

interface Payload {
  readonly pid?: number;
  readonly createdAt?: number;
  readonly startTime?: string;
  readonly copy?: string;
}

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1_000;

export function createModule(options: Options, services: Services): Module {
  return {
    options,
    services,
    lockPath: `${options.sessionFile}.lock`,
    heldLocks: new Map(),
    releasing: new Map(),
    taking: 0,
    leaving: 0,
    handles: new Set(),
  };
}

const isOpen = ({ options }: Module, hole: Hole): boolean => options.openHoles.includes(hole);

// ------------------------------------------------------------------------------------------------
// acquire

/** `Request`: joins an entry of HELD_LOCKS, or sends `open`. */
export function request(module: Module, caller: Caller): void {
  const entry = module.heldLocks.get(module.options.sessionFile);
  if (entry !== undefined && caller.allowReentrant && mayJoin(module, entry)) {
    entry.count += 1;
    give(module, caller, entry.file);
    return;
  }
  module.services.drive(acquire(module, caller));
}

function mayJoin(module: Module, entry: Entry): boolean {
  if (entry.releasing && !isOpen(module, "JoinWhileReleasing")) return false;
  const holders = [...module.handles].filter(({ file }) => file === entry.file);
  return isOpen(module, "JoinExclusive") || holders.every(({ allowReentrant }) => allowReentrant);
}

function give(module: Module, caller: Caller, file: LockFile): void {
  const handle: Handle = { file, allowReentrant: caller.allowReentrant, spent: false };
  module.handles.add(handle);
  caller.granted(handle);
}

function* acquire(module: Module, caller: Caller): Run {
  const { lockPath } = module;
  for (let attempt = 1; ; attempt++) {
    module.taking += 1;
    // With UnwrittenIsStale closed the file appears with its payload in it.
    const whole = isOpen(module, "UnwrittenIsStale") ? undefined : payloadOf(module);
    const opened = yield call("Open", { call: "open", path: lockPath, payload: whole });
    if (opened.ok && opened.file !== undefined) {
      yield* write(module, caller, opened.file);
      return;
    }
    yield turn("Refused");
    module.taking -= 1;
    const seen = yield call("Read", { call: "read", path: lockPath });
    if (yield* reclaims(module, seen)) continue;
    const ms = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * attempt);
    const time = yield { kind: "sleep", ms };
    if (!time.ok) {
      yield turn("GiveUp");
      caller.failed(time.error);
      return;
    }
    yield turn("Wake");
  }
}

function* write(module: Module, caller: Caller, file: LockFile): Part<void> {
  yield turn("Opened");
  yield call("Write", { call: "write", file, payload: payloadOf(module) });
  yield turn("Granted");
  module.taking -= 1;
  module.heldLocks.set(module.options.sessionFile, { file, count: 1, releasing: false });
  give(module, caller, file);
}

function payloadOf({ options, services }: Module): string {
  const { pid, startTime } = services;
  return JSON.stringify({ pid, createdAt: services.now(), startTime, copy: options.copy } satisfies {
    [Key in keyof Payload]: Payload[Key] | undefined;
  });
}

// ------------------------------------------------------------------------------------------------
// Who has it, and may it be removed?

/** `Judge` and what follows from it: true if it was stale, and was removed. */
function* reclaims(module: Module, seen: IssueReply): Part<boolean> {
  yield turn("Judge");
  const verdict = judge(module, seen);
  if (verdict === "waiting") return false;
  if (verdict !== "stat") {
    yield* reclaim(module, verdict, seen);
    return true;
  }
  const stat = yield call("Stat", { call: "stat", path: module.lockPath });
  yield turn("JudgeAge");
  // With MtimeOfAnother closed the mtime is that of the file that was read.
  const asked = isOpen(module, "MtimeOfAnother") || stat.inode === seen.inode;
  if (!stat.ok || !asked || !isTooOld(module, stat.mtimeMs)) return false;
  yield* reclaim(module, "old", seen);
  return true;
}

function judge(module: Module, seen: IssueReply): Exclude<Reason, "sweep"> | "stat" | "waiting" {
  if (!seen.ok && seen.errno === "ENOENT") return isOpen(module, "MtimeOfAnother") ? "stat" : "waiting";
  if (!seen.ok && !isOpen(module, "UnreadableIsStale")) return "waiting";
  const { pid, createdAt, startTime, copy } = readPayload(seen);
  if (pid === undefined || createdAt === undefined) return "stat";
  if (!module.services.isAlive(pid, startTime)) return "dead";
  if (pid === module.services.pid && startTime === undefined && isOrphan(module, copy)) return "orphan";
  return isOpen(module, "AgeIsDeath") && isTooOld(module, createdAt) ? "old" : "waiting";
}

/** The orphan rule, of a lock with our pid and no start time: HELD_LOCKS does not have it. */
function isOrphan(module: Module, copy: string | undefined): boolean {
  const { options, heldLocks, releasing } = module;
  if (!isOpen(module, "OrphanOfAnotherRegistry") && copy !== options.copy) return false;
  if (heldLocks.has(options.sessionFile) || releasing.has(options.sessionFile)) return false;
  const guarded = options.fix === "none" && !isOpen(module, "OrphanWhileReleasing");
  if (guarded && module.leaving > 0) return false;
  return isOpen(module, "OrphanWhileTaking") || module.taking === 0;
}

export function isTooOld({ options, services }: Module, sinceMs: number | undefined): boolean {
  return sinceMs !== undefined && services.now() - sinceMs > options.staleMs;
}

function readPayload(seen: IssueReply): Payload {
  try {
    return seen.ok ? (JSON.parse(seen.content ?? "") as Payload) : {};
  } catch {
    return {};
  }
}

const BY_PATH: Readonly<Record<Reason, Hole>> = {
  dead: "StaleByPath",
  old: "StaleByPath",
  orphan: "OrphanByPath",
  sweep: "SweepByPath",
};

/** rm(L), by path. With the hole closed: what was read, and nothing else. */
function* reclaim(module: Module, reason: Reason, seen: IssueReply): Part<void> {
  const only = isOpen(module, BY_PATH[reason]) ? undefined : seen.inode;
  yield { kind: "call", action: "Reclaim", call: { call: "rm", path: module.lockPath, only }, reason };
  yield turn("Reclaimed");
}

// ------------------------------------------------------------------------------------------------
// release

/** `Release`, and `ReleaseAgain`: nothing stops a second call by the same handle. */
export function release(module: Module, handle: Handle, settled: () => void): void {
  const entry = module.heldLocks.get(module.options.sessionFile);
  module.handles.delete(handle);
  const again = handle.spent;
  handle.spent = true;
  if (entry?.file !== handle.file || (again && !isOpen(module, "ReleaseTwice"))) {
    settled();
    return;
  }
  entry.count -= 1;
  // With fix B a second call awaits releasePromise. Here it does not wait: it does nothing of its own either way.
  if (entry.count > 0 || entry.releasing) settled();
  else leave(module, entry, settled);
}

/** The last one lets go: the entry leaves HELD_LOCKS (or, with fix B, gets its releasePromise) before any call. */
function leave(module: Module, entry: Entry, settled: () => void): void {
  const { options, heldLocks, releasing, services } = module;
  const { sessionFile } = options;
  if (options.fix === "guardSet") {
    const others = isOpen(module, "GuardRemovedEarly") ? 0 : (releasing.get(sessionFile) ?? 0);
    releasing.set(sessionFile, others + 1);
  }
  entry.count = 0;
  entry.releasing = true;
  if (options.fix !== "lateDelete") heldLocks.delete(sessionFile);
  module.leaving += 1;
  services.drive(offTheDisk(module, entry, settled));
}

function* offTheDisk(module: Module, entry: Entry, settled: () => void): Run {
  yield call("Close", { call: "close", file: entry.file });
  yield turn("Closed");
  let gone = false;
  while (!gone) {
    const reply = yield call("Remove", { call: "rm", path: module.lockPath });
    // Errors are ignored; with ForgetFailedRemoval closed it is tried until it has succeeded.
    gone = reply.ok || isOpen(module, "ForgetFailedRemoval");
  }
  yield turn("Released");
  module.leaving -= 1;
  removeGuard(module);
  deleteLate(module, entry);
  settled();
}

function removeGuard(module: Module): void {
  const { options, releasing } = module;
  const others = isOpen(module, "GuardRemovedEarly") ? 0 : (releasing.get(options.sessionFile) ?? 1) - 1;
  if (others > 0) releasing.set(options.sessionFile, others);
  else releasing.delete(options.sessionFile);
}

/** Fix B: by key, whatever entry is there. */
function deleteLate(module: Module, entry: Entry): void {
  const { options, heldLocks } = module;
  const isMine = heldLocks.get(options.sessionFile) === entry;
  if (options.fix !== "lateDelete" || (!isMine && !isOpen(module, "LateDeleteHitsAnother"))) return;
  heldLocks.delete(options.sessionFile);
}

// ------------------------------------------------------------------------------------------------
// Beside acquire and release

/** `Expire`: the watchdog finds the entry overdue, and releases it. The holder is not told. */
export function expire(module: Module): void {
  const entry = module.heldLocks.get(module.options.sessionFile);
  if (entry === undefined || entry.releasing || !isOpen(module, "WatchdogReleases")) return;
  leave(module, entry, () => {});
}

/** `ExitHook`: on exit, and on the signals that are handled. */
export function exitHook(module: Module): void {
  for (const { releasing } of module.heldLocks.values()) {
    const hole = releasing ? "ExitWhileReleasing" : "ExitUnlocksHolder";
    if (isOpen(module, hole)) module.services.removeNow(module.lockPath);
  }
}

/** `Sweep`: cleanStaleLockFiles of the session's directory. */
export function sweep(module: Module, done: () => void): void {
  module.services.drive(sweepAll(module, done));
}

function* sweepAll(module: Module, done: () => void): Run {
  const directory = dirname(module.lockPath);
  const listed = yield call("Sweep", { call: "readdir", path: directory });
  for (const name of listed.ok ? (listed.names ?? []) : []) {
    if (name !== basename(module.lockPath)) continue;
    const seen = yield call("Read", { call: "read", path: join(directory, name) });
    yield turn("Judge");
    if (isStaleForSweep(module, seen)) yield* reclaim(module, "sweep", seen);
  }
  done();
}

/** No mtime rule, no HELD_LOCKS. */
function isStaleForSweep(module: Module, seen: IssueReply): boolean {
  const { pid, createdAt, startTime } = readPayload(seen);
  if (pid === undefined || createdAt === undefined) return isOpen(module, "SweepOfNothing");
  if (!module.services.isAlive(pid, startTime)) return true;
  return isOpen(module, "AgeIsDeath") && isTooOld(module, createdAt);
}

const call = (action: CallAction, of: IssueCall): Step => ({ kind: "call", action, call: of });
const turn = (action: TurnAction): Step => ({ kind: "turn", action });
