/** The calls of a schedule on a real directory. */

import fs from "node:fs";
import { join } from "node:path";
import { FOLDER, type Leftover } from "./contender.ts";
import { type Call, PROCESS_NOW_MS, type Reply } from "./disk.ts";
import type { Performer } from "./replay.ts";

/**
 * On a real disk the stamps are real, and ctime cannot be set. So what the dead owner left is made first, then there is a pause,
 * and the limit lies between: the clocks of the processes stand still at a minute after the beginning, when what was made
 * before the pause is older than the limit, and what is made after it is not, however slow this machine is (a minute at most).
 */
const PAUSE_MS = 100;
const AHEAD_MS = 60_000;
export const STALE_ON_DISK_MS: number = AHEAD_MS + PAUSE_MS / 2;

export async function realDisk(before: readonly Leftover[], folder: string): Promise<Performer> {
  const real = (path: string): string => join(folder, path.slice(FOLDER.length));
  for (const { path, kind, content = "" } of before) {
    if (kind === "directory") fs.mkdirSync(real(path));
    else fs.writeFileSync(real(path), content, { flag: "wx" });
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  /** What to add to a real time, to get that of the harness. */
  const shiftMs = PROCESS_NOW_MS - (Date.now() + AHEAD_MS);
  return (call) => performReal(call, real, shiftMs);
}

/** `shiftMs`: what to add to a time of that disk. */
export async function performReal(
  call: Call,
  real: (path: string) => string,
  shiftMs: number,
): Promise<Reply> {
  try {
    return await makeReal(call, real, shiftMs);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { ok: false, errno: code };
  }
}

async function makeReal(call: Call, real: (path: string) => string, shiftMs: number): Promise<Reply> {
  const later = fs.promises;
  switch (call.op) {
    case "mkdir":
    case "rmdir":
    case "unlink":
      await later[call.op](real(call.path));
      break;
    case "stat": {
      const found = await later.stat(real(call.path));
      const kind = found.isDirectory() ? "directory" : "file";
      return {
        ok: true,
        value: { kind, mtimeMs: found.mtimeMs + shiftMs, ctimeMs: found.ctimeMs + shiftMs },
      };
    }
    case "readdir":
      return { ok: true, value: (await later.readdir(real(call.path))).sort() };
    case "readFile":
      return { ok: true, value: await later.readFile(real(call.path), "utf8") };
    case "remove":
      await later.rm(real(call.path), { force: true });
      break;
    case "removeTree":
      await later.rm(real(call.path), { force: true, recursive: true });
      break;
    case "utimes": {
      const time = new Date(call.mtimeMs - shiftMs);
      await later.utimes(real(call.path), time, time);
      break;
    }
    case "rename":
    case "link":
      await later[call.op](real(call.from), real(call.to));
      break;
    case "replace":
      await later.rm(real(call.to), { force: true, recursive: true });
      await later.rename(real(call.from), real(call.to));
      break;
    case "open":
      return { ok: true, value: fs.openSync(real(call.path), "wx") };
    case "write":
      fs.writeSync(call.descriptor, call.content, 0);
      break;
    case "close":
      fs.closeSync(call.descriptor);
      break;
    case "prepare":
      await later.mkdir(real(call.path));
      for (const name of call.names) await later.writeFile(`${real(call.path)}/${name}`, "", { flag: "wx" });
      break;
  }
  return { ok: true };
}

/** In a directory of its own, which is removed afterwards. */
export async function playOnDisk<T>(parent: string, play: (folder: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(join(parent, "swl-peers-"));
  try {
    return await play(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
