/** How a run of Lease is told. */

import type { Config, State } from "../lease/lease.ts";
import type { MachineLabel } from "../machine.ts";
import { at } from "../state.ts";
import type { Act, Adapter } from "./picture.ts";

export const leasePicture: Adapter<Config, State> = {
  lanes: (c) => [
    ...c.procs.map((p) => ({ id: p, title: `process ${p}` })),
    { id: "L", title: "a.jsonl.lock" },
    ...c.judges.map((j) => ({ id: j, title: `judge ${j}` })),
  ],
  act,
  shows: (c, s) => ({
    L: s.lock === null ? "nothing" : `the name of ${s.lock}, last beat ${at(s.mtime, s.lock)}`,
    ...Object.fromEntries(c.procs.map((p) => [p, believes(s, p)])),
  }),
};

function believes(s: State, p: string): string {
  const pc = at(s.pc, p);
  if (pc !== "holding" && pc !== "putBack") return "";
  return `holds${s.late.includes(p) ? ", late" : ""}${s.stopped.includes(p) ? ", stopped" : ""}`;
}

function act(c: Config, before: State, { action, arg }: MachineLabel, after: State): Act {
  const call = (text: string): Act => ({ kind: "call", from: arg, to: "L", text });
  const itself = (text: string): Act => ({ kind: "call", from: arg, to: arg, text });
  const event = (text: string): Act => ({ kind: "event", over: [arg], text });
  switch (action) {
    case "Freshen":
      return itself("writes its owner file");
    case "Take":
      return call(before.lock === null ? "" : "refused");
    case "Beat":
      return call(before.lock === arg ? `at ${after.now}` : "ENOENT: it has lost the lock");
    case "Release":
      return call(at(after.pc, arg) === "putBack" ? "Check, exactly its name" : "by Drop");
    case "PutBack":
      return call(before.lock === arg ? "" : `moves the home of ${before.lock}`);
    case "Drop":
    case "Evict":
      return call(before.lock === after.lock ? "ENOENT" : `the name of ${before.lock} is gone`);
    case "Stat":
      return call(`the last beat was at ${at(after.look, arg)?.seen}`);
    case "Probe":
      return itself(`it is ${after.now}: ${PROBED[at(after.jpc, arg)] ?? "wait"}`);
    case "Stop":
      return event(`process ${arg} is stopped`);
    case "Continue":
      return event(`process ${arg} goes on`);
    case "Crash":
      return event(`process ${arg} is killed`);
    case "Die":
      return event(`judge ${arg} ends, another comes`);
    case "Tick":
    case "Jump": {
      const text =
        action === "Tick" ? `a beat passes, it is ${after.now}` : `the clock jumps to ${after.now}`;
      return { kind: "event", over: [...c.procs, "L", ...c.judges], text };
    }
    case "Finished":
      return { kind: "event", over: ["L"], text: "every name is used up" };
    default:
      return itself("");
  }
}

const PROBED: Readonly<Record<string, string>> = {
  mark: "stale, a mark is left",
  recheck: "stale, and so said an old mark",
  evict: "stale",
};
