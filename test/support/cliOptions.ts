/** What the commands of test/ share: options are read strictly, since a mistyped one must not look like a passed check. */

import { type ParseArgsConfig, parseArgs } from "node:util";

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface Range {
  readonly fallback: number;
  readonly from: number;
  readonly to: number;
}

/** @throws UsageError unless it is a whole number of the range; the fallback if there is no text. */
export function whole(name: string, text: string | undefined, { fallback, from, to }: Range): number {
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= from && value <= to) return value;
  throw new UsageError(`${name} must be a whole number from ${from} to ${to}, not ${JSON.stringify(text)}`);
}

/** A command's options, by their names without the dashes. */
type Known = NonNullable<ParseArgsConfig["options"]>;
type Values<Options extends Known> = ReturnType<
  typeof parseArgs<{ options: Options; strict: true }>
>["values"];

/** @throws UsageError for anything but these options. */
export function readArgs<Options extends Known>(args: readonly string[], options: Options): Values<Options> {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false })
      .values as Values<Options>;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Prints how a command is used, if that is asked for; whether it was. */
export function wantsHelp(args: readonly string[], usage: string): boolean {
  const wants = args.includes("--help");
  if (wants) console.log(usage);
  return wants;
}

/** The exit code of a command; of one that was asked for something it does not know: how it is used, and 2. */
export async function orUsage(usage: string, command: () => number | Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    return 2;
  }
}

/** Of a command without options that runs for long: ends this process, unless nothing was asked for. */
export function refuseOptions(args: readonly string[], usage: string): void {
  if (wantsHelp(args, usage)) process.exit(0);
  if (args.length === 0) return;
  console.error(`there is no option ${args[0]}\n\n${usage}`);
  process.exit(2);
}
