/**
 * `session-write-lock run FILE -- COMMAND`: runs a command under the lock of a session file, as flock(1) does.
 *
 * The command is an owner of the lock beside this process (spec/protocol.md, "A guest"): if this process is killed,
 * the lock stays with the command until that has ended. So it must be named in the lock before it does anything:
 * it is started held back, and let go after the lock was granted. One that is held back sees the end of its pipe
 * when this process dies, and ends.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { isatty } from "node:tty";
import { parseArgs } from "node:util";
import { ignoreErrors, printable } from "../errors.ts";
import { acquireWithGuest, type GuestLock, prepareToDie } from "../lock.ts";
import type { WaitingInfo } from "../options.ts";
import { readGuestScope } from "../owner/identity.ts";
import { createObserver } from "../owner/observe.ts";
import { type Guest, processRegistry } from "../registry.ts";
import { type Command, EXIT, exitCodeOf, refuse } from "./command.ts";
import { paint, type Terminal, wantsColours, writeLine } from "./terminal.ts";

const USAGE = `Usage: session-write-lock run [--timeout TIME] [--quiet] FILE -- COMMAND [ARGUMENT...]
Runs a command under the lock of a session file, and releases it when the command has ended.
While it waits for more than a second it says so on standard error.

  --timeout TIME  how long to wait: a number with ms, s, m or h; 0 tries once; inf, the default, for ever
  --quiet         do not say what it waits for

Exit codes: that of the command. If a signal ended it: the same signal, or 128 and its number.
Before the command: 2 a mistake in the command line, 74 the lock cannot be used, 75 somebody else has it.
From the command's start: 126 it cannot be executed, 127 it was not found.`;

/** As shells have it. */
const NOT_EXECUTABLE = 126;

/** How long to wait before saying so: whoever gets the lock at once is told nothing. */
const PATIENCE_MS = 1_000;
/** What is left to do on the disk is a few calls. If they take longer, others do without: we are dead then. */
const LAST_CALLS_MS = 1_000;

export const run: Command = { summary: "runs a command under the lock", usage: USAGE, run: runCommand };

/** Runs the command. The exit code; a signal that ended the command ends this process too. */
async function runCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  const options = readRunOptions(args);
  if (options === "help") {
    terminal.print(USAGE);
    return EXIT.done;
  }
  if (typeof options === "string") return refuse(options, USAGE, terminal);
  const child = startHeldBack(options.command);
  if (child === undefined) return NOT_EXECUTABLE;
  const stopPassing = passSignals(child.process);
  try {
    return await runUnderLock(options, child);
  } finally {
    stopPassing();
  }
}

async function runUnderLock(options: RunOptions, child: HeldBack): Promise<number> {
  const lock = await acquire(options, child);
  if (typeof lock === "number") return lock;
  if (lock === undefined) return await endAs(await child.ended);
  // The command is told nothing: it would not know what to do with a signal of ours.
  lock.signal.addEventListener("abort", () =>
    say(`the lock is lost: ${(lock.signal.reason as Error).message}`),
  );
  lock.letGo();
  const end = await child.ended;
  await lock.release().catch((error: unknown) => say((error as Error).message));
  return await endAs(end);
}

/** The lock; or the exit code, if there is none; or neither, if the child ended before. */
async function acquire(options: RunOptions, child: HeldBack): Promise<GuestLock | number | undefined> {
  const { file, timeoutMs } = options;
  const over = new AbortController();
  void child.ended.then(() => over.abort());
  const once = timeoutMs === 0;
  const params = {
    sessionFile: file,
    timeoutMs: once ? Number.POSITIVE_INFINITY : timeoutMs,
    maxHoldMs: Number.POSITIVE_INFINITY,
    signal: over.signal,
    onWaiting: createNotice(options),
  };
  try {
    const lock = await acquireWithGuest(params, once ? "leaves" : "waits", child.guest);
    if (lock !== undefined) return lock;
    say(`session file locked: ${file}`);
  } catch (error) {
    if (over.signal.aborted) return undefined;
    say((error as Error).message);
    return await endChild(child, exitCodeOf(error));
  }
  return await endChild(child, EXIT.busy);
}

async function endChild(child: HeldBack, code: number): Promise<number> {
  child.end();
  await child.ended;
  return code;
}

// ------------------------------------------------------------------------------------------------
// The command line

interface RunOptions {
  readonly file: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly quiet: boolean;
}

