import { match, P } from "ts-pattern";
import type { OwnerIdentity, OwnerScope } from "./identity.ts";
import type { LifeAnswer } from "./life.ts";

/** What is known about the life of an owner. Only `dead` may ever lead to an eviction by proof (A1). */
export interface Verdict {
  readonly verdict: "dead" | "alive" | "unknown";
  /** In words, for error messages and tools. */
  readonly reason: string;
}

/** What `kill(pid, 0)` said; `unanswered` is every outcome that is not understood. */
export type ProbeResult = "runs" | "gone" | "notPermitted" | "unanswered";

/** The three fields of a `stat` file that verdicts need: 22, 3 and 20. */
export interface ProcessStat {
  readonly start: string;
  readonly state: string;
  readonly threads: number;
}

/** A `stat` file, or why there is none: `untrusted` means that `/proc` is not our own, or does not exist. */
export type StatReading = ProcessStat | "missing" | "unreadable" | "untrusted";

/** What was observed about an owner's pid, in this order. */
export interface ProcessSighting {
  readonly probe: ProbeResult;
  readonly before: StatReading;
  readonly task: StatReading;
  readonly after: StatReading;
}

/** All that a verdict rests on, beside the two identities. */
export interface Observation extends ProcessSighting {
  /** The disk is local, and the owner file was last changed before this kernel booted. */
  readonly fileBeforeBoot: boolean;
  /** What the life socket said; `silent` also if it was not asked. */
  readonly socket: LifeAnswer;
}

/**
 * Says whether an owner is dead, alive, or neither provably. Pure: the same arguments, the same verdict.
 *
 * A1: what cannot be proved is never dead. So every path below that does not end in one of the six proofs
 * (no such pid, a reused pid, a zombie, a thread that is gone, a socket that refuses, a reboot) ends in `alive` or
 * `unknown`.
 */
export function judgeOwner(self: OwnerScope, owner: OwnerIdentity, seen: Observation): Verdict {
  if (isOfAnEarlierBoot(self, owner, seen)) return dead("this machine has booted since");
  const byNumbers = judgeByNumbers(self, owner, seen);
  return byNumbers.verdict === "unknown" ? judgeBySocket(self, owner, seen, byNumbers) : byNumbers;
}

/** A1, "the life socket": sockets do not cross kernels, so only of a kernel that is known to be ours. */
export function mayAskSocket(self: OwnerScope, owner: OwnerIdentity): boolean {
  return owner.life !== "-" && isRead(self.boot) && self.boot === owner.boot;
}

function judgeBySocket(
  self: OwnerScope,
  owner: OwnerIdentity,
  seen: Observation,
  otherwise: Verdict,
): Verdict {
  if (!mayAskSocket(self, owner)) return otherwise;
  return match(seen.socket)
    .with("refuses", () => dead(`the life socket of pid ${owner.pid} refuses, so that process has ended`))
    .with("accepts", () => alive(`the life socket of pid ${owner.pid} accepts`))
    .with("silent", () => otherwise)
    .exhaustive();
}

/** The initial time namespace of every kernel (PROC_TIME_INIT_INO): uptime is not shifted there. */
export const INITIAL_TIME_NAMESPACES: readonly string[] = ["4026531834", "-"];

/** A6, "the reboot rule": all of its conditions, none of which would do alone. */
function isOfAnEarlierBoot(self: OwnerScope, owner: OwnerIdentity, { fileBeforeBoot }: Observation): boolean {
  const anotherBoot = isOfAKernel(self.boot) && isOfAKernel(owner.boot) && self.boot !== owner.boot;
  const sameMachine = self.host.startsWith("m") && self.host === owner.host;
  return anotherBoot && sameMachine && fileBeforeBoot && INITIAL_TIME_NAMESPACES.includes(self.timeNamespace);
}

/** Not a boot id that a container was given: one kernel runs many of those, and sandboxes in them see its own. */
function isOfAKernel(boot: string): boolean {
  return isRead(boot) && !boot.startsWith("c");
}

/** Not "there is none", and not the random value that stands for "could not be read". */
function isRead(scopeField: string): boolean {
  return scopeField !== "-" && !scopeField.startsWith("r");
}

function judgeByNumbers(self: OwnerScope, owner: OwnerIdentity, seen: Observation): Verdict {
  const obstacle = scopeDifference(self, owner);
  if (obstacle !== undefined) return unknown(`${obstacle}; cannot be judged from here`);

  return (
    match(seen.probe)
      // A1: ESRCH in the same pid namespace of the same boot. A pid, once free, never becomes this owner again.
      .with("gone", () => dead(`pid ${owner.pid} is gone`))
      // A1: EPERM means that it runs. An unanswered probe proves nothing, but a stat file may still.
      .with("runs", "notPermitted", "unanswered", (probe) => judgeProcess(self, owner, seen, probe))
      .exhaustive()
  );
}

