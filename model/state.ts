/**
 * The state of OwnerDirectory.tla: the fields are its VARIABLES, in its order and under its names.
 *
 * Everything is plain, immutable data with one representation per value (sets and partial functions are
 * kept sorted), so that `JSON.stringify` is a state's identity. Nothing here knows Node, a disk or `src/`.
 */

/** A process, named by its pid (`a`). */
export type Proc = string;
/** A task, a client of the lock inside a process (`a1`). */
export type Task = string;
/** The guest of a process (`ga`): a process of its own, and an owner too. */
export type Guest = string;
/** A name, `p.i.k`: the k-th name of incarnation i of process p, or of the guest that it started. */
export type Name = string;

/** A directory's contents, sorted; `null` where nothing stands (`Absent`). */
export type Dir = readonly Name[] | null;

/** What a {@link State.late} call does when it takes effect at last. */
export type LateOp = "take" | "clear" | "putBack" | DebtStep;

/** The next call for a name that is owed; `paid` when none is left. */
export type DebtStep = "unlinkHome" | "unlinkLock" | "rmdirHome";

/** A partial function with names as its domain, sorted by name. */
export type NameMap<V> = readonly (readonly [Name, V])[];

export interface LateCall {
  readonly op: LateOp;
  readonly name: Name;
}

export interface ReleaseInFlight {
  readonly name: Name;
  /** The lock went back to disk although somebody here waits: the heir stands aside for the others. */
  readonly aside: boolean;
}

/** A guest that has not ended: the incarnation that started it, and whether it was let go. */
export interface LivingGuest {
  readonly inc: number;
  readonly at: "heldBack" | "running";
}

/** Where a task is. The order is that of the protocol; spec/protocol.md has the state diagram. */
export const PCS = [
  "idle",
  "queued",
  "prepare",
  "take",
  "taken",
  "refused",
  "failed",
  "verify",
  "verified",
  "unverified",
  "look",
  "looked",
  "lookDoubt",
  "lookedDoubt",
  "evict",
  "clear",
  "waiting",
  "holding",
  "check",
  "putBack",
  "confirm",
  "restore",
  "released",
  "lost",
  "drop",
  "dropped",
  "dropMissed",
  "dropFailed",
] as const;
export type Pc = (typeof PCS)[number];

export interface Budget {
  readonly crash: number;
  readonly fault: number;
  readonly vandal: number;
  readonly request: number;
  readonly suspicion: number;
  readonly break: number;
  readonly removal: number;
}

export interface State {
  /** The lock path. */
  readonly lock: Dir;
  /** The private directories that exist. */
  readonly homes: NameMap<readonly Name[]>;
  /** Calls that were sent and may still take effect, once. */
  readonly late: readonly LateCall[];
  readonly alive: readonly Proc[];
  /** The number of the present, or last, incarnation. */
  readonly inc: Readonly<Record<Proc, number>>;
  /** Names of living owners that somebody took for dead, or took away from L; the others are innocent. */
  readonly suspects: readonly Name[];
  /** Whose handle the watchdog took away, and who has not released it yet. */
  readonly revoked: readonly Task[];
  /** `null` where there is none, or it has ended. */
  readonly guest: Readonly<Record<Guest, LivingGuest | null>>;
  /** HELD_LOCKS. */
  readonly heldLocks: Readonly<Record<Proc, readonly Task[]>>;
  /** RELEASING: in flight or owed. */
  readonly releasing: Readonly<Record<Proc, ReleaseInFlight | null>>;
  /** The one task of the process that is on the disk. */
  readonly contender: Readonly<Record<Proc, Task | null>>;
  /** The other tasks that wait, first come first. */
  readonly queue: Readonly<Record<Proc, readonly Task[]>>;
  /** The home that the process holds by, contends with, or keeps. */
  readonly home: Readonly<Record<Proc, Name | null>>;
  /** What the process must still take off the disk. */
  readonly owes: Readonly<Record<Proc, NameMap<DebtStep | "paid">>>;
  /** Contenders whose promise is rejected already, but whose call is under way. */
  readonly gaveUp: readonly Task[];
  /** What a Look saw, until it is judged and evicted. */
  readonly seen: Readonly<Record<Task, Dir>>;
  readonly pc: Readonly<Record<Task, Pc>>;
  /** What the environment, and the tasks, may still do. */
  readonly budget: Budget;
}

