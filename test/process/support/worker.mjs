/**
 * A process (or a thread) that uses the lock and does as it is told: one JSON command per line, one JSON
 * answer per line. Plain JavaScript: it must start fast on Node 20, and it imports the built package as a
 * user would, or a broken double of it.
 *
 * Between `acquire` and `release` it is inside, and witnesses of their own (test/support/witness.mjs) say
 * whether it was alone there. It lives until its input ends.
 */

import childProcess from "node:child_process";
import cluster from "node:cluster";
import fs from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { openWitness } from "../../support/witness.mjs";
import { countCalls } from "./counting.mjs";

/** @type {{ who: string, sessionFile: string, witness: string, library: string, without?: boolean, count?: number }} */
const params = isMainThread ? JSON.parse(process.argv[2] ?? "") : workerData;
const signals = ["SIGTERM", "SIGINT", "SIGHUP", "uncaughtException", "unhandledRejection"];
const listeners = () => Object.fromEntries(signals.map((name) => [name, process.listenerCount(name)]));
const listenersBefore = listeners();

const { acquireSessionWriteLock, cleanStaleLockFiles } = await import(params.library);
const witness = openWitness(params.witness, params.who);
/** The locks that are held, by the name that the command gave. */
const locks = new Map();
/** Of each acquisition that was given no answer yet, by the same name: gives it up. */
const waiting = new Map();
/** The threads that this process started. */
const threads = new Map();
let crowdIsOver = false;
/** The calls of node:fs in the directory of the session, once somebody has asked for them. */
let counts;

