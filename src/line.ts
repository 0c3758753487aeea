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
import { makeLikeParent } from "./disk.ts";
import { ignoreErrors } from "./errors.ts";
import { lockDigest, parseOwnerName } from "./owner/name.ts";
import { afterEvents, type OpenWatcher, openWatcher, type Watcher } from "./watch.ts";

export interface Place {
  /** The name of the home that whoever waits will take the lock with: unique, and the sweep can judge it. */
  readonly owner: string;
  /** Since when it waits, in milliseconds of the time of day. It orders the line, and if it jumps, no more than that. */
  readonly since: number;
}

/** Of somebody who has a place, or had one. */
export interface InLine {
  /** Whether it waits to be called. */
  isOpen(): boolean;
  /** Leaves. Whether it was called, and so nobody else was: whoever leaves without trying lets the next one be called. */
  stop(): boolean;
}

/** Of all locks of this process. */
export interface Line {
  /** Takes a place. `called` is called once, in a turn of its own, when that place was called, unless it left it before. Undefined where there can be none. */
  join(lockPath: string, place: Place, called: () => void): InLine | undefined;
  /** Calls the first. Whether there was anybody. A line without anybody goes. */
  callFirst(lockPath: string): boolean;
}

export interface LineParams {
  readonly open?: OpenWatcher;
  /** Calls back after the events of this turn of the event loop. */
  readonly afterTurn?: (callback: () => void) => void;
}

/** More than wait for one lock. A line with more names than that was filled by somebody else: nobody is called there. */
export const MOST_NAMES = 1_000;
/** What a directory of so many names may take, on any file system. One that is larger is not even read: that would take longer than a poll. */
const MOST_BYTES = 512 * 1024;
/** A line comes and goes with those who wait: how often one that has gone meanwhile is made anew. */
const MOST_ATTEMPTS = 3;

export function createLine({ open = openWatcher, afterTurn = afterEvents }: LineParams = {}): Line {
  return {
    join: (lockPath, place, called) => {
      const line = lineOf(lockPath);
      const file = join(line, placeName(place));
      if (!makePlace(line, file)) return undefined;
      let watcher: Watcher | undefined;
      let state: "waits" | "called" | "left" = "waits";
      const end = (how: "called" | "left"): void => {
        state = how;
        ignoreErrors(() => watcher?.close());
      };
      const call = (): void => {
        end("called");
        const tell = (): void => {
          if (state === "called") called();
        };
        context.runInAsyncScope(afterTurn, undefined, tell);
      };
      // A file that somebody only touched is still there.
      const changed = (): void => {
        if (state === "waits" && !fs.existsSync(file)) call();
      };
      /** Without a watcher a place is of no use. Whoever has taken it away believes that somebody comes. */
      const failed = (): void => {
        if (state !== "waits") return;
        if (take(file)) end("left");
        else call();
      };
      try {
        watcher = open(file, { changed, failed });
      } catch {
        // It was called meanwhile (ENOENT); or no watcher can be had.
        failed();
      }
      const stop = (): boolean => {
        const wasCalled = state === "called" || (state === "waits" && !take(file));
        end("left");
        return wasCalled;
      };
      // The compiler does not see that it changes in between.
      const isOver = (state as string) === "left";
      return isOver ? undefined : { isOpen: () => state === "waits", stop };
    },
    callFirst: (lockPath) => {
      const line = lineOf(lockPath);
      try {
        // Mostly there is none, and an exception costs more than a look. What is no directory is none of ours.
        const stat = fs.lstatSync(line, { throwIfNoEntry: false });
        if (stat?.isDirectory() !== true || stat.size > MOST_BYTES) return false;
        const names = fs.readdirSync(line);
        if (names.length > MOST_NAMES) return false;
        for (const name of names.sort()) {
          if (ownerOfPlace(name) !== undefined && take(join(line, name))) return true;
        }
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
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    try {
      const stat = fs.lstatSync(line, { throwIfNoEntry: false });
      // What others have planted there is not followed.
      if (stat !== undefined && !stat.isDirectory()) return false;
      if (stat === undefined) makeLikeParent(line);
      fs.closeSync(fs.openSync(file, "wx"));
      return true;
    } catch (error) {
      // Others have made it meanwhile, or it has gone again.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EEXIST" && code !== "ENOENT") return false;
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
const LATEST = 10 ** DIGITS - 1;
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
  const ms = Math.min(Math.max(0, Math.floor(since)), LATEST);
  return `${ms.toString().padStart(DIGITS, "0")}-${owner}`;
}

/** Undefined for whatever is no place. */
export function ownerOfPlace(name: string): string | undefined {
  const owner = name.slice(DIGITS + 1);
  const isPlace = /^[0-9]{14}-/.test(name) && parseOwnerName(owner) !== undefined;
  return isPlace ? owner : undefined;
}

export const isLineName = (name: string): boolean => /^\.swl-[0-9a-f]{12}-line$/.test(name);
