/**
 * Formulas over finite structures. Compiled once to functions over an environment of variables: every state
 * that the explorer reaches is asked thousands of questions.
 */

import type { Case, EncodedAction } from "./actions.ts";
import {
  and,
  type Expr,
  freeNames,
  LISTED_SORTS,
  type Sort,
  STATE_SYMBOLS,
  type StateSymbol,
  SYMBOLS,
  type SymbolName,
  type Var,
} from "./formula.ts";
import { elementsOf, type Structure, type Table, tuplesOf, type Universe } from "./structure.ts";

type Tables = Structure["tables"];
/** The values of the variables, each in the slot that it got when it was compiled. */
type Environment = number[];
type Tuple = readonly number[];
type Compiled = (tables: Tables, env: Environment) => number;

/** Compiles expressions over one universe. */
export class Evaluator {
  readonly #universe: Universe;

  constructor(universe: Universe) {
    this.#universe = universe;
  }

  /** The truth of a closed formula. */
  formula(expr: Expr): (structure: Structure) => boolean {
    const compiled = this.#compile(expr, []);
    return ({ tables }) => compiled(tables, []) === 1;
  }

  /** The steps of an action: for every argument, every successor that the formulas allow. */
  action(action: EncodedAction): (structure: Structure) => readonly EvaluatedStep[] {
    const cases = action.cases.map((one) => this.#case(action.params, one));
    const tuples = this.#tuples(action.params);
    return ({ tables }) =>
      tuples.flatMap((tuple) => {
        const args = action.params.map((param, i) => this.#elements(param.sort)[tuple[i] ?? 0] ?? "");
        return cases.flatMap((one, i) => one(tables, tuple).map((next) => ({ args, next, case: i })));
      });
  }

  #case(params: readonly Var[], { chosen, guard, updates }: Case): (tables: Tables, args: Tuple) => Tables[] {
    const scope = [...params, ...chosen];
    const choices = this.#choices(params, chosen, guard);
    const changes = updates.map(({ symbol, args, value }) => ({
      symbol,
      keys: this.#tuples(args),
      value: this.#compile(value, [...scope, ...args]),
    }));
    return (tables, args) =>
      choices(tables, args).map((env) => {
        const changed = changes.map(({ symbol, keys, value }) => [
          symbol,
          Uint8Array.from(keys, (key) => value(tables, [...env, ...key])),
        ]);
        return { ...tables, ...(Object.fromEntries(changed) as Record<StateSymbol, Table>) };
      });
  }

  /** The values of the chosen variables that satisfy the guard. Each is tried only if the guard can still hold. */
  #choices(
    params: readonly Var[],
    chosen: readonly Var[],
    guard: Expr,
  ): (tables: Tables, args: Tuple) => readonly Tuple[] {
    const parts = guard.kind === "and" ? guard.parts : [guard];
    const levels = [undefined, ...chosen].map((variable, level) => {
      const scope = [...params, ...chosen.slice(0, level)];
      // The part is asked as soon as its last variable has a value.
      const asked = parts.filter((part) => {
        const names = freeNames(part);
        return chosen.findLastIndex(({ name }) => names.has(name)) === level - 1;
      });
      const values = variable === undefined ? [[]] : this.#tuples([variable]);
      return { values, holds: this.#compile(and(...asked), scope) };
    });
    const search = (tables: Tables, env: Tuple, level: number, found: Tuple[]): Tuple[] => {
      const here = levels[level];
      if (here === undefined) found.push(env);
      for (const value of here?.values ?? []) {
        const extended = [...env, ...value];
        // A copy: quantifiers write behind the slots of the scope.
        if (here?.holds(tables, [...extended]) === 1) search(tables, extended, level + 1, found);
      }
      return found;
    };
    return (tables, args) => search(tables, args, 0, []);
  }

  #elements(sort: Sort): readonly string[] {
    return elementsOf(this.#universe, sort);
  }

  #tuples(variables: readonly Var[]): readonly Tuple[] {
    return tuplesOf(
      this.#universe,
      variables.map(({ sort }) => sort),
    );
  }

  #compile(expr: Expr, scope: readonly Var[]): Compiled {
    switch (expr.kind) {
      case "var":
        return compileVariable(expr, scope);
      case "value": {
        const element = (LISTED_SORTS[expr.sort] as readonly string[]).indexOf(expr.value);
        return () => element;
      }
      case "truth":
        return () => (expr.value ? 1 : 0);
      case "apply":
        return this.#application(expr.symbol, expr.args, scope);
      case "equal": {
        const [left, right] = [this.#compile(expr.left, scope), this.#compile(expr.right, scope)];
        return (tables, env) => (left(tables, env) === right(tables, env) ? 1 : 0);
      }
      case "not": {
        const body = this.#compile(expr.body, scope);
        return (tables, env) => 1 - body(tables, env);
      }
      case "and":
      case "or":
        return this.#junction(expr.kind, expr.parts, scope);
      case "if": {
        const condition = this.#compile(expr.condition, scope);
        const [yes, no] = [this.#compile(expr.yes, scope), this.#compile(expr.no, scope)];
        return (tables, env) => (condition(tables, env) === 1 ? yes(tables, env) : no(tables, env));
      }
      case "forall":
      case "exists":
        return this.#quantifier(expr.kind, expr.variables, expr.body, scope);
    }
  }

  #application(symbol: SymbolName, args: readonly Expr[], scope: readonly Var[]): Compiled {
    const compiled = args.map((arg) => this.#compile(arg, scope));
    const sizes = SYMBOLS[symbol].args.map((sort) => this.#elements(sort).length);
    return (tables, env) => {
      let index = 0;
      for (let i = 0; i < compiled.length; i++) {
        index = index * (sizes[i] ?? 1) + (compiled[i]?.(tables, env) ?? 0);
      }
      return tables[symbol][index] ?? 0;
    };
  }

  #junction(kind: "and" | "or", parts: readonly Expr[], scope: readonly Var[]): Compiled {
    const compiled = parts.map((part) => this.#compile(part, scope));
    const decides = kind === "and" ? 0 : 1;
    return (tables, env) => {
      for (const part of compiled) if (part(tables, env) === decides) return decides;
      return 1 - decides;
    };
  }

  #quantifier(
    kind: "forall" | "exists",
    variables: readonly Var[],
    body: Expr,
    scope: readonly Var[],
  ): Compiled {
    const compiled = this.#compile(body, [...scope, ...variables]);
    const tuples = this.#tuples(variables);
    const decides = kind === "forall" ? 0 : 1;
    return (tables, env) => {
      for (const tuple of tuples) {
        // The slots behind those of the scope are this quantifier's.
        for (let i = 0; i < tuple.length; i++) env[scope.length + i] = tuple[i] ?? 0;
        if (compiled(tables, env) === decides) return decides;
      }
      return 1 - decides;
    };
  }
}

export interface EvaluatedStep {
  readonly args: readonly string[];
  readonly next: Tables;
  /** Which of the action's cases it is, from 0. */
  readonly case: number;
}

/** The symbols of the state that differ. */
export function changedSymbols(before: Tables, after: Tables): readonly StateSymbol[] {
  const symbols = Object.keys(STATE_SYMBOLS) as StateSymbol[];
  return symbols.filter((symbol) => before[symbol].join() !== after[symbol].join());
}

function compileVariable({ name }: Var, scope: readonly Var[]): Compiled {
  const slot = scope.findLastIndex((known) => known.name === name);
  if (slot < 0) throw new Error(`the variable ${name} is bound nowhere`);
  return (_tables, env) => env[slot] ?? 0;
}
