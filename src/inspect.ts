/** What stands at lock paths, and what can be done about it: for people and tools. Outside of the protocol. */

import fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ageOf, describeOwner } from "./describe.ts";
import { errnoText, type LockOwner, type OwnerLife, SessionWriteLockError, textOf } from "./errors.ts";
import { type LegacyClaim, lookAtObstruction, migrateLegacyLock } from "./legacy.ts";
import { isGone } from "./loss.ts";
import { isKnownJunk } from "./owner/name.ts";
import { createOwners } from "./owners.ts";
import { isLocalDisk } from "./paths.ts";
import { askAndJudge, type Judgement, type OwnerPlace, type Owners, processRegistry } from "./registry.ts";
import { sweep } from "./sweep.ts";
import { warn } from "./warnings.ts";

/** What stands at one lock path. */
export interface SessionLockInspection {
  readonly lockPath: string;
  /**
   * `free`: nobody has it. `held`: an owner is proved alive. `stale`: all owners are proved dead. `unknown`: neither. `foreign`:
   * not a lock of this library.
   */
  readonly state: "free" | "held" | "stale" | "unknown" | "foreign";
  readonly owners: readonly InspectedOwner[];
  /** In words, where there are no owners to speak of. */
  readonly note: string;

  // As the module that this replaces has it, of the first owner, or of an old lock file.

  readonly pid: number | null;
  /** False only if it is proved dead. */
  readonly pidAlive: boolean;
  /** When the lock was taken, in ISO 8601. */
  readonly createdAt: string | null;
  readonly ageMs: number | null;
  /** Proved dead. Age alone is no proof. */
  readonly stale: boolean;
  /** Why, in words. */
  readonly staleReasons: readonly string[];
  /** Whether this call has removed it. */
  readonly removed: boolean;
}

export interface InspectedOwner extends LockOwner {
  readonly life: OwnerLife;
}

/**
 * Says of each lock in a directory, or of the one of a session file, who has it. Changes nothing.
 *
 * @throws SessionWriteLockError `EDISK` if the path cannot be read, `EINVAL` if it is no path.
 */
export async function inspectSessionLocks(path: string): Promise<readonly SessionLockInspection[]> {
  const owners = toolOwners();
  const found: SessionLockInspection[] = [];
  for (const lockPath of lockPathsOf(path)) found.push(await inspectLock(lockPath, owners));
  return found;
}

export interface CleanStaleLockFilesParams {
  /** The directory of the session files. */
  readonly sessionsDir: string;
  /** False: only looks. Default true. */
  readonly removeStale?: boolean;
  /**
   * Remove old lock files too, of processes that are proved dead *from here*. Only if no old version runs on this
   * directory any more, on this machine or another, in this container or another: see
   * {@link AcquireSessionWriteLockParams.migrateLegacyLocks}. Default false.
   */
  readonly migrateLegacyLocks?: boolean;
}

export interface CleanStaleLockFilesResult {
  /** All that was found. */
  readonly locks: readonly SessionLockInspection[];
  /** Those that were removed. */
  readonly cleaned: readonly SessionLockInspection[];
  /** The names of what dead processes had left beside the locks, and is gone: homes and life sockets. */
  readonly leftovers: readonly string[];
}

/**
 * Removes what the dead have left in a directory of sessions: locks, by the exact names of their owners, homes and
 * life sockets. Nothing of an owner that is not proved dead, nothing foreign, and no lock for its age. An empty lock
 * directory counts as free and stays, unless it became empty here.
 *
 * A takeover by this is told to no `onTakeover`: what was cleaned is in the result.
 *
 * @throws SessionWriteLockError `EDISK` if the directory cannot be read, `EINVAL` for options that cannot be used.
 */
export async function cleanStaleLockFiles(
  params: CleanStaleLockFilesParams,
): Promise<CleanStaleLockFilesResult> {
  const { sessionsDir, removeStale, migrateLegacyLocks } = readCleanOptions(params);
  const owners = toolOwners();
  const directory = resolve(sessionsDir);
  const locks: SessionLockInspection[] = [];
  for (const lockPath of locksIn(directory)) {
    const found = await inspectLock(lockPath, owners);
    locks.push(removeStale ? clean(found, owners, migrateLegacyLocks) : found);
  }
  const leftovers = removeStale ? await sweep(directory, owners) : [];
  return { locks, cleaned: locks.filter(({ removed }) => removed), leftovers };
}

/**
 * Takes the lock of a session file away from an owner: by the exact name that an error, `onWaiting` or
 * `inspectSessionLocks` gave, so that nobody else is ever hit. For owners that cannot be judged, and are known to be
 * dead from elsewhere; an owner that lives after all loses its lock, and exclusion ends there.
 *
 * Resolves with whether it was there.
 *
 * @throws SessionWriteLockError `ELOCKED` if the owner is proved alive, `EINVAL` if that is not the name of an owner,
 * `EDISK` if the disk refuses.
 */
