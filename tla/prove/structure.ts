/**
 * Finite structures: what a formula is evaluated in. One table per symbol, over elements by number. A state of
 * the model is one (structureOf); a counterexample of the solver is another.
 */

import { at, type Config, nameOf, ownerOf, type State } from "../../model/state.ts";
import {
  LISTED_SORTS,
  type OpenSort,
  type Sort,
  STATE_SYMBOLS,
  type StateSymbol,
  SYMBOLS,
  type SymbolName,
} from "./formula.ts";

/** The elements of each sort, by the names that people read. */
export type Universe = Readonly<Record<OpenSort, readonly string[]>>;
export type Table = Uint8Array;

export interface Structure {
  readonly universe: Universe;
  readonly tables: Readonly<Record<SymbolName, Table>>;
}

export function elementsOf(universe: Universe, sort: Sort): readonly string[] {
  if (sort === "Bool") return ["false", "true"];
  return sort in LISTED_SORTS ? LISTED_SORTS[sort as keyof typeof LISTED_SORTS] : universe[sort as OpenSort];
}

/** The tuples of arguments of a symbol, in the order of its table. */
export function tuplesOf(universe: Universe, sorts: readonly Sort[]): readonly (readonly number[])[] {
  return sorts.reduce<number[][]>(
    (tuples, sort) => tuples.flatMap((tuple) => elementsOf(universe, sort).map((_, i) => [...tuple, i])),
    [[]],
  );
}

/** Fills tables of one symbol over one universe by asking for every tuple. */
export function tableFiller(universe: Universe, symbol: SymbolName): (value: Reader) => Table {
  const { args, result } = SYMBOLS[symbol];
  const results = new Map(elementsOf(universe, result).map((text, i) => [text, i] as const));
  const texts = tuplesOf(universe, args).map((tuple) =>
    tuple.map((element, i) => elementsOf(universe, args[i] ?? "Bool")[element] ?? ""),
  );
  return (value) =>
    Uint8Array.from(texts, (tuple) => {
      const text = `${value(tuple)}`;
      const found = results.get(text);
      if (found === undefined) throw new Error(`${symbol}: ${text} is no ${result}`);
      return found;
    });
}

/** The value of a symbol at these arguments, in words. */
export type Reader = (args: readonly string[]) => string | boolean;

/** Equal states over one universe have equal keys. What a step leaves alone is one table, and keyed once. */
export function stateKeyOf(tables: Readonly<Record<StateSymbol, Table>>): string {
  return (Object.keys(STATE_SYMBOLS) as StateSymbol[]).map((symbol) => tableKey(tables[symbol])).join(" ");
}

const tableKeys = new WeakMap<Table, string>();
function tableKey(table: Table): string {
  const known = tableKeys.get(table);
  if (known !== undefined) return known;
  const key = String.fromCharCode(...table);
  tableKeys.set(table, key);
  return key;
}

// ------------------------------------------------------------------------------------------------
// States of the model

/** Everything that occurs in some state of a configuration, with at most `ordinals` names per incarnation. */
export function universeOf(c: Config, ordinals: number = c.namesPerLife): Universe {
  const incarnations = Array.from({ length: c.maxCrashes + 1 }, (_, i) => i + 1);
  const most = Math.max(c.maxCrashes + 1, c.maxFaults, c.maxVandals, c.maxRequests);
  return {
    Proc: c.procs,
    Task: c.tasks,
    Name: c.procs.flatMap((proc) =>
      incarnations.flatMap((i) => Array.from({ length: ordinals }, (_, k) => nameOf(proc, i, k + 1))),
    ),
    Count: Array.from({ length: most + 1 }, (_, i) => `${i}`),
  };
}

/** Reads states of a configuration as structures. What no action changes is read once. */
export function structureReader(c: Config, universe: Universe): (s: State) => Structure {
  const fillers = new Map(
    (Object.keys(SYMBOLS) as SymbolName[]).map((symbol) => [symbol, tableFiller(universe, symbol)] as const),
  );
  const fill = (readers: Readonly<Record<string, Reader>>) =>
    Object.entries(readers).map(([symbol, reader]) => [symbol, fillers.get(symbol as SymbolName)?.(reader)]);
  const rigid = fill(rigidReaders(c));
  return (s) => ({
    universe,
    tables: Object.fromEntries([
      ...rigid,
      ...fill(stateReaders(c, s)),
      ...fill(boundReaders(c, s)),
    ]) as Structure["tables"],
  });
}

