/** What users import: acquire, hold, release. The protocol behind it is protocol.ts. */

import { constants } from "node:os";
import { setTimeout } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { whenAborted } from "./abort.ts";
import { systemClock, type Timer } from "./clock.ts";
import { CallerContext } from "./context.ts";
import { nodeDisk } from "./disk.ts";
import { SessionWriteLockError } from "./errors.ts";
import { removeIdleHome, tidyBeforeEnd, watchExit } from "./exit.ts";
import { createHeartbeat } from "./heartbeat.ts";
import { callHook, createWaitingTeller } from "./hooks.ts";
import { createLeases } from "./lease.ts";
import { type LegacyClaim, migrateLegacyLock } from "./legacy.ts";
import { createLine } from "./line.ts";
import { type LookForOurs, oursIn } from "./loss.ts";
import {
  type AcquireOptions,
  type AcquireSessionWriteLockParams,
  readOptions,
  type TryAcquireSessionWriteLockParams,
} from "./options.ts";
import { openLifeSocket } from "./owner/life.ts";
import { createOwners } from "./owners.ts";
import {
  diskKindOf,
  isCanonical,
  isLocalDisk,
  isLocalKind,
  type LockPath,
  refuseDirectory,
  refuseLongNames,
  resolveLockPath,
} from "./paths.ts";
import { giveUp, letGo, loseLock, release, request } from "./protocol.ts";
import {
  type Attempt,
  type CallSite,
  createEntry,
  type Entry,
  type Evictions,
  type Guest,
  isIdle,
  type Judgement,
  type Nesting,
  type OwnerPlace,
  processRegistry,
  type Registry,
  type Services,
} from "./registry.ts";
import { createDriver, createTurnBudget } from "./steps.ts";
import { sweepForSpace, sweepOnce } from "./sweep.ts";
import { createTurns } from "./turns.ts";
import { warnIfUnsafe } from "./unsafe.ts";
import { timeoutError } from "./waiting.ts";
import { warn } from "./warnings.ts";
import { watchHolder } from "./watchdog.ts";

