/** What a wait costs: how much a process does that waits, and how long it lives for that. In real processes. */

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { isLineName } from "../../src/line.ts";
import type { Acquired, Child } from "./support/child.ts";
import { buildDouble, type LibraryDouble } from "./support/library.ts";
import { type Session, scenario } from "./support/scenario.ts";
import {
  beginEffort,
  countedTurns,
  effortOfPolls,
  effortOfTheBusy,
  excessOf,
  LONG_POLLS_IN_LINE,
  placesOf,
  sayEffort,
  touch,
  untilInLine,
  untilWatched,
  watchesOf,
} from "./support/waiting.ts";

/** Most of them long ones: a third of a second. */
const POLLS = 30;
const TASKS = 200;
/** Long enough for a process to end that ends by itself: of a twin, or of one that must not end, so nothing fails if it is too short. */
const QUIET_MS = 500;
/** Nobody gives up by that. */
const HOURS_MS = 1e7;

describe("a process that waits is not busy", () => {
  for (const tasks of [1, TASKS]) {
    scenario(
      `while nothing happens, tasks that wait: ${tasks}`,
      { needs: [countedTurns] },
      async (session) => {
        const { holder, waiter, served } = await waitTogether(session, tasks);
        const effort = await effortOfPolls(waiter, POLLS);
        sayEffort(`quiet, tasks: ${tasks}`, effort);
        expect(excessOf(effort)).toEqual([]);
        await holder.release();
        expect((await served).turns).toHaveLength(tasks);
      },
    );
  }

  scenario("while something changes at L all the time", { needs: [countedTurns] }, async (session) => {
    const { holder, waiter, served } = await waitTogether(session, 1);
    const effort = await effortOfPolls(waiter, POLLS, () => touchFor(session, 20));
    sayEffort("told all the time", effort);
    expect(excessOf(effort)).toEqual([]);
    await holder.release();
    expect((await served).turns).toHaveLength(1);
  });

  scenario("twin: one whose waits take no time is", { needs: [countedTurns] }, async (session) => {
    const { holder, waiter } = await waitTogether(session, 1, withoutWaits());
    sayEffort("without waits", await effortOfTheBusy(waiter, "polls"));
    await waiter.kill();
    await holder.release();
  });

  scenario("twin: one that looks at the clock meanwhile is", { needs: [countedTurns] }, async (session) => {
    const { holder, waiter } = await waitTogether(session, 1, looksAtTheClock());
    sayEffort("looks at the clock", await effortOfTheBusy(waiter, "turns"));
    await waiter.kill();
    await holder.release();
  });

  scenario("twin: one that listens to every change is", { needs: [countedTurns] }, async (session) => {
    const { holder, waiter } = await waitTogether(session, 1, listensAlways());
    sayEffort("listens always", await effortOfTheBusy(waiter, "polls", () => touchFor(session, 20)));
    await waiter.kill();
    await holder.release();
  });

  scenario("twin: one in which each task is on the disk is", { needs: [countedTurns] }, async (session) => {
    const { holder, waiter } = await waitTogether(session, TASKS, eachOnTheDisk());
    sayEffort("each on the disk", await effortOfTheBusy(waiter, "polls"));
    await waiter.kill();
    await holder.release();
  });
});

describe(`of ${TASKS} tasks of a process, where time plays no part,`, () => {
  scenario("one is on the disk, is told, and is called, for all", {}, async (session) => {
    expect(await takesOfAll(session, oneForAll(), 1)).toEqual({ asked: 1, told: 1, called: 1 });
  });

  scenario("twin: all are, where each is on the disk", {}, async (session) => {
    const takes = await takesOfAll(session, eachForItself(), TASKS);
    console.log(`each for itself: ${JSON.stringify(takes)}`);
    expect(Math.min(...Object.values(takes))).toBeGreaterThanOrEqual(TASKS);
  });
});

