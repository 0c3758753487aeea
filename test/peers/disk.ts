/**
 * A disk in memory, one value per state: each call makes a new one. It has the calls that the contenders make, and says
 * to each what Linux says (disk.test.ts compares the two). Its clock stands still.
 */

import { dirname } from "node:path";

/** The clock of the disk, which stamps what is made or changed. */
export const NOW_MS: number = Date.UTC(2026, 0, 1);

/**
 * The clocks of the processes, which stand still too. What was made during a schedule is this old, and no older: some
 * milliseconds, and not 0, as if nothing took any time. (A disk's stamps are that much behind anyway, since it stamps by the tick.)
 */
export const PROCESS_NOW_MS: number = NOW_MS + 10;

export interface Inode {
  readonly kind: "directory" | "file";
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly content: string;
}

export interface Disk {
  /** By absolute path. Two paths with one and the same object are hard links. The root is not listed. */
  readonly entries: ReadonlyMap<string, Inode>;
  /** Open files, by process and descriptor: they stay open when their last path goes. */
  readonly open: ReadonlyMap<string, Inode>;
}

export type Call =
  | { readonly op: "mkdir" | "rmdir" | "stat" | "readdir" | "readFile" | "unlink"; readonly path: string }
  /** `rm -f`, and `rm -rf`: the latter is no single system call, and no contender but a broken one makes it. */
  | { readonly op: "remove" | "removeTree"; readonly path: string }
  | { readonly op: "utimes"; readonly path: string; readonly mtimeMs: number }
  | { readonly op: "rename" | "link"; readonly from: string; readonly to: string }
  /** As `rename`, over whatever stands there: a broken disk. */
  | { readonly op: "replace"; readonly from: string; readonly to: string }
  /** `wx` only. */
  | { readonly op: "open"; readonly path: string; readonly process: string }
  | { readonly op: "write"; readonly descriptor: number; readonly content: string; readonly process: string }
  | { readonly op: "close"; readonly descriptor: number; readonly process: string }
  /** mkdir, and a file for each name in it: a private place, so one step (src/disk.ts). */
  | { readonly op: "prepare"; readonly path: string; readonly names: readonly string[] };

export interface Stat {
  readonly kind: Inode["kind"];
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

/** JSON can carry it: two replies are one if their texts are. */
export type Reply =
  | { readonly ok: true; readonly value?: number | string | readonly string[] | Stat }
  | { readonly ok: false; readonly errno: string };

const DONE: Reply = { ok: true };
const fails = (errno: string): Reply => ({ ok: false, errno });

const FRESH = { mtimeMs: NOW_MS, ctimeMs: NOW_MS, content: "" };

export const EMPTY_DISK: Disk = { entries: new Map(), open: new Map() };

/** What the call does at once, and what it answers. */
export function perform(disk: Disk, call: Call): readonly [Disk, Reply] {
  const draft = new Draft(disk);
  const reply = draft.perform(call);
  return [draft.done(), reply];
}

/** One call at work. */
class Draft {
  readonly #entries: Map<string, Inode>;
  readonly #open: Map<string, Inode>;

  constructor({ entries, open }: Disk) {
    this.#entries = new Map(entries);
    this.#open = new Map(open);
  }

