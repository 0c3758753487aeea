/**
 * The whole table of the proof is `npm run prove`, in the gate. Here: what it must not prove, and that it says
 * so in words.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Guard } from "../../model/state.ts";
import { encodeActions } from "../../tla/prove/actions.ts";
import { check, queryText } from "../../tla/prove/check.ts";
import { counterexampleText, smallCounterexample } from "../../tla/prove/counterexample.ts";
import { CONSEQUENCES } from "../../tla/prove/invariant.ts";
import { FOLLOWS, type Obligation, obligations, STEP_PROPERTY } from "../../tla/prove/obligations.ts";
import { readOptions } from "../../tla/prove/prove.ts";
import { IMPOSSIBLE } from "../../tla/prove/scopes.ts";
import { type Solver, startSolver } from "../../tla/prove/solver.ts";
import { PROVED_GUARDS, TWINS, WITHOUT_ROW } from "../../tla/prove/twins.ts";

let solver: Solver;
beforeAll(async () => {
  solver = await startSolver();
});
afterAll(async () => {
  await solver[Symbol.asyncDispose]();
});

function row(action: string, claim: string, broken: readonly Guard[] = []): Obligation {
  const found = obligations(broken).find((one) => one.action === action && one.claim === claim);
  if (found === undefined) throw new Error(`there is no row ${action} x ${claim}`);
  return found;
}

async function counterexampleOf({ parts }: Obligation): Promise<string | null> {
  for (const part of parts) {
    const found = await smallCounterexample(solver, part);
    if (found !== null) return counterexampleText(found);
  }
  return null;
}

describe("each removable guard is needed for a row of the proof", () => {
  for (const guard of PROVED_GUARDS) {
    const twin = TWINS[guard];
    if (twin === null) continue;
    it(`without ${guard}, ${twin.action} does not keep ${twin.claim}; with it, it does`, async () => {
      expect(await counterexampleOf(row(twin.action, twin.claim, [guard]))).toContain("before  ");
      const { verdict } = await check(solver, row(twin.action, twin.claim));
      expect(verdict.kind).toBe("proved");
    });
  }

  it("without EvictByPath, Evict touches the lock of another; with it, it does not", async () => {
    expect(await counterexampleOf(row("Evict", STEP_PROPERTY, ["EvictByPath"]))).toContain("before  ");
    expect((await check(solver, row("Evict", STEP_PROPERTY))).verdict.kind).toBe("proved");
  });

  it("or has a reason not to be: it is about order, waiting or memory, not about safety", () => {
    expect(PROVED_GUARDS.filter((guard) => TWINS[guard] === null)).toEqual(Object.keys(WITHOUT_ROW));
  });
});

describe("what follows from the invariant", () => {
  for (const { name } of CONSEQUENCES) {
    it(`${name} follows from it, and not from nothing`, async () => {
      const obligation = row(FOLLOWS, name);
      expect((await check(solver, obligation)).verdict.kind).toBe("proved");
      const parts = obligation.parts.map((part) => ({ ...part, assumesInvariant: false }));
      expect(await counterexampleOf({ ...obligation, parts })).not.toBeNull();
    });
  }
});

describe("a row that holds for nothing", () => {
  // Every other case has a step from a state that satisfies the invariant: see `uncompared`.
  it.each(IMPOSSIBLE)("%s has a guard that the invariant excludes", async (name) => {
    const cases = encodeActions().flatMap((action) =>
      action.cases.map((one, i) => ({ name: `${action.name} ${i}`, params: action.params, one })),
    );
    const found = cases.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no case ${name}`);
    const constants = [...found.params, ...found.one.chosen];
    const query = { assumesInvariant: true, constants, formulas: [found.one.guard] };
    expect((await solver.ask(queryText(query))).verdict).toBe("unsat");
  });

  it("frame rows are counted apart: nothing is asked for them", () => {
    const rows = obligations();
    expect(rows.length).toBe(759);
    expect(rows.filter(({ parts }) => parts.length === 0).length).toBe(271);
  });

  it("with frames, everything is asked: a frame row is impossible too", async () => {
    const frame = obligations().filter(({ action, parts }) => action === "Look" && parts.length === 0);
    expect(frame.length).toBeGreaterThan(5);
    for (const { claim } of frame) {
      const asked = obligations([], true).find((one) => one.action === "Look" && one.claim === claim);
      if (asked === undefined) throw new Error(`there is no row Look x ${claim}`);
      const { verdict, queries } = await check(solver, asked);
      // Two places where a task looks, and each may fail.
      expect([verdict.kind, queries]).toEqual(["proved", 4]);
    }
  });
});

describe("a row that is not proved", () => {
  it("shows the step: who, the state before, and what changes", async () => {
    const { verdict } = await check(solver, row("Evict", "HeldNameIsAtL", ["EvictByPath"]));
    if (verdict.kind !== "refuted") throw new Error(`it is ${verdict.kind}`);
    const text = counterexampleText(verdict.counterexample);
    expect(text).toMatch(/^before {2}lock: \{N\d\}$/m);
    expect(text).toMatch(/^after {3}lock: \{\}$/m);
  });

  it("is open, and no pass, when the solver gives up", async () => {
    const tired: Solver = {
      ask: async () => ({ verdict: "unknown", detail: "max. resource limit exceeded" }),
      [Symbol.asyncDispose]: async () => undefined,
    };
    const { verdict } = await check(tired, row("Evict", "HeldNameIsAtL"));
    expect(verdict).toEqual({ kind: "open", reason: "Z3 gave up: max. resource limit exceeded" });
  });

  it("a text that Z3 cannot read is an error, not an answer", async () => {
    await expect(solver.ask("(assert (nonsense))")).rejects.toThrow(/Cannot ask Z3: .*line 1/);
  });
});

describe("npm run prove", () => {
  it.each([
    [["--only"], /Cannot read the arguments/],
    [["--nonsense"], /Cannot read the arguments/],
    [["--without", "Nothing"], /Cannot take out "Nothing": .* There are: EvictByPath/],
  ])("%s is an error in words", (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });
});
