import { describe, expect, it } from "vitest";
import { successors } from "../../model/actions.ts";
import * as protocol from "../../src/protocol.ts";
import { comparePinned, runScope, toPin } from "../lockstep/exhaust.ts";
import { type Exhausted, ExhaustFailure, type ExhaustOptions, exhaust } from "../lockstep/exhaustive.ts";
import { explain, LEDGER, type LedgerEntry } from "../lockstep/ledger.ts";
import { memoryOf } from "../lockstep/memory.ts";
import { replay, withWorld } from "../lockstep/programs.ts";
import { EXHAUSTIVE_SCOPES } from "../lockstep/scopes.ts";
import type { Protocol } from "../lockstep/world.ts";
import { CODE_DOUBLES, DOUBLES, doubleOf, loadDouble } from "./doubles.ts";

// tests G16

const EXCLUSIVE = "1 process, 3 tasks, exclusive";
const RESTARTED = "1 process, 2 tasks, restarted twice";
const DROP_RESTARTED = "1 process, 1 task, Drop, restarted twice, 3 requests";
const FAILING = "1 process, 2 tasks, a failing call";
const VANDAL = "1 process, 2 tasks, a vandal";
const FAILING_TAKE = "1 process, 1 task, Take fails three times";
const CRASH = "2 processes, 1 task each, a crash, 4 requests";

function configOf(scope: string): (typeof EXHAUSTIVE_SCOPES)[string]["config"] {
  const declared = EXHAUSTIVE_SCOPES[scope];
  if (declared === undefined) throw new Error(`no scope ${scope}`);
  return declared.config;
}

async function failureOf(scope: string, code: Protocol, options?: ExhaustOptions): Promise<ExhaustFailure> {
  const found = await exhaust(configOf(scope), code, options).catch((error: unknown) => error);
  if (!(found instanceof ExhaustFailure)) throw new Error(`nothing was caught: ${String(found)}`);
  return found;
}

describe("a broken double of the protocol is caught by the exhaustive chooser", () => {
  for (const double of [...DOUBLES, ...CODE_DOUBLES]) {
    const { smallest: scope, caughtBy, saidThere = caughtBy } = double;
    if (typeof scope !== "string" || saidThere.source.includes("was never driven")) continue;
    it(`${double.guard}, at "${scope}"`, async () => {
      const code = await loadDouble(double);
      const { message, counts, steps } = await failureOf(scope, code);
      console.log(
        `twin ${double.guard}: caught after ${counts.steps} steps, in a schedule of ${steps.length}, by ${message.split(":")[0]}`,
      );
      expect(message).toMatch(saidThere);
      // The schedule that it reports fails by itself; it came to rest if it does not.
      const again = withWorld(configOf(scope), code, (world) => replay(world, steps));
      if (message.startsWith("it came to rest")) await again;
      else await expect(again).rejects.toThrow(message);
    });
  }
});

