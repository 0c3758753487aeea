/** The real state in the words of the model: registry, pending steps and a listing of the real directory. */

import fs from "node:fs";
import {
  at,
  type DebtStep,
  type Dir,
  guestsOf,
  insert,
  type Name,
  type NameMap,
  type Pc,
  type Proc,
  type State,
  type Task,
} from "../../model/state.ts";
import type { DiskReply } from "../../src/disk.ts";
import { LOCK, type Pending, type Process, type World } from "./world.ts";

export function project(world: World): State {
  const { config } = world;
  const perProc = <V>(value: (process: Process) => V): Record<Proc, V> =>
    Object.fromEntries(config.procs.map((proc) => [proc, value(world.process(proc))]));
  const perTask = <V>(value: (task: Task) => V): Record<Task, V> =>
    Object.fromEntries(config.tasks.map((task) => [task, value(task)]));
  const pcs = perTask((task) => pcOf(world, task));
  const entries = fs.readdirSync(world.directory);
  return {
    lock: entries.includes(LOCK) ? listing(world, world.lockPath) : null,
    homes: homes(world, entries),
    late: lateCalls(world),
    alive: config.procs.filter((proc) => world.process(proc).alive),
    inc: perProc((process) => process.incarnation),
    suspects: [...world.suspects].map((name) => modelName(world, name)).sort(),
    revoked: config.tasks.filter((task) => world.attempts.get(task)?.revoked === true),
    guest: Object.fromEntries(guestsOf(config).map((guest) => [guest, world.guests.get(guest) ?? null])),
    heldLocks: perProc(({ entry }) => [...entry.held].map((held) => world.taskOf(held)).sort()),
    releasing: perProc(({ entry }) =>
      entry.releasing === null
        ? null
        : { name: modelName(world, entry.releasing.name), aside: entry.releasing.aside },
    ),
    contender: perProc(({ entry }) => (entry.contender === null ? null : world.taskOf(entry.contender))),
    queue: perProc(({ entry }) => [...entry.queue].map((waiter) => world.taskOf(waiter))),
    home: perProc(({ entry }) => (entry.home === null ? null : modelName(world, entry.home.name))),
    owes: perProc((process) => owes(world, process)),
    gaveUp: gaveUp(world, pcs),
    seen: perTask((task) => seenBy(world, task, at(pcs, task))),
    pc: pcs,
    budget: {
      crash: config.maxCrashes - world.spent.crash,
      fault: config.maxFaults - world.spent.fault,
      vandal: config.maxVandals - world.spent.vandal,
      request: config.maxRequests - world.spent.request,
      suspicion: config.maxSuspicions - world.spent.suspicion,
      break: config.maxBreaks - world.spent.break,
      removal: config.maxRemovals - world.spent.removal,
    },
  };
}

/** Variable by variable, what differs. */
export function differences<S extends object>(expected: S, real: S): string {
  const keys = Object.keys(expected) as (keyof S & string)[];
  return keys
    .filter((key) => JSON.stringify(expected[key]) !== JSON.stringify(real[key]))
    .map((key) => `${key}: model ${JSON.stringify(expected[key])}, real ${JSON.stringify(real[key])}`)
    .join(", ");
}

// ------------------------------------------------------------------------------------------------
// The disk

function modelName(world: World, realName: string): Name {
  return world.names.get(realName) ?? `unknown ${realName}`;
}

/** Of a directory that the one above lists: nobody runs between two calls of the harness. */
function listing(world: World, path: string): readonly Name[] {
  const names = fs.readdirSync(path).map((name) => modelName(world, name));
  return names.length < 2 ? names : names.sort();
}

function homes(world: World, entries: readonly string[]): NameMap<readonly Name[]> {
  const found: [Name, readonly Name[]][] = [];
  for (const file of entries) {
    if (!file.startsWith(".home-")) continue;
    const contents = listing(world, `${world.directory}/${file}`);
    found.push([modelName(world, file.slice(".home-".length)), contents]);
  }
  return found.sort((x, y) => (x[0] < y[0] ? -1 : 1));
}

