/**
 * Tells whoever waits for a lock that something at its lock path may have changed, so that it looks at once and not
 * at its next poll (spec/protocol.md, "Waiting"). Nothing depends on being told: a watcher that cannot be opened,
 * fails, or loses events, costs time only.
 *
 * One watcher for each directory and process, open only while somebody waits there.
 */

import { AsyncResource } from "node:async_hooks";
import { watch } from "node:fs";
import { basename, dirname } from "node:path";
import { ignoreErrors } from "./errors.ts";

/** What a waiter has that wants to be told. */
export interface Watching {
  /** Whether it will be told: it is told once, and a watcher that failed tells nothing any more. */
  isOpen(): boolean;
  stop(): void;
}

/** An open watcher of one directory. */
export interface Watcher {
  close(): void;
}

export interface WatcherEvents {
  /** The entry of that name may be another one now; `null`: any of them. */
  changed(name: string | null): void;
  /** It tells nothing any more. */
  failed(): void;
}

/** Opens a watcher of a directory, or of a file. Throws where there can be none: no descriptors, no watches left (ENOSPC). */
export type OpenWatcher = (directory: string, events: WatcherEvents) => Watcher;

export interface WatchesParams {
  readonly open?: OpenWatcher;
  /** Calls back after the events of this turn of the event loop. */
  readonly afterTurn?: (callback: () => void) => void;
}

interface Waiter {
  readonly name: string;
  readonly told: () => void;
}

interface Directory {
  readonly path: string;
  readonly waiters: Set<Waiter>;
  watcher: Watcher | undefined;
}

/** The watchers of a process. */
export class Watches {
  readonly #open: OpenWatcher;
  readonly #afterTurn: (callback: () => void) => void;
  readonly #directories: Map<string, Directory> = new Map();

  constructor({ open = openWatcher, afterTurn = afterEvents }: WatchesParams = {}) {
    this.#open = open;
    this.#afterTurn = afterTurn;
  }

  /** How many watchers are open. */
  get size(): number {
    return this.#directories.size;
  }

  /**
   * Unless it stops before, `told` is called once, in a turn of its own, when something at the lock path may have changed
   * since now. Undefined where there can be no watcher.
   */
  watch(lockPath: string, told: () => void): Watching | undefined {
    const path = dirname(lockPath);
    const directory = this.#directories.get(path) ?? this.#openDirectory(path);
    if (directory === undefined) return undefined;
    const waiter: Waiter = { name: basename(lockPath), told };
    directory.waiters.add(waiter);
    return {
      isOpen: () => directory.watcher !== undefined && directory.waiters.has(waiter),
      stop: () => this.#leave(directory, waiter),
    };
  }

  #openDirectory(path: string): Directory | undefined {
    const directory: Directory = { path, waiters: new Set(), watcher: undefined };
    try {
      directory.watcher = this.#open(path, {
        changed: (name) => this.#changed(directory, name),
        failed: () => this.#close(directory),
      });
    } catch {
      return undefined;
    }
    this.#directories.set(path, directory);
    return directory;
  }

  #leave(directory: Directory, waiter: Waiter): void {
    directory.waiters.delete(waiter);
    if (directory.waiters.size === 0) this.#close(directory);
  }

  #close(directory: Directory): void {
    const { path, watcher } = directory;
    directory.watcher = undefined;
    if (this.#directories.get(path) === directory) this.#directories.delete(path);
    ignoreErrors(() => watcher?.close());
  }

  #changed(directory: Directory, name: string | null): void {
    for (const waiter of directory.waiters) {
      if (name !== null && name !== waiter.name) continue;
      // At once: what comes next is an event for nobody, if nobody else waits here.
      this.#leave(directory, waiter);
      this.#afterTurn(waiter.told);
    }
  }
}

/** Not of whoever waits first: its AsyncLocalStorage is none of the watcher's business. */
const context = new AsyncResource("SessionWriteLockWatch");

/** Keeps the process alive for this turn, and no longer. One that does not would wait for the next event if it was not asked for by one. */
export const afterEvents = (callback: () => void): void => {
  setImmediate(callback);
};

/** The real one. What it watches is the directory that stands there now: of one that takes its place it tells nothing. */
export function openWatcher(directory: string, { changed, failed }: WatcherEvents): Watcher {
  return context.runInAsyncScope(() => {
    const watcher = watch(directory, { persistent: false }, (_event, name) => changed(name));
    watcher.on("error", failed);
    return watcher;
  });
}
