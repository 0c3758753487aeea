/** What a run of the bench has seen: numbers, locks that failed, and locks that did not exclude. */

export interface Row {
  readonly measure: string;
  /** Which variant: "4 processes". */
  readonly variant: string;
  readonly lock: string;
  /** By metric: one number of each round, or of each sample. */
  readonly numbers: Readonly<Record<string, readonly number[]>>;
  /** Whether the witness saw two inside at once; undefined if it was not asked. */
  readonly excludes: boolean | undefined;
  readonly failure: string | undefined;
}

export interface Book {
  add(place: Place, numbers: Readonly<Record<string, number>>): void;
  /** Once it is seen that a lock does not exclude, that stays so. */
  witness(place: Place, excludes: boolean): void;
  fail(place: Place, reason: string): void;
  rows(): readonly Row[];
}

export interface Place {
  readonly measure: string;
  readonly variant: string;
  readonly lock: string;
}

export function createBook(): Book {
  const rows = new Map<string, Kept>();
  const at = ({ measure, variant, lock }: Place): Kept => {
    const key = JSON.stringify([measure, variant, lock]);
    const known = rows.get(key);
    if (known !== undefined) return known;
    const row: Kept = { measure, variant, lock, numbers: {}, excludes: undefined, failure: undefined };
    rows.set(key, row);
    return row;
  };
  return {
    add: (place, numbers) => {
      const row = at(place);
      for (const [metric, value] of Object.entries(numbers)) {
        row.numbers[metric] = [...(row.numbers[metric] ?? []), value];
      }
    },
    witness: (place, excludes) => {
      const row = at(place);
      row.excludes = excludes && row.excludes !== false;
    },
    fail: (place, reason) => {
      at(place).failure ??= reason;
    },
    rows: () => [...rows.values()],
  };
}

interface Kept extends Row {
  readonly numbers: Record<string, readonly number[]>;
  excludes: boolean | undefined;
  failure: string | undefined;
}