/** The kinds of calls that may fail, in the order of the actions. */
export const FAULT_KINDS = [
  "prepare",
  "take",
  "verify",
  "look",
  "evict",
  "clear",
  "check",
  "putBack",
  "confirm",
  "restore",
  "drop",
  "retry",
] as const;
/** And what may fail beside them: a holder may miss a beat (spec/lease.md). */
export type FaultKind = (typeof FAULT_KINDS)[number] | "beat";

/** The guards that can be removed. Each must be caught: see tla/models.json and test/twins. */
export const GUARDS = [
  "EvictByPath",
  "JudgeByHeldLocks",
  "ContendWhileReleasing",
  "NoVerify",
  "LatePutBack",
  "PassSlotInFlight",
  "NeverPromote",
  "ForgetFailedRelease",
  "HoldDroppedName",
  "ForgetGivenUpHome",
  "KeepIdleHome",
  "LifoQueue",
  "JoinExclusive",
  "JoinWhileReleasing",
  "ShareWithExclusive",
  "HandOverToAll",
  "HoldWhileReleasing",
  "ReleaseOfAll",
  "GoneStaysQueued",
  "GrantToGone",
  "ReleasedNeverPromotes",
  "RefusedNeverPromotes",
  "RetriedNeverPromotes",
  "RetriedForgetsRelease",
  "PromoteWhileOwed",
  "OweLockFirst",
  "PayAfterOne",
  "MissedOwesNothing",
  "NoMaxDebts",
  "ReuseName",
  "DoubtIsRefusal",
  "OwnIsAnothers",
  "TakeReplaces",
  "DropByPath",
  "RetryByPath",
  "NeverEvict",
  "KeepIncarnation",
  "NoCheck",
  "NoConfirm",
  "NoRestore",
  "NoClear",
  "ClearByForce",
  "GuestNotInHome",
  "VerifyAnyNames",
  "EvictTheLiving",
  "LetGoEarly",
  "ReleaseUnderGuest",
  "EndOfPipeIsGo",
] as const;
export type Guard = (typeof GUARDS)[number];

/** What a configuration may override, in the specification a definition. */
export interface Overrides {
  /** False: rename refuses an empty directory too (Windows); then there is Clear. */
  readonly renameReplacesEmpty: boolean;
  /** Rename into a directory that is not empty merges the two (A3 broken). */
  readonly merges: boolean;
  /** The watchdog takes a lock away that is held for too long. */
  readonly revokes: boolean;
  /** How often somebody takes a living owner for dead (A1 broken). */
  readonly maxSuspicions: number;
  /** How often an operator breaks a lock whose owner may live. */
  readonly maxBreaks: number;
  /** How often somebody removes what stands at L (A2 broken). */
  readonly maxRemovals: number;
}

/** A platform like POSIX, a watchdog that only tells, an environment that keeps the assumptions. */
export const NOTHING_OVERRIDDEN: Overrides = {
  renameReplacesEmpty: true,
  merges: false,
  revokes: false,
  maxSuspicions: 0,
  maxBreaks: 0,
  maxRemovals: 0,
};

/** The CONSTANTS of OwnerDirectory.tla. */
export interface Config extends Overrides {
  readonly procs: readonly Proc[];
  readonly tasks: readonly Task[];
  readonly procOf: Readonly<Record<Task, Proc>>;
  readonly pidOf: Readonly<Record<Proc, string>>;
  /** The processes that have a guest, and who it is. */
  readonly guestOf: Readonly<Record<Proc, Guest>>;
  readonly reentrantTasks: readonly Task[];
  readonly patientTasks: readonly Task[];
  readonly local: boolean;
  readonly faults: readonly FaultKind[];
  /** A process makes no new home while it owes this many names. */
  readonly maxDebts: number;
  readonly namesPerLife: number;
  readonly maxCrashes: number;
  readonly maxFaults: number;
  readonly maxVandals: number;
  readonly maxRequests: number;
  readonly broken: readonly Guard[];
}

export function initialState(config: Config): State {
  const forProcs = <V>(value: V): Record<Proc, V> =>
    Object.fromEntries(config.procs.map((p) => [p, value] as const));
  const forTasks = <V>(value: V): Record<Task, V> =>
    Object.fromEntries(config.tasks.map((t) => [t, value] as const));
  return {
    lock: null,
    homes: [],
    late: [],
    alive: config.procs,
    inc: forProcs(1),
    suspects: [],
    revoked: [],
    guest: Object.fromEntries(guestsOf(config).map((g) => [g, null] as const)),
    heldLocks: forProcs([]),
    releasing: forProcs(null),
    contender: forProcs(null),
    queue: forProcs([]),
    home: forProcs(null),
    owes: forProcs([]),
    gaveUp: [],
    seen: forTasks(null),
    pc: forTasks("idle"),
    budget: {
      crash: config.maxCrashes,
      fault: config.maxFaults,
      vandal: config.maxVandals,
      request: config.maxRequests,
      suspicion: config.maxSuspicions,
      break: config.maxBreaks,
      removal: config.maxRemovals,
    },
  };
}

