/**
 * Formulas as data: what the encoding of OwnerDirectory.tla is written in. Two back ends read it: evaluate.ts
 * (over states of the model) and smt.ts (for the solver). Many-sorted first-order logic, no more: the
 * uninterpreted sorts have any number of elements, which is what "any number of processes" means.
 */

import { FAULT_KINDS, PCS } from "../../model/state.ts";

/** The sorts that have any number of elements. A Count is an incarnation or what is left of a budget. */
export type OpenSort = "Proc" | "Task" | "Name" | "Count";
export const OPEN_SORTS: readonly OpenSort[] = ["Proc", "Task", "Name", "Count"];

/** The sorts whose elements are listed. */
export type ListedSort = "Pc" | "Op" | "Debt" | "Kind";
export const LISTED_SORTS: Readonly<Record<ListedSort, readonly string[]>> = {
  Pc: PCS,
  Op: ["take", "clear", "putBack", "unlinkHome", "unlinkLock", "rmdirHome"],
  Debt: ["none", "unlinkHome", "unlinkLock", "rmdirHome", "paid"],
  Kind: [...FAULT_KINDS, "beat"],
};
export type Sort = OpenSort | ListedSort | "Bool";

export interface Var {
  readonly kind: "var";
  readonly name: string;
  readonly sort: Sort;
}
export interface Value {
  readonly kind: "value";
  readonly sort: ListedSort;
  readonly value: string;
}
export type Expr =
  | Var
  | Value
  | { readonly kind: "truth"; readonly value: boolean }
  | { readonly kind: "apply"; readonly symbol: SymbolName; readonly args: readonly Expr[] }
  | { readonly kind: "equal"; readonly left: Expr; readonly right: Expr }
  | { readonly kind: "not"; readonly body: Expr }
  | { readonly kind: "and" | "or"; readonly parts: readonly Expr[] }
  | { readonly kind: "if"; readonly condition: Expr; readonly yes: Expr; readonly no: Expr }
  | { readonly kind: "forall" | "exists"; readonly variables: readonly Var[]; readonly body: Expr };

export interface Signature {
  readonly args: readonly Sort[];
  readonly result: Sort;
}
const signature = (args: readonly Sort[], result: Sort = "Bool"): Signature => ({ args, result });

/**
 * The variables of the specification, as relations and functions. A directory is two: whether it stands, and
 * what is in it. A queue is two: who waits, and who is ahead of whom.
 */
export const STATE_SYMBOLS: Readonly<Record<StateSymbol, Signature>> = {
  lockStands: signature([]),
  lock: signature(["Name"]),
  homes: signature(["Name"]),
  homeHas: signature(["Name", "Name"]),
  late: signature(["Op", "Name"]),
  alive: signature(["Proc"]),
  inc: signature(["Proc"], "Count"),
  heldLocks: signature(["Proc", "Task"]),
  releasing: signature(["Proc", "Name"]),
  aside: signature(["Proc"]),
  contender: signature(["Proc", "Task"]),
  queue: signature(["Proc", "Task"]),
  ahead: signature(["Proc", "Task", "Task"]),
  home: signature(["Proc", "Name"]),
  owes: signature(["Proc", "Name"], "Debt"),
  gaveUp: signature(["Task"]),
  sawDirectory: signature(["Task"]),
  seen: signature(["Task", "Name"]),
  pc: signature(["Task"], "Pc"),
  crashes: signature([], "Count"),
  faults: signature([], "Count"),
  vandals: signature([], "Count"),
  requests: signature([], "Count"),
};
export type StateSymbol =
  | "lockStands"
  | "lock"
  | "homes"
  | "homeHas"
  | "late"
  | "alive"
  | "inc"
  | "heldLocks"
  | "releasing"
  | "aside"
  | "contender"
  | "queue"
  | "ahead"
  | "home"
  | "owes"
  | "gaveUp"
  | "sawDirectory"
  | "seen"
  | "pc"
  | "crashes"
  | "faults"
  | "vandals"
  | "requests";

