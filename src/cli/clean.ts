/** `session-write-lock clean`: removes what the dead have left. */

import { printable } from "../errors.ts";
import { type CleanStaleLockFilesResult, cleanStaleLockFiles } from "../inspect.ts";
import { type Command, createCommand, EXIT, fail, printJson } from "./command.ts";
import { describeLock } from "./inspect.ts";
import type { Terminal } from "./terminal.ts";

const USAGE = `Usage: session-write-lock clean [--dry-run] [--migrate-legacy-locks] [--json] DIR
Removes what dead processes have left in a directory of sessions: locks, by the exact names of their owners, and
what stands beside the locks. Nothing of an owner that is not proved dead.

  --dry-run               only says which locks would go; what stands beside them is not looked at
  --migrate-legacy-locks  old lock files too, of processes that are proved dead from here. Only if no old version
                          runs on this directory any more, on this machine or another, in this container or another
  --json                  one JSON object on standard output: locks, cleaned, leftovers

Exit codes: 0 done, 1 something of the dead could not be removed, 2 a mistake in the command line,
74 the directory could not be read.`;

const FLAGS = ["dry-run", "migrate-legacy-locks"] as const;

export const clean: Command = createCommand(
  { summary: "removes what the dead have left", usage: USAGE, flags: FLAGS },
  async ({ paths, json, given }, terminal) => {
    const [sessionsDir, extra] = paths;
    if (sessionsDir === undefined || extra !== undefined) return { mistake: "clean needs one directory" };
    const migrateLegacyLocks = given["migrate-legacy-locks"];
    const removeStale = !given["dry-run"];
    try {
      const result = await cleanStaleLockFiles({ sessionsDir, removeStale, migrateLegacyLocks });
      if (json) printJson(result, terminal);
      else printResult(result, { removeStale, migrateLegacyLocks }, terminal);
      return removeStale && staysOf(result, migrateLegacyLocks).length > 0 ? EXIT.no : EXIT.done;
    } catch (error) {
      return fail(error, terminal);
    }
  },
);

/** The locks of the dead that are still there, of those that were asked for. */
function staysOf(
  { locks }: CleanStaleLockFilesResult,
  migrates: boolean,
): CleanStaleLockFilesResult["locks"] {
  return locks.filter(
    ({ stale, removed, state, note }) =>
      stale && !removed && (state !== "foreign" || migrates) && note !== SOMEBODY_ELSE,
  );
}

/** In the words of src/inspect.ts: what was to be done is done. */
const SOMEBODY_ELSE = "somebody else was first";

function printResult(
  result: CleanStaleLockFilesResult,
  { removeStale, migrateLegacyLocks }: { removeStale: boolean; migrateLegacyLocks: boolean },
  terminal: Terminal,
): void {
  const { cleaned, leftovers } = result;
  const stays = staysOf(result, migrateLegacyLocks);
  const say = (text: string, what: string): void => terminal.print(`${text}${printable(what)}`);
  const removed = terminal.paint("green", "removed ");
  for (const lock of cleaned) say(removed, describeLock(lock));
  for (const name of leftovers) say(removed, name);
  const kept = removeStale ? terminal.paint("red", "kept    ") : terminal.paint("yellow", "would remove ");
  for (const lock of stays) say(kept, describeLock(lock));
  if (cleaned.length + leftovers.length + stays.length === 0) terminal.print("nothing to remove");
}
