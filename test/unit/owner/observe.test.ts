import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newNonce, type OwnerIdentity, readOwnerScope } from "../../../src/owner/identity.ts";
import { formatOwnerName } from "../../../src/owner/name.ts";
import {
  type Circumstances,
  createJudge,
  createObserver,
  createSystemCalls,
  type TextReading,
} from "../../../src/owner/observe.ts";
import { fakeSystem, LINUX_FILES, LINUX_LINKS, OWNER, statLine, WORKER_OWNER } from "./fixtures.ts";

const isLinux = process.platform === "linux";

/** Nothing but the name and the process. */
const ALONE: Circumstances = { file: "", local: false, socket: "silent" };

// ---- A made-up system -----------------------------------------------------------------------------------------

const LINUX = { files: LINUX_FILES, links: LINUX_LINKS };
const UNREADABLE: TextReading = { kind: "unreadable" };

describe("the observer", () => {
  it("reads the stat files of process and thread, behind the last parenthesis", () => {
    expect(createObserver(fakeSystem(LINUX)).observe(WORKER_OWNER)).toEqual({
      probe: "runs",
      before: { start: "1000", state: "S", threads: 7 },
      task: { start: "1300", state: "S", threads: 7 },
      after: { start: "1000", state: "S", threads: 7 },
    });
  });

  it("tells missing files from unreadable ones", () => {
    const files = { ...LINUX_FILES, "/proc/4711/task/4713/stat": UNREADABLE, "/proc/4711/stat": "" };
    const { "/proc/4711/stat": _, ...hidden } = LINUX_FILES;
    expect(createObserver(fakeSystem({ ...LINUX, files })).observe(WORKER_OWNER)).toMatchObject({
      before: "unreadable",
      task: "unreadable",
    });
    expect(createObserver(fakeSystem({ ...LINUX, files: hidden })).observe(OWNER)).toMatchObject({
      before: "missing",
      after: "missing",
    });
  });

  it("does not look for a thread that the name does not say", () => {
    const observer = createObserver(fakeSystem(LINUX));
    expect(observer.observe({ pid: "4711", tid: "-" })).toMatchObject({ before: { start: "1000" } });
    expect(observer.observe({ pid: "4711", tid: "-" }).task).toBe("unreadable");
  });

  it("believes the /proc of Android as that of Linux", () => {
    expect(createObserver(fakeSystem({ ...LINUX, platform: "android" })).procIsOurs()).toBe(true);
  });

  // tests A1: a foreign /proc is not believed
  it("reads no stat file of a /proc that is not our own", () => {
    for (const parts of [
      { platform: "darwin" },
      { links: { ...LINUX_LINKS, "/proc/self": "9000" } },
      { files: { ...LINUX_FILES, "/proc/self/status": "NSpid:\t9000\t4711\n" } },
      { links: {}, files: {} },
    ]) {
      expect(createObserver(fakeSystem({ ...LINUX, ...parts })).observe(WORKER_OWNER)).toEqual({
        probe: "runs",
        before: "untrusted",
        task: "untrusted",
        after: "untrusted",
      });
    }
  });

  it("probes nothing but single processes", () => {
    const probed: number[] = [];
    const probe = (pid: number) => {
      probed.push(pid);
      return "gone" as const;
    };
    const observer = createObserver(fakeSystem({ ...LINUX, probe }));
    for (const pid of [
      "0",
      "-1",
      "-",
      "",
      "1.5",
      "1e3",
      "0x10",
      " 1",
      "2147483648",
      "9999999999",
      "../1",
      "NaN",
    ]) {
      expect(observer.observe({ pid, tid: pid })).toEqual({
        probe: "unanswered",
        before: "unreadable",
        task: "unreadable",
        after: "unreadable",
      });
    }
    expect(probed).toEqual([]);
    observer.observe({ pid: "2147483647", tid: "-" });
    expect(probed).toEqual([2_147_483_647]);
  });

  it("takes only a whole stat file for one", () => {
    const line = statLine(4711, "1000");
    for (const broken of [
      "",
      "4711 (node",
      line.replace(" S ", " 0 "),
      statLine(4711, "0"),
      line.slice(0, 40),
      ")",
      line.slice(line.lastIndexOf(")") + 2),
      line.replace(" S ", " S0 "),
      line.replace(" S ", " 0S "),
      ...["12345678", "x7", "7x"].map((threads) => line.replace(" 7 0 1000 ", ` ${threads} 0 1000 `)),
      ...["0x1000", "x1000", "1000x", "1".repeat(14)].map((start) =>
        line.replace(" 7 0 1000 ", ` 7 0 ${start} `),
      ),
    ]) {
      const files = { ...LINUX_FILES, "/proc/4711/stat": broken };
      expect(createObserver(fakeSystem({ ...LINUX, files })).observe(OWNER).before).toBe("unreadable");
    }
  });

  it("understands any stat file that a name of its process may make", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."() RZ1\nab"), maxLength: 16 }), (comm) => {
        const files = {
          ...LINUX_FILES,
          "/proc/4711/stat": statLine(4711, "1000").replace(/\(.*\)/, `(${comm})`),
        };
        const { before } = createObserver(fakeSystem({ ...LINUX, files })).observe(OWNER);
        expect(before).toEqual({ start: "1000", state: "S", threads: 7 });
      }),
    );
  });
});

