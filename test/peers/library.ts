/**
 * Contenders that are copies of a lock library of npm. They reach the disk through the library's own `fs` option, or, if
 * it has none, through the `fs` that it requires.
 */

import { type Contender, type Happening, Mailbox, type Told, type View } from "./contender.ts";
import { type Call, PROCESS_NOW_MS, type Reply, type Stat } from "./disk.ts";
import { loadCopy } from "./packages.ts";

type Callback = (error: Error | null, value?: unknown) => void;

/** How the caller of a library uses it, in the words of the library. */
export interface Usage {
  /** The module that a process loads. */
  readonly module: string;
  /** `told` is called with what the caller learns; `fs` is for the library's option of that name, if it has one. */
  start(module: unknown, fs: object, told: (what: Told) => void): { asks(): void; letsGo(): void };
}

/** The time of the processes. */
export interface Clock {
  now(): number;
  /** A timer that is longer than a schedule. Returns what cancels it. */
  later(callback: () => void, ms: number): () => void;
}

/** All of a schedule happens meanwhile. */
const STANDING: Clock = { now: () => PROCESS_NOW_MS, later: () => () => {} };

/**
 * Up to here a timer is a step of a schedule. The shortest time after which a peer updates an mtime is 1 s; pauses between
 * two attempts are shorter.
 */
const LONGEST_STEP_MS = 100;

/** A contender of a library. */
export function createLibraryContender(
  { module, start }: Usage,
  index: number,
  { now, later }: Clock = STANDING,
): Contender {
  const mailbox = new Mailbox<Callback>();
  let told: Told = "nothing";
  const fs = recordingFs(String(index), (call, callback) => mailbox.send(call, false, callback));
  const setTimeout = (callback: () => void, ms: number): object => {
    const cancel = ms > LONGEST_STEP_MS ? later(callback, ms) : mailbox.arm(callback);
    return { cancel, unref: () => {} };
  };
  const clearTimeout = (timer: unknown): void => (timer as { cancel?: () => void } | null)?.cancel?.();
  const copy = loadCopy(module, { fs, index, now, setTimeout, clearTimeout });
  const caller = start(copy, fs, (what) => {
    told = what;
  });
  const tell = (happening: Happening): void => {
    switch (happening.kind) {
      case "asks":
        told = "waits";
        caller.asks();
        break;
      case "lets go":
        told = "released";
        caller.letsGo();
        break;
      case "turn":
        answer(mailbox.take(happening.id), happening.reply);
        break;
      case "fires":
        mailbox.fire(happening.id);
        break;
    }
  };
  return { tell, view: (): View => mailbox.view(told) };
}

/** The asynchronous calls of node:fs that the libraries make. A synchronous one is not there, and would throw. */
function recordingFs(process: string, send: (call: Call, callback: Callback) => void): object {
  const onPath =
    (op: "mkdir" | "rmdir" | "stat" | "unlink") =>
    (path: string, callback: Callback): void =>
      send({ op, path }, callback);
  const fromTo =
    (op: "rename" | "link") =>
    (from: string, to: string, callback: Callback): void =>
      send({ op, from, to }, callback);
  return {
    mkdir: onPath("mkdir"),
    rmdir: onPath("rmdir"),
    stat: onPath("stat"),
    unlink: onPath("unlink"),
    rename: fromTo("rename"),
    link: fromTo("link"),
    utimes: (path: string, _atime: Date, mtime: Date, callback: Callback): void =>
      send({ op: "utimes", path, mtimeMs: mtime.getTime() }, callback),
    open: (path: string, flags: string, callback: Callback): void => {
      if (flags !== "wx") throw new Error(`the disk of the harness cannot open with ${flags}`);
      send({ op: "open", path, process }, callback);
    },
    close: (descriptor: number, callback: Callback): void =>
      send({ op: "close", descriptor, process }, callback),
  };
}

function answer(callback: Callback, reply: Reply): void {
  if (!reply.ok) {
    callback(Object.assign(new Error(reply.errno), { code: reply.errno }));
    return;
  }
  const { value } = reply;
  callback(null, typeof value === "object" && "kind" in value ? statOf(value) : value);
}

/** Of fs.Stats what the libraries read. Anything else is a mistake, and not undefined. */
function statOf({ mtimeMs, ctimeMs }: Stat): object {
  const known: Readonly<Record<string, unknown>> = { mtime: new Date(mtimeMs), ctime: new Date(ctimeMs) };
  return new Proxy(known, {
    get: (target, key) => {
      if (typeof key !== "string" || !(key in target))
        throw new Error(`the harness has no stat.${String(key)}`);
      return target[key];
    },
  });
}

// ------------------------------------------------------------------------------------------------
// The libraries

/** How long an owner may be silent. The default of proper-lockfile; lockfile has none. */
export const STALE_MS = 10_000;

interface ProperLockfile {
  lock(file: string, options: object): Promise<() => Promise<void>>;
}

/** What the public module wraps in promises. */
interface ProperLockfileInside {
  lock(
    file: string,
    options: object,
    callback: (error: Error | null, release?: (callback: () => void) => void) => void,
  ): void;
}

export interface Wishes {
  readonly retries: number;
  readonly staleMs: number;
}

/** All but `fs` and `realpath` at their defaults; `stale` is said, since the story is about it. */
const properOptions = ({ retries, staleMs }: Wishes, fs: object, told: (what: Told) => void): object => ({
  ...{ stale: staleMs, realpath: false, fs, onCompromised: () => told("lost") },
  ...(retries === 0 ? {} : { retries: { retries, minTimeout: 10, maxTimeout: 10 } }),
});

/** proper-lockfile, or its fork, as its users have it. */
export const properLockfile = (packageName: string, file: string, wishes: Wishes): Usage => ({
  module: packageName,
  start: (loaded, fs, told) => {
    let release: (() => Promise<void>) | undefined;
    const granted = (given: () => Promise<void>): void => {
      release = given;
      told("holds");
    };
    const asks = (): void => {
      const asked = (loaded as ProperLockfile).lock(file, properOptions(wishes, fs, told));
      asked.then(granted, () => told("refused"));
    };
    return { asks, letsGo: () => void release?.().catch(() => {}) };
  },
});

/** Without the promises of its public module: whoever explores wants an answer in the same turn. */
export const properLockfileInside = (packageName: string, file: string, wishes: Wishes): Usage => ({
  module: `${packageName}/lib/lockfile.js`,
  start: (loaded, fs, told) => {
    let release: ((callback: () => void) => void) | undefined;
    const asks = (): void =>
      (loaded as ProperLockfileInside).lock(file, properOptions(wishes, fs, told), (error, given) => {
        release = given;
        told(error === null ? "holds" : "refused");
      });
    return { asks, letsGo: () => release?.(() => {}) };
  },
});

interface Lockfile {
  lock(path: string, options: object, callback: (error?: Error | null) => void): void;
  unlock(path: string, callback: () => void): void;
}

/** It has no `fs` option: it gets ours as `require("fs")`. */
export const lockfile = (path: string, { retries, staleMs }: Wishes): Usage => ({
  module: "lockfile",
  start: (loaded, _fs, told) => ({
    asks: () => {
      // The library writes into its options.
      const options = { stale: staleMs, ...(retries === 0 ? {} : { retries, retryWait: 10 }) };
      (loaded as Lockfile).lock(path, options, (error) =>
        told(error === undefined || error === null ? "holds" : "refused"),
      );
    },
    letsGo: () => (loaded as Lockfile).unlock(path, () => {}),
  }),
});
