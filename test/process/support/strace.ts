/** strace: to slow calls down, and to see every call that touches the session directory. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./child.ts";
import type { Session } from "./scenario.ts";

/** The calls that the lock is made of; getdents64 is what readdir does. */
export const CALLS = ["mkdir", "rename", "getdents64", "unlink", "rmdir"] as const;
export type Call = (typeof CALLS)[number];
/** Before the call, or after it and before its answer. */
export const SIDES = ["delay_enter", "delay_exit"] as const;
export type Side = (typeof SIDES)[number];

/** Put in front of a command: each such call of it takes so much longer. */
export function slow(call: Call, side: Side, ms: number): readonly string[] {
  const quiet = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null"];
  return [...quiet, "-e", `trace=${call}`, "-e", `inject=${call}:${side}=${ms}ms`];
}

/** What is done to the n-th such call of each thread, in the words of strace's `inject=`. */
export interface Injection {
  readonly call: string;
  /** `error=EIO`, `delay_enter=30ms`, `signal=SIGKILL`. */
  readonly what: string;
  /** `3`: the third; `2+`: from the second on; `1+2`: the first, and every other one from there on. */
  readonly when: string;
}

export interface Injected {
  /** Lets go of the process. How often it was done to a call. */
  end(): Promise<(call: string) => number>;
  /** Lets go of it wherever it is held, and if it is dead: an strace that is asked to waits for what it holds. */
  letGo(): Promise<void>;
}

/** Does this to a running process, from here on until it is let go, or dead. */
export async function inject(
  { hostPid }: Child,
  injections: readonly Injection[],
  threads: "all" | "main",
  file: string,
): Promise<Injected> {
  const calls = [...new Set(injections.map(({ call }) => call))].join(",");
  const what = injections.flatMap(({ call, what, when }) => ["-e", `inject=${call}:${what}:when=${when}`]);
  const follow = threads === "all" ? ["-f"] : [];
  const args = [...follow, "-o", file, "-e", `trace=${calls}`, ...what, "-p", String(hostPid)];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(strace, "close");
  await untilAttached(strace, 1);
  return {
    letGo: async () => {
      strace.kill("SIGKILL");
      await ended;
    },
    end: async () => {
      if (strace.exitCode === null) strace.kill("SIGINT");
      await ended;
      const done = readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => /\((INJECTED|DELAYED)\)$/.test(line));
      return (call) => done.filter((line) => new RegExp(`\\b${call}(\\(| resumed)`).test(line)).length;
    },
  };
}

/** Longer than any test: it ends when it is let go, whatever the machine does meanwhile. */
const HELD = "3600s";

/** A process that will be held in one call. */
export interface Hold {
  /** Waits until it is held there. */
  untilHeld(): Promise<void>;
  /** It goes on from there, and nothing more is done to it. Also if it is dead. */
  letGo(): Promise<void>;
}

export interface HeldCall {
  readonly call: string;
  /** Before its effect, or after it. */
  readonly side: Side;
  /** Which one of each thread, from here on: the first, if nothing is said. */
  readonly nth?: number;
}

/** Holds a running process in such a call. */
export async function hold(
  { scratch }: Session,
  child: Child,
  { call, side, nth = 1 }: HeldCall,
): Promise<Hold> {
  const held = { call, what: `${side}=${HELD}`, when: String(nth) };
  const file = join(scratch, `held-${child.who}`);
  const injection = await inject(child, [held], "all", file);
  return {
    untilHeld: async () => {
      while (!isHeld(child)) await sleep(LOOK_EVERY_MS);
    },
    letGo: injection.letGo,
  };
}

const LOOK_EVERY_MS = 10;

/**
 * Does strace hold a thread, and sleep? At an event (a new thread, say) it holds one for a moment too, but is awake, or
 * about to be: so a thread counts that was held before and after it was seen asleep.
 */
function isHeld({ hostPid }: Child): boolean {
  const task = `/proc/${hostPid}/task`;
  const stopped = readdirSync(task).filter((tid) => stateIn(`${task}/${tid}/stat`) === "t");
  const [, tracer = "0"] = /^TracerPid:\t(\d+)$/m.exec(readFileSync(`/proc/${hostPid}/status`, "utf8")) ?? [];
  if (stopped.length === 0 || tracer === "0" || stateIn(`/proc/${tracer}/stat`) !== "S") return false;
  return stopped.some((tid) => stateIn(`${task}/${tid}/stat`) === "t");
}

/** Of a thread that has ended it is none. */
function stateIn(stat: string): string | undefined {
  try {
    return /\) (\S) /.exec(readFileSync(stat, "latin1"))?.[1];
  } catch {
    return undefined;
  }
}

/** What strace prints, from here on, about these processes and their threads. */
export interface Trace {
  /** Lets go of the processes; the lines, in the order in which the calls began or ended. */
  end(): Promise<readonly string[]>;
}

/** Attaches to running processes: resolves when it has them. One strace for all, so that there is one order. */
export async function trace(children: readonly Child[], file: string): Promise<Trace> {
  const targets = children.flatMap(({ hostPid }) => ["-p", String(hostPid)]);
  // -y: the path of each file descriptor. Whole directory entries, whole names.
  const print = ["-y", "-s", "400", "-e", "abbrev=!getdents64", "-e", "signal=none"];
  const calls = ["-e", "trace=%file,%desc,bind,connect,linkat,renameat2"];
  const strace = spawn("strace", ["-f", "-o", file, ...print, ...calls, ...targets], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  // It ends by itself with the last of the processes.
  const ended = once(strace, "close");
  await untilAttached(strace, children.length);
  return {
    end: async () => {
      if (strace.exitCode === null) strace.kill("SIGINT");
      await ended;
      return readFileSync(file, "utf8").split("\n").filter(Boolean);
    },
  };
}

async function untilAttached(strace: ChildProcess, count: number): Promise<void> {
  let said = "";
  await new Promise<void>((resolve, reject) => {
    strace.stderr?.on("data", (text: Buffer) => {
      said += text.toString();
      if ((said.match(/attached/g) ?? []).length >= count) resolve();
    });
    strace.once("close", () => reject(new Error(`Cannot trace: ${said}`)));
  });
}
