/**
 * One writer of the demo: takes the lock, appends one line to the session in pieces, acknowledges it, and so
 * on until it is killed or its channel to the demo closes. Plain JavaScript: it must start fast on Node 20,
 * and it imports the built package as a user would.
 *
 * What it claims is in its own log, one `write` per record, so a record outlives a SIGKILL right after it.
 * Nothing here asks the lock whether it is held: the marker, the counter, and the times are witnesses of
 * their own.
 */

import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { acquireSessionWriteLock } from "session-write-lock";
import { openWitness } from "../support/witness.mjs";

/** @type {{ directory: string, writer: string, withoutLock: boolean }} */
const { directory, writer, withoutLock } = JSON.parse(process.argv[2] ?? "");

/** A line of several KB, so that it takes several writes and can be torn. */
const PAD_BYTES = 4096;
const PIECE_BYTES = 1024;
/** Right after this many milliseconds inside, a kill finds a half-written line. */
const PAUSE_INSIDE_MS = 1;
/** Longer than any queue of the demo: a wait that ends here is a finding, and the demo reports it. */
const TIMEOUT_MS = 30_000;

const sessionFile = join(directory, "session.jsonl");
const session = fs.openSync(sessionFile, "a+");
const witness = openWitness(directory, writer);
const logFile = fs.openSync(join(directory, "writers", `${writer}.log`), "a");

let stopping = false;
const stop = () => {
  stopping = true;
};
process.once("message", stop);
process.once("disconnect", stop);
// Ctrl-C goes to the whole group of processes; the demo decides what happens to its writers.
process.on("SIGINT", () => {});

log({ event: "start", pid: process.pid });
process.send?.("ready");
for (let seq = 1; !stopping; seq++) {
  const lock = withoutLock
    ? undefined
    : await acquireSessionWriteLock({ sessionFile, timeoutMs: TIMEOUT_MS });
  await criticalSection(seq);
  await lock?.release();
  await turn();
}
if (process.connected) process.disconnect();

/** @param {number} seq */
async function criticalSection(seq) {
  const begin = now();
  log({ event: "enter", seq, at: begin });
  // Whose marker was in the way is only written down: the demo knows whom it killed, and when.
  const tell = (/** @type {string} */ found) => log({ event: "marker", seq, at: now(), found });
  witness.putMarker(tell);
  const counter = witness.readCounter();
  endTornLine();
  await appendLine(seq, begin);
  witness.writeCounter(counter + 1);
  log({ event: "ack", seq, at: now(), counter: counter + 1 });
  witness.removeMarker(tell);
  log({ event: "leave", seq, at: now() });
}

/**
 * @param {number} seq
 * @param {number} begin
 */
async function appendLine(seq, begin) {
  const tag = `${writer}#${seq}.`;
  const pad = tag.repeat(Math.ceil(PAD_BYTES / tag.length));
  const text = `{"writer":"${writer}","pid":${process.pid},"seq":${seq},"begin":${begin},"pad":"${pad}","end":`;
  for (let at = 0; at < text.length; at += PIECE_BYTES) {
    append(text.slice(at, at + PIECE_BYTES));
    await (at === 0 ? sleep(PAUSE_INSIDE_MS) : turn());
  }
  append(`${now()}}\n`);
}

/** @param {string} piece */
function append(piece) {
  if (fs.writeSync(session, piece) !== piece.length) throw new Error("the disk took only a part of a piece");
}

/** A writer that was killed may have left half a line; the next one must not continue it. */
function endTornLine() {
  const { size } = fs.fstatSync(session);
  if (size === 0) return;
  const last = Buffer.alloc(1);
  fs.readSync(session, last, 0, 1, size - 1);
  if (last.toString() !== "\n") append("\n");
}

/** @param {Record<string, unknown>} record */
function log(record) {
  fs.writeSync(logFile, `${JSON.stringify(record)}\n`);
}

/** Milliseconds of the one monotonic clock of this machine: comparable between processes. */
function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}