function rigidReaders(c: Config): Record<string, Reader> {
  return {
    owner: ([n = ""]) => ownerOf(n).proc,
    born: ([n = ""]) => `${ownerOf(n).incarnation}`,
    procOf: ([t = ""]) => at(c.procOf, t),
    samePid: ([p = "", q = ""]) => at(c.pidOf, p) === at(c.pidOf, q),
    reentrant: ([t = ""]) => c.reentrantTasks.includes(t),
    patient: ([t = ""]) => c.patientTasks.includes(t),
    local: () => c.local,
    replacesEmpty: () => c.renameReplacesEmpty,
    counted: () => c.maxRequests > 0,
    mayFail: ([kind = ""]) => c.faults.some((fault) => fault === kind),
    less: ([i, j]) => Number(i) < Number(j),
    follows: ([i, j]) => Number(i) + 1 === Number(j),
    first: () => "1",
    maxCrashes: () => `${c.maxCrashes}`,
    maxFaults: () => `${c.maxFaults}`,
    maxVandals: () => `${c.maxVandals}`,
    maxRequests: () => `${c.maxRequests}`,
  };
}

function stateReaders(c: Config, s: State): Record<string, Reader> {
  const home = new Map(s.homes);
  const place = (p: string, t: string): number => at(s.queue, p).indexOf(t);
  const owed = new Map(c.procs.map((p) => [p, new Map<string, string>(at(s.owes, p))] as const));
  return {
    lockStands: () => s.lock !== null,
    lock: ([n = ""]) => s.lock?.includes(n) === true,
    homes: ([n = ""]) => home.has(n),
    homeHas: ([n = "", m = ""]) => home.get(n)?.includes(m) === true,
    late: ([op, n]) => s.late.some((call) => call.op === op && call.name === n),
    alive: ([p = ""]) => s.alive.includes(p),
    inc: ([p = ""]) => `${at(s.inc, p)}`,
    heldLocks: ([p = "", t = ""]) => at(s.heldLocks, p).includes(t),
    releasing: ([p = "", n]) => at(s.releasing, p)?.name === n,
    aside: ([p = ""]) => at(s.releasing, p)?.aside === true,
    contender: ([p = "", t]) => at(s.contender, p) === t,
    queue: ([p = "", t = ""]) => place(p, t) >= 0,
    ahead: ([p = "", t = "", u = ""]) => place(p, t) >= 0 && place(p, t) < place(p, u),
    home: ([p = "", n]) => at(s.home, p) === n,
    owes: ([p = "", n = ""]) => owed.get(p)?.get(n) ?? "none",
    gaveUp: ([t = ""]) => s.gaveUp.includes(t),
    sawDirectory: ([t = ""]) => at(s.seen, t) !== null,
    seen: ([t = "", n = ""]) => at(s.seen, t)?.includes(n) === true,
    pc: ([t = ""]) => at(s.pc, t),
    crashes: () => `${s.budget.crash}`,
    faults: () => `${s.budget.fault}`,
    vandals: () => `${s.budget.vandal}`,
    requests: () => `${s.budget.request}`,
  } satisfies Record<StateSymbol, Reader>;
}

/** What the specification counts: names that are owed, and the ordinals of names. */
function boundReaders(c: Config, s: State): Record<string, Reader> {
  const referenced = referencedNames(c, s);
  const owed = (p: string): Set<string> => new Set(at(s.owes, p).map(([name]) => name));
  const without = (p: string, n: string): Set<string> => new Set([...owed(p)].filter((name) => name !== n));
  const firstUnused = (p: string): string | undefined =>
    Array.from({ length: c.namesPerLife }, (_, k) => nameOf(p, at(s.inc, p), k + 1)).find(
      (name) => !referenced.has(name),
    );
  const next = new Set(c.procs.map(firstUnused));
  return {
    room: ([p = ""]) => owed(p).size < c.maxDebts,
    roomWith: ([p = "", n = ""]) => owed(p).add(n).size < c.maxDebts,
    roomWithout: ([p = "", n = ""]) => without(p, n).size < c.maxDebts,
    chosen: ([n = ""]) => next.has(n),
  };
}

/** Written anew, not the model's: the encoding is compared with the model. */
function referencedNames(c: Config, s: State): ReadonlySet<string | undefined> {
  const shown = [...(s.lock ?? []), ...s.homes.map(([name]) => name)];
  if (c.broken.includes("ReuseName")) return new Set(shown);
  return new Set([
    ...(s.lock ?? []),
    ...s.homes.flatMap(([name, contents]) => [name, ...contents]),
    ...s.late.map(({ name }) => name),
    ...c.procs.flatMap((p) => [at(s.home, p) ?? undefined, at(s.releasing, p)?.name]),
    ...c.procs.flatMap((p) => at(s.owes, p).map(([name]) => name)),
    ...c.tasks.flatMap((t) => at(s.seen, t) ?? []),
  ]);
}