  done(): Disk {
    return { entries: this.#entries, open: this.#open };
  }

  perform(call: Call): Reply {
    switch (call.op) {
      case "mkdir":
        return this.#create(call.path, { ...FRESH, kind: "directory" });
      case "rmdir":
        return this.#rmdir(call.path);
      case "stat":
        return this.#stat(call.path);
      case "readdir":
        return this.#readdir(call.path);
      case "readFile":
        return this.#readFile(call.path);
      case "unlink":
        return this.#unlink(call.path);
      case "remove": {
        const reply = this.#unlink(call.path);
        if (reply.ok || reply.errno === "ENOENT") return DONE;
        // Node.js looks before, and has an error of its own.
        return reply.errno === "EISDIR" ? fails("ERR_FS_EISDIR") : reply;
      }
      case "removeTree":
        return this.#removeTree(call.path);
      case "utimes":
        return this.#utimes(call.path, call.mtimeMs);
      case "rename":
        return this.#rename(call.from, call.to);
      case "replace":
        for (const path of this.#below(call.to)) this.#entries.delete(path);
        return this.#rename(call.from, call.to);
      case "link":
        return this.#link(call.from, call.to);
      case "open":
        return this.#openNew(call.path, call.process);
      case "write":
        return this.#write(call.process, call.descriptor, call.content);
      case "close":
        return this.#open.delete(`${call.process}:${call.descriptor}`) ? DONE : fails("EBADF");
      case "prepare":
        return this.#prepare(call.path, call.names);
    }
  }

  /** What stands in the way of a path; nothing, if its directory is there. */
  #noWay(path: string): Reply | undefined {
    const parent = dirname(path);
    if (parent === "/") return undefined;
    const found = this.#entries.get(parent);
    if (found?.kind === "directory") return undefined;
    return found === undefined ? (this.#noWay(parent) ?? fails("ENOENT")) : fails("ENOTDIR");
  }

  /** What is at a path, or why nothing is. */
  #find(path: string): Inode | Reply {
    return this.#noWay(path) ?? this.#entries.get(path) ?? fails("ENOENT");
  }

  #below(path: string): readonly string[] {
    return [...this.#entries.keys()].filter((other) => other.startsWith(`${path}/`));
  }

  /** Every path, and every descriptor, of an inode has it as it is now. */
  #change(before: Inode, after: Inode): void {
    for (const table of [this.#entries, this.#open]) {
      for (const [key, inode] of table) if (inode === before) table.set(key, after);
    }
  }

  /** The names in its directory have changed. */
  #touchParent(path: string): void {
    const parent = this.#entries.get(dirname(path));
    if (parent !== undefined) this.#change(parent, { ...parent, mtimeMs: NOW_MS, ctimeMs: NOW_MS });
  }

  #add(path: string, inode: Inode): void {
    this.#entries.set(path, inode);
    this.#touchParent(path);
  }

