export {
  type LockOwner,
  SessionWriteLockError,
  type SessionWriteLockErrorCode,
  type SessionWriteLockErrorDetails,
} from "./errors.ts";
export {
  breakSessionLock,
  type CleanStaleLockFilesParams,
  type CleanStaleLockFilesResult,
  cleanStaleLockFiles,
  type InspectedOwner,
  inspectSessionLocks,
  type SessionLockInspection,
} from "./inspect.ts";
export {
  acquireSessionWriteLock,
  type SessionWriteLock,
  tryAcquireSessionWriteLock,
  withSessionWriteLock,
} from "./lock.ts";
export {
  type AcquireSessionWriteLockParams,
  DEFAULT_MAX_HOLD_MS,
  DEFAULT_STALE_MS,
  DEFAULT_TIMEOUT_MS,
  MAX_METADATA_BYTES,
  ON_WAITING_EVERY_MS,
  resolveSessionLockMaxHoldFromTimeout,
  type TakeoverInfo,
  type TryAcquireSessionWriteLockParams,
  type WaitingInfo,
} from "./options.ts";
