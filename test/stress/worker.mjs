/**
 * One life of a process of a stress run: a few tasks that ask for the lock, hold it, share it, give up and let go, as
 * a seed says, until they are told to stop, or killed. Plain JavaScript: it must start fast, and imports the package
 * (or a broken double of it) as it is built.
 */

import fs from "node:fs";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { seededRandom } from "../support/random.mjs";
import { recordTo } from "./recorder.mjs";

/** @type {{ library: string, sessionFile: string, traceFile: string, tasks: number, seed: number, local: boolean, who: string }} */
const options = JSON.parse(process.argv[2] ?? "");
const { sessionFile, who } = options;

/** How often the parent is told how far we are. */
const TELL_EVERY = 200;
/** Longer than any queue here: a wait that ends by it is a finding. */
const PATIENT_MS = 300_000;
/** Some waits end by their timeout. */
const IMPATIENT_MS = 12;

// Stands for a disk that is not known to be local: release by Drop. The library asks the kernel once per entry.
if (!options.local) fs.statfsSync = () => ({ type: 0 });
recordTo(options.traceFile, (count) => {
  if (count % TELL_EVERY === 0) process.send?.({ steps: TELL_EVERY }, () => {});
});
const { acquireSessionWriteLock, tryAcquireSessionWriteLock } = await import(options.library);

let stopping = false;
process.once("message", () => {
  stopping = true;
});
process.once("disconnect", () => process.exit(0));
process.send?.({ ready: true });
const given = "given up";
await Promise.all(Array.from({ length: options.tasks }, (_, task) => work(task)));
process.disconnect();

/** @param {number} task */
async function work(task) {
  const random = seededRandom(options.seed * 8 + task);
  while (!stopping) {
    const shares = random() < 0.25;
    const lock = await ask(random, shares);
    if (lock === undefined) {
      // Or nobody of this process waits for a while, and its home is given up.
      if (random() < 0.7) await sleep(random() * 6);
      continue;
    }
    if (random() < 0.5) fs.appendFileSync(sessionFile, `${who}.${task}\n`);
    if (random() < 0.2) await sleep(random() * 2);
    else if (random() < 0.5) await turn();
    if (shares && random() < 0.3) await (await ask(random, true))?.release();
    const released = lock.release();
    if (random() < 0.8) await released;
    if (random() < 0.5) await sleep(random() * 3);
  }
}

/**
 * Undefined if the wait was given up.
 *
 * @param {() => number} random
 * @param {boolean} shares
 */
async function ask(random, shares) {
  const how = random();
  if (how > 0.8 && how <= 0.85) return tryAcquireSessionWriteLock({ sessionFile, allowReentrant: shares });
  const timeoutMs = how < 0.2 ? 1 + random() * IMPATIENT_MS : PATIENT_MS;
  const abort = new AbortController();
  const leaveAfterMs = random() * 3;
  if (how > 0.9) setTimeout(() => abort.abort(given), leaveAfterMs);
  else if (how > 0.85) setImmediate(() => abort.abort(given));
  const params = { sessionFile, allowReentrant: shares, timeoutMs, signal: abort.signal };
  try {
    return await acquireSessionWriteLock(params);
  } catch (error) {
    const expected = error === given || (error.code === "ELOCKED" && timeoutMs < PATIENT_MS);
    if (!expected) throw error;
    return undefined;
  }
}