/** What no action changes: the constants, and what a name says about itself. */
export const RIGID_SYMBOLS: Readonly<Record<RigidSymbol, Signature>> = {
  owner: signature(["Name"], "Proc"),
  born: signature(["Name"], "Count"),
  procOf: signature(["Task"], "Proc"),
  samePid: signature(["Proc", "Proc"]),
  reentrant: signature(["Task"]),
  patient: signature(["Task"]),
  local: signature([]),
  replacesEmpty: signature([]),
  counted: signature([]),
  mayFail: signature(["Kind"]),
  less: signature(["Count", "Count"]),
  follows: signature(["Count", "Count"]),
  first: signature([], "Count"),
  maxCrashes: signature([], "Count"),
  maxFaults: signature([], "Count"),
  maxVandals: signature([], "Count"),
  maxRequests: signature([], "Count"),
};
export type RigidSymbol =
  | "owner"
  | "born"
  | "procOf"
  | "samePid"
  | "reentrant"
  | "patient"
  | "local"
  | "replacesEmpty"
  | "counted"
  | "mayFail"
  | "less"
  | "follows"
  | "first"
  | "maxCrashes"
  | "maxFaults"
  | "maxVandals"
  | "maxRequests";

/**
 * What depends on a bound of the finite model, so the solver knows nothing about it: each may be true or
 * false anywhere, which allows more steps, never fewer. The evaluator computes them.
 */
export const BOUND_SYMBOLS: Readonly<Record<BoundSymbol, Signature>> = {
  /** p owes less than MaxDebts: now; with n owed too; with n owed no more. */
  room: signature(["Proc"]),
  roomWith: signature(["Proc", "Name"]),
  roomWithout: signature(["Proc", "Name"]),
  /** n is the one that `Fresh` chooses for the present incarnation of its owner. */
  chosen: signature(["Name"]),
};
export type BoundSymbol = "room" | "roomWith" | "roomWithout" | "chosen";

export type SymbolName = StateSymbol | RigidSymbol | BoundSymbol;
export const SYMBOLS: Readonly<Record<SymbolName, Signature>> = {
  ...STATE_SYMBOLS,
  ...RIGID_SYMBOLS,
  ...BOUND_SYMBOLS,
};

// ------------------------------------------------------------------------------------------------
// Making formulas. The constructors simplify: what is left is quantifiers, relations and listed values.

export const truth = (value: boolean): Expr => ({ kind: "truth", value });
export const variable = (name: string, sort: Sort): Var => ({ kind: "var", name, sort });
export const apply = (symbol: SymbolName, ...args: readonly Expr[]): Expr => ({
  kind: "apply",
  symbol,
  args,
});
export const value = (sort: ListedSort, text: string): Expr => {
  if (!LISTED_SORTS[sort].includes(text)) throw new Error(`${sort} has no ${text}`);
  return { kind: "value", sort, value: text };
};

export function not(body: Expr): Expr {
  if (body.kind === "truth") return truth(!body.value);
  return body.kind === "not" ? body.body : { kind: "not", body };
}

export const and = (...parts: readonly Expr[]): Expr => junction("and", parts);
export const or = (...parts: readonly Expr[]): Expr => junction("or", parts);
export const implies = (left: Expr, right: Expr): Expr => or(not(left), right);
export const iff = (left: Expr, right: Expr): Expr => and(implies(left, right), implies(right, left));

function junction(kind: "and" | "or", all: readonly Expr[]): Expr {
  const neutral = kind === "and";
  const parts = all
    .flatMap((part) => (part.kind === kind ? part.parts : [part]))
    .filter((part) => !(part.kind === "truth" && part.value === neutral));
  if (parts.some((part) => part.kind === "truth")) return truth(!neutral);
  const [only] = parts;
  if (only === undefined) return truth(neutral);
  return parts.length === 1 ? only : { kind, parts };
}

