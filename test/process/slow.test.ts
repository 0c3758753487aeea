/**
 * Slow disks: strace holds a process in one kind of call, before its effect or after it. Whatever the others
 * do meanwhile, and whoever gives up, the witnesses see one holder at a time.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import type { Acquired, Child } from "./support/child.ts";
import { AT_ONCE_MS, deepCount, LIMIT_MS } from "./support/figures.ts";
import { without, withTakesInFlight } from "./support/guards.ts";
import { tracing } from "./support/places.ts";
import { type Session, scenario } from "./support/scenario.ts";
import { CALLS, hold, SIDES, slow } from "./support/strace.ts";

/** Longer than a give-up of a few ten milliseconds, so that it may fall into the call. */
const SLOW_MS = 50;

describe("a first Take that is slow, on a local disk", () => {
  scenario(
    "is granted, although the time of its acquisition is over when its turn ends",
    { needs: [tracing] },
    async (session) => {
      const giver = await session.start("giver", { prefix: slow("rename", "delay_enter", 10 * SLOW_MS) });
      expect(await giver.acquire({ timeoutMs: SLOW_MS })).toMatchObject({ held: true });
      const other = await session.start("other");
      expect(await other.acquire({ timeoutMs: 300 })).toMatchObject({ held: false, code: "ELOCKED" });
      expect((await giver.release()).found).toEqual([]);
    },
  );
});

// A Take in flight: as on a disk that is not known to be local, or at any further try.
describe("an acquisition that is given up while a call of it is slow", () => {
  for (const call of ["mkdir", "rename", "getdents64", "unlink"] as const) {
    for (const side of SIDES) {
      const where = side === "delay_enter" ? "before" : "after";
      scenario(
        `${where} each ${call}: the next acquisition of the same process gets the lock, and is alone`,
        { needs: [tracing] },
        async (session) => {
          const prefix = slow(call, side, SLOW_MS);
          const giver = await session.start("giver", { prefix, library: withTakesInFlight() });
          const found: string[] = [];
          for (const [stage, moment] of STAGES) {
            const result = await giveUpAndAskAgain(session, giver, stage, moment);
            expect(result.second).toMatchObject({ held: true });
            found.push(...result.found);
          }
          session.expectAlone(found, ["dead"]);
          await giver.leave();
        },
      );
    }
  }

  scenario(
    "with another waiting behind it: the heir gets the lock, and is alone",
    { needs: [tracing] },
    async (session) => {
      const { giver, heir } = await giveUpBeforeHeir(session, withTakesInFlight());
      expect(heir).toMatchObject({ held: true, found: [] });
      const other = await session.start("other");
      expect(await other.acquire({ timeoutMs: 300 })).toMatchObject({ held: false, code: "ELOCKED" });
      expect((await giver.release({ as: "heir" })).found).toEqual([]);
    },
  );

  scenario(
    "twin: if the slot is passed on while the Take is in flight, somebody else comes in too",
    { needs: [tracing] },
    async (session) => {
      const { heir } = await giveUpBeforeHeir(session, without("keepSlot"));
      expect(heir).toMatchObject({ held: true, found: [] });
      const other = await session.start("other");
      expect(await other.acquire()).toMatchObject({ held: true, found: ["giver"] });
    },
  );
});

/** The contender gives up while its Take is in flight, and another task waits in its queue. */
async function giveUpBeforeHeir(
  session: Session,
  library: string,
): Promise<{ readonly giver: Child; readonly heir: Acquired }> {
  const giver = await session.start("giver", { library });
  // It makes its life socket: from here on a rename is a Take.
  const elsewhere = { as: "elsewhere", inside: false, sessionFile: join(session.directory, "c.jsonl") };
  expect(await giver.acquire(elsewhere)).toMatchObject({ held: true });
  await giver.release(elsewhere);
  const take = await hold(session, giver, { call: "rename", side: "delay_enter" });
  const first = giver.acquire({ as: "first", timeoutMs: SLOW_MS });
  const waiting = giver.acquire({ as: "heir", timeoutMs: LIMIT_MS });
  expect(await first).toMatchObject({ held: false, code: "ELOCKED" });
  await take.untilHeld();
  await take.letGo();
  return { giver, heir: await waiting };
}

