import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { grouped, isProgram, Progress, runProgram, table } from "./console.ts";
import { findToolchain, type Toolchain } from "./jar.ts";
import {
  type Manifest,
  type ModelConfig,
  manifestName,
  type Numbers,
  readManifest,
  withNumbers,
} from "./manifest.ts";
import type { Outcome } from "./tlcOutput.ts";
import { runTlc, stopOnSignals, type TlcRun } from "./tlcRun.ts";
import { reasonOf, ToolError } from "./toolError.ts";

const usage = `Usage: npm run tlc -- [--only NAME[,NAME]] [--deep] [--update] [--json] [--list] [--dir DIR]
Runs TLC on the configurations of models.json and compares verdicts and numbers.

  --only NAME,..  these configurations, deep ones too
  --deep          all configurations, not only those of the gate
  --update        write new numbers into models.json where the verdict is as expected
  --json          the result as JSON on stdout, progress on stderr
  --list          print the configurations and run nothing
  --dir DIR       the folder of models.json and the specifications (default: tla)
  --limit SECONDS stop a configuration that takes longer (default: 30 minutes, deep 6 hours)

Exit code: 0 all as expected, 1 a difference, 2 nothing could be checked.`;

export interface Options {
  readonly only: readonly string[] | undefined;
  readonly deep: boolean;
  readonly update: boolean;
  readonly json: boolean;
  readonly list: boolean;
  readonly dir: string;
  readonly limitMs: number | undefined;
}

/** How one configuration compares with its manifest entry; no differences means as expected. */
export interface Result {
  readonly model: ModelConfig;
  readonly outcome: Outcome;
  readonly seconds: number;
  readonly differences: readonly string[];
  /** The end of TLC's output, for a run that checked nothing. */
  readonly tail: readonly string[];
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === "help") {
    console.log(usage);
    return 0;
  }
  const manifest = await readManifest(options.dir);
  const models = selectModels(manifest, options);
  if (options.list) {
    console.log(listing(models));
    return 0;
  }
  const toolchain = await findToolchain();
  if (toolchain.warning !== undefined) console.error(toolchain.warning);
  const results = await checkAll(toolchain, manifest, models, options);
  if (options.json) console.log(JSON.stringify(jsonReport(toolchain, results), null, 2));
  else console.log(report(results));
  return options.update ? update(manifest, results) : exitCodeOf(results);
}

export function readOptions(args: readonly string[]): Options | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const seconds = values.limit === undefined ? undefined : Number(values.limit);
  if (seconds !== undefined && !(seconds > 0)) {
    throw new ToolError("read --limit", `"${values.limit}" is not a number of seconds`, "See --help.");
  }
  return {
    only: values.only?.split(",").map((name) => name.trim()),
    deep: values.deep,
    update: values.update,
    json: values.json,
    list: values.list,
    dir: values.dir ?? dirname(dirname(fileURLToPath(import.meta.url))),
    limitMs: seconds === undefined ? undefined : seconds * 1000,
  };
}

function parse(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: text,
        deep: flag,
        update: flag,
        json: flag,
        list: flag,
        dir: text,
        limit: text,
        help: flag,
      },
    }).values;
  } catch (cause) {
    throw new ToolError("read the arguments", reasonOf(cause), "See --help.", { cause });
  }
}

/** The configurations to run; never none, because nothing that was run is nothing that was checked. */
export function selectModels(
  manifest: Manifest,
  options: Pick<Options, "only" | "deep">,
  wanted: (model: ModelConfig) => boolean = () => true,
): ModelConfig[] {
  const candidates = manifest.models.filter(wanted);
  const { only } = options;
  const unknown = only?.find((name) => !candidates.some((model) => model.name === name));
  if (unknown !== undefined) {
    const names = candidates.map((model) => model.name).join(", ");
    throw new ToolError(
      `run "${unknown}"`,
      `${manifestName} has no such configuration`,
      `There are: ${names}.`,
    );
  }
  const models = candidates.filter((model) =>
    only ? only.includes(model.name) : options.deep || !model.deep,
  );
  if (models.length === 0) {
    throw new ToolError("check anything", "no configuration is selected", "Try --deep, or see --list.");
  }
  return models;
}

