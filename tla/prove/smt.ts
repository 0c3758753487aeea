/** Formulas as SMT-LIB text, for Z3. */

import {
  type Expr,
  LISTED_SORTS,
  OPEN_SORTS,
  type Sort,
  SYMBOLS,
  type SymbolName,
  type Var,
} from "./formula.ts";

/** The sorts and symbols: what every query begins with. */
export function declarations(): string {
  const open = OPEN_SORTS.map((sort) => `(declare-sort ${sort} 0)`);
  const listed = Object.entries(LISTED_SORTS).flatMap(([sort, values]) => {
    const constants = values.map((v) => constant(sort, v));
    const declared = constants.map((name) => `(declare-const ${name} ${sort})`);
    return [`(declare-sort ${sort} 0)`, ...declared, `(assert (distinct ${constants.join(" ")}))`];
  });
  const symbols = Object.entries(SYMBOLS).map(
    ([name, { args, result }]) => `(declare-fun ${symbolText(name)} (${args.join(" ")}) ${result})`,
  );
  return [...open, ...listed, ...symbols].join("\n");
}

export const declareConstant = ({ name, sort }: Var): string => `(declare-const ${name} ${sort})`;
export const assertion = (formula: Expr): string => `(assert ${smtText(formula)})`;

export function smtText(expr: Expr): string {
  switch (expr.kind) {
    case "var":
      return expr.name;
    case "value":
      return constant(expr.sort, expr.value);
    case "truth":
      return `${expr.value}`;
    case "apply":
      return application(expr.symbol, expr.args.map(smtText));
    case "equal":
      return `(= ${smtText(expr.left)} ${smtText(expr.right)})`;
    case "not":
      return `(not ${smtText(expr.body)})`;
    case "and":
    case "or":
      return `(${expr.kind} ${expr.parts.map(smtText).join(" ")})`;
    case "if":
      return `(ite ${smtText(expr.condition)} ${smtText(expr.yes)} ${smtText(expr.no)})`;
    case "forall":
    case "exists": {
      const bound = expr.variables.map(({ name, sort }) => `(${name} ${sort})`).join(" ");
      return `(${expr.kind} (${bound}) ${smtText(expr.body)})`;
    }
  }
}

export function application(symbol: SymbolName, args: readonly string[]): string {
  return args.length === 0 ? symbolText(symbol) : `(${symbolText(symbol)} ${args.join(" ")})`;
}

/** Variables have short names, symbols have theirs with a mark: no clash, and none with words of SMT-LIB. */
const symbolText = (name: string): string => `s.${name}`;
const constant = (sort: Sort | string, value: string): string => `${sort}.${value}`;
