/**
 * Is a list of disk steps an order that the model allows? The turns between them cannot be seen from outside,
 * so the model may take any of them. All states that fit are kept: legal as long as there is one.
 */

import { type ActionName, successors } from "../../../model/actions.ts";
import {
  at,
  type Config,
  initialState,
  ownerOf,
  type Proc,
  type State,
  stateKey,
  type Task,
} from "../../../model/state.ts";
import { parseOwnerName } from "../../../src/owner/name.ts";
import { SCOPES } from "../../lockstep/scopes.ts";
import type { Cast, DiskStep } from "./calls.ts";

/** Undefined if the order is legal; else the first step that no order fits, and what the model allows there. */
export function illegalStep(steps: readonly DiskStep[], cast: Cast): string | undefined {
  const config = configFor(cast);
  let furthest = { taken: -1, text: "" };
  const search = (states: readonly State[], remaining: readonly DiskStep[], taken: number): boolean => {
    if (remaining.length === 0) return true;
    for (const step of eligible(remaining)) {
      const next = afterStep(config, cast, closure(config, cast, states), step);
      if (next.length === 0) {
        if (taken > furthest.taken) furthest = { taken, text: explain(step, cast, states) };
        continue;
      }
      if (
        search(
          next,
          remaining.filter((other) => other !== step),
          taken + 1,
        )
      )
        return true;
    }
    return false;
  };
  return search([initialState(config)], steps, 0) ? undefined : furthest.text;
}

/** What may have happened next: whatever began before everything else had ended. In the order of their ends. */
function eligible(remaining: readonly DiskStep[]): readonly DiskStep[] {
  const firstEnd = Math.min(...remaining.map(({ end }) => end));
  return remaining.filter(({ begin }) => begin <= firstEnd).sort((one, other) => one.end - other.end);
}

function configFor({ procOfPid }: Cast): Config {
  const scope = SCOPES["three processes, three tasks, PutBack"];
  if (scope === undefined) throw new Error("the scope is gone");
  const procs = [...new Set(procOfPid.values())].sort();
  const tasks = procs.map(taskOf);
  // Nobody gives up here: without that the model may explain too much.
  return { ...scope, procs, tasks, patientTasks: tasks };
}

const taskOf = (proc: Proc): Task => `${proc}1`;

// ------------------------------------------------------------------------------------------------
// Steps that can be seen

function afterStep(config: Config, cast: Cast, states: readonly State[], step: DiskStep): readonly State[] {
  const proc = cast.procOfTid.get(step.tid);
  if (proc === undefined) return [];
  return distinct(states.flatMap((state) => afterStepOf(config, cast, state, proc, step)));
}

function afterStepOf(config: Config, cast: Cast, s: State, proc: Proc, { step }: DiskStep): readonly State[] {
  const task = taskOf(proc);
  const pc = at(s.pc, task);
  const next = (action: ActionName): readonly State[] => successors(config, s, { action, arg: task });
  const isOurs = (owner: string): boolean => procOf(cast, owner) === proc;
  switch (step.kind) {
    case "prepare":
      return isOurs(step.owner) ? next("Prepare") : [];
    case "take":
      return isOurs(step.owner)
        ? next("Take").filter((after) => (at(after.pc, task) === "taken") === step.taken)
        : [];
    case "putBack":
      return isOurs(step.owner)
        ? next("PutBack").filter((after) => (at(after.pc, task) === "confirm") === step.done)
        : [];
    case "readLock": {
      if (!sameNames(cast, step.names, s.lock)) return [];
      const action = READS_LOCK.find(([pcs]) => pcs.includes(pc))?.[1];
      return action === undefined ? [] : next(action);
    }
    case "readHome": {
      const home = s.homes.find(([name]) => name === at(s.home, proc))?.[1] ?? null;
      return isOurs(step.owner) && sameNames(cast, step.names, home) ? next("Confirm") : [];
    }
    case "unlinkLock": {
      const victim = procOf(cast, step.name);
      const isThere = s.lock?.some((name) => ownerOf(name).proc === victim) === true;
      if (isThere !== step.done) return [];
      return next(victim === proc ? "Drop" : "Evict");
    }
  }
}

const READS_LOCK: readonly (readonly [pcs: readonly string[], action: ActionName])[] = [
  [["taken", "verify"], "Verify"],
  [["look", "lookDoubt"], "Look"],
  [["check"], "Check"],
];

/** Each process lives once here, and on a local disk it keeps one home: its names stand for it. */
function procOf({ procOfPid }: Cast, owner: string): Proc | undefined {
  return procOfPid.get(Number(parseOwnerName(owner)?.pid));
}

function sameNames(
  cast: Cast,
  real: readonly string[] | undefined,
  model: readonly string[] | null,
): boolean {
  if (real === undefined || model === null) return real === undefined && model === null;
  const procs = real.map((name) => procOf(cast, name) ?? `unknown ${name}`).sort();
  return (
    procs.join() ===
    model
      .map((name) => ownerOf(name).proc)
      .sort()
      .join()
  );
}

// ------------------------------------------------------------------------------------------------
// Turns, which cannot be seen

const TURNS = ["Request", "Granted", "Refused", "Judge", "Wake", "Release", "Released", "Retried"] as const;

/** Everything that the model can reach without a call. */
function closure(config: Config, cast: Cast, states: readonly State[]): readonly State[] {
  const seen = new Map(states.map((state) => [stateKey(state), state]));
  const open = [...states];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (const next of silent(config, cast, state)) {
      const key = stateKey(next);
      if (seen.has(key)) continue;
      seen.set(key, next);
      open.push(next);
    }
  }
  return [...seen.values()];
}

function silent(config: Config, { killed }: Cast, state: State): readonly State[] {
  const turns = config.tasks.flatMap((arg) =>
    TURNS.flatMap((action) => successors(config, state, { action, arg })),
  );
  return [...turns, ...killed.flatMap((arg) => successors(config, state, { action: "Crash", arg }))];
}

function distinct(states: readonly State[]): readonly State[] {
  return [...new Map(states.map((state) => [stateKey(state), state])).values()];
}

function explain({ text, tid }: DiskStep, cast: Cast, states: readonly State[]): string {
  const proc = cast.procOfTid.get(tid) ?? `unknown thread ${tid}`;
  const places = [
    ...new Set(states.map(({ pc, lock }) => `${JSON.stringify(pc)} with L ${JSON.stringify(lock)}`)),
  ];
  return `${proc}: ${text}\nis no step of the model, where the tasks were at ${places.join(" or ")}`;
}
