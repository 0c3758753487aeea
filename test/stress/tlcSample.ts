/**
 * A sample of a real trace for TLC: a module, generated, that lets OwnerDirectory take exactly these steps with these
 * outcomes. TLC says whether it can. So that a mistake that the model and the search share would be seen.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freshName, type Label, successors } from "../../model/actions.ts";
import {
  at,
  type Config,
  initialState,
  type Name,
  type NameMap,
  ownerOf,
  type State,
} from "../../model/state.ts";
import type { Toolchain } from "../../tla/tools/jar.ts";
import type { ModelConfig } from "../../tla/tools/manifest.ts";
import { runTlc } from "../../tla/tools/tlcRun.ts";
import type { History } from "./history.ts";
import type { Taken } from "./search.ts";

/** A step, and what the process that took it had afterwards, in the names of the specification. */
export interface SampleStep {
  readonly label: Label;
  readonly after: State;
  /** What a readdir of L really showed. */
  readonly saw?: readonly Name[];
}

/**
 * The beginning of a behaviour, replayed on the model as it is: names come back, and what the dead have left stays.
 * @throws Error if the model cannot replay it: then the search was wrong to forget.
 */
export function sampleOf(
  { config, names: realNames }: History,
  beginning: readonly Taken[],
): readonly SampleStep[] {
  const names = new Map<Name, Name>();
  let state = initialState(config);
  return beginning.map(({ op, arg, to }) => {
    const isDebt = op.action === "Retry" || op.action === "Retried";
    const label: Label = { action: op.action, arg: isDebt ? (names.get(arg) ?? arg) : arg };
    if (op.action === "Prepare") {
      names.set(at(to.home, op.proc) ?? "", freshName(config, state, op.proc) ?? "");
    }
    const wanted = JSON.stringify(visible(to, (name) => names.get(name) ?? name));
    const next = successors(config, state, label).find(
      (after) => JSON.stringify(visible(after, (name) => name)) === wanted,
    );
    if (next === undefined) throw new Error(`the model cannot replay ${label.action}(${label.arg})`);
    state = next;
    const saw = LOOKS.includes(op.action)
      ? (op.reply?.names ?? []).map((real) => names.get(realNames.get(real) ?? "") ?? `x.1.1`)
      : undefined;
    return { label, after: next, ...(saw === undefined ? {} : { saw }) };
  });
}

/** They change nothing, so what they show is what stands there before and after. */
const LOOKS: readonly string[] = ["Look", "Verify", "Check"];

/** What the names' recurrence and the dead do not touch. */
function visible(state: State, name: (real: Name) => Name): object {
  const { pc, heldLocks, contender, queue, gaveUp, alive, inc } = state;
  const lock = (state.lock ?? []).map(name).sort();
  const home = Object.entries(state.home).map(([, real]) => (real === null ? null : name(real)));
  return { pc, heldLocks, contender, queue, gaveUp, alive, inc, lock, home };
}

// ------------------------------------------------------------------------------------------------
// The module

const SPECIFICATION = fileURLToPath(new URL("../../tla", import.meta.url));
const MODULE = "MCTrace";
/** What TLC must print: the negation of "it cannot be followed to its end". */
export const FOLLOWED = "Error: Invariant NotAtItsEnd is violated.";

/** What TLC said, and how many of the steps it could take. */
export interface TlcVerdict {
  readonly followed: boolean;
  readonly steps: number | undefined;
  /** Neither followed nor refused: nothing was checked. */
  readonly broken: string | undefined;
  readonly seconds: number;
}

