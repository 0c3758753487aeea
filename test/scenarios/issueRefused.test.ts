/**
 * The stories of the holes, told to our lock: who asks, lets go and dies, and when. Each is refused at a step that
 * its test states, or by what the library answers; fifteen have a twin (TWINS). Steps are those of src/protocol.ts on a real directory (test/lockstep/world.ts), where every step
 * is compared with the model and its invariants, MutualExclusion and HeldIsOnDisk among them, hold after each. What
 * is no step of the protocol (a handle, the watchdog, an exit, a sweep) is asked of the library itself, by its result.
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HOLES, type Hole } from "../../model/issue/state.ts";
import type { Config, Guard, Task } from "../../model/state.ts";
import { acquireSessionWriteLock } from "../../src/index.ts";
import { readOwnerScope } from "../../src/owner/identity.ts";
import { formatOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import * as protocol from "../../src/protocol.ts";
import { sweep } from "../../src/sweep.ts";
import { drain, replay, withWorld } from "../lockstep/programs.ts";
import { scope } from "../lockstep/scopes.ts";
import type { Protocol, World } from "../lockstep/world.ts";
import { type Child, startChild } from "../process/support/child.ts";
import { DOUBLES, type Double, loadDouble, type Patched } from "../twins/doubles.ts";
import { describeReplays } from "./describeReplays.ts";

const STORIES: Readonly<Record<Hole, Story>> = {
  OrphanWhileReleasing: ours(["a1", "a2"], { local: false }, (world) => {
    tell(world, ...takes("a1"), "Release(a1) to disk", "Request(a2)");
    expectQueued(world, "a2");
    expect(world.state.releasing["a"]?.name).toBe("a.1.1");
    tell(world, "Drop(a1)", "turn of Drop(a1)", ...takes("a2").slice(1));
    expectHolders(world, "a2");
  }),

  GuardRemovedEarly: ours(["a1", "a2"], { local: false }, (world) => {
    tell(world, ...takes("a1"), "Release(a1) to disk", "Drop(a1)", "Request(a2)");
    expectQueued(world, "a2");
    tell(world, "turn of Drop(a1)", ...takes("a2").slice(1));
    tell(world, "Release(a2) to disk", "Request(a1)");
    expectQueued(world, "a1");
    expect(world.state.releasing["a"]?.name).toBe(world.state.lock?.[0]);
  }),

  OrphanWhileTaking: ours(["a1", "a2"], {}, (world) => {
    tell(world, "Request(a1)", "Prepare(a1)", "Take(a1)", "Request(a2)");
    expect(world.state.lock).toEqual(["a.1.1"]);
    expect(world.state.heldLocks["a"]).toEqual([]);
    expectQueued(world, "a2");
    tell(world, "turn of Take(a1)", "Granted(a1)");
    expectHolders(world, "a1");
  }),

  OrphanOfAnotherRegistry: async (code) => {
    await ours(["a1", "b1"], { pidOf: { a: "a", b: "a" } }, (world) => {
      tell(world, ...takes("a1"), ...isRefused("b1"));
      expectWaits(world, "b1");
      expectHolders(world, "a1");
    })(code);
    // The verdict itself: our pid, another nonce, and no start times. It would say "dead" of another pid.
    const self = { ...readOwnerScope(createObserver()), processStart: "-", threadStart: "-", life: "-" };
    const judge = (pid: string): string => {
      const name = formatOwnerName({ ...self, pid, tid: pid, nonce: "e".repeat(24) });
      return createOwners(self).judge(name, { path: tmpdir(), local: true }).verdict;
    };
    expect(judge(self.pid)).toBe("unknown");
    expect(judge(String(spawnSync(process.execPath, ["-e", ""]).pid))).toBe("dead");
  },

  // A task of the process of a1 would queue, and look at nothing: it is b1 who looks too early, with the pid of a1.
  OrphanByPath: ours(["a1", "b1"], { pidOf: { a: "a", b: "a" }, local: false }, (world) => {
    tell(world, ...takes("a1"), ...isRefused("b1").slice(0, -1));
    tell(world, "Release(a1) to disk", "Drop(a1)", "turn of Drop(a1)", ...takes("a1"));
    expect(world.state.seen["b1"]).toEqual(["a.1.1"]);
    expect(world.state.lock).toEqual(["a.1.2"]);
    tell(world, "turn of Look(b1)");
    expectWaits(world, "b1");
    expectHolders(world, "a1");
  }),

  StaleByPath: ours(["a1", "b1"], {}, (world) => {
    tell(world, "Request(a1)", "Prepare(a1)", "Take(a1)", ...isRefused("b1").slice(0, -1), "Crash(a)");
    tell(world, "turn of Look(b1)", "Start(a)", ...isRefused("a1"), "Evict(a1)", ...takes("a1").slice(2));
    expectHolders(world, "a1");
    tell(world, "Evict(b1)");
    expect(world.state.lock).toEqual(["a.2.1"]);
    tell(world, "Take(b1)");
    expect(world.state.pc["b1"]).toBe("refused");
    expectHolders(world, "a1");
  }),

  JoinWhileReleasing: ours(["a1", "a2"], { reentrantTasks: ["a1", "a2"], local: false }, (world) => {
    tell(world, ...takes("a1"), "Release(a1) to disk", "Request(a2)");
    expectQueued(world, "a2");
    expect(world.state.heldLocks["a"]).toEqual([]);
    tell(world, "Drop(a1)", "turn of Drop(a1)", ...takes("a2").slice(1));
    expectHolders(world, "a2");
  }),

  LateDeleteHitsAnother: ours(["a1", "a2"], { local: false }, (world) => {
    tell(world, ...takes("a1"), "Release(a1) to disk", "Drop(a1)", "Request(a2)");
    expectQueued(world, "a2");
    tell(world, "turn of Drop(a1)", ...takes("a2").slice(1));
    expect(world.state.heldLocks["a"]).toEqual(["a2"]);
    expectHolders(world, "a2");
  }),

  JoinExclusive: ours(["a1", "a2"], { reentrantTasks: ["a2"] }, (world) => {
    tell(world, ...takes("a1"), "Request(a2)");
    expectQueued(world, "a2");
    expectHolders(world, "a1");
  }),

  ReleaseTwice: () =>
    inDirectory(async (sessionFile) => {
      const shared = { sessionFile, allowReentrant: true };
      const [one, other] = [await acquireSessionWriteLock(shared), await acquireSessionWriteLock(shared)];
      const released = one.release();
      expect(one.release()).toBe(released);
      await released;
      other.assertHeld();
      await expectLocked(sessionFile);
      await other.release();
    }),

  ForgetFailedRemoval: ours(["a1", "b1"], { faults: ["putBack", "drop"], maxFaults: 2 }, (world) => {
    tell(world, ...takes("a1"), "Release(a1) to disk", "Check(a1)", "PutBack(a1) fails");
    tell(world, "Drop(a1) fails", "turn of Drop(a1)");
    expect(world.state.lock).toEqual(["a.1.1"]);
    expect(world.state.owes["a"]).toEqual([["a.1.1", "unlinkHome"]]);
    expect(world.state.releasing["a"]?.name).toBe("a.1.1");
    drain(world);
    expect(world.state.lock ?? []).toEqual([]);
    expect(world.state.owes["a"]).toEqual([]);
  }),

  UnwrittenIsStale: ours(["a1", "b1"], {}, (world) => {
    tell(world, "Request(a1)", "Prepare(a1)");
    expect(world.state.lock).toBeNull();
    tell(world, "Take(a1)");
    expect(world.state.lock).toEqual(["a.1.1"]);
    makeOld(world);
    tell(world, ...isRefused("b1"));
    expectWaits(world, "b1");
    tell(world, "turn of Take(a1)", "Granted(a1)");
    expectHolders(world, "a1");
  }),

  UnreadableIsStale: ours(["a1", "b1"], {}, (world) => {
    tell(world, ...takes("a1"));
    for (const name of fs.readdirSync(world.lockPath)) fs.writeFileSync(join(world.lockPath, name), "");
    makeOld(world);
    tell(world, ...isRefused("b1"));
    expectWaits(world, "b1");
    expectHolders(world, "a1");
  }),

  MtimeOfAnother: ours(["a1", "b1"], {}, (world) => {
    tell(world, ...takes("a1"), "Request(b1)", "Prepare(b1)", "Take(b1)", "turn of Take(b1)");
    tell(world, "Release(a1) to disk", "Check(a1)", "PutBack(a1)", "Confirm(a1)", "Released(a1)", "Look(b1)");
    tell(world, "Request(a1)", ...takes("a1").slice(2));
    makeOld(world);
    tell(world, "turn of Look(b1)", "Take(b1)");
    expect(world.state.pc["b1"]).toBe("refused");
    expectHolders(world, "a1");
  }),

  AgeIsDeath: ours(["a1", "b1"], {}, (world) => {
    tell(world, ...takes("a1"));
    makeOld(world);
    tell(world, ...isRefused("b1"));
    expectWaits(world, "b1");
    expectHolders(world, "a1");
  }),

  WatchdogReleases: () =>
    inDirectory(async (sessionFile) => {
      const lock = await acquireSessionWriteLock({ sessionFile, maxHoldMs: 5 });
      // On a busy machine it may have aborted before anybody listens.
      if (!lock.signal.aborted)
        await new Promise((told) => lock.signal.addEventListener("abort", told, { once: true }));
      expect(lock.signal.reason).toMatchObject({ code: "EOVERDUE" });
      expect(lock.isHeld()).toBe(true);
      lock.assertHeld();
      await expectLocked(sessionFile);
      await lock.release();
    }),

  ExitUnlocksHolder: () =>
    inDirectory(async (sessionFile, lockPath, start) => {
      const holder = await start("a1");
      expect(await holder.acquire()).toMatchObject({ held: true });
      const owner = fs.readdirSync(lockPath);
      void holder.ask("exit");
      await holder.ended;
      expect(fs.readdirSync(lockPath)).toEqual(owner);
      const next = await acquireSessionWriteLock({ sessionFile });
      expect(fs.readdirSync(lockPath)).not.toEqual(owner);
      await next.release();
    }),

  ExitWhileReleasing: ours(["a1", "b1"], { local: false }, (world) => {
    tell(world, ...takes("a1"), "Release(a1) to disk", "Crash(a)");
    tell(world, ...isRefused("b1"), "Evict(b1)", ...takes("b1").slice(2));
    expectHolders(world, "b1");
    tell(world, "LateEffect(unlinkLock a.1.1)");
    expect(world.state.lock).toEqual(["b.1.1"]);
    expectHolders(world, "b1");
  }),

  SweepOfNothing: () =>
    inDirectory(async (sessionFile, lockPath) => {
      const sweeping = sweepBeside(sessionFile);
      const lock = await acquireSessionWriteLock({ sessionFile });
      await sweeping;
      lock.assertHeld();
      // What no name of ours is in, a sweep leaves alone as well.
      await lock.release();
      fs.mkdirSync(lockPath);
      await sweepBeside(sessionFile);
      expect(fs.readdirSync(lockPath)).toEqual([]);
    }),

  SweepByPath: () =>
    inDirectory(async (sessionFile, lockPath, start) => {
      const dead = await start("a1");
      expect(await dead.acquire()).toMatchObject({ held: true });
      const [owner] = fs.readdirSync(lockPath);
      await dead.kill();
      await sweepBeside(sessionFile);
      expect(fs.readdirSync(lockPath)).toEqual([owner]);
      const sweeping = sweepBeside(sessionFile);
      const lock = await acquireSessionWriteLock({ sessionFile });
      await sweeping;
      lock.assertHeld();
      expect(fs.readdirSync(lockPath)).not.toContain(owner);
      await lock.release();
    }),
};

describeReplays(import.meta.url, "the same story, told to our lock, is refused", ({ hole }) =>
  STORIES[hole](protocol),
);

/** A double, and what it must say, at the step that refuses the story: the steps before it are those of the model. */
type Twin = Patched & Pick<Double, "caughtBy">;

