/**
 * First come, first served; and whoever does not want to wait any longer leaves from the middle. Each step takes the same
 * time, however many wait: an array would move all of them, and a Set walks over those that have left.
 */

interface Place<T> {
  readonly item: T;
  before: Place<T> | undefined;
  behind: Place<T> | undefined;
}

/** Each item is in it once. */
export class Queue<T> {
  readonly #places: Map<T, Place<T>> = new Map();
  #head: Place<T> | undefined;
  #tail: Place<T> | undefined;

  get size(): number {
    return this.#places.size;
  }

  get head(): T | undefined {
    return this.#head?.item;
  }

  has(item: T): boolean {
    return this.#places.has(item);
  }

  push(item: T): void {
    const place: Place<T> = { item, before: this.#tail, behind: undefined };
    if (this.#tail === undefined) this.#head = place;
    else this.#tail.behind = place;
    this.#tail = place;
    this.#places.set(item, place);
  }

  shift(): T | undefined {
    const item = this.head;
    if (item !== undefined) this.delete(item);
    return item;
  }

  /** Whether it was there. */
  delete(item: T): boolean {
    const place = this.#places.get(item);
    if (place === undefined) return false;
    this.#places.delete(item);
    const { before, behind } = place;
    if (before === undefined) this.#head = behind;
    else before.behind = behind;
    if (behind === undefined) this.#tail = before;
    else behind.before = before;
    return true;
  }

  /** From the head on. */
  *[Symbol.iterator](): Generator<T> {
    for (let place = this.#head; place !== undefined; place = place.behind) yield place.item;
  }
}