function listing(models: readonly ModelConfig[]): string {
  const rows = models.map((model) => [
    model.name,
    expectedText(model),
    model.deep ? "deep" : "",
    model.question,
  ]);
  return table(["configuration", "expected", "", "question"], rows);
}

async function checkAll(
  toolchain: Toolchain,
  manifest: Manifest,
  models: readonly ModelConfig[],
  options: Options,
): Promise<Result[]> {
  const signal = stopOnSignals();
  const progress = new Progress(options.json ? process.stderr : process.stdout);
  const results: Result[] = [];
  try {
    for (const [index, model] of models.entries()) {
      progress.start(`[${index + 1}/${models.length}] ${model.name}`);
      const result = await check(toolchain, manifest.dir, model, {
        limitMs: options.limitMs,
        signal,
        onProgress: (distinct) => progress.detail(`${grouped(distinct)} distinct states`),
      });
      results.push(result);
      const took = `${grouped(result.outcome.distinct)} distinct states, ${result.seconds.toFixed(1)} s`;
      progress.end(
        `[${index + 1}/${models.length}] ${model.name}: ${result.differences[0] ?? "ok"} (${took})`,
      );
    }
  } catch (error) {
    progress.stop();
    throw error;
  }
  return results;
}

type CheckOptions = Pick<Parameters<typeof runTlc>[3] & object, "limitMs" | "signal" | "onProgress">;

async function check(
  toolchain: Toolchain,
  dir: string,
  model: ModelConfig,
  options: CheckOptions,
): Promise<Result> {
  const first = await runTlc(toolchain, dir, model, options);
  const result = compare(model, first);
  // Several workers may reach a state by a longer way first and then report a search that is too deep:
  // only one worker's depth is exact, so it decides.
  if (
    model.workers === 1 ||
    result.outcome.depth === model.depth ||
    result.outcome.verdict.kind !== "holds"
  ) {
    return result;
  }
  const exact = await runTlc(toolchain, dir, model, { ...options, workers: 1 });
  return compare(model, { ...exact, seconds: first.seconds + exact.seconds });
}

/** Room for a whole counterexample, or for the error and where it occurred. */
const mostTailLines = 400;
/** Without an error line of TLC's, the end of the output is all there is to go by. */
const blindTailLines = 20;

export function compare(model: ModelConfig, run: TlcRun): Result {
  const { outcome, seconds } = run;
  const verdict = verdictDifference(model, outcome);
  const differences = verdict === undefined ? numberDifferences(model, outcome) : [verdict];
  const tail = verdict === undefined ? [] : tailOf(run.output);
  return { model, outcome, seconds, differences, tail };
}

function tailOf(output: string): string[] {
  const lines = output.trimEnd().split(/\r?\n/);
  const firstError = lines.findIndex((line) => line.startsWith("Error:"));
  if (firstError === -1) return lines.slice(-blindTailLines);
  return lines.slice(firstError, firstError + mostTailLines);
}

function verdictDifference(model: ModelConfig, outcome: Outcome): string | undefined {
  const { verdict } = outcome;
  if (verdict.kind === "broken") return `nothing was checked: ${verdict.reason}`;
  if (model.temporal && !outcome.temporal) return "no liveness was checked, although it is marked temporal";
  if (!model.temporal && outcome.temporal) return "liveness was checked, although it is not marked temporal";
  if (model.expect.verdict === "holds")
    return verdict.kind === "holds" ? undefined : `it fails: ${verdict.line}`;
  if (verdict.kind === "holds") return "it holds, but it must fail";
  return verdict.line === model.expect.line ? undefined : `another line: ${verdict.line}`;
}

function numberDifferences(model: ModelConfig, outcome: Outcome): string[] {
  const got = numbersOf(model, outcome);
  const trace = model.expect.verdict === "fails" ? model.expect.trace : undefined;
  const pairs: Array<[string, number | undefined, number | undefined]> = [
    ["distinct states", model.distinct, got.distinct],
    ["depth", model.depth, got.depth],
    ["states of the counterexample", trace, got.trace],
  ];
  if (model.generated !== undefined) pairs.push(["generated states", model.generated, got.generated]);
  return pairs
    .filter(([, expected, actual]) => expected !== actual)
    .map(([what, expected, actual]) => `${what}: ${grouped(actual)}, expected ${grouped(expected)}`);
}

