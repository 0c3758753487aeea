/** What the commands have in common: how they are called, and what their exit codes mean. */

import { parseArgs } from "node:util";
import { printable, SessionWriteLockError } from "../errors.ts";
import type { Terminal } from "./terminal.ts";

/** One command: it gets what stands behind its name, and gives the exit code. */
export interface Command {
  /** In one line, for the list of commands. */
  readonly summary: string;
  readonly usage: string;
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

/** The same in every command; the last two as in sysexits(3). */
export const EXIT = {
  done: 0,
  /** Nothing failed, but the answer is no, or a warning. */
  no: 1,
  mistake: 2,
  /** `doctor`: do not use the lock here. */
  fail: 3,
  /** The disk, or a path. */
  disk: 74,
  /** Somebody has the lock. */
  busy: 75,
} as const;

/** Something is wrong with the command line; shown with the usage. */
export interface Mistake {
  readonly mistake: string;
}

/** A command whose options are flags: those given, `--json` and `--help`. */
export function createCommand<F extends string>(
  { summary, usage, flags }: { summary: string; usage: string; flags: readonly F[] },
  perform: (called: Called<F>, terminal: Terminal) => Promise<number | Mistake>,
): Command {
  return {
    summary,
    usage,
    run: async (args, terminal) => {
      const called = readFlags(args, flags);
      if ("mistake" in called) return refuse(called.mistake, usage, terminal);
      if (called.help) {
        terminal.print(usage);
        return EXIT.done;
      }
      const ended = await perform(called, terminal);
      return typeof ended === "number" ? ended : refuse(ended.mistake, usage, terminal);
    },
  };
}

/** How a command was called. */
export interface Called<F extends string> {
  readonly paths: readonly string[];
  readonly json: boolean;
  readonly given: Readonly<Record<F, boolean>>;
}

function readFlags<F extends string>(
  args: readonly string[],
  flags: readonly F[],
): (Called<F> & { readonly help: boolean }) | Mistake {
  const flag = { type: "boolean", default: false } as const;
  const options: Record<string, typeof flag & { short?: "h" }> = {
    json: flag,
    help: { ...flag, short: "h" },
  };
  for (const name of flags) options[name] = flag;
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const given = Object.fromEntries(flags.map((name) => [name, values[name] === true]));
    return {
      paths: positionals,
      json: values["json"] === true,
      help: values["help"] === true,
      given: given as Record<F, boolean>,
    };
  } catch (error) {
    return { mistake: (error as Error).message };
  }
}

export function refuse(mistake: string, usage: string, terminal: Terminal): number {
  complainOf(mistake, terminal);
  terminal.complain(usage);
  return EXIT.mistake;
}

export function complainOf(what: unknown, terminal: Terminal): void {
  const text = what instanceof Error ? what.message : String(what);
  terminal.complain(`session-write-lock: ${printable(text)}`);
}

/** The exit code for what the library threw. */
export function exitCodeOf(error: unknown): number {
  const code = error instanceof SessionWriteLockError ? error.code : undefined;
  if (code === "ELOCKED") return EXIT.busy;
  return code === "EINVAL" ? EXIT.mistake : EXIT.disk;
}

/** Says what the library threw, and gives the exit code for it. */
export function fail(error: unknown, terminal: Terminal): number {
  if (!(error instanceof SessionWriteLockError)) throw error;
  complainOf(error, terminal);
  return exitCodeOf(error);
}

export function printJson(value: unknown, terminal: Terminal): void {
  terminal.print(JSON.stringify(value, null, 2));
}
