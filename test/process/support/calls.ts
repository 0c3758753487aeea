/**
 * What strace printed, in the words of the protocol: every call that names something in the session directory
 * is a step of the protocol, a named extra (spec/protocol.md, "What the specification leaves out"), or foreign.
 */

import { basename, dirname } from "node:path";
import type { Proc } from "../../../model/state.ts";
import { isLineName, ownerOfPlace } from "../../../src/line.ts";
import { isLifeSocketName } from "../../../src/owner/life.ts";
import { parseMarkName } from "../../../src/owner/mark.ts";
import { parseHomeName, parseOwnerName } from "../../../src/owner/name.ts";

/** A call with its moments, as numbers of lines: it took effect somewhere between. */
export interface TracedCall {
  readonly tid: number;
  readonly begin: number;
  readonly end: number;
  readonly name: string;
  readonly args: string;
  /** What was returned; the name of the error after a failure. */
  readonly result: string;
}

/** A step on the disk, as the model has it. */
export interface DiskStep {
  readonly tid: number;
  readonly begin: number;
  readonly end: number;
  readonly step:
    | { readonly kind: "prepare"; readonly owner: string }
    | { readonly kind: "take"; readonly owner: string; readonly taken: boolean }
    | { readonly kind: "putBack"; readonly owner: string; readonly done: boolean }
    /** undefined: absent. */
    | { readonly kind: "readLock"; readonly names: readonly string[] | undefined }
    | { readonly kind: "readHome"; readonly owner: string; readonly names: readonly string[] }
    | { readonly kind: "unlinkLock"; readonly name: string; readonly done: boolean };
  /** As strace has it, for messages. */
  readonly text: string;
}

/** Who is who in a traced run. */
export interface Cast {
  /** The process of the model that a thread belongs to, and that a pid is. */
  readonly procOfTid: ReadonlyMap<number, Proc>;
  readonly procOfPid: ReadonlyMap<number, Proc>;
  /** Those that were killed, and so may have crashed. */
  readonly killed: readonly Proc[];
}

export interface Sorted {
  readonly steps: readonly DiskStep[];
  /** How often each named extra was seen. */
  readonly extras: ReadonlyMap<string, number>;
  /** Calls that are neither: each is a finding. */
  readonly foreign: readonly string[];
}

/** Joins what strace cuts in two when calls overlap. Calls that never ended are not here: nobody got an answer. */
export function parseTrace(lines: readonly string[]): readonly TracedCall[] {
  const begun = new Map<number, { readonly begin: number; readonly text: string }>();
  const calls: TracedCall[] = [];
  for (const [at, line] of lines.entries()) {
    const [, tidText = "", text = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const tid = Number(tidText);
    const [, start] = /^(.*?)\s*<unfinished \.\.\.>$/.exec(text) ?? [];
    if (start !== undefined) {
      begun.set(tid, { begin: at, text: start });
      continue;
    }
    const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(text) ?? [];
    const first = rest === undefined ? undefined : begun.get(tid);
    const whole = first === undefined ? text : `${first.text}${rest}`;
    const [, name, args, result] = /^(\w+)\((.*)\)\s+= (?:-1 (?=E))?(\S+).*$/.exec(whole) ?? [];
    if (name === undefined || args === undefined || result === undefined) continue;
    calls.push({ tid, begin: first?.begin ?? at, end: at, name, args, result });
  }
  return calls;
}

/** Sorts the calls that name the session file's directory, or something in it. */
export function sortCalls(calls: readonly TracedCall[], sessionFile: string, cast: Cast): Sorted {
  const steps: DiskStep[] = [];
  const extras = new Map<string, number>();
  const foreign: string[] = [];
  /** By thread: the directory that a readdir has opened. */
  const reading = new Map<number, { readonly call: TracedCall; readonly what: What }>();
  for (const call of calls) {
    const whats = pathsOf(call).flatMap((path) => whatIs(path, sessionFile) ?? []);
    if (whats.length === 0) continue;
    const step = stepOf(call, whats, reading, cast);
    const extra = step === undefined ? extraOf(call, whats, cast) : undefined;
    if (step !== undefined && step !== "part of a step") steps.push(step);
    if (extra !== undefined) extras.set(extra, (extras.get(extra) ?? 0) + 1);
    if (step === undefined && extra === undefined) foreign.push(textOf(call));
  }
  return { steps, extras, foreign };
}

// ------------------------------------------------------------------------------------------------
// Paths

/** What a path is to the lock of that session file. */
type What =
  | {
      readonly is:
        | "directory"
        | "session"
        | "lock"
        | "swept lock"
        | "probe"
        | "life socket"
        | "mark"
        | "line"
        | "place"
        | "something else";
    }
  | { readonly is: "home" | "in home" | "in lock"; readonly owner: string };

/** The paths that a call names: as strings, and behind file descriptors. */
function pathsOf({ name, args, result }: TracedCall): readonly string[] {
  // What a readdir found is no argument.
  const asked = name === "getdents64" ? args.slice(0, args.indexOf("[")) : args;
  const quoted = [...asked.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path]) => path ?? "");
  const described = [...asked.matchAll(/\d<(\/[^>]*)>/g)].map(([, path]) => path ?? "");
  const written = ["write", "pwrite64", "writev", "read", "pread64"].includes(name) ? [] : quoted;
  return [...described, ...written, ...(result.startsWith("/") ? [result] : [])];
}

