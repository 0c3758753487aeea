import { AsyncLocalStorage } from "node:async_hooks";
import { beforeEach, describe, expect, it } from "vitest";
import { CallerContext } from "../../src/context.ts";
import { callHook, createWaitingTeller, type WaitingTeller } from "../../src/hooks.ts";
import { ON_WAITING_EVERY_MS, readOptions, type WaitingInfo } from "../../src/options.ts";
import type { Entry } from "../../src/registry.ts";
import { stubEntry } from "./stubs.ts";

let now = 0;
let timers: { readonly ms: number; readonly background: string | undefined; end(): void }[] = [];
let warned: string[] = [];
let told: WaitingInfo[] = [];

beforeEach(() => {
  now = 1_000;
  timers = [];
  warned = [];
  told = [];
});

const entryOf = (): Entry =>
  stubEntry({
    clock: {
      now: () => now,
      random: () => 0.5,
      setTimer: (ms, end, background) => {
        const timer = { ms, background, end };
        timers.push(timer);
        return {
          cancel: () => {
            timers = timers.filter((other) => other !== timer);
          },
        };
      },
    },
    warn: (message, code) => warned.push(`${code}: ${message}`),
  });

function tellerOf(onWaiting?: (info: WaitingInfo) => unknown): WaitingTeller {
  const options = readOptions(
    { sessionFile: "a", ...(onWaiting === undefined ? {} : { onWaiting }) },
    { waits: true },
  );
  return createWaitingTeller(entryOf(), options, 400, new CallerContext());
}
const microtask = (): Promise<void> => Promise.resolve();

describe("who tells that it waits", () => {
  it("says nothing and sets no timer if nobody wants to hear it", async () => {
    const teller = tellerOf();
    teller.begin();
    await microtask();
    expect([timers, warned]).toEqual([[], []]);
    teller.end();
  });

  it("tells when the wait begins, behind the step that begins it, and then at the interval, in the background", async () => {
    const teller = tellerOf((info) => told.push(info));
    teller.begin();
    expect([told, timers]).toEqual([[], []]);
    await microtask();
    expect(told.map(({ waitedMs }) => waitedMs)).toEqual([600]);
    expect(timers).toMatchObject([{ ms: ON_WAITING_EVERY_MS, background: "background" }]);
    now += 1_000;
    timers.shift()?.end();
    expect(told.map(({ waitedMs }) => waitedMs)).toEqual([600, 1_600]);
    expect(timers).toMatchObject([{ ms: ON_WAITING_EVERY_MS, background: "background" }]);
  });

  it("begins once, however many waits there are", async () => {
    const teller = tellerOf((info) => told.push(info));
    teller.begin();
    teller.begin();
    await microtask();
    teller.begin();
    await microtask();
    expect([told.length, timers.length]).toEqual([1, 1]);
  });

  it("ends for good: the timer goes, and what is on its way says nothing; before it has begun, too", async () => {
    const teller = tellerOf((info) => told.push(info));
    teller.begin();
    await microtask();
    const [late] = timers;
    teller.end();
    expect(timers).toEqual([]);
    late?.end();
    teller.begin();
    await microtask();
    expect([told.length, timers.length]).toEqual([1, 0]);

    const never = tellerOf((info) => told.push(info));
    never.begin();
    never.end();
    await microtask();
    expect([told.length, timers.length]).toEqual([1, 0]);
  });

  it.each([
    ["in a turn of another, since it was kept", true, "who asked"],
    ["in its own turn, for which nothing has to be kept", false, "who lets go"],
  ])("tells in the context of whoever asked: %s", async (_when, isKept, expected) => {
    const store = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const options = readOptions(
      { sessionFile: "a", onWaiting: () => seen.push(store.getStore()) },
      { waits: true },
    );
    const context = new CallerContext();
    if (isKept) store.run("who asked", () => context.keep());
    store.run("who lets go", () => createWaitingTeller(entryOf(), options, 0, context).begin());
    await microtask();
    expect(seen).toEqual([expected]);
  });
});

describe("a hook", () => {
  it("is waited for", async () => {
    let isDone = false;
    await callHook(entryOf(), "onTakeover", async () => {
      await microtask();
      isDone = true;
    });
    expect([isDone, warned]).toEqual([true, []]);
  });

  it.each([
    ["throws", () => expect.unreachable("on purpose")],
    ["rejects", () => Promise.reject(new Error("on purpose"))],
  ])("that %s is a warning, and no more", async (_how, hook) => {
    await callHook(entryOf(), "onTakeover", hook);
    expect(warned).toEqual([
      expect.stringMatching(/^SWL_HOOK: onTakeover of session lock \/d\/a\.lock failed: .*on purpose/),
    ]);
  });

  it("of the wait that throws has its name in the warning, and the wait goes on", async () => {
    tellerOf(() => Promise.reject(new Error("on purpose"))).begin();
    await new Promise((resolve) => setImmediate(resolve));
    expect(warned).toEqual(["SWL_HOOK: onWaiting of session lock /d/a.lock failed: Error: on purpose"]);
    expect(timers).toHaveLength(1);
  });
});