const commands = {
  /** Answers when the lock is held, or not any more to be had. `abort`: given up in the turn in which it asks. */
  async acquire({
    as = "",
    timeoutMs = 60_000,
    sessionFile = params.sessionFile,
    library,
    inside = true,
    abort = false,
    judged = false,
    options = {},
  }) {
    const controller = new AbortController();
    const acquire =
      library === undefined ? acquireSessionWriteLock : (await import(library)).acquireSessionWriteLock;
    if (judged) await untilJudged(acquire, sessionFile, options);
    waiting.set(as, () => controller.abort(new Error("given up")));
    const askedAt = now();
    const takenOver = [];
    let overtaken = false;
    const onTakeover = (info) => {
      takenOver.push(...info.owners.map(({ pid }) => pid));
      overtaken = info.overtaken;
    };
    try {
      const asking = params.without
        ? { release: async () => {} }
        : acquire({ sessionFile, timeoutMs, signal: controller.signal, onTakeover, ...options });
      if (abort) commands.giveUp({ as });
      const lock = await asking;
      const at = now();
      const found = [];
      if (inside) witness.putMarker((marker) => found.push(marker));
      locks.set(as, { lock, counter: inside ? witness.readCounter() : undefined });
      return { held: true, at, waitedMs: at - askedAt, found, takenOver, overtaken };
    } catch (error) {
      const { code, message, owner, reason } = error ?? {};
      const { verdict, ...who } = owner ?? {};
      const waitedMs = now() - askedAt;
      return { held: false, at: now(), waitedMs, found: [], code, message, verdict, reason, owner: who };
    } finally {
      waiting.delete(as);
    }
  },
  /** By its AbortSignal: of an acquisition that waits. */
  giveUp({ as = "" }) {
    waiting.get(as)();
  },
  /** Leaves, and gives the lock back; answers when that is done. */
  async release({ as = "" }) {
    const { lock, counter } = locks.get(as);
    locks.delete(as);
    const found = [];
    if (counter !== undefined) {
      witness.writeCounter(counter + 1);
      witness.removeMarker((marker) => found.push(marker));
    }
    try {
      await lock.release();
      return { found };
    } catch (error) {
      return { found, code: error.code };
    }
  },
  /** So many sections in a row, with a turn inside each. */
  async sections({ count }) {
    const found = [];
    for (let i = 0; i < count; i++) {
      const acquired = await commands.acquire({ timeoutMs: 60_000 });
      if (!acquired.held) return { sections: i, found, code: acquired.code, message: acquired.message };
      await new Promise((resolve) => setImmediate(resolve));
      const released = await commands.release({});
      found.push(...acquired.found, ...released.found);
    }
    return { sections: count, found };
  },
  /**
   * So many tasks that go in and out, each for one turn, or for so long, for so long and until they had so many turns, or
   * until they are told to stop; when each of them asked and was let in. `inside`: the witnesses watch.
   */
  async crowd({ tasks, ms = Number.POSITIVE_INFINITY, count = 0, holdMs, inside = false }) {
    const until = now() + ms;
    const turns = [];
    const found = [];
    const tell = (marker) => found.push(marker);
    const goInAndOut = async () => {
      while (!crowdIsOver && (now() < until || turns.length < count)) {
        const askedAt = now();
        const lock = await acquireSessionWriteLock({ sessionFile: params.sessionFile, timeoutMs: 60_000 });
        turns.push({ askedAt, at: now() });
        if (inside) witness.putMarker(tell);
        const counter = inside ? witness.readCounter() : undefined;
        await new Promise((resolve) =>
          holdMs === undefined ? setImmediate(resolve) : setTimeout(resolve, holdMs),
        );
        if (counter !== undefined) witness.writeCounter(counter + 1);
        if (inside) witness.removeMarker(tell);
        await lock.release();
      }
    };
    await Promise.all(Array.from({ length: tasks }, goInAndOut));
    return { turns: turns.sort((a, b) => a.at - b.at), found };
  },
  stopCrowd() {
    crowdIsOver = true;
  },
  /** Cleans the directory again and again until a moment; which pids' locks it removed. */
  async clean({ ms }) {
    const until = now() + ms;
    const pids = [];
    let rounds = 0;
    for (; now() < until; rounds++) {
      const { cleaned } = await cleanStaleLockFiles({ sessionsDir: dirname(params.sessionFile) });
      pids.push(...cleaned.map(({ pid }) => pid));
    }
    return { rounds, pids };
  },
  /** What `assertHeld` says. */
  assertHeld({ as = "" }) {
    try {
      locks.get(as).lock.assertHeld();
      return { ours: true };
    } catch (error) {
      return { ours: false, code: error.code };
    }
  },
  /** What a holder was told by its signal. */
  told({ as = "" }) {
    const { lock } = locks.get(as);
    return { aborted: lock.signal.aborted, code: lock.signal.reason?.code, isHeld: lock.isHeld() };
  },
  /** How much this process does: counted from the first time that it is asked. */
  effort() {
    counts ??= countCalls(params.sessionFile);
    return { ...counts, turns: performance.nodeTiming.uvMetricsInfo?.loopCount ?? 0, ms: now() };
  },
  /** Who listens to this process, before the library was loaded and now. */
  listeners: () => ({ before: listenersBefore, now: listeners() }),
  date: () => ({ text: new Date().toISOString() }),

  // ----------------------------------------------------------------------------------------------
  // The thread pool

  /** Every thread of the pool waits for somebody to write to the named pipe. Nothing that is sent now runs before. */
  occupyPool({ pipe, exiting }) {
    for (let thread = 0; thread < 4; thread++) fs.open(pipe, "r", () => {});
    process.once("exit", () => fs.writeFileSync(exiting, ""));
  },
  /** Sends one write to the pool, and does not wait for it. */
  queueWrite({ text }) {
    const file = fs.openSync(params.sessionFile, "a");
    fs.write(file, `${text}\n`, () => {});
  },
  write({ text }) {
    fs.appendFileSync(params.sessionFile, `${text}\n`);
  },
  /** Lets go without waiting for it. */
  queueRelease({ as = "" }) {
    witness.writeCounter(locks.get(as).counter + 1);
    witness.removeMarker(() => {});
    locks.get(as).lock.release();
  },

  // ----------------------------------------------------------------------------------------------
  // Ways to end

  exit: () => setImmediate(() => process.exit(3)),
  throw: () =>
    setImmediate(() => {
      throw new Error("thrown on purpose");
    }),
  reject: () => void Promise.reject(new Error("rejected on purpose")),

  // ----------------------------------------------------------------------------------------------
  // Threads, and processes of its own

  async startThread({ who }) {
    const thread = new Worker(fileURLToPath(import.meta.url), { workerData: { ...params, who } });
    threads.set(who, thread);
    await new Promise((resolve) => thread.once("message", resolve));
    // The end of the input ends the process, and its threads with it.
    thread.unref();
  },
  /** Passes a command on; answers what the thread answers. */
  tellThread: ({ who, command }) =>
    new Promise((resolve) => {
      const thread = threads.get(who);
      const id = ++asked;
      const onMessage = (answer) => {
        if (answer.id !== id) return;
        thread.off("message", onMessage);
        resolve(answer);
      };
      thread.on("message", onMessage);
      thread.postMessage({ ...command, id });
    }),
  async terminateThread({ who }) {
    const at = now();
    await threads.get(who).terminate();
    return { at };
  },
  /** Does not wait for its end. */
  startTerminating({ who }) {
    void threads.get(who).terminate();
  },
  /** Processes that this one forks, each with so many sections; answers what they found. */
  async family({ how, size, count }) {
    const fork = (args) => {
      if (how === "fork") return childProcess.fork(fileURLToPath(import.meta.url), args, { silent: true });
      cluster.setupPrimary({ exec: fileURLToPath(import.meta.url), args, silent: true });
      return cluster.fork();
    };
    const answers = await Promise.all(
      Array.from({ length: size }, async (_, i) => {
        const child = fork([JSON.stringify({ ...params, who: `${params.who}-${i}`, count })]);
        const answer = new Promise((resolve) => child.once("message", resolve));
        const ended = new Promise((resolve) => child.once("exit", resolve));
        return await Promise.race([
          answer,
          ended.then((code) => ({ found: [`a child ended with ${code}`] })),
        ]);
      }),
    );
    return {
      found: answers.flatMap(({ found }) => found),
      sections: answers.map(({ sections }) => sections),
    };
  },
};

