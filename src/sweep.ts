/**
 * Homes that the dead leave beside the lock are removed by name, once per process and directory, in the
 * background. A named extra of the protocol: it touches private directories only, never a lock path, and
 * only those whose owner is proved dead.
 */

import fs from "node:fs/promises";
import { join } from "node:path";
import { formatOwnerName, parseHomeName } from "./owner/name.ts";
import type { Owners } from "./registry.ts";

const swept: Set<string> = new Set();

/** Starts the sweep of a directory, unless this process has done it. Never rejects, never waits. */
export function sweepOnce(directory: string, owners: Owners): void {
  if (swept.has(directory)) return;
  swept.add(directory);
  void sweep(directory, owners);
}

/** Removes the homes of the dead; the names of those that were removed. */
export async function sweep(directory: string, owners: Owners): Promise<readonly string[]> {
  const removed: string[] = [];
  try {
    for await (const { name } of await fs.opendir(directory)) {
      const owner = parseHomeName(name)?.owner;
      if (owner === undefined) continue;
      const ownerName = formatOwnerName(owner);
      if (owners.judge(ownerName).verdict !== "dead") continue;
      if (await removeHome(join(directory, name), ownerName)) removed.push(name);
    }
  } catch {
    // The directory went away, or may not be read: nothing to sweep, and nobody waits for it.
  }
  return removed;
}

async function removeHome(home: string, ownerName: string): Promise<boolean> {
  try {
    await fs.unlink(join(home, ownerName)).catch(ignoreMissing);
    await fs.rmdir(home);
    return true;
  } catch {
    return false; // another sweeper was first, or somebody put a thing of his own there
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
