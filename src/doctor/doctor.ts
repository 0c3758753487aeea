/**
 * Tests the assumptions of spec/assumptions.md in one directory: this file system, this kernel, this clock. All that it
 * makes is in a private directory of its own, which goes again; what is there already is looked at, and never touched.
 */

import fs from "node:fs";
import { join, resolve } from "node:path";
import { nodeDisk } from "../disk.ts";
import { errnoText, ignoreErrors, SessionWriteLockError } from "../errors.ts";
import { newNonce } from "../owner/identity.ts";
import { formatOwnerName, parseOwnerName } from "../owner/name.ts";
import { createObserver } from "../owner/observe.ts";
import { createOwners } from "../owners.ts";
import { isLocalDisk } from "../paths.ts";
import { askAndJudge, processRegistry } from "../registry.ts";
import { checkClock, lookAtClock } from "./clock.ts";
import { checkDisk } from "./disk.ts";
import { checkHomes, checkKind, checkSpace, checkWriters, lookAtOtherLocks } from "./place.ts";
import { checkHost, checkProcesses, type How } from "./processes.ts";
import { about, type Result, type Row, type World, worstOf } from "./row.ts";

export interface Diagnosis {
  /** Canonical. */
  readonly directory: string;
  /** The worst of the rows. */
  readonly result: Result;
  readonly rows: readonly Row[];
}

export interface DoctorOptions {
  /** Without what takes seconds, or a process of its own. */
  readonly quick?: boolean;
  readonly world?: World;
  /** Is given what removes all that the doctor makes, before it makes anything: for whoever is ended by a signal. */
  readonly onScratch?: (remove: () => void) => void;
}

export const REAL_WORLD: World = {
  disk: nodeDisk,
  observer: createObserver(),
  wall: () => Date.now(),
  monotonic: () => performance.now(),
};

/** @throws SessionWriteLockError `EDISK` if that is no directory that can be read. */
export async function examine(given: string, options: DoctorOptions = {}): Promise<Diagnosis> {
  const { quick = false, world = REAL_WORLD, onScratch = () => {} } = options;
  const directory = canonical(given);
  const local = isLocalDisk(directory);
  await removeLeftScratches(directory, local);
  const lookAgain = await lookAtOtherLocks(directory, quick);
  const rows: Row[] = [
    ...checkWriters(directory),
    checkKind(directory),
    checkHost(world.observer),
    checkSpace(directory),
  ];
  const scratch = openScratch(directory, onScratch);
  if (typeof scratch === "string") rows.push(...(await doWithout(scratch, world, { quick, local })));
  else {
    try {
      rows.push(
        ...checkHomes(scratch.path, directory),
        ...(await tryIn(scratch.path, world, { quick, local })),
      );
    } finally {
      scratch.remove();
    }
  }
  rows.push(await lookAgain());
  rows.sort((one, other) => ORDER.indexOf(one.subject) - ORDER.indexOf(other.subject));
  return { directory, result: worstOf(rows), rows };
}

async function tryIn(scratch: string, world: World, how: How): Promise<readonly Row[]> {
  const clock = lookAtClock(world, scratch);
  return [
    ...(await checkDisk(world.disk, scratch, how.quick ? QUICK_ROUNDS : ROUNDS)),
    ...(await checkProcesses(world, scratch, how)),
    ...(await checkClock(world, scratch, clock)),
  ];
}

/** Where nothing can be made, what would have been tried in it is not known. */
async function doWithout(why: string, world: World, how: How): Promise<readonly Row[]> {
  const nothing = "nothing can be made here";
  return [
    about("needs", "a directory can be made").fail(why, "nobody can take a lock here"),
    about("A3", "rename").unknown("not tried", nothing),
    about("A7", "refusals").unknown("not tried", nothing),
    about("A8", "a beat moves the mtime").unknown("not tried", nothing),
    ...(await checkProcesses(world, undefined, how)),
  ];
}

const ORDER: readonly Row["subject"][] = ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "needs"];

/** Of four at once: enough to see a disk that is wrong now and then, and still a second on a slow one. */
const ROUNDS = 200;
const QUICK_ROUNDS = 20;

function canonical(given: string): string {
  const cannot = (why: string, cause?: unknown): SessionWriteLockError =>
    new SessionWriteLockError(`Cannot examine ${given}: ${why}`, {
      code: "EDISK",
      sessionFile: given,
      cause,
    });
  try {
    const directory = fs.realpathSync.native(resolve(given));
    if (!fs.statSync(directory).isDirectory()) throw cannot("it is not a directory");
    fs.readdirSync(directory);
    return directory;
  } catch (error) {
    if (error instanceof SessionWriteLockError) throw error;
    throw cannot(errnoText(error), error);
  }
}

// ------------------------------------------------------------------------------------------------
// The private directory

interface Scratch {
  readonly path: string;
  remove(): void;
}

const PREFIX = ".swl-doctor-";

/** Or why there is none. Named with its owner, so that a later doctor knows it for one of the dead. */
function openScratch(
  directory: string,
  onScratch: NonNullable<DoctorOptions["onScratch"]>,
): Scratch | string {
  const owner = formatOwnerName({ ...processRegistry().self, life: "-", nonce: newNonce() });
  const path = join(directory, `${PREFIX}${owner}`);
  const remove = (): void => removeTree(path);
  // Before it is made: a signal may come right after.
  onScratch(remove);
  try {
    fs.mkdirSync(path, { mode: 0o700 });
    return { path, remove };
  } catch (error) {
    return errnoText(error);
  }
}

/** What doctors left that were killed: our user's own, where nobody else could have put anything. */
async function removeLeftScratches(directory: string, local: boolean): Promise<void> {
  const owners = createOwners(processRegistry().self);
  for (const name of fs.readdirSync(directory)) {
    const owner = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : "";
    if (parseOwnerName(owner) === undefined) continue;
    const path = join(directory, name);
    const [judged] = await askAndJudge(owners, [owner], { path, local });
    if (judged?.verdict === "dead" && isPrivate(path)) removeTree(path);
  }
}

function isPrivate(path: string): boolean {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.geteuid?.() && (stat.mode & 0o077) === 0;
}

/** What cannot be removed stays, and is tried again by the next doctor. */
function removeTree(path: string): void {
  ignoreErrors(() => fs.rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
}
