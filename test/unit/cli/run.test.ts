/** `run` in this process: what it starts, waits for, passes on and says. With real wrappers: test/process/run.test.ts. */

import type * as childProcess from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as tty from "node:tty";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readRunOptions, run } from "../../../src/cli/run.ts";
import type * as lock from "../../../src/lock.ts";
import type { WaitingInfo } from "../../../src/options.ts";
import { parseHomeName, parseOwnerName } from "../../../src/owner/name.ts";
import { processRegistry } from "../../../src/registry.ts";
import { record } from "./recorder.ts";

/** What a test puts in the place of the real thing; undefined: nothing. */
const instead = vi.hoisted(() => ({
  terminals: [] as number[],
  spawn: undefined as ((real: typeof childProcess.spawn) => childProcess.ChildProcess) | undefined,
  acquire: undefined as ((...args: unknown[]) => unknown) | undefined,
}));
vi.mock("node:tty", async (original) => ({
  ...(await original<typeof tty>()),
  isatty: (fd: number) => instead.terminals.includes(fd),
}));
vi.mock("node:child_process", async (original) => {
  const real = await original<typeof childProcess>();
  const spawn = (...args: unknown[]): unknown =>
    instead.spawn === undefined ? real.spawn(...(args as [string])) : instead.spawn(real.spawn);
  return { ...real, spawn };
});
vi.mock("../../../src/lock.ts", async (original) => {
  const real = await original<typeof lock>();
  const acquireWithGuest = (...args: Parameters<typeof lock.acquireWithGuest>): unknown =>
    instead.acquire === undefined ? real.acquireWithGuest(...args) : instead.acquire(...args);
  return { ...real, acquireWithGuest };
});

const timeoutOf = (text: string): unknown => {
  const options = readRunOptions(["--timeout", text, "f", "--", "true"]);
  return typeof options === "string" ? options : options.timeoutMs;
};

describe("the options of run", () => {
  it.each([
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["10s", 10_000],
    ["1.5s", 1_500],
    ["1.25s", 1_250],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["inf", Number.POSITIVE_INFINITY],
  ])("--timeout %s is %d ms", (text, ms) => {
    expect(timeoutOf(text)).toBe(ms);
  });

  it.each(["", "10", "-1s", "s", "1 s", "1d", "1e3s", "Infinity", "0x10s"])(
    "--timeout %j is refused",
    (text) => {
      expect(timeoutOf(text)).toMatch(/--timeout|argument/);
    },
  );

  it("waits for ever if nothing is said, and keeps the command's words as they are", () => {
    expect(readRunOptions(["a.jsonl", "--", "sh", "--quiet", "--", ""])).toEqual({
      file: "a.jsonl",
      command: ["sh", "--quiet", "--", ""],
      timeoutMs: Number.POSITIVE_INFINITY,
      quiet: false,
    });
  });

  it("takes --help for itself only before the command", () => {
    expect(readRunOptions(["--help"])).toBe("help");
    expect(readRunOptions(["f", "--", "sh", "--help"])).toMatchObject({ command: ["sh", "--help"] });
  });
});

describe("a command line that is none", () => {
  it.each([
    [[], "run needs a session file"],
    [["", "--", "true"], "run needs a session file"],
    [["--", "true"], "run needs a session file"],
    [["f", "g", "--", "true"], "run takes one session file, and -- before the command: g"],
    [["f"], "run needs -- and a command behind it"],
    [["f", "--"], "a command is missing behind --"],
    [["f", "--", ""], "a command is missing behind --"],
    [["f", "--", "-x"], "a command cannot begin with a dash: -x. Use ./-x"],
    [["--timeout", "5", "f", "--", "true"], "--timeout is a number with ms, s, m or h, 0, or inf: 5"],
  ])("%j is said to be wrong", (args, words) => {
    expect(readRunOptions(args)).toBe(words);
  });

  it("has a word for being quiet", () => {
    expect(readRunOptions(["--quiet", "f", "--", "true"])).toMatchObject({ quiet: true });
  });
});

