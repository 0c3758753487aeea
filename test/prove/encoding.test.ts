/**
 * What Z3 is asked about is the model: state by state, edge by edge, in both directions. And the comparison finds a
 * difference where there is one.
 */

import { describe, expect, it } from "vitest";
import { ACTIONS } from "../../model/actions.ts";
import { GUARDS } from "../../model/state.ts";
import { encodeActions } from "../../tla/prove/actions.ts";
import { compareBeyond, compareWithModel, uncompared } from "../../tla/prove/drift.ts";
import { apply, exists, not, substitute, variable } from "../../tla/prove/formula.ts";
import { CONJUNCTS } from "../../tla/prove/invariant.ts";
import { SCOPES } from "../../tla/prove/scopes.ts";

// The larger ones are compared by `npm run prove`, which is in the gate too.
const SMALL = "local, one process, two of three reentrant, a fault";
const small = SCOPES[SMALL]?.config ?? fail();
const vandal = SCOPES["local, two tasks in a process, a vandal"]?.config ?? fail();

function fail(): never {
  throw new Error("there is no such scope");
}

describe("the encoding of OwnerDirectory is the model", () => {
  it("each edge satisfies its action's formula, no other pair of states does, and the invariant holds", () => {
    const comparison = compareWithModel(small);
    expect(comparison.differences).toEqual([]);
    expect(comparison.states).toBeGreaterThan(500);
  });

  it.each([true, false])(
    "also in states that satisfy the invariant and are never reached (local: %s)",
    (local) => {
      const config = { ...vandal, local, namesPerLife: 1, maxFaults: 1, faults: ["drop", "take"] as const };
      const { states, differences } = compareBeyond(config, 400);
      expect(differences).toEqual([]);
      expect(states).toBeGreaterThan(100);
    },
  );

  it("knows which actions no scope has a step of", () => {
    const perAction = new Map(ACTIONS.filter((name) => name !== "Restore").map((name) => [name, 1]));
    expect(uncompared([{ states: 1, edges: 1, perAction, differences: [] }])).toEqual(["Restore"]);
  });

  it("has the model's actions, in the same order", () => {
    expect(encodeActions().map(({ name }) => name)).toEqual([...ACTIONS]);
  });
});

describe("the encoding loses the guards that the model loses", () => {
  const two = {
    ...small,
    tasks: ["a1", "a2"],
    procOf: { a1: "a", a2: "a" },
    reentrantTasks: [],
    maxRequests: 2,
  };
  for (const guard of GUARDS) {
    it(`${guard}: the encoding without it is the model without it`, () => {
      const putBack = guard === "LatePutBack";
      const config = { ...two, local: putBack, maxCrashes: putBack ? 1 : 0, broken: [guard] };
      const { states, differences } = compareWithModel(config);
      expect(differences).toEqual([]);
      expect(states).toBeGreaterThan(100);
    });
  }
});

describe("the comparison", () => {
  const config = { ...vandal, maxVandals: 0 };

  it("finds an encoding that allows too much", () => {
    const { differences } = compareWithModel(vandal, encodeActions(["NoVerify"]));
    expect(differences.join("\n")).toContain("Verify: 1 edges missing, 1 too many");
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
