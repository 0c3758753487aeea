/**
 * A worker of the bench: one process, one lock, and the jobs that its parent sends. It lives for all rounds of a
 * measure, so that what it has warmed up stays warm. Plain JavaScript: it must start fast.
 */

import fs from "node:fs";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { ADAPTERS } from "./adapters.mjs";

/** @typedef {import("./adapters.mjs").Acquire} Acquire */

/** Of the system, not of the process: what two workers say can be compared. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

const make = ADAPTERS[process.argv[2] ?? ""];
if (make === undefined) throw new Error(`there is no lock ${process.argv[2]}`);
const open = await make();

/** @type {Map<string, Acquire>} */
const tasks = new Map();
/** The one task of this process that uses the file again and again. @param {string} file */
function taskOf(file) {
  const known = tasks.get(file) ?? open(file);
  tasks.set(file, known);
  return known;
}

/** @type {(() => unknown) | undefined} */
let release;

/** What may be between two acquisitions. @type {Record<string, () => unknown>} */
const PAUSES = { tight: () => {}, turn, idle: () => sleep(20) };

/** @type {Record<string, (args: any) => unknown>} */
const JOBS = {
  /**
   * One lock, alone. In a tight loop the mean leaves nothing out; with pauses it is that of the acquisitions alone.
   */
  alone: async ({ file, ms, pause }) => {
    const acquire = taskOf(file);
    const between = PAUSES[pause];
    const each = [];
    const cpu = process.cpuUsage();
    const began = now();
    let at = began;
    while (at - began < ms) {
      const started = now();
      await (await acquire())();
      at = now();
      each.push(at - started);
      if (pause !== "tight") {
        await between?.();
        at = now();
      }
    }
    const { user, system } = process.cpuUsage(cpu);
    const cpuMs = (user + system) / 1000 / each.length;
    const sum = each.reduce((a, b) => a + b, 0);
    each.sort((a, b) => a - b);
    const medianMs = each[each.length >> 1] ?? Number.NaN;
    return {
      count: each.length,
      meanMs: (pause === "tight" ? at - began : sum) / each.length,
      medianMs,
      cpuMs,
    };
  },

  /**
   * One task of several processes, all from the same moment on. It holds for a turn, in which it reads a counter and
   * writes it back: what two holders at once write, one of them loses.
   */
  contend: async ({ file, counter, startAt, ms }) => {
    const acquire = taskOf(file);
    const descriptor = fs.openSync(counter, "r+");
    const digits = Buffer.alloc(16);
    const waits = [];
    let entered = 0;
    let inTime = 0;
    await sleep(Math.max(0, startAt - now() - 2));
    while (now() < startAt);
    for (let asked = now(); asked < startAt + ms; asked = now()) {
      const free = await acquire();
      const granted = now();
      waits.push(granted - asked);
      if (granted < startAt + ms) inTime++;
      fs.readSync(descriptor, digits, 0, 16, 0);
      await turn();
      fs.writeSync(descriptor, String(Number(digits.toString()) + 1).padStart(16, "0"), 0);
      entered++;
      await free();
    }
    fs.closeSync(descriptor);
    return { entered, inTime, waits: Float64Array.from(waits) };
  },

  /**
   * Many tasks of this process that all wait for one file; each holds it once, for a microtask. `served` until the
   * time is over: whoever is slower than that is not waited for.
   */
  queue: async ({ file, count, ms }) => {
    const first = await open(file)();
    let served = 0;
    const began = now();
    const all = Array.from({ length: count }, async () => {
      const free = await open(file)();
      await null;
      served++;
      await free();
    });
    await turn();
    const handed = now();
    await first();
    await Promise.race([Promise.all(all), sleep(ms, undefined, { ref: false })]);
    return { served, ms: now() - handed, withQueuingMs: now() - began };
  },

  /** Many tasks of this process that come back again and again. */
  loops: async ({ file, count, ms }) => {
    let cycles = 0;
    const began = now();
    const all = Array.from({ length: count }, async () => {
      const acquire = open(file);
      while (now() - began < ms) {
        const free = await acquire();
        cycles++;
        await null;
        await free();
      }
    });
    await Promise.race([Promise.all(all), sleep(ms)]);
    return { cycles, ms: now() - began };
  },

  /** Do tasks of this process exclude each other? Each holds for a turn. The largest number that was inside at once. */
  inside: async ({ file, count, ms }) => {
    let inside = 0;
    let most = 0;
    const all = Array.from({ length: count }, async () => {
      const free = await open(file)();
      most = Math.max(most, ++inside);
      await turn();
      inside--;
      await free();
    });
    await Promise.race([Promise.all(all), sleep(ms, undefined, { ref: false })]);
    return { most };
  },

  /** Each file for the first time: all are taken, one after the other, and then all are released. */
  files: async ({ files }) => {
    const frees = [];
    const began = now();
    for (const file of files) frees.push(await open(file)());
    const taken = now();
    for (const free of frees) await free();
    return { acquireMs: (taken - began) / files.length, releaseMs: (now() - taken) / files.length };
  },

  /** What locks cost that are held, or waited for. Needs --expose-gc. */
  memory: async ({ files, waiting }) => {
    const frees = [];
    // One of each kind before: what is made once is none of theirs.
    await (await open(files[0])())();
    const before = await footprint();
    if (waiting === 0) for (const file of files) frees.push(await open(file)());
    else {
      frees.push(await open(files[0])());
      for (let i = 0; i < waiting; i++) void open(files[0])().then((free) => free());
      await sleep(50);
    }
    const after = await footprint();
    const count = waiting === 0 ? files.length : waiting;
    return {
      bytes: (after.bytes - before.bytes) / count,
      descriptors: (after.descriptors - before.descriptors) / count,
    };
  },

  hold: async ({ file }) => {
    const asked = now();
    release = await taskOf(file)();
    return { asked, granted: now() };
  },
  free: async () => {
    const at = now();
    await release?.();
    return { at };
  },
};

async function footprint() {
  const descriptors = await settled(() => fs.readdirSync("/proc/self/fd").length);
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await turn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return { bytes: heapUsed + external, descriptors };
}

/**
 * What is under way in the background has something open.
 *
 * @param {() => number} look
 */
async function settled(look) {
  for (let before = look(); ; ) {
    await sleep(20);
    const now = look();
    if (now === before) return now;
    before = now;
  }
}

process.on("message", async (/** @type {{ id: number, job: string, args: object }} */ { id, job, args }) => {
  try {
    const run = JOBS[job];
    if (run === undefined) throw new Error(`there is no job ${job}`);
    process.send?.({ id, result: await run(args) });
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
process.once("disconnect", () => process.exit(0));
process.send?.({ id: 0, result: {} });
