/**
 * The guards that a scenario protects, taken out one at a time. Each double must be caught by its scenario's
 * own witness: two holders, a wait that does not end, or a line of the dead.
 */

import { type Double, doubleOf } from "../../twins/doubles.ts";
import { buildDouble, type LibraryDouble } from "./library.ts";

const verdict = (name: string, ...patches: LibraryDouble["patches"]): LibraryDouble => ({
  name,
  file: "owner/verdict.ts",
  patches,
});

/** A double of lockstep, as a library. */
function protocol(guard: Double["guard"]): LibraryDouble {
  return { name: `${guard}Library`, file: "protocol.ts", patches: doubleOf(guard).patches };
}

/** What is taken out. */
export type Guard =
  /** A zombie is dead. */
  | "zombie"
  /** Another start: the pid was used again. */
  | "start"
  /** A thread that is gone is dead, although its process runs. */
  | "thread"
  /** A pid of another pid namespace says nothing here. */
  | "pidNamespace"
  /** A start that was read in another time namespace says nothing here. */
  | "timeNamespace"
  /** A pid of another boot says nothing here. */
  | "boot"
  /** A life socket that refuses proves death, whatever the namespaces. */
  | "lifeSocket"
  /** With equal boot ids the host is not compared. */
  | "hostIgnored"
  /** What hidepid hides may live. */
  | "hidepid"
  /** A /proc is trusted only if it is our own: by its link and by NSpid. */
  | "ownProc"
  /** The second of these two witnesses alone. */
  | "nsPid"
  /** A scope field that cannot be read differs from everybody's. */
  | "randomScope"
  /** Who cannot read who he is, for lack of descriptors, does not begin. */
  | "readsSelf"
  /** No exit hook releases. */
  | "noReleaseOnExit"
  /** What was taken is looked at before it counts. */
  | "verify"
  /** An eviction is by name. */
  | "evictByName"
  /** A contender that gives up keeps the slot until the turn of its call. */
  | "keepSlot"
  /** All copies of the module in a process share one registry. */
  | "sharedRegistry"
  /** A guest is named in the lock. */
  | "guestName"
  /** The end of the pipe is not the word to go. */
  | "wordToGo"
  /** The streams of a command block, as they were given. */
  | "streamsBlock"
  /** What a terminal sends to everybody is not sent again. */
  | "signalOnce"
  /** A release waits for the end of the guest. */
  | "waitsForGuest"
  /** The guest is let go after the lock was granted. */
  | "letGoAfterGranted"
  /** In memory the lock goes from task to task for a bounded time. */
  | "boundedHandOvers"
  /** Of a takeover one acquisition is told. */
  | "tellOnce";

/** Takes in flight on every disk. No guard is missing. */
export const IN_FLIGHT: LibraryDouble["patches"][number] = ["atOnce: local", "atOnce: false"];

