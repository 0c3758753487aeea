import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, type FaultKind, GUARDS, type Guard } from "../../model/state.ts";
import { ToolError } from "./toolError.ts";
import { canonical, parseValue, type Value } from "./values.ts";

/** The module whose one-line definitions `Name == value` a configuration may refer to. */
const definitionsModule = "MCOwnerDirectory.tla";

/**
 * The model's configuration of an OwnerDirectory .cfg file: spec and model read their constants from the
 * same file, so that they cannot drift apart.
 */
export function readModelConfig(dir: string, cfgFile: string): Config {
  const constants = readConstants(dir, cfgFile);
  const value = (name: string): Value => {
    const found = constants.get(name);
    if (found === undefined) {
      throw new ToolError(`read ${cfgFile}`, `it has no constant ${name}`, "Add it to the configuration.");
    }
    return found;
  };
  const broken = strings(value("Broken"));
  const unknown = broken.filter((guard) => !GUARDS.some((known) => known === guard));
  if (unknown.length > 0) {
    throw new ToolError(
      `read ${cfgFile}`,
      `the model knows no guard ${unknown}`,
      "Add it to model/state.ts.",
    );
  }
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
    broken: broken as Guard[],
  };
}

/** The CONSTANTS of a .cfg file: `Name = value`, or `Name <- Definition` of the MC module. */
function readConstants(dir: string, cfgFile: string): Map<string, Value> {
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

function strings(value: Value): string[] {
  const items = value.kind === "set" ? value.items : [];
  return items.map((item) => (item.kind === "string" ? item.value : canonical(item))).sort();
}

function pairs(value: Value): Record<string, string> {
  if (value.kind !== "function") return {};
  const text = (item: Value): string => (item.kind === "string" ? item.value : canonical(item));
  return Object.fromEntries(value.pairs.map(([key, item]) => [text(key), text(item)]));
}
