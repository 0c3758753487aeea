/** How a run of IssueLock is told. */

import { agentsOf, processOf, stands } from "../issue/actions.ts";
import { type Agent, agents, type Config, type Pc, type State } from "../issue/state.ts";
import type { MachineLabel } from "../machine.ts";
import { at, ownerOf } from "../state.ts";
import type { Act, Adapter, Lane } from "./picture.ts";

export const issueLockPicture: Adapter<Config, State> = {
  lanes: (c) => {
    const [first, ...others] = c.procs.map((p) => processLanes(c, p));
    return [...(first ?? []), { id: "L", title: "a.jsonl.lock" }, ...others.flat()];
  },
  act,
  shows: (c, s) => ({
    L: fileText(s),
    ...Object.fromEntries(c.procs.filter((p) => s.life[p] !== "dead").flatMap((p) => processShows(c, s, p))),
  }),
};

const heldOf = (p: string): string => `HELD_${p}`;
const releasingOf = (p: string): string => `RELEASING_${p}`;

/** The process itself is a lane for its watchdog and its exit hooks. */
function processLanes(c: Config, p: string): readonly Lane[] {
  const group = `process ${p}`;
  return [
    { id: p, title: `process ${p}`, group },
    ...c.tasks.filter((t) => c.procOf[t] === p).map((t) => ({ id: t, title: `task ${t}`, group })),
    { id: heldOf(p), title: "HELD_LOCKS", group },
    { id: releasingOf(p), title: "RELEASING", group },
  ];
}

function processShows(c: Config, s: State, p: string): readonly (readonly [string, string])[] {
  const entry = at(s.heldLocks, p);
  const count = entry === null ? "" : `, count ${entry.count}${entry.releasing ? ", releasing" : ""}`;
  return [
    ...agentsOf(c, p).map((x) => [x, at(s.pc, x) === "holding" ? "holds" : ""] as const),
    [heldOf(p), entry === null ? "empty" : `entry of ${entry.id}${count}`],
    [releasingOf(p), at(s.releasing, p) === 0 ? "empty" : "has the session"],
  ];
}

function fileText({ file }: State): string {
  if (file === null) return "nothing";
  return `file ${file.id}${file.written ? "" : ", empty"}${file.old ? ", old" : ""}`;
}

function act(c: Config, before: State, { action, arg }: MachineLabel, after: State): Act {
  if (action === "Age")
    return { kind: "event", over: ["L"], text: "the file stands for longer than staleMs" };
  const p = processOf(c, arg);
  const to = (lane: string, text: string): Act => ({ kind: "call", from: arg, to: lane, text });
  switch (action) {
    case "Request":
    case "Granted":
    case "Release":
    case "ReleaseAgain":
      return to(heldOf(p), registryText(action, before, after, arg, p));
    case "Open":
    case "Write":
    case "Read":
    case "Stat":
    case "Reclaim":
    case "Close":
    case "Remove":
      return to("L", callText(action, before, after, arg));
    case "Released":
      return to(c.fix === "guardSet" ? releasingOf(p) : heldOf(p), "");
    case "Expire":
      return to(heldOf(p), "held for too long, the watchdog releases");
    case "ExitHook":
      return to("L", `rmSync by path${removed(before)}`);
    case "Crash":
    case "Start":
      return processEvent(c, action, p);
    default:
      return to(arg, turnText(action, after, arg));
  }
}

function processEvent(c: Config, action: string, p: string): Act {
  const over = [...agents(c).filter((x) => processOf(c, x) === p), heldOf(p)];
  return {
    kind: "event",
    over,
    text: action === "Crash" ? `process ${p} is gone` : `a new process, pid ${p}`,
  };
}

/** What a call or turn does to HELD_LOCKS, or finds there. */
function registryText(action: string, before: State, after: State, t: string, p: string): string {
  const entry = at(before.heldLocks, p);
  if (action === "Request" && at(after.pc, t) === "holding") return "joins the entry";
  if (action === "Request") return entry === null ? "there is no entry" : "there is an entry, not to join";
  if (action === "Granted") return "add the entry";
  return entry === at(after.heldLocks, p) ? "the entry is not its own" : "";
}

function callText(action: string, before: State, after: State, x: Agent): string {
  const { file } = before;
  switch (action) {
    case "Open":
      return file === null ? "wx" : "wx, EEXIST";
    case "Write":
      return stands(before, at(before.handle, x)) ? "" : "to a file that is not there any more";
    case "Read":
      return readText(after, x);
    case "Stat":
      return file === null ? "ENOENT" : `mtime of ${file.id} is ${file.old ? "old" : "young"}`;
    case "Reclaim":
      return `rm by path${removed(before)}`;
    case "Remove":
      return before.file !== null && after.file !== null
        ? "rm by path, fails"
        : `rm by path${removed(before)}`;
    default:
      return "";
  }
}

function removed({ file }: State): string {
  return file === null ? ", ENOENT" : `, file ${file.id}`;
}

function readText(s: State, t: string): string {
  const seen = at(s.seen, t);
  if (seen === null || seen === "absent") return "ENOENT";
  return seen.empty ? "nothing" : `pid ${ownerOf(seen.id).proc}`;
}

/** What an agent concludes, by where it goes on. */
const CONCLUSIONS: Partial<Record<Pc, string>> = {
  stat: "no pid, how old is it",
  removeDead: "its owner is dead",
  removeOrphan: "my pid, no start time, not in HELD_LOCKS, an orphan",
  removeOld: "it is too old",
  sweepRemove: "it is stale",
  waiting: "wait",
};

function turnText(action: string, after: State, x: Agent): string {
  if (action === "Refused") return "who has it";
  if (action === "Sweep") return "cleanStaleLockFiles";
  return action === "Judge" || action === "JudgeAge" ? (CONCLUSIONS[at(after.pc, x)] ?? "") : "";
}
