/**
 * One process of a round: it makes the calls that it is told, synchronously, and notes when each began and ended. One
 * JSON command per line, one JSON answer per line. It lives until its input ends.
 */

import fs from "node:fs";
import { createInterface } from "node:readline";
import { ports } from "./ports.mjs";

/** @type {{ port: string }} */
const { port } = JSON.parse(process.argv[2] ?? "");
const calls = ports[port];

/** Before a round it sleeps until so long before, and then spins: a sleep ends some 0.1 ms late. */
const SPIN_NS = 200_000n;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

const commands = {
  /** Each round begins at its own moment, in all processes alike; whoever is late begins at once. */
  rounds({ startAt, everyNs, rounds }) {
    const start = BigInt(startAt);
    return {
      rounds: rounds.map(({ directory, planned }, i) => {
        process.chdir(directory);
        waitUntil(start + BigInt(i) * BigInt(everyNs));
        return planned.map(({ call, spinNs }) => {
          spinUntil(process.hrtime.bigint() + BigInt(spinNs));
          const begin = process.hrtime.bigint();
          const reply = calls[call.call](call);
          const end = process.hrtime.bigint();
          return { reply, begin: Number(begin - start), end: Number(end - start) };
        });
      }),
    };
  },
  /** Where nobody looks: a directory in which it stands cannot be taken away everywhere. */
  leave() {
    process.chdir("/");
    return {};
  },
};

/** @param {bigint} moment */
function waitUntil(moment) {
  const left = moment - SPIN_NS - process.hrtime.bigint();
  if (left > 0n) Atomics.wait(sleeper, 0, 0, Number(left) / 1e6);
  spinUntil(moment);
}

/** @param {bigint} moment */
function spinUntil(moment) {
  while (process.hrtime.bigint() < moment);
}

const answer = (reply) => fs.writeSync(1, `${JSON.stringify(reply)}\n`);

function obey({ id, do: what, ...rest }) {
  try {
    answer({ ...commands[what](rest), id });
  } catch (error) {
    answer({ id, error: String(error?.stack ?? error) });
  }
}

createInterface({ input: process.stdin }).on("line", (line) => obey(JSON.parse(line)));
if (calls === undefined) throw new Error(`There is no port ${port}`);
answer({ ready: true, pid: process.pid });