function lateCalls(world: World): State["late"] {
  return world.late
    .map(({ op, name }) => ({ op: op as State["late"][number]["op"], name: modelName(world, name) }))
    .sort((x, y) => (`${x.op} ${x.name}` < `${y.op} ${y.name}` ? -1 : 1));
}

// ------------------------------------------------------------------------------------------------
// The tasks

function pendingOf(world: World, task: Task): Pending | undefined {
  const { pending, entry } = world.process(at(world.config.procOf, task));
  const releases = pending.find((candidate) => candidate.releaser === task);
  if (releases !== undefined) return releases;
  if (entry.contender === null || world.taskOf(entry.contender) !== task) return undefined;
  return pending.find(({ releaser, debt }) => releaser === undefined && debt === undefined);
}

function pcOf(world: World, task: Task): Pc {
  const { entry } = world.process(at(world.config.procOf, task));
  const attempt = world.attempts.get(task);
  if (attempt !== undefined && entry.held.has(attempt)) return "holding";
  if (attempt !== undefined && entry.queue.has(attempt)) return "queued";
  const pending = pendingOf(world, task);
  return pending === undefined ? "idle" : pcAt(pending);
}

function pcAt(pending: Pending): Pc {
  const { step, reply, doubt, last } = pending;
  if (step.kind === "sleep") return "waiting";
  switch (step.action) {
    case "Prepare":
      return "prepare";
    case "Take":
      return reply === undefined ? "take" : reply.ok ? "taken" : doubt ? "failed" : "refused";
    case "Verify":
      return "verify";
    case "Granted":
      return "verified";
    case "Refused":
      return "unverified";
    case "Look":
      if (reply === undefined) return doubt ? "lookDoubt" : "look";
      return doubt ? "lookedDoubt" : "looked";
    case "Evict":
      return "evict";
    case "Clear":
      return "clear";
    case "Check":
      return "check";
    case "PutBack":
      return "putBack";
    case "Confirm":
      return "confirm";
    case "Restore":
      return "restore";
    case "Released":
      return last === "Restore" ? "lost" : "released";
    case "Drop":
      return reply === undefined ? "drop" : dropped(reply);
    case "Judge":
    case "Wake":
    case "Retry":
    case "Retried":
    case "Beat":
    case "Watch":
      throw new Error(`a task does not wait at ${step.action}`);
  }
}

function dropped(reply: DiskReply): Pc {
  if (reply.ok) return "dropped";
  return reply.errno === "ENOENT" ? "dropMissed" : "dropFailed";
}

function gaveUp(world: World, pcs: Readonly<Record<Task, Pc>>): readonly Task[] {
  return world.config.tasks.reduce<readonly Task[]>((found, task) => {
    const gone = world.attempts.get(task)?.gaveUp === true && at(pcs, task) !== "idle";
    return gone ? insert(found, task) : found;
  }, []);
}

function seenBy(world: World, task: Task, pc: Pc): Dir {
  if (pc !== "looked" && pc !== "lookedDoubt" && pc !== "evict") return null;
  const seen = pendingOf(world, task)?.seen;
  return seen === undefined ? null : seen.map((name) => modelName(world, name)).sort();
}

// ------------------------------------------------------------------------------------------------
// What is owed

function owes(world: World, process: Process): NameMap<DebtStep | "paid"> {
  const found = [...process.entry.owes.values()].map(({ name, step }): [Name, DebtStep | "paid"] => {
    const reply = process.pending.find(({ debt }) => debt === name)?.reply;
    return [modelName(world, name), reply === undefined ? step : afterReply(step, reply)];
  });
  return found.sort((x, y) => (x[0] < y[0] ? -1 : 1));
}

/** The specification merges a Retry's turn with its effect: what the code will know, it knows here. */
function afterReply(step: DebtStep, reply: DiskReply): DebtStep | "paid" {
  if (step === "rmdirHome") return "paid";
  // What the code takes for "it is not there": more than ENOENT only after a lie (test/faults).
  const never = step === "unlinkHome" && !reply.ok && reply.errno === "ENAMETOOLONG";
  const missing = !reply.ok && (never || reply.errno === "ENOENT" || reply.errno === "ENOTDIR");
  if (!reply.ok && !missing) return step;
  return step === "unlinkHome" && missing ? "unlinkLock" : "rmdirHome";
}