/** With `node:fs` at hand, for what is done by path. */
const byPath = (find: string, replace: string): Double["patches"] => [
  [find, replace],
  ["const rename = (", 'import nodeFs from "node:fs";\nconst rename = ('],
];

const IS_OLD =
  "(nodeFs.statSync(entry.lockPath, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < Date.now() - 3_600_000";
const JUDGE = "({ name, ...owners.judge(name, placeOf(entry)) })";
const dead = (when: string): string => `(${when} ? { name, verdict: "dead", reason: "" } : ${JUDGE})`;

/** The directory stays, as in the specification: so the first one, which is right, is not where it is caught. */
const EVICT_WHAT_STANDS_THERE = byPath(
  'if (reply.ok || reply.errno === "ENOENT") continue;',
  'for (const other of nodeFs.readdirSync(entry.lockPath)) nodeFs.rmSync(entry.lockPath + "/" + other);\n    continue;',
);
/** The lock path moves out of the way, whoever's name is in it. */
const DROP_BY_PATH: Double["patches"] = [
  ['call("Drop", "async", unlink(', 'call("Drop", "async", dropByPath('],
  [
    "const rename = (",
    'const dropByPath = (path: string) => rename(path.slice(0, path.lastIndexOf("/")), path.slice(0, path.lastIndexOf("/")) + ".dropped");\nconst rename = (',
  ],
];
/** The orphan rule, of a process all of whose owners have the own pid. */
const ORPHAN_RULE: Double["patches"] = [[JUDGE, dead("entry.held.size === 0")]];
const AGE_IS_DEATH = byPath(JUDGE, dead(IS_OLD));
/** As if a request did not see that another one is on its way. */
const CONTEND_BESIDE_CONTENDER: Double["patches"] = [
  ["entry.held.size === 0 && entry.contender === null && ", "entry.held.size === 0 && "],
];
const JOIN_ANYBODY: Double["patches"] = [
  ["attempt.reentrant && isShared(entry) && !entry.lost", "attempt.reentrant && entry.held.size > 0"],
];
const OLD_IS_REMOVED_UNSEEN = byPath(
  "  if (++patience.spins > MOST_SPINS",
  `  if (${IS_OLD}) nodeFs.rmSync(entry.lockPath, { recursive: true });\n  if (++patience.spins > MOST_SPINS`,
);

