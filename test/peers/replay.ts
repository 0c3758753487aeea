/**
 * One schedule, step by step, on live contenders: a call is made when its step comes, and its callback is held back until
 * its turn comes. On the disk in memory, or a real one (realDisk.ts).
 */

import { reasonOf, ToolError } from "../../tla/tools/toolError.ts";
import { UsageError } from "../support/cliOptions.ts";
import { type Contender, FOLDER, processName, type Subject, type Told } from "./contender.ts";
import { type Call, PROCESS_NOW_MS, perform, type Reply } from "./disk.ts";
import { diskBefore, type Step } from "./explore.ts";

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
      const reason = `${subject.name} does not do "${stepText(step)}" after "${before}" (${reasonOf(cause)})`;
      throw new ToolError("play the schedule", reason, "Is it one of this library?", { cause });
    }
  }
  return played;
}

export function memoryDisk(subject: Subject): Performer {
  let disk = diskBefore(subject);
  return async (call) => {
    const [after, reply] = perform(disk, call);
    disk = after;
    return reply;
  };
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

/** What the dead have left is older, on every disk; what a schedule makes is not. */
const NEWEST_OLD_MS = 60_020;

export function replyText(reply: Reply): string {
  if (!reply.ok) return reply.errno;
  const { value } = reply;
  if (value === undefined || typeof value === "number") return "ok";
  if (typeof value === "string") return value === "" ? "empty" : "read";
  if ("kind" in value) return PROCESS_NOW_MS - value.mtimeMs > NEWEST_OLD_MS ? "old" : "new";
  return value.length === 0 ? "empty" : value.join(", ");
}
