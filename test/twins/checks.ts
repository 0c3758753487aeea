/** Who catches a broken double: random lockstep, and the exhaustive chooser. Deterministic, for a given source. */

import fc from "fast-check";
import { runScope } from "../lockstep/exhaust.ts";
import { lockstepProperty, MAX_COMMANDS } from "../lockstep/programs.ts";
import { SCOPES } from "../lockstep/scopes.ts";
import { Divergence, type Protocol } from "../lockstep/world.ts";

// Enough for the rarest of them ten times over; the seed is fixed, so this is not a matter of luck.
const MOST_PROGRAMS = 3_000;
const SEED = 7;

export interface Caught {
  /** What the harness said; empty if nothing was caught. */
  readonly message: string;
  /** How many programs were run. */
  readonly programs: number;
}

/** Random lockstep, up to the first program that diverges. An error that is no divergence is thrown. */
export async function caughtAtRandom(scope: string, protocol: Protocol): Promise<Caught> {
  const config = SCOPES[scope];
  if (config === undefined) throw new Error(`no scope ${scope}`);
  const property = lockstepProperty(config, protocol, MAX_COMMANDS, () => {});
  const details = await fc.check(property, { seed: SEED, numRuns: MOST_PROGRAMS, endOnFailure: true });
  const { failed, errorInstance, numRuns } = details;
  if (!failed) return { message: "", programs: numRuns };
  if (!(errorInstance instanceof Divergence)) throw errorInstance;
  return { message: errorInstance.message, programs: numRuns };
}

export interface CaughtInOrder {
  readonly message: string;
  readonly steps: number;
}

/** Every schedule of a scope, up to the first that diverges; if none does, what was never driven. */
export async function caughtExhaustively(scope: string, protocol: Protocol): Promise<CaughtInOrder> {
  const { failures, steps } = await runScope(scope, {}, protocol);
  return { message: failures[0] ?? "", steps };
}
