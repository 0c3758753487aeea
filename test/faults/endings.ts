/**
 * What is left when all owners have ended: a real newcomer, with the whole library, must get the lock, and nothing of
 * the dead may stay.
 */

import fs from "node:fs";
import { join } from "node:path";
import type { NameMap, State } from "../../model/state.ts";
import { acquireSessionWriteLock } from "../../src/lock.ts";
import { newNonce, readOwnerScope } from "../../src/owner/identity.ts";
import { formatOwnerName, homeName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import { sweep } from "../../src/sweep.ts";
import { freshDirectory, removeDirectory } from "../lockstep/programs.ts";

/** What stands in the session directory: the names at the lock path (null: nothing), and in each home. */
export interface Leftovers {
  readonly lock: readonly string[] | null;
  readonly homes: NameMap<readonly string[]>;
}

/** Equal for leftovers that are alike up to the names. */
export function shapeOf({ lock, homes }: Pick<State, "lock" | "homes">): string {
  const whole = homes.filter(([name, names]) => names.includes(name)).length;
  const others = homes.length - whole;
  return `${lock === null ? "absent" : `${lock.length} at L`}, ${whole} homes with their file, ${others} without`;
}

const self = readOwnerScope(createObserver());
/** Larger than any pid: kill(0) says ESRCH, so whoever calls himself so is proved dead (A1). */
const NO_PID = "2147483646";
const SESSION = "session.jsonl";

/** What stays although everybody is dead: empty, if all is well. */
export async function leftAfter(leftovers: Leftovers): Promise<readonly string[]> {
  const directory = freshDirectory();
  try {
    plant(directory, leftovers);
    const swept = await sweep(directory, createOwners(self));
    const lock = await acquireSessionWriteLock({ sessionFile: join(directory, SESSION), timeoutMs: 10_000 });
    lock.assertHeld();
    await lock.release();
    const whole = leftovers.homes.length;
    const left = fs.readdirSync(directory).filter((name) => !isOfTheNewcomer(name));
    return swept.length === whole ? left : [...left, `${swept.length} of ${whole} homes swept`];
  } finally {
    removeDirectory(directory);
  }
}

/** The directory as it was, with names of owners that are really dead. */
function plant(directory: string, { lock, homes }: Leftovers): void {
  const dead = new Map<string, string>();
  const nameOf = (name: string): string => {
    const known =
      dead.get(name) ?? formatOwnerName({ ...self, pid: NO_PID, tid: NO_PID, life: "-", nonce: newNonce() });
    dead.set(name, known);
    return known;
  };
  const fill = (path: string, names: readonly string[]): void => {
    fs.mkdirSync(path);
    for (const name of names) fs.writeFileSync(join(path, isName(name) ? nameOf(name) : name), "");
  };
  if (lock !== null) fill(join(directory, `${SESSION}.lock`), lock);
  for (const [name, names] of homes) fill(join(directory, homeName(`${SESSION}.lock`, nameOf(name))), names);
}

const isName = (name: string): boolean => /^[a-z]\.\d+\.\d+$/.test(name);

/** Its idle home, its life socket; and an empty directory at the lock path is free. */
function isOfTheNewcomer(name: string): boolean {
  return name === `${SESSION}.lock` || name.startsWith(".swl-life-") || name.includes(`own1_${process.pid}_`);
}
