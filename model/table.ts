/**
 * The states that the explorer has seen, numbered from 0. A text per state would be most of its time and memory; so a
 * state is kept as a row of small numbers. A column is a field of the state, or one key of a field that is a record;
 * equal values of a column have equal numbers. A step changes few fields: the others are the very objects of the
 * state before it, so their numbers are copied, and only what is new is looked up.
 */

/**
 * How states are told apart. By fields: all states have those of the first one, a field that is a record there is one with
 * the same keys in the same order everywhere, and values are plain data with one representation each. Or by a key.
 */
export type Identity<State> =
  | { readonly kind: "fields"; readonly first: State }
  | { readonly kind: "key"; readonly key: (s: State) => string };

/** A state that is in the table. */
export interface Numbered<State> {
  readonly state: State;
  readonly id: number;
}

/** A field of the states, and its columns: from `from` up to, and without, `to`. */
interface Field<State> {
  readonly name: keyof State & string;
  /** Of a record; null: the field is one column. */
  readonly keys: readonly string[] | null;
  readonly from: number;
  readonly to: number;
}

type RecordValue = Readonly<Record<string, unknown>>;

/** A slot that no state has taken. */
const FREE = -1;
const FIRST_CAPACITY = 1 << 9;
/** FNV-1a, a number of the row at a time. */
const OFFSET = 0x811c9dc5 | 0;
const PRIME = 0x01000193;

export class StateTable<State> {
  /** How many states there are. */
  size = 0;
  private readonly fields: readonly Field<State>[];
  /** Where there are no fields. */
  private readonly key: (s: State) => string;
  private readonly columns: readonly Column[];
  private readonly width: number;
  /** The rows of all states, one after the other, and their hashes. */
  private rows: Int32Array;
  private hashes: Int32Array;
  /** Open addressing: the number of a state, or {@link FREE}. At most half full. */
  private slots: Int32Array;
  /** The state that is looked up. */
  private readonly row: Int32Array;
  private hash = 0;

  constructor(identity: Identity<State>) {
    this.fields = identity.kind === "fields" ? fieldsOf(identity.first) : [];
    this.key = identity.kind === "key" ? identity.key : () => "";
    this.width = this.fields.at(-1)?.to ?? 1;
    this.columns = Array.from({ length: this.width }, () => new Column());
    this.row = new Int32Array(this.width);
    this.rows = new Int32Array(FIRST_CAPACITY * this.width);
    this.hashes = new Int32Array(FIRST_CAPACITY);
    this.slots = new Int32Array(FIRST_CAPACITY * 2).fill(FREE);
  }

  /** The number of the state. It is a new state if that is what `size` was. `before`: one that it may resemble. */
  add(state: State, before: Numbered<State> | null): number {
    const slot = this.find(state, before);
    const known = this.slots[slot] as number;
    if (known !== FREE) return known;
    const id = this.size++;
    this.slots[slot] = id;
    this.rows.set(this.row, id * this.width);
    this.hashes[id] = this.hash;
    if (this.size === this.hashes.length) this.grow();
    return id;
  }

  /** The number of a state that was added; undefined if it was not. */
  idOf(state: State): number | undefined {
    const id = this.slots[this.find(state, null)];
    return id === FREE ? undefined : id;
  }

  /** The slot of the state: where it is, or the free one where it belongs. */
  private find(state: State, before: Numbered<State> | null): number {
    if (this.fields.length === 0) this.row[0] = (this.columns[0] as Column).numberOf(this.key(state));
    else this.writeRow(state, before);
    this.hash = hashOf(this.row);
    const mask = this.slots.length - 1;
    let slot = this.hash & mask;
    for (;;) {
      const id = this.slots[slot] as number;
      if (id === FREE || (this.hashes[id] === this.hash && this.isRowOf(id))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private writeRow(state: State, before: Numbered<State> | null): void {
    const { row, rows, width } = this;
    const start = before === null ? 0 : before.id * width;
    for (const { name, keys, from, to } of this.fields) {
      const value = state[name];
      const old = before?.state[name];
      if (before !== null && value === old)
        for (let i = from; i < to; i++) row[i] = rows[start + i] as number;
      else if (keys === null) row[from] = (this.columns[from] as Column).numberOf(value);
      else this.writeRecord(value as RecordValue, old as RecordValue | undefined, keys, from, start);
    }
  }

  private writeRecord(
    value: RecordValue,
    old: RecordValue | undefined,
    keys: readonly string[],
    from: number,
    start: number,
  ): void {
    let i = 0;
    for (const key in value) {
      // Another key would be a column of its own, which other states lack.
      if (key !== keys[i])
        throw new Error(`Cannot number a state: it has ${key} where others have ${keys[i]}`);
      const item = value[key];
      const column = from + i++;
      this.row[column] =
        old !== undefined && old[key] === item
          ? (this.rows[start + column] as number)
          : (this.columns[column] as Column).numberOf(item);
    }
    if (i !== keys.length) throw new Error(`Cannot number a state: it lacks ${keys[i]}`);
  }

  private isRowOf(id: number): boolean {
    const { row, rows, width } = this;
    const start = id * width;
    for (let i = 0; i < width; i++) if (row[i] !== rows[start + i]) return false;
    return true;
  }

  private grow(): void {
    this.rows = twice(this.rows);
    this.hashes = twice(this.hashes);
    this.slots = new Int32Array(this.hashes.length * 2).fill(FREE);
    const mask = this.slots.length - 1;
    for (let id = 0; id < this.size; id++) {
      let slot = (this.hashes[id] as number) & mask;
      while (this.slots[slot] !== FREE) slot = (slot + 1) & mask;
      this.slots[slot] = id;
    }
  }
}

/** The values of a column, numbered as they are met. */
class Column {
  /** Texts, numbers and the like, by themselves; objects by their JSON. */
  private readonly plain = new Map<unknown, number>();
  private readonly texts = new Map<string, number>();

  numberOf(value: unknown): number {
    if (typeof value !== "object" || value === null) return this.numberIn(this.plain, value);
    return this.numberIn(this.texts, JSON.stringify(value));
  }

  private numberIn<Key>(known: Map<Key, number>, key: Key): number {
    const number = known.get(key);
    if (number !== undefined) return number;
    const next = this.plain.size + this.texts.size;
    known.set(key, next);
    return next;
  }
}

function fieldsOf<State>(first: State): readonly Field<State>[] {
  let from = 0;
  return Object.entries(first as RecordValue).map(([name, value]) => {
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    const keys = isRecord ? Object.keys(value) : null;
    const field = { name: name as keyof State & string, keys, from, to: from + (keys?.length ?? 1) };
    from = field.to;
    return field;
  });
}

function hashOf(row: Int32Array): number {
  let hash = OFFSET;
  for (let i = 0; i < row.length; i++) hash = Math.imul(hash ^ (row[i] as number), PRIME);
  // The low bits, which choose the slot, depend on the low bits of the numbers alone.
  return hash ^ (hash >>> 15);
}

function twice(numbers: Int32Array): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(numbers.length * 2);
  copy.set(numbers);
  return copy;
}