const CONTENDS = /^Request\(a2\) is not a step of the model: contender:/;
const JUDGED = /^Judge\(b1\) is not a step of the model: .* real \{"a1":"\w+","b1":"evict"\}/;

/** What refuses a story, taken out. */
const TWINS: Readonly<Partial<Record<Hole, Twin>>> = {
  OrphanWhileReleasing: ofGuard("ContendWhileReleasing", CONTENDS),
  GuardRemovedEarly: ofGuard("ContendWhileReleasing", CONTENDS),
  OrphanWhileTaking: {
    guard: "ContendBesideContender",
    patches: CONTEND_BESIDE_CONTENDER,
    caughtBy: CONTENDS,
  },
  OrphanOfAnotherRegistry: { guard: "OrphanRule", patches: ORPHAN_RULE, caughtBy: JUDGED },
  OrphanByPath: { guard: "OrphanRule", patches: ORPHAN_RULE, caughtBy: JUDGED },
  StaleByPath: {
    guard: "EvictWhatStandsThere",
    patches: EVICT_WHAT_STANDS_THERE,
    caughtBy: /^Evict\(b1\) is not a step of the model: lock:/,
  },
  JoinWhileReleasing: ofGuard("ContendWhileReleasing", CONTENDS),
  LateDeleteHitsAnother: ofGuard("ContendWhileReleasing", CONTENDS),
  JoinExclusive: {
    guard: "JoinAnybody",
    patches: JOIN_ANYBODY,
    caughtBy: /^Request\(a2\) is not a step of the model: heldLocks:/,
  },
  ForgetFailedRemoval: ofGuard("ForgetFailedRelease", /^Released\(a1\) is not a step of the model: /),
  UnwrittenIsStale: { guard: "AgeIsDeath", patches: AGE_IS_DEATH, caughtBy: JUDGED },
  UnreadableIsStale: { guard: "AgeIsDeath", patches: AGE_IS_DEATH, caughtBy: JUDGED },
  MtimeOfAnother: {
    guard: "OldIsRemovedUnseen",
    patches: OLD_IS_REMOVED_UNSEEN,
    caughtBy: /^Judge\(b1\) is not a step of the model: lock:/,
  },
  AgeIsDeath: { guard: "AgeIsDeath", patches: AGE_IS_DEATH, caughtBy: JUDGED },
  ExitWhileReleasing: {
    guard: "DropByPath",
    patches: DROP_BY_PATH,
    caughtBy: /^LateEffect\(unlinkLock a\.1\.1\) is not a step of the model: lock:/,
  },
};