export function equal(left: Expr, right: Expr): Expr {
  if (left.kind === "if") return choose(left.condition, equal(left.yes, right), equal(left.no, right));
  if (right.kind === "if") return equal(right, left);
  if (left.kind === "value" && right.kind === "value") return truth(left.value === right.value);
  if (left.kind === "var" && right.kind === "var" && left.name === right.name) return truth(true);
  return { kind: "equal", left, right };
}

/** `if condition then yes else no`, for values; formulas become junctions. */
export function choose(condition: Expr, yes: Expr, no: Expr): Expr {
  if (condition.kind === "truth") return condition.value ? yes : no;
  const formulas = sortOf(yes) === "Bool" && sortOf(no) === "Bool";
  return formulas ? or(and(condition, yes), and(not(condition), no)) : { kind: "if", condition, yes, no };
}

export function forall(variables: readonly Var[], body: Expr): Expr {
  return body.kind === "truth" ? body : { kind: "forall", variables, body };
}
export function exists(variables: readonly Var[], body: Expr): Expr {
  return body.kind === "truth" ? body : { kind: "exists", variables, body };
}

export function sortOf(expr: Expr): Sort {
  if (expr.kind === "var" || expr.kind === "value") return expr.sort;
  if (expr.kind === "apply") return SYMBOLS[expr.symbol].result;
  return expr.kind === "if" ? sortOf(expr.yes) : "Bool";
}

/** Rebuilds an expression, with its parts replaced by `f`. */
export function mapParts(expr: Expr, f: (part: Expr) => Expr): Expr {
  switch (expr.kind) {
    case "var":
    case "value":
    case "truth":
      return expr;
    case "apply":
      return apply(expr.symbol, ...expr.args.map(f));
    case "equal":
      return equal(f(expr.left), f(expr.right));
    case "not":
      return not(f(expr.body));
    case "and":
      return and(...expr.parts.map(f));
    case "or":
      return or(...expr.parts.map(f));
    case "if":
      return choose(f(expr.condition), f(expr.yes), f(expr.no));
    case "forall":
      return forall(expr.variables, f(expr.body));
    case "exists":
      return exists(expr.variables, f(expr.body));
  }
}

/** `expr` with values for its free variables. Bound variables give way to those of the values. */
export function substitute(expr: Expr, values: ReadonlyMap<string, Expr>): Expr {
  const taken = new Set([...values.values()].flatMap((part) => [...freeNames(part)]));
  return replaceFree(expr, values, taken);
}

function replaceFree(expr: Expr, values: ReadonlyMap<string, Expr>, taken: ReadonlySet<string>): Expr {
  if (expr.kind === "var") return values.get(expr.name) ?? expr;
  if (expr.kind !== "forall" && expr.kind !== "exists") {
    return mapParts(expr, (part) => replaceFree(part, values, taken));
  }
  const inner = new Map(values);
  const variables = expr.variables.map((bound) => {
    let name = bound.name;
    while (taken.has(name)) name += "_";
    const renamed = variable(name, bound.sort);
    if (name === bound.name) inner.delete(name);
    else inner.set(bound.name, renamed);
    return renamed;
  });
  const body = replaceFree(expr.body, inner, new Set([...taken, ...variables.map(({ name }) => name)]));
  return expr.kind === "forall" ? forall(variables, body) : exists(variables, body);
}

export function freeNames(expr: Expr): ReadonlySet<string> {
  if (expr.kind === "var") return new Set([expr.name]);
  const found = new Set(partsOf(expr).flatMap((part) => [...freeNames(part)]));
  if (expr.kind === "forall" || expr.kind === "exists")
    for (const { name } of expr.variables) found.delete(name);
  return found;
}

function partsOf(expr: Expr): readonly Expr[] {
  const parts: Expr[] = [];
  mapParts(expr, (part) => {
    parts.push(part);
    return part;
  });
  return parts;
}
