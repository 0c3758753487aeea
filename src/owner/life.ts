/**
 * Life sockets (A1): a process keeps a unix socket open beside the locks that it uses, so that others of the
 * same kernel can ask whether it lives, whatever their namespaces. It accepts while a process has it open, also
 * a stopped one, and refuses when none has. A named extra of the protocol: no step waits for one to be made.
 */

import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";

/** `silent`: no socket, or no answer that we understand. Proves nothing. */
export type LifeAnswer = "accepts" | "refuses" | "silent";

export interface LifeSocket {
  /** Nobody can ask any more. */
  close(): void;
  /** Only the file goes: what asks from now on learns nothing. */
  removeFile(): void;
}

/**
 * Opens the life socket of this process in a directory. Synchronous. Undefined where there can be none: on a
 * full or read-only disk, out of descriptors, on a file system without sockets. It does not keep the process
 * alive.
 */
export function openLifeSocket(directory: string, life: string): LifeSocket | undefined {
  const server = createServer((socket) => socket.destroy());
  // Emitted in a later turn; whether it listens is known at once.
  server.on("error", () => {});
  try {
    const name = lifeSocketName(life, statSync(directory));
    // A1: between bind and listen it refuses. So nobody may find it by its name before it listens.
    const early = `${name}.tmp`;
    withShortPath(directory, early, (path) => listen(server, path));
    if (!server.listening) return undefined;
    const file = join(directory, name);
    renameSync(join(directory, early), file);
    const removeFile = (): void => ignoreErrors(() => unlinkSync(file));
    return {
      removeFile,
      close: () => {
        removeFile();
        server.close();
      },
    };
  } catch {
    ignoreErrors(() => server.close());
    return undefined;
  }
}

/**
 * `exclusive`: the worker of a cluster listens itself, or the master would seem to be it. `writableAll`: whoever may
 * enter the directory may ask; all that can be done with a connection is to be hung up on.
 */
function listen(server: Server, path: string): void {
  server.listen({ path, exclusive: true, writableAll: true });
  server.unref();
}

/** Asks the life socket of an owner. `answer` is called once, in a later turn. */
export function askLifeSocket(directory: string, life: string, answer: (answer: LifeAnswer) => void): void {
  try {
    askSocket(directory, lifeSocketName(life, statSync(directory)), answer);
  } catch {
    setImmediate(answer, "silent");
  }
}

/** @throws the system's errors. */
function askSocket(directory: string, name: string, answer: (answer: LifeAnswer) => void): void {
  // A1: a regular file would refuse too.
  if (!lstatSync(join(directory, name)).isSocket()) throw new TypeError(`${name} is not a socket`);
  withShortPath(directory, name, (path) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      answer("accepts");
      socket.destroy();
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => {
      answer(code === "ECONNREFUSED" ? "refuses" : "silent");
    });
  });
}

/** One that was not renamed yet refuses, while its process gets it ready: that takes no minute. */
const READY_WITHIN_MS = 60_000;

/**
 * Removes a life socket that refuses; whether it did. Its name is unique, so nobody else's is hit; and one of
 * the living that is hit all the same costs a proof, and no safety.
 */
export async function sweepLifeSocket(directory: string, name: string): Promise<boolean> {
  const [, life = "", early] = SOCKET_NAME.exec(name) ?? [];
  const file = join(directory, name);
  try {
    const known = lifeSocketName(life, statSync(directory)) === name.replace(/\.tmp$/, "");
    const fresh = early !== undefined && Date.now() - lstatSync(file).ctimeMs < READY_WITHIN_MS;
    if (!known || fresh) return false;
    const answer = await new Promise<LifeAnswer>((resolve) => askSocket(directory, name, resolve));
    if (answer !== "refuses") return false;
    unlinkSync(file);
    return true;
  } catch {
    return false; // another sweeper was first
  }
}

/**
 * A1: `st_dev` tells the mounts of one kernel apart. Seen through another file system the same file is another
 * inode, on which nobody listens; its name is not found there.
 */
function lifeSocketName(life: string, { dev }: Pick<Stats, "dev">): string {
  return `.swl-life-${life}-${dev.toString(16)}`;
}

const SOCKET_NAME = /^\.swl-life-([0-9a-f]{16})-[0-9a-f]{1,16}(\.tmp)?$/;

export function isLifeSocketName(name: string): boolean {
  return SOCKET_NAME.test(name);
}

/** What `sun_path` takes, its null byte aside. Older versions of libuv cut the rest off without a word. */
const LONGEST_SOCKET_PATH = 107;

/** Calls `use`, which must make its system call at once, with a path that is short enough for a socket. */
function withShortPath(directory: string, name: string, use: (path: string) => void): void {
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

function ignoreErrors(action: () => void): void {
  try {
    action();
  } catch {
    // said at the call
  }
}
