/** States of the peers as their specifications print them, in canonical form: see model/text.ts. */

import type { MachineLabel } from "../machine.ts";
import { at } from "../state.ts";
import { orNone, quote, record, setText } from "../text.ts";
import type * as mkdirMtime from "./mkdirMtime.ts";
import type * as renameAside from "./renameAside.ts";

type Variables = readonly (readonly [name: string, value: string])[];

export function mkdirMtimeVariables(c: mkdirMtime.Config, s: mkdirMtime.State): Variables {
  const perProc = (value: (p: string) => string): string => record(c.procs, value);
  const seen = ({ id, mtime }: mkdirMtime.Seen): string => `[id |-> ${id}, mtime |-> ${mtime}]`;
  const directory = ({ by, id, mtime }: mkdirMtime.Directory): string =>
    `[by |-> ${quote(by)}, id |-> ${id}, mtime |-> ${mtime}]`;
  return [
    ["now", String(s.now)],
    ["lock", s.lock === null ? "Absent" : directory(s.lock)],
    ["saw", perProc((p) => orNone(at(s.saw, p), seen))],
    ["mine", perProc((p) => orNone(at(s.mine, p), seen))],
    ["touches", perProc((p) => orNone(at(s.touches, p), seen))],
    ["overdue", setText(s.overdue.map(quote))],
    ["pc", perProc((p) => quote(at(s.pc, p)))],
    ["crashes", String(s.crashes)],
  ];
}

export function renameAsideVariables(c: renameAside.Config, s: renameAside.State): Variables {
  const perProc = (value: (p: string) => string): string => record(c.procs, value);
  const owner = (o: renameAside.Owner): string => {
    const [proc, incarnation] = o.split(".");
    return `<<"${proc}", ${incarnation}>>`;
  };
  const file = (o: renameAside.Owner | null): string => (o === null ? "Absent" : owner(o));
  return [
    ["lock", file(s.lock)],
    ["aside", perProc((p) => file(at(s.aside, p)))],
    ["stray", setText(s.stray.map(owner))],
    ["saw", perProc((p) => orNone(at(s.saw, p), owner))],
    ["alive", setText(s.alive.map(quote))],
    ["inc", perProc((p) => String(at(s.inc, p)))],
    ["pc", perProc((p) => quote(at(s.pc, p)))],
    ["crashes", String(s.crashes)],
  ];
}

/** A label as TLC's dump prints it; the MC modules restore the process. */
export function dumpLabel({ action, arg }: MachineLabel): string {
  return arg === "" ? action : `${action}_${arg}`;
}