let asked = 0;

/**
 * Waits until what stands in the way was judged once. On a busy machine a short timeout may be over before, and its
 * error cannot say who has the lock; after this one it can.
 */
async function untilJudged(acquire, sessionFile, options) {
  const controller = new AbortController();
  const onWaiting = () => controller.abort();
  const { signal } = controller;
  const asking = acquire({ sessionFile, timeoutMs: 60_000, ...options, signal, onWaiting });
  const lock = await asking.catch(() => undefined);
  await lock?.release();
}

/** Milliseconds of the one monotonic clock of this machine: comparable between processes. */
function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function obey({ id, do: what, ...rest }, answer) {
  try {
    answer({ ...(await commands[what](rest)), id });
  } catch (error) {
    answer({ id, error: String(error?.stack ?? error) });
  }
}

if (params.count !== undefined) {
  // Forked by `family`: one command, and the end.
  process.send(await commands.sections({ count: params.count }), () => process.disconnect());
} else if (isMainThread) {
  // With writev, so that a write that is made to fail (faults.test.ts) is one of the lock.
  const answer = (reply) => fs.writevSync(1, [Buffer.from(JSON.stringify(reply)), Buffer.from("\n")]);
  createInterface({ input: process.stdin }).on("line", (line) => void obey(JSON.parse(line), answer));
  answer({ ready: true, pid: process.pid });
} else {
  parentPort.on("message", (command) => void obey(command, (reply) => parentPort.postMessage(reply)));
  parentPort.postMessage({ ready: true });
}
