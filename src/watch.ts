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
import type { Clock } from "./clock.ts";
import { ignoreErrors } from "./errors.ts";

/** A waiter is told at most this often: under contention L changes every few microseconds. */
export const CALM_MS = 1;

/** What a waiter has, for as long as it wants to be told. */
export interface Watching {
  /** Whether it may still be told: a watcher that failed tells nothing any more. */
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

/** Opens a watcher of a directory. Throws where there can be none: no descriptors, no watches left (ENOSPC). */
export type OpenWatcher = (directory: string, events: WatcherEvents) => Watcher;

export interface WatchesParams {
  readonly clock: Clock;
  readonly open?: OpenWatcher;
  /** Calls back after the events of this turn of the event loop. */
  readonly afterTurn?: (callback: () => void) => void;
}

interface Waiter {
  readonly name: string;
  readonly told: () => void;
  toldAt: number;
  /** It will be told: what changes until then is told with it. */
  pending: boolean;
}

interface Directory {
  readonly waiters: Set<Waiter>;
  watcher: Watcher | undefined;
}

/** The watchers of a process. */
export class Watches {
  readonly #clock: Clock;
  readonly #open: OpenWatcher;
  readonly #afterTurn: (callback: () => void) => void;
  readonly #directories: Map<string, Directory> = new Map();

  constructor({ clock, open = openWatcher, afterTurn = afterEvents }: WatchesParams) {
    this.#clock = clock;
    this.#open = open;
    this.#afterTurn = afterTurn;
  }

  /** How many watchers are open. */
  get size(): number {
    return this.#directories.size;
  }

  /**
   * From now on, until it stops, `told` is called when something at the lock path may have changed: in a turn of its own,
   * once for whatever changed since. Undefined where there can be no watcher.
   */
  watch(lockPath: string, told: () => void): Watching | undefined {
    const path = dirname(lockPath);
    const directory = this.#directories.get(path) ?? this.#openDirectory(path);
    if (directory === undefined) return undefined;
    const waiter: Waiter = {
      name: basename(lockPath),
      told,
      toldAt: Number.NEGATIVE_INFINITY,
      pending: false,
    };
    directory.waiters.add(waiter);
    return {
      isOpen: () => directory.watcher !== undefined && directory.waiters.has(waiter),
      stop: () => {
        directory.waiters.delete(waiter);
        if (directory.waiters.size === 0) this.#closeDirectory(path, directory);
      },
    };
  }

  #openDirectory(path: string): Directory | undefined {
    const directory: Directory = { waiters: new Set(), watcher: undefined };
    try {
      directory.watcher = this.#open(path, {
        changed: (name) => this.#changed(directory, name),
        failed: () => this.#closeDirectory(path, directory),
      });
    } catch {
      return undefined;
    }
    this.#directories.set(path, directory);
    return directory;
  }

  #closeDirectory(path: string, directory: Directory): void {
    const { watcher } = directory;
    directory.watcher = undefined;
    if (this.#directories.get(path) === directory) this.#directories.delete(path);
    ignoreErrors(() => watcher?.close());
  }

  #changed(directory: Directory, name: string | null): void {
    for (const waiter of directory.waiters) {
      if (waiter.pending || (name !== null && name !== waiter.name)) continue;
      waiter.pending = true;
      const calm = waiter.toldAt + CALM_MS - this.#clock.now();
      const tell = (): void => this.#tell(directory, waiter);
      if (calm > 0) this.#clock.setTimer(calm, tell, "background");
      else this.#afterTurn(tell);
    }
  }

  #tell(directory: Directory, waiter: Waiter): void {
    waiter.pending = false;
    if (!directory.waiters.has(waiter)) return;
    waiter.toldAt = this.#clock.now();
    waiter.told();
  }
}

/** Not of whoever waits first: its AsyncLocalStorage is none of the watcher's business. */
const context = new AsyncResource("SessionWriteLockWatch");

/** Does not keep the process alive: the timer of whoever waits does. */
const afterEvents = (callback: () => void): void => {
  setImmediate(callback).unref();
};

/** The real one. What it watches is the directory that stands there now: of one that takes its place it tells nothing. */
function openWatcher(directory: string, { changed, failed }: WatcherEvents): Watcher {
  return context.runInAsyncScope(() => {
    const watcher = watch(directory, { persistent: false }, (_event, name) => changed(name));
    watcher.on("error", failed);
    return watcher;
  });
}
