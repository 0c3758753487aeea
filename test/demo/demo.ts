/**
 * `npm run demo`: real processes append to one session file under the lock, are killed at random, and are
 * replaced; in the end every line that was acknowledged must be there. `--without-lock` shows that the check
 * can fail.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { orUsage, wantsHelp } from "../support/cliOptions.ts";
import { seededRandom } from "../support/random.mjs";
import { type Crew, createCrew } from "./crew.ts";
import { createLogReader, type LogReader, readCounter, readSession } from "./evidence.ts";
import { type DemoOptions, readDemoOptions, USAGE, UsageError } from "./options.ts";
import {
  countUp,
  createReport,
  describeReport,
  hasPassed,
  type Outcome,
  takeoverLatencies,
} from "./report.ts";

/** Writers that wait for the lock in the end take it once more each: longer than their own timeout. */
const DISMISSAL_LIMIT_MS = 60_000;
/** How often the live line changes: on a terminal, and in a log. */
const PROGRESS_EVERY_MS = { terminal: 200, log: 2_000 };
/** A random writer is inside rarely; the interesting kills are those of a writer that is. */
const AIMED_KILLS = 0.5;
/** Looks for a marker, a millisecond apart: longer than the lock usually needs to go to the next writer. */
const MOST_LOOKS = 50;

process.exitCode = await orUsage(USAGE, () => main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  if (wantsHelp(args, USAGE)) return 0;
  const options = readDemoOptions(args);
  if (!isBuilt()) throw new UsageError("the package is not built: run `npm run build` first");
  return await runDemo(options);
}

/** The writers import the package by its name, that is, from dist/. */
function isBuilt(): boolean {
  return fs.existsSync(new URL("../../dist/index.js", import.meta.url));
}

async function runDemo(options: DemoOptions): Promise<number> {
  const directory = fs.mkdtempSync(join(tmpdir(), "session-write-lock-demo-"));
  fs.mkdirSync(join(directory, "writers"));
  for (const name of ["session.jsonl", "counter"]) fs.writeFileSync(join(directory, name), "");
  const say = options.json ? () => {} : console.log;
  const lock = options.withoutLock ? "WITHOUT the lock" : "under the lock";
  say(`${options.processes} writers ${lock}, ${options.seconds} s, --seed ${options.seed}, in ${directory}`);

  const report = createReport(options, await runCrew(options, directory));
  say(describeReport(report));
  if (options.json) console.log(JSON.stringify({ ...report, directory }, undefined, 2));

  // Without the lock the damage is nothing to look into.
  const keep = options.keep || (report.verdict !== "ok" && !options.withoutLock);
  if (keep) say(`kept: ${directory}`);
  else removeDirectory(directory);
  return hasPassed(report) ? 0 : 1;
}

async function runCrew(options: DemoOptions, directory: string): Promise<Outcome> {
  const crew = createCrew({ ...options, directory });
  const forget = cleanUpAfter(crew, directory, options.keep);
  const logs = createLogReader(directory);
  await crew.ready();
  const startedAt = performance.now();
  const deadline = startedAt + options.seconds * 1000;
  const progress = options.json ? undefined : showProgress(crew, logs, startedAt);
  await harass(crew, directory, options, deadline);
  await crew.dismiss(DISMISSAL_LIMIT_MS);
  const elapsedMs = performance.now() - startedAt;
  progress?.stop();
  forget();
  const lines = await readSession(directory);
  const history = { lines, writers: logs.refresh(), kills: crew.kills, counter: readCounter(directory) };
  return { history, failures: crew.failures, elapsedMs };
}

// ------------------------------------------------------------------------------------------------
// Kills

async function harass(crew: Crew, directory: string, options: DemoOptions, deadline: number): Promise<void> {
  const random = seededRandom(options.seed);
  while (crew.failures.length === 0) {
    // Kills at a constant rate, each independent of the last: exponential pauses.
    const pauseMs = -Math.log(1 - random()) * options.killEveryMs;
    const leftMs = deadline - performance.now();
    await sleep(Math.max(0, Math.min(pauseMs, leftMs)));
    if (pauseMs >= leftMs) return;
    // Both numbers are drawn every time, so that the seed decides the same whatever the timing.
    const aimed = random() < AIMED_KILLS;
    const slot = Math.floor(random() * options.processes);
    crew.kill({ writer: aimed ? await whoIsInside(directory) : undefined, slot });
  }
}

/** By its marker; it may have left since. Undefined if nobody comes in for a while. */
async function whoIsInside(directory: string): Promise<string | undefined> {
  for (let look = 0; look < MOST_LOOKS; look++) {
    try {
      return fs.readFileSync(join(directory, "marker"), "utf8");
    } catch {
      await sleep(1);
    }
  }
  return undefined;
}

// ------------------------------------------------------------------------------------------------
// Progress, and the end

function showProgress(crew: Crew, logs: LogReader, startedAt: number): { stop(): void } {
  const { isTTY } = process.stdout;
  const show = (): void => {
    const history = { writers: logs.refresh(), kills: crew.kills };
    const { acquisitions, lines, kills } = countUp(history);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    const takeovers = takeoverLatencies(history).length;
    const text = `${seconds} s: ${acquisitions} acquisitions, ${lines} lines, ${kills} kills, ${takeovers} takeovers`;
    process.stdout.write(isTTY ? `\r\u001b[K${text}` : `${text}\n`);
  };
  const timer = setInterval(show, isTTY ? PROGRESS_EVERY_MS.terminal : PROGRESS_EVERY_MS.log);
  return {
    stop: () => {
      clearInterval(timer);
      show();
      if (isTTY) process.stdout.write("\n");
    },
  };
}

/** However the demo ends, its writers end with it. Returns what calls that off. */
function cleanUpAfter(crew: Crew, directory: string, keep: boolean): () => void {
  const onExit = (): void => crew.abandon();
  const onSignal = (signal: NodeJS.Signals): void => {
    crew.abandon();
    if (!keep) removeDirectory(directory);
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.once("exit", onExit);
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  return () => {
    process.removeListener("exit", onExit);
    process.removeListener("SIGINT", onSignal);
    process.removeListener("SIGTERM", onSignal);
  };
}

/** Tried again, since a writer that was just killed may still be in its last system call. */
function removeDirectory(directory: string): void {
  fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
