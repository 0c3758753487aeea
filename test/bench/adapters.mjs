/**
 * Every lock of the bench behind one shape. Plain JavaScript: it runs in the workers, which must start fast.
 *
 * Peers are used as their documentation says. Those that poll are told to poll like ours: from 1 ms, up to 15 ms, or
 * as near to that as their options allow, for with their defaults (100 ms, 1 s) only their defaults would be compared.
 */

import fs from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/**
 * Takes the lock, and gives what releases it.
 *
 * @typedef {() => Promise<() => unknown>} Acquire
 * Makes the `Acquire` of one task for one file. The file exists.
 * @typedef {(file: string) => Acquire} Open
 */

const require = createRequire(import.meta.url);

/** Longer than any round: a wait that ends by it is a failure, and is reported. */
const PATIENT_MS = 60_000;
/** What `retry`, under proper-lockfile and its fork, calls the polling of ours. */
const POLLS = { retries: 8, factor: 1.5, minTimeout: 1, maxTimeout: 15, randomize: true, forever: true };
/** The constant period of `lockfile`. */
const POLL_MS = 2;
/** The shortest that proper-lockfile allows; its default is 10 s. Of interest for takeovers only. */
const STALE_MS = 2_000;

/** @type {Record<string, () => Promise<Open>>} */
export const ADAPTERS = {
  /** Not a lock: what two renames cost a program that waits for each. Of a directory with a file in it, as a home has. */
  floor: async () => (file) => {
    const home = `${file}.home`;
    const path = `${file}.lock`;
    fs.mkdirSync(home, { recursive: true });
    fs.writeFileSync(join(home, "own"), "");
    return async () => {
      await fs.promises.rename(home, path);
      return () => fs.promises.rename(path, home);
    };
  },

  ours: async () => {
    const library = new URL("../../dist/index.js", import.meta.url);
    const { acquireSessionWriteLock } = await import(library.href);
    return (sessionFile) => async () => {
      const lock = await acquireSessionWriteLock({ sessionFile, timeoutMs: PATIENT_MS });
      return () => lock.release();
    };
  },

  "proper-lockfile": async () => properLockfile(require("proper-lockfile")),
  "proper-lockfile2": async () => properLockfile(require("@bybrave/proper-lockfile2")),

  lockfile: async () => {
    const lockfile = require("lockfile");
    return (file) => async () => {
      const path = `${file}.lock`;
      // It writes into its options: they are made for each call.
      await new Promise((resolve, reject) => {
        const options = { wait: PATIENT_MS, pollPeriod: POLL_MS, stale: STALE_MS };
        lockfile.lock(path, options, (/** @type {unknown} */ error) =>
          error ? reject(error) : resolve(undefined),
        );
      });
      return () => new Promise((resolve) => lockfile.unlock(path, resolve));
    };
  },

  /** It polls every 500 ms, whatever its options say. */
  "cross-process-lock": async () => {
    const { lock } = require("cross-process-lock");
    return (file) => () => lock(file, { waitTimeout: PATIENT_MS });
  },

  /** Each task has a descriptor of its own: flock(2) knows no other owners. To unlock waits for nobody: at once. */
  flock: async () => {
    const { flock, flockSync } = nativeRequire()("fs-ext");
    return (file) => {
      const descriptor = fs.openSync(file, "r+");
      return async () => {
        await new Promise((resolve, reject) => {
          flock(descriptor, "ex", (/** @type {unknown} */ error) =>
            error ? reject(error) : resolve(undefined),
          );
        });
        return () => flockSync(descriptor, "un");
      };
    };
  },

  "async-mutex": async () => {
    const { Mutex } = require("async-mutex");
    /** @type {Map<string, { acquire: Acquire }>} */
    const mutexes = new Map();
    return (file) => {
      const mutex = mutexes.get(file) ?? new Mutex();
      mutexes.set(file, mutex);
      return () => mutex.acquire();
    };
  },

  /** The negative twin: excludes nobody, and would be the fastest of all. The bench must say so. */
  broken: async () => () => async () => () => {},
};

/** @param {{ lock: Function }} library @returns {Open} */
function properLockfile({ lock }) {
  return (file) => () => lock(file, { retries: POLLS, stale: STALE_MS });
}

/** Of the packages that are built on demand. */
export function nativeRequire() {
  return createRequire(new URL("native/package.json", import.meta.url));
}
