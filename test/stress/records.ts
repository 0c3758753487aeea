/**
 * What a stress run leaves behind: one file per life of a process, written by recorder.mjs, and one of the parent's.
 * Moments are nanoseconds of CLOCK_MONOTONIC, which is one clock for all processes of a kernel.
 */

import fs from "node:fs";
import { join } from "node:path";
import type { ActionName } from "../../model/actions.ts";
import type { DebtStep, Proc } from "../../model/state.ts";
import { errnoText } from "../../src/errors.ts";

/** The nonce of an owner's name. */
export type RealName = string;
/** The n-th attempt of a life. */
export type AttemptId = number;

/** The variables that a process owns, under their names in the model; of `owes` and `gaveUp` what the code has. */
export interface Observed {
  readonly heldLocks: readonly AttemptId[];
  readonly releasing: { readonly name: RealName; readonly aside: boolean } | null;
  readonly contender: AttemptId | null;
  readonly queue: readonly AttemptId[];
  readonly home: RealName | null;
  /** The names alone: the model merges a Retry's turn with its effect. */
  readonly owes: readonly RealName[];
  /** Whether the contender has given up. */
  readonly gaveUp: boolean;
}

interface At {
  readonly at: number;
  /**
   * Before this record. In the file it is left out where it is that of the record before. Never of an `end`, nor of a
   * `Retry`, which is sent in the middle of the code of the step that owes it.
   */
  readonly state?: Observed;
}

export type StepRecord =
  /** A call from outside. */
  | (At & {
      readonly is: "call";
      readonly action: "Request" | "GiveUp" | "Release";
      readonly attempt: AttemptId;
      readonly shares?: boolean;
    })
  | (At & { readonly is: "turn"; readonly action: ActionName; readonly name?: RealName })
  /** A system call is about to be made, or sent. */
  | (At & {
      readonly is: "begin";
      readonly id: number;
      readonly action: ActionName;
      readonly name?: RealName;
      readonly debt?: DebtStep;
    })
  /** The reply: `ok`, or the name of the error. */
  | (At & {
      readonly is: "end";
      readonly id: number;
      readonly reply: string;
      readonly names?: readonly RealName[];
    });

/** What the parent saw of a life. */
export interface Life {
  readonly proc: Proc;
  readonly life: number;
  /** Before SIGKILL was sent. */
  readonly killedAt?: number;
  /** After the process was waited for; absent only if somebody tampered. */
  readonly endedAt?: number;
  readonly records: readonly StepRecord[];
}

/** How a run was made. */
export interface RunMeta {
  readonly processes: number;
  readonly tasks: number;
  readonly local: boolean;
  readonly seed: number;
}

export interface Trace {
  readonly meta: RunMeta;
  /** By process and life. */
  readonly lives: readonly Life[];
}

export type ParentRecord = { readonly at: number } & (
  | ({ readonly is: "run" } & RunMeta)
  | {
      readonly is: "start" | "kill" | "stop" | "continue" | "end";
      readonly proc: Proc;
      readonly life: number;
    }
);

const PARENT_FILE = "parent.jsonl";
export const parentFile = (directory: string): string => join(directory, PARENT_FILE);
export const lifeFile = (directory: string, proc: Proc, life: number): string =>
  join(directory, `${proc}-${String(life).padStart(4, "0")}.jsonl`);

/** Names of processes: those of the model. */
export const procOfSlot = (slot: number): Proc => String.fromCharCode("a".charCodeAt(0) + slot);

/** What is there is no trace. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

/** @throws TraceError if the directory is no trace, or a line of it no record. */
export function readTrace(directory: string): Trace {
  const parent = readRecords<ParentRecord>(parentFile(directory));
  const run = parent.find((record) => record.is === "run");
  if (run?.is !== "run")
    throw new TraceError(`Cannot read ${directory}: its ${PARENT_FILE} says nothing of a run`);
  const { processes, tasks, local, seed } = run;
  const momentOf = (is: "kill" | "end", proc: Proc, life: number): number | undefined =>
    parent.find((other) => other.is === is && other.proc === proc && other.life === life)?.at;
  const lives = parent.flatMap((record): Life[] => {
    if (record.is !== "start") return [];
    const { proc, life } = record;
    const killedAt = momentOf("kill", proc, life);
    const endedAt = momentOf("end", proc, life);
    const file = lifeFile(directory, proc, life);
    // One that was killed before it could open its file has done nothing.
    const records = fs.existsSync(file) ? withStates(readRecords<StepRecord>(file)) : [];
    return [
      {
        proc,
        life,
        ...(killedAt === undefined ? {} : { killedAt }),
        ...(endedAt === undefined ? {} : { endedAt }),
        records,
      },
    ];
  });
  return { meta: { processes, tasks, local, seed }, lives };
}

/** What was left out is put in: whoever takes a record away takes nothing else. */
function withStates(records: readonly StepRecord[]): readonly StepRecord[] {
  let state: Observed | undefined;
  return records.map((record) => {
    if (record.is === "end" || record.action === "Retry") return record;
    state = record.state ?? state;
    return state === undefined ? record : { ...record, state };
  });
}

/** Whole lines; what follows the last one was torn by a SIGKILL. */
function readRecords<Record>(file: string): readonly Record[] {
  const lines = textOf(file).split("\n").slice(0, -1);
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as Record;
    } catch {
      throw new TraceError(`Cannot read ${file}: line ${i + 1} is no record: ${line.slice(0, 80)}`);
    }
  });
}

function textOf(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    throw new TraceError(`Cannot read ${file}: ${errnoText(error)}`);
  }
}
