/**
 * One life of a process of a storm: it imports the package (or a broken double of it), says that it is ready, waits at
 * the barrier until it is its turn, and then goes in and out of the sections of a few session files, until it is told to
 * stop, or killed. In each section are two witnesses that know nothing of the lock (test/support/witness.mjs). What is
 * wrong goes to stdout, a file that is only appended to: one line of JSON for each finding.
 */

import fs from "node:fs";
import { getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { seededRandom } from "../support/random.mjs";
import { openWitness } from "../support/witness.mjs";
import { openBoard, STAGE, STATE, TASKS, WORD } from "./board.mjs";

/** @type {import("./run.ts").WorkerParams} */
const params = JSON.parse(process.argv[2] ?? "");
const { life, role, without } = params;

/** Longer than any queue here, and than any pause of the whole storm: a wait that ends by it is a finding. */
const PATIENT_MS = 3_600_000;
/** Some waits end by their timeout. */
const IMPATIENT_MS = 20;
/** Until there are descriptors again; the holder holds for so long. */
const LOOK_AGAIN_MS = 3;
const MOST_NICE = 19;
/** So long a task is inside, or outside, at most; mostly it stays there for a while, sometimes for a turn. */
const INSIDE_MS = 20;
const OUTSIDE_MS = 200;

const board = openBoard(params.witness);
const mine = board.blank();
const save = () => board.write(life, mine);
const parent = process.ppid;
/** Each task of each session file has its own, since a marker names its task. */
const witnesses = Array.from({ length: TASKS }, (_, task) =>
  Array.from({ length: params.files }, (_, file) =>
    openWitness(join(params.witness, String(file)), `${life}.${task}`),
  ),
);
// Our clock, before anybody shifts the others.
const now = () => String(process.hrtime.bigint());
const library = await import(params.library);

mine[WORD.state] = STATE.ready;
save();
// The barrier. At the end of its input, nobody needs it.
if (fs.readSync(0, Buffer.alloc(1)) === 0) process.exit(0);
mine[WORD.state] = STATE.runs;
save();
setPriority(Math.min(MOST_NICE, getPriority() + params.nicer));

const random = seededRandom(params.seed);
if (role === "heir") await inherit();
else await Promise.all(Array.from({ length: TASKS }, (_, task) => work(task)));

/** @param {number} task */
async function work(task) {
  const jumps = task === 0 && random() < 0.25;
  // Whoever started it may be gone.
  while (!board.isToldToStop() && process.ppid === parent) {
    if (jumps && random() < 0.05) jump();
    const file = Math.floor(random() * params.files);
    const lock = await ask(file);
    if (lock !== undefined) await section(task, file, lock);
    if (random() < 0.7) await sleep(random() * OUTSIDE_MS);
  }
}

/** After the storm: each lock once, with whatever the dead have left in it. */
async function inherit() {
  // What a sweep spares for a minute, since its maker may be about to finish it, is old enough for this one.
  shiftDate(5 * 60_000);
  for (let file = 0; file < params.files; file++) {
    const lock = await ask(file, { patient: true });
    if (lock !== undefined) await section(0, file, lock);
  }
}

/** @returns {Promise<undefined | { assertHeld(): void, release(): Promise<void> }>} */
async function ask(/** @type {number} */ file, { patient = false } = {}) {
  const sessionFile = join(params.sessions, `s${file}.jsonl`);
  const how = patient ? 1 : random();
  try {
    if (without.includes("lock")) return { assertHeld: () => {}, release: async () => {} };
    if (how < 0.05) return await library.tryAcquireSessionWriteLock({ sessionFile });
    const timeoutMs = how < 0.2 ? 1 + random() * IMPATIENT_MS : PATIENT_MS;
    return await library.acquireSessionWriteLock({ sessionFile, timeoutMs });
  } catch (error) {
    if (error.code === "ELOCKED" && how < 0.2) count("gaveUp");
    else tellError("asking", error);
    return undefined;
  }
}

/**
 * @param {number} task
 * @param {number} file
 * @param {{ assertHeld(): void, release(): Promise<void> }} lock
 */
async function section(task, file, lock) {
  const witness = /** @type {ReturnType<typeof openWitness>} */ (witnesses[task]?.[file]);
  mine[WORD.file + task] = file;
  stage(task, STAGE.entered);
  if (!without.includes("marker")) {
    await whenThereAreDescriptors(() =>
      witness.putMarker((found) => {
        count("markersOfTheDead");
        tell({ is: "in the way", task, file, found });
      }),
    );
  }
  const before = witness.readCounter();
  if (random() < 0.7) await sleep(random() * INSIDE_MS);
  else await turn();
  assertHeld(lock);
  stage(task, STAGE.writes);
  witness.writeCounter(before + 1);
  mine[WORD.updates + file]++;
  count("sections");
  stage(task, STAGE.wrote);
  if (!without.includes("marker")) {
    await whenThereAreDescriptors(() =>
      witness.removeMarker((found) => tell({ is: "instead of mine", task, file, found })),
    );
  }
  stage(task, STAGE.outside);
  const released = lock.release().catch((error) => {
    tellError("releasing", error);
  });
  if (role === "heir" || random() < 0.8) await released;
}

/** @param {{ assertHeld(): void }} lock */
function assertHeld(lock) {
  try {
    // To ask changes something: a loss that is noticed is handed over to nobody.
    if (!without.includes("word")) lock.assertHeld();
  } catch (error) {
    tellError("holding", error);
  }
}

/**
 * What the lock says of itself. A lock that is broken may notice that first: without its word only the witnesses are heard.
 *
 * @param {string} when
 * @param {any} error
 */
function tellError(when, error) {
  if (without.includes("word") || isWeather(error)) return;
  tell({ is: "error", while: when, ...describe(error) });
}

/**
 * A marker needs a descriptor. Without one nothing has happened: the holder waits, and holds.
 *
 * @param {() => void} action
 */
async function whenThereAreDescriptors(action) {
  for (;;) {
    try {
      action();
      return;
    } catch (error) {
      if (error.code !== "EMFILE" || !board.wereDescriptors(life)) throw error;
      await sleep(LOOK_AGAIN_MS);
    }
  }
}

/** Is this what a full disk, or a lack of descriptors, does; and was there one? */
function isWeather(/** @type {Error & { code?: string, cause?: any }} */ error) {
  const errno = error.cause?.code;
  if (error.code !== "EDISK" && error.code !== "ERELEASE") return false;
  if (errno === "ENOSPC" && board.wasFullDisk()) return count("fullDisk");
  if (errno === "EMFILE" && board.wereDescriptors(life)) return count("outOfDescriptors");
  return false;
}

/** The time of day goes anywhere; the monotonic clock of the library forwards, as after a sleep. */
function jump() {
  count("clockJumps");
  shiftDate((random() - 0.5) * 20 * 24 * 3_600_000);
  const { now: unshifted } = performance;
  const ahead = random() * 60_000;
  performance.now = () => unshifted.call(performance) + ahead;
}

/** @param {number} ms */
function shiftDate(ms) {
  const { now: unshifted } = Date;
  Date.now = () => Math.round(unshifted() + ms);
}

/**
 * @param {number} task
 * @param {number} value
 */
function stage(task, value) {
  mine[WORD.stage + task] = value;
  save();
}

/**
 * It is saved with the next stage.
 *
 * @param {Exclude<keyof typeof WORD, "state">} what
 */
function count(what) {
  mine[WORD[what]]++;
  return true;
}

/** @param {object} finding */
function tell(finding) {
  fs.writeSync(1, `${JSON.stringify({ life, at: now(), ...finding })}\n`);
}

/** @param {Error & { code?: string, cause?: any }} error */
function describe(error) {
  return { code: error.code, errno: error.cause?.code, message: error.message };
}
