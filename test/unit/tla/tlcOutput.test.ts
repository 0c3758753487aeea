import { describe, expect, it } from "vitest";
import { type Ended, isViolation, readOutcome, readProgress } from "../../../tla/tools/tlcOutput.ts";

const completed = "Model checking completed. No error has been found.";
const counts = "1,417 states generated, 1,213 distinct states found, 0 states left on queue.";
const depth = "The depth of the complete state graph search is 5.";
const finished = "Finished in 01min 20s at (2023-03-20 10:00:00)";
const violated = "Error: Invariant Mutex is violated.";
const heading = "Error: The behavior up to this point is:";
const trace = [
  "State 1: <Initial predicate>",
  "x = 0",
  "",
  "State 2: <Next line 6, col 9 to line 6, col 27 of module I>",
];

function ended(lines: readonly string[], how: Partial<Ended> = {}): Ended {
  return { output: `${lines.join("\n")}\n`, code: 0, signal: null, timedOut: false, ...how };
}

describe("an outcome of TLC", () => {
  it("holds when the search is complete", () => {
    expect(readOutcome(ended([completed, counts, depth, finished]))).toMatchObject({
      verdict: { kind: "holds" },
      generated: 1417,
      distinct: 1213,
      depth: 5,
      temporal: false,
    });
  });

  it("fails with the line of the violation and the length of the counterexample", () => {
    const output = [
      violated,
      heading,
      ...trace,
      counts.replace("0 states left", "7 states left"),
      depth,
      finished,
    ];
    expect(readOutcome(ended(output, { code: 12 }))).toMatchObject({
      verdict: { kind: "fails", line: violated },
      trace: 2,
      depth: 5,
    });
  });

  it.each(["State 3: Stuttering", "Back to state 1: <Next line 6, col 9 to line 6, col 27 of module I>"])(
    "does not count %j as a state of the counterexample",
    (end) => {
      const checking =
        "Checking 2 branches of temporal properties for the complete state space with 3 states";
      const line = "Error: Temporal properties were violated.";
      const output = [
        checking,
        line,
        "",
        "Error: The following behavior constitutes a counter-example:",
        ...trace,
        end,
      ];
      expect(readOutcome(ended([...output, counts, finished], { code: 13 }))).toMatchObject({
        verdict: { kind: "fails", line },
        trace: 2,
        temporal: true,
      });
    },
  );

  it("counts one state for a violation by the initial state, where TLC prints no number", () => {
    const line = "Error: Invariant Mutex is violated by the initial state:";
    expect(readOutcome(ended([line, "x = 0", finished], { code: 12 }))).toMatchObject({
      verdict: { kind: "fails", line },
      trace: 1,
      distinct: undefined,
    });
  });

  it.each<[string, Ended]>([
    ["nothing was printed", ended([])],
    ["something else was printed", ended(["hello"])],
    ["the exit code is not 0", ended([completed, counts, depth, finished], { code: 1 })],
    ["states are left on the queue", ended([completed, counts.replace(", 0 ", ", 3 "), depth, finished])],
    ["the counts are missing", ended([completed, depth, finished])],
    ["the depth is missing", ended([completed, counts, finished])],
    ["it did not finish", ended([completed, counts, depth])],
    ["it does not say that it completed", ended([counts, depth, finished])],
    ["only a longer line says that it completed", ended([`- ${completed}`, counts, depth, finished])],
    ["it was killed", ended([completed, counts, depth, finished], { code: null, signal: "SIGKILL" })],
    [
      "it took too long",
      ended([violated, heading, ...trace, counts, finished], { code: 12, timedOut: true }),
    ],
    [
      "it warns",
      ended(["Warning: The EXCEPT was applied to non-existing fields", completed, counts, depth, finished]),
    ],
    ["it ran out of memory", ended(["Error: Java ran out of memory.", counts, finished], { code: 153 })],
    [
      "an expression could not be evaluated",
      ended(["Error: TLC threw an unexpected exception.", heading, ...trace, counts, finished], { code: 75 }),
    ],
    [
      "a violation comes with another error",
      ended([violated, heading, ...trace, "Error: Evaluating invariant Mutex failed.", finished], {
        code: 12,
      }),
    ],
    [
      "two violations are reported",
      ended([violated, "Error: Deadlock reached.", ...trace, finished], { code: 12 }),
    ],
    ["a violation comes with exit code 0", ended([violated, heading, ...trace, counts, finished])],
    [
      "a violation comes without a counterexample",
      ended([violated, heading, counts, finished], { code: 12 }),
    ],
    [
      "a violation is part of a longer line",
      ended([`${violated} Or not.`, ...trace, finished], { code: 12 }),
    ],
    ["a violation did not finish", ended([violated, heading, ...trace, counts], { code: 12 })],
    [
      "a violation also completed",
      ended([violated, heading, ...trace, completed, counts, depth, finished], { code: 12 }),
    ],
  ])("is no answer when %s", (_, run) => {
    expect(readOutcome(run).verdict.kind).toBe("broken");
  });
});

describe("isViolation", () => {
  it.each(["Error: Deadlock reached.", "Error: Action property line 1, col 2 of module M is violated."])(
    "knows %j",
    (line) => expect(isViolation(line)).toBe(true),
  );

  it.each(["Deadlock reached.", "Error: Assumption line 1 is false.", " Error: Deadlock reached.", ""])(
    "does not know %j",
    (line) => expect(isViolation(line)).toBe(false),
  );
});

describe("readProgress", () => {
  it.each([
    [
      "Progress(5) at 2023-03-20 10:00:00: 17 states generated, 13 distinct states found, 0 states left on queue.",
      13,
    ],
    [
      "Progress(9) at 2023-03-20 10:00:00: 1,170 states generated (99 s/min), 1,013 distinct states found (8 ds/min), 4",
      1013,
    ],
    ["Computing initial states...", undefined],
  ])("reads %j", (line, distinct) => {
    expect(readProgress(line)).toBe(distinct);
  });
});
