/**
 * `npm run peers`: every schedule of two and three contenders on a stale lock, of lock libraries of npm, of the module of
 * the issue, of our lock, and of broken doubles of ours, which show that the harness would notice.
 */

import { grouped, isProgram, Progress, runProgram, table } from "../../tla/tools/console.ts";
import { orUsage, readArgs, UsageError, whole } from "../support/cliOptions.ts";
import { explore } from "./explore.ts";
import { countOneByOne } from "./oneByOne.ts";
import { outdatedPage, writePage } from "./page.ts";
import { stepsText } from "./replay.ts";
import { type Result, readResults, resultAt, type Scope, toResult, writeResults } from "./results.ts";
import { type Description, SUBJECTS, subjectNamed, versionOfSubject } from "./subjects.ts";

/** In this order. */
export const SCOPES: readonly Scope[] = [
  { contenders: 2, retries: 0 },
  { contenders: 2, retries: 1 },
  { contenders: 3, retries: 0 },
];

/** Of ours, to say "never" of more. The last one takes minutes. */
const OUR_SCOPES: readonly Scope[] = [
  ...SCOPES,
  { contenders: 3, retries: 1 },
  { contenders: 4, retries: 0 },
];
const isDeep = ({ contenders }: Scope): boolean => contenders > 3;

/** For a double the first is enough: it is there to be caught. */
export function scopesOf({ kind }: Description): readonly Scope[] {
  if (kind === "ours") return OUR_SCOPES;
  return kind === "twin" ? SCOPES.slice(0, 1) : SCOPES;
}

const usage = `Usage: npm run peers -- [--library NAME] [--contenders N] [--retries N] [--deep] [--json] [--check] [--write] [--list]
Every schedule of a few contenders on a stale lock: how many there are, on how many of them two hold, and the shortest.

  --library NAME   this one only, as --list names it
  --contenders N   2, 3 or 4 only
  --retries N      0 or 1 only: how often a contender that was refused asks again
  --deep           4 contenders of ours too, and the schedules of a double one by one: some minutes
  --json           the results as JSON, on stdout
  --check          compare with results.json, and it with spec/findings/peers.md
  --write          write both
  --list           print the names and run nothing

Exit code: 0 all as it must be, 1 ours violates, or a double does not, or --check finds a difference, 2 nothing could be said.`;

export async function run(
  description: Description,
  scope: Scope,
  watch: { readonly detail?: (text: string) => void; readonly signal?: AbortSignal } = {},
): Promise<Result> {
  const subject = await description.load(scope);
  const found = explore(subject, {
    contenders: scope.contenders,
    onLevel: ({ depth, all }) => watch.detail?.(`step ${depth}, ${grouped(all)} states`),
    ...(watch.signal === undefined ? {} : { signal: watch.signal }),
  });
  return toResult(
    description.name,
    versionOfSubject(description),
    scope,
    found,
    stepsText(found.shortest ?? []),
  );
}

/** Ours must not violate, and its doubles must. What the others do is what is to be found out. */
export function problemsOf(results: readonly Result[]): readonly string[] {
  return results.flatMap(({ name, contenders, retries, violating }) => {
    const { kind } = subjectNamed(name);
    const where = `${name}, ${contenders} contenders, ${retries} retries`;
    if (kind === "ours" && violating !== "0") return [`${where}: two hold`];
    return kind === "twin" && violating === "0" ? [`${where}: nothing is noticed`] : [];
  });
}

/** Against what is kept. */
export function differencesOf(results: readonly Result[]): readonly string[] {
  const kept = readResults();
  return results.flatMap((found) => {
    const before = resultAt(kept, found.name, found);
    const where = `${found.name}, ${found.contenders} contenders, ${found.retries} retries`;
    if (before === undefined) return [`${where}: not in results.json`];
    const [now, then] = [JSON.stringify(found), JSON.stringify(before)];
    return now === then ? [] : [`${where}: it is ${now}, and results.json has ${then}`];
  });
}