function judgeProcess(
  self: OwnerScope,
  owner: OwnerIdentity,
  seen: Observation,
  probe: ProbeResult,
): Verdict {
  const seems = probe === "unanswered" ? `pid ${owner.pid} may run` : `pid ${owner.pid} runs`;
  return (
    match(seen.before)
      // A1: in a foreign /proc this number is somebody else's process; then only the probe decides.
      .with("untrusted", () => unknown(`${seems}, but there is no /proc of our own to compare start times`))
      // A1: hidepid hides the living.
      .with("missing", "unreadable", () => unknown(`${seems}, but its start time cannot be compared`))
      .with({ start: P.string }, (stat) => judgeStat(self, owner, seen, stat, seems))
      .exhaustive()
  );
}

function judgeStat(
  self: OwnerScope,
  owner: OwnerIdentity,
  seen: Observation,
  stat: ProcessStat,
  seems: string,
): Verdict {
  // A1: a zombie answers the probe. Whose it is does not matter: either the owner's own, or that of a later
  // process with the owner's pid, and no living process shares its pid with a zombie. Hence before the starts.
  if (isZombie(stat)) return dead(`pid ${owner.pid} is a zombie`);
  // A1: a start that could not be read is never compared.
  if (owner.processStart === "-") return unknown(`${seems}, but its start time cannot be compared`);
  // A1: both starts known and different: the pid was reused.
  if (stat.start !== owner.processStart) return dead(`pid ${owner.pid} started later than the owner`);
  // The main thread of a Node process lives as long as its process does.
  if (owner.tid === owner.pid) return alive(runsSince(self, owner));
  if (owner.tid === "-")
    return unknown(`pid ${owner.pid} runs, but which of its threads owns it is not known`);
  return judgeThread(owner, seen);
}

/** One registry for each realm of this thread, one entry for each path: the others are owners like any other. */
function runsSince(self: OwnerScope, owner: OwnerIdentity): string {
  const ourselves = owner.pid === self.pid && owner.tid === self.tid;
  if (!ourselves) return `pid ${owner.pid} runs since the owner started`;
  return `this very thread of pid ${owner.pid} has it, by another path (a bind mount) or in another realm (vm context)`;
}

/** The owner is a worker thread, and `seen.before` shows the process that the owner recorded. */
function judgeThread(owner: OwnerIdentity, seen: Observation): Verdict {
  const thread = `thread ${owner.tid} of pid ${owner.pid}`;
  // A1: without the recorded start afterwards too, the pid may have changed hands between the two readings.
  const framed = showsStart(seen.after, owner.processStart);
  const unframed = unknown(`${thread} was not found, but pid ${owner.pid} changed meanwhile`);
  return (
    match(seen.task)
      .with("missing", () => (framed ? dead(`${thread} is gone`) : unframed))
      .with("unreadable", "untrusted", () => unknown(`pid ${owner.pid} runs, but its threads cannot be read`))
      // A thread's own state (Z, X) is no proof of A1: it lasts for an instant, the next look gets ENOENT.
      .with({ start: P.string }, (stat) => {
        if (owner.threadStart === "-")
          return unknown(`${thread} runs, but its start time cannot be compared`);
        if (stat.start === owner.threadStart) return alive(`${thread} runs since the owner started`);
        return framed ? dead(`${thread} started later than the owner`) : unframed;
      })
      .exhaustive()
  );
}

/**
 * A zombie, or one on its way out, that has *exactly* one thread. Z with more is a process whose first thread
 * ended before the others. X with none is what a reader gets of the old leader when another thread calls exec
 * (Go programs do): the pid lives on, so that proves nothing.
 */
function isZombie(stat: ProcessStat): boolean {
  return (stat.state === "Z" || stat.state === "X") && stat.threads === 1;
}

function showsStart(reading: StatReading, start: string): boolean {
  return typeof reading !== "string" && reading.start === start;
}

/**
 * Why pid and starts of the two cannot be compared, or undefined if they can.
 *
 * A1: the same boot, pid namespace and time namespace are needed. The time namespace too for a pid that is gone,
 * although the probe does not depend on it: one rule for all proofs, and a price that only sandboxes pay.
 *
 * Namespace inode numbers are reused, which is harmless: an owner that lives keeps its namespaces, so an equal
 * number means either the same namespace, or an owner that is dead.
 */
function scopeDifference(self: OwnerScope, owner: OwnerIdentity): string | undefined {
  return (
    // A1: another boot id proves nothing: a pod's replacement has the same host name on another node, and
    // systemd-nspawn and LXC give each container a boot id of its own.
    difference("boot id", self.boot, owner.boot) ??
    // A1: a renamed host keeps its owners where there are boot ids; where there are none, the host stands in.
    (self.boot === "-" ? difference("host", self.host, owner.host) : undefined) ??
    difference("pid namespace", self.pidNamespace, owner.pidNamespace) ??
    difference("time namespace", self.timeNamespace, owner.timeNamespace)
  );
}

function difference(what: string, mine: string, theirs: string): string | undefined {
  if (mine === theirs) return undefined;
  // A1: a scope field that could not be read was recorded as a random value, marked by this letter.
  if (mine.startsWith("r")) return `the ${what} of this process could not be read`;
  if (theirs.startsWith("r")) return `the ${what} of the owner could not be read`;
  return `another ${what}`;
}

function dead(reason: string): Verdict {
  return { verdict: "dead", reason };
}

function alive(reason: string): Verdict {
  return { verdict: "alive", reason };
}

function unknown(reason: string): Verdict {
  return { verdict: "unknown", reason };
}