type Stage = "free" | "held" | "dead";

/** A timeout in ms, or an AbortSignal in the turn of the request, with the first asynchronous call under way. */
type Moment = number | "aborted";

/** Moments of an acquisition: in its first slow call, and in a later one. */
const STAGES: readonly (readonly [stage: Stage, moment: Moment])[] = [
  ["free", "aborted"],
  ["free", 15],
  ["held", 70],
  ["dead", 15],
];

interface GaveUp {
  readonly first: Acquired;
  readonly second: Acquired;
  /** Whose markers were found. */
  readonly found: readonly string[];
}

async function giveUpAndAskAgain(
  session: Session,
  giver: Child,
  stage: Stage,
  moment: Moment,
): Promise<GaveUp> {
  const other = stage === "free" ? undefined : await session.start(stage);
  const held = await other?.acquire();
  if (stage === "dead") await other?.kill();
  const givingUp = moment === "aborted" ? { timeoutMs: LIMIT_MS, abort: true } : { timeoutMs: moment };
  const first = await giver.acquire({ as: "first", ...givingUp });
  // The call of the first may be under way still: it keeps the slot, and the second waits in the queue.
  const waiting = giver.acquire({ as: "second", timeoutMs: LIMIT_MS });
  if (moment === "aborted") expect(first).toMatchObject({ held: false, message: "given up" });
  else if (!first.held) expect(first.code).toBe("ELOCKED");
  const released = stage === "held" ? await other?.release() : undefined;
  if (first.held) await giver.release({ as: "first" });
  const second = await waiting;
  const left = second.held ? await giver.release({ as: "second" }) : undefined;
  if (stage === "held") await other?.leave();
  return {
    first,
    second,
    found: [held, first, released, second, left].flatMap((answer) => answer?.found ?? []),
  };
}

describe("a process that is killed in the middle of a call, while it takes over", () => {
  for (const call of ["mkdir", "rename", "getdents64", "unlink"] as const) {
    for (const side of SIDES) {
      const where = side === "delay_enter" ? "before" : "after";
      scenario(
        `${where} ${call}: the next one takes over, and sweeps`,
        { needs: [tracing] },
        async (session) => {
          const dead = await session.start("dead");
          await dead.acquire();
          await dead.kill();
          const victim = await session.start("victim");
          // The first rename is that of its life socket, the second one its Take.
          const held = await hold(session, victim, { call, side, nth: call === "rename" ? 2 : 1 });
          void victim.acquire();
          await held.untilHeld();
          victim.signal("SIGKILL");
          const next = await session.start("next");
          const acquired = await next.acquire();
          expect(acquired).toMatchObject({ held: true, found: ["dead"] });
          expect(acquired.waitedMs).toBeLessThan(AT_ONCE_MS);
          // strace waits for the end of its delay; nobody else has to.
          await held.letGo();
          await victim.ended;
        },
      );
    }
  }
});

describe("an eviction that is slow", () => {
  scenario("takes nothing from whoever was faster", { needs: [tracing] }, async (session) => {
    const { faster, acquired, evicting } = await overtakeEvictor(session);
    expect(acquired).toMatchObject({ held: true, found: ["dead"] });
    expect(await evicting).toMatchObject({ held: false, code: "ELOCKED" });
    expect(await faster.ask("assertHeld")).toMatchObject({ ours: true });
    expect((await faster.release()).found).toEqual([]);
  });

  scenario(
    "twin: by path instead of by name it takes the lock of whoever was faster",
    { needs: [tracing] },
    async (session) => {
      const { acquired, evicting } = await overtakeEvictor(session, without("evictByName"));
      expect(acquired).toMatchObject({ held: true, found: ["dead"] });
      expect(await evicting).toMatchObject({ held: true, found: ["faster"] });
    },
  );
});