/** A lock that is held, until `release()`. */
export interface SessionWriteLock {
  /** The canonical path of the session file. */
  readonly sessionFile: string;
  /** The directory entry that is the lock. */
  readonly lockPath: string;
  /**
   * Aborts when the lock is found to be lost (`ECOMPROMISED`; it is looked at every five seconds), or is held for
   * longer than `maxHoldMs` (`EOVERDUE`, a warning: the lock is still held; with `revokeAfterMaxHold` it is not,
   * `ECOMPROMISED`). Pass it to whatever writes.
   */
  readonly signal: AbortSignal;
  /** Whether this handle holds the lock, from memory: after `release()`, a loss that was noticed, or a revocation, false. */
  isHeld(): boolean;
  /**
   * Looks at the disk, synchronously: for use right before a write.
   * @throws SessionWriteLockError `ECOMPROMISED` if the lock is not ours any more; `EDISK` if that could not
   * be seen (too many open files, say): the lock still counts as held.
   */
  assertHeld(): void;
  /**
   * Gives the lock back. Calling it again returns the same promise. Resolves when the lock is off the disk
   * or handed over to a waiter of this process; of a lost lock too, since there is nothing to give back.
   * @throws SessionWriteLockError `ERELEASE` (rejection) if the disk refused: not held any more, tried again.
   */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Waits for the write lock of a session file, and takes it.
 *
 * Rejects with a {@link SessionWriteLockError}: `ELOCKED` after `timeoutMs`, `EINVAL` for options that cannot
 * be used, `EDISK` if the disk refuses, `EDEADLK` inside `withSessionWriteLock` of the same file; or with
 * `signal.reason`. Nothing is ever removed that is not the lock of an owner that is proved dead.
 */
export async function acquireSessionWriteLock(
  params: AcquireSessionWriteLockParams,
): Promise<SessionWriteLock> {
  return (await acquire(params)).lock;
}

/**
 * Takes the write lock of a session file if that can be done without waiting: in one round, at the end of which
 * it gives up if somebody has the lock (`undefined`), also if that is this process, or the lock is just being given
 * back. A lock whose owner is proved dead is taken over. Something else than a lock in the way is `undefined` too;
 * `inspectSessionLocks` says what it is.
 *
 * Rejects as {@link acquireSessionWriteLock} does, but never with `ELOCKED` and `EDEADLK`: inside of
 * `withSessionWriteLock` of the same file it is `undefined`. What the disk refuses is tried once (with a home
 * that was made for it, if the one that lay idle did not do). It settles in a later turn, unless it has the lock. The options are the
 * same, but those of waiting (`timeoutMs`, `onWaiting`) are `EINVAL`.
 */
export async function tryAcquireSessionWriteLock(
  params: TryAcquireSessionWriteLockParams,
): Promise<SessionWriteLock | undefined> {
  return (await enter(readOptions(params, { waits: false }), "leaves"))?.lock;
}

/** A lock, with what only this module may ask. */
interface Handle {
  readonly lock: SessionWriteLock;
  /** Whether it is shared with those who ask for that. */
  readonly reentrant: boolean;
  isReleased(): boolean;
  /** Lets the guest work, if there is one. */
  letGo(): void;
}

async function acquire(params: AcquireSessionWriteLockParams): Promise<Handle> {
  const options = readOptions(params, { waits: true });
  const handle = await enter(options, "waits");
  if (handle === undefined)
    throw new Error(`session-write-lock: ${options.sessionFile} left its wait (a bug)`);
  return handle;
}

/** Whether an acquisition waits for what stands in its way, or leaves when its first wait begins. */
type Patience = "waits" | "leaves";

/** Rejects, or throws what is found at once. */
function enter(options: AcquireOptions, patience: Patience, guest?: Guest): Promise<Handle | undefined> {
  options.signal?.throwIfAborted();
  refusePlatform(options.sessionFile);
  const registry = processRegistry();
  const entry = findEntry(registry, options, patience);
  if (guest !== undefined) refuseCompany(entry);
  registry.entries.use(entry);
  return contendFor(entry, options, patience, guest);
}

/** A clear word instead of a lock that can be taken only once. */
function refusePlatform(sessionFile: string): void {
  if (process.platform !== "win32") return;
  throw new SessionWriteLockError(
    "Cannot acquire session lock: Windows is not supported yet, its rename does not replace an empty directory",
    { code: "EINVAL", sessionFile },
  );
}

/**
 * Runs `action` under the lock, and releases it whatever happens. A nested acquire of the same file inside
 * `action` would wait for itself: it rejects at once with `EDEADLK`, unless both allow reentrance. So does
 * one in work that `action` started and did not wait for, until the lock is released.
 *
 * Settles with what `action` settled with. If the lock cannot be taken off the disk yet, that is a process
 * warning (`SWL_RELEASE`): the result of `action` is worth more, and the release is tried again.
 */
export async function withSessionWriteLock<T>(
  params: AcquireSessionWriteLockParams,
  action: (lock: SessionWriteLock) => T | Promise<T>,
): Promise<T> {
  const { nesting } = processRegistry();
  const calledAt = callSite(withSessionWriteLock);
  const { lock, reentrant, isReleased } = await acquire(params);
  const parent = enclosing(nesting);
  const { lockPath } = lock;
  const outer: Nesting = { what: "withSessionWriteLock", lockPath, reentrant, calledAt, isReleased, parent };
  try {
    return await nesting.run(outer, async () => await action(lock));
  } finally {
    await lock.release().catch((error: unknown) => warn((error as Error).message, "SWL_RELEASE"));
  }
}

// ------------------------------------------------------------------------------------------------
// Nesting

/** The innermost section around this call that has not released: those that have are forgotten. */
function enclosing(nesting: Registry["nesting"]): Nesting | undefined {
  let outer = nesting.getStore();
  while (outer?.isReleased() === true) outer = outer.parent;
  return outer;
}

/** The frames above a function of ours: some 10 µs (measured), since V8 makes text of them only when it is asked. */
function callSite(below: (...args: never[]) => unknown): CallSite {
  const site: CallSite = {};
  Error.captureStackTrace?.(site, below);
  return site;
}

function refuseNesting(
  { nesting, entries }: Registry,
  { sessionFile, lockPath }: LockPath,
  { allowReentrant }: AcquireOptions,
): void {
  // One that is known to be lost is joined by nobody.
  const joins = allowReentrant && entries.get(lockPath)?.lost !== true;
  for (let outer = enclosing(nesting); outer !== undefined; outer = outer.parent) {
    if (outer.lockPath !== lockPath || outer.isReleased()) continue;
    if (joins && outer.reentrant) continue;
    throw new SessionWriteLockError(
      `Cannot acquire session lock ${lockPath}: ${outer.what} of the same file is around this call, and it would wait for itself${whereOf(outer)}`,
      { code: "EDEADLK", sessionFile, lockPath, cause: causeOf(outer) },
    );
  }
}

function causeOf({ what, calledAt }: Nesting): Error | undefined {
  if (calledAt?.stack === undefined) return undefined;
  const cause = new Error(`the outer ${what} was called here`);
  cause.stack = calledAt.stack.replace(/^.*/, () => String(cause));
  return cause;
}

/** Its first frame, as `at main (file:///app/agent.js:12:3)`. */
function whereOf({ calledAt }: Nesting): string {
  const frame = /^ *(at .*)$/m.exec(calledAt?.stack ?? "")?.[1];
  return frame === undefined ? "" : `; the outer one was called ${frame}`;
}

// ------------------------------------------------------------------------------------------------
// For a command that works under the lock (src/cli/run.ts). Internal: the declarations of the package leave it out.

/** A lock that a guest owns too. @internal */
export interface GuestLock {
  /** Aborts when the lock is found to be lost. */
  readonly signal: AbortSignal;
  letGo(): void;
  /** When the guest has ended. */
  release(): Promise<void>;
}

/**
 * As {@link acquireSessionWriteLock}, for a guest that is held back until then; as {@link tryAcquireSessionWriteLock}
 * if it leaves when its first wait begins.
 *
 * @internal
 */
export async function acquireWithGuest(
  params: AcquireSessionWriteLockParams,
  patience: Patience,
  guest: Guest,
): Promise<GuestLock | undefined> {
  const handle = await enter(readOptions(params, { waits: true }), patience, guest);
  if (handle === undefined) return undefined;
  const { lock, letGo: letGuestGo } = handle;
  return { signal: lock.signal, letGo: letGuestGo, release: () => lock.release() };
}

/** The names in a home are those of one guest: nobody else of this process may contend with it, or wait for it. */
function refuseCompany(entry: Entry): void {
  if (isIdle(entry) && entry.home === null) return;
  throw new SessionWriteLockError(
    `Cannot run a command under ${entry.lockPath}: this process uses the lock for something else`,
    { code: "EINVAL", sessionFile: entry.sessionFile, lockPath: entry.lockPath },
  );
}

/**
 * Before this process ends itself by a signal, which no exit hook sees. What takes longer is left to the others.
 *
 * @internal
 */
export async function prepareToDie(mostMs: number): Promise<void> {
  const registry = processRegistry();
  const end = systemClock.now() + mostMs;
  const isBusy = (): boolean => [...registry.entries.values()].some((entry) => !isIdle(entry));
  while (isBusy() && systemClock.now() < end) await setTimeout(LOOK_AGAIN_MS);
  tidyBeforeEnd(registry, false);
}

const LOOK_AGAIN_MS = 2;

// ------------------------------------------------------------------------------------------------
// Entries

/** The entry of a session file, made if there is none. */
function findEntry(registry: Registry, options: AcquireOptions, patience: Patience): Entry {
  const { sessionFile: given } = options;
  const asGiven = canonicalEntry(registry, given);
  const path = asGiven ?? resolveLockPath(given);
  if (patience === "waits") refuseNesting(registry, path, options);
  const known = asGiven ?? registry.entries.get(path.lockPath);
  if (known === undefined) return addEntry(registry, path, given);
  // While this process uses the lock, whoever used it first was told.
  if (!isIdle(known)) return known;
  if (diskKindOf(known.directory) !== known.disk) {
    // Another disk was mounted there, which may take other names, and not be local (A4).
    forget(registry, known);
    return addEntry(registry, path, given);
  }
  lookAtSessionFile(known, given);
  return known;
}

/** What `resolveLockPath` would say is known of a path that is canonical: then only that is asked, for links change. */
function canonicalEntry({ entries }: Registry, given: string): Entry | undefined {
  const entry = entries.get(`${given}.lock`);
  return entry !== undefined && isCanonical(entry.directory) ? entry : undefined;
}

/**
 * Whether the session file has become a directory, or something that cannot be looked at: no step of the protocol would notice,
 * and whoever writes to it is told in any case. So not at each acquisition (spec/performance.md).
 */
const LOOK_AT_FILE_EVERY_MS = 1_000;

function lookAtSessionFile(entry: Entry, given: string): void {
  const now = entry.services.clock.now();
  if (now - entry.lookedAt < LOOK_AT_FILE_EVERY_MS) return;
  refuseDirectory(entry, given);
  entry.lookedAt = now;
}

/** @throws before anything is remembered. */
function addEntry(registry: Registry, path: LockPath, given: string): Entry {
  const { lockPath, sessionFile, directory } = path;
  refuseLongNames(path);
  refuseDirectory(path, given);
  watchExit(registry);
  warnIfUnsafe(directory);
  const disk = diskKindOf(directory);
  const local = isLocalKind(disk);
  const entry = createEntry({ lockPath, sessionFile, local, disk, services: realServices(registry) });
  entry.lookedAt = entry.services.clock.now();
  registry.entries.add(entry);
  return entry;
}

/** What is granted in memory, to one after the other or to those who join, takes as little time of a turn as what is taken from the disk. */
const mayGoOn: () => boolean = createTurnBudget(systemClock);

const line = createLine();

let services: Services | undefined;

/** The real world, the same for every lock path of this thread. */
function realServices(registry: Registry): Services {
  services ??= {
    disk: nodeDisk,
    clock: systemClock,
    owners: createOwners(registry.self, {
      lifeIn: (directory) => lifeIn(registry, directory),
      leases: createLeases({ clock: systemClock }),
    }),
    heartbeat: createHeartbeat({ clock: systemClock }),
    turns: createTurns({ clock: systemClock, line }),
    line,
    drive: createDriver(nodeDisk, systemClock, mayGoOn),
    watch: (lockPath, told) => registry.watches.watch(lockPath, told),
    warn,
    migrateLegacy,
    quiet: tidy,
  };
  return services;
}

function migrateLegacy(place: OwnerPlace): boolean {
  const { owners } = realServices(processRegistry());
  const judge = (claim: LegacyClaim): Judgement =>
    owners.judgeLegacy?.(claim, place) ?? { verdict: "unknown", reason: "" };
  return migrateLegacyLock(place, judge, (message) => warn(message, "SWL_LEGACY"));
}

/** Idle homes that a process keeps on the disk: enough for those who go back and forth between sessions. */
const MOST_IDLE_HOMES = 64;

/**
 * Called whenever an entry may have become idle. One without a home is only memory, and goes; and when there
 * are many, the idle one that was not used for longest goes, with its home (an extra of the protocol: private
 * calls, on a local disk only, where no Take of it can be under way).
 */
function tidy(entry: Entry): void {
  if (!isIdle(entry)) return;
  const registry = processRegistry();
  const gone = entry.home === null ? entry : registry.entries.rest(entry, MOST_IDLE_HOMES);
  if (gone !== undefined) forget(registry, gone);
}

/** A directory in which this process has no entry any more needs no life socket. */
function forget({ entries, lives }: Registry, entry: Entry): void {
  removeIdleHome(entry);
  if (!entries.delete(entry)) return;
  const { directory } = entry;
  const socket = lives.get(directory);
  lives.delete(directory);
  socket?.close();
}

/**
 * The life socket of this process in a directory, made when it is first needed: for the name of a home. Made anew
 * if the directory was moved away, or restored from a copy.
 */
function lifeIn({ lives }: Registry, directory: string): string {
  const known = lives.get(directory);
  if (known?.isInPlace() === true) return known.life;
  // A1: a worker's handles are closed before its last calls have ended, so its socket would prove nothing.
  const mayHaveOne = isMainThread && process.platform === "linux" && isLocalDisk(directory);
  const socket = mayHaveOne ? openLifeSocket(directory) : undefined;
  if (socket === undefined) lives.delete(directory);
  else lives.set(directory, socket);
  return socket?.life ?? "-";
}

// ------------------------------------------------------------------------------------------------
// One acquisition

function contendFor(
  entry: Entry,
  options: AcquireOptions,
  patience: Patience,
  guest: Guest | undefined,
): Promise<Handle | undefined> {
  const { clock, turns } = entry.services;
  const context = new CallerContext();
  return new Promise((resolve, reject) => {
    const startedAt = clock.now();
    const teller = createWaitingTeller(entry, options, startedAt, context);
    let isSettled = false;
    let timer: Timer | undefined;
    let aside: Timer | undefined;
    const settle = (action: () => void): void => {
      isSettled = true;
      timer?.cancel();
      teller.end();
      stopListening?.();
      context.run(action);
    };
    const leave = (action: () => void): void => {
      if (aside === undefined) giveUp(entry, attempt);
      else aside.cancel();
      settle(action);
    };
    const onAbort = (): void => leave(() => reject(options.signal?.reason));
    const homeLayIdle = entry.home !== null;
    /**
     * Of a try, in a turn of its own: whoever tries in a loop must not keep the event loop from what lets the lock go.
     * A home that lay idle may be gone, or empty (whatever removes old files has been there): a new one says what the disk says.
     */
    const answer = (error: SessionWriteLockError | undefined): void => {
      if (error === undefined) resolve(undefined);
      else if (homeLayIdle) resolve(tryAgain());
      else reject(error);
    };
    const tryAgain = async (): Promise<Handle | undefined> => await enter(options, patience, guest);
    const attempt: Attempt = {
      guest,
      reentrant: options.allowReentrant,
      staleMs: options.staleMs,
      gaveUp: false,
      revoked: false,
      metadata: options.metadata,
      leaves: patience === "leaves",
      migrates: options.migrateLegacyLocks,
      granted: (evictions) =>
        settle(() => {
          const handle = createHandle(entry, attempt, options);
          sweepOnce(entry.directory, entry.services.owners);
          const told = evictions !== undefined && evictions.owners.length > 0;
          const answer = told ? tellTakeover(entry, handle, options, evictions) : handle;
          if (mayGoOn()) resolve(answer);
          else setImmediate(resolve, answer);
        }),
      failed: (error) => {
        sweepIfFull(entry, error);
        settle(() => reject(error));
      },
      // The handle puts its own here.
      lost: () => {},
      waits: (error) => {
        sweepIfFull(entry, error);
        if (patience === "waits") teller.begin();
        else leave(() => setImmediate(answer, error));
      },
    };
    const stopListening = options.signal && whenAborted(options.signal, onAbort);
    const onTimeout = (): void => leave(() => reject(timeoutError(entry, options, startedAt)));
    /** For what comes in a later turn. Mostly nothing does, and then none of this is made. */
    const stay = (): void => {
      context.keep();
      if (patience !== "waits") return;
      // From the call on: what was asked at once may have taken long.
      const leftMs = options.timeoutMs - (clock.now() - startedAt);
      timer = clock.setTimer(Math.max(0, leftMs), onTimeout);
    };
    const ask = (): void => {
      aside = undefined;
      // Nobody stands aside for nothing: this is contention.
      entry.toldAt = clock.now();
      // Whoever only tries may have come and gone meanwhile, and the entry with him.
      processRegistry().entries.use(entry);
      context.run(() => request(entry, attempt));
    };
    if (patience === "waits" && isFree(entry)) {
      aside = turns?.standAside(entry.lockPath, entry.home?.name, ask);
    }
    if (aside === undefined) request(entry, attempt);
    if (!isSettled) stay();
  });
}

/** The disk may be full of what the dead have left. Node.js has no name for each errno: the number says more. */
function sweepIfFull({ directory, services }: Entry, error: SessionWriteLockError | undefined): void {
  const { errno = 0 } = (error?.cause ?? {}) as NodeJS.ErrnoException;
  if (OUT_OF_SPACE.includes(Math.abs(errno))) sweepForSpace(directory, services.owners);
}

const OUT_OF_SPACE: readonly number[] = [constants.errno.ENOSPC, constants.errno.EDQUOT];

/** Of this process, as far as it knows: whoever asks would be on the disk at once. */
function isFree({ held, releasing, contender }: Entry): boolean {
  return held.size === 0 && releasing === null && contender === null;
}

/** The handle, once the hook has seen to what the dead have left. */
async function tellTakeover(
  entry: Entry,
  handle: Handle,
  { onTakeover, allowReentrant }: AcquireOptions,
  { owners, overtaken }: Evictions,
): Promise<Handle> {
  if (onTakeover === undefined) return handle;
  const { sessionFile, lockPath } = entry;
  const info = { sessionFile, lockPath, owners, overtaken };
  const { lock, isReleased } = handle;
  const { nesting } = processRegistry();
  // A hook may release, and abort others: not before all to whom the step grants the lock have been told.
  await undefined;
  const parent = enclosing(nesting);
  const around: Nesting = { what: "onTakeover", lockPath, reentrant: allowReentrant, isReleased, parent };
  await nesting.run(around, () => callHook(entry, "onTakeover", () => onTakeover(info, lock)));
  return handle;
}

// ------------------------------------------------------------------------------------------------
// The handle

function createHandle(entry: Entry, attempt: Attempt, options: AcquireOptions): Handle {
  const { lockPath, sessionFile } = entry;
  const loss = new Loss();
  let lost = false;
  let releasing: Promise<void> | undefined;
  const watchdog = watchHolder(entry, attempt, options, (error) => loss.abort(error));
  const lose = (error: SessionWriteLockError): void => {
    lost = true;
    // Others of this process wait until it is given back: whoever wants to be made to is.
    if (!options.revokeAfterMaxHold) watchdog.cancel();
    loss.abort(error);
  };
  // By its name: V8 takes a function that is written behind `attempt.lost =` for one that stays (spec/performance.md).
  attempt.lost = lose;
  const isHeld = (): boolean => releasing === undefined && !lost && entry.held.has(attempt);
  const release_ = (): Promise<void> => {
    releasing ??= new Promise<void>((resolve, reject) => {
      watchdog.cancel();
      release(entry, attempt, (error) => (error === undefined ? resolve() : reject(error)));
    });
    // Whoever does not wait for the release must not be killed by its failure: it is tried again anyway.
    releasing.catch(() => {});
    return releasing;
  };
  const assertHeld = (): void => {
    const look = isHeld() ? lookForOurs(entry) : undefined;
    if (look?.ours === true) return;
    const gone = attempt.revoked
      ? `it was held for more than ${options.maxHoldMs} ms, and taken away`
      : "it was released";
    const why = look?.why ?? (lost ? "it was lost" : gone);
    const error = new SessionWriteLockError(`Cannot rely on session lock ${lockPath}: ${why}`, {
      code: look?.ours === undefined && look !== undefined ? "EDISK" : "ECOMPROMISED",
      sessionFile,
      lockPath,
      cause: look?.cause,
    });
    if (look?.ours === false) loseLock(entry, error);
    throw error;
  };
  const lock = withSignal({
    [LOSS]: loss,
    sessionFile,
    lockPath,
    isHeld,
    assertHeld,
    release: release_,
    [Symbol.asyncDispose]: release_,
  });
  return {
    lock,
    reentrant: options.allowReentrant,
    isReleased: () => releasing !== undefined || attempt.revoked,
    letGo: () => letGo(entry, attempt),
  };
}

/** An AbortController that is made when it is first asked for: few ask, and it costs as much as a system call. */
class Loss {
  #controller: AbortController | undefined;
  #reason: SessionWriteLockError | undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** The first reason stays. */
  abort(reason: SessionWriteLockError): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}

const LOSS = Symbol("loss");

/**
 * One getter for all handles. V8 keeps what an object literal has for a getter, and all that this one refers to, until a major
 * collection: each minor one would copy what the acquisitions before it have left (spec/performance.md).
 */
const SIGNAL = {
  enumerable: true,
  get(this: { readonly [LOSS]: Loss }): AbortSignal {
    return this[LOSS].signal;
  },
};

/** An own property, so that a copy of a lock (`{ ...lock }`) has it as well. */
function withSignal<T extends { readonly [LOSS]: Loss }>(handle: T): T & { readonly signal: AbortSignal } {
  return Object.defineProperty(handle, "signal", SIGNAL) as T & { readonly signal: AbortSignal };
}

/** Looks now: is exactly our name at L? */
function lookForOurs({ services, lockPath, home }: Entry): LookForOurs {
  return oursIn(services.disk.now({ call: "readdir", path: lockPath }), home);
}
