export {
  type LockOwner,
  SessionWriteLockError,
  type SessionWriteLockErrorCode,
  type SessionWriteLockErrorDetails,
} from "./errors.ts";
export { acquireSessionWriteLock, type SessionWriteLock, withSessionWriteLock } from "./lock.ts";
export {
  type AcquireSessionWriteLockParams,
  DEFAULT_MAX_HOLD_MS,
  DEFAULT_STALE_MS,
  DEFAULT_TIMEOUT_MS,
} from "./options.ts";
