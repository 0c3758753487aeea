/** States and labels of IssueLock.tla as model/text.ts has those of OwnerDirectory.tla. */

import { at } from "../state.ts";
import { nameText, orNone, quote, record } from "../text.ts";
import type { Step } from "./actions.ts";
import { agents, type Config, type Entry, type LockFile, type Seen, type State } from "./state.ts";

/** The variables of the specification, with their values as canonical text. */
export function stateVariables(c: Config, s: State): readonly (readonly [name: string, value: string])[] {
  const perProc = (value: (p: string) => string): string => record(c.procs, value);
  const perTask = (value: (t: string) => string): string => record(c.tasks, value);
  const perAgent = (value: (x: string) => string): string => record(agents(c), value);
  return [
    ["file", s.file === null ? "Absent" : fileText(s.file)],
    ["life", perProc((p) => quote(at(s.life, p)))],
    ["inc", perProc((p) => String(at(s.inc, p)))],
    ["heldLocks", perProc((p) => orNone(at(s.heldLocks, p), entryText))],
    ["releasing", perProc((p) => String(at(s.releasing, p)))],
    ["handle", perAgent((x) => orNone(at(s.handle, x), nameText))],
    ["spent", perTask((t) => orNone(at(s.spent, t), nameText))],
    ["seen", perTask((t) => orNone(at(s.seen, t), seenText))],
    ["pc", perAgent((x) => quote(at(s.pc, x)))],
    ["budget", `[crash |-> ${s.budget.crash}]`],
  ];
}

/** A label as TLC's dump prints it; MCIssueGraph.tla restores the arguments. */
export function dumpLabel({ action, arg }: Step["label"]): string {
  return `${action}_${arg === "" ? "any" : arg}`;
}

const flag = (value: boolean): string => (value ? "TRUE" : "FALSE");

function fileText({ id, written, old }: LockFile): string {
  return `[id |-> ${nameText(id)}, old |-> ${flag(old)}, written |-> ${flag(written)}]`;
}

function entryText({ id, count, releasing }: Entry): string {
  return `[count |-> ${count}, id |-> ${nameText(id)}, releasing |-> ${flag(releasing)}]`;
}

function seenText(seen: Seen): string {
  if (seen === "absent") return "Absent";
  return `[empty |-> ${flag(seen.empty)}, id |-> ${nameText(seen.id)}, old |-> ${flag(seen.old)}]`;
}
