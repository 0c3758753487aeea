/**
 * A step that breaks a claim, small enough to read: looked for in a universe of a few elements, where every
 * quantifier is a list. What the solver finds is a structure, and the evaluator, which is compared with the model,
 * has the last word on it: before the step the invariant holds, the step is one of the action's, after it the claim is
 * false.
 */

import { Evaluator } from "./evaluate.ts";
import {
  and,
  apply,
  type Expr,
  equal,
  LISTED_SORTS,
  mapParts,
  or,
  type Sort,
  STATE_SYMBOLS,
  type StateSymbol,
  SYMBOLS,
  type SymbolName,
  substitute,
  type Var,
  value,
  variable,
} from "./formula.ts";
import { AXIOMS, CONJUNCTS } from "./invariant.ts";
import type { Part } from "./obligations.ts";
import { assertion, declarations, declareConstant } from "./smt.ts";
import type { Solver } from "./solver.ts";
import { elementsOf, type Structure, tableFiller, tuplesOf, type Universe } from "./structure.ts";

/** Enough for every removable guard: two processes, one with two tasks, a name each and one of the dead. */
const UNIVERSE: Universe = {
  Proc: ["P1", "P2"],
  Task: ["T1", "T2", "T3"],
  Name: ["N1", "N2", "N3"],
  Count: ["C1", "C2", "C3"],
};

export interface SmallCounterexample {
  /** The arguments and choices of the step, by name. */
  readonly constants: Readonly<Record<string, string>>;
  readonly before: Structure;
  readonly after: Structure;
}

/** A small step that satisfies the part; null if there is none of this size. */
export async function smallCounterexample(solver: Solver, part: Part): Promise<SmallCounterexample | null> {
  const questions = new Questions();
  const text = boundedText(part, questions);
  const { verdict, detail } = await solver.ask(text);
  if (verdict !== "sat") return null;
  const truths = new Set([...detail.matchAll(/^(q\d+) -> true$/gm)].map(([, name]) => name ?? ""));
  const before = questions.structure(truths);
  const constants = questions.constants(part.constants, truths);
  return { constants, before, after: checkedStep(part, before, constants) };
}

function boundedText(part: Part, questions: Questions): string {
  const elements = Object.entries(UNIVERSE).flatMap(([sort, names]) => [
    ...names.map((name) => declareConstant(variable(name, sort as Sort))),
    `(assert (distinct ${names.join(" ")}))`,
  ]);
  const assumed = [...AXIOMS, ...(part.assumesInvariant ? CONJUNCTS.map(({ formula }) => formula) : [])];
  const formulas = [...assumed, ...part.formulas].map((formula) => assertion(listed(formula)));
  const { declared, closed } = questions.ask(part.constants);
  return [
    declarations(),
    ...elements,
    ...part.constants.map(declareConstant),
    ...declared,
    ...closed,
    ...formulas,
  ].join("\n");
}

/** The elements of a sort, as expressions. */
function members(sort: Sort): readonly Expr[] {
  if (sort in LISTED_SORTS) {
    const listedSort = sort as keyof typeof LISTED_SORTS;
    return LISTED_SORTS[listedSort].map((text) => value(listedSort, text));
  }
  return elementsOf(UNIVERSE, sort).map((name) => variable(name, sort));
}

function tuples(sorts: readonly Sort[]): readonly (readonly Expr[])[] {
  const all = sorts.map(members);
  return tuplesOf(UNIVERSE, sorts).map((tuple) => tuple.flatMap((element, i) => all[i]?.[element] ?? []));
}

/** Every quantifier as the list of its instances. */
function listed(expr: Expr): Expr {
  if (expr.kind !== "forall" && expr.kind !== "exists") return mapParts(expr, listed);
  const body = listed(expr.body);
  const instances = tuples(expr.variables.map(({ sort }) => sort)).map((tuple) =>
    substitute(body, new Map(expr.variables.map(({ name }, i) => [name, tuple[i] ?? body]))),
  );
  return expr.kind === "forall" ? and(...instances) : or(...instances);
}

/** Every atom of the structure gets a name, so that the model's text is a list of truths. */
class Questions {
  readonly #asked: Expr[] = [];
  readonly #ids = new Map<string, string>();

  ask(constants: readonly Var[]): { declared: readonly string[]; closed: readonly string[] } {
    const closed: Expr[] = [];
    for (const constant of constants) closed.push(this.#oneOf(constant, constant.sort));
    for (const [symbol, { args, result }] of Object.entries(SYMBOLS)) {
      for (const tuple of tuples(args)) {
        const term = apply(symbol as SymbolName, ...tuple);
        if (result === "Bool") this.#name(term);
        else closed.push(this.#oneOf(term, result));
      }
    }
    const declared = this.#asked.flatMap((atom, i) => [
      `(declare-const q${i} Bool)`,
      assertion(equal(variable(`q${i}`, "Bool"), atom)),
    ]);
    return { declared, closed: closed.map(assertion) };
  }

