/**
 * `npm run peers:replay`: one schedule, step by step, on live copies of a library. The disk is that in memory, or a real
 * directory: then each call is made for real when its step comes, and its callback is held back until its turn comes.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isProgram, runProgram } from "../../tla/tools/console.ts";
import { readArgs, UsageError, whole } from "../support/cliOptions.ts";
import { type Contender, FOLDER, type Leftover, processName, type Subject, type Told } from "./contender.ts";
import { type Call, PROCESS_NOW_MS, perform, type Reply } from "./disk.ts";
import { diskBefore, type Step } from "./explore.ts";
import { readResults, resultAt } from "./results.ts";
import { labelOf, subjectNamed } from "./subjects.ts";

/** Makes a call, now. */
export type Performer = (call: Call) => Promise<Reply>;

/** One step that was made. */
export interface Played {
  readonly step: Step;
  /** Of an effect, and of the turn in which it is answered. */
  readonly call?: Call;
  readonly reply?: Reply;
  /** What its caller knows then. */
  readonly told: Told;
  /** Who holds then, by name. */
  readonly holders: readonly string[];
}

/** `a asks`, `b effect 2`: who, and what; of a call its number among the calls and timers of that contender. */
export function stepText({ contender, kind, id }: Step): string {
  return `${processName(contender)} ${kind}${id === 0 ? "" : ` ${id}`}`;
}

export const stepsText = (steps: readonly Step[]): string => steps.map(stepText).join("; ");

/** @throws UsageError for what is no schedule. */
export const parseSteps = (text: string): readonly Step[] =>
  text.split(";").map((one) => parseStep(one.trim()));

function parseStep(text: string): Step {
  const [, name = "", kind = "", id = "0"] =
    /^([a-z]) (asks|lets go|effect|turn|fires)(?: (\d+))?$/.exec(text) ?? [];
  const contender = "abcdefgh".indexOf(name);
  if (kind === "" || contender < 0) throw new UsageError(`this is no step: ${JSON.stringify(text)}`);
  return { contender, kind: kind as Step["kind"], id: Number(id) };
}

/** Each step as it was made. Fails at one that is not possible where it stands. */
export async function replay(
  subject: Subject,
  steps: readonly Step[],
  make: Performer,
): Promise<readonly Played[]> {
  const contenders: Contender[] = [];
  const flying = new Map<string, readonly [Call, Reply]>();
  const played: Played[] = [];
  const contenderOf = (index: number): Contender => {
    for (let i = contenders.length; i <= index; i++) contenders.push(subject.create(i));
    const found = contenders[index];
    if (found === undefined) throw new Error(`no contender ${index}`);
    return found;
  };
  const turnOf = async ({ contender, kind, id }: Step): Promise<readonly [Call, Reply] | undefined> => {
    const one = contenderOf(contender);
    if (kind === "effect") {
      const sent = one.view().sent.find((other) => other.id === id);
      if (sent === undefined || flying.has(`${contender} ${id}`))
        throw new Error("that call is not to be made");
      const reply = await make(sent.call);
      if (sent.sync) one.tell({ kind: "turn", id, reply });
      else flying.set(`${contender} ${id}`, [sent.call, reply]);
      return [sent.call, reply];
    }
    if (kind === "turn") {
      const answered = flying.get(`${contender} ${id}`);
      if (answered === undefined) throw new Error("that call is not answered yet");
      flying.delete(`${contender} ${id}`);
      one.tell({ kind: "turn", id, reply: answered[1] });
      return answered;
    }
    one.tell(kind === "fires" ? { kind, id } : { kind });
    return undefined;
  };
  for (const step of steps) {
    try {
      const answered = await turnOf(step);
      // The promises of a library settle before anything else happens.
      await new Promise((resolve) => setImmediate(resolve));
      const holders = contenders.flatMap((one, i) => (one.view().told === "holds" ? [processName(i)] : []));
      const [call, reply] = answered ?? [];
      const { told } = contenderOf(step.contender).view();
      played.push({ step, told, holders, ...(call && reply ? { call, reply } : {}) });
    } catch (cause) {
      const before = played.map((one) => stepText(one.step)).join("; ");
      throw new Error(`${subject.name} does not do "${stepText(step)}" after: ${before}`, { cause });
    }
  }
  return played;
}

