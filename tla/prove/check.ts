/** Asks the solver about obligations, one row after another. */

import { type SmallCounterexample, smallCounterexample } from "./counterexample.ts";
import { AXIOMS, CONJUNCTS } from "./invariant.ts";
import type { Obligation, Part } from "./obligations.ts";
import { assertion, declarations, declareConstant } from "./smt.ts";
import type { Solver } from "./solver.ts";

export type Verdict =
  | { readonly kind: "proved" }
  | { readonly kind: "refuted"; readonly counterexample: SmallCounterexample }
  /** Neither: the solver gave up, or what it found is too large to show. Never a pass. */
  | { readonly kind: "open"; readonly reason: string };

export interface Row {
  readonly action: string;
  readonly claim: string;
  readonly verdict: Verdict;
  readonly queries: number;
  readonly seconds: number;
}

/** Each of the parts must be impossible. Of what fails, the first is enough. */
export async function check(solver: Solver, { action, claim, parts }: Obligation): Promise<Row> {
  const started = performance.now();
  let verdict: Verdict = { kind: "proved" };
  let queries = 0;
  for (const part of parts) {
    queries++;
    verdict = await verdictOf(solver, part);
    if (verdict.kind !== "proved") break;
  }
  return { action, claim, verdict, queries, seconds: (performance.now() - started) / 1000 };
}

async function verdictOf(solver: Solver, part: Part): Promise<Verdict> {
  const { verdict, detail } = await solver.ask(queryText(part));
  if (verdict === "unsat") return { kind: "proved" };
  const counterexample = await smallCounterexample(solver, part);
  if (counterexample !== null) return { kind: "refuted", counterexample };
  const reason =
    verdict === "unknown" ? `Z3 gave up: ${detail}` : "there is a counterexample, but no small one";
  return { kind: "open", reason };
}

/** The step that breaks the claim, as SMT-LIB: without `(check-sat)`. */
export function queryText({ assumesInvariant, constants, formulas }: Part): string {
  const invariant = assumesInvariant ? CONJUNCTS.map(({ formula }) => formula) : [];
  return [
    declarations(),
    ...constants.map(declareConstant),
    ...[...AXIOMS, ...invariant, ...formulas].map(assertion),
  ].join("\n");
}
