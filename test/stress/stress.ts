/**
 * `npm run stress`: real processes use one lock, and are killed and stopped at random; each labelled step leaves a
 * trace; and the traces together must be a behaviour of the model (search.ts says how that is decided).
 *
 * In rounds, each with a lock of its own: alternately released by PutBack and by Drop, with 2 to 6 processes of 1 to
 * 3 tasks.
 */

import fs from "node:fs";
import { join } from "node:path";
import { grouped, Progress, runProgram, table } from "../../tla/tools/console.ts";
import { findToolchain } from "../../tla/tools/jar.ts";
import { UsageError, wantsHelp } from "../support/cliOptions.ts";
import { type CheckReport, checkTrace } from "./check.ts";
import { readStressOptions, type StressOptions, USAGE } from "./options.ts";
import { type RunMeta, readTrace, TraceError } from "./records.ts";
import { runStress, traceDirectory } from "./run.ts";
import { askTlc, type SampleStep, sampleOf, type TlcVerdict } from "./tlcSample.ts";

/** Small enough that its events fit into memory; large enough that starting its processes is a small part. */
const ROUND_STEPS = 20_000;
/** In a short run there are several rounds too, since one alone has one kind of disk. */
const FEWEST_ROUNDS = 2;
/** So many steps of a round TLC looks at: some seconds, mostly its start. */
const SAMPLE_STEPS = 300;

const LIBRARY = new URL("../../dist/index.js", import.meta.url);

interface Round {
  readonly meta: RunMeta;
  /** Where the trace is, if it is kept. */
  readonly directory: string;
  readonly report: CheckReport;
  readonly failures: readonly string[];
  readonly seconds: number;
}

interface TlcRow {
  readonly name: string;
  readonly verdict: TlcVerdict;
  readonly ok: boolean;
}

const DAMAGES: readonly Damage[] = [
  {
    local: true,
    what: "without the first Take",
    damage: (sample) => {
      const first = sample.findIndex(({ label }) => label.action === "Take");
      return sample.filter((_, at) => at !== first);
    },
  },
  {
    local: false,
    what: "if the first Verify saw nothing",
    damage: (sample) => {
      const first = sample.findIndex(({ label }) => label.action === "Verify");
      return sample.map((step, at) => (at === first ? { ...step, saw: [] } : step));
    },
  },
];

// So that the exit hooks of a run end its processes: a stopped one would stay for ever.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(2));
await runProgram(() => main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  if (wantsHelp(args, USAGE)) return 0;
  try {
    const options = readStressOptions(args);
    if (options.check !== undefined) return checkAgain(options.check);
    if (!fs.existsSync(LIBRARY)) throw new UsageError("the package is not built: run `npm run build` first");
    return await stress(options);
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof TraceError)) throw error;
    console.error(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : error.message);
    return 2;
  }
}

function checkAgain(directory: string): number {
  const report = checkTrace(readTrace(directory));
  console.log(report.refusal ?? `${grouped(report.steps)} steps are a behaviour of the model`);
  return report.refusal === undefined ? 0 : 1;
}

async function stress(options: StressOptions): Promise<number> {
  const say = options.json ? () => {} : console.log;
  say(`${grouped(options.steps)} steps, --seed ${options.seed}, on ${options.disk}`);
  const rounds: Round[] = [];
  const progress = new Progress(process.stderr);
  const isGood = ({ report, failures }: Round): boolean =>
    report.refusal === undefined && failures.length === 0;
  const checked = (): number => rounds.reduce((sum, { report }) => sum + report.steps, 0);
  const isEnough = (): boolean => checked() >= options.steps && rounds.length >= FEWEST_ROUNDS;
  while (!isEnough() && rounds.every(isGood)) {
    const title = `round ${rounds.length + 1}, ${grouped(checked())} of ${grouped(options.steps)} steps`;
    rounds.push(await oneRound(options, rounds.length, title, progress));
  }
  const bad = rounds.find((round) => !isGood(round));
  if (bad !== undefined) {
    for (const failure of bad.failures) console.error(failure);
    if (bad.report.refusal !== undefined) console.error(bad.report.refusal);
    console.error(`The trace is in ${bad.directory}: npm run stress -- --check ${bad.directory}`);
  }
  const samples = options.tlc && bad === undefined ? await askAboutSamples(rounds) : [];
  const passed = bad === undefined && samples.every(({ ok }) => ok);
  if (options.json) console.log(JSON.stringify(asJson(options, rounds, samples, isGood)));
  else sayReport(rounds, samples);
  return passed ? 0 : 1;
}

