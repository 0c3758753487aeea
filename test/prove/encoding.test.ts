/**
 * What Z3 is asked about is the model: state by state, edge by edge, in both directions. And the comparison finds a
 * difference where there is one.
 */

import { describe, expect, it } from "vitest";
import { ACTIONS, type ActionName } from "../../model/actions.ts";
import type { Config } from "../../model/state.ts";
import { type Case, type EncodedAction, encodeActions } from "../../tla/prove/actions.ts";
import { compareBeyond, compareWithModel, uncompared } from "../../tla/prove/drift.ts";
import {
  and,
  apply,
  equal,
  exists,
  forall,
  implies,
  not,
  substitute,
  truth,
  value,
  variable,
} from "../../tla/prove/formula.ts";
import { CONJUNCTS, CONSEQUENCES } from "../../tla/prove/invariant.ts";
import { STEP_PROPERTY, touches } from "../../tla/prove/obligations.ts";
import { SCOPES, UNREACHED } from "../../tla/prove/scopes.ts";
import { PROVED_GUARDS } from "../../tla/prove/twins.ts";

// The larger ones are compared by `npm run prove`, which is in the gate too.
const SMALL = "local, one process, two of three reentrant, a fault";
const small = SCOPES[SMALL]?.config ?? fail();
const vandal = SCOPES["local, two tasks in a process, a vandal"]?.config ?? fail();

const ONE_TASK = {
  tasks: ["a1"],
  procOf: { a1: "a" },
  reentrantTasks: [],
  patientTasks: ["a1"],
  faults: [],
  maxFaults: 0,
};

function fail(): never {
  throw new Error("there is no such scope");
}

