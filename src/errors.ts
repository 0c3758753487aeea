/**
 * The one error class of the library. Expected outcomes are values inside; this is for the boundary.
 * Tell errors apart by `code`, not by `instanceof`: a process may hold several copies of the module.
 */

/** What an error is about. Stable. */
export type SessionWriteLockErrorCode =
  /** The wait ended before the lock was granted; `reason` and `owner` say what it waited for. */
  | "ELOCKED"
  /** The lock was lost while it was held: somebody changed what stands at the lock path, or the watchdog took it away. */
  | "ECOMPROMISED"
  /** The lock is held for longer than `maxHoldMs`. It is still held: this only tells. With `revokeAfterMaxHold`: ECOMPROMISED. */
  | "EOVERDUE"
  /** A nested acquire inside `withSessionWriteLock` would wait for itself. */
  | "EDEADLK"
  /** An option, or the session file, cannot be used as given. */
  | "EINVAL"
  /** The disk refused; `cause` is the error of the system call. */
  | "EDISK"
  /** The lock is not held any more, but it could not be taken off the disk yet. It is tried again. */
  | "ERELEASE";

/** Whoever stands in the way, as far as it is known. */
export interface LockOwner {
  /** The pid in the owner's name; of the owner's own pid namespace. */
  readonly pid: number | undefined;
  /** The user whom its file belongs to; undefined if that is not known. */
  readonly uid: number | undefined;
  /** The host name that the owner wrote into its file, for people; undefined if it is not known. */
  readonly host: string | undefined;
  /** The owner's name: the file in the directory at the lock path. */
  readonly name: string;
  /**
   * Milliseconds since the lock was taken: this machine's clock against the ctime that the file server gave
   * the directory. As good as the two clocks agree; undefined if unknown.
   */
  readonly ageMs: number | undefined;
  /** What is known about the owner's life, in words. */
  readonly verdict: string;
  /** What the owner was given as `metadata`, as it can be read; undefined if there is none. Claimed, not proved. */
  readonly metadata: unknown;
}

export interface SessionWriteLockErrorDetails {
  readonly code: SessionWriteLockErrorCode;
  readonly sessionFile: string;
  readonly lockPath?: string | undefined;
  readonly reason?: "session_busy" | "foreign" | undefined;
  readonly owner?: LockOwner | undefined;
  readonly cause?: unknown;
}

export class SessionWriteLockError extends Error {
  override readonly name = "SessionWriteLockError";
  readonly code: SessionWriteLockErrorCode;
  readonly sessionFile: string;
  /** The lock path; undefined if the session file did not lead to one. */
  readonly lockPath: string | undefined;
  /** With ELOCKED: `session_busy` if an owner was in the way, `foreign` if something else stands there. */
  readonly reason: "session_busy" | "foreign" | undefined;
  readonly owner: LockOwner | undefined;

  constructor(message: string, details: SessionWriteLockErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.sessionFile = details.sessionFile;
    this.lockPath = details.lockPath;
    this.reason = details.reason;
    this.owner = details.owner;
  }
}

/** The `code` of a system error, or its message: libuv has no name for some. */
export function errnoText(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return typeof code === "string" ? code : String(message ?? error);
}

/** A value of a user, for a message; some have no text form. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  try {
    return String(value);
  } catch {
    return "a value without a text form";
  }
}

/** For what may fail without a consequence; the call says why. */
export function ignoreErrors(action: () => void): void {
  try {
    action();
  } catch {
    // said at the call
  }
}
