/** How a run of OwnerDirectory is told. */

import { lateText, tasksOf } from "../actions.ts";
import type { MachineLabel } from "../machine.ts";
import { at, type Config, type Dir, guestsOf, homeNameOf, namesIn, ownerOf, type State } from "../state.ts";
import type { Act, Adapter, Lane } from "./picture.ts";

export const ownerDirectoryPicture: Adapter<Config, State> = {
  lanes: (c) => {
    const [first, ...others] = c.procs.map((p) => processLanes(c, p));
    const disk = [
      { id: "L", title: "a.jsonl.lock", group: "directory" },
      { id: "homes", title: "homes", group: "directory" },
    ];
    return [...(first ?? []), ...disk, ...others.flat()];
  },
  act,
  shows: (c, s) => ({
    L: dirText(s.lock),
    homes: oddHomes(c, s),
    ...Object.fromEntries(guestsOf(c).map((g) => [g, at(s.guest, g)?.at ?? "none"])),
    ...Object.fromEntries(c.procs.filter((p) => s.alive.includes(p)).flatMap((p) => processShows(c, s, p))),
  }),
};

const heldOf = (p: string): string => `HELD_${p}`;
const releasingOf = (p: string): string => `RELEASING_${p}`;

function processLanes(c: Config, p: string): readonly Lane[] {
  const group = `process ${p}`;
  return [
    ...tasksOf(c, p).map((t) => ({ id: t, title: `task ${t}`, group })),
    { id: heldOf(p), title: "HELD_LOCKS", group },
    { id: releasingOf(p), title: "RELEASING", group },
    ...guestOf(c, p).map((g) => ({ id: g, title: `its guest ${g}`, group })),
  ];
}

const guestOf = (c: Config, p: string): readonly string[] => {
  const guest = c.guestOf[p];
  return guest === undefined ? [] : [guest];
};

function processShows(c: Config, s: State, p: string): readonly (readonly [string, string])[] {
  const release = at(s.releasing, p);
  return [
    ...tasksOf(c, p).map((t) => [t, at(s.pc, t) === "holding" ? "holds" : ""] as const),
    [heldOf(p), at(s.heldLocks, p).join(", ") || "empty"],
    [releasingOf(p), release === null ? "empty" : release.name],
  ];
}

function dirText(dir: Dir): string {
  if (dir === null) return "nothing";
  return dir.length === 0 ? "an empty directory" : `the directory of ${dir.join(", ")}`;
}

/** A home holds its own name, its guest's, and nothing else. Those that do not are worth a note. */
function oddHomes(c: Config, { homes }: State): string {
  const odd = homes.filter(([name, inside]) => inside.join() !== namesIn(c, name).join());
  return odd.map(([name, inside]) => `home ${name} is ${dirText(inside)}`).join(", ") || "as they should be";
}

/** Which lane an action addresses, and the system call that it makes, if any. */
const CALLS: Readonly<
  Record<string, { readonly to: "L" | "homes" | "held" | "releasing"; readonly call: string }>
> = {
  Request: { to: "held", call: "" },
  Prepare: { to: "homes", call: "mkdir and create the owner file" },
  Take: { to: "L", call: "rename home to it" },
  Verify: { to: "L", call: "readdir" },
  Granted: { to: "held", call: "" },
  Look: { to: "L", call: "readdir" },
  Evict: { to: "L", call: "unlink the name of the dead" },
  Clear: { to: "L", call: "rmdir" },
  Release: { to: "held", call: "" },
  Expire: { to: "held", call: "the watchdog takes it away" },
  Check: { to: "L", call: "readdir" },
  PutBack: { to: "L", call: "rename it to home" },
  Confirm: { to: "homes", call: "readdir" },
  Restore: { to: "L", call: "rename home to it" },
  Drop: { to: "L", call: "unlink the own name" },
  Released: { to: "releasing", call: "" },
};

/** The actions whose outcome is where the task comes to, and is not told by a note. */
const OUTCOMES: readonly string[] = [
  "Request",
  "Take",
  "Verify",
  "Refused",
  "Judge",
  "Check",
  "PutBack",
  "Confirm",
  "Drop",
];

/** What somebody outside of the protocol does to a name at L. */
const HARMS: Readonly<Record<string, (name: string) => string>> = {
  Suspect: (name) => `somebody takes the owner of ${name} for dead`,
  Break: (name) => `an operator unlinks ${name}`,
  Remove: (name) => `somebody removes ${name}, or all of it`,
};

function act(c: Config, before: State, label: MachineLabel, after: State): Act {
  const { action, arg } = label;
  if (c.procs.includes(arg)) return processEvent(c, action, arg);
  const late = before.late.find((call) => lateText(call) === arg);
  if (late !== undefined) return { kind: "event", over: ["L", "homes"], text: `late, ${lateText(late)}` };
  const harm = HARMS[action];
  if (harm !== undefined) return { kind: "event", over: ["L"], text: harm(arg) };
  if (action === "GuestEnds") return { kind: "event", over: [arg], text: `guest ${arg} ends` };
  if (action === "LetGo") {
    return { kind: "call", from: arg, to: guestOf(c, at(c.procOf, arg))[0] ?? arg, text: "the word to go" };
  }
  if (action === "Vandal") return { kind: "event", over: ["homes"], text: `somebody tidies home ${arg}` };
  if (action === "Retry" || action === "Retried") {
    const from = releasingOf(ownerOf(homeNameOf(c, arg)).proc);
    return { kind: "call", from, to: action === "Retry" ? "L" : from, text: `${arg} is owed` };
  }
  const { to, call } = CALLS[action] ?? { to: undefined, call: "" };
  const p = at(c.procOf, arg);
  const lanes = { L: "L", homes: "homes", held: heldOf(p), releasing: releasingOf(p) };
  const outcome = at(after.pc, arg);
  const told = OUTCOMES.includes(action) && outcome !== "holding" ? outcome : "";
  const text = [call, told].filter((part) => part !== "").join(", ");
  return { kind: "call", from: arg, to: to === undefined ? arg : lanes[to], text };
}

function processEvent(c: Config, action: string, p: string): Act {
  const over = [...tasksOf(c, p), heldOf(p)];
  const text = action === "Crash" ? `process ${p} is killed` : `a new process with the pid of ${p}`;
  return { kind: "event", over, text };
}
