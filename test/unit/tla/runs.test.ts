import { describe, expect, it } from "vitest";
import { readRun } from "../../../tla/tools/findings.ts";
import { modelOf } from "../../../tla/tools/modelGraph.ts";
import { changesBetween } from "../../../tla/tools/runs.ts";
import { isTlcOutput, readTlcTrace } from "../../../tla/tools/tlcTrace.ts";

/** What TLC 2.18 printed for a smaller MkdirMtime, with its way of breaking long values. */
const printed = `TLC2 Version 2.18 of Day Month 20??
Error: Invariant FreshIdsSuffice is violated.
Error: The behavior up to this point is:
State 1: <Initial predicate>
/\\ now = 0
/\\ pc = [a |-> "idle", b |-> "idle"]

State 2: <Request line 96, col 3 to line 98, col 68 of module MkdirMtime>
/\\ now = 0
/\\ pc = [ a |-> "mkdir",
  b |-> "idle" ]

12 states generated, 7 distinct states found, 3 states left on queue.
Finished in 00s at (2026-01-01 00:00:00)
`;

describe("TLC's counterexample", () => {
  it("is read as canonical states, with what they violate", () => {
    expect(readTlcTrace(printed)).toEqual({
      property: "FreshIdsSuffice",
      states: [
        'now = 0 /\\ pc = [a |-> "idle", b |-> "idle"]',
        'now = 0 /\\ pc = [a |-> "mkdir", b |-> "idle"]',
      ],
    });
  });

  it("is read as `npm run tlc` quotes it", () => {
    const quoted = printed.replaceAll(/^/gm, "  | ");
    expect(isTlcOutput(quoted)).toBe(true);
    expect(readTlcTrace(quoted)).toEqual(readTlcTrace(printed));
  });

  it("leaves out what repeats a state, at the end of a violation of liveness", () => {
    const temporal = printed
      .replace("Invariant FreshIdsSuffice is", "Temporal properties were")
      .replace("12 states", "State 3: Stuttering\n12 states");
    expect(readTlcTrace(temporal).states).toHaveLength(2);
  });

  it.each([
    ["a run that holds", "Model checking completed. No error has been found.\n"],
    ["an error without a counterexample", "Error: Deadlock reached.\n"],
    ["states without an error", printed.replaceAll(/^Error: .*\n/gm, "")],
  ])("is not in %s", (_what, text) => {
    expect(() => readTlcTrace(text)).toThrow("Cannot read the counterexample");
  });
});

/** As TLC prints a run: it names actions without their arguments. */
function asTlcPrints(configName: string, property: string): string {
  const model = modelOf(configName);
  const run = model.shortestRun(property);
  if (run === null) throw new Error(`${configName} holds`);
  const blocks = run.states.map((state, i) => {
    const action = run.labels[i - 1]?.replace(/\(.*/, "") ?? "Initial predicate";
    return `State ${i + 1}: <${action}>\n/\\ ${state.replaceAll(/ \/\\ (?=\w+ = )/g, "\n/\\ ")}\n`;
  });
  return `Error: Invariant ${property} is violated.\n${blocks.join("\n")}\n1 states generated\n`;
}

describe("a run that is followed in the model", () => {
  const clock = "MkdirMtimeClock";
  const steps = (): readonly string[] => modelOf(clock).shortestRun("MutualExclusion")?.labels ?? [];

  it("is the same, from TLC's states and from the labels of its steps", () => {
    // What is followed is asked for everything that it violates, what is found for one property.
    const property = "MutualExclusion, PunctualExclusion";
    const found = { ...modelOf(clock).shortestRun("MutualExclusion"), property };
    expect(readRun(asTlcPrints(clock, "MutualExclusion"), clock)).toEqual(found);
    expect(readRun(steps().join("; "), clock)).toEqual(found);
    expect(readRun(`${steps().join("\n")}\n`, clock)).toEqual(found);
  });

  it("need not violate anything", () => {
    const [first = "", second = ""] = steps();
    expect(readRun(`${first}; ${second}`, clock)).toMatchObject({ property: "", labels: [first, second] });
  });

  it("is followed through a label with several successors", () => {
    const text = "Request(a1); Prepare(a1); Take(a1); Refused(a1); Look(a1)";
    expect(readRun(text, "GraphFaults").labels).toHaveLength(5);
  });

  it.each([
    ["a step that the model does not have there", "Request(a); Probe(a)", "step 2 is not one of the model"],
    ["an action that does not exist", "Ask(a)", "which has Request(a), Request(b)"],
    ["no step at all", " ;\n", "it has no steps"],
  ])("is refused with %s", (_what, text, message) => {
    expect(() => readRun(text, clock)).toThrow(message);
  });

  it("is refused under the constants of another configuration", () => {
    const text = asTlcPrints("MkdirMtimeUndo", "PunctualExclusion");
    expect(() => readRun(text, clock)).toThrow("Cannot follow the run");
  });

  it("is refused if TLC says that it violates something else than the model says", () => {
    const text = asTlcPrints(clock, "MutualExclusion").replace(
      "Invariant MutualExclusion",
      "Invariant TypeOK",
    );
    expect(() => readRun(text, clock)).toThrow(
      "TLC says that it violates TypeOK, the model: MutualExclusion",
    );
  });

  it("is refused for a configuration that does not exist", () => {
    expect(() => readRun("Request(a)", "NoSuchConfiguration")).toThrow("there is no model");
  });
});

describe("what a step changes", () => {
  it.each([
    ["a value", "x = 1", "x = 2", ["x: 1 → 2"]],
    [
      "one value of a function",
      'pc = [a |-> "idle", b |-> "take"]',
      'pc = [a |-> "take", b |-> "take"]',
      ['pc[a]: "idle" → "take"'],
    ],
    ["a function with another domain", "f = <<>>", "f = [a |-> 1]", ["f: <<>> → [a |-> 1]"]],
    ["two variables", "x = 1 /\\ y = {}", 'x = 2 /\\ y = {"a"}', ["x: 1 → 2", 'y: {} → {"a"}']],
    ["nothing", "x = 1", "x = 1", []],
  ])("is told for %s", (_what, before, after, changes) => {
    expect(changesBetween(before, after)).toEqual(changes);
  });
});
