/**
 * Places to run processes in: namespaces and mounts of their own. Nothing here changes the machine's own
 * mounts, host name or clock: every change is made inside a namespace that ends with its processes.
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { leafOf } from "./child.ts";

/** Somewhere to run commands: put `enter` in front of them. */
export interface Place {
  readonly enter: readonly string[];
  /** Runs a command inside, and gives what it printed. */
  run(...command: string[]): string;
  /** The pid, as we see it, of the process that keeps the place. */
  readonly keeper: number;
  close(): Promise<void>;
}

/** Which namespaces of its own a place has: the long options of unshare and nsenter. */
export type Namespace = "mount" | "pid" | "uts" | "time";

/**
 * Opens a place and runs `setup`, a shell script, in it. It lives until it is closed. Where it has a pid
 * namespace, the keeper is its pid 1.
 */
export async function openPlace(
  namespaces: readonly Namespace[],
  setup = "true",
  options: readonly string[] = [],
  inside: readonly string[] = [],
): Promise<Place> {
  const flags = namespaces.flatMap((name) =>
    name === "mount" ? ["--mount", "--propagation", "private"] : [`--${name}`],
  );
  // The keeper says that the setup is done, and waits for the end of its input. No exec: a shell that is
  // pid 1 goes on as pid 1.
  const script = `set -e\n${setup}\necho open\nexec cat`;
  const command = [...inside, "unshare", ...flags, ...options, "--fork", "--kill-child", "sh", "-c", script];
  const [file = "", ...args] = command;
  const child = spawn(file, args, {
    env: ENVIRONMENT,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (text: Buffer) => {
    complaint += text.toString();
  });
  const ended = once(child, "close");
  const opened = await Promise.race([once(child.stdout, "data"), ended]);
  if (!String(opened[0]).startsWith("open")) throw new Error(`Cannot open a place: ${complaint}`);
  const keeper = leafOf(child.pid ?? 0);
  const enter = ["nsenter", "--target", String(keeper), ...namespaces.map((name) => `--${name}`)];
  return {
    enter,
    keeper,
    run: (...command) => runIn(enter, command),
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** The tools of an administrator are not on everybody's path. */
const ENVIRONMENT: NodeJS.ProcessEnv = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };

/** Runs a command, and gives what it printed; what it complained about is in the error. */
export function runIn(prefix: readonly string[], command: readonly string[]): string {
  const [file = "", ...args] = [...prefix, ...command];
  return execFileSync(file, args, { encoding: "utf8", env: ENVIRONMENT, stdio: ["ignore", "pipe", "pipe"] });
}

/** A shell script that leaves a process with exactly this pid, or fails. */
export function takePid(pid: number): string {
  return `echo ${pid - 1} > /proc/sys/kernel/ns_last_pid
    sleep 600 > /dev/null 2>&1 & test $! = ${pid}`;
}

// ------------------------------------------------------------------------------------------------
// What a scenario needs of the machine

/** Something that a machine may lack: the words for it, and whether it is there. Asked once. */
export interface Need {
  readonly what: string;
  readonly isMet: () => boolean;
}

/** Everything here looks into /proc. */
export const linux: Need = { what: "Linux", isMet: () => process.platform === "linux" };

export const root: Need = { what: "root", isMet: () => process.getuid?.() === 0 };

export function tool(name: string): Need {
  return need(`the command ${name}`, () => {
    runIn([], ["sh", "-c", `command -v ${name}`]);
  });
}

/** A private mount namespace. */
export const mounts: Need = need("a mount namespace of its own", () => {
  runIn([], ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]);
});

/** A pid namespace, and entering it. */
export const pidNamespaces: Need = need("a pid namespace of its own", () => {
  runIn([], ["unshare", "--pid", "--fork", "--mount-proc", "nsenter", "--target", "1", "--pid", "true"]);
});

export const timeNamespaces: Need = need("a time namespace of its own", () => {
  runIn([], ["unshare", "--time", "--boottime", "1000", "--fork", "true"]);
});

/** strace that may trace, and delay calls. */
export const tracing: Need = need("strace that may trace", () => {
  runIn([], ["strace", "-f", "-o", "/dev/null", "-e", "inject=rename:delay_enter=1", "true"]);
});

/** A clock that lies to a process that is started with it; the machine's own clock is never set. */
export const clockThatLies: Need & { library(): string } = {
  ...need("libfaketime", () => {
    runIn([], ["faketime", "-f", "+0", "true"]);
  }),
  /** For LD_PRELOAD; the variant for programs with threads. */
  library: () => runIn([], ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"]).trim(),
};

/** Asked once, by trying it. */
export function need(what: string, tryIt: () => void): Need {
  let met: boolean | undefined;
  return {
    what,
    isMet: () => {
      if (met === undefined) {
        try {
          tryIt();
          met = true;
        } catch {
          met = false;
        }
      }
      return met;
    },
  };
}
