#!/usr/bin/env node
/** The command line. `inspect` looks, and changes nothing; `run` is in run.ts. */

import fs from "node:fs";
import { parseArgs } from "node:util";
import { inspectSessionLocks, type SessionLockInspection } from "./inspect.ts";
import { run } from "./run.ts";

const USAGE = `Usage: session-write-lock inspect [--json] PATH...
Shows who holds the locks of session files. A PATH is a session file, or a directory of them.
Nothing is changed.

  --json     one JSON array on standard output
  --version  the version of this package
  --help     this text

Exit codes: 0 looked, 2 a mistake in the command line, 3 a path could not be read.

       session-write-lock run [--timeout TIME] [--quiet] FILE -- COMMAND [ARGUMENT...]
Runs a command under the lock of a session file: session-write-lock run --help`;

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === "run") return await run(args.slice(1));
  const parsed = parse(args);
  if (typeof parsed === "string") {
    console.error(`session-write-lock: ${parsed}\n${USAGE}`);
    return 2;
  }
  if (parsed.help) return say(USAGE);
  if (parsed.version) return say(version());
  const found: SessionLockInspection[] = [];
  let code = 0;
  for (const path of parsed.paths) {
    try {
      found.push(...(await inspectSessionLocks(path)));
    } catch (error) {
      console.error(`session-write-lock: ${(error as Error).message}`);
      code = 3;
    }
  }
  if (parsed.json) say(JSON.stringify(found, null, 2));
  else for (const inspection of found) say(line(inspection));
  if (!parsed.json && found.length === 0 && code === 0) say("no locks");
  return code;
}

interface Command {
  readonly help: boolean;
  readonly version: boolean;
  readonly json: boolean;
  readonly paths: readonly string[];
}

/** The command, or what is wrong with it. */
function parse(args: readonly string[]): Command | string {
  const flag = { type: "boolean", default: false } as const;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { help: flag, version: flag, json: flag },
    });
    const [command, ...paths] = positionals;
    const asks = values.help || values.version;
    if (!asks && command === undefined) return "a command is missing";
    if (!asks && command !== "inspect") return `there is no command ${JSON.stringify(command)}`;
    if (!asks && paths.length === 0) return "inspect needs a path";
    return { help: values.help, version: values.version, json: values.json, paths };
  } catch (error) {
    return (error as Error).message;
  }
}

function line({ lockPath, state, owners, note }: SessionLockInspection): string {
  const who = owners.map(({ pid, verdict }) => `pid ${pid} (${verdict})`).join(", ");
  return `${state.padEnd(8)}${lockPath}  ${who}${note}`;
}

function version(): string {
  const file = new URL("../package.json", import.meta.url);
  return String((JSON.parse(fs.readFileSync(file, "utf8")) as { version: string }).version);
}

function say(text: string): number {
  console.log(text);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