describe("the judge", () => {
  const self = { ...OWNER, pid: "1", tid: "1" };

  it("calls an owner by what its name says", () => {
    const judge = createJudge(self, createObserver(fakeSystem(LINUX)));
    expect(judge(formatOwnerName(OWNER), ALONE).verdict).toBe("alive");
    expect(judge(formatOwnerName({ ...OWNER, processStart: "999" }), ALONE).verdict).toBe("dead");
  });

  // tests A6
  it("looks at the age of a file only on a local disk, and only of another boot", () => {
    const parts = { changes: { "/l/o": 1_000_000 }, bootTime: 1_000_000 + 60_001 };
    const judge = createJudge({ ...self, host: "m0123456789abcdef" }, createObserver(fakeSystem(parts)));
    const other = formatOwnerName({ ...OWNER, host: "m0123456789abcdef", boot: "0000000000000007" });
    const there = { file: "/l/o", local: true, socket: "silent" } as const;
    expect(judge(other, there)).toEqual({ verdict: "dead", reason: "this machine has booted since" });
    expect(judge(other, { ...there, local: false }).verdict).toBe("unknown");
    expect(judge(other, { ...there, file: "/l/missing" }).verdict).toBe("unknown");
    const fresh = { ...parts, bootTime: 1_000_000 + 60_000 };
    const doubtful = createJudge({ ...self, host: "m0123456789abcdef" }, createObserver(fakeSystem(fresh)));
    expect(doubtful(other, there).verdict).toBe("unknown");
    const looked: string[] = [];
    const system = { ...fakeSystem(parts), lastChange: (path: string) => void looked.push(path) };
    createJudge(self, createObserver(system))(formatOwnerName(OWNER), there);
    expect(looked).toEqual([]);
  });

  it("never calls dead what is not the name of an owner", () => {
    const judge = createJudge(self, createObserver(fakeSystem({ probe: () => "gone" })));
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii" }), (name) => judge(name, ALONE).verdict === "unknown"),
    );
    expect(judge("lock.json", ALONE)).toEqual({ verdict: "unknown", reason: "not the name of an owner" });
    expect(judge(formatOwnerName(OWNER), ALONE).verdict).toBe("dead");
  });
});

// ---- The real system -----------------------------------------------------------------------------------------

