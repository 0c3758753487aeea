/**
 * Broken doubles of both halves of the lease, each with one guard taken out: in the same story the code does what it
 * should, and the double does what the must-fail configuration of its name says (tla/Lease.tla). Real files, whose
 * mtimes are set: here that is the file server's clock.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BROKEN } from "../../model/lease/lease.ts";
import type { Clock } from "../../src/clock.ts";
import { nodeDisk } from "../../src/disk.ts";
import * as heartbeat from "../../src/heartbeat.ts";
import * as lease from "../../src/lease.ts";
import { readOwnerScope } from "../../src/owner/identity.ts";
import { markPath } from "../../src/owner/mark.ts";
import { formatOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import * as protocol from "../../src/protocol.ts";
import { type Attempt, createEntry, type Entry } from "../../src/registry.ts";
import { createDriver } from "../../src/steps.ts";
import { type Double, loadPatched } from "./doubles.ts";

const BEAT_MS = 60_000;
const STALE_MS = 30 * BEAT_MS;
const self = readOwnerScope(createObserver());
const owner = formatOwnerName({ ...self, boot: "0123456789abcdef", life: "-", nonce: "a".repeat(24) });

let directory = "";
let lockPath = "";
let nowMs = 0;

beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-lease-twins-")));
  lockPath = join(directory, "a.jsonl.lock");
  nowMs = 0;
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const clock: Clock = { now: () => nowMs, random: () => 0.5, setTimer: () => ({ cancel: () => {} }) };

function setAge(path: string, ms: number): void {
  const at = (Date.now() - ms) / 1000;
  if (fs.existsSync(path)) fs.utimesSync(path, at, at);
}

// ------------------------------------------------------------------------------------------------
// Judges

interface JudgeDouble {
  /** As in `Broken` of the specification, or the constant that is too small there. */
  readonly guard: string;
  readonly patches: Double["patches"];
  /** An owner that is silent for so many beats now, and was when the mark was left. */
  readonly story: Story;
  /** What the code says in the end; the double says the opposite. */
  readonly lapses: boolean;
}

interface Story {
  readonly staleMs?: number;
  readonly marked?: { readonly silentBeats: number; readonly agoBeats: number };
  readonly silentBeats: number;
  /** Between the last look and the judgement. */
  readonly beats?: true;
}

const OLD_MARK: Story = { marked: { silentBeats: 40, agoBeats: 3.1 }, silentBeats: 40 };

const JUDGES: readonly JudgeDouble[] = [
  {
    guard: "EvictOnFirst",
    patches: [
      ["if (markedMs < 0) {", "if (markedMs > Infinity) {"],
      ["if (markedMs < waitMs) return", "if (markedMs > Infinity) return"],
    ],
    story: { silentBeats: 40 },
    lapses: false,
  },
  {
    guard: "AnyMark",
    patches: [["const sameBeat = mark?.beatAt === beatAt;", "const sameBeat = mark !== undefined;"]],
    story: { marked: { silentBeats: 90, agoBeats: 50 }, silentBeats: 45 },
    lapses: false,
  },
  {
    guard: "NoRecheck",
    patches: [["if (lastBeat(lockPath, ownerName) !== found.beatAt)", "if (found.beatAt < 0n)"]],
    story: { ...OLD_MARK, beats: true },
    lapses: false,
  },
  {
    guard: "OwnClock",
    patches: [
      [
        "const probe = await writeProbe(path, beatAt);",
        "const probe = { ...(await writeProbe(path, beatAt)), writtenAt: BigInt(Date.now() + 4e6) * 1_000_000n };",
      ],
    ],
    story: { marked: { silentBeats: 0, agoBeats: 0 }, silentBeats: 0 },
    lapses: false,
  },
  {
    guard: "ShortWait",
    patches: [
      [
        "staleMs: Math.max(staleMs, shortest), waitMs: shortest }",
        "staleMs: Math.max(staleMs, shortest), waitMs: 2 * beatMs }",
      ],
    ],
    story: { marked: { silentBeats: 40, agoBeats: 2.5 }, silentBeats: 40 },
    lapses: false,
  },
  {
    guard: "ShortStale",
    patches: [["staleMs: Math.max(staleMs, shortest), waitMs", "staleMs, waitMs"]],
    story: { staleMs: 1, marked: { silentBeats: 1.5, agoBeats: 3.1 }, silentBeats: 1.5 },
    lapses: false,
  },
  {
    guard: "MarkInMemory",
    patches: [["await probe.becomeMark().catch(", "await probe.discard().catch("]],
    story: OLD_MARK,
    lapses: true,
  },
];

