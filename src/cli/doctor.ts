/** `session-write-lock doctor`: tests the assumptions in one directory, and prints a table. */

import { examine } from "../doctor/doctor.ts";
import type { Result, Row } from "../doctor/row.ts";
import { ignoreErrors, printable } from "../errors.ts";
import { type Command, createCommand, EXIT, fail, printJson } from "./command.ts";
import type { Style, Terminal } from "./terminal.ts";

const USAGE = `Usage: session-write-lock doctor [--quick] [--json] DIR
Tests what the lock assumes (spec/assumptions.md) of this very file system, kernel and clock, and prints a table.
What it makes is in a private directory in DIR, .swl-doctor-..., that it removes again; what is there is not touched.

  --quick  without child processes and waiting: some rows say "not known"
  --json   one JSON object on standard output

ok: as assumed. warn: safe, but it costs something. not known: it cannot be seen from here. fail: do not use the
lock in this directory.

Exit codes: 0 no warning, 1 warnings, 2 a mistake in the command line, 3 a failure, 74 the directory cannot be read.`;

export const doctor: Command = createCommand(
  { summary: "tests the assumptions in a directory", usage: USAGE, flags: ["quick"] },
  async ({ paths, json, given }, terminal) => {
    const [directory, extra] = paths;
    if (directory === undefined || extra !== undefined) return { mistake: "doctor needs one directory" };
    let stopWatching = (): void => {};
    try {
      const diagnosis = await examine(directory, {
        quick: given.quick,
        onScratch: (remove) => {
          stopWatching = removeOnSignal(remove);
        },
      });
      if (json) printJson(diagnosis, terminal);
      else printTable(diagnosis.rows, terminal);
      return EXITS[diagnosis.result];
    } catch (error) {
      return fail(error, terminal);
    } finally {
      stopWatching();
    }
  },
);

const EXITS: Readonly<Record<Result, number>> = {
  ok: EXIT.done,
  "not known": EXIT.done,
  warn: EXIT.no,
  fail: EXIT.fail,
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Whoever is ended by a signal leaves nothing, and is ended by it. */
function removeOnSignal(remove: () => void): () => void {
  const end = (signal: NodeJS.Signals): void => {
    remove();
    stop();
    ignoreErrors(() => process.kill(process.pid, signal));
  };
  const stop = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, end);
  };
  for (const signal of SIGNALS) process.on(signal, end);
  return stop;
}

const STYLES: Readonly<Record<Result, Style>> = {
  ok: "green",
  warn: "yellow",
  fail: "red",
  "not known": "dim",
};

function printTable(rows: readonly Row[], terminal: Terminal): void {
  const widest = Math.max(...rows.map(({ tried }) => tried.length));
  for (const { subject, tried, result, seen, means } of rows) {
    const verdict = terminal.paint(STYLES[result], result.padEnd(9));
    const text = means === "" ? seen : `${seen}; ${means}`;
    terminal.print(`${subject.padEnd(6)}${verdict}  ${tried.padEnd(widest)}  ${printable(text)}`);
  }
}
