/** The options of an acquisition: defaults with their reasons, and validation with one message shape. */

import { type LockOwner, SessionWriteLockError, textOf } from "./errors.ts";
import type { SessionWriteLock } from "./lock.ts";

export interface TryAcquireSessionWriteLockParams {
  /** The file to guard. `a.jsonl` is guarded by `a.jsonl.lock` in the same, canonical, directory. */
  readonly sessionFile: string;
  /**
   * How long an owner that cannot be judged may be silent before it is evicted, in milliseconds, by the file server's
   * clock (spec/lease.md): then it loses its lock, though it may live. It takes three minutes more, in which it must stay
   * silent. Positive; less than three minutes counts as three minutes; `Infinity` never. Default 30 minutes.
   */
  readonly staleMs?: number;
  /**
   * After how many milliseconds a holder is told that it holds for too long: its `signal` aborts and a
   * process warning is emitted. The lock is not taken away, unless `revokeAfterMaxHold` says so. Positive; `Infinity`
   * never. Default 5 minutes.
   */
  readonly maxHoldMs?: number;
  /**
   * Take the lock away after `maxHoldMs`: the handle is invalid from then on, its `signal` aborts with `ECOMPROMISED`,
   * and the lock goes to whoever waits, or off the disk. It may end exclusion: a writer that does not look at `signal`,
   * `isHeld()` or `assertHeld()` before each write writes beside the next holder. Default false.
   */
  readonly revokeAfterMaxHold?: boolean;
  /** Share the lock with other holders of this process that ask for it too. Default false: exclusive. */
  readonly allowReentrant?: boolean;
  /** Ends the wait: the promise rejects with `signal.reason`. It does not release a lock that was granted. */
  readonly signal?: AbortSignal;
  /**
   * A small JSON value (a run id, a session key) for whoever waits: `error.owner.metadata`, `onWaiting`, `inspect`. Its
   * JSON text has at most {@link MAX_METADATA_BYTES} bytes. Anybody who may read the directory may read it. With
   * several holders that share the lock, that of the first is shown. Default none.
   */
  readonly metadata?: unknown;
  /**
   * Also take over the lock *files* of older modules (`{ pid, createdAt, starttime? }`), if their owner is proved
   * dead: no such pid, or another start time. You say with it that no old version runs on this directory any
   * more, and that none runs where its pids cannot be seen from here (another machine, another container): an old
   * lock file does not say where it was written. A file can only be removed by its path, so if an old version does run and
   * replaces its file at the same moment, its lock may be lost; then there is a process warning (`SWL_LEGACY`).
   * On a disk that is known to be local only, so not on macOS. Default false: old lock files are waited for.
   */
  readonly migrateLegacyLocks?: boolean;
  /**
   * Called when this acquisition is granted the lock after this process has evicted dead owners, or such whose
   * lease had lapsed, before the promise
   * resolves: the lock is held, and the promise waits for what the hook returns. For what their death may have
   * left half done. At most one acquisition is told of a death; which one, and what is not promised:
   * spec/protocol.md, "Who is told of a takeover". An acquire of the same file inside rejects with `EDEADLK`. What
   * it throws is a process warning (`SWL_HOOK`), and the lock is granted all the same. Default none.
   */
  readonly onTakeover?: (info: TakeoverInfo, lock: SessionWriteLock) => unknown;
}

export interface AcquireSessionWriteLockParams extends TryAcquireSessionWriteLockParams {
  /** How long to wait, in milliseconds, from the call on. Positive; `Infinity` waits for ever. Default 10 000. */
  readonly timeoutMs?: number;
  /**
   * Called when the wait begins, and then every {@link ON_WAITING_EVERY_MS} as long as it lasts. Not waited for. What
   * it throws is a process warning (`SWL_HOOK`). Default none.
   */
  readonly onWaiting?: (info: WaitingInfo) => unknown;
}

