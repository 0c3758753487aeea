import { describe, expect, it } from "vitest";
import type { DiskCall } from "../../src/disk.ts";
import type { CallAction } from "../../src/steps.ts";
import { leftAfter } from "./endings.ts";
import { errnosOf, isUnderstood, UNDERSTOOD } from "./errnos.ts";
import { forgetsOnly, LIES, type Lie, lieText, outcomeOf } from "./lies.ts";
import { runFaults } from "./run.ts";
import { FAULT_SCOPES } from "./scopes.ts";

// tests G1 G2 G6 G7 G14

/** A limit for what hangs: the longest takes 10 s on two busy cores. */
const TIMEOUT_MS = 300_000;

const scopes = Object.entries(FAULT_SCOPES).filter(([, { gate }]) => gate);
const kinds = new Set<string>();

describe("whatever call fails, with whatever errno, nothing is violated, everything settles, and nothing is left", () => {
  for (const [name, scope] of scopes) {
    it(
      name,
      async () => {
        const { failures, places, injected, endings, seconds, ...rest } = await runFaults(name, scope);
        console.log(
          `faults ${name}: ${injected} failures of ${rest.kinds.size} kinds at ${places} places, ${endings} endings, ${seconds.toFixed(1)} s`,
        );
        for (const kind of rest.kinds) kinds.add(kind);
        expect(failures).toEqual([]);
        expect(injected).toBeGreaterThan(0);
      },
      TIMEOUT_MS,
    );
  }

  it("every errno of every call was injected, and said of a call that happened, and of one that happens later", () => {
    const missing = CALLS.flatMap(([action, call]) =>
      errnosOf({ call })
        .filter((errno) => !isUnderstood(action, { call }, errno))
        .flatMap(({ name }) => waysOf(action, call).map((way) => `${action} with ${name}${way}`))
        .filter((kind) => !kinds.has(kind)),
    );
    expect(missing).toEqual([]);
  });
});

const isDeep = process.env["SWL_DEEP"] !== undefined;
/** A Take before it that fails in every way: half a minute, for `npm run deep`. */
const isLong = ({ local, at }: Lie): boolean => !local && at === "home";

/** Each action with its call; a Retry is an unlink twice, and an rmdir. */
const CALLS: readonly (readonly [action: CallAction, call: DiskCall["call"]])[] = [
  ["Prepare", "prepare"],
  ["Take", "rename"],
  ["Verify", "readdir"],
  ["Look", "readdir"],
  ["Evict", "unlink"],
  ["Check", "readdir"],
  ["PutBack", "rename"],
  ["Confirm", "readdir"],
  ["Restore", "rename"],
  ["Drop", "unlink"],
  ["Retry", "unlink"],
  ["Retry", "rmdir"],
];

function waysOf(action: CallAction, call: DiskCall["call"]): readonly string[] {
  if (call === "prepare") return ["", ", made the directory", ", happened"];
  if (call === "readdir") return [""];
  // The actions that a disk which is not local has too.
  const late = ["Take", "Drop", "Retry"].includes(action);
  return ["", ", happened", ...(late ? [", later", ", happened, later"] : [])];
}

describe("an answer that is understood, and is not so (A7)", () => {
  for (const lie of LIES.filter((each) => isDeep || !isLong(each) || each.way !== "it happened")) {
    it(
      `${lieText(lie)}: ${String(lie.outcome)}`,
      async () => {
        const outcome = await outcomeOf(lie);
        if (typeof lie.outcome === "string") expect(outcome).toBe(lie.outcome);
        else expect(outcome).toMatch(lie.outcome);
      },
      TIMEOUT_MS,
    );
  }

  const forgetful = LIES.filter(({ outcome }) => typeof outcome !== "string");
  for (const lie of forgetful.filter((each) => isDeep || !isLong(each))) {
    it(
      `${lieText(lie)}: a name is forgotten, and nothing else is violated`,
      async () => {
        expect(await forgetsOnly(lie)).toBeGreaterThan(0);
      },
      TIMEOUT_MS,
    );
  }

  it("each of them is in the table, in each way", () => {
    const told = new Set(LIES.flatMap(({ action, errnos }) => errnos.map((errno) => `${action} ${errno}`)));
    const understood = Object.entries(UNDERSTOOD).flatMap(([action, errnos]) =>
      errnos.map((errno) => `${action} ${errno}`),
    );
    expect([...told].sort()).toEqual([...new Set(understood)].sort());
  });
});

describe("the ending is noticed when it goes wrong", () => {
  it("a home with something of a stranger in it stays", async () => {
    const left = await leftAfter({ lock: null, homes: [["a.1.1", ["a.1.1", "stranger"]]] });
    expect(left).toHaveLength(2);
    expect(left[0]).toMatch(/^\.swl-/);
    expect(left[1]).toBe("0 of 1 homes swept");
  });

  it("a newcomer evicts the dead, and takes an empty directory for free", async () => {
    expect(await leftAfter({ lock: ["a.1.1"], homes: [] })).toEqual([]);
    expect(await leftAfter({ lock: [], homes: [["a.1.2", []]] })).toEqual([]);
  });
});
