/** What the command line prints. Written at once and whole: an exit cuts nothing off. */

import fs from "node:fs";
import { isatty } from "node:tty";

export interface Terminal {
  /** A line on standard output. */
  print(line: string): void;
  /** A line on standard error. What others have named must have gone through `printable`. */
  complain(line: string): void;
  /** Paints text for standard output, where colours are wanted there. */
  paint(style: Style, text: string): string;
}

export type Style = keyof typeof STYLES;

const STYLES = { dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], magenta: [35, 39] } as const;

/** `failed` is told why standard output could not take a line. */
export function openTerminal(failed: (error: unknown) => void): Terminal {
  const coloured = wantsColours(1);
  return {
    print: (line) => writeLine(1, line, failed),
    complain: (line) => writeLine(2, line),
    paint: (style, text) => (coloured ? paint(style, text) : text),
  };
}

export function paint(style: Style, text: string): string {
  const [on, off] = STYLES[style];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}

/** As Node.js has it: FORCE_COLOR decides, then NO_COLOR, then whether it is a terminal. */
export function wantsColours(
  descriptor: 1 | 2,
  env: NodeJS.ProcessEnv = process.env,
  isTerminal: boolean = isatty(descriptor),
): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: refused, TERM: kind } = env;
  if (forced !== undefined) return !["0", "false"].includes(forced);
  if (refused !== undefined && refused !== "") return false;
  return isTerminal && kind !== "dumb";
}

/**
 * Not by process.stdout and process.stderr: they make a pipe non-blocking, also for a child that writes to it. A
 * pipe that nobody reads any more is no failure.
 */
export function writeLine(
  descriptor: 1 | 2,
  line: string,
  failed: (error: unknown) => void = () => {},
): void {
  let rest = Buffer.from(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(descriptor, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN") {
        if (code !== "EPIPE") failed(error);
        return;
      }
      // Somebody else made it non-blocking, and it is full.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_MS);
    }
  }
}

/** How long a full pipe is left alone. */
const FULL_PIPE_MS = 5;