describe.skipIf(!isLinux)("the calls of the real system", () => {
  let directory = "";
  let file = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "swl-observe-"));
    file = join(directory, "file");
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(directory, { recursive: true });
  });

  it("read a text, of which the first 64 KiB, and tell what is missing from what cannot be read", () => {
    const failed: (string | undefined)[] = [];
    const { readText, readLink } = createSystemCalls((errno) => failed.push(errno));
    writeFileSync(file, `${"a".repeat(65_535)}bc`);
    symlinkSync("somewhere", join(directory, "link"));
    expect(readText(file)).toEqual({ kind: "text", text: `${"a".repeat(65_535)}b` });
    expect(readLink(join(directory, "link"))).toEqual({ kind: "text", text: "somewhere" });
    expect(failed).toEqual([]);
    expect(readText(join(directory, "none"))).toEqual({ kind: "missing" });
    expect(readText(directory)).toEqual({ kind: "unreadable" });
    expect(readLink(file)).toEqual({ kind: "unreadable" });
    expect(failed).toEqual(["ENOENT", "EISDIR", "EINVAL"]);
    // Nobody needs to listen.
    expect(createSystemCalls().readText(directory)).toEqual({ kind: "unreadable" });
    expect(openFiles()).not.toContain(realpathSync(file));
  });

  const openFiles = (): readonly string[] =>
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    });

  it("say who we are", () => {
    const { platform, pid, hostName } = createSystemCalls();
    expect([platform, pid, hostName()]).toEqual([process.platform, process.pid, hostname()]);
  });

  it("probe a process, and are not sure of an answer that they do not know", () => {
    const { probe } = createSystemCalls();
    expect([probe(process.pid), probe(2_147_483_646)]).toEqual(["runs", "gone"]);
    const kill = vi.spyOn(process, "kill");
    const answers = ["ESRCH", "EPERM", "EINVAL"].map((code) => {
      kill.mockImplementationOnce(() => {
        throw Object.assign(new Error(code), { code });
      });
      return probe(7);
    });
    expect(answers).toEqual(["gone", "notPermitted", "unanswered"]);
    expect(kill).toHaveBeenLastCalledWith(7, 0);
  });

  it("take the later of what was written and what was changed", () => {
    const { lastChange } = createSystemCalls();
    writeFileSync(file, "");
    utimesSync(file, 0, 5);
    expect(lastChange(file)).toBe(statSync(file).ctimeMs);
    utimesSync(file, 0, 5_000_000_000);
    expect(lastChange(file)).toBe(5_000_000_000_000);
    expect(lastChange(join(directory, "none"))).toBeUndefined();
  });

  it("say when the kernel booted, by the present clock, unless uptime is that of a container", () => {
    const { bootTime } = createSystemCalls();
    const seconds = (count: number): bigint => BigInt(Math.round(count * 1e9));
    const monotonic = vi.spyOn(process.hrtime, "bigint");
    vi.spyOn(Date, "now").mockReturnValue(1_000_000_000_000);
    const earliest = uptime();
    monotonic.mockReturnValue(seconds(earliest));
    const bootedAt = bootTime() ?? Number.NaN;
    expect(bootedAt).toBeLessThanOrEqual(1_000_000_000_000 - earliest * 1_000);
    expect(bootedAt).toBeGreaterThanOrEqual(1_000_000_000_000 - uptime() * 1_000);
    monotonic.mockReturnValue(seconds(uptime() + 3_600));
    expect(bootTime()).toBeUndefined();
  });

  it("see whether something is mounted on a file of /proc, and take what they cannot see for mounted", () => {
    const { isMounted } = createSystemCalls();
    expect(["/proc/version", directory, join(directory, "none")].map(isMounted)).toEqual([false, true, true]);
  });
});

// ---- Real processes -------------------------------------------------------------------------------------------

const observer = createObserver();
const self = readOwnerScope(observer);
const judge = createJudge(self, observer);

/** The owner that a process of our own scope would be, as it would have recorded itself. */
function ownerOf(pid: number, tid: number = pid): OwnerIdentity {
  const { before, task } = observer.observe({ pid: `${pid}`, tid: `${tid}` });
  if (typeof before === "string" || typeof task === "string") throw new Error(`no stat file of ${pid}`);
  const starts = { processStart: before.start, threadStart: task.start };
  return { ...self, pid: `${pid}`, tid: `${tid}`, ...starts, life: "-", nonce: newNonce() };
}

const verdictOn = (owner: OwnerIdentity): string => judge(formatOwnerName(owner), ALONE).verdict;

const children: ChildProcess[] = [];

function start(command: string, ...args: string[]): { child: ChildProcess; pid: number } {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  if (child.pid === undefined) throw new Error(`${command} did not start`);
  return { child, pid: child.pid };
}

