/**
 * What the dead leave beside the lock, homes and life sockets, is removed by name, once per process and directory,
 * in the background. A named extra of the protocol: it touches private things only, never a lock path, and only
 * those whose owner is proved dead.
 */

import fs from "node:fs/promises";
import { join } from "node:path";
import { isLifeSocketName, sweepLifeSocket } from "./owner/life.ts";
import { formatOwnerName, isKnownJunk, parseHomeName, parseOwnerName } from "./owner/name.ts";
import { isLocalDisk } from "./paths.ts";
import { askAndJudge, type Owners } from "./registry.ts";

const swept: Set<string> = new Set();

/** Starts the sweep of a directory, unless this process has done it. Never rejects, never waits. */
export function sweepOnce(directory: string, owners: Owners): void {
  if (swept.has(directory)) return;
  swept.add(directory);
  void sweep(directory, owners);
}

/** Removes the homes and life sockets of the dead; the names of those that were removed. */
export async function sweep(directory: string, owners: Owners): Promise<readonly string[]> {
  const removed: string[] = [];
  const local = isLocalDisk(directory);
  const sockets: string[] = [];
  const locks: string[] = [];
  /** Whose owner's name is still somewhere here: their sockets may be the only proof. */
  const needed = new Set<string | undefined>();
  const isNeeded = async (life: string): Promise<boolean> => {
    for (const lock of locks.splice(0)) for (const found of await livesAt(lock)) needed.add(found);
    return needed.has(life);
  };
  try {
    for await (const { name } of await fs.opendir(directory)) {
      const owner = parseHomeName(name)?.owner;
      if (owner !== undefined) {
        if (await sweepHome(join(directory, name), formatOwnerName(owner), local, owners)) removed.push(name);
        else needed.add(owner.life);
      } else if (local && isLifeSocketName(name)) sockets.push(name);
      else if (name.endsWith(".lock")) locks.push(join(directory, name));
    }
    for (const name of sockets) {
      if (await sweepLifeSocket(directory, name, isNeeded)) removed.push(name);
    }
  } catch {
    // The directory went away, or may not be read: nothing to sweep, and nobody waits for it.
  }
  return removed;
}

/** Of the owners at a lock path. Spelt otherwise than a `Look` spells it, so that a trace tells the two apart. */
async function livesAt(lockPath: string): Promise<readonly (string | undefined)[]> {
  const names = await fs.readdir(`${lockPath}/.`).catch(() => []);
  return names.map((name) => parseOwnerName(name)?.life);
}

/** Its owner is who made it, and named by the home itself; a guest of his may be named inside. */
async function sweepHome(home: string, owner: string, local: boolean, owners: Owners): Promise<boolean> {
  const areDead = async (names: readonly string[]): Promise<boolean> =>
    (await askAndJudge(owners, names, { path: home, local })).every(({ verdict }) => verdict === "dead");
  if (!(await areDead([owner]))) return false;
  const inside = await fs.readdir(home).catch(() => []);
  const guests = inside.filter((name) => name !== owner && owners.isOwner(name));
  return (await areDead(guests)) && (await removeHome(home, [owner, ...guests], inside.filter(isKnownJunk)));
}

async function removeHome(home: string, names: readonly string[], junk: readonly string[]): Promise<boolean> {
  try {
    for (const name of names) await fs.unlink(join(home, name)).catch(ignoreMissing);
    for (const name of junk) await removeJunk(join(home, name));
    await fs.rmdir(home);
    return true;
  } catch {
    return false; // another sweeper was first, or somebody put a thing of his own there
  }
}

async function removeJunk(path: string): Promise<void> {
  await fs.unlink(path).catch(() => fs.rmdir(path));
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