describe("a process whose wait in the line is over", () => {
  scenario("by a timeout: ends by itself, and leaves nothing", {}, async (session) => {
    const { holder, waiter } = await holdAgainst(session, longPolls());
    expect(await timeOutInLine(session, waiter)).toMatchObject({ held: false, code: "ELOCKED" });
    expect(remainsOf(session, waiter)).toEqual([]);
    await waiter.leave();
    expect(filesOf(session, waiter, [holder])).toEqual([]);
    await holder.release();
  });

  scenario("by an AbortSignal: ends by itself, and leaves nothing", {}, async (session) => {
    const { holder, waiter } = await holdAgainst(session, longPolls());
    expect(await abortInLine(session, waiter)).toMatchObject({ held: false, message: "given up" });
    expect(remainsOf(session, waiter)).toEqual([]);
    await waiter.leave();
    expect(filesOf(session, waiter, [holder])).toEqual([]);
    await holder.release();
  });

  scenario("twin: does not, if the timer of its wait goes on", {}, async (session) => {
    const { holder, waiter } = await holdAgainst(session, keepsItsTimer());
    await abortInLine(session, waiter);
    void waiter.leave();
    await sleep(QUIET_MS);
    expect(waiter.isRunning()).toBe(true);
    await waiter.kill();
    await holder.release();
  });

  scenario("twin: leaves something, if it keeps its place", {}, async (session) => {
    const { holder, waiter } = await holdAgainst(session, keepsItsPlace());
    await abortInLine(session, waiter);
    expect(remainsOf(session, waiter)).toEqual(["a place", "a watch"]);
    await waiter.leave();
    expect(filesOf(session, waiter, [holder])).not.toEqual([]);
    await holder.release();
  });
});

describe("a process that stands aside, behind another one that it has called,", () => {
  scenario("ends by itself when it gives up, and leaves nothing", {}, async (session) => {
    const { other, waiter } = await standAside(session, standsAsideLong());
    const waiting = waiter.acquire({ timeoutMs: HOURS_MS });
    await untilAside(session, waiter);
    await waiter.ask("giveUp");
    expect(await waiting).toMatchObject({ held: false, message: "given up" });
    expect(remainsOf(session, waiter)).toEqual([]);
    await waiter.leave();
    expect(filesOf(session, waiter, [other])).toEqual([]);
    await other.release();
  });

  scenario("twin: does not, if it goes on standing aside", {}, async (session) => {
    const { other, waiter } = await standAside(session, staysAside());
    const waiting = waiter.acquire({ timeoutMs: HOURS_MS });
    await untilAside(session, waiter);
    await waiter.ask("giveUp");
    await waiting;
    expect(remainsOf(session, waiter)).toEqual(["a place", "a watch"]);
    void waiter.leave();
    await sleep(QUIET_MS);
    expect(waiter.isRunning()).toBe(true);
    await waiter.kill();
    await other.release();
  });
});

describe("a process that has nothing else to do", () => {
  scenario("lives for as long as it waits in the line", {}, async (session) => {
    const { holder, waiter } = await holdAgainst(session, longPolls());
    const served = waiter.ask("sections", { count: 1 });
    await untilInLine(session, waiter);
    void waiter.leave();
    expect(await Promise.race([waiter.ended, sleep(QUIET_MS, "lives")])).toBe("lives");
    await holder.release();
    expect(await served).toMatchObject({ sections: 1, found: [] });
    await waiter.ended;
  });

  scenario("lives for as long as it stands aside", {}, async (session) => {
    const { other, waiter } = await standAside(session, standsAsideLong());
    const served = waiter.ask("sections", { count: 1 });
    await untilAside(session, waiter);
    void waiter.leave();
    expect(await Promise.race([waiter.ended, sleep(QUIET_MS, "lives")])).toBe("lives");
    await other.release();
    expect(await served).toMatchObject({ sections: 1, found: [] });
    await waiter.ended;
  });

  scenario("twin: does not in the line, if no timer keeps it alive", {}, async (session) => {
    const { holder, waiter } = await holdAgainst(session, diesInLine());
    const served = waiter.ask("sections", { count: 1 });
    await untilInLine(session, waiter);
    void waiter.leave();
    await expect(served).rejects.toThrow("waiter ended with 0 before it answered");
    await holder.release();
  });

  scenario("twin: does not standing aside, if no timer keeps it alive", {}, async (session) => {
    const { other, waiter } = await standAside(session, diesAside());
    const served = waiter.ask("sections", { count: 1 });
    await untilAside(session, waiter);
    void waiter.leave();
    await expect(served).rejects.toThrow("waiter ended with 0 before it answered");
    await other.release();
  });
});

// ------------------------------------------------------------------------------------------------
// Waiting

