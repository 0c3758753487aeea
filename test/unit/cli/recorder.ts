/** A terminal that keeps what was printed. */

import type { Command } from "../../../src/cli/command.ts";
import { paint } from "../../../src/cli/terminal.ts";

export interface Recorded {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

/** Runs a command in this process. */
export async function record(
  command: Command,
  args: readonly string[],
  { colours = false }: { readonly colours?: boolean } = {},
): Promise<Recorded> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await command.run(args, {
    print: (line) => out.push(...line.split("\n")),
    complain: (line) => err.push(...line.split("\n")),
    paint: (style, text) => (colours ? paint(style, text) : text),
  });
  return { code, out, err };
}
