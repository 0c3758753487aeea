/**
 * The entries of a process, by lock path. One that nobody uses keeps its home for the next time; when there are many, the
 * one that was not used for longest goes. Whatever is done here takes the same time, however many there are.
 */

import { Queue } from "./queue.ts";
import type { Entry } from "./registry.ts";

export class Entries {
  readonly #entries: Map<string, Entry> = new Map();
  /** Nobody uses them; the first was not used for longest. */
  readonly #idle: Queue<Entry> = new Queue();
  /** How many there are in a directory. */
  readonly #counts: Map<string, number> = new Map();

  get size(): number {
    return this.#entries.size;
  }

  get(lockPath: string): Entry | undefined {
    return this.#entries.get(lockPath);
  }

  values(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  add(entry: Entry): void {
    this.#entries.set(entry.lockPath, entry);
    const { directory } = entry;
    this.#counts.set(directory, (this.#counts.get(directory) ?? 0) + 1);
  }

  /** Somebody is about to use it. Remembered again, if it was forgotten and there is no other. */
  use(entry: Entry): void {
    this.#idle.delete(entry);
    if (!this.#entries.has(entry.lockPath)) this.add(entry);
  }

  /** Nobody uses it any more. The one that must go, if more than `most` are idle now. */
  rest(entry: Entry, most: number): Entry | undefined {
    this.#idle.delete(entry);
    this.#idle.push(entry);
    return this.#idle.size > most ? this.#idle.head : undefined;
  }

  /** Whether it was the last one in its directory. */
  delete(entry: Entry): boolean {
    this.#idle.delete(entry);
    if (this.#entries.get(entry.lockPath) !== entry) return false;
    this.#entries.delete(entry.lockPath);
    const { directory } = entry;
    const left = (this.#counts.get(directory) ?? 1) - 1;
    if (left > 0) this.#counts.set(directory, left);
    else this.#counts.delete(directory);
    return left === 0;
  }
}