/** An evictor that is held before its unlink, and somebody who evicts and takes the lock meanwhile. */
async function overtakeEvictor(
  session: Session,
  library?: string,
): Promise<{
  readonly faster: Child;
  readonly acquired: Acquired;
  readonly evicting: Promise<Acquired>;
}> {
  const dead = await session.start("dead");
  await dead.acquire();
  await dead.kill();
  // The double begins with an rmdir, which finds that the directory is not empty.
  const call = library === undefined ? "unlink" : "rmdir";
  const evictor = await session.start("evictor", { library });
  const faster = await session.start("faster");
  const eviction = await hold(session, evictor, { call, side: "delay_enter" });
  const evicting = evictor.acquire({ timeoutMs: library === undefined ? 1_200 : LIMIT_MS });
  await eviction.untilHeld();
  const acquired = await faster.acquire();
  await eviction.letGo();
  return { faster, acquired, evicting };
}

describe("a process in which one kind of call is slow, among others that are not", () => {
  const RUNS = deepCount(10, 200);
  const SECTIONS = 6;

  scenario(
    `is never inside together with another: ${RUNS} runs`,
    { needs: [tracing], timeout: 1_800_000 },
    async (session) => {
      let sections = 0;
      for (let run = 0; run < RUNS; run++) sections += await contendWithSlow(session, run, SECTIONS);
      expect(session.counter()).toBe(sections);
      console.log(`slow calls: ${RUNS} runs, ${sections} sections, nobody together with another`);
    },
  );

  scenario("twin: without the lock it is", { needs: [tracing] }, async (session) => {
    const crew = await startCrew(session, 0, { without: true });
    // Without a lock a section takes microseconds: enough of them that they meet, on a busy machine too.
    const answers = await Promise.all(crew.map((child) => child.ask("sections", { count: 500 })));
    expect(answers.flatMap(({ found }) => found as string[])).not.toEqual([]);
    expect(session.counter()).toBeLessThan(crew.length * 500);
  });
});

/** One run; every third with a holder that is killed. How many sections were counted. */
async function contendWithSlow(session: Session, run: number, sections: number): Promise<number> {
  const crew = await startCrew(session, run);
  const victim = run % 3 === 2 ? await session.start("victim") : undefined;
  const held = await victim?.acquire();
  const working = crew.map((child) => child.ask("sections", { count: sections }));
  if (victim !== undefined) {
    // Each has made its home: whatever is slow in it, it contends.
    while (!crew.every((child) => contends(session, child))) await sleep(5);
    await victim.kill();
  }
  const answers = await Promise.all(working);
  expect(answers.map((answer) => answer["sections"])).toEqual(crew.map(() => sections));
  const found = [...(held?.found ?? []), ...answers.flatMap((answer) => answer["found"] as string[])];
  session.expectAlone(found, victim === undefined ? [] : ["victim"]);
  await Promise.all(crew.map((child) => child.leave()));
  return crew.length * sections;
}

/** It has made a home, or has had the lock. */
function contends(session: Session, { pid }: Child): boolean {
  return session.listing().some((entry) => entry.includes(`own1_${pid}_`));
}

/** The slow one, with the run's kind of call, side and delay; and two others. */
async function startCrew(session: Session, run: number, start = {}): Promise<readonly Child[]> {
  const call = CALLS[run % CALLS.length] ?? "rename";
  const side = SIDES[Math.floor(run / CALLS.length) % SIDES.length] ?? "delay_enter";
  // From some milliseconds to more than a waiter's longest wait.
  const delayMs = 2 + ((run * 7) % 30);
  return await Promise.all([
    session.start("slow", { ...start, prefix: slow(call, side, delayMs) }),
    session.start("quick-1", start),
    session.start("quick-2", start),
  ]);
}