const DOUBLES: Readonly<Record<Guard, LibraryDouble>> = {
  zombie: verdict("NoZombieRule", [
    'return (stat.state === "Z" || stat.state === "X") && stat.threads === 1;',
    'return stat.state === "no such state";',
  ]),
  start: verdict("NoStartComparison", [
    "if (stat.start !== owner.processStart)",
    "if (stat.start === undefined)",
  ]),
  thread: verdict("NoThreadRule", [
    '.with("missing", () => (framed ?',
    '.with("missing", () => (framed && !framed ?',
  ]),
  pidNamespace: verdict("NoPidNamespace", [
    'difference("pid namespace", self.pidNamespace, owner.pidNamespace) ??',
    "undefined ??",
  ]),
  timeNamespace: verdict("NoTimeNamespace", [
    'difference("time namespace", self.timeNamespace, owner.timeNamespace)',
    "undefined",
  ]),
  lifeSocket: verdict("NoLifeSocket", ['.with("refuses", () => dead(', '.with("refuses", () => unknown(']),
  boot: verdict("NoBootId", ['difference("boot id", self.boot, owner.boot) ??', "undefined ??"]),
  hostIgnored: verdict("HostComparedAlways", ['(self.boot === "-" ? difference', "(true ? difference"]),
  hidepid: verdict("MissingIsDead", [
    '.with("missing", "unreadable", () =>',
    '.with("missing", () => dead("it is not in /proc"))\n      .with("unreadable", () =>',
  ]),
  ownProc: {
    name: "AnyProc",
    file: "owner/observe.ts",
    patches: [['if (self.kind !== "text" || self.text !== String(calls.pid)) return false;', "return true;"]],
  },
  nsPid: {
    name: "NoNSpid",
    file: "owner/observe.ts",
    patches: [
      ['return status.kind === "text" && new RegExp(', 'return status.kind === "text" || new RegExp('],
    ],
  },
  randomScope: {
    name: "ConstantScope",
    file: "owner/identity.ts",
    patches: [
      ["function unreadable(): string {", 'function unreadable(): string {\n  if (true) return "-";'],
    ],
  },
  readsSelf: {
    name: "ReadsSelfOnce",
    file: "registry.ts",
    patches: [["if (shortage === undefined) return self;", "if (true) return self;"]],
  },
  noReleaseOnExit: {
    name: "ReleaseOnExit",
    file: "exit.ts",
    patches: [
      [
        "else busy.add(entry.directory);",
        'else entry.services.disk.now({ call: "unlink", path: entry.lockPath + "/" + entry.home?.name });',
      ],
    ],
  },
  verify: protocol("NoVerify"),
  evictByName: protocol("EvictByPath"),
  keepSlot: {
    name: "PassSlotInFlightLibrary",
    file: "protocol.ts",
    patches: [IN_FLIGHT, ...doubleOf("PassSlotInFlight").patches],
  },
  boundedHandOvers: {
    name: "UnboundedHandOvers",
    file: "protocol.ts",
    patches: [["export const HAND_OVER_MS = 20;", "export const HAND_OVER_MS = Number.POSITIVE_INFINITY;"]],
  },
  tellOnce: {
    name: "TellAgain",
    file: "protocol.ts",
    patches: [["  entry.evictions = NO_EVICTIONS;\n", ""]],
  },
  guestName: {
    name: "NamelessGuest",
    file: "owners.ts",
    patches: [["const guests = guest === undefined ? [] :", "const guests = guest !== guest || true ? [] :"]],
  },
  wordToGo: {
    name: "EndOfPipeIsGo",
    file: "cli/run.ts",
    patches: [
      ['read -r SWL_RUN_WORD <&3 && [ "$SWL_RUN_WORD" = go ] || exit 75;', "read -r SWL_RUN_WORD <&3;"],
    ],
  },
  streamsBlock: {
    name: "NonBlockingStreams",
    file: "cli/run.ts",
    patches: [
      ["const atTerminal = [0, 1, 2].some((fd) => isatty(fd));", "const atTerminal = process.stdin.isTTY;"],
    ],
  },
  signalOnce: {
    name: "SignalTwice",
    file: "cli/run.ts",
    patches: [
      ["const atTerminal = [0, 1, 2].some((fd) => isatty(fd));", "const atTerminal = false;"],
      // Not before the command has handled the first: two that come before that are one.
      [
        "OF_TERMINAL.includes(signal))) child.kill(signal);",
        "OF_TERMINAL.includes(signal))) whenHandled(() => child.kill(signal));",
      ],
      [
        'import { constants } from "node:os";',
        `import { existsSync } from "node:fs";
import { constants } from "node:os";
const whenHandled = (go: () => void): void => {
  if (existsSync(process.env["SWL_HANDLED"] ?? "/")) go();
  else setTimeout(whenHandled, 5, go);
};`,
      ],
    ],
  },
  waitsForGuest: {
    name: "ReleaseUnderGuest",
    file: "cli/run.ts",
    patches: [
      [
        "const end = await child.ended;\n  await lock.release()",
        "await lock.release();\n  const end = await child.ended;\n  await lock.release()",
      ],
    ],
  },
  letGoAfterGranted: {
    name: "LetGoEarly",
    file: "cli/run.ts",
    patches: [
      [
        "const lock = await acquire(options, child);",
        "child.guest.letGo();\n  const lock = await acquire(options, child);",
      ],
    ],
  },
  sharedRegistry: {
    name: "OwnRegistry",
    file: "registry.ts",
    patches: [['Symbol.for("session-write-lock.registry.v5")', 'Symbol("mine alone")']],
  },
};

const built: Map<Guard, string> = new Map();

let inFlight: string | undefined;

/** A library whose Takes are all in flight, as on a disk that is not known to be local. No guard is missing. */
export function withTakesInFlight(): string {
  inFlight ??= buildDouble({ name: "TakesInFlight", file: "protocol.ts", patches: [IN_FLIGHT] });
  return inFlight;
}

/** A library without this guard, for a worker to import. */
export function without(guard: Guard): string {
  let path = built.get(guard);
  if (path === undefined) {
    path = buildDouble(DOUBLES[guard]);
    built.set(guard, path);
  }
  return path;
}
