import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, type FaultKind, GUARDS } from "../../model/state.ts";
import { ToolError } from "./toolError.ts";
import { canonical, parseValue, type Value } from "./values.ts";

/** The module whose one-line definitions `Name == value` a configuration may refer to. */
const definitionsModule = "MCOwnerDirectory.tla";

/**
 * The model's configuration of an OwnerDirectory .cfg file: spec and model read their constants from the
 * same file, so that they cannot drift apart.
 */
export function readModelConfig(dir: string, cfgFile: string): Config {
  const value = readConstants(dir, cfgFile);
  return {
    procs: strings(value("Procs")),
    tasks: strings(value("Tasks")),
    procOf: pairs(value("ProcOf")),
    pidOf: pairs(value("PidOf")),
    reentrantTasks: strings(value("ReentrantTasks")),
    patientTasks: strings(value("PatientTasks")),
    local: canonical(value("Local")) === "TRUE",
    faults: strings(value("Faults")) as FaultKind[],
    maxDebts: Number(canonical(value("MaxDebts"))),
    namesPerLife: Number(canonical(value("NamesPerLife"))),
    maxCrashes: Number(canonical(value("MaxCrashes"))),
    maxFaults: Number(canonical(value("MaxFaults"))),
    maxVandals: Number(canonical(value("MaxVandals"))),
    maxRequests: Number(canonical(value("MaxRequests"))),
    broken: known(cfgFile, strings(value("Broken")), GUARDS, "guard"),
  };
}

/** Reads a constant of a .cfg file by its name: `Name = value`, or `Name <- Definition` of the MC module. */
export function readConstants(dir: string, cfgFile: string): (name: string) => Value {
  const constants = parseConstants(dir, cfgFile);
  return (name) => {
    const found = constants.get(name);
    if (found === undefined) {
      throw new ToolError(`read ${cfgFile}`, `it has no constant ${name}`, "Add it to the configuration.");
    }
    return found;
  };
}

/** What the types of the model say already, and what is about its one initial state. */
const notInModel: readonly string[] = ["TypeOK", "RefinementInit"];

/** The properties that a .cfg file names, as far as the model can check them. */
export function readProperties(dir: string, cfgFile: string): string[] {
  const text = readFileSync(join(dir, cfgFile), "utf8");
  const lines = [...text.matchAll(/^(?:INVARIANTS?|PROPERTY|PROPERTIES)\s+(.+)$/gm)];
  const names = lines.flatMap(([, line]) => (line ?? "").trim().split(/\s+/));
  return names.filter((name) => !notInModel.includes(name));
}

/** The names, if the model knows all of them: a guard or a hole that it ignores would not be compared. */
export function known<Name extends string>(
  cfgFile: string,
  names: readonly string[],
  all: readonly Name[],
  what: string,
): Name[] {
  const unknown = names.filter((name) => !all.some((other) => other === name));
  if (unknown.length > 0) {
    throw new ToolError(`read ${cfgFile}`, `the model knows no ${what} ${unknown}`, "Add it to the model.");
  }
  return names as Name[];
}

function parseConstants(dir: string, cfgFile: string): Map<string, Value> {
  const definitions = readDefinitions(dir);
  const constants = new Map<string, Value>();
  for (const line of readFileSync(join(dir, cfgFile), "utf8").split("\n")) {
    const [, name, operator, text] = /^\s+(\w+)\s*(=|<-)\s*(.+?)\s*$/.exec(line) ?? [];
    if (name === undefined || text === undefined) continue;
    const found = operator === "=" ? parseValue(text) : definitions.get(text);
    if (found === undefined) {
      throw new ToolError(
        `read ${cfgFile}`,
        `${definitionsModule} does not define ${text}`,
        "Define it there.",
      );
    }
    constants.set(name, found);
  }
  return constants;
}

function readDefinitions(dir: string): Map<string, Value> {
  const definitions = new Map<string, Value>();
  for (const line of readFileSync(join(dir, definitionsModule), "utf8").split("\n")) {
    const [, name, text] = /^(\w+)\s*==\s*([[{].*)$/.exec(line) ?? [];
    if (name !== undefined && text !== undefined) definitions.set(name, parseValue(text));
  }
  return definitions;
}

export function strings(value: Value): string[] {
  const items = value.kind === "set" ? value.items : [];
  return items.map((item) => (item.kind === "string" ? item.value : canonical(item))).sort();
}

function pairs(value: Value): Record<string, string> {
  if (value.kind !== "function") return {};
  const text = (item: Value): string => (item.kind === "string" ? item.value : canonical(item));
  return Object.fromEntries(value.pairs.map(([key, item]) => [text(key), text(item)]));
}
