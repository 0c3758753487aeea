import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Queue } from "../../src/queue.ts";

const ITEMS = fc.integer({ min: 0, max: 6 });
const STEP = fc.oneof(
  fc.record({ step: fc.constant("push" as const), item: ITEMS }),
  fc.record({ step: fc.constant("delete" as const), item: ITEMS }),
  fc.record({ step: fc.constant("shift" as const) }),
);

describe("a queue", () => {
  it("is what an array would be, whoever comes, goes first, or leaves from the middle", () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 60 }), (steps) => {
        const queue = new Queue<number>();
        const array: number[] = [];
        for (const step of steps) {
          if (step.step === "push" && !array.includes(step.item)) {
            queue.push(step.item);
            array.push(step.item);
          } else if (step.step === "delete") {
            expect(queue.delete(step.item)).toBe(array.includes(step.item));
            if (array.includes(step.item)) array.splice(array.indexOf(step.item), 1);
          } else if (step.step === "shift") {
            expect(queue.shift()).toBe(array.shift());
          }
          expect([...queue]).toEqual(array);
          expect([queue.size, queue.head]).toEqual([array.length, array[0]]);
          expect([0, 1, 2, 3, 4, 5, 6].filter((item) => queue.has(item)).sort()).toEqual([...array].sort());
        }
      }),
    );
  });

  it("may be emptied while it is walked", () => {
    const queue = new Queue<number>();
    for (const item of [1, 2, 3]) queue.push(item);
    const walked: number[] = [];
    for (const item of queue) {
      queue.delete(item);
      walked.push(item);
    }
    expect(walked).toEqual([1, 2, 3]);
    expect(queue.size).toBe(0);
  });
});
