/**
 * The heartbeat of a holder (spec/lease.md): whoever cannot judge us sees by it that we live, and we see by it that the
 * lock was lost. Extras of the protocol: a look at L, and a byte in our own owner file, which no verdict reads.
 */

import { AsyncResource } from "node:async_hooks";
import type { Clock } from "./clock.ts";
import type { DiskReply } from "./disk.ts";
import { SessionWriteLockError } from "./errors.ts";
import { isGone, oursIn } from "./loss.ts";
import { loseLock } from "./protocol.ts";
import type { Entry, Heartbeat, Home } from "./registry.ts";
import type { ExtraAction, Run, Step } from "./steps.ts";

/** A holder beats once in this time. Long enough to cost nothing, short against the half hour of a lease. */
export const BEAT_MS = 60_000;
/** A holder looks at L once in so many of these, to notice a loss: every five seconds. */
const WATCHES_PER_BEAT = 12;
/** A beat that comes later than this was missed: due after one, and one may be late. */
const MISSED_AFTER_BEATS = 2;

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** The time of day, in ms. It goes on while a machine sleeps, and the monotonic clock does not. */
  readonly timeOfDay?: () => number;
  readonly beatMs?: number;
}

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  return new Beating(options);
}

/** Not of whoever acquires first: the timer would keep what that caller's AsyncLocalStorage holds. */
const context = new AsyncResource("SessionWriteLockHeartbeat");

/** The same moment on two clocks. */
interface Moment {
  readonly monotonic: number;
  readonly ofDay: number;
}

/** What is remembered about the owner file of an entry's home. */
interface Pulse {
  /** Not later than its last beat. */
  last: Moment;
  /** Counts the Granteds: an answer that belongs to an earlier hold says nothing about this one. */
  hold: number;
  /** In this hold. Never forgotten before its release: a judge may be about to evict. */
  missed: boolean;
  /** A call is under way: never two. */
  busy: boolean;
}

class Beating implements Heartbeat {
  readonly #clock: Clock;
  readonly #timeOfDay: () => number;
  readonly #beatMs: number;
  readonly #pulses: WeakMap<Entry, Pulse> = new WeakMap();
  /** Those that hold, and those that did a moment ago. */
  readonly #watched: Set<Entry> = new Set();

  constructor({ clock, timeOfDay = Date.now, beatMs = BEAT_MS }: HeartbeatOptions) {
    this.#clock = clock;
    this.#timeOfDay = timeOfDay;
    this.#beatMs = beatMs;
  }

  made(entry: Entry): void {
    this.#pulseOf(entry).last = this.#now();
  }

  isOld(entry: Entry): boolean {
    return this.#sinceLast(this.#pulseOf(entry)) > this.#beatMs;
  }

  freshen(entry: Entry, home: Home): boolean {
    const pulse = this.#pulseOf(entry);
    const sent = this.#now();
    const { ok } = entry.services.disk.now({ call: "beat", path: `${home.path}/${home.name}` });
    if (ok) pulse.last = sent;
    return ok;
  }

  held(entry: Entry): void {
    const pulse = this.#pulseOf(entry);
    pulse.hold++;
    pulse.missed = this.#isMissed(pulse);
    const first = this.#watched.size === 0;
    this.#watched.add(entry);
    if (first) this.#arm();
  }

  missed(entry: Entry): boolean {
    const pulse = this.#pulseOf(entry);
    return pulse.missed || this.#isMissed(pulse);
  }

  #arm(): void {
    const tick = (): void => this.#tick();
    context.runInAsyncScope(() => this.#clock.setTimer(this.#beatMs / WATCHES_PER_BEAT, tick, "background"));
  }

  #tick(): void {
    for (const entry of this.#watched) {
      if (entry.held.size === 0 || entry.lost) this.#watched.delete(entry);
      else if (!this.#pulseOf(entry).busy) entry.services.drive(this.#watch(entry));
    }
    if (this.#watched.size > 0) this.#arm();
  }

  /** A beat if one is due, else a look. Either may find that the lock is lost. */
  *#watch(entry: Entry): Run {
    const { home } = entry;
    const pulse = this.#pulseOf(entry);
    const { hold } = pulse;
    if (home === null) return;
    pulse.busy = true;
    const isDue = this.#sinceLast(pulse) >= this.#beatMs;
    const sent = this.#now();
    const reply: DiskReply = isDue
      ? yield extra("Beat", `${entry.lockPath}/${home.name}`)
      : yield extra("Watch", `${entry.lockPath}/.`);
    pulse.busy = false;
    if (pulse.hold !== hold || entry.held.size === 0) return;
    if (isDue) {
      pulse.missed ||= !reply.ok || this.#isMissed(pulse);
      if (reply.ok) pulse.last = sent;
    }
    const look = isDue ? beaten(reply) : oursIn(reply, home);
    if (look.ours !== false) return;
    const { lockPath, sessionFile } = entry;
    const message = `session lock ${lockPath} was lost while it was held: ${look.why}`;
    loseLock(entry, new SessionWriteLockError(message, { code: "ECOMPROMISED", sessionFile, lockPath }));
  }

  #pulseOf(entry: Entry): Pulse {
    let pulse = this.#pulses.get(entry);
    if (pulse === undefined) {
      pulse = { last: this.#now(), hold: 0, missed: false, busy: false };
      this.#pulses.set(entry, pulse);
    }
    return pulse;
  }

  #now(): Moment {
    return { monotonic: this.#clock.now(), ofDay: this.#timeOfDay() };
  }

  #isMissed(pulse: Pulse): boolean {
    return this.#sinceLast(pulse) > MISSED_AFTER_BEATS * this.#beatMs;
  }

  /** By the clock that says more. One of the day that was set back, or forward, costs a Drop at most. */
  #sinceLast({ last }: Pulse): number {
    const { monotonic, ofDay } = this.#now();
    return Math.max(monotonic - last.monotonic, ofDay - last.ofDay);
  }
}

/** Our name is used once in the world: if it is not at L, the lock is not ours. */
function beaten(reply: DiskReply): { readonly ours: boolean | undefined; readonly why: string } {
  const gone = !reply.ok && isGone(reply);
  return { ours: gone ? false : undefined, why: "our name is not there any more" };
}

/** A `Watch` spells L otherwise than a `Look` does, so that a trace tells the two apart. */
function extra(action: ExtraAction, path: string): Step {
  return {
    kind: "call",
    action,
    mode: "async",
    call: { call: action === "Beat" ? "beat" : "readdir", path },
  };
}