export async function breakSessionLock(sessionFile: string, owner: string): Promise<boolean> {
  const owners = toolOwners();
  const lockPaths = lockPathsOf(sessionFile, "session file");
  // The name is at one of them at most.
  const isThere = (path: string): boolean => failureOf(() => fs.lstatSync(join(path, owner))) === undefined;
  const lockPath = (owners.isOwner(owner) ? lockPaths.find(isThere) : undefined) ?? lockPaths[0] ?? "";
  const cannot = (
    why: string,
    code: "EINVAL" | "ELOCKED" | "EDISK",
    cause?: unknown,
  ): SessionWriteLockError =>
    new SessionWriteLockError(`Cannot break the session lock ${lockPath}: ${why}`, {
      code,
      sessionFile,
      lockPath,
      cause,
      ...(code === "ELOCKED" ? { reason: "session_busy", owner: describeOwner(owner, lockPath, why) } : {}),
    });
  if (!owners.isOwner(owner)) throw cannot(`${textOf(owner)} is not the name of an owner`, "EINVAL");
  if (processRegistry().entries.get(lockPath)?.home?.name === owner) {
    throw cannot("this very process has it, or is about to take it", "ELOCKED");
  }
  const [judged] = await askAndJudge(owners, [owner], placeOf(lockPath));
  if (judged?.verdict === "alive") throw cannot(judged.reason, "ELOCKED");
  const failure = evict(lockPath, [owner]);
  if (failure !== undefined && !isGone({ errno: failure })) throw cannot(failure, "EDISK");
  return failure === undefined;
}

// ------------------------------------------------------------------------------------------------
// Looking

const toolOwners = (): Owners => createOwners(processRegistry().self);
const placeOf = (lockPath: string): OwnerPlace => ({ path: lockPath, local: isLocalDisk(dirname(lockPath)) });

/**
 * A directory's lock paths, or the one of a session file. What ends in `.lock` is a lock path; a session file may be
 * called so too, and then its own lock, if it has one, is the second.
 */
function lockPathsOf(given: string, kind: "any" | "session file" = "any"): readonly string[] {
  if (typeof given !== "string" || given === "" || given.includes("\0")) {
    throw unreadable(given, "it must be a path, a string that is not empty", "EINVAL");
  }
  const path = resolve(given);
  try {
    const isLock = path.endsWith(".lock");
    const isDirectory = fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    if (kind === "any" && isDirectory && !isLock) return locksIn(path);
    // One lock, however many symbolic links lead to its directory.
    const parent = fs.existsSync(dirname(path)) ? fs.realpathSync.native(dirname(path)) : dirname(path);
    const lockOf = join(parent, `${basename(path)}.lock`);
    if (!isLock) return [lockOf];
    const itself = join(parent, basename(path));
    return fs.lstatSync(lockOf, { throwIfNoEntry: false }) === undefined ? [itself] : [itself, lockOf];
  } catch (error) {
    if (error instanceof SessionWriteLockError) throw error;
    throw unreadable(given, errnoText(error), "EDISK", error);
  }
}

function locksIn(directory: string): readonly string[] {
  try {
    const names = fs.readdirSync(directory).filter((name) => name.endsWith(".lock"));
    return names.sort().map((name) => join(directory, name));
  } catch (error) {
    throw unreadable(directory, errnoText(error), "EDISK", error);
  }
}

function unreadable(
  path: unknown,
  why: string,
  code: "EINVAL" | "EDISK",
  cause?: unknown,
): SessionWriteLockError {
  const sessionFile = typeof path === "string" ? path : textOf(path);
  return new SessionWriteLockError(`Cannot look at the locks of ${sessionFile}: ${why}`, {
    code,
    sessionFile,
    cause,
  });
}

const NOTHING = {
  owners: [],
  pid: null,
  pidAlive: false,
  createdAt: null,
  ageMs: null,
  stale: false,
  staleReasons: [],
  removed: false,
};

/** One that cannot be looked at does not hide the others. */
async function inspectLock(lockPath: string, owners: Owners): Promise<SessionLockInspection> {
  try {
    return await lookAtLock(lockPath, owners);
  } catch (error) {
    return { ...NOTHING, lockPath, state: "unknown", note: errnoText(error) };
  }
}