/** What a waiter waits for, as it was last seen. */
export interface WaitingInfo {
  readonly sessionFile: string;
  readonly lockPath: string;
  readonly waitedMs: number;
  /** `foreign`: something that is not a lock of this library stands at the lock path. */
  readonly reason: "session_busy" | "foreign";
  /** Who has it; undefined if that is not known. */
  readonly owner: LockOwner | undefined;
  /** In words, as in the message of `ELOCKED`. */
  readonly what: string;
}

/** Whom an acquisition has taken the lock over from. */
export interface TakeoverInfo {
  readonly sessionFile: string;
  readonly lockPath: string;
  /** The dead whom this process has evicted here since it last had the lock. Mostly one. */
  readonly owners: readonly LockOwner[];
  /**
   * Whether another process was seen to have the lock since they were evicted: it may have written what a repair
   * must spare. If false none was seen, which is no proof.
   */
  readonly overtaken: boolean;
}

/** Long enough for a writer that flushes, short enough for a person. The module has the same. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/** Longer than a laptop's lid is closed in a meeting. The module has the same. */
export const DEFAULT_STALE_MS: number = 30 * 60_000;
/** No write of a session takes minutes. The module has the same. */
export const DEFAULT_MAX_HOLD_MS: number = 5 * 60_000;

/** A run id and a session key, generously: an owner file is read at most 4 KiB far. */
export const MAX_METADATA_BYTES = 2_048;
/** Often enough for a line that counts seconds. */
export const ON_WAITING_EVERY_MS = 1_000;

/** A run gets so long to notice that its time is over, before its locks count as overdue. As the module has it. */
export const DEFAULT_TIMEOUT_GRACE_MS: number = 2 * 60_000;
/** Some 24 days: what a timer of Node.js takes. As the module has it. */
export const MOST_MAX_HOLD_MS = 2_147_000_000;

/**
 * The `maxHoldMs` for the locks of a run that may take `timeoutMs`: that and a grace, but at least `minMs`. What is not a
 * positive number counts as not given; a run without an end (`Infinity`) gets the most there is.
 *
 * @param params.timeoutMs how long the run may take, in ms. Not given: `minMs`.
 * @param params.graceMs default 2 minutes. @param params.minMs default 5 minutes.
 */
export function resolveSessionLockMaxHoldFromTimeout(params: {
  readonly timeoutMs: number;
  readonly graceMs?: number;
  readonly minMs?: number;
}): number {
  const given = (value: number | undefined, fallback: number): number =>
    typeof value === "number" && value > 0 && value < Number.POSITIVE_INFINITY ? value : fallback;
  const minMs = given(params.minMs, DEFAULT_MAX_HOLD_MS);
  if (params.timeoutMs === Number.POSITIVE_INFINITY) return MOST_MAX_HOLD_MS;
  const runMs = given(params.timeoutMs, minMs) + given(params.graceMs, DEFAULT_TIMEOUT_GRACE_MS);
  return Math.min(MOST_MAX_HOLD_MS, Math.max(minMs, runMs));
}

export interface AcquireOptions {
  readonly sessionFile: string;
  readonly timeoutMs: number;
  readonly staleMs: number;
  readonly maxHoldMs: number;
  readonly revokeAfterMaxHold: boolean;
  readonly allowReentrant: boolean;
  readonly signal: AbortSignal | undefined;
  /** JSON text; empty if there is none. */
  readonly metadata: string;
  readonly migrateLegacyLocks: boolean;
  readonly onWaiting: AcquireSessionWriteLockParams["onWaiting"];
  readonly onTakeover: AcquireSessionWriteLockParams["onTakeover"];
}

const KNOWN_TO_TRY = [
  "sessionFile",
  "staleMs",
  "maxHoldMs",
  "revokeAfterMaxHold",
  "allowReentrant",
  "signal",
  "metadata",
  "migrateLegacyLocks",
  "onTakeover",
];
const KNOWN = [...KNOWN_TO_TRY, "timeoutMs", "onWaiting"];

