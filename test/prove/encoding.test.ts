/**
 * What Z3 is asked about is the model: state by state, edge by edge, in both directions. And the comparison finds a
 * difference where there is one.
 */

import { describe, expect, it } from "vitest";
import { ACTIONS } from "../../model/actions.ts";
import { GUARDS } from "../../model/state.ts";
import { encodeActions } from "../../tla/prove/actions.ts";
import { type Comparison, compareWithModel, uncompared } from "../../tla/prove/drift.ts";
import { apply, exists, not, substitute, variable } from "../../tla/prove/formula.ts";
import { CONJUNCTS } from "../../tla/prove/invariant.ts";
import { SCOPES } from "../../tla/prove/scopes.ts";

const gate = Object.entries(SCOPES).filter(([, { deep }]) => !deep);

describe("the encoding of OwnerDirectory is the model", () => {
  const comparisons: Comparison[] = [];
  for (const [name, { config }] of gate) {
    it(`${name}: each edge satisfies its action's formula, no other pair of states does, the invariant holds`, () => {
      const comparison = compareWithModel(config);
      comparisons.push(comparison);
      expect(comparison.differences).toEqual([]);
      expect(comparison.states).toBeGreaterThan(500);
    });
  }

  it("every action has an edge in one of the scopes", () => {
    expect(comparisons).toHaveLength(gate.length);
    expect(uncompared(comparisons)).toEqual([]);
  });

  it("has the model's actions, in the same order", () => {
    expect(encodeActions().map(({ name }) => name)).toEqual([...ACTIONS]);
  });
});

describe("the encoding loses the guards that the model loses", () => {
  // Each guard at a scope where it matters: the model without it is compared with the encoding without it.
  const scopeOf = (name: string) => SCOPES[name]?.config;
  const three = scopeOf("local, one process, two of three reentrant, a fault");
  for (const guard of GUARDS) {
    it(`${guard}: the encoding without it is the model without it`, () => {
      if (three === undefined) throw new Error("no such scope");
      const small = { ...three, maxRequests: 2, local: guard === "LatePutBack" };
      expect(compareWithModel({ ...small, maxCrashes: 1, broken: [guard] }).differences).toEqual([]);
    });
  }
});

describe("the comparison", () => {
  const [first] = gate;
  const config = { ...(first?.[1].config as NonNullable<typeof first>[1]["config"]), maxVandals: 0 };

  it("finds an encoding that allows too much", () => {
    const without = encodeActions(["NoVerify"]);
    const { differences } = compareWithModel({ ...config, maxVandals: 1 }, without);
    expect(differences.join("\n")).toContain("Verify: ");
  });

  it("finds an encoding that lacks a case", () => {
    const lacking = encodeActions().map((action) =>
      action.name === "Wake" ? { ...action, cases: action.cases.slice(1) } : action,
    );
    expect(compareWithModel(config, lacking).differences.join("\n")).toContain("Wake: 1 edges missing");
  });

  it("finds a conjunct that is false in a reachable state", () => {
    const t = variable("t", "Task");
    const wrong = { name: "NobodyGivesUp", formula: not(exists([t], apply("gaveUp", t))) };
    const giving = { ...config, patientTasks: [] };
    expect(compareWithModel(giving, undefined, [...CONJUNCTS, wrong]).differences.join("\n")).toContain(
      "NobodyGivesUp",
    );
  });
});

describe("substitution", () => {
  it("does not let a quantifier catch a variable of the value", () => {
    const [n, m] = [variable("n", "Name"), variable("m", "Name")];
    const formula = exists([m], apply("homeHas", n, m));
    const free = substitute(formula, new Map([["n", m]]));
    const [m_] = [variable("m_", "Name")];
    expect(free).toEqual(exists([m_], apply("homeHas", m, m_)));
  });
});
