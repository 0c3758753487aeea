/**
 * Listens at the trace port of src/trace.ts, and writes a file of JSON lines (records.ts says what is in them).
 * Plain JavaScript: it runs in the workers, beside the built package.
 *
 * Each record is written with one call before the code goes on: a SIGKILL loses at most the outcome of the last call.
 */

import fs from "node:fs";
import { basename } from "node:path";

/** A nonce is used once in the world, so it stands for its owner's name. */
const NONCE_DIGITS = 24;

/**
 * Records what happens to the locks of this process from now on.
 *
 * @param {string} file
 * @param {(count: number) => void} onStep
 */
export function recordTo(file, onStep) {
  const fd = fs.openSync(file, "a");
  const attempts = new WeakMap();
  const runs = new WeakMap();
  let lastAt = 0;
  let lastState = "";
  let calls = 0;
  let asked = 0;
  let steps = 0;

  /** Strictly growing, so that a process's records have one order. */
  const now = () => {
    lastAt = Math.max(lastAt + 1, Number(process.hrtime.bigint()));
    return lastAt;
  };
  /** @param {object} record */
  const write = (record) => fs.writeSync(fd, `${JSON.stringify(record)}\n`);
  /** The state, if it is another one than that of the last record. */
  const changed = (entry) => {
    const state = stateOf(entry, (attempt) => attempts.get(attempt) ?? 0);
    const text = JSON.stringify(state);
    if (text === lastState) return {};
    lastState = text;
    return { state };
  };

  globalThis[Symbol.for("session-write-lock.trace.v1")] = (entry) => ({
    called(action, attempt) {
      const at = now();
      if (action === "Request") attempts.set(attempt, ++asked);
      const shares = action === "Request" ? { shares: attempt.reentrant } : {};
      write({ at, is: "call", action, attempt: attempts.get(attempt), ...shares, ...changed(entry) });
      onStep(++steps);
    },
    begins(run, step) {
      const { action } = step;
      const known = runs.get(run) ?? {};
      onStep(++steps);
      if (step.kind === "turn") {
        const of = action === "Retried" ? { name: known.name } : {};
        write({ at: now(), is: "turn", action, ...of, ...changed(entry) });
        return;
      }
      const what = subjectOf(action, step.call, entry);
      runs.set(run, { name: what.name, call: ++calls });
      // Where a Retry is sent the step that owes it is in the middle of its code: no state.
      const state = action === "Retry" ? {} : changed(entry);
      write({ at: now(), is: "begin", id: calls, action, ...what, ...state });
    },
    ends(run, reply) {
      const said = reply.ok ? { reply: "ok", names: reply.names.map(shortName) } : { reply: reply.errno };
      write({ at: now(), is: "end", id: runs.get(run).call, ...said });
    },
  });
}

/** The variables that a process owns, in the order of the model's. */
function stateOf(entry, idOf) {
  const { releasing, contender, home } = entry;
  return {
    heldLocks: [...entry.held].map(idOf).sort((one, other) => one - other),
    releasing: releasing === null ? null : { name: shortName(releasing.name), aside: releasing.aside },
    contender: contender === null ? null : idOf(contender),
    queue: [...entry.queue].map(idOf),
    home: home === null ? null : shortName(home.name),
    owes: [...entry.owes.keys()].map(shortName).sort(),
    gaveUp: contender?.gaveUp === true,
  };
}

/** Whose name a call is about, where it is not that of the present home. */
function subjectOf(action, call, entry) {
  if (action === "Prepare") return { name: shortName(call.files[0].name) };
  if (action === "Evict") return { name: shortName(basename(call.path)) };
  if (action !== "Retry") return {};
  const debt = [...entry.owes.values()].find(({ home, name, step }) =>
    step === "rmdirHome" ? home.path === call.path : name === basename(call.path),
  );
  return { name: shortName(debt.name), debt: debt.step };
}

/** @param {string} name */
const shortName = (name) => name.slice(-NONCE_DIGITS);
