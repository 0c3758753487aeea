/**
 * Life sockets (A1): a process keeps a unix socket open beside the locks that it uses, so that others of the
 * same kernel can ask whether it lives, whatever their namespaces. It accepts while a process has it open, also
 * a stopped one, and refuses when none has. A named extra of the protocol: no step waits for one to be made.
 */

import { AsyncResource } from "node:async_hooks";
import { createHash, randomBytes } from "node:crypto";
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { ignoreErrors } from "../errors.ts";

/** `silent`: no socket, or no answer that we understand. Proves nothing. */
export type LifeAnswer = "accepts" | "refuses" | "silent";

export interface LifeSocket {
  /** Stands in the names of the owners in this directory. */
  readonly life: string;
  /** Whether its file is still where it was made: directories are moved, and restored from copies. */
  isInPlace(): boolean;
  /** Only the file goes: whoever asks from now on learns nothing. Whether it is gone. */
  removeFile(): boolean;
  /** Nobody can ask any more. A socket whose file went elsewhere stays open: there it would refuse. */
  close(): void;
}

/**
 * Opens a life socket in a directory. Synchronous. Undefined where there can be none: on a full or read-only
 * disk, out of descriptors, on a file system without sockets. It does not keep the process alive.
 */
export function openLifeSocket(directory: string): LifeSocket | undefined {
  return context.runInAsyncScope(open, undefined, directory);
}

/** Not of whoever asks first: the socket would keep what that caller's AsyncLocalStorage holds. */
const context = new AsyncResource("SessionWriteLockLife");

function open(directory: string): LifeSocket | undefined {
  const server = createServer((socket) => socket.destroy());
  // Emitted in a later turn; whether it listens is known at once.
  server.on("error", () => {});
  try {
    const random = randomBytes(8).toString("hex");
    // A1: between bind and listen it refuses. So nobody may find it by its name before it listens.
    const early = `${FILE_PREFIX}${random}.tmp`;
    withShortPath(directory, early, (path) => listen(server, path));
    if (!server.listening) return undefined;
    letEverybodyAsk(join(directory, early));
    const inode = look(join(directory, early));
    const life = `${random}${digestOf(random, inode)}`;
    renameSync(join(directory, early), join(directory, `${FILE_PREFIX}${life}`));
    return lifeSocket(server, directory, life);
  } catch {
    ignoreErrors(() => server.close());
    return undefined;
  }
}

function lifeSocket(server: Server, directory: string, life: string): LifeSocket {
  const file = join(directory, `${FILE_PREFIX}${life}`);
  const isInPlace = (): boolean => isOriginal(life, file) !== undefined;
  const removeFile = (): boolean => {
    if (!isInPlace()) return false;
    ignoreErrors(() => unlinkSync(file));
    return !isInPlace();
  };
  return {
    life,
    isInPlace,
    removeFile,
    close: () => {
      if (removeFile()) server.close();
    },
  };
}

/** `exclusive`: the worker of a cluster listens itself, or the primary would seem to be it. */
function listen(server: Server, path: string): void {
  server.listen({ path, exclusive: true });
  server.unref();
}

/** Opens nothing, and names an inode: Linux's, on every architecture that Node.js runs on. It has no name in node:fs. */
const O_PATH = 0o10000000;

/**
 * Whoever may enter the directory may ask; all that can be done with a connection is to be hung up on. Not by
 * `writableAll`, whose chmod follows what stands at the path by then (spec/security.md): this is the socket itself.
 */
function letEverybodyAsk(file: string): void {
  // Without it only processes of this user can ask.
  ignoreErrors(() => {
    const fd = openSync(file, O_PATH | constants.O_NOFOLLOW);
    try {
      const stat = fstatSync(fd);
      if (stat.isSocket() && stat.uid === process.geteuid?.()) chmodSync(`/proc/self/fd/${fd}`, 0o777);
    } finally {
      closeSync(fd);
    }
  });
}

// ------------------------------------------------------------------------------------------------
// Asking

/** Asks the life socket of an owner. `answer` is called once, in a later turn. */
export function askLifeSocket(directory: string, life: string, answer: (answer: LifeAnswer) => void): void {
  askSocket(directory, life, (first) => {
    if (first !== "refuses") return answer(first);
    // A1: where connecting never works (a sandbox that forbids it, a view of the disk that we do not know)
    // everything refuses, also a socket that we know to be open.
    const own = openLifeSocket(directory);
    if (own === undefined) return answer("silent");
    askSocket(directory, own.life, (second) => {
      own.close();
      answer(second === "accepts" ? "refuses" : "silent");
    });
  });
}

