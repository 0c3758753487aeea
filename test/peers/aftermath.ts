/** After a violation time goes on: which of those that hold hears from its library that it does not, and when? */

import { type Contender, processName, type Subject } from "./contender.ts";
import { PROCESS_NOW_MS } from "./disk.ts";
import type { Step } from "./explore.ts";
import type { Clock } from "./library.ts";
import { memoryDisk, type Performer, parseSteps, replay, stepText } from "./replay.ts";
import type { Result } from "./results.ts";
import type { Description } from "./subjects.ts";

export interface Aftermath {
  /** Those that two callers were told they hold. */
  readonly holders: readonly string[];
  /** Of these, who was told that it does not, after how long. */
  readonly told: ReadonlyMap<string, number>;
  /** How often a timer fired: at 0 nothing was looked at. */
  readonly fired: number;
}

/** Time that passes when it is told to. */
class PassingClock implements Clock {
  #nowMs = PROCESS_NOW_MS;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  later(callback: () => void, ms: number): () => void {
    const timer = { at: this.#nowMs + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Fires the timer that is due first; false if none is due before that time. */
  passUntil(endMs: number): boolean {
    const [first] = this.#timers.toSorted((a, b) => a.at - b.at);
    if (first === undefined || first.at > endMs) return false;
    this.#timers = this.#timers.filter((other) => other !== first);
    this.#nowMs = first.at;
    first.callback();
    return true;
  }
}

/** All hold on. Calls are answered at once. */
export async function aftermath(
  description: Description,
  result: Result,
  lastsMs: number,
): Promise<Aftermath> {
  const clock = new PassingClock();
  const timed: Clock = { now: () => clock.now(), later: (callback, ms) => clock.later(callback, ms) };
  const loaded = await description.load({ retries: result.retries, publicly: true, clock: timed });
  const contenders: Contender[] = [];
  const subject: Subject = {
    ...loaded,
    create: (index) => {
      const contender = loaded.create(index);
      contenders[index] = contender;
      return contender;
    },
  };
  const make = memoryDisk(subject);
  const steps = parseSteps(result.shortest);
  const played = await replay(subject, [...steps, ...unanswered(steps)], make);
  const holders = played[steps.length - 1]?.holders ?? [];
  const told = new Map<string, number>();
  let fired = 0;
  do {
    await settle(contenders, make);
    for (const [index, contender] of contenders.entries()) {
      const name = processName(index);
      if (contender.view().told === "lost" && !told.has(name)) told.set(name, clock.now() - PROCESS_NOW_MS);
    }
  } while (clock.passUntil(PROCESS_NOW_MS + lastsMs) && ++fired > 0);
  return { holders, told, fired };
}

/** The turns of the calls that were made, and not answered. */
function unanswered(steps: readonly Step[]): readonly Step[] {
  const turns = new Set(steps.filter(({ kind }) => kind === "turn").map(stepText));
  return steps
    .filter(({ kind }) => kind === "effect")
    .map((step): Step => ({ ...step, kind: "turn" }))
    .filter((step) => !turns.has(stepText(step)));
}

/** Until no call is under way. */
async function settle(contenders: readonly Contender[], make: Performer): Promise<void> {
  for (;;) {
    const one = contenders.find((contender) => contender.view().sent.length > 0);
    const [sent] = one?.view().sent ?? [];
    if (one === undefined || sent === undefined) return;
    one.tell({ kind: "turn", id: sent.id, reply: await make(sent.call) });
    await new Promise((resolve) => setImmediate(resolve));
  }
}