/**
 * `waits`: whether the options of waiting are among them.
 * @throws SessionWriteLockError `EINVAL` for anything that is not as documented.
 */
export function readOptions(
  params: AcquireSessionWriteLockParams,
  { waits }: { readonly waits: boolean },
): AcquireOptions {
  const fail = (what: string): never => {
    const given = (params as { sessionFile?: unknown } | null)?.sessionFile;
    const sessionFile = typeof given === "string" ? given : textOf(given);
    throw new SessionWriteLockError(`Cannot acquire session lock: ${what}`, { code: "EINVAL", sessionFile });
  };
  if (typeof params !== "object" || params === null) return fail("the parameters must be an object");
  // Each is read once: what was looked at is what is used, whatever becomes of the caller's object, or its getters.
  const { sessionFile, signal, timeoutMs, staleMs, maxHoldMs, onWaiting, onTakeover } = params;
  const { allowReentrant = false, migrateLegacyLocks = false, revokeAfterMaxHold = false } = params;
  if (typeof sessionFile !== "string" || sessionFile === "") {
    return fail("sessionFile must be a path, a string that is not empty");
  }
  if (sessionFile.includes("\0")) return fail("sessionFile must not contain a null byte");
  for (const key of Object.keys(params)) {
    if (!(waits ? KNOWN : KNOWN_TO_TRY).includes(key))
      return fail(`there is no option ${JSON.stringify(key)}`);
  }
  const positive = (name: string, value: unknown, fallback: number): number => {
    if (value === undefined) return fallback;
    if (typeof value !== "number" || !(value > 0)) {
      return fail(`${name} must be a positive number of milliseconds, not ${textOf(value)}`);
    }
    return value;
  };
  const refuseOther = (name: string, type: "boolean" | "function", value: unknown): void => {
    if (typeof value !== type) fail(`${name} must be a ${type}, not ${textOf(value)}`);
  };
  refuseOther("allowReentrant", "boolean", allowReentrant);
  refuseOther("migrateLegacyLocks", "boolean", migrateLegacyLocks);
  refuseOther("revokeAfterMaxHold", "boolean", revokeAfterMaxHold);
  if (signal !== undefined && !isAbortSignal(signal)) return fail("signal must be an AbortSignal");
  if (onWaiting !== undefined) refuseOther("onWaiting", "function", onWaiting);
  if (onTakeover !== undefined) refuseOther("onTakeover", "function", onTakeover);
  const metadata = metadataText(params.metadata);
  if (metadata === undefined) {
    return fail(`metadata must be a JSON value of at most ${MAX_METADATA_BYTES} bytes`);
  }
  return {
    sessionFile,
    timeoutMs: positive("timeoutMs", timeoutMs, DEFAULT_TIMEOUT_MS),
    staleMs: positive("staleMs", staleMs, DEFAULT_STALE_MS),
    maxHoldMs: positive("maxHoldMs", maxHoldMs, DEFAULT_MAX_HOLD_MS),
    revokeAfterMaxHold,
    allowReentrant,
    signal,
    metadata,
    migrateLegacyLocks,
    onWaiting,
    onTakeover,
  };
}

/** As JSON, empty for none; undefined for what is too long, or has no such text. */
function metadataText(value: unknown): string | undefined {
  if (value === undefined) return "";
  try {
    // Functions and symbols give undefined.
    const text = JSON.stringify(value) as string | undefined;
    return text !== undefined && Buffer.byteLength(text) <= MAX_METADATA_BYTES ? text : undefined;
  } catch {
    return undefined;
  }
}

/** By its members: a signal may come from another realm. Whatever is called later must be there. */
function isAbortSignal(value: unknown): value is AbortSignal {
  const candidate = value as Partial<AbortSignal> | null;
  return (
    typeof candidate?.aborted === "boolean" &&
    typeof candidate.addEventListener === "function" &&
    typeof candidate.removeEventListener === "function" &&
    typeof candidate.throwIfAborted === "function"
  );
}