/** The options, or what is wrong with them. */
export function readRunOptions(args: readonly string[]): RunOptions | "help" | string {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  try {
    const { values, positionals } = parseArgs({
      args: [...own],
      allowPositionals: true,
      options: {
        timeout: { type: "string", default: "inf" },
        quiet: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return "help";
    const [file, extra] = positionals;
    const command = end < 0 ? [] : args.slice(end + 1);
    const [program] = command;
    const timeoutMs = readTime(values.timeout);
    if (file === undefined || file === "") return "run needs a session file";
    if (extra !== undefined) return `run takes one session file, and -- before the command: ${extra}`;
    if (end < 0) return "run needs -- and a command behind it";
    if (program === undefined || program === "") return "a command is missing behind --";
    // sh would take it for an option of exec.
    if (program.startsWith("-")) return `a command cannot begin with a dash: ${program}. Use ./${program}`;
    if (timeoutMs === undefined)
      return `--timeout is a number with ms, s, m or h, 0, or inf: ${values.timeout}`;
    return { file, command, timeoutMs, quiet: values.quiet };
  } catch (error) {
    return (error as Error).message;
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function readTime(text: string): number | undefined {
  if (text === "inf") return Number.POSITIVE_INFINITY;
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (number !== "" && Number(number) === 0) return 0;
  const factor = UNITS[unit];
  return number === "" || factor === undefined ? undefined : Number(number) * factor;
}

// ------------------------------------------------------------------------------------------------
// The child

interface HeldBack {
  readonly process: ChildProcess;
  readonly guest: Guest;
  readonly ended: Promise<End>;
  /** It is never let go: it ends. */
  end(): void;
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Waits for the word on descriptor 3, and becomes the command: exec keeps the pid, and when the process started. The
 * end of the pipe is not the word. The user's words are arguments, which no shell reads.
 */
const HOLD_BACK =
  'read -r SWL_RUN_WORD <&3 && [ "$SWL_RUN_WORD" = go ] || exit 75; unset SWL_RUN_WORD; exec "$@" 3<&-';

function startHeldBack(command: readonly string[]): HeldBack | undefined {
  const child = startShell(["-c", HOLD_BACK, "session-write-lock", ...keepEnvironment(), ...command]);
  if (child?.pid === undefined) return undefined;
  const ended = new Promise<End>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const pipe = child.stdio[3] as Duplex;
  // It may have ended.
  pipe.on("error", () => {});
  return {
    process: child,
    guest: {
      scope: readGuestScope(processRegistry().self, createObserver(), child.pid),
      letGo: () => pipe.end("go\n"),
    },
    ended,
    // It has done nothing yet. Even a stopped one goes.
    end: () => child.kill("SIGKILL"),
  };
}

/** Out of processes, memory or descriptors it cannot be started: Node.js throws, or has no pid. */
function startShell(args: readonly string[]): ChildProcess | undefined {
  const refused = (error: unknown): undefined => say(`Cannot start /bin/sh: ${(error as Error).message}`);
  try {
    const child = spawn("/bin/sh", args, { stdio: ["inherit", "inherit", "inherit", "pipe"] });
    return child.once("error", refused);
  } catch (error) {
    return refused(error);
  }
}

/** Variables whose names no shell can hold: dash forgets them (measured), so env brings them back. */
function keepEnvironment(): readonly string[] {
  const lost = Object.entries(process.env).filter(([name]) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  return lost.length === 0 ? [] : ["env", "--", ...lost.map(([name, value]) => `${name}=${value}`)];
}

// ------------------------------------------------------------------------------------------------
// Signals

/** Those that ask a process to do something. SIGKILL and SIGSTOP cannot be passed on. */
const PASSED = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
/** A terminal sends these to everybody in the foreground: the child has it already. */
const OF_TERMINAL: readonly string[] = ["SIGINT", "SIGQUIT"];

function passSignals(child: ChildProcess): () => void {
  // Not by process.stdin: that makes a pipe non-blocking, for the child too.
  const atTerminal = [0, 1, 2].some((fd) => isatty(fd));
  const pass = (signal: NodeJS.Signals): void => {
    if (!(atTerminal && OF_TERMINAL.includes(signal))) child.kill(signal);
  };
  for (const signal of PASSED) process.on(signal, pass);
  return () => {
    for (const signal of PASSED) process.removeListener(signal, pass);
  };
}

/** By default these leave a core file: one of this process would mislead. */
const WITH_CORE: readonly string[] = [
  ..."SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGSEGV SIGXCPU SIGXFSZ SIGSYS".split(" "),
];

/** As the command ended, so do we: a shell that sees SIGINT stops its script, 130 alone does not tell it to. */
async function endAs({ code, signal }: End): Promise<number> {
  if (signal === null) return code ?? 1;
  if (!WITH_CORE.includes(signal)) {
    await prepareToDie(LAST_CALLS_MS);
    for (const passed of PASSED) process.removeAllListeners(passed);
    ignoreErrors(() => process.kill(process.pid, signal));
  }
  return 128 + constants.signals[signal];
}

// ------------------------------------------------------------------------------------------------
// Words

/** Says once what it waits for, if that takes long. */
function createNotice({ file, quiet }: RunOptions): (info: WaitingInfo) => void {
  let said = quiet;
  return ({ waitedMs, owner, what }) => {
    if (said || waitedMs < PATIENCE_MS) return;
    said = true;
    const since = owner?.ageMs === undefined ? "" : ` for ${Math.round(owner.ageMs / 1_000)} s`;
    const who = owner?.pid === undefined ? what : `held by pid ${owner.pid}${since}`;
    const text = printable(`waiting for ${file}, ${who}`);
    writeLine(2, wantsColours(2) ? paint("dim", text) : text);
  };
}

function say(text: string): undefined {
  writeLine(2, printable(`session-write-lock: ${text}`));
}