async function main(args: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const values = readArgs(args, {
    ...{ library: text, contenders: text, retries: text },
    ...{ deep: flag, json: flag, check: flag, write: flag, list: flag, help: flag },
  });
  if (values.help) return say(usage);
  if (values.list) return say(SUBJECTS.map(({ name }) => name).join("\n"));
  if (values.check && values.write) throw new UsageError("--check and --write exclude each other");
  const results: Result[] = [];
  for (const [description, scope] of selection(values))
    results.push(await runWithProgress(description, scope));
  const problems = [...problemsOf(results), ...(values.deep ? await countAgain(results) : [])];
  if (values.write) {
    writeResults(results, inOrder);
    await writePage();
  }
  if (values.check) problems.push(...differencesOf(results), ...(await outdatedPage()));
  console.log(values.json ? JSON.stringify({ results, problems }, null, 2) : report(results, problems));
  return problems.length === 0 ? 0 : 1;
}

/** Few enough schedules, and some of them violate. */
const COUNTED_AGAIN = "ours without TakeReplaces";

/** One by one, what the explorer has added up. */
async function countAgain(results: readonly Result[]): Promise<readonly string[]> {
  const result = results.find(({ name }) => name === COUNTED_AGAIN);
  if (result === undefined) return [];
  const line = new Progress(process.stderr);
  line.start(`${COUNTED_AGAIN}, one schedule after the other`);
  let steps = 0;
  const subject = await subjectNamed(COUNTED_AGAIN).load(result);
  const { schedules, violating } = countOneByOne(subject, result.contenders, () => {
    if (++steps % 10_000 === 0) line.detail(`${grouped(steps)} steps`);
  });
  line.end(
    `${COUNTED_AGAIN}: ${schedules} schedules counted one by one, on ${violating} two hold, ${grouped(steps)} steps`,
  );
  const alike = String(schedules) === result.schedules && String(violating) === result.violating;
  return alike ? [] : [`${COUNTED_AGAIN}: one by one it is ${schedules} and ${violating}`];
}

interface Selected {
  readonly library?: string | undefined;
  readonly contenders?: string | undefined;
  readonly retries?: string | undefined;
  readonly deep?: boolean | undefined;
}

function selection({
  library,
  contenders,
  retries,
  deep,
}: Selected): readonly (readonly [Description, Scope])[] {
  const size =
    contenders === undefined ? 0 : whole("--contenders", contenders, { fallback: 2, from: 2, to: 4 });
  const again = retries === undefined ? -1 : whole("--retries", retries, { fallback: 0, from: 0, to: 1 });
  const some = library === undefined ? SUBJECTS : [subjectNamed(library)];
  const found = some.flatMap((description) =>
    scopesOf(description)
      .filter((scope) => deep === true || size === scope.contenders || !isDeep(scope))
      .filter((scope) => (size === 0 || scope.contenders === size) && (again < 0 || scope.retries === again))
      .map((scope) => [description, scope] as const),
  );
  if (found.length === 0)
    throw new UsageError(
      "nothing of it is explored at that size: 3 ask once, 4 and 3 that ask again are ours, and a double is 2 that ask once",
    );
  return found;
}

async function runWithProgress(description: Description, scope: Scope): Promise<Result> {
  const title = `${description.name}, ${scope.contenders} contenders, ${scope.retries} retries`;
  const line = new Progress(process.stderr);
  line.start(title);
  const started = performance.now();
  try {
    const result = await run(description, scope, { detail: (text) => line.detail(text) });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    line.end(`${title}: ${result.violating === "0" ? "never two" : "two hold"}, ${seconds} s`);
    return result;
  } catch (error) {
    line.stop();
    throw error;
  }
}

function inOrder(a: Result, b: Result): number {
  const rank = ({ name, contenders, retries }: Result): number =>
    SUBJECTS.findIndex((one) => one.name === name) * 100 + contenders * 10 + retries;
  return rank(a) - rank(b);
}

function report(results: readonly Result[], problems: readonly string[]): string {
  const header = ["what", "version", "contenders", "retries", "states", "schedules", "two hold", "shortest"];
  const rows = results.map((result) => [
    result.name,
    result.version === "" ? "-" : result.version,
    String(result.contenders),
    String(result.retries),
    grouped(result.states),
    BigInt(result.schedules).toLocaleString("en-US"),
    BigInt(result.violating).toLocaleString("en-US"),
    result.shortest === "" ? "-" : String(result.shortest.split(";").length),
  ]);
  return [table(header, rows), ...problems.map((problem) => `FAILED ${problem}`)].join("\n");
}

function say(text: string): number {
  console.log(text);
  return 0;
}

if (isProgram(import.meta.url)) await runProgram(() => orUsage(usage, () => main(process.argv.slice(2))));