  #remove(path: string): void {
    this.#entries.delete(path);
    this.#touchParent(path);
  }

  #create(path: string, inode: Inode): Reply {
    const blocked = this.#noWay(path);
    if (blocked !== undefined) return blocked;
    if (this.#entries.has(path)) return fails("EEXIST");
    this.#add(path, inode);
    return DONE;
  }

  #rmdir(path: string): Reply {
    const found = this.#find(path);
    if ("ok" in found) return found;
    if (found.kind === "file") return fails("ENOTDIR");
    if (this.#below(path).length > 0) return fails("ENOTEMPTY");
    this.#remove(path);
    return DONE;
  }

  #stat(path: string): Reply {
    const found = this.#find(path);
    if ("ok" in found) return found;
    const { kind, mtimeMs, ctimeMs } = found;
    return { ok: true, value: { kind, mtimeMs, ctimeMs } };
  }

  #readdir(path: string): Reply {
    const found = this.#find(path);
    if ("ok" in found) return found;
    if (found.kind === "file") return fails("ENOTDIR");
    const names = this.#below(path).map((other) => other.slice(path.length + 1));
    return { ok: true, value: names.filter((name) => !name.includes("/")).sort() };
  }

  #readFile(path: string): Reply {
    const found = this.#find(path);
    if ("ok" in found) return found;
    return found.kind === "directory" ? fails("EISDIR") : { ok: true, value: found.content };
  }

  #unlink(path: string): Reply {
    const found = this.#find(path);
    if ("ok" in found) return found;
    if (found.kind === "directory") return fails("EISDIR");
    this.#remove(path);
    // Another path, or a descriptor, may still lead to it: its number of links has changed.
    this.#change(found, { ...found, ctimeMs: NOW_MS });
    return DONE;
  }

  #removeTree(path: string): Reply {
    const found = this.#find(path);
    if ("ok" in found) return !found.ok && found.errno === "ENOENT" ? DONE : found;
    for (const one of [...this.#below(path), path]) this.#remove(one);
    return DONE;
  }

  #utimes(path: string, mtimeMs: number): Reply {
    const found = this.#find(path);
    if ("ok" in found) return found;
    this.#change(found, { ...found, mtimeMs, ctimeMs: NOW_MS });
    return DONE;
  }

  #rename(from: string, to: string): Reply {
    const blocked = this.#noWay(from) ?? this.#noWay(to);
    if (blocked !== undefined) return blocked;
    const moved = this.#find(from);
    if ("ok" in moved) return moved;
    if (to.startsWith(`${from}/`)) return fails("EINVAL");
    if (from.startsWith(`${to}/`)) return fails("ENOTEMPTY");
    const target = this.#entries.get(to);
    if (target === moved) return DONE;
    if (target !== undefined) {
      if (moved.kind === "directory" && target.kind === "file") return fails("ENOTDIR");
      if (moved.kind === "file" && target.kind === "directory") return fails("EISDIR");
      if (this.#below(to).length > 0) return fails("ENOTEMPTY");
      this.#remove(to);
      this.#change(target, { ...target, ctimeMs: NOW_MS });
    }
    for (const path of this.#below(from)) {
      const inode = this.#entries.get(path);
      this.#entries.delete(path);
      if (inode !== undefined) this.#entries.set(`${to}${path.slice(from.length)}`, inode);
    }
    this.#remove(from);
    this.#add(to, moved);
    this.#change(moved, { ...moved, ctimeMs: NOW_MS });
    return DONE;
  }

  #link(from: string, to: string): Reply {
    const found = this.#find(from);
    if ("ok" in found) return found;
    const blocked = this.#noWay(to);
    if (blocked !== undefined) return blocked;
    if (this.#entries.has(to)) return fails("EEXIST");
    if (found.kind === "directory") return fails("EPERM");
    this.#add(to, found);
    this.#change(found, { ...found, ctimeMs: NOW_MS });
    return DONE;
  }

  #openNew(path: string, process: string): Reply {
    const inode: Inode = { ...FRESH, kind: "file" };
    const made = this.#create(path, inode);
    if (!made.ok) return made;
    // The smallest that is free; those below are the standard streams.
    let descriptor = 3;
    while (this.#open.has(`${process}:${descriptor}`)) descriptor++;
    this.#open.set(`${process}:${descriptor}`, inode);
    return { ok: true, value: descriptor };
  }

  #write(process: string, descriptor: number, content: string): Reply {
    const found = this.#open.get(`${process}:${descriptor}`);
    if (found === undefined) return fails("EBADF");
    this.#change(found, { ...found, content, mtimeMs: NOW_MS, ctimeMs: NOW_MS });
    return DONE;
  }

  #prepare(path: string, names: readonly string[]): Reply {
    const made = this.#create(path, { ...FRESH, kind: "directory" });
    if (!made.ok) return made;
    for (const name of names) this.#create(`${path}/${name}`, { ...FRESH, kind: "file" });
    return DONE;
  }
}

/** Equal for two disks that no call can tell apart. */
export function diskKey({ entries, open }: Disk): string {
  const numbers = new Map<Inode, number>();
  const line = ([key, inode]: readonly [string, Inode]): string => {
    const known = numbers.get(inode);
    if (known !== undefined) return `${key}=${known}`;
    numbers.set(inode, numbers.size);
    const { kind, mtimeMs, ctimeMs, content } = inode;
    return `${key}=${kind},${mtimeMs},${ctimeMs},${JSON.stringify(content)}`;
  };
  const byKey = ([a]: readonly [string, Inode], [b]: readonly [string, Inode]): number => (a < b ? -1 : 1);
  return [...[...entries].sort(byKey), ...[...open].sort(byKey)].map(line).join("\n");
}
