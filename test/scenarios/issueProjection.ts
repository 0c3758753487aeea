/** The real state of the issue's algorithm in the words of its model: registries, pending steps and the lock file. */

import { type Agent, agents, type Id, type Pc, type Seen, type State } from "../../model/issue/state.ts";
import type { Proc, Task } from "../../model/state.ts";
import type { LockFile } from "./issueDisk.ts";
import { type CallAction, type Handle, isTooOld, type Reason, type TurnAction } from "./issueLock.ts";
import type { IssueWorld, Pending } from "./issueWorld.ts";

export function project(world: IssueWorld): State {
  const { config } = world;
  const per = <V>(keys: readonly string[], value: (key: string) => V): Record<string, V> =>
    Object.fromEntries(keys.map((key) => [key, value(key)] as const));
  const all = agents(config);
  return {
    file: world.fileAtLock(),
    life: per(config.procs, (p) => world.process(p).life),
    inc: per(config.procs, (p) => world.process(p).incarnation),
    heldLocks: per(config.procs, (p) => entryOf(world, p)),
    releasing: per(config.procs, (p) => {
      const { releasing, options } = world.process(p).module;
      return releasing.get(options.sessionFile) ?? 0;
    }),
    handle: per(all, (x) => idOf(world, runOf(world, x)?.file ?? heldBy(world, x)?.file)),
    spent: per(config.tasks, (t) => idOf(world, world.spent.get(t)?.file)),
    seen: per(config.tasks, (t) => seenBy(world, t)),
    pc: per(all, (x) => pcOf(world, x)),
    budget: { crash: config.maxCrashes - world.crashes },
  };
}

function entryOf(world: IssueWorld, proc: Proc): State["heldLocks"][Proc] {
  const { heldLocks, options } = world.process(proc).module;
  const entry = heldLocks.get(options.sessionFile);
  if (entry === undefined) return null;
  return { id: idOf(world, entry.file) ?? "", count: entry.count, releasing: entry.releasing };
}

function idOf(world: IssueWorld, file: LockFile | undefined): Id | null {
  return file === undefined ? null : (world.ids.get(file) ?? "nobody's");
}

function runOf(world: IssueWorld, agent: Agent): Pending | undefined {
  return world.pending.find((pending) => pending.agent === agent);
}

function heldBy(world: IssueWorld, agent: Agent): Handle | undefined {
  return world.holders().find(({ task }) => task === agent)?.handle;
}

// ------------------------------------------------------------------------------------------------
// Where an agent is

/** Where a run is, by the step that it waits for. */
const CALLS: Readonly<Record<CallAction, Pc>> = {
  Open: "open",
  Write: "write",
  Read: "read",
  Stat: "stat",
  Reclaim: "removeDead",
  Close: "close",
  Remove: "remove",
  Sweep: "idle",
};
const REASONS: Readonly<Record<Reason, Pc>> = {
  dead: "removeDead",
  orphan: "removeOrphan",
  old: "removeOld",
  sweep: "sweepRemove",
};
const TURNS: Readonly<Record<TurnAction, Pc>> = {
  Opened: "opened",
  Granted: "written",
  Refused: "exists",
  Judge: "looked",
  JudgeAge: "young",
  Reclaimed: "reclaimed",
  Wake: "waiting",
  GiveUp: "waiting",
  Closed: "closed",
  Released: "removed",
};
/** Where what was read still matters. */
const JUDGING: readonly Pc[] = ["looked", "sweepLooked", "stat", "old", "young", ...Object.values(REASONS)];

function pcOf(world: IssueWorld, agent: Agent): Pc {
  const pending = runOf(world, agent);
  if (pending === undefined) return heldBy(world, agent) === undefined ? "idle" : "holding";
  const { step, sweeps } = pending;
  if (step.kind === "sleep") return "waiting";
  if (step.kind === "call") {
    if (step.action === "Reclaim") return REASONS[step.reason ?? "sweep"];
    return sweeps && step.action === "Read" ? "sweepRead" : CALLS[step.action];
  }
  if (step.action === "JudgeAge") return ageOf(world, pending);
  const pc = TURNS[step.action];
  if (!sweeps) return pc;
  return pc === "looked" ? "sweepLooked" : "sweepRemoved";
}

/** What the turn will make of the reply of the stat, it knows here. */
function ageOf(world: IssueWorld, { agent, reply, seenInode }: Pending): Pc {
  const { module } = world.process(world.procOf(agent));
  const asked = world.openHoles.includes("MtimeOfAnother") || reply.inode === seenInode;
  return asked && reply.ok && isTooOld(module, reply.mtimeMs) ? "old" : "young";
}

function seenBy(world: IssueWorld, task: Task): Seen | null {
  return JUDGING.includes(pcOf(world, task)) ? (runOf(world, task)?.seen ?? null) : null;
}