export async function askTlc(
  toolchain: Toolchain,
  config: Config,
  sample: readonly SampleStep[],
): Promise<TlcVerdict> {
  const directory = fs.mkdtempSync(join(tmpdir(), "swl-trace-module-"));
  try {
    for (const file of ["OwnerDirectory.tla", "Lock.tla"]) {
      fs.copyFileSync(join(SPECIFICATION, file), join(directory, file));
    }
    fs.writeFileSync(join(directory, `${MODULE}.tla`), moduleOf(config, sample));
    fs.writeFileSync(join(directory, `${MODULE}.cfg`), configurationOf());
    const run = await runTlc(toolchain, directory, MODEL);
    const { verdict, trace } = run.outcome;
    const followed = verdict.kind === "fails" && verdict.line === FOLLOWED;
    const refused = verdict.kind === "fails" && verdict.line === "Error: Deadlock reached.";
    const broken = verdict.kind === "broken" ? verdict.reason : `it said that all is well`;
    return {
      followed,
      steps: trace === undefined ? undefined : trace - 1,
      broken: followed || refused ? undefined : broken,
      seconds: run.seconds,
    };
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

const MODEL: ModelConfig = {
  name: MODULE,
  module: MODULE,
  config: `${MODULE}.cfg`,
  question: "Can the specification follow this trace to its end?",
  hides: "",
  expect: { verdict: "fails", line: FOLLOWED, trace: 0 },
  distinct: 1,
  workers: 1,
  graph: false,
  deep: false,
  temporal: false,
};

/** Like the sample's, but for what a trace says itself: no failures, no vandals, nothing broken. */
const BASE = "SafeTwoDrop.cfg";

/** The constants of {@link BASE}, those that the module defines excepted. */
function configurationOf(): string {
  const base = fs.readFileSync(join(SPECIFICATION, BASE), "utf8");
  const constants = base.split("\n").filter((line) => /^ {2}\w+ (=|<-) /.test(line));
  const defined = constants.map((line) => {
    const [, name = ""] = /^ {2}(\w+)/.exec(line) ?? [];
    return DEFINED.includes(name) ? `  ${name} <- Trace${name}` : line;
  });
  return ["SPECIFICATION TraceSpec", "CONSTANTS", ...defined, "INVARIANT NotAtItsEnd", ""].join("\n");
}

const DEFINED: readonly string[] = [
  "Procs",
  "Tasks",
  "ProcOf",
  "PidOf",
  "ReentrantTasks",
  "PatientTasks",
  "Local",
  "MaxDebts",
  "NamesPerLife",
  "MaxCrashes",
];

/** A step is one of the trace, under its label, and what its process has afterwards is what it really had. */
function moduleOf(config: Config, sample: readonly SampleStep[]): string {
  const records = sample.map((step) => recordOf(config, step));
  const cases = sample.map(({ label }) => label.action);
  return `---- MODULE ${MODULE} ----
EXTENDS OwnerDirectory
VARIABLE at

TraceProcs == ${setOf(config.procs)}
TraceTasks == ${setOf(config.tasks)}
TraceProcOf == ${functionOf(config.procOf)}
TracePidOf == ${functionOf(config.pidOf)}
TraceReentrantTasks == ${setOf(config.reentrantTasks)}
TracePatientTasks == {}
TraceLocal == ${config.local ? "TRUE" : "FALSE"}
TraceMaxDebts == ${config.maxDebts}
TraceNamesPerLife == ${config.namesPerLife}
TraceMaxCrashes == ${config.maxCrashes}

Trace == <<
${records.join(",\n")}
>>

Labelled(r) ==
${[...new Set(cases)].map((action) => `  \\/ r.action = "${action}" /\\ ${action}(${argumentOf(action)})`).join("\n")}

Observed(r) ==
  /\\ r.saw # << >> => NamesAt(lock) = r.saw[1]
  /\\ heldLocks'[r.proc] = r.heldLocks
  /\\ releasing'[r.proc] = (IF r.releasing = << >> THEN None ELSE r.releasing[1])
  /\\ contender'[r.proc] = (IF r.contender = "" THEN None ELSE r.contender)
  /\\ queue'[r.proc] = r.queue
  /\\ home'[r.proc] = (IF r.home = << >> THEN None ELSE r.home)
  /\\ DOMAIN owes'[r.proc] = r.owes
  /\\ \\A t \\in TasksOf(r.proc) : pc'[t] = r.pc[t] /\\ NamesAt(seen'[t]) = r.seen[t]

TraceSpec == (Init /\\ at = 1) /\\ [][at <= Len(Trace) /\\ Labelled(Trace[at]) /\\ Observed(Trace[at]) /\\ at' = at + 1]_<<vars, at>>

NotAtItsEnd == at <= Len(Trace)
====
`;
}

const argumentOf = (action: string): string => {
  if (action === "Crash" || action === "Start") return "r.proc";
  return action === "Retry" || action === "Retried" ? "r.proc, r.name" : "r.task";
};

function recordOf(config: Config, { label, after, saw }: SampleStep): string {
  const isDebt = label.action === "Retry" || label.action === "Retried";
  const proc = isDebt ? ownerOf(label.arg).proc : (config.procOf[label.arg] ?? label.arg);
  const release = at(after.releasing, proc);
  const tasks = config.tasks.filter((task) => at(config.procOf, task) === proc);
  const home = at(after.home, proc);
  const fields: readonly (readonly [string, string])[] = [
    ["action", quoted(label.action)],
    ["proc", quoted(proc)],
    ["task", quoted(isDebt ? "" : label.arg)],
    ["name", isDebt ? nameText(label.arg) : "<< >>"],
    ["saw", saw === undefined ? "<< >>" : `<<{${saw.map(nameText).join(", ")}}>>`],
    ["heldLocks", setOf(at(after.heldLocks, proc))],
    [
      "releasing",
      release === null
        ? "<< >>"
        : `<<[name |-> ${nameText(release.name)}, aside |-> ${release.aside ? "TRUE" : "FALSE"}]>>`,
    ],
    ["contender", quoted(at(after.contender, proc) ?? "")],
    ["queue", `<<${at(after.queue, proc).map(quoted).join(", ")}>>`],
    ["home", home === null ? "<< >>" : nameText(home)],
    ["owes", `{${keysOf(at(after.owes, proc)).map(nameText).join(", ")}}`],
    ["pc", functionOf(Object.fromEntries(tasks.map((task) => [task, at(after.pc, task)])))],
    ["seen", seenText(tasks, after)],
  ];
  return `  [${fields.map(([field, value]) => `${field} |-> ${value}`).join(", ")}]`;
}

const keysOf = <V>(map: NameMap<V>): readonly Name[] => map.map(([name]) => name);
const quoted = (text: string): string => `"${text}"`;
const setOf = (texts: readonly string[]): string => `{${texts.map(quoted).join(", ")}}`;
const functionOf = (record: Readonly<Record<string, string>>): string =>
  `(${Object.entries(record)
    .map(([key, value]) => `${quoted(key)} :> ${quoted(value)}`)
    .join(" @@ ")})`;
const seenText = (tasks: readonly string[], after: State): string =>
  `(${tasks.map((task) => `${quoted(task)} :> {${(at(after.seen, task) ?? []).map(nameText).join(", ")}}`).join(" @@ ")})`;

/** `p.i.k` as the specification has it. */
function nameText(name: Name): string {
  const [proc = "", incarnation = "", ordinal = ""] = name.split(".");
  return `<<${quoted(proc)}, ${incarnation}, ${ordinal}>>`;
}
