/** States of the lease as its specification prints them, in canonical form: see model/text.ts. */

import { at } from "../state.ts";
import { orNone, quote, record, setText } from "../text.ts";
import type { Config, Look, Mark, State } from "./lease.ts";

export function leaseVariables(c: Config, s: State): readonly (readonly [name: string, value: string])[] {
  const perProc = (value: (p: string) => string): string => record(c.procs, value);
  const perJudge = (value: (j: string) => string): string => record(c.judges, value);
  const mark = ({ mtime, at: written }: Mark): string => `[at |-> ${written}, mtime |-> ${mtime}]`;
  const look = ({ owner, mark: read, seen, at: written }: Look): string =>
    `[at |-> ${written}, mark |-> ${orNone(read, mark)}, owner |-> ${quote(owner)}, seen |-> ${seen}]`;
  const { crash, death, jump } = s.budget;
  return [
    ["now", String(s.now)],
    ["lock", orNone(s.lock, quote)],
    ["mtime", perProc((p) => String(at(s.mtime, p)))],
    ["mark", perProc((p) => orNone(at(s.mark, p), mark))],
    ["since", perProc((p) => String(at(s.since, p)))],
    ["missed", setText(s.missed.map(quote))],
    ["late", setText(s.late.map(quote))],
    ["stopped", setText(s.stopped.map(quote))],
    ["pc", perProc((p) => quote(at(s.pc, p)))],
    ["look", perJudge((j) => orNone(at(s.look, j), look))],
    ["jpc", perJudge((j) => quote(at(s.jpc, j)))],
    ["looked", s.looked ? "TRUE" : "FALSE"],
    ["unsettled", setText(s.unsettled.map(quote))],
    ["budget", `[crash |-> ${crash}, death |-> ${death}, jump |-> ${jump}]`],
  ];
}
