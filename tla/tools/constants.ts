import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as issue from "../../model/issue/state.ts";
import * as lease from "../../model/lease/lease.ts";
import * as mkdirMtime from "../../model/peers/mkdirMtime.ts";
import * as renameAside from "../../model/peers/renameAside.ts";
import {
  type Config,
  type FaultKind,
  GUARDS,
  NOTHING_OVERRIDDEN,
  type Overrides,
} from "../../model/state.ts";
import { ToolError } from "./toolError.ts";
import { canonical, parseValue, type Value } from "./values.ts";

/** The module whose one-line definitions `Name == value` a configuration may refer to. */
const definitionsModule = "MCScopes.tla";

/**
 * The model's configuration of an OwnerDirectory .cfg file: spec and model read their constants from the
 * same file, so that they cannot drift apart.
 */
export function readModelConfig(dir: string, cfgFile: string): Config {
  const constants = new Constants(dir, cfgFile);
  return {
    procs: constants.strings("Procs"),
    tasks: constants.strings("Tasks"),
    procOf: constants.pairs("ProcOf"),
    pidOf: constants.pairs("PidOf"),
    guestOf: constants.has("GuestOf") ? constants.pairs("GuestOf") : {},
    reentrantTasks: constants.strings("ReentrantTasks"),
    patientTasks: constants.strings("PatientTasks"),
    local: constants.flag("Local"),
    faults: constants.strings("Faults") as FaultKind[],
    maxDebts: constants.number("MaxDebts"),
    namesPerLife: constants.number("NamesPerLife"),
    maxCrashes: constants.number("MaxCrashes"),
    maxFaults: constants.number("MaxFaults"),
    maxVandals: constants.number("MaxVandals"),
    maxRequests: constants.number("MaxRequests"),
    broken: constants.known("Broken", GUARDS, "guard", "model/state.ts"),
    ...readOverrides(constants),
  };
}

/** What a configuration may leave out. */
function readOverrides(constants: Constants): Overrides {
  const none = NOTHING_OVERRIDDEN;
  return {
    renameReplacesEmpty: constants.flag("RenameReplacesEmpty", none.renameReplacesEmpty),
    merges: constants.flag("Merges", none.merges),
    revokes: constants.flag("Revokes", none.revokes),
    maxSuspicions: constants.number("MaxSuspicions", none.maxSuspicions),
    maxBreaks: constants.number("MaxBreaks", none.maxBreaks),
    maxRemovals: constants.number("MaxRemovals", none.maxRemovals),
  };
}

/** The same of an IssueLock .cfg file. */
export function readIssueConfig(dir: string, cfgFile: string): issue.Config {
  const constants = new Constants(dir, cfgFile, { Holes: issue.HOLES, AllFeatures: issue.FEATURES });
  const home = "model/issue/state.ts";
  const fix = issue.FIXES.find((known) => known === constants.text("Fix"));
  if (fix === undefined) {
    throw new ToolError(`read ${cfgFile}`, `there is no fix ${constants.text("Fix")}`, `See ${home}.`);
  }
  return {
    procs: constants.strings("Procs"),
    tasks: constants.strings("Tasks"),
    procOf: constants.pairs("ProcOf"),
    pidOf: constants.pairs("PidOf"),
    reentrantTasks: constants.strings("ReentrantTasks"),
    startTime: constants.flag("StartTime"),
    fix,
    features: constants.known("Features", issue.FEATURES, "feature", home),
    openHoles: constants.known("OpenHoles", issue.HOLES, "hole", home),
    idsPerLife: constants.number("IdsPerLife"),
    maxCrashes: constants.number("MaxCrashes"),
  };
}

/** The same of a MkdirMtime .cfg file. */
export function readMkdirMtimeConfig(dir: string, cfgFile: string): mkdirMtime.Config {
  const constants = new Constants(dir, cfgFile);
  return {
    procs: constants.strings("Procs"),
    stale: constants.number("Stale"),
    maxTime: constants.number("MaxTime"),
    maxIds: constants.number("MaxIds"),
    maxCrashes: constants.number("MaxCrashes"),
    slow: constants.known("Slow", mkdirMtime.SLOW, "slow part", "model/peers/mkdirMtime.ts"),
    ahead: constants.strings("Ahead"),
    closed: constants.known("Closed", mkdirMtime.HOLES, "hole", "model/peers/mkdirMtime.ts"),
  };
}