function askSocket(directory: string, life: string, answer: (answer: LifeAnswer) => void): void {
  const file = join(directory, `${FILE_PREFIX}${life}`);
  const inode = isOriginal(life, file);
  if (inode === undefined) {
    setImmediate(answer, "silent");
    return;
  }
  try {
    withShortPath(directory, `${FILE_PREFIX}${life}`, (path) =>
      connectTo(path, (reply) => {
        // A1: its process may have closed it, and removed the file first, while we were on our way.
        const still = reply !== "refuses" || isOriginal(life, file)?.ctimeNs === inode.ctimeNs;
        answer(still ? reply : "silent");
      }),
    );
  } catch {
    setImmediate(answer, "silent");
  }
}

/** `answer` is called once. */
export function connectTo(path: string, answer: (answer: LifeAnswer) => void): void {
  let answered = false;
  const settle = (reply: LifeAnswer): void => {
    if (!answered) answer(reply);
    answered = true;
  };
  const socket = connect({ path });
  socket.on("connect", () => {
    settle("accepts");
    socket.destroy();
  });
  socket.on("error", ({ code }: NodeJS.ErrnoException) =>
    settle(code === "ECONNREFUSED" ? "refuses" : "silent"),
  );
  // Somebody destroyed it: tools that end a process gracefully go through its sockets.
  socket.on("close", () => settle("silent"));
}

// ------------------------------------------------------------------------------------------------
// Files

const FILE_PREFIX = ".swl-life-";
const FILE_NAME = /^\.swl-life-([0-9a-f]{16})([0-9a-f]{16}|\.tmp)$/;

/** Whose socket a file name stands for: `undefined` for every other name, and for one that is just being made. */
export function parseLifeSocketName(name: string): string | undefined {
  const [, random, rest] = FILE_NAME.exec(name) ?? [];
  return random === undefined || rest === undefined || rest === ".tmp" ? undefined : `${random}${rest}`;
}

export function isLifeSocketName(name: string): boolean {
  return FILE_NAME.test(name);
}

/**
 * Is the file the socket that the owner made, seen as the owner saw it? Device and inode number are in its name, as
 * a digest. A1: a copy of the directory holds a socket too, on which nobody listens; and so it is seen through another
 * file system, or another mount. While its process lives, the inode is in use and its number is not given again.
 */
function isOriginal(life: string, file: string): BigIntStats | undefined {
  try {
    const inode = look(file);
    // A1: a regular file would refuse too.
    return inode.isSocket() && life.slice(16) === digestOf(life.slice(0, 16), inode) ? inode : undefined;
  } catch {
    return undefined;
  }
}

const look = (file: string): BigIntStats => lstatSync(file, { bigint: true });

function digestOf(random: string, { dev, ino }: BigIntStats): string {
  return createHash("sha256").update(`${random} ${dev} ${ino}`).digest("hex").slice(0, 16);
}

/** One that was not renamed yet refuses, while its process gets it ready: that takes no minute. */
const READY_WITHIN_MS = 60_000;

/**
 * Whether this life socket may go if nobody is named by it: it refuses, or it was never made ready. Not calibrated, since it
 * proves nothing: a full disk has no inode for a socket of ours. One of the living that goes all the same is made anew with
 * the next home.
 */
export async function isLeftSocket(directory: string, name: string): Promise<boolean> {
  const life = parseLifeSocketName(name);
  try {
    if (life === undefined)
      return Date.now() - Number(look(join(directory, name)).ctimeMs) >= READY_WITHIN_MS;
    return (await new Promise((resolve) => askSocket(directory, life, resolve))) === "refuses";
  } catch {
    return false; // another sweeper was first
  }
}

/** What `sun_path` takes, its null byte aside. Older versions of libuv cut the rest off without a word. */
const LONGEST_SOCKET_PATH = 107;

/** Calls `use`, which must make its system call at once, with a path that is short enough for a socket. */
export function withShortPath(directory: string, name: string, use: (path: string) => void): void {
  const direct = join(directory, name);
  if (Buffer.byteLength(direct) <= LONGEST_SOCKET_PATH) {
    use(direct);
    return;
  }
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    use(`/proc/self/fd/${fd}/${name}`);
  } finally {
    closeSync(fd);
  }
}
