import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isViolation, temporalViolation } from "./tlcOutput.ts";
import { errnoOf, reasonOf, ToolError } from "./toolError.ts";

export type Expectation =
  | { readonly verdict: "holds" }
  | {
      readonly verdict: "fails";
      /** The whole line that TLC prints. */
      readonly line: string;
      /** States of the printed counterexample. */
      readonly trace: number;
    };

/** One run of TLC: a question, its answer, and the size of the search that gave the answer. */
export interface ModelConfig {
  readonly name: string;
  readonly module: string;
  readonly config: string;
  readonly question: string;
  /** Which behaviours the bounds hide. */
  readonly hides: string;
  readonly expect: Expectation;
  readonly distinct: number;
  readonly generated?: number;
  /** Absent for a violation before which TLC does not print it. */
  readonly depth?: number;
  readonly workers: 1 | "auto";
  /** Whether the model's explorer must give the same graph. */
  readonly graph: boolean;
  /** Too long for every run of the gate. */
  readonly deep: boolean;
  /** Whether a property of it is temporal: liveness, not only an invariant or a step property. */
  readonly temporal: boolean;
  /** The guard that this configuration removes. */
  readonly guard?: string;
}

export interface Manifest {
  readonly dir: string;
  readonly models: readonly ModelConfig[];
}

export const manifestName = "models.json";

/** Reads DIR/models.json and compares it with the files beside it; throws one ToolError with every mistake. */
export async function readManifest(dir: string): Promise<Manifest> {
  const file = join(dir, manifestName);
  const json = parseJson(await readText(file), file);
  const { models, mistakes } = validateManifest(json);
  mistakes.push(...(await compareWithFiles(dir, models)));
  if (mistakes.length > 0) {
    throw new ToolError(`use ${manifestName}`, mistakes.join("; "), "Correct the manifest or the files.");
  }
  return { dir, models };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new ToolError(`read ${manifestName}`, reasonOf(cause), "Name its folder with --dir.", { cause });
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ToolError(`parse ${basename(file)}`, reasonOf(cause), "Make it valid JSON.", { cause });
  }
}

export interface Validated {
  readonly models: ModelConfig[];
  readonly mistakes: string[];
}

export function validateManifest(json: unknown): Validated {
  if (!isObject(json) || !Array.isArray(json["models"]) || Object.keys(json).length !== 1) {
    return { models: [], mistakes: ['it must be { "models": [...] } and nothing else'] };
  }
  const models: ModelConfig[] = [];
  const mistakes: string[] = [];
  const seen = new Set<string>();
  for (const [index, entry] of json["models"].entries()) {
    const found = mistakesOf(entry);
    const name = isObject(entry) && typeof entry["name"] === "string" ? entry["name"] : `models[${index}]`;
    if (seen.has(name)) found.push("the name is used twice");
    seen.add(name);
    mistakes.push(...found.map((mistake) => `${name}: ${mistake}`));
    // Every field was just looked at, so the assertion says no more than what was checked.
    if (found.length === 0) models.push(entry as ModelConfig);
  }
  if (json["models"].length === 0) mistakes.push("it lists no model, so nothing would be checked");
  return { models, mistakes };
}

type Check = (value: unknown) => string | undefined;

const sentence: Check = (value) =>
  typeof value === "string" && value.trim() !== "" ? undefined : "must be a sentence";
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "must be true or false");
const count: Check = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : "must be a number from 0 up";
const matching =
  (pattern: RegExp, what: string): Check =>
  (value) =>
    typeof value === "string" && pattern.test(value) ? undefined : `must be ${what}`;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value);

const modelFields: Readonly<Record<string, Check>> = {
  // A name without spaces and commas can be given to --only.
  name: matching(/^[\w.-]+$/, "a word"),
  module: matching(/^\w+$/, "the name of a module, without .tla"),
  config: matching(/^[\w.-]+\.cfg$/, "the name of a .cfg file beside the manifest"),
  question: sentence,
  hides: sentence,
  expect: (value) => expectationMistake(value),
  distinct: count,
  generated: optional(count),
  depth: optional(count),
  workers: (value) => (value === 1 || value === "auto" ? undefined : 'must be 1 or "auto"'),
  graph: flag,
  deep: flag,
  temporal: flag,
  guard: optional(sentence),
};

function mistakesOf(entry: unknown): string[] {
  if (!isObject(entry)) return ["must be an object"];
  const mistakes = Object.keys(entry)
    .filter((key) => !Object.hasOwn(modelFields, key))
    .map((key) => `unknown key "${key}"`);
  for (const [key, check] of Object.entries(modelFields)) {
    const mistake = check(entry[key]);
    if (mistake !== undefined) mistakes.push(`"${key}" ${mistake}`);
  }
  return mistakes.length > 0 ? mistakes : contradictions(entry as unknown as ModelConfig);
}

function expectationMistake(value: unknown): string | undefined {
  if (!isObject(value)) return "must be an object";
  const keys = Object.keys(value).sort().join();
  if (value["verdict"] === "holds") {
    return keys === "verdict" ? undefined : 'with verdict "holds" has no other key';
  }
  if (value["verdict"] !== "fails") return 'must have the verdict "holds" or "fails"';
  if (keys !== "line,trace,verdict") return 'with verdict "fails" has "line" and "trace" and no other key';
  if (typeof value["line"] !== "string" || !isViolation(value["line"])) {
    return '"line" must be a whole line by which TLC reports a violation';
  }
  return count(value["trace"]) && '"trace" must be the number of states of the counterexample';
}

