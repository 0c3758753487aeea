/**
 * What the dead leave beside the lock, homes, places in its line, life sockets and marks about them, is removed by name, once per process and directory,
 * in the background. A named extra of the protocol: it touches private things only, never a lock path, and only
 * those whose owner is proved dead.
 */

import fs from "node:fs/promises";
import { join } from "node:path";
import { OWN_DIRECTORY_FLAGS } from "./bounded.ts";
import { isLineName, MOST_NAMES, ownerOfPlace } from "./line.ts";
import type { OwnerIdentity } from "./owner/identity.ts";
import { isLeftSocket, isLifeSocketName, parseLifeSocketName } from "./owner/life.ts";
import { ownerDigest, parseMarkName, sweepMark } from "./owner/mark.ts";
import { formatOwnerName, isKnownJunk, parseHomeName, parseOwnerName } from "./owner/name.ts";
import { isLocalDisk } from "./paths.ts";
import { askAndJudge, type OwnerPlace, type Owners } from "./registry.ts";

const swept: Set<string> = new Set();

/** Starts the sweep of a directory, unless this process has done it. Never rejects, never waits. */
export function sweepOnce(directory: string, owners: Owners): void {
  if (swept.has(directory)) return;
  swept.add(directory);
  void sweep(directory, owners);
}

/** When a directory was last swept for space: a disk that stays full is not swept all the time. */
const sweptForSpaceAt: Map<string, number> = new Map();
const AGAIN_MS = 10_000;

