import { describe, expect, it } from "vitest";
import { tracerOf } from "../../src/trace.ts";
import { stubEntry, unused } from "./stubs.ts";

describe("the tracer of an entry", () => {
  it("is that of whoever put himself under the key, for all copies of the library", () => {
    const entry = stubEntry();
    const tracer = { called: unused, begins: unused, ends: unused };
    const asked: unknown[] = [];
    const key = Symbol.for("session-write-lock.trace.v1");
    const hooks = globalThis as { [key]?: (of: unknown) => unknown };
    hooks[key] = (of) => {
      asked.push(of);
      return tracer;
    };
    try {
      expect(tracerOf(entry)).toBe(tracer);
    } finally {
      delete hooks[key];
    }
    expect(asked).toEqual([entry]);
  });

  it("is nobody otherwise", () => {
    expect(tracerOf(stubEntry())).toBeUndefined();
  });
});
