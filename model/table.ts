/**
 * The states that the explorer has seen, numbered from 0. A text per state would be most of its time and memory, so
 * a state is kept as a row of small numbers, one per field: equal values of a field have equal numbers. A step changes
 * few fields; the others are the very objects of the state before it, and so their numbers are copied.
 */

/** How states are told apart: field by field, by the JSON of each; or all at once. */
export type Identity<State> = { readonly fields: readonly (keyof State)[] } | { readonly key: (s: State) => string };

/** A state that was met, and its successors are looked up beside it. */
export interface Numbered<State> {
  readonly state: State;
  readonly id: number;
}

/** An entry of the hash table that no state has taken. */
const FREE = -1;
const FIRST_SLOTS = 1 << 10;
/** The multiplier of FNV-1a: the row is hashed number by number. */
const MULTIPLIER = 0x01000193;
const OFFSET = 0x811c9dc5 | 0;

export class StateTable<State> {
  /** How many states there are; the next new one gets this number. */
  size = 0;
  private readonly fields: readonly (keyof State)[] | null;
  private readonly key: (s: State) => string;
  /** Per field: the number of each of its values, by text. */
  private readonly values: readonly Map<string, number>[];
  private readonly width: number;
  /** The rows of all states, one after the other. */
  private rows: Int32Array;
  private hashes: Int32Array;
  /** Open addressing: the number of a state, or {@link FREE}. At most half full. */
  private slots: Int32Array;
  /** The row of the state that is looked up. */
  private readonly row: Int32Array;

  constructor(identity: Identity<State>) {
    this.fields = "fields" in identity ? identity.fields : null;
    this.key = "key" in identity ? identity.key : () => "";
    this.width = this.fields?.length ?? 1;
    this.values = Array.from({ length: this.width }, () => new Map<string, number>());
    this.row = new Int32Array(this.width);
    this.slots = new Int32Array(FIRST_SLOTS).fill(FREE);
    this.rows = new Int32Array((FIRST_SLOTS / 2) * this.width);
    this.hashes = new Int32Array(FIRST_SLOTS / 2);
  }

  /** The number of a state. It is new if that is what `size` was before. `before`: a state that it resembles. */
  add(state: State, before: Numbered<State> | null): number {
    const slot = this.find(state, before);
    const known = this.slots[slot] ?? FREE;
    if (known !== FREE) return known;
    const id = this.size++;
    this.slots[slot] = id;
    this.rows.set(this.row, id * this.width);
    this.hashes[id] = this.hashOfRow();
    if (this.size * 2 >= this.slots.length) this.grow();
    return id;
  }

  /** The number of a state that was added; undefined if it was not. */
  idOf(state: State): number | undefined {
    const id = this.slots[this.find(state, null)];
    return id === FREE ? undefined : id;
  }

  /** The slot of the state: its own, or the free one where it belongs. */
  private find(state: State, before: Numbered<State> | null): number {
    this.writeRow(state, before);
    const mask = this.slots.length - 1;
    const hash = this.hashOfRow();
    let slot = hash & mask;
    for (;;) {
      const id = this.slots[slot] ?? FREE;
      if (id === FREE || (this.hashes[id] === hash && this.isRowOf(id))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private writeRow(state: State, before: Numbered<State> | null): void {
    const { fields, row, rows, width } = this;
    if (fields === null) {
      row[0] = this.numberOf(0, this.key(state));
      return;
    }
    const start = before === null ? 0 : before.id * width;
    for (let i = 0; i < width; i++) {
      const field = fields[i] as keyof State;
      const value = state[field];
      row[i] =
        before !== null && before.state[field] === value
          ? (rows[start + i] as number)
          : this.numberOf(i, JSON.stringify(value));
    }
  }

  private numberOf(field: number, text: string): number {
    const known = this.values[field] as Map<string, number>;
    let number = known.get(text);
    if (number === undefined) {
      number = known.size;
      known.set(text, number);
    }
    return number;
  }

  private hashOfRow(): number {
    const { row, width } = this;
    let hash = OFFSET;
    for (let i = 0; i < width; i++) hash = Math.imul(hash ^ (row[i] as number), MULTIPLIER);
    return hash ^ (hash >>> 15);
  }

  private isRowOf(id: number): boolean {
    const { row, rows, width } = this;
    const start = id * width;
    for (let i = 0; i < width; i++) if (row[i] !== rows[start + i]) return false;
    return true;
  }

  private grow(): void {
    const rows = new Int32Array(this.rows.length * 2);
    rows.set(this.rows);
    this.rows = rows;
    const hashes = new Int32Array(this.hashes.length * 2);
    hashes.set(this.hashes);
    this.hashes = hashes;
    this.slots = new Int32Array(this.slots.length * 2).fill(FREE);
    const mask = this.slots.length - 1;
    for (let id = 0; id < this.size; id++) {
      let slot = (hashes[id] as number) & mask;
      while (this.slots[slot] !== FREE) slot = (slot + 1) & mask;
      this.slots[slot] = id;
    }
  }
}
