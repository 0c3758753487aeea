/**
 * The algorithm of the issue in real processes: real calls of Node.js, real pids, deaths and start times, nothing
 * faked; start times are left out, as on macOS and Windows, where a story needs that. Where the moment matters a
 * process is stopped (SIGSTOP) between two calls, as by a laptop that is closed, or a task is held there, as by a
 * slow reply. Every hole is open, as the issue has it.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, it } from "vitest";
import { type Fix, HOLES } from "../../model/issue/state.ts";
import { type Answer, type Child, type Start, startChild } from "../process/support/child.ts";
import { compile, generate, root } from "../process/support/library.ts";
import { describeReplays } from "./describeReplays.ts";
import type { Gate, IssueWorkerOptions } from "./issueWorker.ts";

/** So old is stale, where a story needs that: how long it waits, and no measure of anything. */
const STALE_MS = 200;
const NEVER_STALE_MS = 30 * 60_000;
/** As on macOS and Windows. */
const NO_START_TIMES = { startTime: false };

/** More than Node.js needs, and soon used up. */
const FEW_DESCRIPTORS: Start = { prefix: ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh"] };

let program = "";

beforeAll(() => {
  const directory = generate("issue-worker");
  compile(directory, { rootDir: root, include: [join(root, "test", "scenarios", "issueWorker.ts")] });
  program = join(directory, "dist", "test", "scenarios", "issueWorker.js");
});

describeReplays(import.meta.url, "the algorithm of the issue, in real processes", {
  OrphanWhileReleasing: () =>
    session(NO_START_TIMES, async ({ start, lockPath, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      const release = await a.releaseUpTo("a1", "Remove");
      expect(await a.acquire("a2")).toEqual({ held: true });
      await release.pass();
      expect(fs.existsSync(lockPath)).toBe(false);
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a2"], [b, "b1"]);
    }),

  GuardRemovedEarly: () =>
    session({ ...NO_START_TIMES, fix: "guardSet" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      const first = await a.releaseUpTo("a1", "Released");
      expect(await a.acquire("a2")).toEqual({ held: true });
      const second = await a.releaseUpTo("a2", "Remove");
      await first.pass();
      expect(await a.acquire("a1")).toEqual({ held: true });
      await second.pass();
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  OrphanWhileTaking: () =>
    session({ ...NO_START_TIMES, fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const a = await start("a");
      const taking = a.acquire("a1", { gates: [hold("Granted")] });
      await a.ask("arrived", { task: "a1" });
      expect(await a.acquire("a2")).toEqual({ held: true });
      await a.ask("pass", { task: "a1" });
      expect(await taking).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [a, "a2"]);
    }),

  OrphanOfAnotherRegistry: () =>
    session(NO_START_TIMES, async ({ start, expectTwoWriters }) => {
      const a = await start("a");
      const b = a.thread("b");
      await a.acquire("a1");
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  OrphanByPath: () =>
    session({ ...NO_START_TIMES, fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      const slower = a.acquire("a2", { gates: [hold("Judge")] });
      await a.ask("arrived", { task: "a2" });
      await a.ask("release", { task: "a1" });
      expect(await b.acquire("b1")).toEqual({ held: true });
      await a.ask("pass", { task: "a2" });
      expect(await slower).toEqual({ held: true });
      await expectTwoWriters([a, "a2"], [b, "b1"]);
    }),

  StaleByPath: () =>
    session({ fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await besideTheDead(start);
      const slower = b.acquire("b1", { gates: [stop("Reclaim")] });
      await b.isStopped();
      expect(await a.acquire("a1")).toEqual({ held: true });
      b.child.signal("SIGCONT");
      expect(await slower).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  JoinWhileReleasing: () =>
    session({ fix: "lateDelete" }, async ({ start, lockPath, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1", { allowReentrant: true });
      const release = await a.releaseUpTo("a1", "Remove");
      expect(await a.acquire("a2", { allowReentrant: true })).toEqual({ held: true });
      await release.pass();
      expect(fs.existsSync(lockPath)).toBe(false);
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a2"], [b, "b1"]);
    }),

  LateDeleteHitsAnother: () =>
    session({ fix: "lateDelete" }, async ({ start, lockPath }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      const release = await a.releaseUpTo("a1", "Released");
      expect(await a.acquire("a2")).toEqual({ held: true });
      await release.pass();
      // Its release finds no entry, and returns.
      await a.ask("release", { task: "a2" });
      expect(await holdersOf(a)).toEqual([]);
      await expectForgotten(lockPath, [a, b]);
    }),

  JoinExclusive: () =>
    session({}, async ({ start, expectTwoWriters }) => {
      const a = await start("a");
      await a.acquire("a1", { allowReentrant: false });
      expect(await a.acquire("a2", { allowReentrant: true })).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [a, "a2"]);
    }),

  ReleaseTwice: () =>
    session({ fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1", { allowReentrant: true });
      await a.acquire("a2", { allowReentrant: true });
      await a.ask("release", { task: "a1" });
      await a.ask("release", { task: "a1" });
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a2"], [b, "b1"]);
    }),

  ForgetFailedRemoval: () =>
    session({}, async ({ start, sessionFile, lockPath }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      const release = await a.releaseUpTo("a1", "Remove");
      // As a network share that is away for a moment.
      const directory = dirname(sessionFile);
      fs.renameSync(directory, `${directory}.away`);
      await release.pass();
      fs.renameSync(`${directory}.away`, directory);
      await expectForgotten(lockPath, [a, b]);
    }),

  UnwrittenIsStale: () =>
    session({ staleMs: STALE_MS, fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      const stopped = a.acquire("a1", { gates: [stop("Write")] });
      await a.isStopped();
      expect(await b.acquire("b1")).toEqual({ held: true });
      a.child.signal("SIGCONT");
      expect(await stopped).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  UnreadableIsStale: () =>
    session({ staleMs: STALE_MS }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b", FEW_DESCRIPTORS)]);
      await a.acquire("a1");
      const reading = b.acquire("b1", { gates: [hold("Read"), hold("Stat")] });
      await b.ask("arrived", { task: "b1" });
      expect(await b.ask("exhaust")).toMatchObject({ code: "EMFILE" });
      await b.ask("pass", { task: "b1" });
      await b.ask("arrived", { task: "b1" });
      await b.ask("free");
      await sleep(STALE_MS + 100);
      await b.ask("pass", { task: "b1" });
      expect(await reading).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  MtimeOfAnother: () =>
    session({ staleMs: STALE_MS, fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      const slower = b.acquire("b1", { gates: [stop("Read"), stop("Stat")] });
      await b.isStopped();
      await a.ask("release", { task: "a1" });
      b.child.signal("SIGCONT");
      await b.isStopped();
      expect(await a.acquire("a1")).toEqual({ held: true });
      await sleep(STALE_MS + 100);
      b.child.signal("SIGCONT");
      expect(await slower).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  AgeIsDeath: () =>
    session({ staleMs: STALE_MS, fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  WatchdogReleases: () =>
    session({ fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      await a.ask("watchdog");
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  ExitUnlocksHolder: () =>
    session({ fix: "lateDelete" }, async ({ start, sessionFile }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      await a.ask("write", { task: "a1", text: '{"by":' });
      await a.ask("exit", { text: '"a1"}\n' });
      await a.isStopped();
      expect(await b.acquire("b1")).toEqual({ held: true });
      expect(await holdersOf(b)).toEqual(["b1"]);
      await b.ask("write", { task: "b1", text: '{"by":"b1"}\n' });
      a.child.signal("SIGCONT");
      await a.child.ended;
      expect(fs.readFileSync(sessionFile, "utf8")).toBe('{"by":{"by":"b1"}\n"a1"}\n');
    }),

  ExitWhileReleasing: () =>
    session({ fix: "lateDelete" }, async ({ start, lockPath, expectTwoWriters }) => {
      const [a, b, c] = await Promise.all([start("a"), start("b"), start("c")]);
      await a.acquire("a1");
      await a.releaseUpTo("a1", "Released");
      expect(await b.acquire("b1")).toEqual({ held: true });
      await a.ask("exit");
      await a.isStopped();
      expect(fs.existsSync(lockPath)).toBe(false);
      expect(await c.acquire("c1")).toEqual({ held: true });
      await expectTwoWriters([b, "b1"], [c, "c1"]);
    }),

  SweepOfNothing: () =>
    session({}, async ({ start, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      const sweeping = b.ask("sweep", { task: "b1", gates: [stop("Read"), stop("Reclaim")] });
      await b.isStopped();
      await a.ask("release", { task: "a1" });
      b.child.signal("SIGCONT");
      await b.isStopped();
      expect(await a.acquire("a1")).toEqual({ held: true });
      b.child.signal("SIGCONT");
      await sweeping;
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),

  SweepByPath: () =>
    session({ fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [a, b] = await besideTheDead(start);
      const sweeping = b.ask("sweep", { task: "b1", gates: [stop("Reclaim")] });
      await b.isStopped();
      expect(await a.acquire("a1")).toEqual({ held: true });
      b.child.signal("SIGCONT");
      await sweeping;
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
    }),
});

it("twin: where nothing befalls them, one waits for the other, and their lines are whole", () =>
  session({}, async ({ start, sessionFile }) => {
    const [a, b] = await Promise.all([start("a"), start("b")]);
    await a.acquire("a1");
    expect(await b.acquire("b1", { timeoutMs: 0 })).toMatchObject({ held: false });
    const waiting = b.acquire("b1");
    await a.ask("write", { task: "a1", text: '{"by":' });
    await a.ask("write", { task: "a1", text: '"a1"}\n' });
    await expect(b.ask("write", { task: "b1", text: "\n" })).rejects.toThrow("b1 does not hold");
    expect(await holdersOf(b)).toEqual([]);
    await a.ask("release", { task: "a1" });
    expect(await waiting).toEqual({ held: true });
    await b.ask("write", { task: "b1", text: '{"by":"b1"}\n' });
    await expect(a.ask("write", { task: "a1", text: "\n" })).rejects.toThrow("a1 does not hold");
    expect(brokenLines(sessionFile)).toEqual([]);
  }));

it("twin: in one thread HELD_LOCKS has the lock, and nobody takes it for an orphan", () =>
  session(NO_START_TIMES, async ({ start }) => {
    const a = await start("a");
    await a.acquire("a1");
    expect(await a.acquire("b1", { timeoutMs: 0 })).toMatchObject({ held: false });
  }));

it("twin: with OrphanOfAnotherRegistry closed, the other thread waits", () => {
  const openHoles = HOLES.filter((hole) => hole !== "OrphanOfAnotherRegistry");
  return session({ ...NO_START_TIMES, openHoles }, async ({ start }) => {
    const a = await start("a");
    await a.acquire("a1");
    expect(await a.thread("b").acquire("b1", { timeoutMs: 0 })).toMatchObject({ held: false });
  });
});

it("twin: with fix A the story that the issue tells is refused: a2 waits until the release of a1 has ended", () =>
  session({ ...NO_START_TIMES, fix: "guardSet" }, async ({ start, lockPath }) => {
    const a = await start("a");
    await a.acquire("a1");
    const release = await a.releaseUpTo("a1", "Remove");
    expect(await a.acquire("a2", { timeoutMs: 0 })).toMatchObject({ held: false });
    expect(fs.existsSync(lockPath)).toBe(true);
    const waiting = a.acquire("a2");
    await release.pass();
    expect(await waiting).toEqual({ held: true });
    expect(fs.existsSync(lockPath)).toBe(true);
  }));

// ------------------------------------------------------------------------------------------------
// Sessions

interface Session {
  readonly sessionFile: string;
  readonly lockPath: string;
  start(who: string, how?: Start): Promise<Worker>;
  /** Both hold, else they would not write, and write a line each: the file has lines that are no JSON. */
  expectTwoWriters(one: Writer, other: Writer): Promise<void>;
}

interface Worker {
  readonly child: Child;
  /** A worker thread of the same process, with a heap of its own. */
  thread(name: string): Worker;
  ask(what: string, args?: Args): Promise<Answer>;
  /** `held` or not, without the number of the answer. */
  acquire(task: string, args?: Args): Promise<object>;
  /** Its release is under way, and held before that step until `pass`, which answers when it has ended. */
  releaseUpTo(task: string, before: string): Promise<{ pass(): Promise<void> }>;
  /** By SIGSTOP: every thread of it. */
  isStopped(): Promise<void>;
}

type Writer = readonly [worker: Worker, task: string];

interface Args {
  readonly task?: string;
  readonly gates?: readonly Gate[];
  readonly allowReentrant?: boolean;
  readonly timeoutMs?: number;
  readonly text?: string;
}

const hold = (before: string): Gate => ({ before, how: "hold" });
const stop = (before: string): Gate => ({ before, how: "stop" });

async function session(
  options: Partial<IssueWorkerOptions> & { readonly fix?: Fix },
  action: (session: Session) => Promise<void>,
): Promise<void> {
  const directory = fs.mkdtempSync(join(tmpdir(), "swl-issue-"));
  const sessionFile = join(directory, "a.jsonl");
  const children: Child[] = [];
  const worker = {
    file: program,
    options: { fix: "none", startTime: true, staleMs: NEVER_STALE_MS, openHoles: HOLES, ...options },
  };
  const start = async (who: string, how: Start = {}): Promise<Worker> => {
    const child = await startChild({ who, sessionFile, witness: directory }, { ...how, worker });
    children.push(child);
    return workerOf(child);
  };
  try {
    await action({
      sessionFile,
      lockPath: `${sessionFile}.lock`,
      start,
      expectTwoWriters: (one, other) => expectTwoWriters(sessionFile, one, other),
    });
  } finally {
    await Promise.all(children.map((child) => child.destroy()));
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function workerOf(child: Child, thread?: string): Worker {
  const ask = (what: string, args: Args = {}): Promise<Answer> => child.ask(what, { ...args, thread });
  return {
    child,
    thread: (name) => workerOf(child, name),
    ask,
    acquire: async (task, args = {}) => {
      const { id, ...answer } = await ask("acquire", { ...args, task });
      return answer;
    },
    releaseUpTo: async (task, before) => {
      const released = ask("release", { task, gates: [hold(before)] });
      await ask("arrived", { task });
      const pass = async (): Promise<void> => {
        await ask("pass", { task });
        await released;
      };
      return { pass };
    },
    isStopped: async () => {
      while (!/\) T /.test(fs.readFileSync(`/proc/${child.hostPid}/stat`, "utf8"))) await sleep(5);
    },
  };
}

/** Nobody holds, and nobody can have it: the file names a process that runs, and knows nothing of it. */
async function expectForgotten(lockPath: string, workers: readonly Worker[]): Promise<void> {
  expect(fs.existsSync(lockPath)).toBe(true);
  for (const worker of workers) {
    expect(await holdersOf(worker)).toEqual([]);
    expect(await worker.acquire("later", { timeoutMs: 0 })).toMatchObject({ held: false });
  }
}

/** Two workers, and the lock of a third that was killed holding it. */
async function besideTheDead(start: Session["start"]): Promise<readonly [Worker, Worker]> {
  const [dead, a, b] = await Promise.all([start("dead"), start("a"), start("b")]);
  await dead.acquire("d1");
  await dead.child.kill();
  return [a, b];
}

const holdersOf = async (worker: Worker): Promise<readonly string[]> =>
  (await worker.ask("holders"))["tasks"] as readonly string[];

async function expectTwoWriters(sessionFile: string, one: Writer, other: Writer): Promise<void> {
  for (const [worker, task] of [one, other]) expect(await holdersOf(worker)).toContain(task);
  await one[0].ask("write", { task: one[1], text: `{"by":` });
  await other[0].ask("write", { task: other[1], text: `{"by":"${other[1]}"}\n` });
  await one[0].ask("write", { task: one[1], text: `"${one[1]}"}\n` });
  expect(brokenLines(sessionFile)).toEqual([`{"by":{"by":"${other[1]}"}`, `"${one[1]}"}`]);
}

/** The lines of the session file that are no JSON. */
function brokenLines(sessionFile: string): readonly string[] {
  const lines = fs.readFileSync(sessionFile, "utf8").split("\n").slice(0, -1);
  return lines.filter((line) => {
    try {
      JSON.parse(line);
      return false;
    } catch {
      return true;
    }
  });
}
