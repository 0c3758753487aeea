/** The types of witness.mjs, for tests that are witnesses themselves. */

export interface Witness {
  /** Tells whose markers were in the way, and replaces them. */
  putMarker(tell: (found: string) => void): void;
  /** Tells whose marker is there instead of its own. */
  removeMarker(tell: (found: string) => void): void;
  readCounter(): number;
  writeCounter(value: number): void;
}

export function openWitness(directory: string, who: string): Witness;
