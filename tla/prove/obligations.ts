/** What has to be shown: one row for each action and each conjunct, and for each consequence. */

import type { Guard } from "../../model/state.ts";
import { type Case, type EncodedAction, encodeActions, encodeInit, lives, type Update } from "./actions.ts";
import {
  and,
  apply,
  type Expr,
  equal,
  exists,
  freeNames,
  iff,
  mapParts,
  not,
  or,
  type StateSymbol,
  substitute,
  truth,
  type Var,
  variable,
} from "./formula.ts";
import { CONJUNCTS, CONSEQUENCES } from "./invariant.ts";

/** One row of the report. Proved when each of its parts is impossible together with the invariant. */
export interface Obligation {
  readonly action: string;
  readonly claim: string;
  readonly parts: readonly Part[];
}

/** A step that would break the claim: constants, and what is true of them. */
export interface Part {
  readonly assumesInvariant: boolean;
  readonly constants: readonly Var[];
  readonly formulas: readonly Expr[];
  readonly step?: { readonly action: EncodedAction; readonly one: Case };
}

export const STEP_PROPERTY = "NeverTouchesAnothers";
/** The rows that are no action: the invariant holds at first, and implies what is promised. */
export const FOLLOWS = "Inv";

/**
 * A case that changes nothing that a claim is about gives no part; with `frames` it does. A row of such
 * cases alone is a frame row: nothing is asked for it.
 */
export function obligations(broken: readonly Guard[] = [], frames = false): readonly Obligation[] {
  const init = encodeInit();
  return [
    ...CONJUNCTS.map(({ name, formula }) => keeps(init, name, formula, { assumesInvariant: false, frames })),
    ...encodeActions(broken).flatMap((action) => [
      ...CONJUNCTS.map(({ name, formula }) =>
        keeps(action, name, formula, { assumesInvariant: true, frames }),
      ),
      neverTouchesAnothers(action, frames),
    ]),
    ...CONSEQUENCES.map(({ name, formula }) => ({
      action: FOLLOWS,
      claim: name,
      parts: [{ assumesInvariant: true, constants: [], formulas: [not(formula)] }],
    })),
  ];
}

interface Asked {
  readonly assumesInvariant: boolean;
  readonly frames: boolean;
}

function keeps(
  action: EncodedAction,
  claim: string,
  formula: Expr,
  { assumesInvariant, frames }: Asked,
): Obligation {
  const parts = action.cases
    .filter(({ updates }) => frames || updates.some(({ symbol }) => mentions(formula, symbol)))
    .map((one) => ({
      assumesInvariant,
      constants: [...action.params, ...one.chosen],
      formulas: [one.guard, not(after(formula, one.updates))],
      step: { action, one },
    }));
  return { action: action.name, claim, parts };
}

/** `formula` in the next state: every variable that changes is replaced by what it becomes. */
export function after(formula: Expr, updates: readonly Update[]): Expr {
  // What a variable becomes speaks of the step's constants: no quantifier around it may have their names.
  if (formula.kind === "forall" || formula.kind === "exists") {
    const caught = formula.variables.find(({ name }) =>
      updates.some((update) => freeNames(update.value).has(name)),
    );
    if (caught !== undefined)
      throw new Error(`${caught.name} is a constant of the step and a variable of the claim`);
  }
  if (formula.kind === "apply") {
    const args = formula.args.map((arg) => after(arg, updates));
    const update = updates.find(({ symbol }) => symbol === formula.symbol);
    if (update === undefined) return apply(formula.symbol, ...args);
    return substitute(
      update.value,
      new Map(update.args.map(({ name }, i) => [name, args[i] ?? truth(false)])),
    );
  }
  return mapParts(formula, (part) => after(part, updates));
}

function mentions(formula: Expr, symbol: StateSymbol): boolean {
  if (formula.kind === "apply" && formula.symbol === symbol) return true;
  let found = false;
  mapParts(formula, (part) => {
    found ||= mentions(part, symbol);
    return part;
  });
  return found;
}

/** NeverTouchesAnothersStep: while a living process owns L, only its own steps change L. */
function neverTouchesAnothers(action: EncodedAction, frames: boolean): Obligation {
  const parts = touches(action, frames).map(({ one, chosen, formula }) => ({
    assumesInvariant: true,
    constants: [...action.params, ...chosen],
    formulas: [one.guard, formula],
    step: { action, one },
  }));
  return { action: action.name, claim: STEP_PROPERTY, parts };
}

/** A way to change L; `formula`: L is then a living victim's, and the step is none of its own. */
export interface Touch {
  readonly one: Case;
  /** The victim, and what the case chooses. */
  readonly chosen: readonly Var[];
  readonly formula: Expr;
}

export function touches(action: EncodedAction, frames = false): readonly Touch[] {
  const victim = variable("victim", "Name");
  const other = variable("other", "Name");
  return action.cases
    .filter(
      ({ updates }) => frames || updates.some(({ symbol }) => symbol === "lock" || symbol === "lockStands"),
    )
    .map((one) => {
      const differs = (expr: Expr): Expr => not(iff(expr, after(expr, one.updates)));
      const changes = or(differs(apply("lockStands")), exists([other], differs(apply("lock", other))));
      const formula = and(apply("lock", victim), lives(victim), changes, not(isByOwner(action, victim)));
      return { one, chosen: [victim, ...one.chosen], formula };
    });
}

function isByOwner({ name, params }: EncodedAction, victim: Var): Expr {
  const [first = victim, second = victim] = params;
  if (name === "Retry" || name === "LateEffect") return equal(second, victim);
  if (name !== "Drop" && name !== "PutBack") return truth(false);
  const mine = apply("procOf", first);
  return and(equal(mine, apply("owner", victim)), apply("home", mine, victim));
}
