import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ACTIONS } from "../../model/actions.ts";
import { issueLock } from "../../model/issue/issueLock.ts";
import * as issue from "../../model/issue/state.ts";
import { INVARIANTS, STEP_PROPERTIES } from "../../model/properties.ts";
import { GUARDS, initialState, PCS } from "../../model/state.ts";
import { CONJUNCTS } from "../../tla/prove/invariant.ts";
import { readIssueConfig } from "../../tla/tools/constants.ts";
import { SCOPES } from "../lockstep/scopes.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const read = (...path: string[]): string => readFileSync(join(root, ...path), "utf8");
const spec = read("tla", "OwnerDirectory.tla");
const protocol = read("src", "protocol.ts");

/** The environment's, and the tools' own, have no step in the code. */
const ENVIRONMENT = ["Crash", "Start", "GuestEnds", "LateEffect", "Vandal", "Suspect", "Break", "Remove"];

describe("one vocabulary in tla/, model/ and src/ (shared habit 1)", () => {
  it("the specification's actions are the model's, in the same order", () => {
    const helpers = [
      "Step",
      "Task",
      "Pay",
      "HandsOver",
      "GoesToDisk",
      "Dead",
      "SeemsDead",
      "LetsGo",
      "Sent",
      "SentPutBack",
      "Waits",
      "StartGuest",
    ];
    const body = spec.slice(spec.indexOf("(* The actions *)"), spec.indexOf("Environment =="));
    const defined = [...body.matchAll(/^([A-Z]\w*)\((?:t|p|g|n|c|p, n)\) ==/gm)].map(
      ([, name]) => name ?? "",
    );
    expect(defined.filter((name) => !helpers.includes(name))).toEqual([...ACTIONS]);
  });

  it("every action is a labelled step, or a call, of src/protocol.ts, and the other way round", () => {
    const labelled = [...protocol.matchAll(/\b(?:call|turn)\("([A-Z]\w+)"/g)].map(([, name]) => name ?? "");
    const calls = ["Request", "GiveUp", "LetGo", "Release", "Expire"].filter((name) => {
      const functionName = name[0]?.toLowerCase() + name.slice(1);
      return protocol.includes(`/** \`${name}\``) || protocol.includes(` * \`${name}\`: `)
        ? protocol.includes(`export function ${functionName}(`)
        : false;
    });
    const found = new Set([...labelled, ...calls]);
    expect([...found].sort()).toEqual(ACTIONS.filter((name) => !ENVIRONMENT.includes(name)).sort());
  });

  it("the specification's variables are the fields of the model's state, in the same order", () => {
    const block = spec.slice(spec.indexOf("VARIABLES"), spec.indexOf("procVars =="));
    const names = [...block.matchAll(/^ {2}(\w+),? /gm)].map(([, name]) => name ?? "");
    const [config] = Object.values(SCOPES);
    if (config === undefined) throw new Error("no scope");
    expect(names).toEqual(Object.keys(initialState(config)));
  });

  it("what a trace records of a process are variables of the specification, in the same order", () => {
    const recorder = read("test", "stress", "recorder.mjs");
    const body = recorder.slice(
      recorder.indexOf("function stateOf"),
      recorder.indexOf("/** Whose name a call"),
    );
    const recorded = [...body.matchAll(/^ {4}(\w+):/gm)].map(([, name]) => name ?? "");
    const [config] = Object.values(SCOPES);
    if (config === undefined) throw new Error("no scope");
    const variables = Object.keys(initialState(config));
    expect(recorded.length).toBeGreaterThan(5);
    expect(recorded).toEqual(variables.filter((name) => recorded.includes(name)));
  });

  it("the specification's program counters are the model's", () => {
    const section = spec.slice(spec.indexOf("InFlight =="), spec.indexOf("ThreadFree(p) =="));
    const names = new Set([...section.matchAll(/"(\w+)"/g)].map(([, name]) => name ?? ""));
    expect([...names].sort()).toEqual([...PCS].sort());
  });

  it("the guards that the specification can lose are those that the model can lose", () => {
    const names = new Set([...spec.matchAll(/"(\w+)" \\(?:not)?in Broken/g)].map(([, name]) => name ?? ""));
    expect([...names].sort()).toEqual([...GUARDS].sort());
  });

  it("the model's properties are defined in the specification, under the same names", () => {
    for (const { name } of [...INVARIANTS, ...STEP_PROPERTIES]) {
      expect(spec, name).toMatch(new RegExp(`^${name} ==`, "m"));
    }
  });

  it("the inductive invariant has the same conjuncts in tla/Inductive.tla, tla/prove and spec/guarantees.md, in order", () => {
    const inductive = read("tla", "Inductive.tla");
    const body = inductive.slice(inductive.indexOf("\nInv ==\n"), inductive.indexOf("THEOREM Spec"));
    const [typed, ...specified] = [...body.matchAll(/^ {2}\/\\ (\w+)$/gm)].map(([, name]) => name);
    expect(typed).toBe("TypeOK");
    const names = CONJUNCTS.map(({ name }) => name);
    expect(specified).toEqual(names);
    const page = read("spec", "guarantees.md");
    const section = page.slice(page.indexOf("## Why it holds"), page.indexOf("**What follows.**"));
    const heads = [...section.matchAll(/^- ((?:`\w+`(?: \(G\d+\))?(?:, )?)+):/gm)].map(
      ([, head]) => head ?? "",
    );
    expect(heads.flatMap((head) => [...head.matchAll(/`(\w+)`/g)].map(([, name]) => name))).toEqual(names);
  });
});

describe("one vocabulary in tla/IssueLock.tla and model/issue/", () => {
  const spec = read("tla", "IssueLock.tla");
  const between = (from: string, to: string): string => spec.slice(spec.indexOf(from), spec.indexOf(to));
  const quoted = (text: string): string[] => [...text.matchAll(/"(\w+)"/g)].map(([, word]) => word ?? "");

  it("the actions are the model's, in the same order", () => {
    const body = between("(* The actions *)", "\nTask(t) ==");
    const helpers = ["Dead", "Orphan", "TooOld", "Nothing"];
    const defined = [...body.matchAll(/^([A-Z]\w*)(?:\((?:t|x|p|n|p, n|s)\))? ==/gm)].map(
      ([, name]) => name ?? "",
    );
    expect(defined.filter((name) => !helpers.includes(name))).toEqual(issueLock.actions);
  });

  it("the variables are the fields of the model's state, in the same order", () => {
    const block = between("VARIABLES", "procVars ==");
    const names = [...block.matchAll(/^ {2}(\w+),? /gm)].map(([, name]) => name ?? "");
    const config = readIssueConfig(join(root, "tla"), "IssueGraphOld.cfg");
    const [initial] = issueLock.initialStates(config);
    expect(names).toEqual(Object.keys(initial ?? {}));
  });

  it("the program counters are the model's", () => {
    const names = new Set([...quoted(between("Taking ==", "PCs ==")), "idle", "holding"]);
    expect([...names].sort()).toEqual([...issue.PCS].sort());
  });

  it("holes, features and fixes are the model's, in the same order", () => {
    expect(quoted(between("Holes == {", "AllFeatures == {"))).toEqual([...issue.HOLES]);
    expect(quoted(between("AllFeatures == {", "\nASSUME"))).toEqual([...issue.FEATURES]);
    expect(quoted(/Fix \\in (\{.*?\})/.exec(spec)?.[1] ?? "")).toEqual([...issue.FIXES]);
  });

  it("every hole that the specification names is one of the list, and is used", () => {
    const body = spec.slice(spec.indexOf("ASSUME"));
    const used = new Set([...body.matchAll(/"([A-Z]\w+)"/g)].map(([, name]) => name ?? ""));
    expect([...used].sort()).toEqual([...issue.HOLES].sort());
  });

  it("the properties are defined in the specification, under the same names", () => {
    for (const { name } of [...issueLock.invariants, ...issueLock.stepProperties]) {
      expect(spec, name).toMatch(new RegExp(`^${name} ==`, "m"));
    }
  });
});
