/**
 * Witnesses that know nothing of the lock: a marker that is created with O_EXCL, and a counter whose updates
 * can be lost. Plain JavaScript, for processes that must start fast on Node 20. What they find is only told:
 * whoever started the processes knows which of them were killed inside.
 */

import fs from "node:fs";
import { join } from "node:path";

/** The counter is written in place with one call: a kill leaves the old number or the new one. */
const COUNTER_DIGITS = 12;

/**
 * @param {string} directory
 * @param {string} who
 */
export function openWitness(directory, who) {
  const markerFile = join(directory, "marker");
  const counterFile = fs.openSync(join(directory, "counter"), fs.constants.O_RDWR | fs.constants.O_CREAT);

  /** Whose marker it is; empty if nobody's. */
  const readMarker = () => {
    try {
      return fs.readFileSync(markerFile, "utf8");
    } catch (error) {
      // Anything else says nothing about whose it is.
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
      return "";
    }
  };
  return {
    /**
     * Tells whose markers were in the way, and replaces them.
     *
     * @param {(found: string) => void} tell
     */
    putMarker(tell) {
      for (;;) {
        try {
          fs.writeFileSync(markerFile, who, { flag: "wx" });
          return;
        } catch (error) {
          if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
          tell(readMarker());
          fs.rmSync(markerFile, { force: true });
        }
      }
    },
    /**
     * Tells whose marker is there instead of its own.
     *
     * @param {(found: string) => void} tell
     */
    removeMarker(tell) {
      const found = readMarker();
      if (found !== who) tell(found);
      fs.rmSync(markerFile, { force: true });
    },
    readCounter() {
      const digits = Buffer.alloc(COUNTER_DIGITS);
      const length = fs.readSync(counterFile, digits, 0, COUNTER_DIGITS, 0);
      return length === 0 ? 0 : Number(digits.toString("utf8", 0, length));
    },
    /** @param {number} value */
    writeCounter(value) {
      fs.writeSync(counterFile, String(value).padStart(COUNTER_DIGITS, "0"), 0);
    },
  };
}
