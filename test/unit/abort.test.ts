import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { whenAborted } from "../../src/abort.ts";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

describe("whoever waits for a signal", () => {
  it("is called back once when it aborts, with one listener of ours for all of them", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const told: string[] = [];
    whenAborted(signal, () => told.push("one"));
    whenAborted(signal, () => told.push("two"));
    expect([listeners(signal), told]).toEqual([1, []]);
    controller.abort();
    expect(told).toEqual(["one", "two"]);
    signal.dispatchEvent(new Event("abort"));
    expect([listeners(signal), told]).toEqual([0, ["one", "two"]]);
  });

  it("is not called back any more once it has said so, and the last one takes the listener along", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const told: string[] = [];
    const stopOne = whenAborted(signal, () => told.push("one"));
    const stopTwo = whenAborted(signal, () => told.push("two"));
    stopOne();
    // Twice is as once: it is not the other one that stops.
    stopOne();
    expect(listeners(signal)).toBe(1);
    stopTwo();
    expect(listeners(signal)).toBe(0);
    controller.abort();
    expect(told).toEqual([]);
  });

  it("may come after all others have gone: they do not take its listener along when they say so again", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const told: string[] = [];
    const stopEarly = whenAborted(signal, () => told.push("early"));
    stopEarly();
    whenAborted(signal, () => told.push("late"));
    stopEarly();
    whenAborted(signal, () => told.push("latest"));
    expect(listeners(signal)).toBe(1);
    controller.abort();
    expect(told).toEqual(["late", "latest"]);
  });

  it("waits for that signal alone", () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const told: string[] = [];
    whenAborted(one.signal, () => told.push("one"));
    whenAborted(other.signal, () => told.push("other"));
    one.abort();
    expect(told).toEqual(["one"]);
  });
});