/** One text per state: equal states have equal keys. */
export function stateKey(state: State): string {
  return JSON.stringify(state);
}

// ------------------------------------------------------------------------------------------------
// Sorted sets and maps

export function insert<V extends string>(set: readonly V[], value: V): readonly V[] {
  return set.includes(value) ? set : [...set, value].sort();
}

export function remove<V extends string>(set: readonly V[], value: V): readonly V[] {
  return set.filter((other) => other !== value);
}

export function mapGet<V>(map: NameMap<V>, name: Name): V | undefined {
  for (const [key, value] of map) if (key === name) return value;
  return undefined;
}

export function mapPut<V>(map: NameMap<V>, name: Name, value: V): NameMap<V> {
  const rest = mapDelete(map, name);
  return [...rest, [name, value] as const].sort((x, y) => (x[0] < y[0] ? -1 : 1));
}

export function mapDelete<V>(map: NameMap<V>, name: Name): NameMap<V> {
  return map.filter(([key]) => key !== name);
}

/** `late` with one more call, sorted; a set, so a call that is there already is there once. */
export function addLate(late: readonly LateCall[], calls: readonly LateCall[]): readonly LateCall[] {
  const added = calls.filter((call, i) => {
    const same = (other: LateCall): boolean => other.op === call.op && other.name === call.name;
    return !late.some(same) && calls.findIndex(same) === i;
  });
  if (added.length === 0) return late;
  const text = (call: LateCall): string => `${call.op} ${call.name}`;
  return [...late, ...added].sort((x, y) => (text(x) < text(y) ? -1 : 1));
}

// ------------------------------------------------------------------------------------------------
// Names

export function nameOf(proc: Proc, incarnation: number, ordinal: number): Name {
  return `${proc}.${incarnation}.${ordinal}`;
}

/** What a name says. */
export interface Owner {
  readonly proc: Proc | Guest;
  readonly incarnation: number;
  readonly ordinal: number;
}

export function ownerOf(name: Name): Owner {
  let owner = OWNERS.get(name);
  if (owner === undefined) {
    const [proc, incarnation, ordinal] = name.split(".");
    owner = { proc: proc ?? "", incarnation: Number(incarnation), ordinal: Number(ordinal) };
    OWNERS.set(name, owner);
  }
  return owner;
}

/** There are few names, and every step asks. */
const OWNERS = new Map<Name, Owner>();

export function guestsOf(config: Config): readonly Guest[] {
  return Object.values(config.guestOf).sort();
}

/** The names that lie beside the name of this home, which is its process's own: its guest's, with the same numbers. */
export function guestNames(config: Config, home: Name): readonly Name[] {
  const { proc, incarnation, ordinal } = ownerOf(home);
  const guest = config.broken.includes("GuestNotInHome") ? undefined : config.guestOf[proc];
  return guest === undefined ? [] : [nameOf(guest, incarnation, ordinal)];
}

export function namesIn(config: Config, home: Name): readonly Name[] {
  return [home, ...guestNames(config, home)].sort();
}

/** The home in which this name was made. */
export function homeNameOf(config: Config, name: Name): Name {
  const { proc, incarnation, ordinal } = ownerOf(name);
  const host = Object.keys(config.guestOf).find((p) => config.guestOf[p] === proc);
  return host === undefined ? name : nameOf(host, incarnation, ordinal);
}

/** Does the incarnation that made this name, or the guest that it is of, still run? */
export function lives(state: State, name: Name): boolean {
  const { proc, incarnation } = ownerOf(name);
  if (proc in state.guest) return state.guest[proc]?.inc === incarnation;
  return state.alive.includes(proc) && state.inc[proc] === incarnation;
}

/** Reads a field of a per-process or per-task record. The key is always one of the configuration's. */
export function at<V>(record: Readonly<Record<string, V>>, key: string): V {
  return record[key] as V;
}

/** The record with another value under one key. (Written like this it takes half as long as `[key]: value` in the literal.) */
export function put<V>(
  record: Readonly<Record<string, V>>,
  key: string,
  value: NoInfer<V>,
): Record<string, V> {
  const copy: Record<string, V> = { ...record };
  copy[key] = value;
  return copy;
}
