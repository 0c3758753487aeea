/**
 * The algorithm of the issue in real processes: real calls of Node.js, real pids, deaths and start times, nothing
 * faked. Where the moment matters a process is stopped (SIGSTOP) between two calls, as a laptop that is closed or a
 * debugger does it, or a task is held there, as by a slow call. Every hole is open, as the issue has it.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, it } from "vitest";
import { type Fix, HOLES } from "../../model/issue/state.ts";
import { type Answer, type Child, startChild } from "../process/support/child.ts";
import { compile, root } from "../process/support/library.ts";
import { GENERATED } from "../twins/doubles.ts";
import { describeReplays } from "./describeReplays.ts";
import type { Gate, IssueWorkerOptions } from "./issueWorker.ts";

/** So old is stale, where a story needs that; long against what a process does between two calls. */
const STALE_MS = 400;
const NEVER_STALE_MS = 30 * 60_000;
/** As on macOS and Windows. */
const NO_START_TIMES = { startTime: false };

const program = join(GENERATED, "issue-worker", "dist", "test", "scenarios", "issueWorker.js");

beforeAll(() => {
  const directory = join(GENERATED, "issue-worker");
  fs.mkdirSync(directory, { recursive: true });
  compile(directory, { rootDir: root, include: [join(root, "test", "scenarios", "issueWorker.ts")] });
});

describeReplays(import.meta.url, "the algorithm of the issue, in real processes", {
  OrphanWhileReleasing: () =>
    session(NO_START_TIMES, async ({ start, lockPath, expectTwoWriters }) => {
      const [a, b] = await Promise.all([start("a"), start("b")]);
      await a.acquire("a1");
      const released = a.ask("release", { task: "a1", gates: [hold("Remove")] });
      await a.ask("arrived", { task: "a1" });
      expect(await a.acquire("a2")).toEqual({ held: true });
      await a.ask("pass", { task: "a1" });
      await released;
      expect(fs.existsSync(lockPath)).toBe(false);
      expect(await b.acquire("b1")).toEqual({ held: true });
      await expectTwoWriters([a, "a2"], [b, "b1"]);
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

  StaleByPath: () =>
    session({ fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [dead, a, b] = await Promise.all([start("dead"), start("a"), start("b")]);
      await dead.acquire("d1");
      await dead.child.kill();
      const slower = b.acquire("b1", { gates: [stop("Reclaim")] });
      await b.isStopped();
      expect(await a.acquire("a1")).toEqual({ held: true });
      b.child.signal("SIGCONT");
      expect(await slower).toEqual({ held: true });
      await expectTwoWriters([a, "a1"], [b, "b1"]);
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
      await a.ask("write", { text: '{"by":' });
      await a.ask("exit", { text: '"a1"}\n' });
      await a.isStopped();
      expect(await b.acquire("b1")).toEqual({ held: true });
      expect(await holdersOf(b)).toEqual(["b1"]);
      await b.ask("write", { text: '{"by":"b1"}\n' });
      a.child.signal("SIGCONT");
      await a.child.ended;
      expect(fs.readFileSync(sessionFile, "utf8")).toBe('{"by":{"by":"b1"}\n"a1"}\n');
    }),

  SweepByPath: () =>
    session({ fix: "lateDelete" }, async ({ start, expectTwoWriters }) => {
      const [dead, a, b] = await Promise.all([start("dead"), start("a"), start("b")]);
      await dead.acquire("d1");
      await dead.child.kill();
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
    await a.ask("write", { text: '{"by":' });
    await a.ask("write", { text: '"a1"}\n' });
    expect(await holdersOf(b)).toEqual([]);
    await a.ask("release", { task: "a1" });
    expect(await waiting).toEqual({ held: true });
    await b.ask("write", { text: '{"by":"b1"}\n' });
    expect(brokenLines(sessionFile)).toEqual([]);
  }));

// ------------------------------------------------------------------------------------------------
// Sessions

interface Session {
  readonly sessionFile: string;
  readonly lockPath: string;
  start(who: string): Promise<Worker>;
  /** Both say that they hold, and write a line each: the file has lines that are no JSON. */
  expectTwoWriters(one: Writer, other: Writer): Promise<void>;
}

interface Worker {
  readonly child: Child;
  ask(what: string, args?: Args): Promise<Answer>;
  /** `held` or not, without the number of the answer. */
  acquire(task: string, args?: Args): Promise<object>;
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
  const start = async (who: string): Promise<Worker> => {
    const child = await startChild({ who, sessionFile, witness: directory }, { worker });
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

function workerOf(child: Child): Worker {
  const ask = (what: string, args: Args = {}): Promise<Answer> => child.ask(what, args);
  return {
    child,
    ask,
    acquire: async (task, args = {}) => {
      const { id, ...answer } = await ask("acquire", { ...args, task });
      return answer;
    },
    isStopped: async () => {
      while (!/\) T /.test(fs.readFileSync(`/proc/${child.hostPid}/stat`, "utf8"))) await sleep(5);
    },
  };
}

const holdersOf = async (worker: Worker): Promise<readonly string[]> =>
  (await worker.ask("holders"))["tasks"] as readonly string[];

async function expectTwoWriters(sessionFile: string, one: Writer, other: Writer): Promise<void> {
  for (const [worker, task] of [one, other]) expect(await holdersOf(worker)).toContain(task);
  await one[0].ask("write", { text: `{"by":` });
  await other[0].ask("write", { text: `{"by":"${other[1]}"}\n` });
  await one[0].ask("write", { text: `"${one[1]}"}\n` });
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