function ofGuard(guard: Guard, caughtBy: RegExp): Twin {
  const double = DOUBLES.find((candidate) => candidate.guard === guard);
  if (double === undefined) throw new Error(`no double ${guard}`);
  return { ...double, caughtBy };
}

it("five stories have no twin: they are asked of the library itself, and no moment is controlled", () => {
  const without = ["ReleaseTwice", "WatchdogReleases", "ExitUnlocksHolder", "SweepOfNothing", "SweepByPath"];
  expect(HOLES.filter((hole) => TWINS[hole] === undefined)).toEqual(without);
});

describe("twin: a story without what refuses it is caught, at the step that refuses it", () => {
  it.each(Object.entries(TWINS).map(([hole, twin]) => ({ hole, ...twin })))(
    "$hole, told to $guard",
    async ({ hole, ...twin }) => {
      await expect(STORIES[hole as Hole](await loadDouble(twin))).rejects.toThrow(twin.caughtBy);
    },
  );
});

// ------------------------------------------------------------------------------------------------
// Step by step

type Story = (code: Protocol) => Promise<void>;

function ours(tasks: readonly Task[], rest: Partial<Config>, action: (world: World) => void): Story {
  return (code) => withWorld(scope(tasks, rest), code, action);
}

/** An acquire that nobody is in the way of. */
const takes = (task: Task): string[] => [
  `Request(${task})`,
  `Prepare(${task})`,
  `Take(${task})`,
  `turn of Take(${task})`,
  `Granted(${task})`,
];

