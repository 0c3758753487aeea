/** Worker threads, copies of the module, and processes that a process forks. */

import { existsSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { parseHomeName } from "../../src/owner/name.ts";
import type { Acquired, Answer, Child, Start } from "./support/child.ts";
import { AT_ONCE_MS } from "./support/figures.ts";
import { without, withTakesInFlight } from "./support/guards.ts";
import { copyLibrary } from "./support/library.ts";
import { tracing } from "./support/places.ts";
import { occupyPool } from "./support/pool.ts";
import { type Session, scenario } from "./support/scenario.ts";
import { hold } from "./support/strace.ts";

const SECTIONS = 30;

describe("worker threads", () => {
  scenario("of one process, its main thread, and another process exclude each other", {}, async (session) => {
    const host = await session.start("host");
    const other = await session.start("other");
    const threads = ["t1", "t2", "t3"];
    for (const who of threads) await host.ask("startThread", { who });
    const answers = await Promise.all([
      ...threads.map((who) => tell(host, who, { do: "sections", count: SECTIONS })),
      ...[host, other].map((child) => child.ask("sections", { count: SECTIONS })),
    ]);
    expect(answers.map(({ sections }) => sections)).toEqual(answers.map(() => SECTIONS));
    session.expectAlone(answers.flatMap(({ found }) => found as string[]));
    expect(session.counter()).toBe(answers.length * SECTIONS);
  });

  scenario("free the lock at once when they are terminated while holding", {}, async (session) => {
    const { host, next } = await terminateHolder(session);
    const acquired = await next.acquire();
    expect(acquired).toMatchObject({ held: true, found: ["thread"] });
    expect(acquired.waitedMs).toBeLessThan(AT_ONCE_MS);
    expect(host.isRunning()).toBe(true);
  });

  scenario("twin: without the rule for threads they are waited for", {}, async (session) => {
    const { next } = await terminateHolder(session, without("thread"));
    const refused = await next.acquire({ timeoutMs: 400 });
    expect(refused).toMatchObject({ held: false, code: "ELOCKED" });
  });

  scenario("terminated while their Take waits for the pool take nothing with them", {}, async (session) => {
    const { host, next } = await startThread(session, { library: withTakesInFlight() });
    const pool = await occupyPool(session, host);
    void tell(host, "thread", { do: "acquire" });
    await untilHomeOf(session, host);
    await host.ask("terminateThread", { who: "thread" });
    const acquired = await next.acquire();
    expect(acquired).toMatchObject({ held: true, found: [] });
    pool.letGo();
    await host.leave();
    expect(await next.ask("assertHeld")).toMatchObject({ ours: true });
  });

  // A4 for threads, which have a pool that outlives them: terminate() waits for what is in the kernel.
  for (const [where, delay, library] of [
    ["on its way into the kernel", "delay_enter", withTakesInFlight],
    ["on its way back", "delay_exit", withTakesInFlight],
    ["made at once and on its way into the kernel", "delay_enter", () => undefined],
    ["made at once and on its way back", "delay_exit", () => undefined],
  ] as const) {
    scenario(
      `terminated while their Take is ${where} leave a lock that is taken over, and nothing happens later`,
      { needs: [tracing] },
      async (session) => {
        const { host, next } = await startThread(session, { library: library() });
        const take = await hold(session, host, { call: "rename", side: delay });
        void tell(host, "thread", { do: "acquire" });
        await take.untilHeld();
        expect(session.owners()).toHaveLength(delay === "delay_exit" ? 1 : 0);
        await host.ask("startTerminating", { who: "thread" });
        await take.letGo();
        await host.ask("terminateThread", { who: "thread" });
        expect(session.owners().map((name) => name.split("_")[1])).toEqual([String(host.pid)]);
        const acquired = await next.acquire();
        expect(acquired).toMatchObject({ held: true, found: [] });
        expect(acquired.waitedMs).toBeLessThan(AT_ONCE_MS);
        expect(host.isRunning()).toBe(true);
      },
    );
  }
});

describe("two copies of the module in one process", () => {
  scenario("share one registry: the second waits in memory", {}, async (session) => {
    const host = await session.start("host");
    const copy = copyLibrary("Copy");
    await host.acquire({ as: "first" });
    const refused = await host.acquire({ as: "second", library: copy, timeoutMs: 300 });
    expect(refused).toMatchObject({ held: false, verdict: "this process has it, or is taking it" });
    const waiting = host.acquire({ as: "second", library: copy });
    expect((await host.release({ as: "first" })).found).toEqual([]);
    expect(await waiting).toMatchObject({ held: true, found: [] });
    expect((await host.release({ as: "second" })).found).toEqual([]);
  });

  scenario("twin: with a registry each, the second contends on the disk", {}, async (session) => {
    const host = await session.start("host");
    await host.acquire({ as: "first" });
    const apart = { as: "second", library: without("sharedRegistry"), timeoutMs: 300, judged: true };
    const refused = await host.acquire(apart);
    // Still excluded, since an owner with our own pid is judged like any other (A1).
    expect(refused).toMatchObject({ held: false, verdict: expect.stringContaining("in another realm") });
    await host.release({ as: "first" });
  });
});

describe("a process that forks while it holds", () => {
  for (const how of ["fork", "cluster"] as const) {
    scenario(`by ${how}: its children wait like anybody else`, {}, async (session) => {
      const host = await session.start("host");
      await host.acquire();
      const family = host.ask("family", { how, size: 2, count: SECTIONS });
      // Both have a home beside the lock, so both have looked, before it is released.
      await untilHomes(session, 2);
      expect((await host.release()).found).toEqual([]);
      const { found, sections } = await family;
      expect(sections).toEqual([SECTIONS, SECTIONS]);
      session.expectAlone(found as string[]);
      expect(session.counter()).toBe(2 * SECTIONS + 1);
    });
  }
});

function tell(host: Child, who: string, command: object): Promise<Answer & Partial<Acquired>> {
  return host.ask("tellThread", { who, command });
}

interface ThreadAndNext {
  readonly host: Child;
  readonly next: Child;
}

async function startThread(session: Session, start: Start = {}): Promise<ThreadAndNext> {
  const host = await session.start("host", start);
  await host.ask("startThread", { who: "thread" });
  return { host, next: await session.start("next", { library: start.library }) };
}

/** A thread that was terminated inside, in a process that goes on; and somebody who comes later. */
async function terminateHolder(session: Session, library?: string): Promise<ThreadAndNext> {
  const started = await startThread(session, { library });
  expect(await tell(started.host, "thread", { do: "acquire" })).toMatchObject({ held: true });
  await started.host.ask("terminateThread", { who: "thread" });
  expect(session.owners()).toHaveLength(1);
  return started;
}

/** Waits until the process has made a home: from then on its Take is on its way. */
async function untilHomeOf(session: Session, { pid }: Child): Promise<void> {
  while (!homes(session).some((name) => name.includes(`-own1_${pid}_`))) await sleep(1);
}

async function untilHomes(session: Session, count: number): Promise<void> {
  const others = (): number =>
    homes(session).filter((name) => !name.includes(`-own1_${process.pid}_`)).length;
  while (others() < count) await sleep(5);
}

function homes({ directory }: Session): readonly string[] {
  return existsSync(directory)
    ? readdirSync(directory).filter((name) => parseHomeName(name) !== undefined)
    : [];
}
