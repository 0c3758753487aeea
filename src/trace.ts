/**
 * The trace port: whoever listens is told of each labelled step, before it happens and after. Nobody does by default.
 * test/stress does, and checks that what it hears is a behaviour of the model.
 *
 * No option and no environment variable turns it on, but a symbol, before the first acquisition: a trace is a tool
 * of this repository, not a promise to users.
 */

import type { DiskReply } from "./disk.ts";
import type { Attempt, Entry } from "./registry.ts";
import type { Run, Step } from "./steps.ts";

/** What an entry tells. All of it is synchronous, and nothing may throw. */
export interface Tracer {
  /** A call from outside; it has changed nothing yet. */
  called(action: "Request" | "GiveUp" | "LetGo" | "Release" | "Expire", attempt: Attempt): void;
  /** A turn begins; or a call is about to be made, or sent. */
  begins(run: Run, step: LabelledStep): void;
  /** The reply of the run's call is here; the run has not gone on yet. */
  ends(run: Run, reply: DiskReply): void;
}

export type LabelledStep = Step & { readonly kind: "call" | "turn" };

const TRACE_KEY = Symbol.for("session-write-lock.trace.v1");

/** Who listens to this entry. */
export function tracerOf(entry: Entry): Tracer | undefined {
  const hook = globalThis as { readonly [TRACE_KEY]?: (entry: Entry) => Tracer };
  return hook[TRACE_KEY]?.(entry);
}
