import { afterEach, describe, expect, it, vi } from "vitest";
import type { DiskCall } from "../../src/disk.ts";
import { Entries } from "../../src/entries.ts";
import { removeIdleHome, tidyBeforeEnd, watchExit } from "../../src/exit.ts";
import type { Line } from "../../src/line.ts";
import type { LifeSocket } from "../../src/owner/life.ts";
import { type Entry, processRegistry, type Registry } from "../../src/registry.ts";
import type { Turns } from "../../src/turns.ts";
import { stubAttempt, stubEntry, unused } from "./stubs.ts";

afterEach(() => void vi.restoreAllMocks());

interface Left {
  readonly registry: Registry;
  /** Whose entry nobody uses, and whose is held. */
  readonly idle: Entry;
  readonly busy: Entry;
  readonly calls: DiskCall[];
  /** The directories whose socket's file was removed. */
  readonly removed: string[];
}

/** A process with an idle lock in /idle, a held one in /busy, and a life socket in both. */
function leave(): Left {
  const calls: DiskCall[] = [];
  const now = (call: DiskCall): { ok: true; names: readonly string[] } => {
    calls.push(call);
    return { ok: true, names: [] };
  };
  const entryIn = (directory: string): Entry => {
    const disk = { renameReplacesEmpty: true, now, later: unused };
    const entry = stubEntry({ disk }, `${directory}/a.lock`);
    entry.home = { name: "own", path: `${directory}/home`, guests: ["guest"] };
    return entry;
  };
  const [idle, busy] = [entryIn("/idle"), entryIn("/busy")];
  busy.held.add(stubAttempt());
  const entries = new Entries();
  for (const entry of [idle, busy]) entries.add(entry);
  const removed: string[] = [];
  const socketIn = (directory: string): LifeSocket => ({
    life: "",
    isInPlace: unused,
    close: unused,
    removeFile: () => removed.push(directory) > 0,
  });
  const lives = new Map(["/idle", "/busy"].map((directory) => [directory, socketIn(directory)]));
  return { registry: { ...processRegistry(), entries, lives }, idle, busy, calls, removed };
}

const HOME_CALLS = [
  { call: "unlink", path: "/idle/home/own" },
  { call: "unlink", path: "/idle/home/guest" },
  { call: "rmdir", path: "/idle/home" },
];

describe("a home that nobody uses", () => {
  it("is removed, all its names, once", () => {
    const { idle, calls } = leave();
    removeIdleHome(idle);
    expect([idle.home, calls]).toEqual([null, HOME_CALLS]);
    removeIdleHome(idle);
    expect(calls).toEqual(HOME_CALLS);
  });

  it("goes with its line, but where there is none: on a disk that is not known to be local", () => {
    for (const local of [true, false]) {
      const { idle } = leave();
      const looked: string[] = [];
      const line: Line = { join: unused, callFirst: (lockPath) => looked.push(lockPath) < 0 };
      removeIdleHome({ ...idle, local, services: { ...idle.services, line } });
      removeIdleHome({ ...idle, home: null, local, services: { ...idle.services, line } });
      expect(looked).toEqual(local ? ["/idle/a.lock", "/idle/a.lock"] : []);
    }
  });
});

describe("before a process ends", () => {
  it("whoever waits leaves the line, and whoever stands aside; if it was called, the next one is", () => {
    for (const wasCalled of [false, true]) {
      const { registry, idle, busy } = leave();
      const log: string[] = [];
      const line: Line = { join: unused, callFirst: (lockPath) => log.push(`call at ${lockPath}`) > 0 };
      const turns: Turns = {
        taken: unused,
        free: unused,
        standAside: unused,
        stop: (lockPath) => void log.push(`stop at ${lockPath}`),
      };
      for (const entry of [idle, busy]) Object.assign(entry.services, { line, turns });
      busy.place = { isOpen: unused, stop: () => log.push("left") > 0 && wasCalled };
      tidyBeforeEnd(registry, false);
      // Of an idle one nobody waits here: whoever is the first there is called, or the line goes.
      const ofIdle = ["stop at /idle/a.lock", "call at /idle/a.lock"];
      const ofBusy = ["stop at /busy/a.lock", "left", ...(wasCalled ? ["call at /busy/a.lock"] : [])];
      expect(log).toEqual([...ofIdle, ...ofBusy]);
    }
  });

  it("its idle homes go, and the life sockets where it holds nothing: what is held stays, with its proof", () => {
    const { registry, busy, calls, removed } = leave();
    tidyBeforeEnd(registry, false);
    expect([calls, removed]).toEqual([HOME_CALLS, ["/idle"]]);
    expect(busy.home?.name).toBe("own");
  });

  it("naturally, all life sockets go: they would refuse too early", () => {
    const { registry, calls, removed } = leave();
    tidyBeforeEnd(registry, true);
    expect([calls, removed]).toEqual([HOME_CALLS, ["/idle", "/busy"]]);
  });
});

describe("the exit hooks", () => {
  /** What is listened for, and then what was called. */
  function hooked(): Left & { readonly hooks: Map<string, () => void>; readonly hookings: number } {
    const left = leave();
    const hooks = new Map<string, () => void>();
    const once = vi.spyOn(process, "once").mockImplementation(((event: string, hook: () => void) => {
      hooks.set(event, hook);
      return process;
    }) as unknown as typeof process.once);
    watchExit(left.registry);
    watchExit(left.registry);
    return { ...left, hooks, hookings: once.mock.calls.length };
  }
  const listening = (...hooks: ((() => void) | undefined)[]): void =>
    void vi.spyOn(process, "listeners").mockReturnValue(hooks as ReturnType<typeof process.listeners>);

  it("are two, once for each registry, and none of a signal", () => {
    const { hooks, hookings } = hooked();
    expect([[...hooks.keys()], hookings]).toEqual([["beforeExit", "exit"], 2]);
  });

  it("tidy up at process.exit, where nobody was told of a natural end", () => {
    const { hooks, removed, calls } = hooked();
    listening(() => {}, hooks.get("beforeExit"));
    hooks.get("exit")?.();
    expect([calls, removed]).toEqual([HOME_CALLS, ["/idle"]]);
    expect(process.listeners).toHaveBeenCalledWith("beforeExit");
  });

  it("take an end for a natural one if the hook was called, or taken away", () => {
    const { hooks, removed } = hooked();
    hooks.get("beforeExit")?.();
    listening(() => {});
    hooks.get("exit")?.();
    expect(removed).toEqual(["/idle", "/busy"]);
  });
});
