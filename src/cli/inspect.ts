/** `session-write-lock inspect`: looks, and changes nothing. */

import { printable } from "../errors.ts";
import { inspectSessionLocks, type SessionLockInspection } from "../inspect.ts";
import { type Command, createCommand, EXIT, fail, printJson } from "./command.ts";
import type { Style, Terminal } from "./terminal.ts";

const USAGE = `Usage: session-write-lock inspect [--json] PATH...
Shows who holds the locks of session files. A PATH is a session file, or a directory of them.
Nothing is changed. Below a lock that nobody is proved to hold stand its owners' names, for break.

  --json  one JSON array on standard output

Exit codes: 0 looked, 2 a mistake in the command line, 74 a path could not be read.`;

export const inspect: Command = createCommand(
  { summary: "shows who holds the locks", usage: USAGE, flags: [] },
  async ({ paths, json }, terminal) => {
    if (paths.length === 0) return { mistake: "inspect needs a path" };
    const found: SessionLockInspection[] = [];
    let code: number = EXIT.done;
    for (const path of paths) {
      try {
        found.push(...(await inspectSessionLocks(path)));
      } catch (error) {
        code = Math.max(code, fail(error, terminal));
      }
    }
    if (json) printJson(found, terminal);
    else for (const lock of found) printLock(lock, terminal);
    if (!json && found.length === 0 && code === EXIT.done) terminal.print("no locks");
    return code;
  },
);

const STYLES: Readonly<Record<SessionLockInspection["state"], Style>> = {
  free: "dim",
  held: "green",
  stale: "yellow",
  unknown: "magenta",
  foreign: "red",
};

function printLock(lock: SessionLockInspection, terminal: Terminal): void {
  const state = terminal.paint(STYLES[lock.state], lock.state.padEnd(8));
  terminal.print(`${state}${printable(describeLock(lock))}`);
  if (lock.state === "held") return;
  for (const { name } of lock.owners) terminal.print(`        owner ${name}`);
}

/** The lock, and what is known of it. */
export function describeLock({ lockPath, owners, note }: SessionLockInspection): string {
  const who = owners.map(({ pid, verdict }) => `pid ${pid} (${verdict})`);
  return `${lockPath}  ${[...who, note].filter((text) => text !== "").join(", ")}`;
}
