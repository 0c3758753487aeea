/** strace: to slow calls down, and to see every call that touches the session directory. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./child.ts";

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

/** Does this to a running process, from here on until it is let go, or dead; then says how often it was done to a call. */
export async function inject(
  { hostPid }: Child,
  injections: readonly Injection[],
  threads: "all" | "main",
  file: string,
): Promise<{ end(): Promise<(call: string) => number> }> {
  const calls = [...new Set(injections.map(({ call }) => call))].join(",");
  const what = injections.flatMap(({ call, what, when }) => ["-e", `inject=${call}:${what}:when=${when}`]);
  const follow = threads === "all" ? ["-f"] : [];
  const args = [...follow, "-o", file, "-e", `trace=${calls}`, ...what, "-p", String(hostPid)];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(strace, "close");
  await untilAttached(strace, 1);
  return {
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

/** How many looks in a row a thread must be held: at an event (a new thread, say) strace holds it for a moment. */
const LOOKS = 5;
const LOOK_EVERY_MS = 20;

/** Waits until strace holds a thread of that process: the delay of an injected call, which must be longer. */
export async function untilStopped({ hostPid }: Child): Promise<void> {
  const isStopped = (tid: string): boolean =>
    readFileSync(`/proc/${hostPid}/task/${tid}/stat`, "latin1").includes(") t ");
  for (;;) {
    let held = readdirSync(`/proc/${hostPid}/task`).filter(isStopped);
    for (let look = 1; look < LOOKS && held.length > 0; look++) {
      await sleep(LOOK_EVERY_MS);
      held = held.filter(isStopped);
    }
    if (held.length > 0) return;
    await sleep(LOOK_EVERY_MS);
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
