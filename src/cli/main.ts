#!/usr/bin/env node
/** The command line: which command it is. One file for each beside this one. */

import fs from "node:fs";
import { breakLock } from "./break.ts";
import { clean } from "./clean.ts";
import { type Command, complainOf, EXIT, refuse } from "./command.ts";
import { doctor } from "./doctor.ts";
import { inspect } from "./inspect.ts";
import { run } from "./run.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries({ inspect, clean, break: breakLock, doctor, run }),
);

const USAGE = `Usage: session-write-lock COMMAND ...
${[...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`).join("\n")}

  --version  the version of this package
  --help     this text; behind a command, how that is used

Exit codes: 0 done, 1 no, 2 a mistake in the command line, 74 the disk, 75 somebody has the lock.`;

/** A bug of ours, as sysexits(3) has it. */
const BUG = 70;

async function main([name, ...args]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === "--help" || name === "-h" || name === "--version") {
    terminal.print(name === "--version" ? version() : USAGE);
    return EXIT.done;
  }
  if (name === undefined) return refuse("a command is missing", USAGE, terminal);
  const command = COMMANDS.get(name);
  if (command === undefined) {
    return refuse(`there is no ${name.startsWith("-") ? "option" : "command"} ${name}`, USAGE, terminal);
  }
  try {
    return await command.run(args, terminal);
  } catch (error) {
    complainOf(error, terminal);
    return BUG;
  }
}

function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  return String((JSON.parse(fs.readFileSync(file, "utf8")) as { version: string }).version);
}

const terminal: Terminal = openTerminal((error) => {
  complainOf(`Cannot write to standard output: ${(error as Error).message}`, terminal);
  failed = true;
});
let failed = false;
const code: number = await main(process.argv.slice(2), terminal);
process.exitCode = failed ? EXIT.disk : code;
