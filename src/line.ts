/**
 * The line of those who wait for a lock under contention (spec/protocol.md, "The line"): each has a place in it, a
 * file beside the lock, and watches that file alone; whoever lets the lock go calls the first, by taking its file away. So one
 * process wakes when the lock changes hands, and in its turn; and not all of them, whenever it is taken and let go.
 *
 * A named extra of the protocol, about time only: who is called tries a `Take`, as whoever polls does, and who is not called polls.
 */

import { AsyncResource } from "node:async_hooks";
import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { ignoreErrors } from "./errors.ts";
import { lockDigest, parseOwnerName } from "./owner/name.ts";
import type { OpenWatcher, Watching } from "./watch.ts";
import { afterEvents, openWatcher } from "./watch.ts";

export interface Place {
  /** The name of the home that whoever waits will take the lock with: unique, and the sweep can judge it. */
  readonly owner: string;
  /** Since when it waits, in milliseconds of the time of day. It orders the line, and if it jumps, no more than that. */
  readonly since: number;
}

/** Of all locks of this process. */
export interface Line {
  /** Takes a place. `called` is called once, in a turn of its own, when that place was called, unless it left it before. Undefined where there can be none. */
  join(lockPath: string, place: Place, called: () => void): Watching | undefined;
  /** Calls the first. Whether there was anybody. A line without anybody goes. */
  callFirst(lockPath: string): boolean;
}

export interface LineParams {
  readonly open?: OpenWatcher;
  /** Calls back after the events of this turn of the event loop. */
  readonly afterTurn?: (callback: () => void) => void;
}

export function createLine({ open = openWatcher, afterTurn = afterEvents }: LineParams = {}): Line {
  return {
    join: (lockPath, place, called) => {
      const line = lineOf(lockPath);
      const file = join(line, placeName(place));
      if (!makePlace(line, file)) return undefined;
      let watcher: ReturnType<OpenWatcher> | undefined;
      let waits = true;
      const leave = (): void => {
        waits = false;
        ignoreErrors(() => watcher?.close());
      };
      const call = (): void => {
        if (!waits) return;
        leave();
        afterTurn(called);
      };
      const stop = (): void => {
        leave();
        ignoreErrors(() => fs.unlinkSync(file));
      };
      try {
        watcher = context.runInAsyncScope(open, undefined, file, { changed: call, failed: leave });
      } catch (error) {
        // It was called meanwhile; or no watcher can be had.
        if ((error as NodeJS.ErrnoException).code === "ENOENT") call();
        else {
          stop();
          return undefined;
        }
      }
      return { isOpen: () => waits, stop };
    },
    callFirst: (lockPath) => {
      const line = lineOf(lockPath);
      try {
        // Mostly there is none, and an exception costs more than a look. What is no directory is none of ours.
        if (fs.lstatSync(line, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
        const places = fs.readdirSync(line).filter((name) => ownerOfPlace(name) !== undefined);
        for (const name of places.sort()) if (take(join(line, name))) return true;
        fs.rmdirSync(line);
      } catch {
        // Somebody came meanwhile, or we may not: whoever waits polls.
      }
      return false;
    },
  };
}

/** Not of whoever waits first: its AsyncLocalStorage is none of the line's business. */
const context = new AsyncResource("SessionWriteLockLine");

function makePlace(line: string, file: string): boolean {
  for (const make of [() => {}, () => fs.mkdirSync(line)]) {
    try {
      make();
      // What others have planted there is not followed.
      if (!fs.lstatSync(line).isDirectory()) return false;
      fs.closeSync(fs.openSync(file, "wx"));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") return false;
    }
  }
  return false;
}

/** Whether it was there. */
function take(file: string): boolean {
  try {
    fs.unlinkSync(file);
    return true;
  } catch {
    return false;
  }
}

// ------------------------------------------------------------------------------------------------
// Names

const DIGITS = 14;
/** More than one process uses in turn. */
const MOST_REMEMBERED = 1_000;

/** By lock path: a digest costs as much as a system call. */
const lines = new Map<string, string>();

function lineOf(lockPath: string): string {
  const known = lines.get(lockPath);
  if (known !== undefined) return known;
  if (lines.size >= MOST_REMEMBERED) lines.clear();
  const line = join(dirname(lockPath), lineName(basename(lockPath)));
  lines.set(lockPath, line);
  return line;
}

/** The directory of the places, beside the lock. */
export function lineName(lockBasename: string): string {
  return `.swl-${lockDigest(lockBasename)}-line`;
}

/** In the order of the names those come first who wait for longest. */
export function placeName({ owner, since }: Place): string {
  return `${Math.max(0, Math.floor(since)).toString().padStart(DIGITS, "0")}-${owner}`;
}

/** Undefined for whatever is no place. */
export function ownerOfPlace(name: string): string | undefined {
  const owner = name.slice(DIGITS + 1);
  const isPlace = /^[0-9]{14}-/.test(name) && parseOwnerName(owner) !== undefined;
  return isPlace ? owner : undefined;
}

export const isLineName = (name: string): boolean => /^\.swl-[0-9a-f]{12}-line$/.test(name);
