/**
 * The lease (spec/lease.md): an owner whose verdict is unknown, and that was silent for too long, twice, is evicted. A
 * named extra of the protocol: it asks between `Look` and `Judge`, reads L, and writes private files beside it.
 */

import type { Clock } from "./clock.ts";
import { errnoText } from "./errors.ts";
import { BEAT_MS } from "./heartbeat.ts";
import { lastBeat, markPath, readMark, removeMark, writeProbe } from "./owner/mark.ts";
import type { Judgement } from "./registry.ts";

/**
 * How many beats must pass in silence after a mark, and how many make an owner stale at all: one is due, one may be
 * late, and one is in hand.
 */
export const LEASE_BEATS = 3;
/** How often a waiter looks. */
const LOOKS_PER_BEAT = 2;
/** More owners than one process waits for at a time. */
const MOST_FINDINGS = 1_000;

export interface Leases {
  /** Is it time to look at this owner? */
  isDue(ownerName: string): boolean;
  /** It need not be looked at: something is known about it. */
  defer(ownerName: string): void;
  /** Looks at an owner that stands at `lockPath`. Never rejects. What it found is for the next {@link judge}. */
  look(lockPath: string, ownerName: string, staleMs: number): Promise<void>;
  /** It was evicted: the mark about it is done with. */
  evicted(lockPath: string, ownerName: string): void;
  /** The judgement of an owner that is unknown for this reason. */
  judge(lockPath: string, ownerName: string, staleMs: number, reason: string): Judgement;
}

export interface LeaseOptions {
  /** Only for when to look again: ages are the server's business. */
  readonly clock: Clock;
  readonly beatMs?: number;
}

export function createLeases({ clock, beatMs = BEAT_MS }: LeaseOptions): Leases {
  const findings = new Map<string, { readonly found: Finding; readonly dueAt: number }>();
  const keep = (ownerName: string, found: Finding): void => {
    findings.delete(ownerName);
    findings.set(ownerName, { found, dueAt: clock.now() + beatMs / LOOKS_PER_BEAT });
    if (findings.size > MOST_FINDINGS) findings.delete([...findings.keys()][0] ?? "");
  };
  const shortest = LEASE_BEATS * beatMs;
  const timesOf = (staleMs: number): Times => ({ staleMs: Math.max(staleMs, shortest), waitMs: shortest });
  return {
    isDue: (ownerName) => {
      const last = findings.get(ownerName);
      return last === undefined || last.dueAt <= clock.now();
    },
    defer: (ownerName) => keep(ownerName, NOTHING),
    look: async (lockPath, ownerName, staleMs) => {
      keep(ownerName, await lookAt(lockPath, ownerName, timesOf(staleMs)));
    },
    evicted: (lockPath, ownerName) => {
      if (findings.get(ownerName)?.found.kind !== "due") return;
      findings.delete(ownerName);
      void removeMark(markPath(lockPath, ownerName));
    },
    judge: (lockPath, ownerName, staleMs, reason) => {
      const found = findings.get(ownerName)?.found ?? NOTHING;
      const patienceMs = timesOf(staleMs).staleMs;
      // Whoever looked may have had less patience than whoever judges.
      if (found.kind === "due" && found.silentMs >= patienceMs) {
        // `Recheck`, in the turn that evicts. As often as it is asked: beside an owner that is not silent yet, it waits.
        if (lastBeat(lockPath, ownerName) !== found.beatAt) {
          keep(ownerName, NOTHING);
          return { verdict: "unknown", reason };
        }
        return { verdict: "lapsed", reason: `${reason}; silent for ${inWords(found.silentMs)}` };
      }
      return { verdict: "unknown", reason: `${reason}${describe(found, patienceMs)}` };
    },
  };
}

/** What a look at an owner found. */
type Finding =
  | { readonly kind: "nothing" }
  | { readonly kind: "silent"; readonly silentMs: number }
  /** Stale, and a mark says so; `leftMs` until it may be evicted. */
  | { readonly kind: "marked"; readonly silentMs: number; readonly leftMs: number }
  /** So does an old mark: it may be evicted, unless it has beaten meanwhile. */
  | { readonly kind: "due"; readonly silentMs: number; readonly beatAt: bigint }
  | { readonly kind: "unmeasured"; readonly why: string };

const NOTHING: Finding = { kind: "nothing" };

interface Times {
  readonly staleMs: number;
  readonly waitMs: number;
}

async function lookAt(lockPath: string, ownerName: string, times: Times): Promise<Finding> {
  try {
    return await measure(lockPath, ownerName, times);
  } catch (error) {
    // The directory may not be written, or the disk is full: nothing is decided.
    return { kind: "unmeasured", why: errnoText(error) };
  }
}

/** `ReadMark`, `Stat`, `Probe`, and then perhaps `Mark`: in this order (tla/Lease.tla). `Recheck` is the judge's. */
async function measure(lockPath: string, ownerName: string, { staleMs, waitMs }: Times): Promise<Finding> {
  const path = markPath(lockPath, ownerName);
  const mark = readMark(path);
  const beatAt = lastBeat(lockPath, ownerName);
  if (typeof beatAt === "string") return { kind: "unmeasured", why: beatAt };
  const probe = await writeProbe(path, beatAt);
  const silentMs = millisecondsBetween(beatAt, probe.writtenAt);
  const sameBeat = mark?.beatAt === beatAt;
  if (silentMs < staleMs) {
    await probe.discard();
    if (mark !== undefined && !sameBeat) await removeMark(path);
    return { kind: "silent", silentMs };
  }
  const markedMs =
    mark === undefined || !sameBeat ? -1 : millisecondsBetween(mark.writtenAt, probe.writtenAt);
  // A mark from the future is of a clock that was set back since: it would make us wait for longer than it should.
  if (markedMs < 0) {
    await probe.becomeMark().catch(async (error: unknown) => {
      await probe.discard();
      throw error;
    });
    return { kind: "marked", silentMs, leftMs: waitMs };
  }
  await probe.discard();
  if (markedMs < waitMs) return { kind: "marked", silentMs, leftMs: waitMs - markedMs };
  return { kind: "due", silentMs, beatAt };
}

/** Negative if `later` is earlier. */
const millisecondsBetween = (earlier: bigint, later: bigint): number => Number(later - earlier) / 1e6;

/** What follows the reason why an owner is unknown, for whoever waits. */
function describe(found: Finding, staleMs: number): string {
  if (!Number.isFinite(staleMs)) return "; it is never evicted (staleMs is Infinity)";
  switch (found.kind) {
    case "silent":
    case "due":
      return `; silent for ${inWords(found.silentMs)}, evicted after ${inWords(staleMs)} without a beat`;
    case "marked":
      return `; silent for ${inWords(found.silentMs)}, evicted in ${inWords(found.leftMs)} if it stays silent`;
    case "unmeasured":
      return `; for how long it was silent cannot be seen (${found.why})`;
    default:
      return "";
  }
}

/** `12 min`, `40 s`: as exact as a beat is. */
function inWords(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
