import { describe, expect, it } from "vitest";
import { problemsOf, readKept, readPage, renderPage } from "./matrixPage.ts";
import { CHECKS, type Check, MUTANTS } from "./mutants.ts";
import { PROPERTIES } from "./violations.ts";

// The kills themselves are not repeated here: what kills a mutant in the gate is test/model/explorer.test.ts,
// test/prove/proof.test.ts, doubles.test.ts, exhaustive.test.ts and test/process, by the same lists.

/** Without those that `npm run tlc -- --deep` has. */
const IN_THE_GATE = CHECKS.filter((check) => check !== "tlc");
const kept = readKept();

describe("the mutants", () => {
  it("are at least thirty of the protocol, each with a name of its own and a sentence", () => {
    expect(
      MUTANTS.filter(({ expected }) => expected.processes.kind === "none").length,
    ).toBeGreaterThanOrEqual(30);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.filter(({ gone }) => gone === "")).toEqual([]);
  });

  it.each(MUTANTS)(
    "$name is killed by a check of the gate, and whatever it survives has a reason",
    ({ expected }) => {
      expect(IN_THE_GATE.filter((check) => expected[check].kind === "killed")).not.toEqual([]);
      const reasons = CHECKS.map((check) => expected[check]).filter((one) => one.kind !== "killed");
      expect(reasons.filter(({ why }) => why === "")).toEqual([]);
    },
  );
});

describe("the checks", () => {
  it.each(CHECKS)("%s kills something", (check) => {
    expect(MUTANTS.filter(({ name }) => kept[name]?.[check]?.verdict === "killed")).not.toEqual([]);
  });

  it.each(PROPERTIES)("%s is violated by a mutant", (property) => {
    expect(
      MUTANTS.filter(({ name }) => kept[name]?.explorer?.violated?.[property] !== undefined),
    ).not.toEqual([]);
  });
});

describe("the results of npm run matrix", () => {
  it("are what the list of mutants expects", () => {
    expect(problemsOf(MUTANTS, kept)).toEqual([]);
    expect(Object.keys(kept).sort()).toEqual(MUTANTS.map(({ name }) => name).sort());
  });

  it("twin: a survivor, a kill by something else, a kill too many and a missing cell are problems", () => {
    const problems = (name: string, row: (typeof kept)[string], check: Check): readonly string[] =>
      problemsOf(
        MUTANTS.filter((mutant) => mutant.name === name),
        { [name]: row },
        [check],
      );
    const cell = { by: "Fifo", after: "", time: "" };
    expect(problems("HandOverToAll", { proof: { ...cell, verdict: "survived" } }, "proof")).toEqual([
      "HandOverToAll, proof: it SURVIVES Release x HoldersShare",
    ]);
    expect(problems("HandOverToAll", { proof: { ...cell, verdict: "killed" } }, "proof")).toEqual([
      "HandOverToAll, proof: it is killed by something else: Fifo",
    ]);
    expect(problems("NeverHandsOver", { random: { ...cell, verdict: "killed" } }, "random")).toEqual([
      "NeverHandsOver, random: it should survive, and is killed by Fifo",
    ]);
    expect(problems("HandOverToAll", {}, "explorer")).toEqual(["HandOverToAll, explorer: it was not asked"]);
  });

  it("are on the page", () => {
    expect(readPage(), "run `npm run matrix -- --update`").toBe(renderPage(MUTANTS, kept));
  });
});
