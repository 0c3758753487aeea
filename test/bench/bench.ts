/**
 * `npm run bench`: what this lock costs, beside its peers and beside two bare renames, in one run in which all take
 * turns. The exit code does not depend on the figures: the targets are met or missed on a machine, and the table says so. It is 1
 * if ours failed, or was seen not to exclude.
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import { join, relative } from "node:path";
import { Progress, runProgram } from "../../tla/tools/console.ts";
import { orUsage, UsageError } from "../support/cliOptions.ts";
import { root } from "../support/processes.ts";
import { seededRandom } from "../support/random.mjs";
import { createBook, type Row } from "./book.ts";
import { BROKEN, LOCKS, type LockInfo, versionOf } from "./locks.ts";
import { MEASURES } from "./measures.ts";
import { buildNative } from "./native.ts";
import { type BenchOptions, readBenchOptions, USAGE } from "./options.ts";
import { isCalm, MOST_OTHERS, watchOthers } from "./others.ts";
import { write } from "./pages.ts";
import { asText } from "./report.ts";
import { linesOf, type Machine, type Measured, type Missing, type Summary, summaryOf } from "./summary.ts";

const LIBRARY = new URL("../../dist/index.js", import.meta.url);

/** By the magic number of statfs(2), for those that one meets. */
const DISKS: Readonly<Record<number, string>> = {
  61267: "ext4",
  16914836: "tmpfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  2035054128: "overlayfs",
};

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(2));
await runProgram(() => orUsage(USAGE, () => main(process.argv.slice(2))));

async function main(args: readonly string[]): Promise<number> {
  const options = readBenchOptions(args);
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  if (!fs.existsSync(LIBRARY)) throw new UsageError("the package is not built: run `npm run build` first");
  return await bench(options);
}

async function bench(options: BenchOptions): Promise<number> {
  const say = options.json ? () => {} : console.log;
  say(`--seed ${options.seed}, ${options.rounds} rounds, on ${options.disk}`);
  const { locks, missing } = usable(options.locks);
  for (const { name, reason } of missing) say(`${name}: ${reason}`);
  const book = createBook();
  const progress = new Progress(process.stderr);
  const directory = fs.mkdtempSync(join(options.disk, "session-write-lock-bench-"));
  const removeAll = (): void => fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", removeAll);
  const chosen = MEASURES.filter(({ name }) => options.only.includes(name));
  const measured: Measured[] = [];
  const commit = commitOf(root);
  for (const [i, measure] of chosen.entries()) {
    const began = performance.now();
    const othersHad = watchOthers();
    const title = `[${i + 1}/${chosen.length}] ${measure.name}`;
    progress.start(title);
    await measure.run({
      locks,
      rounds: options.rounds,
      quick: options.quick,
      random: seededRandom(options.seed),
      book,
      directory,
      say: (detail) => progress.detail(detail),
    });
    const seconds = Math.round((performance.now() - began) / 1000);
    const { seed, rounds } = options;
    const others = othersHad();
    measured.push({
      name: measure.name,
      seed,
      rounds,
      seconds,
      commit,
      others,
      lines: linesOf(measure, book.rows()),
    });
    progress.end(
      `${title}: ${seconds} s${others === null ? "" : `, others had ${percent(others)} of the CPU`}`,
    );
  }
  const rows = book.rows();
  const versions = Object.fromEntries(
    locks.flatMap((lock) => {
      const version = versionOf(lock);
      return version === undefined ? [] : [[lock.name, version]];
    }),
  );
  const summary = summaryOf({ machine: machine(options.disk), versions, missing }, measured);
  if (options.json) console.log(JSON.stringify({ ...summary, rows }));
  else {
    console.log(asText(summary));
    if (options.quick) console.log("\nA quick run: no figures to quote.");
  }
  if (options.write && !keep(summary, options)) return 1;
  return rows.some(isOurFault) ? 1 : 0;
}

/** Writes what was not disturbed, or everything if that is asked for. Whether that is all. */
function keep(summary: Summary, { disturbed }: BenchOptions): boolean {
  const calm = summary.measures.filter(({ others }) => disturbed || isCalm(others));
  for (const { name } of summary.measures.filter((measure) => !calm.includes(measure))) {
    console.error(`not written: ${name}, while others had more than ${percent(MOST_OTHERS)} of the CPU`);
  }
  const fresh = summaryOf(summary, calm);
  if (calm.length > 0) {
    for (const file of write(fresh, calm.length === MEASURES.length)) {
      console.error(`written: ${relative(root, file)}`);
    }
  }
  return calm.length === summary.measures.length;
}

/** With `-dirty` if it is not quite that. */
function commitOf(directory: string): string | null {
  const { status, stdout } = spawnSync("git", ["describe", "--always", "--dirty", "--exclude=*"], {
    cwd: directory,
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : null;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Peers may fail: that is a result. Ours, or the floor, may not. */
function isOurFault({ lock, failure, excludes }: Row): boolean {
  return ["ours", "floor"].includes(lock) && (failure !== undefined || excludes === false);
}

/** What is not installed, or cannot be built, is said, and left out. */
function usable(names: readonly string[]): {
  readonly locks: readonly LockInfo[];
  readonly missing: readonly Missing[];
} {
  const missing: Missing[] = [];
  const locks = [...LOCKS, BROKEN].filter((lock) => {
    if (!names.includes(lock.name)) return false;
    const unbuilt = lock.native === true ? buildNative() : undefined;
    const absent = lock.package !== undefined && versionOf(lock) === undefined ? "not installed" : undefined;
    const reason = unbuilt ?? absent;
    if (reason !== undefined) missing.push({ name: lock.name, reason });
    return reason === undefined;
  });
  return { locks, missing };
}

/** Without which a figure says little. No names: they are nobody's business. */
function machine(disk: string): Machine {
  return {
    node: process.version,
    platform: `${os.platform()} ${os.arch()}`,
    cores: os.availableParallelism(),
    disk: diskName(disk),
  };
}

function diskName(directory: string): string {
  const { type } = fs.statfsSync(directory);
  return DISKS[type] ?? `type ${type}`;
}