function contradictions(model: ModelConfig): string[] {
  const mistakes: string[] = [];
  const say = (wrong: boolean, mistake: string): void => {
    if (wrong) mistakes.push(mistake);
  };
  const fails = model.expect.verdict === "fails";
  // TLC 2.18 checks liveness with several workers unreliably: it can miss a violation and exit with 0.
  say(model.temporal && model.workers !== 1, 'temporal properties need "workers": 1');
  // Which violation several workers meet first, and after how many states, differs from run to run.
  say(fails && model.workers !== 1, 'a must-fail configuration needs "workers": 1');
  say(!fails && model.depth === undefined, 'verdict "holds" needs "depth"');
  say(model.graph && fails, "a graph to compare needs a search that is not cut short by a violation");
  const livenessLine = model.expect.verdict === "fails" && model.expect.line === temporalViolation;
  say(livenessLine && !model.temporal, 'that line needs "temporal": true');
  return mistakes;
}

async function compareWithFiles(dir: string, models: readonly ModelConfig[]): Promise<string[]> {
  const files = new Set(await readdir(dir));
  const listed = new Set(models.map((model) => model.config));
  const mistakes = [...files]
    .filter((file) => file.endsWith(".cfg") && !listed.has(file))
    .map((file) => `${file} is not listed`);
  for (const model of models) {
    if (!files.has(`${model.module}.tla`)) mistakes.push(`${model.name}: there is no ${model.module}.tla`);
    if (!files.has(model.config)) mistakes.push(`${model.name}: there is no ${model.config}`);
    else mistakes.push(...(await configMistakes(dir, model)).map((mistake) => `${model.name}: ${mistake}`));
  }
  return mistakes;
}

async function configMistakes(dir: string, model: ModelConfig): Promise<string[]> {
  const text = withoutComments(await readText(join(dir, model.config)));
  const has = (words: RegExp): boolean => words.test(text);
  const mistakes: string[] = [];
  const say = (wrong: boolean, mistake: string): void => {
    if (wrong) mistakes.push(`${model.config} ${mistake}`);
  };
  say(has(/\bCHECK_DEADLOCK\s+FALSE\b/), "switches the deadlock check off; let a final state be a step");
  say(model.temporal && !has(/\bPROPERT(Y|IES)\b/), 'has no PROPERTY, yet the manifest says "temporal"');
  say(model.temporal && has(/\bSYMMETRY\b/), "has SYMMETRY, which is unsound for temporal properties");
  say(
    model.graph && has(/\b(SYMMETRY|VIEW)\b/),
    "has SYMMETRY or VIEW, which leaves states out of the graph",
  );
  return mistakes;
}

function withoutComments(config: string): string {
  return config.replaceAll(/\(\*[\s\S]*?\*\)/g, " ").replaceAll(/\\\*.*/g, " ");
}

/** What a run may change in the manifest: numbers, never a verdict. */
export interface Numbers {
  readonly distinct: number;
  readonly depth: number | undefined;
  readonly generated: number | undefined;
  readonly trace: number | undefined;
}

/** The manifest's text with new numbers and nothing else changed, so that a person can review the difference. */
export function withNumbers(text: string, changes: ReadonlyMap<string, Numbers>): string {
  return replaceModels(text, (model) => {
    const name = (JSON.parse(model) as { name: string }).name;
    const numbers = changes.get(name);
    if (numbers === undefined) return model;
    const { distinct, depth, generated, trace } = numbers;
    let changed = withNumber(model, "distinct", distinct);
    changed = hasKey(model, "depth") ? withNumber(changed, "depth", depth) : insertDepth(changed, depth);
    if (hasKey(model, "generated")) changed = withNumber(changed, "generated", generated);
    return trace === undefined ? changed : withNumber(changed, "trace", trace);
  });
}

/** The objects in the list: those in one object and one array. Braces in strings do not count. */
function replaceModels(text: string, replace: (model: string) => string): string {
  let result = "";
  let copied = 0;
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === "{" && depth === 2) {
      result += text.slice(copied, index);
      copied = index;
    }
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (token === "}" && depth === 2) {
      result += replace(text.slice(copied, index + 1));
      copied = index + 1;
    }
  }
  return result + text.slice(copied);
}

/** A key, not text that looks like one: quotes inside a JSON string have a backslash before them. */
function hasKey(model: string, key: string): boolean {
  return new RegExp(`"${key}":`).test(model);
}

function withNumber(model: string, key: string, value: number | undefined): string {
  if (value === undefined) return model.replace(new RegExp(`,\\s*"${key}":\\s*\\d+`), "");
  return model.replace(new RegExp(`("${key}":\\s*)\\d+`), `$1${value}`);
}

function insertDepth(model: string, depth: number | undefined): string {
  return depth === undefined ? model : model.replace(/(\s*)"distinct":\s*\d+/, `$&,$1"depth": ${depth}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isMissingFile(error: unknown): boolean {
  return errnoOf(error) === "ENOENT";
}
