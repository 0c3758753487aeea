/**
 * States and labels as the specification prints them, in the canonical form of tla/tools/values.ts (sets and
 * functions sorted, the empty function as the empty tuple): what `npm run graph` compares.
 */

import type { Label } from "./actions.ts";
import {
  at,
  type Config,
  type Dir,
  homeNameOf,
  type LateCall,
  type Name,
  type NameMap,
  ownerOf,
  type State,
} from "./state.ts";

/** The variables of the specification, with their values as canonical text. */
export function stateVariables(c: Config, s: State): readonly (readonly [name: string, value: string])[] {
  const perProc = (value: (p: string) => string): string => record(c.procs, value);
  const perTask = (value: (t: string) => string): string => record(c.tasks, value);
  return [
    ["lock", dirText(s.lock)],
    ["homes", mapText(s.homes, (contents) => setText(contents.map(nameText)))],
    ["late", setText(s.late.map(lateCallText))],
    ["alive", setText(s.alive.map(quote))],
    ["inc", perProc((p) => String(at(s.inc, p)))],
    ["suspects", setText(s.suspects.map(nameText))],
    ["revoked", setText(s.revoked.map(quote))],
    ["guest", guestText(s)],
    ["heldLocks", perProc((p) => setText(at(s.heldLocks, p).map(quote)))],
    ["releasing", perProc((p) => releaseText(s, p))],
    ["contender", perProc((p) => orNone(at(s.contender, p), quote))],
    ["queue", perProc((p) => `<<${at(s.queue, p).map(quote).join(", ")}>>`)],
    ["home", perProc((p) => orNone(at(s.home, p), nameText))],
    ["owes", perProc((p) => mapText(at(s.owes, p), quote))],
    ["gaveUp", setText(s.gaveUp.map(quote))],
    ["seen", perTask((t) => dirText(at(s.seen, t)))],
    ["pc", perTask((t) => quote(at(s.pc, t)))],
    ["budget", record(Object.keys(s.budget), (kind) => String(at({ ...s.budget }, kind)))],
  ];
}

/**
 * A label as TLC's dump prints it, `Take_a1`. TLC drops parameters; the MC module restores tasks and
 * processes by one definition each. Names and late calls are not restored: the two states tell them.
 */
export function dumpLabel(label: Label, c: Config): string {
  switch (label.action) {
    case "GuestEnds":
    case "LateEffect":
    case "Vandal":
    case "Suspect":
    case "Break":
    case "Remove":
      return `Any${label.action}`;
    case "Retry":
    case "Retried":
      return `${label.action}_${ownerOf(homeNameOf(c, label.arg)).proc}`;
    default:
      return `${label.action}_${label.arg}`;
  }
}

export const quote = (text: string): string => `"${text}"`;
export const orNone = <V>(value: V | null, text: (value: V) => string): string =>
  value === null ? "None" : text(value);

export function nameText(name: Name): string {
  const [proc, incarnation, ordinal] = name.split(".");
  return `<<"${proc}", ${incarnation}, ${ordinal}>>`;
}

function dirText(dir: Dir): string {
  return dir === null ? "Absent" : setText(dir.map(nameText));
}

export function setText(items: readonly string[]): string {
  return `{${[...items].sort().join(", ")}}`;
}

function mapText<V>(map: NameMap<V>, text: (value: V) => string): string {
  if (map.length === 0) return "<<>>";
  const pairs = map.map(([name, value]) => `${nameText(name)} :> ${text(value)}`);
  return `(${pairs.sort().join(" @@ ")})`;
}

export function record(keys: readonly string[], value: (key: string) => string): string {
  return `[${[...keys]
    .sort()
    .map((key) => `${key} |-> ${value(key)}`)
    .join(", ")}]`;
}

function guestText({ guest }: State): string {
  const guests = Object.keys(guest);
  if (guests.length === 0) return "<<>>";
  return record(guests, (g) =>
    orNone(at(guest, g), ({ inc, at: where }) => `[at |-> ${quote(where)}, inc |-> ${inc}]`),
  );
}

function releaseText(s: State, p: string): string {
  return orNone(
    at(s.releasing, p),
    ({ name, aside }) => `[aside |-> ${aside ? "TRUE" : "FALSE"}, name |-> ${nameText(name)}]`,
  );
}

function lateCallText({ op, name }: LateCall): string {
  return `[name |-> ${nameText(name)}, op |-> "${op}"]`;
}
