/**
 * What a labelled step is. The protocol (protocol.ts) is written as generators that yield steps; a driver
 * makes them happen. The code behind a `yield`, up to the next one, belongs to the step that was yielded:
 * so one action of tla/OwnerDirectory.tla is one `yield` here, under the same name.
 *
 * The real driver is `drive` below. The harness in test/lockstep has another one that makes every step wait
 * for its scheduler; that is why nothing here is hidden in promises.
 */

import { AsyncResource } from "node:async_hooks";
import type { Clock } from "./clock.ts";
import type { Disk, DiskCall, DiskReply } from "./disk.ts";
import type { Tracer } from "./trace.ts";

export type Step =
  /** A system call. Asynchronous: its result comes in a turn of its own. Synchronous: in this turn. */
  | {
      readonly kind: "call";
      readonly action: CallAction | ExtraAction;
      readonly mode: "sync" | "async";
      /** Asynchronous, and may be made at once: its effect and its turn with nothing of this process between. */
      readonly atOnce?: boolean;
      readonly call: DiskCall;
    }
  /** The turn that works on a result: no system call. */
  | { readonly kind: "turn"; readonly action: TurnAction }
  /** Something that is no step of the specification is asked, without the disk; what comes next is another turn. */
  | { readonly kind: "ask"; readonly ask: (done: () => void) => void }
  /** The run sleeps; what comes next is a turn of its own. `arm` gets the function that ends the sleep. */
  | {
      readonly kind: "sleep";
      readonly ms: number;
      readonly background?: "background";
      readonly arm: (wake: Wakeable) => void;
    };

export type CallAction =
  | "Prepare"
  | "Take"
  | "Verify"
  | "Look"
  | "Evict"
  | "Clear"
  | "Check"
  | "PutBack"
  | "Confirm"
  | "Restore"
  | "Drop"
  | "Retry";

/** Calls of the heartbeat: no actions of tla/OwnerDirectory.tla, which has no time (spec/lease.md). */
export type ExtraAction = "Beat" | "Watch";

export type TurnAction = "Granted" | "Refused" | "Judge" | "Wake" | "Released" | "Retried";

/** A sleeping run: it can be woken early, or never wake again. */
export interface Wakeable {
  wake(): void;
  cancel(): void;
}

/** A piece of the protocol: yields steps, and is given the reply of each call. */
export type Run = Generator<Step, void, DiskReply>;

/** A piece of a run, with a result. */
export type Part<T> = Generator<Step, T, DiskReply>;

/** What makes steps happen, and tells whoever listens. */
export type Driver = (run: Run, tracer?: Tracer) => void;

const NOTHING: DiskReply = { ok: true, names: [] };

/**
 * How long one turn of the event loop, with the promises that it settles, may be spent on calls that are made at once, and
 * on locks that are granted in it.
 * Whoever acquires and releases in a loop would else keep timers and input waiting for as long as the loop lasts.
 */
const MOST_AT_ONCE_MS = 10;

/** Whether one more call may be made at once in this turn. */
export function createTurnBudget(
  clock: Clock,
  nextTurn: (callback: () => void) => void = (callback) => setImmediate(callback).unref(),
): () => boolean {
  let began: number | undefined;
  return () => {
    if (began !== undefined) return clock.now() - began < MOST_AT_ONCE_MS;
    began = clock.now();
    context.runInAsyncScope(nextTurn, undefined, () => {
      began = undefined;
    });
    return true;
  };
}

/** Not of whoever acquires: its AsyncLocalStorage is none of the budget's business. */
const context = new AsyncResource("SessionWriteLockTurn");

/** The real driver: synchronous calls and turns at once, the others when the kernel and the clock say so. */
export function createDriver(
  disk: Disk,
  clock: Clock,
  mayBlock: () => boolean = createTurnBudget(clock),
): Driver {
  const drive = (run: Run, tracer: Tracer | undefined, reply: DiskReply = NOTHING): void => {
    let result = run.next(reply);
    while (result.done !== true) {
      const next = perform(run, tracer, result.value);
      if (next === undefined) return;
      result = run.next(next);
    }
  };
  const perform = (run: Run, tracer: Tracer | undefined, step: Step): DiskReply | undefined => {
    switch (step.kind) {
      case "turn":
        tracer?.begins(run, step);
        return NOTHING;
      case "call":
        tracer?.begins(run, step);
        return step.mode === "sync" || (step.atOnce === true && mayBlock())
          ? callNow(run, tracer, step.call)
          : callLater(run, tracer, step.call);
      case "ask":
        step.ask(() => drive(run, tracer));
        return undefined;
      case "sleep":
        sleep(run, tracer, step);
        return undefined;
    }
  };
  const callNow = (run: Run, tracer: Tracer | undefined, call: DiskCall): DiskReply => {
    const reply = disk.now(call);
    tracer?.ends(run, reply);
    return reply;
  };
  const callLater = (run: Run, tracer: Tracer | undefined, call: DiskCall): undefined => {
    disk.later(call, (reply) => {
      tracer?.ends(run, reply);
      drive(run, tracer, reply);
    });
  };
  const sleep = (
    run: Run,
    tracer: Tracer | undefined,
    { ms, background, arm }: Step & { readonly kind: "sleep" },
  ): void => {
    const timer = clock.setTimer(ms, () => drive(run, tracer), background);
    arm({
      wake: () => {
        timer.cancel();
        drive(run, tracer);
      },
      cancel: () => timer.cancel(),
    });
  };
  return (run, tracer) => drive(run, tracer);
}
