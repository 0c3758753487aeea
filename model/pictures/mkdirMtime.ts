/** How a run of MkdirMtime is told. */

import type { MachineLabel } from "../machine.ts";
import type { Config, State } from "../peers/mkdirMtime.ts";
import { at } from "../state.ts";
import type { Act, Adapter } from "./picture.ts";

export const mkdirMtimePicture: Adapter<Config, State> = {
  lanes: (c) => {
    const [first, ...others] = c.procs.map((p) => ({ id: p, title: `process ${p}` }));
    return [...(first === undefined ? [] : [first]), { id: "L", title: "a.jsonl.lock" }, ...others];
  },
  act,
  shows: (c, s) => ({
    L: s.lock === null ? "nothing" : `the directory of ${s.lock.by}, mtime ${s.lock.mtime}`,
    ...Object.fromEntries(c.procs.map((p) => [p, believes(s, p)])),
  }),
};

function believes(s: State, p: string): string {
  const late = s.overdue.includes(p) && at(s.mine, p) !== null ? ", overdue" : "";
  switch (at(s.pc, p)) {
    case "holding":
      return `holds${late}`;
    case "lost":
      return "is told that the lock is compromised";
    default:
      return "";
  }
}

function act(c: Config, before: State, { action, arg: p }: MachineLabel, after: State): Act {
  const pc = action === "Tick" ? "" : at(after.pc, p);
  const call = (text: string): Act => ({ kind: "call", from: p, to: "L", text });
  const itself = (text: string): Act => ({ kind: "call", from: p, to: p, text });
  switch (action) {
    case "Mkdir":
      return call(before.lock === null ? "" : "EEXIST");
    case "Probe":
      return call(`stat, ${mtime(before)}`);
    case "Stat":
      return call(mtime(before));
    case "Judge":
      return itself(pc === "rmdir" ? "it is stale" : "it is not stale");
    case "Remove":
    case "Undo":
    case "Unlock":
      return call(`rmdir by path${removal(before, after)}`);
    case "Check":
      return call(pc === "lost" ? "stat, not the mtime that it set" : "stat, the mtime is its own");
    case "Touch":
      return call(`utimes ${at(before.touches, p)?.mtime}${before.lock === null ? ", ENOENT" : ""}`);
    case "Crash":
      return { kind: "event", over: [p], text: `process ${p} is killed` };
    case "Tick":
      return { kind: "event", over: ["L", ...c.procs], text: `time passes, it is ${after.now}` };
    default:
      return itself("");
  }
}

const mtime = ({ lock }: State): string => (lock === null ? "ENOENT" : `mtime ${lock.mtime}`);

function removal(before: State, after: State): string {
  if (before.lock === null) return ", ENOENT";
  return after.lock === null ? `, the directory of ${before.lock.by}` : ", refused";
}