async function oneRound(
  options: StressOptions,
  number: number,
  title: string,
  progress: Progress,
): Promise<Round> {
  const meta: RunMeta = {
    processes: options.processes ?? 2 + (number % 5),
    tasks: 1 + (number % 3),
    local: number % 2 === 0,
    seed: options.seed + number,
  };
  const directory = fs.mkdtempSync(join(options.disk, "session-write-lock-stress-"));
  const started = performance.now();
  progress.start(title);
  const { failures } = await runStress({
    ...meta,
    directory,
    library: LIBRARY.href,
    steps: Math.min(ROUND_STEPS, Math.ceil(options.steps / FEWEST_ROUNDS)),
    onProgress: (steps) => progress.detail(`${grouped(steps)} steps in this round`),
  });
  const trace = readTrace(traceDirectory(directory));
  const report = checkTrace(trace, SAMPLE_STEPS);
  const seconds = (performance.now() - started) / 1000;
  progress.end(`${title}: ${grouped(report.steps)} more in ${seconds.toFixed(1)} s`);
  const keeps = options.keep || report.refusal !== undefined || failures.length > 0;
  if (!keeps) fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  return { meta: trace.meta, directory: traceDirectory(directory), report, failures, seconds };
}

// ------------------------------------------------------------------------------------------------
// TLC

/** The beginning of a round of each kind of disk; and the same damaged, which must be refused. */
async function askAboutSamples(rounds: readonly Round[]): Promise<readonly TlcRow[]> {
  const toolchain = await findToolchain();
  const rows: TlcRow[] = [];
  for (const { local, damage, what } of DAMAGES) {
    const round = rounds.find(({ meta }) => meta.local === local);
    if (round === undefined) continue;
    const { history, beginning } = round.report;
    const sample = sampleOf(history, beginning);
    // Two at a time: most of it is the start of a Java process.
    const [whole, damaged] = await Promise.all([
      askTlc(toolchain, history.config, sample),
      askTlc(toolchain, history.config, damage(sample)),
    ]);
    const kind = local ? "PutBack" : "Drop";
    rows.push({ name: `TLC follows ${sample.length} steps, ${kind}`, verdict: whole, ok: whole.followed });
    const refused = damaged.broken === undefined && !damaged.followed;
    rows.push({ name: `TLC refuses them ${what}, ${kind}`, verdict: damaged, ok: refused });
  }
  return rows;
}

interface Damage {
  readonly local: boolean;
  readonly what: string;
  readonly damage: (sample: readonly SampleStep[]) => readonly SampleStep[];
}

// ------------------------------------------------------------------------------------------------
// The report

function totals(rounds: readonly Round[]): {
  readonly actions: Readonly<Record<string, number>>;
  readonly edges: readonly string[];
} {
  const actions: Record<string, number> = {};
  for (const { report } of rounds) {
    for (const [action, count] of report.actions) actions[action] = (actions[action] ?? 0) + count;
  }
  const edges = [...new Set(rounds.flatMap(({ report }) => [...report.edges]))].sort();
  return { actions, edges };
}

function asJson(
  { seed }: StressOptions,
  rounds: readonly Round[],
  samples: readonly TlcRow[],
  isGood: (round: Round) => boolean,
): object {
  return {
    seed,
    ...totals(rounds),
    rounds: rounds.map((round) => {
      const { steps, crashes, crashesWhileHolding, largestFrontier } = round.report;
      const counts = { steps, crashes, crashesWhileHolding, largestFrontier };
      return { ...round.meta, ...counts, seconds: round.seconds, ok: isGood(round) };
    }),
    samples: samples.map(({ name, ok, verdict }) => ({ name, ok, ...verdict })),
  };
}

function sayReport(rounds: readonly Round[], samples: readonly TlcRow[]): void {
  const { actions, edges } = totals(rounds);
  const row = ({ meta, report, seconds }: Round): string[] => [
    meta.local ? "PutBack" : "Drop",
    `${meta.processes} of ${meta.tasks}`,
    grouped(report.steps),
    String(report.crashes),
    String(report.crashesWhileHolding),
    String(report.largestFrontier),
    seconds.toFixed(1),
  ];
  const header = ["release", "processes", "steps", "ended", "while holding", "frontier", "seconds"];
  console.log(table(header, rounds.map(row)));
  console.log(
    `\n${table(
      ["action", "times"],
      Object.entries(actions).map(([action, count]) => [action, grouped(count)]),
    )}`,
  );
  console.log(`\n${edges.length} kinds of edges of the model`);
  for (const { name, ok, verdict } of samples) {
    const why = verdict.broken === undefined ? `after ${verdict.steps} steps` : verdict.broken;
    console.log(`${ok ? "ok    " : "FAILED"} ${name}: ${why}, ${verdict.seconds.toFixed(1)} s`);
  }
  const steps = rounds.reduce((sum, { report }) => sum + report.steps, 0);
  const good = rounds.every(({ report }) => report.refusal === undefined);
  console.log(`${grouped(steps)} steps ${good ? "are behaviours of the model" : "checked: FAILED"}`);
}
