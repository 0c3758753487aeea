import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sequenceDiagram } from "../../model/pictures/mermaid.ts";
import { isProgram, runProgram } from "./console.ts";
import { findingPages, generatedMark } from "./findingPages.ts";
import { modelOf } from "./modelGraph.ts";
import type { Run } from "./runs.ts";
import { temporalViolation } from "./tlcOutput.ts";
import { isTlcOutput, readTlcTrace } from "./tlcTrace.ts";
import { reasonOf, ToolError } from "./toolError.ts";

const usage = `Usage: npm run findings -- [--check] [--dir DIR] [--trace FILE --config NAME]
Writes the pages of spec/findings/ from the shortest runs that the explorer finds. Needs no Java.

  --check        write nothing; name the pages that are out of date
  --dir DIR      the folder of the pages (default: spec/findings)
  --trace FILE   print the diagram of one run: of TLC's output, or of steps, "Request(a1); Take(a1)" or one a line
  --config NAME  the configuration of that run, as tla/models.json names its .cfg file

Exit code: 0 done, or up to date, 1 out of date, 2 nothing could be said.`;

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

async function main(args: readonly string[]): Promise<number> {
  const { check, dir, trace, config, help } = parse(args);
  if (help) {
    console.log(usage);
    return 0;
  }
  if (trace !== undefined || config !== undefined) {
    if (trace === undefined || config === undefined) {
      const reason = "a run alone does not say what its constants are, and a configuration not which run";
      throw new ToolError("draw the run", reason, "Name both, --trace and --config.");
    }
    console.log(sequenceDiagram(readRun(await readText(trace), basename(config, ".cfg")).picture));
    return 0;
  }
  const folder = dir ?? join(root, "spec", "findings");
  const outdated = outOfDate(folder, await findingPages(root));
  return check ? report(outdated) : update(folder, outdated);
}

function parse(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { check: flag, dir: text, trace: text, config: text, help: flag },
    }).values;
  } catch (cause) {
    throw new ToolError("read the arguments", reasonOf(cause), "See --help.", { cause });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new ToolError("read the run", reasonOf(cause), "Name a readable file with --trace.", { cause });
  }
}

/** The run that a text tells, followed in the model: so a run of another machine, or configuration, is an error. */
export function readRun(text: string, configName: string): Run {
  const model = modelOf(configName);
  if (!isTlcOutput(text)) {
    const labels = text.split(/[;\n]/).map((label) => label.trim());
    const wanted = labels.filter((label) => label !== "");
    if (wanted.length === 0) throw new ToolError("read the run", "it has no steps", "See --help.");
    return model.follow(wanted.length, (i, label) => label === wanted[i]);
  }
  const { property, states } = readTlcTrace(text);
  const run = model.follow(states.length - 1, (i, _label, state) => state === states[i + 1]);
  // The model has no liveness: there is only the run itself.
  if (property !== temporalViolation && !run.property.split(", ").includes(property)) {
    const reason = `TLC says that it violates ${property}, the model: ${run.property || "nothing"}`;
    throw new ToolError("follow the run", reason, "Is it of this configuration?");
  }
  return run;
}

/** The pages that differ from the files; `null` where a file is a generated page of something that is gone. */
export function outOfDate(
  folder: string,
  pages: ReadonlyMap<string, string>,
): ReadonlyMap<string, string | null> {
  const found = new Map<string, string | null>();
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const files = existsSync(folder) ? readdirSync(folder) : [];
  for (const [file, text] of pages) {
    if (!files.includes(file) || read(file) !== text) found.set(file, text);
  }
  for (const file of files) {
    if (file.endsWith(".md") && !pages.has(file) && read(file).startsWith(generatedMark))
      found.set(file, null);
  }
  return found;
}

function report(outdated: ReadonlyMap<string, string | null>): number {
  if (outdated.size === 0) console.log("all pages are up to date");
  for (const file of outdated.keys()) console.log(`out of date: ${file}`);
  if (outdated.size > 0) console.log("Run `npm run findings`.");
  return outdated.size === 0 ? 0 : 1;
}

async function update(folder: string, outdated: ReadonlyMap<string, string | null>): Promise<number> {
  await mkdir(folder, { recursive: true });
  for (const [file, text] of outdated) {
    if (text === null) await rm(join(folder, file));
    else await writeFile(join(folder, file), text);
    console.log(`${text === null ? "removed" : "wrote"} ${file}`);
  }
  if (outdated.size === 0) console.log("all pages are up to date");
  return 0;
}

if (isProgram(import.meta.url)) await runProgram(() => main(process.argv.slice(2)));