async function lookAtLock(lockPath: string, owners: Owners): Promise<SessionLockInspection> {
  const stat = fs.lstatSync(lockPath, { throwIfNoEntry: false });
  if (stat === undefined) return { ...NOTHING, lockPath, state: "free", note: "nothing stands there" };
  if (!stat.isDirectory()) return inspectObstruction(lockPath, owners);
  const names = namesAt(lockPath).filter((name) => !isKnownJunk(name));
  if (names.length === 0) return { ...NOTHING, lockPath, state: "free", note: "an empty directory" };
  if (!names.every((name) => owners.isOwner(name))) {
    return { ...NOTHING, lockPath, state: "foreign", note: "it holds names that are not owners" };
  }
  const judged = await askAndJudge(owners, names, placeOf(lockPath));
  const inspected = judged.map(({ name, verdict, reason }) => ({
    ...describeOwner(name, lockPath, reason),
    life: verdict,
  }));
  return { ...NOTHING, lockPath, owners: inspected, note: "", ...summaryOf(inspected) };
}

function summaryOf(owners: readonly InspectedOwner[]): Partial<SessionLockInspection> & {
  readonly state: SessionLockInspection["state"];
} {
  const [first] = owners;
  const stale = owners.every(({ life }) => life === "dead");
  const held = owners.some(({ life }) => life === "alive");
  const ageMs = first?.ageMs ?? null;
  return {
    state: stale ? "stale" : held ? "held" : "unknown",
    pid: first?.pid ?? null,
    pidAlive: first?.life !== "dead",
    createdAt: ageMs === null ? null : new Date(Date.now() - ageMs).toISOString(),
    ageMs,
    stale,
    staleReasons: stale ? owners.map(({ verdict }) => verdict) : [],
  };
}

function inspectObstruction(lockPath: string, owners: Owners): SessionLockInspection {
  const { what, legacy } = lookAtObstruction(lockPath);
  const foreign = { ...NOTHING, lockPath, state: "foreign" as const };
  if (legacy === undefined) return { ...foreign, note: what };
  const { verdict, reason } = judgeLegacy(owners, legacy, placeOf(lockPath));
  const stale = verdict === "dead";
  return {
    ...foreign,
    note: `${what}; ${reason}`,
    pid: legacy.pid,
    pidAlive: !stale,
    createdAt: legacy.createdAt,
    ageMs: ageOf(lockPath) ?? null,
    stale,
    staleReasons: stale ? [reason] : [],
  };
}

function judgeLegacy(owners: Owners, claim: LegacyClaim, place: OwnerPlace): Judgement {
  return owners.judgeLegacy?.(claim, place) ?? { verdict: "unknown", reason: "it cannot be judged" };
}

/** A lock may be given back between two looks. */
function namesAt(lockPath: string): readonly string[] {
  try {
    return fs.readdirSync(lockPath);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

// ------------------------------------------------------------------------------------------------
// Removing

function clean(found: SessionLockInspection, owners: Owners, migrates: boolean): SessionLockInspection {
  if (!found.stale) return found;
  const { lockPath } = found;
  if (found.state === "foreign") {
    const place = placeOf(lockPath);
    const judge = (claim: LegacyClaim): Judgement => judgeLegacy(owners, claim, place);
    return {
      ...found,
      removed: migrates && migrateLegacyLock(place, judge, (text) => warn(text, "SWL_LEGACY")),
    };
  }
  const failure = evict(
    lockPath,
    found.owners.map(({ name }) => name),
  );
  if (failure === undefined) return { ...found, removed: true };
  return {
    ...found,
    note: failure === "ENOENT" ? "somebody else was first" : `it cannot be removed: ${failure}`,
  };
}

/** Evict, by the exact names, and the directory if nothing is left in it. The errno of the first that failed. */
function evict(lockPath: string, names: readonly string[]): string | undefined {
  let failure: string | undefined;
  for (const name of names) failure ??= failureOf(() => fs.unlinkSync(join(lockPath, name)));
  // It held our names, so it was a lock of ours. rmdir takes nothing but an empty directory, which counts as free.
  if (failure === undefined) failureOf(() => fs.rmdirSync(lockPath));
  return failure;
}

function failureOf(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return errnoText(error);
  }
}

/** @throws SessionWriteLockError `EINVAL` for anything that is not as documented. */
function readCleanOptions(params: CleanStaleLockFilesParams): Required<CleanStaleLockFilesParams> {
  const fail = (what: string): never => {
    throw new SessionWriteLockError(`Cannot clean session locks: ${what}`, {
      code: "EINVAL",
      sessionFile: "",
    });
  };
  if (typeof params !== "object" || params === null) return fail("the parameters must be an object");
  const { sessionsDir, removeStale = true, migrateLegacyLocks = false, ...unknown } = params;
  if (typeof sessionsDir !== "string" || sessionsDir === "" || sessionsDir.includes("\0")) {
    return fail("sessionsDir must be a path, a string that is not empty");
  }
  for (const [name, value] of Object.entries({ removeStale, migrateLegacyLocks })) {
    if (typeof value !== "boolean") return fail(`${name} must be a boolean, not ${textOf(value)}`);
  }
  for (const key of Object.keys(unknown)) return fail(`there is no option ${JSON.stringify(key)}`);
  return { sessionsDir, removeStale, migrateLegacyLocks };
}
