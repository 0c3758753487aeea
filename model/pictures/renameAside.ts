/** How a run of RenameAside is told. */

import type { MachineLabel } from "../machine.ts";
import type { Config, State } from "../peers/renameAside.ts";
import { at } from "../state.ts";
import type { Act, Adapter } from "./picture.ts";

export const renameAsidePicture: Adapter<Config, State> = {
  lanes: (c) => {
    const [first, ...others] = c.procs.map((p) => ({ id: p, title: `process ${p}` }));
    const disk = [
      { id: "L", title: "a.jsonl.lock", group: "directory" },
      { id: "aside", title: "unique names", group: "directory" },
    ];
    return [...(first === undefined ? [] : [first]), ...disk, ...others];
  },
  act,
  shows: (c, s) => ({
    L: s.lock === null ? "nothing" : `the file of ${s.lock}`,
    aside: asideText(c, s),
    ...Object.fromEntries(
      c.procs.filter((p) => s.alive.includes(p)).map((p) => [p, at(s.pc, p) === "holding" ? "holds" : ""]),
    ),
  }),
};

function asideText(c: Config, s: State): string {
  const moved = c.procs.flatMap((p) => {
    const owner = at(s.aside, p);
    return owner === null ? [] : [`the file of ${owner}, moved by ${p}`];
  });
  const left = s.stray.map((owner) => `the file of ${owner}, moved by a dead process`);
  return [...moved, ...left].join(", ") || "nothing";
}

function act(_c: Config, before: State, { action, arg: p }: MachineLabel, after: State): Act {
  const pc = at(after.pc, p);
  const call = (to: string, text: string): Act => ({ kind: "call", from: p, to, text });
  const found = before.lock === null ? "ENOENT" : `it is of ${before.lock}`;
  switch (action) {
    case "Create":
      return call("L", `link${pc === "holding" ? "" : ", EEXIST"}`);
    case "Read":
    case "Reread":
      return call("L", found);
    case "Check":
      return call("L", `read, ${found}`);
    case "Judge":
      return call(p, pc === "create" ? "its owner lives" : "its owner is dead");
    case "Move":
      return call("L", `rename to a unique name${moveText(before, after, p)}`);
    case "Verify":
      return call(
        "aside",
        pc === "discard" ? "read, it is what was judged" : "read, it is not what was judged",
      );
    case "Discard":
    case "Tidy":
      return call("aside", "unlink");
    case "PutBack":
      return call("L", putBackText(before, pc));
    case "Unlink":
      return call("L", `by path, ${found}`);
    case "Crash":
      return { kind: "event", over: [p], text: `process ${p} is killed` };
    case "Start":
      return { kind: "event", over: [p], text: `a new process with the pid of ${p}` };
    default:
      return call(p, "");
  }
}

function moveText(before: State, after: State, p: string): string {
  return at(after.aside, p) === null ? ", ENOENT" : `, the file of ${before.lock}`;
}

function putBackText(before: State, pc: string): string {
  if (pc === "create")
    return before.lock === null ? "rename back" : `rename back, over the file of ${before.lock}`;
  return before.lock === null ? "link back" : "link back, EEXIST";
}
