#!/usr/bin/env node
/** The command line. `inspect` looks, and changes nothing; `run` is in run.ts. */

import fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { errnoText } from "./errors.ts";
import { isKnownJunk, parseOwnerName } from "./owner/name.ts";
import { createOwners } from "./owners.ts";
import { isLocalDisk } from "./paths.ts";
import { askAndJudge, type Owners, processRegistry } from "./registry.ts";
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

/** What stands at one lock path. */
interface Inspection {
  readonly lockPath: string;
  readonly state: "free" | "held" | "stale" | "unknown" | "foreign";
  readonly owners: readonly { readonly name: string; readonly pid: number; readonly verdict: string }[];
  readonly note: string;
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === "run") return await run(args.slice(1));
  const parsed = parse(args);
  if (typeof parsed === "string") {
    console.error(`session-write-lock: ${parsed}\n${USAGE}`);
    return 2;
  }
  if (parsed.help) return say(USAGE);
  if (parsed.version) return say(version());
  const owners = createOwners(processRegistry().self);
  const found: Inspection[] = [];
  let code = 0;
  for (const path of parsed.paths) {
    try {
      for (const lockPath of lockPaths(resolve(path))) found.push(await inspect(lockPath, owners));
    } catch (error) {
      console.error(`session-write-lock: Cannot inspect ${path}: ${errnoText(error)}`);
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

/** A directory's lock paths, or the one of a session file. */
function lockPaths(path: string): readonly string[] {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true && !path.endsWith(".lock")) {
    const names = fs.readdirSync(path).filter((name) => name.endsWith(".lock"));
    return names.sort().map((name) => join(path, name));
  }
  return [path.endsWith(".lock") ? path : `${path}.lock`];
}

async function inspect(lockPath: string, owners: Owners): Promise<Inspection> {
  const stat = fs.lstatSync(lockPath, { throwIfNoEntry: false });
  if (stat === undefined) return { lockPath, state: "free", owners: [], note: "nothing stands there" };
  if (!stat.isDirectory()) {
    return { lockPath, state: "foreign", owners: [], note: "not a directory: not a lock of this library" };
  }
  const names = namesAt(lockPath).filter((name) => !isKnownJunk(name));
  if (names.length === 0) return { lockPath, state: "free", owners: [], note: "an empty directory" };
  if (!names.every((name) => owners.isOwner(name))) {
    return { lockPath, state: "foreign", owners: [], note: "it holds names that are not owners" };
  }
  const place = { path: lockPath, local: isLocalDisk(dirname(lockPath)) };
  const judged = await askAndJudge(owners, names, place);
  const state = judged.every(({ verdict }) => verdict === "dead")
    ? "stale"
    : judged.some(({ verdict }) => verdict === "alive")
      ? "held"
      : "unknown";
  return {
    lockPath,
    state,
    owners: judged.map(({ name, reason }) => ({
      name,
      pid: Number(parseOwnerName(name)?.pid),
      verdict: reason,
    })),
    note: "",
  };
}

/** A lock may be given back between two looks. */
function namesAt(lockPath: string): readonly string[] {
  try {
    return fs.readdirSync(lockPath);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function line({ lockPath, state, owners, note }: Inspection): string {
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