// ------------------------------------------------------------------------------------------------
// Disks

export function memoryDisk(subject: Subject): Performer {
  let disk = diskBefore(subject);
  return async (call) => {
    const [after, reply] = perform(disk, call);
    disk = after;
    return reply;
  };
}

/**
 * On a real disk the stamps are real, and ctime cannot be set. So what the dead owner left is made first, then there is a pause,
 * and the limit lies between: the clocks of the processes stand still at a minute after the beginning, when what was made
 * before the pause is older than the limit, and what is made after it is not, however slow this machine is (a minute at most).
 */
const PAUSE_MS = 100;
const AHEAD_MS = 60_000;
export const STALE_ON_DISK_MS: number = AHEAD_MS + PAUSE_MS / 2;

export async function realDisk(before: readonly Leftover[], folder: string): Promise<Performer> {
  const real = (path: string): string => join(folder, path.slice(FOLDER.length));
  for (const { path, kind, content = "" } of before) {
    if (kind === "directory") fs.mkdirSync(real(path));
    else fs.writeFileSync(real(path), content, { flag: "wx" });
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  /** What to add to a real time, to get that of the harness. */
  const shiftMs = PROCESS_NOW_MS - (Date.now() + AHEAD_MS);
  return (call) => performReal(call, real, shiftMs);
}

/** `shiftMs`: what to add to a time of that disk. */
export async function performReal(
  call: Call,
  real: (path: string) => string,
  shiftMs: number,
): Promise<Reply> {
  try {
    return await makeReal(call, real, shiftMs);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { ok: false, errno: code };
  }
}

async function makeReal(call: Call, real: (path: string) => string, shiftMs: number): Promise<Reply> {
  const later = fs.promises;
  switch (call.op) {
    case "mkdir":
    case "rmdir":
    case "unlink":
      await later[call.op](real(call.path));
      break;
    case "stat": {
      const found = await later.stat(real(call.path));
      const kind = found.isDirectory() ? "directory" : "file";
      return {
        ok: true,
        value: { kind, mtimeMs: found.mtimeMs + shiftMs, ctimeMs: found.ctimeMs + shiftMs },
      };
    }
    case "readdir":
      return { ok: true, value: (await later.readdir(real(call.path))).sort() };
    case "readFile":
      return { ok: true, value: await later.readFile(real(call.path), "utf8") };
    case "remove":
      await later.rm(real(call.path), { force: true });
      break;
    case "removeTree":
      await later.rm(real(call.path), { force: true, recursive: true });
      break;
    case "utimes": {
      const time = new Date(call.mtimeMs - shiftMs);
      await later.utimes(real(call.path), time, time);
      break;
    }
    case "rename":
    case "link":
      await later[call.op](real(call.from), real(call.to));
      break;
    case "replace":
      await later.rm(real(call.to), { force: true, recursive: true });
      await later.rename(real(call.from), real(call.to));
      break;
    case "open":
      return { ok: true, value: fs.openSync(real(call.path), "wx") };
    case "write":
      fs.writeSync(call.descriptor, call.content, 0);
      break;
    case "close":
      fs.closeSync(call.descriptor);
      break;
    case "prepare":
      await later.mkdir(real(call.path));
      for (const name of call.names) await later.writeFile(`${real(call.path)}/${name}`, "", { flag: "wx" });
      break;
  }
  return { ok: true };
}

// ------------------------------------------------------------------------------------------------
// Words

/** `rmdir a.jsonl.lock`, in the folder of the session file. */
export function callText(call: Call): string {
  const short = (path: string): string => path.slice(FOLDER.length + 1);
  switch (call.op) {
    case "rename":
    case "replace":
    case "link":
      return `${call.op} ${short(call.from)} to ${short(call.to)}`;
    case "write":
    case "close":
      return `${call.op} ${call.descriptor}`;
    case "prepare":
      return `make ${short(call.path)} with ${call.names.join(", ")}`;
    default:
      return `${call.op} ${short(call.path)}`;
  }
}

export function replyText(reply: Reply): string {
  if (!reply.ok) return reply.errno;
  const { value } = reply;
  if (value === undefined || typeof value === "number") return "ok";
  if (typeof value === "string") return value === "" ? "empty" : "read";
  if ("kind" in value) return PROCESS_NOW_MS - value.mtimeMs > STALE_ON_DISK_MS ? "old" : "new";
  return value.length === 0 ? "empty" : value.join(", ");
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

// ------------------------------------------------------------------------------------------------
// The command

const USAGE = `npm run peers:replay -- --library NAME [options]
Plays the shortest violating schedule of a library, as test/peers/results.json has it, on the library itself.

  --library NAME    as npm run peers -- --list names it
  --contenders N    2 or 3 (default: the first for which there is one)
  --retries N       0 or 1 (default 0)
  --steps "STEP; STEP; ..."   another schedule: a asks; a effect 1; a turn 1; a lets go; ...
  --real            on a real directory, and not in memory
  --dir DIR         where to make that directory (default: that for temporary files)
  --json            the steps as JSON

Exit code: 0 two hold at the end, 1 they do not, 2 it could not be played.`;

async function main(args: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const values = readArgs(args, {
    ...{ library: text, contenders: text, retries: text, steps: text, dir: text },
    ...{ real: flag, json: flag, help: flag },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.library === undefined) throw new UsageError("say which --library");
  const description = subjectNamed(values.library);
  const retries = whole("--retries", values.retries, { fallback: 0, from: 0, to: 1 });
  const wanted = values.contenders;
  const sizes =
    wanted === undefined ? [2, 3] : [whole("--contenders", wanted, { fallback: 2, from: 2, to: 3 })];
  const found = sizes.map((contenders) => resultAt(readResults(), description.name, { contenders, retries }));
  const schedule = values.steps ?? found.find((row) => row !== undefined && row.shortest !== "")?.shortest;
  if (schedule === undefined)
    throw new UsageError(`no violation of ${values.library} is known there; give --steps`);
  const steps = parseSteps(schedule);
  const played = values.real
    ? await playOnDisk(values.dir ?? tmpdir(), async (folder) => {
        const subject = await description.load({ retries, publicly: true, staleMs: STALE_ON_DISK_MS });
        return replay(subject, steps, await realDisk(subject.before, folder));
      })
    : await description
        .load({ retries, publicly: true })
        .then((subject) => replay(subject, steps, memoryDisk(subject)));
  const holders = played.at(-1)?.holders ?? [];
  if (values.json) console.log(JSON.stringify({ library: labelOf(description), played }, null, 2));
  else {
    console.log(`${labelOf(description)}, ${values.real ? "on a real directory" : "on the disk in memory"}`);
    for (const [i, one] of played.entries()) console.log(lineOf(one, i + 1));
    console.log(
      holders.length > 1 ? `${holders.join(" and ")} hold at the same time` : "no two hold at the end",
    );
  }
  return holders.length > 1 ? 0 : 1;
}

/** In a directory of its own, which is removed afterwards. */
export async function playOnDisk<T>(parent: string, play: (folder: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(join(parent, "swl-peers-"));
  try {
    return await play(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

if (isProgram(import.meta.url)) {
  await runProgram(async () => {
    try {
      return await main(process.argv.slice(2));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      console.error(`${error.message}\n\n${USAGE}`);
      return 2;
    }
  });
}