function whatIs(path: string, sessionFile: string): What | undefined {
  const directory = dirname(sessionFile);
  // With a slash: as a directory, and nothing else.
  if (path === directory || path === `${directory}/`) return { is: "directory" };
  if (!path.startsWith(`${directory}/`)) return undefined;
  const lock = `${sessionFile}.lock`;
  const home = parseHomeName(basename(path));
  const homeAround = parseHomeName(basename(dirname(path)));
  if (path === sessionFile) return { is: "session" };
  if (path === lock) return { is: "lock" };
  // The sweep spells a lock path with a dot behind it, and looks at those of other sessions too.
  if (path === `${lock}/.` || /^[^/]+\.lock(\/\.)?$/.test(path.slice(directory.length + 1))) {
    return { is: "swept lock" };
  }
  if (/^x+$/.test(basename(path))) return { is: "probe" };
  if (isLifeSocketName(basename(path)) && dirname(path) === directory) return { is: "life socket" };
  if (parseMarkName(basename(path)) !== undefined && dirname(path) === directory) return { is: "mark" };
  if (isLineName(basename(path)) && dirname(path) === directory) return { is: "line" };
  if (isLineName(basename(dirname(path))) && dirname(dirname(path)) === directory) {
    const place = ownerOfPlace(basename(path));
    if (place !== undefined) return { is: "place" };
  }
  if (home !== undefined && dirname(path) === directory)
    return { is: "home", owner: ownerIn(basename(path)) };
  const inside = parseOwnerName(basename(path)) === undefined ? undefined : basename(path);
  if (inside !== undefined && dirname(path) === lock) return { is: "in lock", owner: inside };
  if (inside !== undefined && homeAround !== undefined && dirname(dirname(path)) === directory) {
    return ownerIn(basename(dirname(path))) === inside
      ? { is: "in home", owner: inside }
      : { is: "something else" };
  }
  return { is: "something else" };
}

const ownerIn = (home: string): string => home.replace(/^\.swl-[0-9a-f]+-/, "");

// ------------------------------------------------------------------------------------------------
// Steps

type Reading = Map<number, { readonly call: TracedCall; readonly what: What }>;

