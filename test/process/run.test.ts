/** `session-write-lock run`, with real commands: what it passes on, and that the lock is the command's too. */

import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { now } from "./support/child.ts";
import { AT_ONCE_MS, LIMIT_MS } from "./support/figures.ts";
import { without } from "./support/guards.ts";
import { root } from "./support/library.ts";
import { linux, tool } from "./support/places.ts";
import { skipWithout } from "./support/scenario.ts";

// tests G17

const CLI = join(root, "dist", "cli", "main.js");
/** Longer than anybody needs who may have the lock; whoever is refused is refused for so long. */
const REFUSED = "700ms";
const TIMEOUT_MS = 240_000;

let directory = "";
let file = "";
let started: ChildProcess[] = [];
/** Of commands that outlive their wrapper. */
let left: number[] = [];
beforeEach((context) => {
  skipWithout([linux], context);
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-run-")));
  file = join(directory, "a.jsonl");
  started = [];
  left = [];
});
afterEach(async () => {
  for (const pid of left) kill(pid, "SIGKILL");
  for (const child of started) if (isRunning(child)) child.kill("SIGKILL");
  await Promise.all(started.map((child) => isRunning(child) && once(child, "exit")));
  fs.rmSync(directory, { recursive: true, force: true });
});

describe("run passes on", () => {
  it("the arguments as they are, whatever is in them", async () => {
    const given = ["a b", "", "'\"`$HOME", "two\nlines", "-x", "--", "--quiet", "*", "\\", "é"];
    const print = "process.stdout.write(JSON.stringify(process.argv.slice(1)))";
    const { code, stdout } = await run([process.execPath, "-e", print, "--", ...given]);
    expect({ code, given: JSON.parse(stdout) }).toEqual({ code: 0, given });
  });

  it("the environment, names that no shell can hold too", async () => {
    const env = { "-i": "4", "a.b": "1 2", "npm_config_//x": "'", X: "3", "BASH_FUNC_f%%": "() { :; }" };
    const print = `const { env } = process; console.log(JSON.stringify(${JSON.stringify(Object.keys(env))}.map((name) => env[name])))`;
    const { stdout } = await run([process.execPath, "-e", print], { env });
    expect(JSON.parse(stdout)).toEqual(Object.values(env));
  });

  it("standard input, output and error", async () => {
    const wrapper = start(["sh", "-c", "cat; echo oops >&2"]);
    wrapper.child.stdin?.end("line\n");
    expect(await wrapper.ended).toEqual({ code: 0, signal: null, stdout: "line\n", stderr: "oops\n" });
  });

  /** A command that reads before there is anything to read. */
  const readLate = async (how?: Start): Promise<Ended> => {
    const wrapper = start(["sh", "-c", "echo ready; cat && echo read"], how);
    await wrapper.says("ready\n");
    await sleep(500);
    wrapper.child.stdin?.end("late\n");
    return wrapper.ended;
  };

  it("streams that block, as it was given them", async () => {
    expect(await readLate()).toMatchObject({ code: 0, stdout: "ready\nlate\nread\n", stderr: "" });
  });

  it("twin: a wrapper that opens its own standard input makes it non-blocking for the command", async () => {
    const { code, stderr } = await readLate({ guard: "streamsBlock" });
    expect(code).not.toBe(0);
    expect(stderr).toContain("Resource temporarily unavailable");
  });

  it.each([0, 1, 75, 255])("the exit code %i", async (code) => {
    expect(await run(["sh", "-c", `exit ${code}`])).toMatchObject({ code, signal: null });
    expectNothingLeft();
  });

  it.each(["SIGTERM", "SIGKILL", "SIGINT", "SIGHUP"] as const)(
    "a death by %s, as its own",
    async (signal) => {
      expect(await run(["sh", "-c", `kill -${signal.slice(3)} $$`])).toMatchObject({ code: null, signal });
      expectNothingLeft();
    },
  );

  it("a death that leaves a core as 128 and the signal's number: a core of the wrapper would mislead", async () => {
    expect(await run(["sh", "-c", "ulimit -c 0; kill -QUIT $$"])).toMatchObject({ code: 131, signal: null });
  });

  it.each(["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const)(
    "%s to the command, and waits for its end",
    async (signal) => {
      const script = `trap 'echo got; exit 9' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
      const wrapper = start(["sh", "-c", script]);
      await wrapper.says("ready\n");
      wrapper.child.kill(signal);
      expect(await wrapper.ended).toMatchObject({ code: 9, stdout: "ready\ngot\n" });
    },
  );

  it("a Ctrl-C at a terminal once: the command has it from there", async (context) => {
    skipWithout([tool("script")], context);
    expect(await interruptAtTerminal()).toMatchObject({ code: 5, times: 1 });
  });

  it("twin: a wrapper that passes it on as well interrupts twice", async (context) => {
    skipWithout([tool("script")], context);
    expect(await interruptAtTerminal("signalOnce")).toMatchObject({ code: 5, times: 2 });
  });

  it("127 for a command that is not there, 126 for one that cannot be executed", async () => {
    expect(await run(["no-such-command"])).toMatchObject({ code: 127 });
    expect(await run([directory])).toMatchObject({ code: 126 });
    expectNothingLeft();
  });
});

describe("run holds the lock for the command", () => {
  it("until it has ended, though it is stopped", async () => {
    const { wrapper, pid } = await startWorking();
    kill(pid, "SIGSTOP");
    expect(await run(["true"], { options: ["--timeout", REFUSED] })).toMatchObject({ code: 75 });
    kill(pid, "SIGKILL");
    expect(await wrapper.ended).toMatchObject({ signal: "SIGKILL" });
    expect(await run(["true"], { options: ["--timeout", "0"] })).toMatchObject({ code: 0 });
  });

  it("not for what the command leaves behind: that is no owner", async () => {
    const { stdout } = await run(["sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"]);
    left.push(Number(stdout));
    expect(runs(Number(stdout))).toBe(true);
    expect(await run(["true"], { options: ["--timeout", "0"] })).toMatchObject({ code: 0 });
  });

  it("though the wrapper is killed; whoever waits has it as soon as the command has ended", async () => {
    const { pid } = await startOrphan();
    expect(await run(["true"], { options: ["--timeout", REFUSED] })).toMatchObject({ code: 75 });
    const next = start(["sh", "-c", "echo mine"], { options: ["--timeout", "60s"] });
    await sleep(300);
    expect(fs.readdirSync(`${file}.lock`)).toHaveLength(2);
    kill(pid, "SIGKILL");
    const endedAt = now();
    await next.says("mine\n");
    console.log(`run: had the lock ${Math.round(now() - endedAt)} ms after the orphaned command had ended`);
    expect(now() - endedAt).toBeLessThan(AT_ONCE_MS);
    expect(await next.ended).toMatchObject({ code: 0 });
  });

  it("twin: without the command's name in the lock the wrapper's death frees it under the command", async () => {
    const { pid } = await startOrphan({ guard: "guestName" });
    expect(await run(["true"], { options: ["--timeout", REFUSED] })).toMatchObject({ code: 0 });
    expect(runs(pid)).toBe(true);
  });
});

describe("run that loses the lock", () => {
  it("says so, and waits for its command", async () => {
    const { wrapper, pid } = await startWorking();
    const lost = await run(["true"], { options: ["--timeout", "0"] });
    expect(lost).toMatchObject({ code: 75 });
    fs.rmSync(`${file}.lock`, { recursive: true });
    await expect.poll(() => wrapper.stderr(), { timeout: LIMIT_MS }).toContain("the lock is lost: ");
    kill(pid, "SIGKILL");
    expect(await wrapper.ended).toMatchObject({ signal: "SIGKILL" });
  });
});

describe("run lets the command go when the lock is granted", () => {
  it("and never, if the wrapper was killed before", async () => {
    const { marker, heldBack } = await killWaiting({});
    await expect.poll(() => runs(heldBack), { timeout: LIMIT_MS }).toBe(false);
    expect(fs.existsSync(marker)).toBe(false);
  });

  it("twin: a command that takes the end of its pipe for the word runs without the lock", async () => {
    const { marker } = await killWaiting({ guard: "wordToGo" });
    await expect.poll(() => fs.existsSync(marker), { timeout: LIMIT_MS }).toBe(true);
  });

  it("and never, if a signal ends the wait", async () => {
    const holder = await startWorking();
    const marker = join(directory, "marker");
    const waiting = start(["touch", marker]);
    await heldBackBy(waiting.child);
    waiting.child.kill("SIGTERM");
    expect(await waiting.ended).toMatchObject({ code: null, signal: "SIGTERM" });
    kill(holder.pid, "SIGKILL");
    await holder.wrapper.ended;
    expect(fs.existsSync(marker)).toBe(false);
    expectNothingLeft();
  });
});

describe("runs that contend", () => {
  const marker = (): string => join(directory, "marker");
  /** A marker that only one at a time can make, and that is there for as long as it works. */
  const work = (seconds: number): string[] => [
    "sh",
    "-c",
    'set -C; true >"$1" || exit 99; sleep "$2"; rm "$1"',
    "sh",
    marker(),
    `${seconds}`,
  ];

  it(
    "never overlap, in 50 rounds",
    async () => {
      const codes: (number | null)[] = [];
      const worker = async (): Promise<void> => {
        while (codes.length < 50) {
          const mine = codes.push(null) - 1;
          codes[mine] = (await run(work(0.01))).code;
        }
      };
      await Promise.all([worker(), worker(), worker()]);
      expect(codes).toEqual(codes.map(() => 0));
      expect(codes.length).toBeGreaterThanOrEqual(50);
    },
    TIMEOUT_MS,
  );

  it.each(["waitsForGuest", "letGoAfterGranted"] as const)(
    "twin: without %s they do",
    async (guard) => {
      const first = start(["sh", "-c", 'true >"$1"; read -r _; rm "$1"', "sh", marker()], { guard });
      await expect.poll(() => fs.existsSync(marker()), { timeout: LIMIT_MS }).toBe(true);
      expect(await run(work(0), { guard })).toMatchObject({ code: 99 });
      first.child.stdin?.end("\n");
      expect(await first.ended).toMatchObject({ code: 0 });
    },
    TIMEOUT_MS,
  );
});

describe("run that has to wait", () => {
  it("says after a second what it waits for, and 75 when the time is over", async () => {
    const { wrapper, pid } = await startWorking();
    // Told of when it has waited for a second after its first look, which a busy machine may take its time for.
    const { code, stdout, stderr } = await run(["echo", "never"], { options: ["--timeout", "4s"] });
    expect({ code, stdout }).toEqual({ code: 75, stdout: "" });
    const owner = `(${wrapper.child.pid}|${pid})`;
    expect(stderr).toMatch(new RegExp(`^waiting for ${file}, held by pid ${owner} for \\d+ s\n`));
    expect(stderr).toMatch(new RegExp(`\nsession-write-lock: .*\\(timeout 4000ms\\): pid=${owner} `));
  });

  it("says nothing of it with --quiet, nor before a second", async () => {
    await startWorking();
    const quiet = await run(["true"], { options: ["--quiet", "--timeout", "1500ms"] });
    const soon = await run(["true"], { options: ["--timeout", "300ms"] });
    for (const { code, stderr } of [quiet, soon]) {
      expect(code).toBe(75);
      expect(stderr).not.toContain("waiting for");
    }
  });

  it("does not wait with --timeout 0: at once, free or not", async () => {
    const options = ["--timeout", "0"];
    expect(await run(["echo", "free"], { options })).toMatchObject({ code: 0, stdout: "free\n" });
    await startWorking();
    expect(await run(["true"], { options })).toMatchObject({ code: 75 });
  });
});

describe("run refuses", () => {
  it.each([
    [[], "run needs a session file"],
    [["f"], "run needs -- and a command behind it"],
    [["f", "echo", "x"], "run takes one session file, and -- before the command: echo"],
    [["f", "--"], "a command is missing behind --"],
    [["f", "--", ""], "a command is missing behind --"],
    [["--", "echo"], "run needs a session file"],
    [["f", "--", "-x"], "a command cannot begin with a dash: -x. Use ./-x"],
    [["--timeout", "10", "f", "--", "true"], "--timeout is a number with ms, s, m or h, 0, or inf: 10"],
    [["--tmeout", "1s", "f", "--", "true"], "Unknown option '--tmeout'"],
  ])("%j with exit code 2, and says how it is used", async (args, words) => {
    const { code, stdout, stderr } = await startRaw(args).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(words);
    expect(stderr).toContain("Usage: session-write-lock run");
  });

  it("a session file that is a directory, with exit code 2, and a place that cannot be used, with 74", async () => {
    const inDirectory = await startRaw([directory, "--", "true"]).ended;
    expect(inDirectory).toMatchObject({ code: 2 });
    expect(inDirectory.stderr).toContain("it is a directory, not a session file");
    const nowhere = await startRaw([join(CLI, "x.jsonl"), "--", "true"]).ended;
    expect(nowhere).toMatchObject({ code: 74 });
    expect(nowhere.stderr).toContain("ENOTDIR");
  });
});

// ------------------------------------------------------------------------------------------------

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Wrapper {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stderr(): string;
  /** Resolves when it has written exactly this, or something like it. */
  says(stdout: string | RegExp): Promise<void>;
}

/** How a command ends that counts its SIGINTs, at a terminal of its own at which somebody types Ctrl-C. */
async function interruptAtTerminal(
  guard?: Start["guard"],
): Promise<{ readonly code: number | null; readonly times: number }> {
  // A second one may come for as long as it is on its way through the wrapper.
  const handled = join(directory, "handled");
  const counts = `process.on("SIGINT", () => { console.log("got"); require("node:fs").writeFileSync("${handled}", "");
    setTimeout(() => process.exit(5), 1500); }); console.log("ready"); setTimeout(() => {}, 60000);`;
  const words = [process.execPath, cliOf(guard), "run", file, "--", process.execPath, "-e", counts];
  fs.writeFileSync(join(directory, "go.sh"), `exec ${words.map((word) => `'${word}'`).join(" ")}\n`);
  // script has it run by $SHELL, or /bin/sh. A shell that stays would be interrupted too.
  const { child, ended, says } = watch(
    spawn("script", ["-qec", `exec sh ${join(directory, "go.sh")}`, "/dev/null"], {
      env: { ...process.env, SWL_HANDLED: handled },
    }),
  );
  await says(/ready/);
  child.stdin?.write("\x03");
  const { code, stdout } = await ended;
  return { code, times: stdout.split("got").length - 1 };
}

interface Start {
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What is taken out of the wrapper. */
  readonly guard?: Parameters<typeof without>[0];
}

function start(command: readonly string[], { options = [], env = {}, guard }: Start = {}): Wrapper {
  return startRaw([...options, file, "--", ...command], cliOf(guard), env);
}

const cliOf = (guard: Start["guard"]): string =>
  guard === undefined ? CLI : join(dirname(without(guard)), "cli", "main.js");

const run = (command: readonly string[], how?: Start): Promise<Ended> => start(command, how).ended;

function startRaw(args: readonly string[], cli = CLI, env: Readonly<Record<string, string>> = {}): Wrapper {
  return watch(spawn(process.execPath, [cli, "run", ...args], { env: { ...process.env, ...env } }));
}

function watch(child: ChildProcessWithoutNullStreams): Wrapper {
  started.push(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, stdout, stderr }) as Ended);
  const says = async (text: string | RegExp): Promise<void> => {
    const polled = expect.poll(() => stdout, { timeout: LIMIT_MS });
    await (typeof text === "string" ? polled.toBe(text) : polled.toMatch(text));
  };
  return { child, ended, says, stderr: () => stderr };
}

/** A command that works until it is killed. */
async function startWorking(how?: Start): Promise<{ readonly wrapper: Wrapper; readonly pid: number }> {
  const wrapper = start(["sh", "-c", 'echo $$ >"$1"; exec sleep 60', "sh", join(directory, "pid")], how);
  const read = (): number => Number(ignoring(() => fs.readFileSync(join(directory, "pid"), "utf8")));
  await expect.poll(read, { timeout: LIMIT_MS }).toBeGreaterThan(0);
  left.push(read());
  return { wrapper, pid: read() };
}

/** A command that works, and whose wrapper was killed. */
async function startOrphan(how?: Start): Promise<{ readonly pid: number }> {
  const { wrapper, pid } = await startWorking(how);
  wrapper.child.kill("SIGKILL");
  await once(wrapper.child, "exit");
  expect(runs(pid)).toBe(true);
  return { pid };
}

/** A wrapper that was killed while it waited, and its command, which would make the marker. */
async function killWaiting(how: Start): Promise<{ readonly marker: string; readonly heldBack: number }> {
  const marker = join(directory, "marker");
  await startWorking();
  const waiting = start(["touch", marker], how);
  const heldBack = await heldBackBy(waiting.child);
  left.push(heldBack);
  waiting.child.kill("SIGKILL");
  return { marker, heldBack };
}

/** The command of a wrapper that waits: its only child. */
async function heldBackBy({ pid }: ChildProcess): Promise<number> {
  const children = (): readonly string[] =>
    fs
      .readdirSync("/proc")
      .filter((entry) => /^\d+$/.test(entry))
      .filter((entry) => parentOf(entry) === String(pid));
  await expect.poll(() => children().length, { timeout: LIMIT_MS }).toBe(1);
  return Number(children()[0]);
}

function parentOf(pid: string): string | undefined {
  const stat = ignoring(() => fs.readFileSync(`/proc/${pid}/stat`, "utf8"));
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
}

/** Of a release: an empty directory at the lock path at most, and no private files beside it. */
function expectNothingLeft(): void {
  const names = fs.readdirSync(directory).filter((name) => name.startsWith(".swl-"));
  expect(names).toEqual([]);
  expect(ignoring(() => fs.readdirSync(`${file}.lock`)) ?? []).toEqual([]);
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;

/** A zombie has ended, though nobody has waited for it: an orphan's new parent may take its time. */
function runs(pid: number): boolean {
  const stat = ignoring(() => fs.readFileSync(`/proc/${pid}/stat`, "utf8"));
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  ignoring(() => process.kill(pid, signal));
}

function ignoring<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
