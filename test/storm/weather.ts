/** What a storm does to its processes besides signals: a disk that is full, and a lack of descriptors. */

import { execFile } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** More than a small disk has. Nobody fills a larger one. */
const MOST_BYTES = 64 * 2 ** 20;
const MOST_INODES = 20_000;

/** Takes every block and every inode of a disk. Whoever calls it calls the result later, and they are given back. */
export function fillDisk(directory: string): () => void {
  const filler = join(directory, "filler");
  // It may have been full before.
  const isThere = untilFull(() => fs.mkdirSync(filler));
  if (isThere) {
    untilFull(() => fs.writeFileSync(join(filler, "blocks"), BLOCKS));
    untilFull(() => {
      for (let i = 0; i < MOST_INODES; i++) fs.writeFileSync(join(filler, String(i)), "");
    });
  }
  return () => fs.rmSync(filler, { recursive: true, force: true });
}

const BLOCKS = Buffer.alloc(MOST_BYTES);

/** Whether all of it could be written. */
function untilFull(write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    return false;
  }
}

// ------------------------------------------------------------------------------------------------

const run = promisify(execFile);

export async function canLimitDescriptors(): Promise<boolean> {
  return await run("prlimit", ["--version"]).then(
    () => true,
    () => false,
  );
}

/** From now on the process can open nothing more, until the result is called. A process that is gone is no error. */
export async function takeDescriptors(pid: number): Promise<() => Promise<void>> {
  const limit = softLimit(pid);
  const open = new Set(list(`/proc/${pid}/fd`).map(Number));
  if (limit === undefined || open.size === 0) return async () => {};
  let lowestFree = 0;
  while (open.has(lowestFree)) lowestFree++;
  await setSoftLimit(pid, lowestFree);
  return () => setSoftLimit(pid, limit);
}

const setSoftLimit = async (pid: number, limit: number): Promise<void> =>
  void (await run("prlimit", ["--pid", String(pid), `--nofile=${limit}:`]).catch(() => {}));

function softLimit(pid: number): number | undefined {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/limits`, "utf8")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

function list(directory: string): readonly string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}