describe("the encoding of OwnerDirectory is the model", () => {
  it("each edge satisfies its action's formula, no other pair of states does, and the invariant holds", () => {
    const comparison = compareWithModel(small);
    expect(comparison.differences).toEqual([]);
    expect(comparison.states).toBeGreaterThan(500);
  });

  it("also in states that satisfy the invariant and are never reached", () => {
    const made: Config = { ...vandal, namesPerLife: 1, maxFaults: 1, faults: ["drop", "take"] };
    const crash = { ...small, ...ONE_TASK, local: false, maxCrashes: 1, namesPerLife: 2, maxRequests: 2 };
    const comparisons = [
      compareBeyond(made, 400),
      compareBeyond({ ...made, local: false }, 800),
      compareBeyond(crash, 20),
    ];
    expect(comparisons.flatMap(({ differences }) => differences)).toEqual([]);
    for (const { states } of comparisons) expect(states).toBeGreaterThan(100);
    expect(uncompared(comparisons).filter((one) => UNREACHED.includes(one))).toEqual([]);
    // What follows from the invariant is the model's promise where it is kept, and where it is not.
    const names = CONSEQUENCES.map(({ name }) => name);
    for (const found of ["true", "false"] as const) {
      const seen = comparisons.flatMap((comparison) => [...comparison.seen[found]]);
      expect(seen).toEqual(expect.arrayContaining(names));
    }
  });

  it("knows which cases no scope has a step of", () => {
    const all = uncompared([]);
    expect(all).toContain("Take 0");
    const cases = new Set(all.filter((one) => one !== "Take 0"));
    expect(uncompared([{ cases }])).toEqual(["Take 0"]);
  });

  it("has the model's actions, in the same order, but those of guests, and those that break an assumption or revoke", () => {
    const left: readonly ActionName[] = ["LetGo", "Expire", "GuestEnds", "Suspect", "Break", "Remove"];
    const others = ACTIONS.filter((name) => !left.includes(name));
    expect(encodeActions().map(({ name }) => name)).toEqual(others);
  });

  it("says so where the model takes a step that is not encoded", () => {
    const { differences } = compareWithModel({ ...small, ...ONE_TASK, guestOf: { a: "ga" } });
    expect(differences).toContain("GuestEnds is not encoded, and the model takes it");
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
  for (const guard of PROVED_GUARDS) {
    it(`${guard}: the encoding without it is the model without it`, () => {
      const putBack = guard === "LatePutBack";
      const config = { ...two, local: putBack, maxCrashes: putBack ? 1 : 0, broken: [guard] };
      const { states, differences } = compareWithModel(config);
      expect(differences).toEqual([]);
      expect(states).toBeGreaterThan(100);
    });
  }
});

describe("what is promised, where a guard is missing and it is broken", () => {
  const config: Config = {
    ...small,
    ...ONE_TASK,
    procs: ["a", "b"],
    tasks: ["a1", "b1"],
    procOf: { a1: "a", b1: "b" },
    pidOf: { a: "a", b: "b" },
    patientTasks: ["a1", "b1"],
    maxCrashes: 1,
    broken: ["EvictByPath"],
  };

  it("the solver is asked for the steps that the model forbids, and here are some", () => {
    const { differences, seen } = compareWithModel(config);
    expect(differences).toEqual([]);
    expect([...seen.true]).toContain(STEP_PROPERTY);
    expect([...seen.false]).toEqual(expect.arrayContaining([STEP_PROPERTY, "MutualExclusion"]));
  });

  it("a MutualExclusion that lets two processes hold is found", () => {
    const [t, u] = [variable("t", "Task"), variable("u", "Task")];
    const holding = (task: typeof t) => equal(apply("pc", task), value("Pc", "holding"));
    const oneProcess = equal(apply("procOf", t), apply("procOf", u));
    const sharing = and(apply("reentrant", t), apply("reentrant", u));
    const both = and(holding(t), holding(u), not(equal(t, u)), oneProcess);
    const wrong = { name: "MutualExclusion", formula: forall([t, u], implies(both, sharing)) };
    const { differences } = compareWithModel(config, { consequences: [wrong] });
    expect(differences.join("\n")).toContain("MutualExclusion in ");
  });

  it("a claim that forbids nothing is found", () => {
    const nothing = (action: EncodedAction) =>
      touches(action).map((touch) => ({ ...touch, formula: truth(false) }));
    const { differences } = compareWithModel(config, { touches: nothing });
    expect(differences.join("\n")).toContain(`${STEP_PROPERTY} of Evict: 1 edges missing`);
  });
});

/** The encoding without some cases of an action. */
function lacking(name: ActionName, isLost: (one: Case, i: number) => boolean): readonly EncodedAction[] {
  return encodeActions().map((action) =>
    action.name === name ? { ...action, cases: action.cases.filter((one, i) => !isLost(one, i)) } : action,
  );
}

describe("the comparison", () => {
  const config = { ...vandal, maxVandals: 0 };

  it("finds an encoding that allows too much", () => {
    const { differences } = compareWithModel(vandal, { actions: encodeActions(["NoVerify"]) });
    expect(differences.join("\n")).toContain("Verify: 1 edges missing, 1 too many");
  });

  it("finds an encoding that lacks a case", () => {
    const actions = lacking("Wake", (_, i) => i === 0);
    expect(compareWithModel(config, { actions }).differences.join("\n")).toContain("Wake: 1 edges missing");
  });

  it("finds a conjunct that is false in a reachable state", () => {
    const t = variable("t", "Task");
    const wrong = { name: "NobodyGivesUp", formula: not(exists([t], apply("gaveUp", t))) };
    const giving = { ...config, patientTasks: [] };
    expect(compareWithModel(giving, { conjuncts: [...CONJUNCTS, wrong] }).differences.join("\n")).toContain(
      "NobodyGivesUp",
    );
  });

  it("finds that requests without a limit are missing", () => {
    const unlimited = SCOPES["local, no limit of requests"]?.config ?? fail();
    const actions = lacking("Request", ({ updates }) => updates.every(({ symbol }) => symbol !== "requests"));
    expect(compareWithModel(unlimited, { actions }).differences.join("\n")).toMatch(
      /Request: \d+ edges missing/,
    );
  });

  it("finds that an eviction that fails may no longer take effect later", () => {
    const scope = SCOPES["Drop, one task, a crash, a take or an eviction fails"]?.config ?? fail();
    const actions = lacking("Evict", ({ updates }) => updates.some(({ symbol }) => symbol === "late"));
    expect(compareWithModel(scope, { actions }).differences.join("\n")).toMatch(/Evict: \d+ edges missing/);
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
