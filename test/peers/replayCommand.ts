/** `npm run peers:replay`: a violating schedule on the library itself, for whoever wants to see it. */

import { tmpdir } from "node:os";
import { isProgram, runProgram } from "../../tla/tools/console.ts";
import { orUsage, readArgs, UsageError, whole } from "../support/cliOptions.ts";
import { processName } from "./contender.ts";
import type { Step } from "./explore.ts";
import { playOnDisk, realDisk, STALE_ON_DISK_MS } from "./realDisk.ts";
import { callText, memoryDisk, type Played, parseSteps, replay, replyText } from "./replay.ts";
import { type Result, readResults, resultAt } from "./results.ts";
import { scriptOf } from "./script.ts";
import { type Description, labelOf, subjectNamed } from "./subjects.ts";

const USAGE = `npm run peers:replay -- --library NAME [options]
Plays the shortest violating schedule of a library, as test/peers/results.json has it, on the library itself.

  --library NAME    as npm run peers -- --list names it
  --contenders N    2 or 3 (default: the first for which there is one)
  --retries N       0 or 1 (default 0)
  --steps "STEP; STEP; ..."   another schedule: a asks; a effect 1; a turn 1; a lets go; ...
  --real            on a real directory, and not in memory
  --dir DIR         where to make that directory (default: that for temporary files)
  --script          print a program that does so, and needs nothing but Node.js and the library
  --json            the steps as JSON

Exit code: 0 two hold at the end, 1 they do not, 2 it could not be played.`;

async function main(args: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const values = readArgs(args, {
    ...{ library: text, contenders: text, retries: text, steps: text, dir: text },
    ...{ real: flag, script: flag, json: flag, help: flag },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.library === undefined) throw new UsageError("say which --library");
  const description = subjectNamed(values.library);
  if (values.script) {
    if (description.packageName === undefined)
      throw new UsageError(`${description.name} is no library of npm`);
    console.log(scriptOf(description, violationOf(description, values)));
    return 0;
  }
  const schedule = values.steps ?? violationOf(description, values).shortest;
  const options = { retries: retriesOf(values), dir: values.dir ?? tmpdir(), real: values.real === true };
  const played = await play(description, parseSteps(schedule), options);
  const holders = played.at(-1)?.holders ?? [];
  const end =
    holders.length > 1 ? `${holders.join(" and ")} hold at the same time` : "no two hold at the end";
  if (values.json) console.log(JSON.stringify({ library: labelOf(description), played }, null, 2));
  else {
    console.log(`${labelOf(description)}, ${values.real ? "on a real directory" : "on the disk in memory"}`);
    console.log([...played.map((one, i) => lineOf(one, i + 1)), end].join("\n"));
  }
  return holders.length > 1 ? 0 : 1;
}

interface Where {
  readonly contenders?: string | undefined;
  readonly retries?: string | undefined;
}

const retriesOf = ({ retries }: Where): number =>
  whole("--retries", retries, { fallback: 0, from: 0, to: 1 });

/** @throws UsageError if there is none. */
function violationOf({ name }: Description, where: Where): Result {
  const retries = retriesOf(where);
  const size = whole("--contenders", where.contenders, { fallback: 0, from: 2, to: 3 });
  const found = (size === 0 ? [2, 3] : [size]).map((contenders) =>
    resultAt(readResults(), name, { contenders, retries }),
  );
  const violation = found.find((result) => result !== undefined && result.shortest !== "");
  if (violation !== undefined) return violation;
  throw new UsageError(`no violation of ${name} is known there; give --steps`);
}

interface PlayOptions {
  readonly retries: number;
  readonly dir: string;
  readonly real: boolean;
}

/** Through the public module, as its users have it. */
async function play(
  description: Description,
  steps: readonly Step[],
  { retries, dir, real }: PlayOptions,
): Promise<readonly Played[]> {
  if (!real) {
    const subject = await description.load({ retries, publicly: true });
    return replay(subject, steps, memoryDisk(subject));
  }
  const subject = await description.load({ retries, publicly: true, staleMs: STALE_ON_DISK_MS });
  return playOnDisk(dir, async (folder) => replay(subject, steps, await realDisk(subject.before, folder)));
}

function lineOf({ step, call, reply, told, holders }: Played, number: number): string {
  const what = call !== undefined && reply !== undefined ? `${callText(call)}: ${replyText(reply)}` : "";
  const word = { asks: "asks", "lets go": "lets go", effect: "", turn: "is answered", fires: "wakes" }[
    step.kind
  ];
  const now = step.kind === "effect" ? "" : `  (${told})`;
  const both = holders.length > 1 ? `  <- ${holders.join(" and ")} hold` : "";
  return `${String(number).padStart(3)}. ${processName(step.contender)} ${[word, what].filter(Boolean).join("  ")}${now}${both}`;
}

if (isProgram(import.meta.url)) await runProgram(() => orUsage(USAGE, () => main(process.argv.slice(2))));
