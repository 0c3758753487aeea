import { afterEach, describe, expect, it, vi } from "vitest";
import type { LockOwner } from "../../src/errors.ts";
import {
  askAndJudge,
  type Debt,
  type Entry,
  type Home,
  isIdle,
  NO_EVICTIONS,
  namesOf,
  type Owners,
  processRegistry,
} from "../../src/registry.ts";
import type { Tracer } from "../../src/trace.ts";
import { STUB_SERVICES, stubAttempt, stubEntry, unused } from "./stubs.ts";

afterEach(() => vi.unstubAllGlobals());

const HOME: Home = { name: "own", path: "/d/home", guests: [] };
const owners: Owners = {
  ...STUB_SERVICES.owners,
  judge: (name) => ({ verdict: "unknown", reason: `${name} was judged` }),
};

describe("a new entry", () => {
  it("is about nobody: no holder, no waiter, no home, no debt, and a lock that was never taken", () => {
    const services = { ...STUB_SERVICES };
    const { held, queue, owes, ...rest } = stubEntry(services);
    expect([held.size, queue.size, owes.size]).toEqual([0, 0, 0]);
    expect(rest).toMatchObject({
      lockPath: "/d/a.lock",
      sessionFile: "/d/a",
      directory: "/d",
      local: true,
      disk: 7,
      lookedAt: Number.NEGATIVE_INFINITY,
      services,
      releasing: null,
      contender: null,
      home: null,
      wait: null,
      patience: null,
      handsOverSince: undefined,
      obstacle: undefined,
      evictions: { owners: [], overtaken: false },
      shown: "",
      lost: false,
      listens: false,
      tracer: undefined,
    });
    expect(NO_EVICTIONS).toEqual({ owners: [] as LockOwner[], overtaken: false });
  });

  it("is told to whoever wants a trace", () => {
    const key = Symbol.for("session-write-lock.trace.v1");
    const hook = globalThis as { [key]?: (entry: Entry) => Tracer };
    const tracer: Tracer = { called: unused, begins: unused, ends: unused };
    const seen: Entry[] = [];
    hook[key] = (entry) => {
      seen.push(entry);
      return tracer;
    };
    try {
      const entry = stubEntry();
      expect([entry.tracer, seen]).toEqual([tracer, [entry]]);
    } finally {
      delete hook[key];
    }
  });
});

describe("an entry is idle", () => {
  const idleAfter = (change: (entry: Entry) => void): boolean => {
    const entry = stubEntry();
    change(entry);
    return isIdle(entry);
  };

  it("if only a home is left", () => {
    expect([isIdle(stubEntry()), idleAfter((entry) => Object.assign(entry, { home: HOME }))]).toEqual([
      true,
      true,
    ]);
  });

  it("not if somebody holds, contends or waits, or a name is on its way off the disk, or owed", () => {
    expect([
      idleAfter(({ held }) => held.add(stubAttempt())),
      idleAfter((entry) => Object.assign(entry, { contender: stubAttempt() })),
      idleAfter(({ queue }) => queue.push(stubAttempt())),
      idleAfter((entry) => Object.assign(entry, { releasing: { name: "own", aside: false } })),
      idleAfter(({ owes }) => owes.set("own", {} as Debt)),
    ]).toEqual([false, false, false, false, false]);
  });
});

describe("the names of a home", () => {
  it("are our own, and behind it those of its guests", () => {
    expect([namesOf(HOME), namesOf({ ...HOME, guests: ["guest"] })]).toEqual([["own"], ["own", "guest"]]);
  });
});

describe("owners that are asked and judged", () => {
  const place = { path: "/d/a.lock", local: true };
  const judged = [
    { name: "one", verdict: "unknown", reason: "one was judged" },
    { name: "other", verdict: "unknown", reason: "other was judged" },
  ];

  it("are judged at once if there is nothing to ask", async () => {
    expect(await askAndJudge(owners, ["one", "other"], place)).toEqual(judged);
    expect(await askAndJudge({ ...owners, ask: () => undefined }, ["one", "other"], place)).toEqual(judged);
  });

  it("are judged when the answer is there", async () => {
    const log: unknown[] = [];
    const asking: Owners = {
      ...owners,
      ask: (names, where) => {
        log.push(names, where);
        return (done) =>
          setImmediate(() => {
            log.push("answered");
            done();
          });
      },
      judge: (name, where) => {
        log.push(name, where);
        return owners.judge(name, where);
      },
    };
    expect(await askAndJudge(asking, ["one", "other"], place)).toEqual(judged);
    expect(log).toEqual([["one", "other"], place, "answered", "one", place, "other", place]);
  });
});

describe("the registry of the process", () => {
  it("is one, for whoever asks in this thread, under a name that other copies of the module know", () => {
    const registry = processRegistry();
    expect(processRegistry()).toBe(registry);
    expect(registry.pid).toBe(process.pid);
    const shared = Object.getOwnPropertySymbols(globalThis).filter(
      (symbol) => (globalThis as Record<symbol, unknown>)[symbol] === registry,
    );
    expect(shared.map((symbol) => Symbol.keyFor(symbol))).toEqual([
      expect.stringMatching(/^session-write-lock\.registry\.v\d+$/),
    ]);
  });

  it("refuses to act on the memory of another process", () => {
    const { pid } = processRegistry();
    vi.stubGlobal("process", Object.create(process, { pid: { value: pid + 1 } }));
    expect(() => processRegistry()).toThrow(
      expect.objectContaining({
        code: "EINVAL",
        message: `Cannot use session locks: the registry in memory belongs to pid ${pid}, this is pid ${pid + 1}`,
        sessionFile: "",
      }) as Error,
    );
  });
});