/** The same of a RenameAside .cfg file. */
export function readRenameAsideConfig(dir: string, cfgFile: string): renameAside.Config {
  const constants = new Constants(dir, cfgFile);
  return {
    procs: constants.strings("Procs"),
    maxCrashes: constants.number("MaxCrashes"),
    recheck: constants.flag("Recheck"),
    closed: constants.known("Closed", renameAside.HOLES, "hole", "model/peers/renameAside.ts"),
  };
}

/** The same of a Lease .cfg file. */
export function readLeaseConfig(dir: string, cfgFile: string): lease.Config {
  const constants = new Constants(dir, cfgFile);
  return {
    procs: constants.strings("Procs"),
    judges: constants.strings("Judges"),
    stale: constants.number("Stale"),
    wait: constants.number("Wait"),
    maxTime: constants.number("MaxTime"),
    maxCrashes: constants.number("MaxCrashes"),
    maxDeaths: constants.number("MaxDeaths"),
    maxJumps: constants.number("MaxJumps"),
    forward: constants.numbers("Forward"),
    back: constants.numbers("Back"),
    mayStop: constants.strings("MayStop"),
    prompt: constants.flag("Prompt"),
    broken: constants.known("Broken", lease.BROKEN, "guard", "model/lease/lease.ts"),
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

/** The CONSTANTS of a .cfg file: `Name = value`, or `Name <- Definition` of the MC module. */
class Constants {
  readonly #cfgFile: string;
  readonly #values = new Map<string, Value>();

  /** `sets`: definitions of the specification itself, of which the model has a list (a test compares them). */
  constructor(dir: string, cfgFile: string, sets: Readonly<Record<string, readonly string[]>> = {}) {
    this.#cfgFile = cfgFile;
    const definitions = readDefinitions(dir);
    for (const [name, words] of Object.entries(sets)) {
      definitions.set(name, { kind: "set", items: words.map((value) => ({ kind: "string", value })) });
    }
    for (const line of readFileSync(join(dir, cfgFile), "utf8").split("\n")) {
      const [, name, operator, text] = /^\s+(\w+)\s*(=|<-)\s*(.+?)\s*$/.exec(line) ?? [];
      if (name === undefined || text === undefined) continue;
      const found = operator === "=" ? parseValue(text) : definitions.get(text);
      if (found === undefined) {
        const reason = `${definitionsModule} does not define ${text}`;
        throw new ToolError(`read ${cfgFile}`, reason, "Define it there.");
      }
      this.#values.set(name, found);
    }
  }

  /** What the specification defines, and a configuration may define anew. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  strings(name: string): string[] {
    const value = this.#value(name);
    return (value.kind === "set" ? value.items : []).map(textOf).sort();
  }

  pairs(name: string): Record<string, string> {
    const value = this.#value(name);
    if (value.kind !== "function") return {};
    return Object.fromEntries(value.pairs.map(([key, item]) => [textOf(key), textOf(item)]));
  }

  text(name: string): string {
    return textOf(this.#value(name));
  }

  /** `otherwise`: what the specification defines, where a configuration need not say it. */
  number(name: string, otherwise?: number): number {
    return otherwise !== undefined && !this.#values.has(name) ? otherwise : Number(this.text(name));
  }

  numbers(name: string): number[] {
    return this.strings(name).map(Number);
  }

  flag(name: string, otherwise?: boolean): boolean {
    return otherwise !== undefined && !this.#values.has(name) ? otherwise : this.text(name) === "TRUE";
  }

  /** A set of words that the model knows: one that it does not know would silently do nothing. */
  known<Word extends string>(name: string, words: readonly Word[], kind: string, file: string): Word[] {
    const found = this.strings(name);
    const unknown = found.filter((word) => !words.some((known) => known === word));
    if (unknown.length > 0) {
      const reason = `the model knows no ${kind} ${unknown}`;
      throw new ToolError(`read ${this.#cfgFile}`, reason, `Add it to ${file}.`);
    }
    return words.filter((word) => found.includes(word)).sort();
  }

  #value(name: string): Value {
    const found = this.#values.get(name);
    if (found === undefined) {
      const reason = `it has no constant ${name}`;
      throw new ToolError(`read ${this.#cfgFile}`, reason, "Add it to the configuration.");
    }
    return found;
  }
}

function readDefinitions(dir: string): Map<string, Value> {
  const definitions = new Map<string, Value>();
  for (const line of readFileSync(join(dir, definitionsModule), "utf8").split("\n")) {
    const [, name, text] = /^(\w+)\s*==\s*([[{].*)$/.exec(line) ?? [];
    if (name !== undefined && text !== undefined) definitions.set(name, parseValue(text));
  }
  return definitions;
}

const textOf = (value: Value): string => (value.kind === "string" ? value.value : canonical(value));
