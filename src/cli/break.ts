/** `session-write-lock break`: takes a lock away from an owner, by its exact name. */

import { printable } from "../errors.ts";
import { breakSessionLock } from "../inspect.ts";
import { type Command, createCommand, EXIT, fail, printJson } from "./command.ts";

const USAGE = `Usage: session-write-lock break [--json] FILE OWNER
Takes the lock of a session file away from an owner that cannot be judged from here, and is known to be dead from
elsewhere. OWNER is its exact name, as inspect shows it: nobody else is ever hit. Refused for an owner that is proved
alive. One that lives after all loses its lock, and exclusion ends there.

  --json  one JSON object on standard output

Exit codes: 0 broken, 1 it was not there, 2 a mistake in the command line, 74 the disk refused, 75 the owner lives.`;

export const breakLock: Command = createCommand(
  { summary: "takes a lock away from an owner, by its exact name", usage: USAGE, flags: [] },
  async ({ paths, json }, terminal) => {
    const [sessionFile, owner, extra] = paths;
    if (sessionFile === undefined || owner === undefined || extra !== undefined) {
      return { mistake: "break needs a session file, and the name of an owner" };
    }
    try {
      const broken = await breakSessionLock(sessionFile, owner);
      const words = broken ? "broken: it was owned by" : "not there:";
      if (json) printJson({ sessionFile, owner, broken }, terminal);
      else terminal.print(printable(`${sessionFile} ${words} ${owner}`));
      return broken ? EXIT.done : EXIT.no;
    } catch (error) {
      return fail(error, terminal);
    }
  },
);