describe("the comparison is caught when it goes wrong", () => {
  it("an edge that the model lacks is a divergence, with the schedule", async () => {
    const withoutHandOver: typeof successors = (c, s, label) => {
      const found = successors(c, s, label);
      return label.action === "Release" ? found.slice(-1) : found;
    };
    const { message, steps } = await failureOf(EXCLUSIVE, protocol, { successors: withoutHandOver });
    expect(message).toMatch(/^Release\(a\d\) is not a step of the model: heldLocks: /);
    expect(steps.at(-1)).toMatch(/^Release\(a\d\) hands over$/);
  });

  it("a path that the code lacks is an edge that was never driven", async () => {
    const code = await loadDouble(doubleOf("NeverHandsOver"));
    const { failures, edges, edgesDriven } = await runScope(EXCLUSIVE, {}, code);
    expect(failures[0]).toMatch(/^Release\(a\d\), Release holding -> idle, was never driven after: /);
    expect(failures[0]).toMatch(/\nReplay: npm run lockstep -- --scope /);
    expect(failures.at(-1)).toMatch(/^\d+ edges were never driven$/);
    expect(edgesDriven).toBeLessThan(edges);
  });

  it("a count that differs from the pinned one is a failure, and so is one that is not pinned", async () => {
    const result = await runScope(EXCLUSIVE);
    const pin = toPin(result);
    expect(comparePinned(result, pin)).toEqual([]);
    expect(comparePinned(result, { ...pin, places: pin.places + 1 })).toHaveLength(1);
    expect(comparePinned(result, undefined)).toEqual([expect.stringMatching(/^not pinned: /)]);
  });

  it("a memory of nothing is noticed: one place then has different options", async () => {
    const { message } = await failureOf(FAILING, protocol, { memory: () => "" });
    expect(message).toMatch(/memory\.ts lacks something: at /);
  });

  // Each ends the text of a process: spins, failures.
  const withoutCounter = (which: RegExp): Pick<ExhaustOptions, "memory"> => ({
    memory: (world) => memoryOf(world).replaceAll(which, ""),
  });
  const noSpins = withoutCounter(/\b\d+ (?=\d+(\||$))/g);
  const noFailures = withoutCounter(/\b\d+(?=\||$)/g);
  for (const [counter, scope, options] of [
    ["spins", DROP_RESTARTED, noSpins],
    ["spins", CRASH, noSpins],
    ["failures", FAILING, noFailures],
    ["failures", VANDAL, noFailures],
    ["failures", FAILING_TAKE, noFailures],
  ] as const) {
    it(`a memory without ${counter} is noticed, at "${scope}"`, async () => {
      const { message } = await failureOf(scope, protocol, options);
      const [, before = "", now = ""] =
        /lacks a counter: at .* were (\{.*\}), now (\{.*\})$/.exec(message) ?? [];
      const values = new RegExp(`"${counter}":\\d`, "g");
      expect(before).not.toBe(now);
      expect(before.replaceAll(values, "")).toBe(now.replaceAll(values, ""));
    });
  }
});

describe("the ledger excuses what it says, and no more", () => {
  let found: Exhausted | undefined;
  const explainVandal = async (ledger: readonly LedgerEntry[]): Promise<ReturnType<typeof explain>> => {
    found ??= await exhaust(configOf(VANDAL), protocol);
    const { edges, countersAt } = found;
    return explain(VANDAL, edges.list("missed"), edges.list("driven"), countersAt, ledger);
  };
  const [first] = LEDGER;
  if (first === undefined) throw new Error("the ledger is empty");

  it("explains every edge at a scope that it names", async () => {
    const { unexplained, wrong, entries } = await explainVandal(LEDGER);
    expect({ unexplained, wrong }).toEqual({ unexplained: [], wrong: [] });
    expect(entries.map(({ edges }) => edges)).toEqual([4, 4]);
  });

  it("leaves open what no entry is about", async () => {
    expect((await explainVandal([])).unexplained).toHaveLength(8);
  });

  it("is wrong if an entry matches nothing", async () => {
    const { wrong } = await explainVandal([...LEDGER, { ...first, scopes: [VANDAL] }]);
    expect(wrong).toEqual([
      "Judge looked -> waiting: every such edge was driven, so it is not for this scope",
    ]);
  });

  it("is wrong if an entry matches an edge that was driven", async () => {
    const greedy = LEDGER.map((entry) => ({ ...entry, which: () => true, unable: () => true }));
    const { wrong } = await explainVandal(greedy);
    expect(wrong).toContain("Judge lookedDoubt -> idle: it excuses an edge that was driven");
  });
});

describe("the exhaustive chooser below a prefix", () => {
  it("counts what is reachable from there", async () => {
    const prefix = ["Request(a1)", "Prepare(a1)", "Crash(a)"];
    const { edges, counts } = await exhaust(configOf(RESTARTED), protocol, { prefix });
    const whole = await exhaust(configOf(RESTARTED), protocol);
    expect(edges.driven).toBe(edges.edges);
    expect(edges.edges).toBeLessThan(whole.edges.edges);
    expect(counts.places).toBeLessThan(whole.counts.places);
  });

  it("says which step of the prefix is not possible", async () => {
    const impossible = exhaust(configOf(RESTARTED), protocol, { prefix: ["Request(a1)", "Take(a1)"] });
    await expect(impossible).rejects.toThrow(/Cannot replay step 2, "Take\(a1\)"/);
  });
});
