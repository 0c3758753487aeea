/** The properties of IssueLock.tla, under their names, in their order. */

import type { Invariant, StepProperty } from "../machine.ts";
import { at, ownerOf, type Task } from "../state.ts";
import { agentsOf, isAlive, type Step, stands } from "./actions.ts";
import { type Config, freshId, type State } from "./state.ts";

export const INVARIANTS: readonly Invariant<Config, State>[] = [
  { name: "FreshIdsSuffice", holds: freshIdsSuffice },
  { name: "MutualExclusion", holds: mutualExclusion },
  { name: "HeldIsOnDisk", holds: heldIsOnDisk },
  { name: "NoGhostHolder", holds: noGhostHolder },
  { name: "NothingForgotten", holds: nothingForgotten },
];

export const STEP_PROPERTIES: readonly StepProperty<Config, State, Step>[] = [
  { name: "NeverTouchesAnothers", holds: neverTouchesAnothers },
];

function holders(c: Config, s: State): readonly Task[] {
  return c.tasks.filter((t) => at(s.pc, t) === "holding");
}

/** An identity for every creation: the finite stock hides nothing. */
function freshIdsSuffice(c: Config, s: State): boolean {
  if (s.file !== null) return true;
  return c.tasks.every((t) => at(s.pc, t) !== "open" || freshId(c, s, at(c.procOf, t)) !== undefined);
}

/** Two tasks hold at the same time only if they are of one process, and both asked to share. */
function mutualExclusion(c: Config, s: State): boolean {
  const all = holders(c, s);
  if (all.length <= 1) return true;
  const one = new Set(all.map((t) => at(c.procOf, t))).size === 1;
  return one && all.every((t) => c.reentrantTasks.includes(t));
}

/** A holder's own file stands at the path. */
function heldIsOnDisk(c: Config, s: State): boolean {
  return holders(c, s).every((t) => stands(s, at(s.handle, t)));
}

/** A valid handle is in HELD_LOCKS. */
function noGhostHolder(c: Config, s: State): boolean {
  return holders(c, s).every((t) => at(s.heldLocks, at(c.procOf, t))?.id === at(s.handle, t));
}

/** The file of a living process is on that process's mind. */
function nothingForgotten(c: Config, s: State): boolean {
  const { file } = s;
  if (file === null || !isAlive(s, file.id)) return true;
  return agentsOf(c, ownerOf(file.id).proc).some((x) => at(s.handle, x) === file.id);
}

/** Nobody removes the file of a holder: its own release comes when it holds no more. */
function neverTouchesAnothers(c: Config, s: State, { next }: Step): boolean {
  return holders(c, s).every((t) => !stands(s, at(s.handle, t)) || next.file?.id === s.file?.id);
}