function numbersOf(model: ModelConfig, outcome: Outcome): Numbers {
  return {
    // A violation by the initial state comes before TLC counts.
    distinct: outcome.distinct ?? 0,
    depth: outcome.depth,
    generated: outcome.generated,
    trace: model.expect.verdict === "fails" ? outcome.trace : undefined,
  };
}

export function verdictMatches(result: Result): boolean {
  return verdictDifference(result.model, result.outcome) === undefined;
}

function exitCodeOf(results: readonly Result[]): number {
  return results.every((result) => result.differences.length === 0) ? 0 : 1;
}

async function update(manifest: Manifest, results: readonly Result[]): Promise<number> {
  const changes = new Map<string, Numbers>();
  for (const result of results) {
    const { model, outcome, differences } = result;
    if (!verdictMatches(result)) {
      console.error(`${model.name}: not updated, ${differences.join("; ")}`);
    } else if (differences.length > 0) {
      changes.set(model.name, numbersOf(model, outcome));
      console.error(`${model.name}: updated, ${differences.join("; ")}`);
    }
  }
  const file = join(manifest.dir, manifestName);
  if (changes.size > 0) await writeFile(file, withNumbers(await readFile(file, "utf8"), changes));
  else console.error(`${manifestName}: nothing to update`);
  return results.every(verdictMatches) ? 0 : 1;
}

function expectedText(model: ModelConfig): string {
  return model.expect.verdict === "holds" ? "holds" : shortLine(model.expect.line);
}

function gotText({ verdict }: Outcome): string {
  if (verdict.kind === "broken") return "NOT CHECKED";
  return verdict.kind === "holds" ? "holds" : shortLine(verdict.line);
}

function shortLine(line: string): string {
  return line.replace(/^Error: /, "");
}

function report(results: readonly Result[]): string {
  const rows = results.map(({ model, outcome, seconds, differences }) => [
    model.name,
    expectedText(model),
    gotText(outcome),
    grouped(outcome.distinct),
    grouped(outcome.depth),
    outcome.verdict.kind === "fails" ? grouped(outcome.trace) : "",
    seconds.toFixed(1),
    differences.length === 0 ? "ok" : "DIFFERS",
  ]);
  const lines = table(
    ["configuration", "expected", "got", "distinct", "depth", "trace", "seconds", "ok"],
    rows,
  );
  return ["", lines, "", ...results.flatMap(explanation), totalLine(results)].join("\n");
}

function explanation({ model, differences, tail }: Result): string[] {
  if (differences.length === 0) return [];
  return [
    ...differences.map((difference) => `${model.name}: ${difference}`),
    ...tail.map((line) => `  | ${line}`),
    "",
  ];
}

function totalLine(results: readonly Result[]): string {
  const wrong = results.filter((result) => result.differences.length > 0);
  const states = results.reduce((sum, result) => sum + (result.outcome.distinct ?? 0), 0);
  const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
  const verdict =
    wrong.length === 0
      ? "all as expected"
      : `${wrong.length} not: ${wrong.map((r) => r.model.name).join(", ")}`;
  return `${results.length} configurations, ${grouped(states)} distinct states, ${seconds.toFixed(1)} s: ${verdict}`;
}

function jsonReport(toolchain: Toolchain, results: readonly Result[]): unknown {
  return {
    tlc: { sha256: toolchain.sha256 },
    ok: exitCodeOf(results) === 0,
    results: results.map(({ model, outcome, seconds, differences, tail }) => ({
      name: model.name,
      ok: differences.length === 0,
      expected: model.expect,
      got: outcome.verdict,
      distinct: outcome.distinct,
      generated: outcome.generated,
      depth: outcome.depth,
      trace: outcome.trace,
      seconds: Number(seconds.toFixed(1)),
      differences,
      tail,
    })),
  };
}

if (isProgram(import.meta.url)) await runProgram(() => main(process.argv.slice(2)));