/** The step that a call is; or that it is a part of one, which another call stands for. */
function stepOf(
  call: TracedCall,
  [what, to]: readonly What[],
  reading: Reading,
  cast: Cast,
): DiskStep | "part of a step" | undefined {
  const { name, args, result } = call;
  const ok = !/^E[A-Z]/.test(result);
  const made = (step: DiskStep["step"], begin = call.begin): DiskStep => ({
    tid: call.tid,
    begin,
    end: call.end,
    step,
    text: textOf(call),
  });
  if (name === "rename" && what?.is === "home" && to?.is === "lock") {
    return made({ kind: "take", owner: what.owner, taken: ok });
  }
  if (name === "rename" && what?.is === "lock" && to?.is === "home") {
    return made({ kind: "putBack", owner: to.owner, done: ok });
  }
  if (name === "unlink" && what?.is === "in lock") {
    return made({ kind: "unlinkLock", name: what.owner, done: ok });
  }
  if (name === "openat" && what?.is === "in home" && /O_CREAT\|O_EXCL/.test(args) && ok) {
    return made({ kind: "prepare", owner: what.owner });
  }
  // Of a home, only one's own: others are looked into by the sweep.
  const reads = what?.is === "lock" || (what?.is === "home" && isOwn(what.owner, call.tid, cast));
  if (name === "openat" && args.includes("O_DIRECTORY") && reads) {
    if (!ok) return what.is === "lock" ? made({ kind: "readLock", names: undefined }) : undefined;
    reading.set(call.tid, { call, what });
    return "part of a step";
  }
  return readStep(call, reading, made);
}

/** The rest of a readdir: it is the listing that counts, and it belongs to what was opened. */
function readStep(
  call: TracedCall,
  reading: Reading,
  made: (step: DiskStep["step"], begin: number) => DiskStep,
): DiskStep | "part of a step" | undefined {
  const opened = reading.get(call.tid);
  if (opened === undefined || !sameFile(opened.call, call)) return undefined;
  if (call.name === "close") reading.delete(call.tid);
  if (call.name === "close" || call.name === "newfstatat" || call.name === "fstat") return "part of a step";
  if (call.name !== "getdents64") return undefined;
  const entries = [...call.args.matchAll(/d_name="([^"]*)"/g)].map(([, entry]) => entry ?? "");
  // The second one of a readdir finds that there is no more.
  if (entries.length === 0) return "part of a step";
  const names = entries.filter((entry) => entry !== "." && entry !== "..").sort();
  return opened.what.is === "home"
    ? made({ kind: "readHome", owner: opened.what.owner, names }, opened.call.begin)
    : made({ kind: "readLock", names }, opened.call.begin);
}

const sameFile = (opened: TracedCall, call: TracedCall): boolean =>
  /^\d+/.exec(opened.result)?.[0] === /^\d+/.exec(call.args)?.[0];

// ------------------------------------------------------------------------------------------------
// Extras

interface Extra {
  readonly name: string;
  readonly calls: RegExp;
  readonly on: readonly What["is"][];
  readonly args?: RegExp;
  /** It writes: what is named is private to whoever calls, or its own. */
  readonly writes?: true;
}

/** What is there is written, and nothing else: never made, never followed. */
const BEAT_FLAGS = /O_RDWR\|O_NONBLOCK\|O_NOFOLLOW/;