/** Every judge lives for one look. */
async function lapses(module: Pick<typeof lease, "createLeases">, story: Story): Promise<boolean> {
  const { staleMs = STALE_MS, marked, silentBeats, beats } = story;
  const file = join(lockPath, owner);
  fs.rmSync(lockPath, { recursive: true, force: true });
  fs.rmSync(markPath(lockPath, owner), { force: true });
  fs.mkdirSync(lockPath);
  fs.writeFileSync(file, "{}");
  const look = async (): Promise<boolean> => {
    const judge = module.createLeases({ clock, beatMs: BEAT_MS });
    await judge.look(lockPath, owner, staleMs);
    if (beats && fs.existsSync(markPath(lockPath, owner))) touchLast();
    return judge.judge(lockPath, owner, staleMs, "unknown").verdict === "lapsed";
  };
  let looks = 0;
  const touchLast = (): void => {
    if (++looks > 1) fs.writeFileSync(file, "{}");
  };
  // One stamp for both: an owner that stays silent does not touch its file.
  setAge(file, (marked?.silentBeats ?? silentBeats) * BEAT_MS);
  if (marked !== undefined) {
    await look();
    setAge(markPath(lockPath, owner), marked.agoBeats * BEAT_MS);
    if (marked.silentBeats !== silentBeats) setAge(file, silentBeats * BEAT_MS);
  }
  return await look();
}

describe("a judge of the lease", () => {
  for (const { guard, patches, story, lapses: expected } of JUDGES) {
    it(`without ${guard} is caught`, async () => {
      const broken = await loadPatched<typeof lease>("lease.ts", `Lease${guard}`, patches);
      expect(await lapses(lease, story)).toBe(expected);
      expect(await lapses(broken, story)).toBe(!expected);
    });
  }

  // Of no guard of the specification, where each judge has one staleMs, and a lock one owner.
  it.each([
    [
      "that uses what was measured with less patience than its own",
      "OthersPatience",
      [["found.silentMs >= patienceMs", "found.silentMs >= 0"]],
      [false, true],
    ],
    [
      "that forgets a lapse once it was asked for it: beside an owner that lapses later, it would never evict",
      "SpentOnce",
      [['return { verdict: "lapsed"', 'keep(ownerName, NOTHING);\n        return { verdict: "lapsed"']],
      [true, false],
    ],
  ] as const)("%s is caught", async (_what, name, patches, [expected, wrong]) => {
    const broken = await loadPatched<typeof lease>("lease.ts", `Lease${name}`, patches);
    for (const [module, says] of [
      [lease, expected],
      [broken, wrong],
    ] as const) {
      await lapses(module, OLD_MARK);
      fs.utimesSync(markPath(lockPath, owner), 1, 1);
      const judge = module.createLeases({ clock, beatMs: BEAT_MS });
      await judge.look(lockPath, owner, STALE_MS);
      const asked = (staleMs: number): string => judge.judge(lockPath, owner, staleMs, "unknown").verdict;
      const verdict = name === "SpentOnce" ? [asked(STALE_MS), asked(STALE_MS)][1] : asked(Infinity);
      expect(verdict === "lapsed").toBe(says);
    }
  });
});

// ------------------------------------------------------------------------------------------------
// Holders

type Heart = Pick<typeof heartbeat, "createHeartbeat">;
type Protocol = Pick<typeof protocol, "request" | "release">;