interface Against {
  readonly holder: Child;
  readonly waiter: Child;
}

async function holdAgainst(session: Session, library?: string): Promise<Against> {
  const [holder, waiter] = [await session.start("holder"), await session.start("waiter", { library })];
  await holder.acquire();
  return { holder, waiter };
}

/** So many tasks of one process ask, in one turn, for one section each. */
async function waitTogether(
  session: Session,
  tasks: number,
  library?: string,
): Promise<Against & { readonly served: Promise<{ readonly turns: readonly unknown[] }> }> {
  const against = await holdAgainst(session, library);
  const served = against.waiter.ask("crowd", { tasks, ms: 0, count: 1 });
  return { ...against, served: served as Promise<never> };
}

/** As often as it can: each one is an event for whoever watches the directory. */
async function touchFor(session: Session, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    touch(session);
    await sleep(0);
  }
}

interface Takes {
  readonly asked: number;
  readonly told: number;
  readonly called: number;
}

/** How often the tasks try when they have asked, when they were told that something has changed, and when they are called. */
async function takesOfAll(session: Session, library: string, contenders: number): Promise<Takes> {
  const { holder, waiter } = await holdAgainst(session, library);
  const asking = await beginEffort(waiter);
  const crowd = waiter.ask("crowd", { tasks: TASKS, ms: 0, count: 1 });
  await untilWatched(waiter);
  while ((await asking()).takes < contenders) await sleep(5);
  const { takes: asked } = await asking();
  const telling = await beginEffort(waiter);
  // Again: whoever was not refused yet has no watcher, and is not told.
  while (placesOf(session, waiter).length < contenders) {
    touch(session);
    await sleep(20);
  }
  const { takes: told } = await telling();
  const calling = await beginEffort(waiter);
  await holder.release();
  await crowd;
  return { asked, told, called: (await calling()).takes };
}

async function abortInLine(session: Session, waiter: Child): Promise<Acquired> {
  const waiting = waiter.acquire({ timeoutMs: HOURS_MS });
  await untilInLine(session, waiter);
  await waiter.ask("giveUp");
  return await waiting;
}

/** On a busy machine its time may be over before it is in the line: then it has more. */
async function timeOutInLine(session: Session, waiter: Child): Promise<Acquired> {
  for (let timeoutMs = 250; ; timeoutMs *= 2) {
    let [isOver, wasInLine] = [false, false];
    const waiting = waiter.acquire({ timeoutMs }).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      touch(session);
      await sleep(5);
      wasInLine ||= placesOf(session, waiter).length > 0;
    }
    if (wasInLine) return await waiting;
  }
}

/** The waiter has held, and has called the other one, which holds now: whoever asks next, of the waiter, stands aside. */
async function standAside(
  session: Session,
  library: string,
): Promise<{ readonly other: Child; readonly waiter: Child }> {
  const other = await session.start("other", { library: longPolls() });
  const waiter = await session.start("waiter", { library });
  await waiter.acquire();
  const waiting = other.acquire({ timeoutMs: HOURS_MS });
  await untilInLine(session, other);
  await waiter.release();
  await waiting;
  return { other, waiter };
}

/** It has a place behind the one that it has called. Nobody has told it of anything: in the line by contention it is not. */
async function untilAside(session: Session, waiter: Child): Promise<void> {
  while (placesOf(session, waiter).length === 0) await sleep(5);
}

// ------------------------------------------------------------------------------------------------
// What is left

/** Of a process that runs, and does not wait any more. */
function remainsOf(session: Session, waiter: Child): readonly string[] {
  const place = placesOf(session, waiter).map(() => "a place");
  return [...place, ...Array.from({ length: watchesOf(waiter) }, () => "a watch")];
}

/** In the directory of the session, of one that has ended: its names, a line, and a life socket more than the others have. */
function filesOf(session: Session, { pid }: Child, others: readonly Child[]): readonly string[] {
  const entries = session.listing();
  const isItsOwn = (entry: string): boolean =>
    entry.includes(`own1_${pid}_`) || isLineName(entry.split(" ", 1)[0] ?? "");
  const sockets = entries.filter((entry) => entry.startsWith(".swl-life-"));
  return [...entries.filter(isItsOwn), ...sockets.slice(others.length)];
}

// ------------------------------------------------------------------------------------------------
// Doubles

