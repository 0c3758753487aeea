/**
 * What the processes of a storm write down about themselves, so that a kill cannot take it away: a record of fixed size
 * for each life, in one file, written in place with one call. And what they are told: `weather.ts` writes a byte for each.
 * Plain JavaScript, for processes that must start fast on Node 20.
 */

import fs from "node:fs";
import { join } from "node:path";

export const TASKS = 2;
export const MOST_FILES = 8;

/** The words of a record, of 32 bits each. `stage` and `file` have one for each task, `updates` one for each file. */
export const WORD = {
  state: 0,
  stage: 1,
  file: 1 + TASKS,
  updates: 1 + 2 * TASKS,
  sections: 1 + 2 * TASKS + MOST_FILES,
  gaveUp: 2 + 2 * TASKS + MOST_FILES,
  fullDisk: 3 + 2 * TASKS + MOST_FILES,
  outOfDescriptors: 4 + 2 * TASKS + MOST_FILES,
  clockJumps: 5 + 2 * TASKS + MOST_FILES,
  markersOfTheDead: 6 + 2 * TASKS + MOST_FILES,
};
const WORDS = 32;

/** Of a life. It is ready when it waits at the barrier. */
export const STATE = { starting: 0, ready: 1, runs: 2 };

/**
 * Of a task. Between `entered` and `outside` it is in its section, and its marker may be there; in `writes` its update
 * may have been made or not; `wrote`: it was.
 */
export const STAGE = { outside: 0, entered: 1, writes: 2, wrote: 3 };

/** @param {string} directory */
export function openBoard(directory) {
  const flags = fs.constants.O_RDWR | fs.constants.O_CREAT;
  const records = fs.openSync(join(directory, "board"), flags);
  const told = fs.openSync(join(directory, "told"), flags);
  const byte = Buffer.alloc(1);
  /** @param {number} at */
  const isTold = (at) => fs.readSync(told, byte, 0, 1, at) === 1 && byte[0] === 1;
  /** @param {number} at */
  const tell = (at) => void fs.writeSync(told, Buffer.from([1]), 0, 1, at);
  return {
    /** @param {number} life */
    read(life) {
      const words = new Uint32Array(WORDS);
      fs.readSync(records, words, 0, words.byteLength, life * words.byteLength);
      return words;
    },
    /**
     * @param {number} life
     * @param {Uint32Array} words
     */
    write(life, words) {
      fs.writeSync(records, words, 0, words.byteLength, life * words.byteLength);
    },
    tellToStop: () => tell(0),
    isToldToStop: () => isTold(0),
    /** From now on a full disk explains a failure. */
    tellFullDisk: () => tell(1),
    wasFullDisk: () => isTold(1),
    /** From now on a lack of descriptors explains a failure of this life. */
    tellDescriptors: (/** @type {number} */ life) => tell(2 + life),
    wereDescriptors: (/** @type {number} */ life) => isTold(2 + life),
    /** An empty record. */
    blank: () => new Uint32Array(WORDS),
  };
}