/** By what they are for, in the words of spec/protocol.md. Only the first what of a call is looked at. */
const EXTRAS: readonly Extra[] = [
  { name: "realpath", calls: /^readlink$/, on: ["directory"] },
  { name: "mkdir -p of the parent", calls: /^mkdir$/, on: ["directory"] },
  { name: "statfs", calls: /^statfs$/, on: ["directory"] },
  { name: "lstat of the lock path", calls: /^(statx|newfstatat|lstat)$/, on: ["lock"], args: /NOFOLLOW/ },
  {
    name: "lstat of the longest names",
    calls: /^(statx|newfstatat|lstat)$/,
    on: ["probe"],
    args: /NOFOLLOW/,
  },
  { name: "stat of the session file", calls: /^(statx|newfstatat|stat)$/, on: ["session"] },
  { name: "stat of the parent", calls: /^(statx|newfstatat|stat)$/, on: ["directory"], args: /"/ },
  { name: "Prepare: mkdir of the home", calls: /^mkdir$/, on: ["home"] },
  {
    name: "Prepare: stat, mode and group of the home",
    calls: /^(statx|newfstatat|lstat|openat|fstat|fchmod|fchown|close)$/,
    on: ["home"],
  },
  { name: "Prepare: the owner file", calls: /^(write|pwrite64|close)$/, on: ["in home"] },
  {
    name: "an owner file is read",
    calls: /^(openat|lstat|statx|newfstatat|fstat|read|pread64|close)$/,
    on: ["in lock"],
  },
  {
    name: "life socket: made",
    calls: /^(bind|openat|fstat|newfstatat|close|chmod|rename)$/,
    on: ["life socket"],
  },
  { name: "life socket: asked", calls: /^(statx|newfstatat|lstat|connect)$/, on: ["life socket"] },
  { name: "life socket: goes", calls: /^unlink$/, on: ["life socket"] },
  {
    name: "heartbeat: a beat",
    calls: /^openat$/,
    on: ["in home", "in lock"],
    args: BEAT_FLAGS,
    writes: true,
  },
  {
    name: "heartbeat: a beat",
    calls: /^(fstat|newfstatat|statx|pread64|pwrite64|close)$/,
    on: ["in home", "in lock"],
  },
  {
    name: "lease: a mark, or a probe",
    calls: /^(openat|lstat|newfstatat|statx|fstat|read|pread64|write|fchmod|fsync|close|rename|unlink)$/,
    on: ["mark"],
    writes: true,
  },
  { name: "line: looked for", calls: /^(lstat|statx|newfstatat)$/, on: ["line"], args: /NOFOLLOW/ },
  {
    name: "line: made, read, goes",
    calls: /^(mkdir|openat|fstat|newfstatat|fchmod|fchown|getdents64|close|rmdir)$/,
    on: ["line"],
  },
  { name: "line: a place is taken", calls: /^openat$/, on: ["place"], args: /O_CREAT\|O_EXCL/, writes: true },
  { name: "line: a place is watched", calls: /^(inotify_add_watch|access|close)$/, on: ["place"] },
  { name: "line: somebody is called, or leaves", calls: /^unlink$/, on: ["place"] },
  { name: "watcher: of whoever waits", calls: /^inotify_add_watch$/, on: ["directory"] },
  { name: "sweep: the directory", calls: /^(openat|newfstatat|fstat|getdents64|close)$/, on: ["directory"] },
  {
    name: "sweep or heartbeat: whose names are at locks",
    calls: /^openat$/,
    on: ["swept lock"],
    args: /O_DIRECTORY/,
  },
  {
    name: "sweep or heartbeat: whose names are at locks",
    calls: /^(newfstatat|fstat|getdents64|close)$/,
    on: ["lock", "swept lock"],
  },
  { name: "sweep or exit: a home goes", calls: /^unlink$/, on: ["in home"] },
  { name: "sweep or exit: a home goes", calls: /^rmdir$/, on: ["home"] },
  { name: "sweep: into a home", calls: /^(openat|newfstatat|fstat|getdents64|close)$/, on: ["home"] },
];

function extraOf(
  { name, args, tid }: TracedCall,
  [what, second]: readonly What[],
  cast: Cast,
): string | undefined {
  // One path, or a descriptor's and the same again: a call with two things is no extra.
  if (second !== undefined && second.is !== what?.is) return undefined;
  const removes = name === "unlink" || name === "rmdir";
  if (removes && what !== undefined && "owner" in what && isOfTheLiving(what.owner, tid, cast))
    return undefined;
  const isOwnOrPrivate = what !== undefined && (!("owner" in what) || isOwn(what.owner, tid, cast));
  const extra = EXTRAS.find(
    (candidate) =>
      candidate.calls.test(name) &&
      candidate.on.some((is) => is === what?.is) &&
      (candidate.args?.test(args) ?? true) &&
      (candidate.writes === true ? isOwnOrPrivate : !/O_CREAT|O_WRONLY|O_RDWR/.test(args)),
  );
  return extra?.name;
}

function isOwn(owner: string, tid: number, { procOfPid, procOfTid }: Cast): boolean {
  const proc = procOfPid.get(Number(parseOwnerName(owner)?.pid));
  return proc !== undefined && proc === procOfTid.get(tid);
}

/** Of somebody else of the cast, who was not killed: then nobody but himself may remove his home. */
function isOfTheLiving(owner: string, tid: number, cast: Cast): boolean {
  const { procOfPid, killed } = cast;
  const proc = procOfPid.get(Number(parseOwnerName(owner)?.pid));
  return proc !== undefined && !isOwn(owner, tid, cast) && !killed.includes(proc);
}

function textOf({ name, args, result }: TracedCall): string {
  return `${name}(${args.slice(0, 600)}) = ${result}`;
}