  structure(truths: ReadonlySet<string>): Structure {
    const isTrue = (atom: Expr): boolean => truths.has(this.#ids.get(JSON.stringify(atom)) ?? "");
    const tables = (Object.keys(SYMBOLS) as SymbolName[]).map((symbol) => {
      const { args, result } = SYMBOLS[symbol];
      const reader = (texts: readonly string[]): string | boolean => {
        const term = apply(symbol, ...texts.map((text, i) => member(args[i] ?? "Bool", text)));
        if (result === "Bool") return isTrue(term);
        return textOf(members(result).find((element) => isTrue(equal(term, element))));
      };
      return [symbol, tableFiller(UNIVERSE, symbol)(reader)];
    });
    return { universe: UNIVERSE, tables: Object.fromEntries(tables) as Structure["tables"] };
  }

  constants(constants: readonly Var[], truths: ReadonlySet<string>): Record<string, string> {
    const isTrue = (atom: Expr): boolean => truths.has(this.#ids.get(JSON.stringify(atom)) ?? "");
    return Object.fromEntries(
      constants.map((constant) => [
        constant.name,
        textOf(members(constant.sort).find((element) => isTrue(equal(constant, element)))),
      ]),
    );
  }

  #name(atom: Expr): void {
    this.#ids.set(JSON.stringify(atom), `q${this.#asked.length}`);
    this.#asked.push(atom);
  }

  #oneOf(term: Expr, sort: Sort): Expr {
    const atoms = members(sort).map((element) => equal(term, element));
    for (const atom of atoms) this.#name(atom);
    return or(...atoms);
  }
}

function member(sort: Sort, text: string): Expr {
  return sort in LISTED_SORTS ? value(sort as keyof typeof LISTED_SORTS, text) : variable(text, sort);
}

function textOf(element: Expr | undefined): string {
  if (element?.kind === "value") return element.value;
  if (element?.kind === "var") return element.name;
  throw new Error("the solver's model leaves a value open");
}

/** The state after the step. Throws if the evaluator does not agree that this is a counterexample. */
function checkedStep(part: Part, before: Structure, constants: Readonly<Record<string, string>>): Structure {
  const evaluator = new Evaluator(UNIVERSE);
  const where = new Map(
    part.constants.map(({ name, sort }) => [name, member(sort, constants[name] ?? "")] as const),
  );
  // The elements are free variables of what is asserted, so they are quantified away: one tuple is the right one.
  const assumed = part.assumesInvariant ? CONJUNCTS.map(({ formula }) => formula) : [];
  for (const formula of [...AXIOMS, ...assumed]) {
    if (!evaluator.formula(formula)(before))
      throw new Error("the solver's structure does not satisfy the invariant");
  }
  if (part.step === undefined) return before;
  const { action, one } = part.step;
  const sole = { name: action.name, params: [...part.constants], cases: [{ ...one, chosen: [] }] };
  const step = evaluator
    .action(sole)(before)
    .find(({ args }) => part.constants.every(({ name }, i) => args[i] === textOf(where.get(name))));
  if (step === undefined) throw new Error("the solver's step is not one of the action's");
  return { universe: UNIVERSE, tables: step.next };
}

// ------------------------------------------------------------------------------------------------
// In words

/** The step, the state before it, and what it changes. */
export function counterexampleText({ constants, before, after }: SmallCounterexample): string {
  const choices = Object.entries(constants).map(([name, element]) => `${name} = ${element}`);
  const rigid: readonly SymbolName[] = ["owner", "born", "procOf", "reentrant", "local"];
  const symbols = Object.keys(STATE_SYMBOLS) as StateSymbol[];
  const changed = symbols.filter((symbol) => before.tables[symbol].join() !== after.tables[symbol].join());
  return [
    ...(choices.length > 0 ? [`with    ${choices.join(", ")}`] : []),
    ...rigid.map((symbol) => `where   ${symbolText(before, symbol)}`),
    ...symbols.flatMap((symbol) =>
      isEmpty(before, symbol) ? [] : [`before  ${symbolText(before, symbol)}`],
    ),
    ...changed.map((symbol) => `after   ${symbolText(after, symbol)}`),
  ].join("\n");
}

function isEmpty({ tables }: Structure, symbol: SymbolName): boolean {
  return SYMBOLS[symbol].result !== "Count" && tables[symbol].every((element) => element === 0);
}

function symbolText({ universe, tables }: Structure, symbol: SymbolName): string {
  const { args, result } = SYMBOLS[symbol];
  const results = elementsOf(universe, result);
  const all = tuplesOf(universe, args).map((tuple, i) => ({
    key: tuple.map((element, k) => elementsOf(universe, args[k] ?? "Bool")[element]).join(" "),
    text: results[tables[symbol][i] ?? 0] ?? "",
  }));
  if (args.length === 0) return `${symbol}: ${all[0]?.text}`;
  if (result === "Bool")
    return `${symbol}: {${all.flatMap(({ key, text }) => (text === "true" ? [key] : [])).join(", ")}}`;
  return `${symbol}: ${all.flatMap(({ key, text }) => (text === "none" ? [] : [`${key} -> ${text}`])).join(", ")}`;
}