// tests G17
describe.skipIf(process.platform === "win32")("run", () => {
  const SIGNALS = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
  const STRANGER =
    "own1_4711_4711_1000_1000_0123456789abcdef_fedcba9876543210_4026531836_4026531834_00000000feedbeef00000000feedbeef_0123456789abcdef01234567";
  let directory = "";
  let file = "";
  let lockPath = "";
  /** On standard error. */
  let said: string[] = [];
  /** Signals that this process sent itself. */
  let sent: unknown[] = [];
  let listeners: (readonly [NodeJS.Signals, readonly NodeJS.SignalsListener[]])[] = [];
  beforeEach(() => {
    directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-run-")));
    file = join(directory, "a.jsonl");
    lockPath = `${file}.lock`;
    said = [];
    sent = [];
    const write = fs.writeSync;
    vi.spyOn(fs, "writeSync").mockImplementation(((fd: number, bytes: Buffer) => {
      // Files are written by it too.
      if (fd > 2) return write(fd, bytes);
      said.push(bytes.toString());
      return bytes.length;
    }) as typeof fs.writeSync);
    vi.spyOn(process, "kill").mockImplementation((_pid, signal) => {
      if (signal !== 0) sent.push([signal, process.listenerCount("SIGTERM"), homes()]);
      return true;
    });
    vi.stubEnv("FORCE_COLOR", "0");
    listeners = SIGNALS.map((signal) => [signal, process.listeners(signal) as NodeJS.SignalsListener[]]);
  });
  afterEach(() => {
    Object.assign(instead, { terminals: [], spawn: undefined, acquire: undefined });
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    // A command that a signal ended has taken them away, before this process would have ended too.
    for (const [signal, all] of listeners) {
      process.removeAllListeners(signal);
      for (const one of all) process.on(signal, one);
    }
    fs.rmSync(directory, { recursive: true, force: true });
  });

  const homes = (): readonly string[] =>
    fs.readdirSync(directory).filter((name) => parseHomeName(name) !== undefined);
  /** Runs a script of sh under the lock, in the directory. */
  const under = async (script: string, ...options: readonly string[]): Promise<number> => {
    const args = ["sh", "-c", `cd "$1" && ${script}`, "sh", directory, "a  b"];
    const { code, out, err } = await record(run, [...options, file, "--", ...args]);
    expect([out, err]).toEqual([[], []]);
    return code;
  };
  const left = (name: string): string => fs.readFileSync(join(directory, name), "utf8");
  const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 1 });
  const plant = (): void => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, STRANGER), "{}");
  };

  it("runs a command with its words, under the lock, of which it is an owner too, and gives its exit code", async () => {
    expect(
      await under('ls "$0" a.jsonl.lock > names 2>/dev/null; echo "$2$SWL_RUN_WORD" > words; exit 3'),
    ).toBe(3);
    const pids = left("names").match(/own1_\d+/g) ?? [];
    expect(pids).toHaveLength(2);
    expect(pids).toContain(`own1_${process.pid}`);
    expect(left("words")).toBe("a  b\n");
    expect([said, sent, fs.existsSync(lockPath) ? fs.readdirSync(lockPath) : []]).toEqual([[], [], []]);
    expect(SIGNALS.map((signal) => process.listenerCount(signal))).toEqual(
      listeners.map(([, all]) => all.length),
    );
  });

  it("names the command in the lock, in a pid of its own", async () => {
    await under('echo "$$" > pid; ls a.jsonl.lock > names');
    const pids = left("names")
      .trim()
      .split("\n")
      .map((name) => parseOwnerName(name)?.pid);
    expect(pids).toContain(left("pid").trim());
  });

  it.runIf(process.platform === "linux")(
    "passes on the environment, names that no shell can hold too",
    async () => {
      vi.stubEnv("a.b", "1 2");
      vi.stubEnv("0x", "3");
      vi.stubEnv("PLAIN_1", "4");
      const copy = ["cp", "/proc/self/environ", join(directory, "env")];
      expect((await record(run, [file, "--", ...copy])).code).toBe(0);
      expect(left("env").split("\0")).toEqual(expect.arrayContaining(["a.b=1 2", "0x=3", "PLAIN_1=4"]));
      expect(left("env")).not.toContain("SWL_RUN_WORD");
    },
  );

  it("tries once with --timeout 0, and does not run the command if somebody has the lock", async () => {
    plant();
    expect(await under("echo > ran", "--timeout", "0")).toBe(75);
    expect(said).toEqual([`session-write-lock: session file locked: ${file}\n`]);
    expect(fs.existsSync(join(directory, "ran"))).toBe(false);
  });

  it("has a free lock with --timeout 0", async () => {
    expect(await under("echo > ran", "--timeout", "0")).toBe(0);
    expect(fs.existsSync(join(directory, "ran"))).toBe(true);
  });

  it("waits as long as it may, and says who has the lock then", async () => {
    plant();
    expect(await under("echo > ran", "--timeout", "20ms")).toBe(75);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^session-write-lock: session file locked \(timeout 20ms\)/);
    expect(fs.existsSync(join(directory, "ran"))).toBe(false);
  });

  it.each([
    ["a directory", 2, () => fs.mkdirSync(file)],
    [
      "below a file",
      74,
      () => {
        fs.rmdirSync(directory);
        fs.writeFileSync(directory, "");
      },
    ],
  ])("does not run a command for a session file that is %s", async (_what, code, make) => {
    make();
    expect((await record(run, [file, "--", "true"])).code).toBe(code);
    expect(said[0]).toMatch(/^session-write-lock: Cannot /);
  });

  it("ends as its command did, by the same signal: nothing of ours is left, and nobody of ours listens", async () => {
    expect(await under("kill -TERM $$")).toBe(143);
    expect(sent).toEqual([["SIGTERM", 0, []]]);
  });

  it("gives the number of a signal that leaves a core: it does not send that to itself", async () => {
    expect(await under("ulimit -c 0; kill -QUIT $$")).toBe(131);
    expect(sent).toEqual([]);
  });

  it("gives the number of a signal that it cannot send itself", async () => {
    vi.mocked(process.kill).mockImplementation((_pid, signal) => {
      if (signal !== 0) throw new Error("EPERM");
      return true;
    });
    expect(await under("kill -HUP $$")).toBe(129);
  });

  /** A command that says by its exit code which signal it got; and that it is there, by a file. */
  const TRAPS =
    "trap 'exit 9' TERM; trap 'exit 8' INT; trap 'exit 7' QUIT; echo > ready; while :; do sleep 0.01; done";
  const ready = (): Promise<void> => until(() => expect(fs.existsSync(join(directory, "ready"))).toBe(true));

  it.each([
    ["SIGTERM", [], 9],
    ["SIGINT", [], 8],
    ["SIGTERM", [0], 9],
  ] as const)("passes %s on to its command, with terminals at %j", async (signal, terminals, code) => {
    instead.terminals = [...terminals];
    const ended = under(TRAPS);
    await ready();
    process.emit(signal, signal);
    expect(await ended).toBe(code);
  });

  it.each([0, 1, 2])("does not pass on what a terminal, at %i, sends to both", async (fd) => {
    instead.terminals = [fd];
    const ended = under(TRAPS);
    await ready();
    process.emit("SIGINT", "SIGINT");
    process.emit("SIGQUIT", "SIGQUIT");
    process.emit("SIGTERM", "SIGTERM");
    expect(await ended).toBe(9);
  });

  it("ends as a command does that ends before it has the lock", async () => {
    plant();
    const ended = under("echo > ran");
    await until(() => expect(processRegistry().entries.get(lockPath)?.wait ?? null).not.toBeNull());
    process.emit("SIGTERM", "SIGTERM");
    expect(await ended).toBe(143);
    expect([said, sent.length, fs.existsSync(join(directory, "ran"))]).toEqual([[], 1, false]);
  });

  it("says that the lock is lost, and waits for its command", async () => {
    const ended = under(TRAPS);
    await ready();
    const [attempt] = processRegistry().entries.get(lockPath)?.held ?? [];
    attempt?.lost(Object.assign(new Error("on purpose")) as never);
    expect(said).toEqual(["session-write-lock: the lock is lost: on purpose\n"]);
    process.emit("SIGTERM", "SIGTERM");
    expect(await ended).toBe(9);
  });

  it("says that the lock cannot be released, and gives the exit code of its command", async () => {
    const refuse = vi.fn().mockRejectedValue(new Error("cannot release\u001b[2J"));
    const { signal } = new AbortController();
    instead.acquire = (_params, _patience, guest) => ({ signal, release: refuse, ...(guest as object) });
    expect(await under("exit 4")).toBe(4);
    expect(said).toEqual(["session-write-lock: cannot release\\u{1b}[2J\n"]);
  });

  it("cannot run a command if no shell can be started", async () => {
    instead.spawn = () => {
      throw new Error("EAGAIN: on purpose");
    };
    expect(await under("true")).toBe(126);
    expect(said).toEqual(["session-write-lock: Cannot start /bin/sh: EAGAIN: on purpose\n"]);
    said = [];
    instead.spawn = (spawn) =>
      spawn(join(directory, "none"), { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    expect(await under("true")).toBe(126);
    await until(() => expect(said).toHaveLength(1));
    expect(said[0]).toMatch(/^session-write-lock: Cannot start \/bin\/sh: .*ENOENT/);
  });

  describe("while it waits", () => {
    const info = (waitedMs: number, more: Partial<WaitingInfo> = {}): WaitingInfo =>
      ({ waitedMs, what: "a file stands there", ...more }) as WaitingInfo;
    const owner = (pid: number | undefined, ageMs: number | undefined): Partial<WaitingInfo> =>
      ({ owner: { pid, ageMs } }) as Partial<WaitingInfo>;
    /** What is said of these, in turn; and what was asked for. */
    async function wait(infos: readonly WaitingInfo[], ...options: readonly string[]): Promise<unknown[]> {
      let asked: unknown[] = [];
      instead.acquire = (...args) => {
        asked = args;
        for (const one of infos) (args[0] as { onWaiting(info: WaitingInfo): void }).onWaiting(one);
        return undefined;
      };
      expect(await under("true", ...options)).toBe(75);
      return asked;
    }
    const waits = (): readonly string[] => said.filter((line) => line.includes("waiting for"));

    it("says so after a second, once: for whom, and since when", async () => {
      await wait([info(999, owner(7, 2_600)), info(1_000, owner(7, 2_600)), info(9_000, owner(8, 1))]);
      expect(waits()).toEqual([`waiting for ${file}, held by pid 7 for 3 s\n`]);
    });

    it.each([
      [owner(7, undefined), "held by pid 7"],
      [owner(undefined, 5), "a file stands there"],
      [{}, "a file stands there"],
      [{ what: "\u001b[2J" }, "\\u{1b}[2J"],
    ])("says what it knows (%#)", async (more, words) => {
      await wait([info(1_000, more)]);
      expect(waits()).toEqual([`waiting for ${file}, ${words}\n`]);
    });

    it("says it dimmed where colours are wanted, and nothing if it shall be quiet", async () => {
      vi.stubEnv("FORCE_COLOR", "1");
      await wait([info(1_000)]);
      expect(waits()).toEqual([`\u001b[2mwaiting for ${file}, a file stands there\u001b[22m\n`]);
      said = [];
      await wait([info(1_000)], "--quiet");
      expect(waits()).toEqual([]);
    });

    it.each([
      [[], Infinity, "waits"],
      [["--timeout", "2s"], 2_000, "waits"],
      [["--timeout", "0"], Infinity, "leaves"],
    ] as const)(
      "waits as it was told with %j, and holds for as long as it likes",
      async (options, timeoutMs, patience) => {
        const [params, how] = await wait([], ...options);
        expect(params).toMatchObject({ sessionFile: file, timeoutMs, maxHoldMs: Infinity });
        expect(how).toBe(patience);
      },
    );
  });
});