/** Starts a sweep of a directory on a disk that is full, also if this process has done that before. As {@link sweepOnce}. */
export function sweepForSpace(directory: string, owners: Owners): void {
  const now = performance.now();
  if (now - (sweptForSpaceAt.get(directory) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return;
  sweptForSpaceAt.set(directory, now);
  void sweep(directory, owners);
}

/** Removes what the dead left; the names of those things that were removed. */
export async function sweep(directory: string, owners: Owners): Promise<readonly string[]> {
  const removed: string[] = [];
  try {
    const found = await list(directory);
    const { local, homes, lines, sockets, marks } = found;
    // First what no judgement is needed for: whoever sweeps may be killed any moment.
    const named = sockets.length > 0 ? await namedIn(directory, found) : NOBODY;
    const unnamed = sockets.filter((name) => !isNamed(name, named));
    removed.push(...(await sweepSockets(directory, fromAnywhere(unnamed))));
    for (const { name, owner } of fromAnywhere(homes)) {
      if (await sweepHome(join(directory, name), formatOwnerName(owner), local, owners)) removed.push(name);
    }
    for (const name of fromAnywhere(lines)) {
      if (await sweepLine(join(directory, name), owners)) removed.push(name);
    }
    removed.push(
      ...(await sweepSockets(directory, fromAnywhere(sockets.filter((name) => isNamed(name, named))))),
    );
    if (marks.length > 0) {
      const stillNamed = await namedIn(directory);
      for (const name of fromAnywhere(marks)) {
        if (await sweepMark(directory, name, stillNamed)) removed.push(name);
      }
    }
  } catch {
    // The directory went away, or may not be read: nothing to sweep, and nobody waits for it.
  }
  return removed;
}

const NOBODY: ReadonlySet<string> = new Set();

/** So many sockets are asked at the same time; for so many the directory is read once more. */
const PIECE = 32;

/**
 * Removes life sockets that refuse, unless one of them may be the only proof of a death: the names are read after it has
 * refused, since from then on those of its owner move no more. Piece by piece: what is done is done.
 */
async function sweepSockets(directory: string, sockets: readonly string[]): Promise<readonly string[]> {
  const removed: string[] = [];
  for (let at = 0; at < sockets.length; at += PIECE) {
    const piece = sockets.slice(at, at + PIECE);
    const refused = await Promise.all(piece.map((name) => isLeftSocket(directory, name)));
    if (!refused.includes(true)) continue;
    const named = await namedIn(directory);
    for (const [i, name] of piece.entries()) {
      if (refused[i] !== true || isNamed(name, named)) continue;
      if (await isDone(fs.unlink(join(directory, name)))) removed.push(name);
    }
  }
  return removed;
}

/** Nobody is named by a socket that was never made ready. */
function isNamed(socket: string, named: ReadonlySet<string>): boolean {
  const life = parseLifeSocketName(socket);
  return life !== undefined && named.has(life);
}

interface Found {
  readonly local: boolean;
  readonly homes: readonly { readonly name: string; readonly owner: OwnerIdentity }[];
  readonly lines: readonly string[];
  readonly sockets: readonly string[];
  readonly marks: readonly string[];
  readonly locks: readonly string[];
}

/** Places in a line, and life sockets, are where the disk is known to be local. */
async function list(directory: string): Promise<Found> {
  const local = isLocalDisk(directory);
  const homes: { readonly name: string; readonly owner: OwnerIdentity }[] = [];
  const lines: string[] = [];
  const sockets: string[] = [];
  const marks: string[] = [];
  const locks: string[] = [];
  for await (const { name } of await fs.opendir(directory)) {
    const owner = parseHomeName(name)?.owner;
    if (owner !== undefined) homes.push({ name, owner });
    else if (local && isLineName(name)) lines.push(name);
    else if (local && isLifeSocketName(name)) sockets.push(name);
    else if (parseMarkName(name) !== undefined) marks.push(name);
    else if (name.endsWith(".lock")) locks.push(name);
  }
  return { local, homes, lines, sockets, marks, locks };
}

/**
 * The lives of those who are named somewhere in a directory, whose sockets may be the only proof of their deaths; and the
 * digests of those at a lock path, about whom there are marks.
 */
async function namedIn(directory: string, found?: Found): Promise<ReadonlySet<string>> {
  const { homes, lines, locks } = found ?? (await list(directory));
  const named = new Set(homes.map(({ owner }) => owner.life));
  const addLife = (ownerName: string | undefined): void => {
    const owner = parseOwnerName(ownerName ?? "");
    if (owner !== undefined) named.add(owner.life);
  };
  for (const line of lines) {
    const read = async (inside: string): Promise<void> => {
      for (const place of await firstNamesIn(inside)) addLife(ownerOfPlace(place));
    };
    await isDone(inDirectory(join(directory, line), read));
  }
  for (const lock of locks) {
    // Spelt otherwise than a `Look` spells it, so that a trace tells the two apart.
    for (const name of await fs.readdir(`${join(directory, lock)}/.`).catch(() => [])) {
      addLife(name);
      named.add(ownerDigest(name));
    }
  }
  return named;
}

/** Who sweeps at the same time begins elsewhere: otherwise each of them would judge all that the first is about to remove. */
function fromAnywhere<T>(all: readonly T[]): readonly T[] {
  const at = Math.floor(Math.random() * all.length);
  return [...all.slice(at), ...all.slice(0, at)];
}

/** Its owner is who made it, and named by the home itself; a guest of his may be named inside. */
async function sweepHome(home: string, owner: string, local: boolean, owners: Owners): Promise<boolean> {
  const place = { path: home, local };
  if (!(await areDead(owners, [owner], place))) return false;
  const inside = await fs.readdir(home).catch(() => []);
  const guests = inside.filter((name) => name !== owner && owners.isOwner(name));
  return (await areDead(owners, guests, place)) && (await removeHome(home, [owner, ...guests]));
}

async function areDead(owners: Owners, names: readonly string[], place: OwnerPlace): Promise<boolean> {
  return (await askAndJudge(owners, names, place)).every(({ verdict }) => verdict === "dead");
}

async function removeHome(home: string, names: readonly string[]): Promise<boolean> {
  try {
    for (const name of names) await fs.unlink(join(home, name)).catch(ignoreMissing);
    // Mostly that is all.
    if (await isDone(fs.rmdir(home))) return true;
    await removeJunkIn(home);
    await fs.rmdir(home);
    return true;
  } catch {
    return false; // another sweeper was first, or somebody put a thing of his own there
  }
}

/** Whether it could be done. */
async function isDone(action: Promise<unknown>): Promise<boolean> {
  return await action.then(
    () => true,
    () => false,
  );
}

/**
 * The places of the dead go, and a line in which nobody waits: whether it went. Of a line that somebody else has filled no
 * more is read than whoever calls reads.
 */
async function sweepLine(line: string, owners: Owners): Promise<boolean> {
  const place = { path: line, local: true };
  try {
    await inDirectory(line, async (inside) => {
      for (const name of await firstNamesIn(inside)) {
        const owner = ownerOfPlace(name);
        if (owner === undefined || !(await areDead(owners, [owner], place))) continue;
        await fs.unlink(join(inside, name)).catch(() => {});
      }
    });
    await fs.rmdir(line);
    return true;
  } catch {
    return false; // somebody waits there, or put a thing of his own there, or it is no directory
  }
}

async function firstNamesIn(directory: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of await fs.opendir(directory)) {
    if (names.push(name) >= MOST_NAMES) break;
  }
  return names;
}

async function removeJunkIn(home: string): Promise<void> {
  await inDirectory(home, async (inside) => {
    for (const name of (await fs.readdir(inside)).filter(isKnownJunk)) await removeJunk(join(inside, name));
  });
}

/**
 * What looks like a home may be a link to a directory of somebody else, whose files have such names too, or become one
 * any moment: so what is opened is the directory itself, and what is removed is what is in it.
 */
async function inDirectory(path: string, action: (inside: string) => Promise<void>): Promise<void> {
  const directory = await fs.open(path, OWN_DIRECTORY_FLAGS);
  try {
    await action(process.platform === "linux" ? `/proc/self/fd/${directory.fd}` : path);
  } finally {
    await directory.close();
  }
}

async function removeJunk(path: string): Promise<void> {
  await fs.unlink(path).catch(() => fs.rmdir(path));
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
