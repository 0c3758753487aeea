/**
 * Failures at every call of every schedule of a scope, on the real lock: each errno that the call may report, and each
 * way to fail: it did not happen, it happened all the same, it happens later. The step must be an edge of the
 * model; and
 *
 * - the properties hold in every state, and callers are told what is so (world.ts);
 * - wherever the code has nothing more to do, every promise has settled, no living name is at the lock path, and no
 *   home is left that its process has forgotten;
 * - from wherever the failures stop it comes to rest;
 * - whenever all owners end, a newcomer gets the lock, and the sweep leaves nothing (endings.ts).
 */

import { lives, type State } from "../../model/state.ts";
import * as realProtocol from "../../src/protocol.ts";
import { ExhaustFailure, type ExhaustOptions, exhaust, type MetPlace } from "../lockstep/exhaustive.ts";
import {
  Divergence,
  type Failure,
  type Failures,
  faultKind,
  type Protocol,
  type World,
} from "../lockstep/world.ts";
import { leftAfter, shapeOf } from "./endings.ts";
import { type Errno, errnosOf, isUnderstood } from "./errnos.ts";
import type { FaultScope } from "./scopes.ts";

export interface FaultResult {
  readonly scope: string;
  /** States of the model with what the code remembers beyond them. */
  readonly places: number;
  /** Failures that were injected: calls of places x errnos x ways to fail. */
  readonly injected: number;
  /** `Take with ESTALE, happened`: each errno of each action in each way, once. */
  readonly kinds: ReadonlySet<string>;
  /** Ways in which the directory is left if all owners end at some place: each was given to a newcomer. */
  readonly endings: number;
  readonly steps: number;
  readonly seconds: number;
  /** Why it is no success; empty if it is one. */
  readonly failures: readonly string[];
}

/** Injects at one scope. Never throws for what the code does wrong. */
export async function runFaults(
  scope: string,
  faultScope: FaultScope,
  protocol: Protocol = realProtocol,
  options: Pick<ExhaustOptions, "onProgress" | "signal"> = {},
): Promise<FaultResult> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const seen = new Seen();
  const failures = failuresOf(faultScope);
  const onPlace = (world: World, place: MetPlace): void => seen.place(world, place);
  const found = await exhaust(faultScope.config, protocol, { ...options, failures, onPlace }).catch(
    (error: unknown) => {
      if (error instanceof ExhaustFailure) return error;
      throw error;
    },
  );
  const { places, steps } = found.counts;
  const wrong =
    found instanceof ExhaustFailure
      ? [storyOf(scope, found.message, found.steps)]
      : found.restless.map((way) => storyOf(scope, "it does not come to rest from here", way));
  return {
    scope,
    places,
    steps,
    injected: seen.injected,
    kinds: seen.kinds,
    endings: seen.endings.size,
    failures: [...wrong, ...(await seen.leftovers())],
    seconds: seconds(),
  };
}

/** Every errno that the protocol does not understand, or EIO. Those that it does are lies, if they are not so: lies.ts. */
export function failuresOf({ withEveryErrno }: FaultScope): Failures {
  return (action, call) =>
    errnosOf(call)
      .filter((errno) => !isUnderstood(action, call, errno))
      .filter(({ name }) => name === "EIO" || withEveryErrno.some((kind) => kind === faultKind(action)))
      .map((errno) => failureOf(errno, "doubt"));
}

export const failureOf = ({ name, reported }: Errno, what: "doubt" | "lie"): Failure => ({
  text: ` with ${name}`,
  errno: reported,
  isLie: what === "lie",
});

function storyOf(scope: string, what: string, steps: readonly string[]): string {
  const way = steps.join("; ");
  return `${what}\nafter: ${way}\nReplay: npm run faults -- --scope "${scope}" --steps "${way}"`;
}

/** What is noticed at the places. */
export class Seen {
  injected = 0;
  readonly kinds: Set<string> = new Set();
  /** By its shape: a state in which the directory is left so. */
  readonly endings: Map<string, State> = new Map();

  place(world: World, { options, isRest }: MetPlace): void {
    for (const { kind, text } of options) {
      if (kind !== "fault") continue;
      this.injected++;
      this.kinds.add(kindOf(text));
    }
    const shape = shapeOf(world.state);
    if (!this.endings.has(shape)) this.endings.set(shape, world.state);
    if (isRest) checkRest(world.state);
  }

  async leftovers(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const [shape, state] of this.endings) {
      const left = await leftAfter(state);
      if (left.length > 0)
        found.push(`when all owners end, and leave ${shape}, there stays: ${left.join(", ")}`);
    }
    return found;
  }
}

/** `Take(a1) fails with ESTALE, happened` -> `Take with ESTALE, happened`. */
export const kindOf = (text: string): string => text.replace(/\([^)]*\)( fails)?/, "");

/** Nothing more happens by itself, and nobody holds. An idle home may lie there; an empty one harms nobody. */
function checkRest(state: State): void {
  const locked = (state.lock ?? []).filter((name) => lives(state, name));
  if (locked.length > 0)
    throw new Divergence(`it came to rest, and the lock is lost: at L is ${locked.join(", ")}`);
  const idle = Object.values(state.home);
  const forgotten = state.homes.filter(
    ([name, names]) => names.length > 0 && lives(state, name) && !idle.includes(name),
  );
  if (forgotten.length === 0) return;
  throw new Divergence(
    `it came to rest, and a home is forgotten: ${forgotten.map(([name]) => name).join(", ")}`,
  );
}