/** A holder whose timer is turned by hand. */
function holder(heart: Heart, { request, release }: Protocol = protocol): Holder {
  let tick: (() => void) | undefined;
  const turned: Clock = {
    ...clock,
    setTimer: (_ms, callback, background) => {
      if (background !== undefined) tick = callback;
      return { cancel: () => {} };
    },
  };
  const calls: string[] = [];
  const disk = {
    now: (call: Parameters<typeof nodeDisk.now>[0]) => {
      calls.push(call.call);
      return nodeDisk.now(call);
    },
    renameReplacesEmpty: true,
    later: nodeDisk.later,
  };
  const entry = createEntry({
    lockPath,
    sessionFile: join(directory, "a.jsonl"),
    local: true,
    services: {
      disk,
      clock: turned,
      owners: createOwners(self),
      drive: createDriver(disk, turned),
      heartbeat: heart.createHeartbeat({ clock: turned, timeOfDay: () => nowMs, beatMs: BEAT_MS }),
      warn: () => {},
      quiet: () => {},
    },
  });
  return {
    entry,
    calls,
    take: () =>
      new Promise((resolve, reject) => {
        const attempt: Attempt = {
          reentrant: false,
          gaveUp: false,
          revoked: false,
          granted: () => resolve(attempt),
          failed: reject,
          lost: () => {},
        };
        request(entry, attempt);
      }),
    release: (attempt) => new Promise((resolve) => release(entry, attempt, () => resolve())),
    beat: async () => {
      const before = fs.statSync(join(lockPath, entry.home?.name ?? ""), { bigint: true }).mtimeNs;
      tick?.();
      await expect
        .poll(() => fs.statSync(join(lockPath, entry.home?.name ?? ""), { bigint: true }).mtimeNs, {
          timeout: 60_000,
        })
        .not.toBe(before);
      // Its turn comes after its effect.
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}

interface Holder {
  readonly entry: Entry;
  readonly calls: string[];
  take(): Promise<Attempt>;
  release(attempt: Attempt): Promise<void>;
  beat(): Promise<void>;
}

/** Whether a holder that missed a beat, and has beaten since, puts back. */
async function putsBackAfterMiss(heart: Heart): Promise<boolean> {
  const { calls, take, release, beat } = holder(heart);
  const attempt = await take();
  nowMs += 5 * BEAT_MS;
  await beat();
  calls.length = 0;
  await release(attempt);
  return calls.includes("rename");
}

/** Whether a home that lay idle is taken with as it is. */
async function takesOldHome(of: Protocol): Promise<boolean> {
  const { entry, take, release } = holder(heartbeat, of);
  await release(await take());
  setAge(join(entry.home?.path ?? "", entry.home?.name ?? ""), 40 * BEAT_MS);
  nowMs += 40 * BEAT_MS;
  await take();
  const { mtimeMs } = fs.statSync(join(lockPath, entry.home?.name ?? ""));
  return Date.now() - mtimeMs > BEAT_MS;
}

describe("a holder", () => {
  it("without MissForgotten is caught: it puts back, and a judge may be about to evict it", async () => {
    const patches = [["pulse.missed ||= !reply.ok", "pulse.missed = !reply.ok"]] as const;
    // The moment of the beat is that of the next comparison.
    const late = [["|| this.#isMissed(pulse);\n      if (reply.ok)", ";\n      if (reply.ok)"]] as const;
    const broken = await loadPatched<Heart>("heartbeat.ts", "LeaseMissForgotten", [...patches, ...late]);
    expect(await putsBackAfterMiss(heartbeat)).toBe(false);
    fs.rmSync(lockPath, { recursive: true, force: true });
    expect(await putsBackAfterMiss(broken)).toBe(true);
  });

  it("without NoBeatBeforeTake is caught: an old mark would evict it at once", async () => {
    const patches = [
      ["if (heartbeat?.isOld(entry) === true &&", "if (heartbeat?.isOld(entry) === null &&"],
    ] as const;
    const broken = await loadPatched<Protocol>("protocol.ts", "LeaseNoBeatBeforeTake", patches);
    expect(await takesOldHome(protocol)).toBe(false);
    fs.rmSync(lockPath, { recursive: true, force: true });
    expect(await takesOldHome(broken)).toBe(true);
  });
});

it("every guard of the specification of the lease has a double; the assumptions have none", () => {
  const doubles = [
    ...JUDGES.map(({ guard }) => guard),
    "MissForgotten",
    "NoBeatBeforeTake",
    "PutBackAfterMiss",
  ];
  const assumed = ["StopMidTurn", "TwoJumps"];
  const constants = ["ShortWait", "ShortStale"];
  expect([...doubles, ...assumed].sort()).toEqual([...BROKEN, ...constants].sort());
});