/** Several scenarios run the same one. */
function once(double: LibraryDouble): () => string {
  let built: string | undefined;
  return () => {
    built ??= buildDouble(double);
    return built;
  };
}

/** No guard is missing. */
const longPolls = once({ name: "LongPollsToGiveUp", file: "protocol.ts", patches: LONG_POLLS_IN_LINE });

/** Nor here: the one who is on the disk is on it for all, in whatever time. */
const ONE_FOR_ALL: LibraryDouble["patches"] = [
  ...LONG_POLLS_IN_LINE,
  ["export const HAND_OVER_MS = 20;", "export const HAND_OVER_MS = 1e7;"],
];

const oneForAll = once({ name: "OneForAll", file: "protocol.ts", patches: ONE_FOR_ALL });

const OWN_ENTRY: LibraryDouble["patches"] = [["return this.#entries.get(lockPath);", "return undefined;"]];

/** Every acquisition has an entry, and a home, of its own. */
const eachOnTheDisk = once({ name: "EachOnTheDisk", file: "entries.ts", patches: OWN_ENTRY });

const eachForItself = once({
  name: "EachForItself",
  file: "protocol.ts",
  patches: ONE_FOR_ALL,
  also: [{ file: "entries.ts", patches: OWN_ENTRY }],
});

/** As busy as it can be: all that it does it does at once. */
const withoutWaits = once({
  name: "WithoutWaits",
  file: "steps.ts",
  patches: [
    [
      "const timer = clock.setTimer(ms, () => drive(run, tracer), background);",
      "const soon = setImmediate(() => drive(run, tracer));\n    const timer = { cancel: () => clearImmediate(soon) };",
    ],
    ["(step.atOnce === true && mayBlock())", "step.mode !== undefined"],
  ],
});

const looksAtTheClock = once({
  name: "LooksAtTheClock",
  file: "steps.ts",
  patches: [
    [
      "const timer = clock.setTimer(ms, () => drive(run, tracer), background);",
      `const end = clock.now() + ms;
    let isOver = false;
    const look = (): void => {
      if (isOver) return;
      if (clock.now() < end) setImmediate(look);
      else drive(run, tracer);
    };
    setImmediate(look);
    const timer = {
      cancel: () => {
        isOver = true;
      },
    };`,
    ],
  ],
});

const listensAlways = once({
  name: "ListensAlways",
  file: "protocol.ts",
  patches: [["const LATELY_MS = 50;", "const LATELY_MS = 0;"]],
});

const keepsItsTimer = once({
  name: "KeepsItsTimer",
  file: "protocol.ts",
  patches: [...LONG_POLLS_IN_LINE, ["    entry.wait.cancel();\n", ""]],
});

const keepsItsPlace = once({
  name: "KeepsItsPlace",
  file: "protocol.ts",
  patches: [
    ...LONG_POLLS_IN_LINE,
    ["const wasCalled = entry.place?.stop() === true;", "const wasCalled = false;"],
  ],
});

/** Whoever was called has time to come, and is waited for. No guard is missing. */
const ASIDE: LibraryDouble["patches"] = [["export const COME_MS = 3;", "export const COME_MS = 1e7;"]];

const standsAsideLong = once({
  name: "StandsAsideLong",
  file: "protocol.ts",
  patches: LONG_POLLS_IN_LINE,
  also: [{ file: "turns.ts", patches: ASIDE }],
});

const staysAside = once({
  name: "StaysAside",
  file: "protocol.ts",
  patches: LONG_POLLS_IN_LINE,
  also: [{ file: "turns.ts", patches: [...ASIDE, ["        streak.timer?.cancel();\n", ""]] }],
});

const BACKGROUND: LibraryDouble["patches"] = [
  ["if (background !== undefined) timer.unref();", "timer.unref();"],
];

const diesInLine = once({
  name: "DiesInLine",
  file: "protocol.ts",
  patches: LONG_POLLS_IN_LINE,
  also: [{ file: "clock.ts", patches: BACKGROUND }],
});

const diesAside = once({
  name: "DiesAside",
  file: "protocol.ts",
  patches: LONG_POLLS_IN_LINE,
  also: [
    { file: "turns.ts", patches: ASIDE },
    { file: "clock.ts", patches: BACKGROUND },
  ],
});