/** Waits until the kernel shows a process in that state: signals are delivered when they are. */
async function untilState(pid: number, state: string): Promise<void> {
  for (;;) {
    const { before } = observer.observe({ pid: `${pid}`, tid: `${pid}` });
    if (typeof before !== "string" && before.state === state) return;
    await sleep(5);
  }
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

describe.skipIf(!isLinux)("a real owner", () => {
  it("that is this thread is alive, and also under another nonce", () => {
    expect(verdictOn({ ...self, life: "-", nonce: newNonce() })).toBe("alive");
  });

  it("that runs is alive, and dead once it was killed", async () => {
    const { child, pid } = start("sleep", "60");
    const owner = ownerOf(pid);
    expect(verdictOn(owner)).toBe("alive");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(judge(formatOwnerName(owner), ALONE)).toEqual({ verdict: "dead", reason: `pid ${pid} is gone` });
  });

  it("whose pid belongs to somebody else now is dead", () => {
    const { pid } = start("sleep", "60");
    const owner = { ...ownerOf(pid), processStart: "1" };
    expect(judge(formatOwnerName(owner), ALONE)).toEqual({
      verdict: "dead",
      reason: `pid ${pid} started later than the owner`,
    });
  });

  it("that is stopped is alive", async () => {
    const { child, pid } = start("sleep", "60");
    const owner = ownerOf(pid);
    child.kill("SIGSTOP");
    await untilState(pid, "T");
    expect(verdictOn(owner)).toBe("alive");
  });

  it("that is a zombie is dead, although it answers the probe", async () => {
    // The shell starts a child and becomes a `sleep`, which never waits for it.
    const shell = start("sh", "-c", "sleep 60 & echo $!; exec sleep 60");
    const [line] = await once(shell.child.stdout ?? shell.child, "data");
    const pid = Number(String(line));
    const owner = ownerOf(pid);
    expect(verdictOn(owner)).toBe("alive");
    while (readFileSync(`/proc/${shell.pid}/comm`, "utf8") !== "sleep\n") await sleep(5);
    process.kill(pid, "SIGKILL");
    await untilState(pid, "Z");
    expect(observer.observe(owner).probe).toBe("runs");
    expect(judge(formatOwnerName(owner), ALONE)).toEqual({
      verdict: "dead",
      reason: `pid ${pid} is a zombie`,
    });
  });

  it("in a worker thread is alive as long as the thread is, and dead although its process runs", async () => {
    const code = `require("node:worker_threads").parentPort.on("message", () => {}).postMessage(
      require("node:fs").readlinkSync("/proc/thread-self").split("/").at(-1))`;
    const worker = new Worker(code, { eval: true });
    const [tid] = await once(worker, "message");
    const owner = ownerOf(process.pid, Number(tid));
    expect(owner.tid).not.toBe(owner.pid);
    expect(verdictOn(owner)).toBe("alive");
    await worker.terminate();
    expect(judge(formatOwnerName(owner), ALONE)).toEqual({
      verdict: "dead",
      reason: `thread ${tid} of pid ${process.pid} is gone`,
    });
  });
});

// ---- A sandbox that keeps the /proc of its host ---------------------------------------------------------------

const canUnshare = isLinux && succeeds("unshare", "--pid", "--fork", "true");

function succeeds(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!canUnshare)("in another pid namespace with the /proc of its host", () => {
  it("starts are unknown, the namespace is read all the same, and only the probe decides", () => {
    const module = (name: string) =>
      JSON.stringify(new URL(`../../../src/owner/${name}.ts`, import.meta.url).href);
    const script = `
      const { createObserver } = await import(${module("observe")});
      const { readOwnerScope } = await import(${module("identity")});
      const observer = createObserver();
      // Pid 1 is we ourselves here, and in that /proc it is the init process of the host.
      const [we, nobody] = ["1", "4000000"].map((pid) => observer.observe({ pid, tid: pid }));
      console.log(JSON.stringify({ scope: readOwnerScope(observer), ours: observer.procIsOurs(), we, nobody }));`;
    const tsx = new URL("../../../node_modules/tsx/dist/loader.mjs", import.meta.url).href;
    const node = [process.execPath, "--import", tsx, "--input-type=module", "--eval", script];
    const output = execFileSync("unshare", ["--pid", "--fork", ...node], { encoding: "utf8" });
    const { scope, ours, we, nobody } = JSON.parse(output);

    expect(ours).toBe(false);
    expect(scope).toMatchObject({ pid: "1", tid: "-", processStart: "-", threadStart: "-" });
    expect(scope).toMatchObject({ boot: self.boot, host: self.host, timeNamespace: self.timeNamespace });
    expect(scope.pidNamespace).toMatch(/^[1-9][0-9]*$/);
    expect(scope.pidNamespace).not.toBe(self.pidNamespace);
    expect(we).toEqual({ probe: "runs", before: "untrusted", task: "untrusted", after: "untrusted" });
    expect(nobody).toMatchObject({ probe: "gone", before: "untrusted" });
    // Seen from here it is nobody's business, although a process of that pid runs, and started at another time.
    expect(verdictOn({ ...scope, processStart: "5", life: "-", nonce: newNonce() })).toBe("unknown");
    expect(readFileSync("/proc/1/stat", "latin1")).toMatch(/^1 /);
  });
});