/** An acquire that finds somebody, up to its verdict. */
const isRefused = (task: Task): string[] => [
  `Request(${task})`,
  `Prepare(${task})`,
  `Take(${task})`,
  `turn of Take(${task})`,
  `Look(${task})`,
  `turn of Look(${task})`,
];

/** Makes the steps happen. After each, whoever holds has his name at the lock path, and nobody else holds. */
function tell(world: World, ...steps: readonly string[]): void {
  for (const step of steps) {
    replay(world, [step]);
    const holders = holdersOf(world);
    if (holders.length > 0) expect(fs.readdirSync(world.lockPath), step).toEqual([ownNameOf(world)]);
  }
}

function refuses(world: World, step: string): void {
  expect(world.options().map(({ text }) => text)).not.toContain(step);
}

/** Those whose acquire was granted, and who have not called release. */
function holdersOf(world: World): string[] {
  return [...world.clients.values()]
    .filter(({ told, release }) => told === "granted" && release === "not asked")
    .map(({ task }) => task)
    .sort();
}

/** By what the holders' process remembers. */
function ownNameOf(world: World): string | undefined {
  const [holder] = holdersOf(world);
  return world.process(world.config.procOf[holder ?? ""] ?? "").entry.home?.name;
}

function expectHolders(world: World, ...tasks: readonly Task[]): void {
  expect(holdersOf(world)).toEqual(tasks);
}

function expectQueued(world: World, task: Task): void {
  expect(world.state.pc[task]).toBe("queued");
  // It does nothing of its own.
  refuses(world, `Take(${task})`);
  refuses(world, `Look(${task})`);
}

function expectWaits(world: World, task: Task): void {
  expect(world.state.pc[task]).toBe("waiting");
}

/** Far older than any staleMs. */
function makeOld({ lockPath }: World): void {
  const old = Date.now() / 1_000 - 24 * 60 * 60;
  for (const name of fs.readdirSync(lockPath)) fs.utimesSync(join(lockPath, name), old, old);
  fs.utimesSync(lockPath, old, old);
}

// ------------------------------------------------------------------------------------------------
// The library itself

type Start = (who: string) => Promise<Child>;

async function inDirectory(
  action: (sessionFile: string, lockPath: string, start: Start) => Promise<void>,
): Promise<void> {
  const directory = fs.mkdtempSync(join(tmpdir(), "swl-refused-"));
  const sessionFile = join(directory, "a.jsonl");
  const children: Child[] = [];
  const start: Start = async (who) => {
    const child = await startChild({ who, sessionFile, witness: directory });
    children.push(child);
    return child;
  };
  try {
    await action(sessionFile, `${sessionFile}.lock`, start);
  } finally {
    await Promise.all(children.map((child) => child.destroy()));
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** Somebody who asks for it does not get it. */
async function expectLocked(sessionFile: string): Promise<void> {
  const asked = acquireSessionWriteLock({ sessionFile, timeoutMs: 20 });
  await expect(asked).rejects.toMatchObject({ code: "ELOCKED" });
}

const sweepBeside = (sessionFile: string): Promise<readonly string[]> =>
  sweep(join(sessionFile, ".."), createOwners(readOwnerScope(createObserver())));
