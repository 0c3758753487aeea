/** The line of those who wait, in real processes that go in and out as fast as they can. */

import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import type { Child } from "./support/child.ts";
import { deepCount } from "./support/figures.ts";
import { buildDouble, type LibraryDouble } from "./support/library.ts";
import { inAndOut, sayOrder } from "./support/order.ts";
import { type Session, scenario } from "./support/scenario.ts";
import { LONG_POLLS_IN_LINE, namesIn, placesOf, untilInLine } from "./support/waiting.ts";

const MS = deepCount(1_000, 15_000);
/** Long enough for many turns. */
const ROUND_MS = 300;
/** Long enough for a call that should not be made, and no more than that: of a twin, so nothing fails if it is too short. */
const QUIET_MS = 200;
/** In the time of a round. */
const LOOKS = 40;
const PROCESSES = ["a", "b", "c", "d"];
describe("four processes that go in and out as fast as they can", () => {
  scenario("exclude one another, are all served, and leave nothing", {}, async (session) => {
    const children = await startAll(session, PROCESSES);
    const crowds = await inAndOut(children, MS);
    expect(crowds.flatMap(({ found }) => found)).toEqual([]);
    expect(session.counter()).toBe(crowds.reduce((sum, { turns }) => sum + turns.length, 0));
    expect(Math.min(...crowds.map(({ turns }) => turns.length))).toBeGreaterThan(0);
    sayOrder(crowds);
    for (const child of children) await child.leave();
    // Nobody has to sweep.
    expect(ours(session)).toEqual([]);
  });
});

describe("processes that wait in the line, where their polls are hours apart", () => {
  scenario("are called one after the other, in the order of their coming", {}, async (session) => {
    const [holder, first, second] = [
      await session.start("holder"),
      ...(await startAll(session, ["first", "second"], longPolls())),
    ] as [Child, Child, Child];
    await holder.acquire();
    const waiting = first.acquire({ timeoutMs: 60_000 });
    await untilInLine(session, first);
    const behind = second.acquire({ timeoutMs: 60_000 });
    await untilInLine(session, second);
    await holder.release();
    expect(await waiting).toMatchObject({ held: true, found: [] });
    expect([placesOf(session, first).length, placesOf(session, second).length]).toEqual([0, 1]);
    await first.release();
    expect(await behind).toMatchObject({ held: true, found: [] });
    await second.release();
  });

  scenario("twin: are not by one that calls the last one", {}, async (session) => {
    const holder = await session.start("holder", { library: callsLast() });
    const waiters = await startAll(session, ["first", "second"], longPolls());
    await holder.acquire();
    const served: Promise<string>[] = [];
    for (const waiter of waiters) {
      served.push(waiter.acquire({ timeoutMs: 60_000 }).then(() => waiter.who));
      await untilInLine(session, waiter);
    }
    await holder.release();
    expect(await Promise.race(served)).toBe("second");
    for (const waiter of waiters) await waiter.kill();
  });

  scenario("twin: wait in vain behind one that calls nobody", {}, async (session) => {
    const holder = await session.start("holder", { library: neverCalls() });
    const waiter = await session.start("waiter", { library: longPolls() });
    await holder.acquire();
    const waiting = waiter.acquire({ timeoutMs: 60_000 });
    await untilInLine(session, waiter);
    await holder.release();
    expect(await Promise.race([waiting, sleep(QUIET_MS)])).toBeUndefined();
    expect(placesOf(session, waiter)).toHaveLength(1);
    await waiter.kill();
  });
});

describe("a process that is killed in the line", () => {
  scenario("is called there like any other, and keeps nobody from going on", {}, async (session) => {
    const { victim, others } = await killInLine(session, neverSweeps());
    const crowds = await inAndOut(others, ROUND_MS);
    expect(Math.min(...crowds.map(({ turns }) => turns.length))).toBeGreaterThan(0);
    expect(placesOf(session, victim)).toEqual([]);
  });

  scenario(
    "twin: where nobody is called, its place stays until a later process sweeps",
    {},
    async (session) => {
      const { victim, others } = await killInLine(session, neverCalls());
      await inAndOut(others, ROUND_MS);
      expect(placesOf(session, victim)).toHaveLength(1);
    },
  );
});

const startAll = (session: Session, names: readonly string[], library?: string): Promise<Child[]> =>
  Promise.all(names.map((who) => session.start(who, { library })));

/** One of three that go in and out: the others are stopped while it is killed, so that nobody calls it before. */
async function killInLine(
  session: Session,
  library: string,
): Promise<{ readonly victim: Child; readonly others: readonly Child[] }> {
  const victim = await session.start("victim", { library });
  const others = await startAll(session, PROCESSES.slice(0, 2), library);
  void victim.ask("crowd", { tasks: 1 });
  let isInLine = false;
  while (!isInLine) {
    const round = inAndOut(others, ROUND_MS);
    for (let i = 0; i < LOOKS && !isInLine; i++) {
      await sleep(5);
      for (const child of [...others, victim]) await stop(child);
      isInLine = placesOf(session, victim).length > 0;
      if (isInLine) await victim.kill();
      for (const child of isInLine ? others : [...others, victim]) child.signal("SIGCONT");
    }
    await round;
  }
  return { victim, others };
}

/** A call that is under way ends before. */
async function stop({ hostPid, signal }: Child): Promise<void> {
  signal("SIGSTOP");
  const states = (): readonly string[] =>
    namesIn(`/proc/${hostPid}/task`).map((tid) => {
      const stat = fs.readFileSync(`/proc/${hostPid}/task/${tid}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "";
    });
  while (states().some((state) => state !== "T")) await sleep(1);
}

/** What processes of this scenario have left: the bystander's home is not theirs. */
function ours(session: Session): readonly string[] {
  const bystander = `_${process.pid}_`;
  return session
    .listing()
    .filter((entry) => /^(a\.jsonl\.lock|\.swl-)/.test(entry))
    .filter((entry) => !entry.startsWith(".swl-not-a-home") && !entry.includes(bystander));
}

const NO_SWEEP: LibraryDouble["patches"] = [["{12}-line$/.test(name);", "{12}-line$/.test('');"]];

/** No guard is missing: the places of the dead are left to those who call. */
const neverSweeps = (): string =>
  buildDouble({ name: "NeverSweepsLines", file: "line.ts", patches: NO_SWEEP });

const neverCalls = (): string =>
  buildDouble({
    name: "NeverCalls",
    file: "line.ts",
    patches: [...NO_SWEEP, ["if (ownerOfPlace(name) !== undefined && take(", "if (name === '' && take("]],
  });

const longPolls = (): string =>
  buildDouble({ name: "LongPollsInLine", file: "protocol.ts", patches: LONG_POLLS_IN_LINE });

/** Whoever lets go calls those who came last. */
const callsLast = (): string =>
  buildDouble({
    name: "CallsLast",
    file: "line.ts",
    patches: [["of names.sort()) {", "of names.sort().reverse()) {"]],
  });
