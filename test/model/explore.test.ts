import { describe, expect, it } from "vitest";
import { explore, findViolation } from "../../model/explore.ts";
import type { Machine, MachineStep } from "../../model/machine.ts";

/** A counter that goes up by one or by two from several beginnings, and stops at `top`. */
interface Counter {
  readonly starts: readonly number[];
  readonly top: number;
}
type CounterMachine = Machine<Counter, number, MachineStep<number>>;

const counter: CounterMachine = {
  actions: ["Add"],
  initialStates: ({ starts }) => starts,
  steps: ({ top }, n) =>
    [1, 2]
      .filter((by) => n + by <= top)
      .map((by) => ({ label: { action: "Add", arg: `${by}` }, next: n + by })),
  key: String,
  isFinished: ({ top }, n) => n === top,
  invariants: [{ name: "BelowFive", holds: (_c, n) => n < 5 }],
  stepProperties: [{ name: "NoStepFromThree", holds: (_c, n) => n !== 3 }],
};

const unchecked = { invariants: [], stepProperties: [] };

describe("the explorer, on any machine", () => {
  it("finds every state once, and counts the depth as TLC does: in states", () => {
    const found = explore(counter, { starts: [0], top: 4 }, unchecked);
    expect(found).toEqual({ distinct: 5, depth: 3, edges: 7, violation: null, deadlock: null });
  });

  it("begins in every initial state, an initial state that is listed twice once", () => {
    const ids: [number, number][] = [];
    const onState = (state: number, id: number): number => ids.push([state, id]);
    const found = explore(counter, { starts: [2, 0, 2], top: 3 }, { ...unchecked, onState });
    expect(ids).toEqual([
      [2, 0],
      [0, 1],
      [3, 2],
      [1, 3],
    ]);
    expect(found.depth).toBe(2);
  });

  it("gives the shortest run to a state that violates an invariant", () => {
    expect(findViolation(counter, { starts: [0], top: 9 }, "BelowFive")).toEqual({
      property: "BelowFive",
      states: [0, 1, 3, 5],
      labels: ["Add(1)", "Add(2)", "Add(2)"],
    });
  });

  it("gives the run that begins in the right one of several initial states", () => {
    expect(findViolation(counter, { starts: [0, 4], top: 9 }, "BelowFive")?.states).toEqual([4, 5]);
  });

  it("finds a violation by an initial state", () => {
    expect(findViolation(counter, { starts: [7], top: 9 }, "BelowFive")?.states).toEqual([7]);
  });

  it("gives the shortest run whose last step violates a step property", () => {
    expect(findViolation(counter, { starts: [0], top: 4 }, "NoStepFromThree")).toEqual({
      property: "NoStepFromThree",
      states: [0, 1, 3, 4],
      labels: ["Add(1)", "Add(2)", "Add(1)"],
    });
  });

  it("tells a deadlock from a finished state", () => {
    expect(findViolation(counter, { starts: [0], top: 3 }, "Deadlock")).toBeNull();
    const restless = { ...counter, isFinished: () => false };
    expect(findViolation(restless, { starts: [0], top: 3 }, "Deadlock")?.states).toEqual([0, 1, 3]);
  });

  it("refuses a property that the machine does not have, instead of finding no violation of it", () => {
    expect(() => findViolation(counter, { starts: [0], top: 3 }, "BelowSix")).toThrow(
      "Cannot check BelowSix",
    );
  });

  it("notices a machine that has other steps when it is asked again", () => {
    let asked = 0;
    const fickle: CounterMachine = {
      ...counter,
      steps: (c, n) => (asked++ > 3 ? [] : counter.steps(c, n)),
    };
    expect(() => findViolation(fickle, { starts: [0], top: 9 }, "BelowFive")).toThrow(
      "its steps have changed",
    );
  });
});
