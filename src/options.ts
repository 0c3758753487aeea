/** The options of an acquisition: defaults with their reasons, and validation with one message shape. */

import { SessionWriteLockError } from "./errors.ts";

export interface AcquireSessionWriteLockParams {
  /** The file to guard. `a.jsonl` is guarded by `a.jsonl.lock` in the same, canonical, directory. */
  readonly sessionFile: string;
  /** How long to wait, in milliseconds, from the call on. Positive; `Infinity` waits for ever. Default 10 000. */
  readonly timeoutMs?: number;
  /**
   * How long an owner that cannot be judged may be silent before it is evicted, in milliseconds, by the file server's
   * clock (spec/lease.md): then it loses its lock, though it may live. It takes three minutes more, in which it must stay
   * silent. Positive; less than three minutes counts as three minutes; `Infinity` never. Default 30 minutes.
   */
  readonly staleMs?: number;
  /**
   * After how many milliseconds a holder is told that it holds for too long: its `signal` aborts and a
   * process warning is emitted. The lock is not taken away. Positive; `Infinity` never. Default 5 minutes.
   */
  readonly maxHoldMs?: number;
  /** Share the lock with other holders of this process that ask for it too. Default false: exclusive. */
  readonly allowReentrant?: boolean;
  /** Ends the wait: the promise rejects with `signal.reason`. It does not release a lock that was granted. */
  readonly signal?: AbortSignal;
}

/** Long enough for a writer that flushes, short enough for a person. The module has the same. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/** Longer than a laptop's lid is closed in a meeting. The module has the same. */
export const DEFAULT_STALE_MS: number = 30 * 60_000;
/** No write of a session takes minutes. The module has the same. */
export const DEFAULT_MAX_HOLD_MS: number = 5 * 60_000;

export interface AcquireOptions {
  readonly timeoutMs: number;
  readonly staleMs: number;
  readonly maxHoldMs: number;
  readonly allowReentrant: boolean;
  readonly signal: AbortSignal | undefined;
}

const KNOWN = ["sessionFile", "timeoutMs", "staleMs", "maxHoldMs", "allowReentrant", "signal"];

/** @throws SessionWriteLockError `EINVAL` for anything that is not as documented. */
export function readOptions(params: AcquireSessionWriteLockParams): AcquireOptions {
  const fail = (what: string): never => {
    const given = (params as { sessionFile?: unknown } | null)?.sessionFile;
    const sessionFile = typeof given === "string" ? given : describe(given);
    throw new SessionWriteLockError(`Cannot acquire session lock: ${what}`, { code: "EINVAL", sessionFile });
  };
  if (typeof params !== "object" || params === null) return fail("the parameters must be an object");
  const { sessionFile, signal, allowReentrant = false } = params;
  if (typeof sessionFile !== "string" || sessionFile === "") {
    return fail("sessionFile must be a path, a string that is not empty");
  }
  if (sessionFile.includes("\0")) return fail("sessionFile must not contain a null byte");
  for (const key of Object.keys(params)) {
    if (!KNOWN.includes(key)) return fail(`there is no option ${JSON.stringify(key)}`);
  }
  const positive = (name: string, value: unknown, fallback: number): number => {
    if (value === undefined) return fallback;
    if (typeof value !== "number" || !(value > 0)) {
      return fail(`${name} must be a positive number of milliseconds, not ${describe(value)}`);
    }
    return value;
  };
  if (typeof allowReentrant !== "boolean") {
    return fail(`allowReentrant must be a boolean, not ${describe(allowReentrant)}`);
  }
  if (signal !== undefined && !isAbortSignal(signal)) return fail("signal must be an AbortSignal");
  return {
    timeoutMs: positive("timeoutMs", params.timeoutMs, DEFAULT_TIMEOUT_MS),
    staleMs: positive("staleMs", params.staleMs, DEFAULT_STALE_MS),
    maxHoldMs: positive("maxHoldMs", params.maxHoldMs, DEFAULT_MAX_HOLD_MS),
    allowReentrant,
    signal,
  };
}

/** For a message; some values have no text form. */
function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  try {
    return String(value);
  } catch {
    return "a value without a text form";
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
