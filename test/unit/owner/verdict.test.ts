import { describe, expect, it } from "vitest";
import type { OwnerIdentity, OwnerScope } from "../../../src/owner/identity.ts";
import {
  judgeOwner,
  type Observation,
  type ProcessSighting,
  type StatReading,
  type Verdict,
} from "../../../src/owner/verdict.ts";
import { OWNER, RUNNING, stat, WORKER_OWNER } from "./fixtures.ts";

// tests A1

// ---- Every combination ----------------------------------------------------------------------------------------

// A case is made of these words: `ownersOf` and `sightingOf` make the arguments of `judgeOwner` from them, the oracle
// reads the words themselves.
const OWNER_WORDS = {
  boot: ["equal", "other", "bothAbsent", "oursAbsent", "unread"],
  host: ["equal", "other"],
  pidNamespace: ["equal", "other", "bothAbsent"],
  timeNamespace: ["equal", "other", "bothAbsent"],
  thread: ["main", "worker", "unknown"],
  processStart: ["known", "unknown"],
  threadStart: ["known", "unknown"],
} as const;

// What else there is, beside the process: the inner words, tried with each combination of the others.
const EXTRA_WORDS = {
  machineId: ["in the host field", "not in it"],
  life: ["in the name", "none"],
  socket: ["accepts", "refuses", "silent"],
  file: ["before boot", "later"],
  // Of whoever judges; of another owner's than ours it makes no difference which.
  clock: ["initial namespace", "shifted"],
} as const;

const SIGHTING_WORDS = {
  probe: ["runs", "gone", "notPermitted", "unanswered"],
  before: ["missing", "unreadable", "untrusted", "same", "different"],
  state: ["S", "Z", "X"],
  threads: [0, 1, 2],
  task: ["missing", "unreadable", "untrusted", "same", "different"],
  after: ["missing", "unreadable", "untrusted", "same", "different"],
} as const;

type Chosen<Words extends Record<string, readonly unknown[]>> = {
  [Word in keyof Words]: Words[Word][number];
};
type Owner = Chosen<typeof OWNER_WORDS>;
type Sighting = Chosen<typeof SIGHTING_WORDS>;
type Extra = Chosen<typeof EXTRA_WORDS>;

// Section 5 of the design, as a list of decisions: the first that applies decides.
const ORACLE: readonly (readonly [(o: Owner, s: Sighting) => boolean, Verdict["verdict"]])[] = [
  // "same boot, pid and time namespace"; "another boot id does not prove death"
  [(o) => o.boot === "other" || o.boot === "oursAbsent" || o.boot === "unread", "unknown"],
  [(o) => o.pidNamespace === "other" || o.timeNamespace === "other", "unknown"],
  // "where there are no boot ids, the host field stands in"; else it is not compared
  [(o) => o.boot === "bothAbsent" && o.host === "other", "unknown"],
  // "`kill(pid, 0)` gives ESRCH -> dead"
  [(_, s) => s.probe === "gone", "dead"],
  // "a missing or unreadable /proc/<pid> proves nothing"; of a foreign /proc "`kill(pid, 0)` alone decides"
  [(_, s) => s.before !== "same" && s.before !== "different", "unknown"],
  // "State Z or X with one thread -> dead"
  [(_, s) => s.state !== "S" && s.threads === 1, "dead"],
  // "A start that could not be read is `-`: never compared, proves nothing"
  [(o) => o.processStart === "unknown", "unknown"],
  // "Both starts known and different -> dead (pid reused)"
  [(_, s) => s.before === "different", "dead"],
  // "equal -> alive"
  [(o) => o.thread === "main", "alive"],
  [(o, s) => o.thread === "worker" && o.threadStart === "known" && s.task === "same", "alive"],
  // "A thread is dead only if /proc/<pid>/stat shows the recorded start before and after task/<tid> gave ENOENT ..."
  [(o, s) => o.thread === "worker" && s.task === "missing" && s.after === "same", "dead"],
  // "... or another start"
  [
    (o, s) =>
      o.thread === "worker" && o.threadStart === "known" && s.task === "different" && s.after === "same",
    "dead",
  ],
  // "Without that, owners in worker threads of a running process are `unknown`"
  [() => true, "unknown"],
];

// "Dead only if the host field (with a machine id in it) is the same, the file system is local, and the owner file is
// older than this kernel's boot", and uptime is not shifted. (Whether the disk is local is said with the file.)
function isRebooted(o: Owner, e: Extra): boolean {
  const sameMachine = o.host === "equal" && e.machineId === "in the host field";
  return o.boot === "other" && sameMachine && e.file === "before boot" && e.clock === "initial namespace";
}

const NOTHING_ELSE: Extra = {
  machineId: "not in it",
  life: "none",
  socket: "silent",
  file: "later",
  clock: "initial namespace",
};

// "With equal boot ids ECONNREFUSED is death", where nothing else says more.
function oracleOf(byNumbers: Verdict["verdict"], o: Owner, e: Extra): Verdict["verdict"] {
  if (isRebooted(o, e)) return "dead";
  if (byNumbers !== "unknown" || o.boot !== "equal" || e.life === "none" || e.socket === "silent")
    return byNumbers;
  return e.socket === "refuses" ? "dead" : "alive";
}

// The proofs of death by numbers, and no other: written apart from the oracle, which might share an error with the code.
function isProved(o: Owner, s: Sighting): boolean {
  const sameKernel = o.boot === "equal" || (o.boot === "bothAbsent" && o.host === "equal");
  if (!sameKernel || o.pidNamespace === "other" || o.timeNamespace === "other") return false;
  const noSuchPid = s.probe === "gone";
  const pidReused = o.processStart === "known" && s.before === "different";
  const isShown = s.before === "same" || s.before === "different";
  const zombie = isShown && (s.state === "Z" || s.state === "X") && s.threads === 1;
  const framed = s.before === "same" && s.after === "same" && o.processStart === "known";
  const tidReused = s.task === "different" && o.threadStart === "known";
  const threadGone = o.thread === "worker" && framed && (s.task === "missing" || tidReused);
  return noSuchPid || pidReused || zombie || threadGone;
}

/** One object for each way of choosing one value per word. */
function everyChoice<Words extends Record<string, readonly unknown[]>>(words: Words): Chosen<Words>[] {
  return Object.entries(words).reduce<Record<string, unknown>[]>(
    (choices, [word, values]) =>
      choices.flatMap((choice) => values.map((value) => ({ ...choice, [word]: value }))),
    [{}],
  ) as Chosen<Words>[];
}

/** State and threads are read from the same file as the start: without one, there is nothing to vary. */
function isPossible(s: Sighting): boolean {
  return s.before === "same" || s.before === "different" || (s.state === "S" && s.threads === 0);
}

function ownersOf(o: Owner, e: Extra): { ours: OwnerScope; theirs: OwnerIdentity } {
  const ours: Record<keyof OwnerScope, string> = { ...OWNER, pid: "1", tid: "1" };
  const theirs: Record<keyof OwnerIdentity, string> = { ...(o.thread === "main" ? OWNER : WORKER_OWNER) };
  if (o.thread === "unknown") theirs.tid = "-";
  if (e.machineId === "in the host field") ours.host = theirs.host = `m${OWNER.host}`;
  if (e.life === "none") theirs.life = "-";
  for (const field of ["boot", "host", "pidNamespace", "timeNamespace"] as const) {
    if (o[field] === "other") theirs[field] = "77";
    if (o[field] === "bothAbsent" || o[field] === "oursAbsent") ours[field] = "-";
    if (o[field] === "bothAbsent") theirs[field] = "-";
  }
  if (e.clock === "shifted") {
    ours.timeNamespace = "4026532999";
    if (o.timeNamespace !== "other") theirs.timeNamespace = ours.timeNamespace;
  }
  if (o.boot === "unread") theirs.boot = "r0123456789abcdef";
  if (o.processStart === "unknown") theirs.processStart = "-";
  if (o.threadStart === "unknown") theirs.threadStart = "-";
  return { ours, theirs };
}

function sightingOf(s: Sighting, thread: Owner["thread"]): ProcessSighting {
  const reading = (word: Sighting["task"], start: string, state = "S", threads = 2): StatReading =>
    word === "same"
      ? stat(start, state, threads)
      : word === "different"
        ? stat("2000", state, threads)
        : word;
  return {
    probe: s.probe,
    before: reading(s.before, "1000", s.state, s.threads),
    task: reading(s.task, thread === "main" ? "1000" : "1300"),
    after: reading(s.after, "1000"),
  };
}

// `npm run mutants` asks for one in so many, a prime: so each word still meets each other one.
const ONE_IN = Number(process.env["SWL_ONE_IN"] ?? 1);

// What numbers prove is tried on everything; what comes on top sees of a sighting only its verdict by numbers, so that
// is tried on one sighting for each thing that numbers can say.
describe("the verdict on every combination", () => {
  it("is the oracle's, is dead only if proved, and gives a reason", () => {
    const counts = { dead: 0, alive: 0, unknown: 0 };
    const wrong: string[] = [];
    const reasons = new Set<string>();
    const check = (o: Owner, s: Sighting, e: Extra, expected: string, proved: boolean): string => {
      const { ours, theirs } = ownersOf(o, e);
      const seen = { ...sightingOf(s, o.thread), fileBeforeBoot: e.file === "before boot", socket: e.socket };
      const { verdict, reason } = judgeOwner(ours, theirs, seen);
      counts[verdict] += 1;
      reasons.add(`${verdict}: ${reason}`);
      if ((verdict !== expected || (verdict === "dead") !== proved) && wrong.length < 10) {
        wrong.push(`${JSON.stringify({ ...o, ...s, ...e })}: ${verdict} (${reason}), not ${expected}`);
      }
      return reason;
    };
    let next = 0;
    const some = <T>(choices: readonly T[]): readonly T[] =>
      ONE_IN === 1 ? choices : choices.filter(() => next++ % ONE_IN === 0);
    const sightings = everyChoice(SIGHTING_WORDS).filter(isPossible);
    const extras = everyChoice(EXTRA_WORDS);
    for (const o of everyChoice(OWNER_WORDS)) {
      const perReason = new Map<string, Sighting>();
      for (const s of some(sightings)) {
        const byNumbers = ORACLE.find(([applies]) => applies(o, s))?.[1] ?? "unknown";
        perReason.set(check(o, s, NOTHING_ELSE, byNumbers, isProved(o, s)), s);
      }
      for (const s of perReason.values()) {
        const byNumbers = ORACLE.find(([applies]) => applies(o, s))?.[1] ?? "unknown";
        for (const e of some(extras)) {
          const refused = o.boot === "equal" && e.life === "in the name" && e.socket === "refuses";
          const proved = isProved(o, s) || isRebooted(o, e) || (refused && byNumbers === "unknown");
          check(o, s, e, oracleOf(byNumbers, o, e), proved);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect([...reasons].sort()).toMatchInlineSnapshot(`
      [
        "alive: pid 4711 runs since the owner started",
        "alive: the life socket of pid 4711 accepts",
        "alive: thread 4713 of pid 4711 runs since the owner started",
        "dead: pid 4711 is a zombie",
        "dead: pid 4711 is gone",
        "dead: pid 4711 started later than the owner",
        "dead: the life socket of pid 4711 refuses, so that process has ended",
        "dead: this machine has booted since",
        "dead: thread 4713 of pid 4711 is gone",
        "dead: thread 4713 of pid 4711 started later than the owner",
        "unknown: another boot id; cannot be judged from here",
        "unknown: another host; cannot be judged from here",
        "unknown: another pid namespace; cannot be judged from here",
        "unknown: another time namespace; cannot be judged from here",
        "unknown: pid 4711 may run, but its start time cannot be compared",
        "unknown: pid 4711 may run, but there is no /proc of our own to compare start times",
        "unknown: pid 4711 runs, but its start time cannot be compared",
        "unknown: pid 4711 runs, but its threads cannot be read",
        "unknown: pid 4711 runs, but there is no /proc of our own to compare start times",
        "unknown: pid 4711 runs, but which of its threads owns it is not known",
        "unknown: the boot id of the owner could not be read; cannot be judged from here",
        "unknown: thread 4713 of pid 4711 runs, but its start time cannot be compared",
        "unknown: thread 4713 of pid 4711 was not found, but pid 4711 changed meanwhile",
      ]
    `);
    if (ONE_IN !== 1) return;
    expect(counts).toMatchInlineSnapshot(`
      {
        "alive": 20068,
        "dead": 181492,
        "unknown": 2163784,
      }
    `);
    // 5 boots x 2 hosts x 3 x 3 namespaces, 3 threads x 2 x 2 starts, 4 probes,
    // 3 readings without and 2 with 3 states x 3 numbers of threads, 5 x 5 readings afterwards
    const alone = 90 * 12 * 4 * (3 + 2 * 9) * 25;
    // 2 hosts with or without a machine id, 2 lives, 3 answers, 2 files, 2 clocks; 1 to 9 reasons for each owner
    const onTop = counts.dead + counts.alive + counts.unknown - alone;
    expect(onTop % 48).toBe(0);
    expect(onTop).toBeGreaterThan(90 * 12 * 48);
  });
});

// ---- Named cases ----------------------------------------------------------------------------------------------

const SELF: OwnerScope = { ...OWNER, pid: "1", tid: "1" };

function verdictOn(owner: Partial<OwnerIdentity>, seen: Partial<Observation>, self = SELF): string {
  const { verdict, reason } = judgeOwner(self, { ...OWNER, ...owner }, { ...RUNNING, ...seen });
  return `${verdict}: ${reason}`;
}

describe("the verdict on an owner", () => {
  it("that nobody can say anything about is unknown", () => {
    const nothing = {
      probe: "unanswered",
      before: "unreadable",
      task: "unreadable",
      after: "unreadable",
    } as const;
    expect(verdictOn({}, nothing)).toBe("unknown: pid 4711 may run, but its start time cannot be compared");
  });

  it("whose unreadable scope is random is unknown to everyone else", () => {
    const r = "r0123456789abcdef";
    expect(verdictOn({ boot: r }, { probe: "gone" })).toBe(
      "unknown: the boot id of the owner could not be read; cannot be judged from here",
    );
    expect(verdictOn({}, { probe: "gone" }, { ...SELF, pidNamespace: r })).toBe(
      "unknown: the pid namespace of this process could not be read; cannot be judged from here",
    );
  });

  it("on a renamed host is judged as before", () => {
    expect(verdictOn({ host: "ffffffffffffffff" }, { probe: "gone" })).toBe("dead: pid 4711 is gone");
  });

  it("of another boot of this machine is dead, unless one of the two boot ids is a container's", () => {
    const host = `m${OWNER.host}`;
    const judged = (mine: string, theirs: string): string =>
      verdictOn({ host, boot: theirs }, { fileBeforeBoot: true }, { ...SELF, host, boot: mine });
    // Hex digits too: a boot id that begins or ends with a "c" is not a container's for that.
    const [kernel, other] = ["1edcba987654321c", "0edcba987654321c"];
    const [container, another] = ["c1edcba9876543210", "c0edcba9876543210"];
    expect(judged(kernel, other)).toBe("dead: this machine has booted since");
    expect(judged(kernel, container)).toMatch(/^unknown: another boot id/);
    expect(judged(container, kernel)).toMatch(/^unknown: another boot id/);
    expect(judged(container, another)).toMatch(/^unknown: another boot id/);
  });

  it("that is a zombie is dead, whosever pid it is now", () => {
    for (const start of ["1000", "2000"]) {
      for (const processStart of ["1000", "-"]) {
        const seen = { before: stat(start, "Z", 1) };
        expect(verdictOn({ processStart }, seen)).toBe("dead: pid 4711 is a zombie");
      }
    }
  });

  it("whose first thread has ended, or that is just calling exec, is not a zombie", () => {
    for (const [state, threads] of [
      ["Z", 2],
      ["X", 0],
      ["T", 1],
      ["D", 1],
    ] as const) {
      expect(verdictOn({}, { before: stat("1000", state, threads) })).toMatch(/^alive/);
    }
  });

  it("in this very process is alive if that is proved, else unknown, unless it is an earlier one", () => {
    const self = { ...OWNER };
    expect(verdictOn({}, {}, self)).toMatch(/^alive: this very thread of pid 4711 has it, by another path/);
    const notOurs = "alive: pid 4711 runs since the owner started";
    expect(verdictOn({}, {}, { ...self, tid: "4713" }), "our process, another thread").toBe(notOurs);
    expect(verdictOn({}, {}, { ...self, pid: "1" }), "a tid like ours").toBe(notOurs);
    expect(verdictOn({ processStart: "-" }, {}, self)).toMatch(/^unknown/);
    expect(verdictOn({}, { before: "untrusted" }, self)).toMatch(/^unknown/);
    expect(verdictOn({ processStart: "900" }, {}, self)).toMatch(/^dead/);
  });

  it("in a worker needs a witness before and after", () => {
    const gone = { task: "missing" } as const;
    expect(verdictOn(WORKER_OWNER, gone)).toBe("dead: thread 4713 of pid 4711 is gone");
    expect(verdictOn(WORKER_OWNER, { ...gone, after: stat("2000") })).toMatch(/^unknown/);
    expect(verdictOn(WORKER_OWNER, { ...gone, after: "missing" })).toMatch(/^unknown/);
    expect(verdictOn(WORKER_OWNER, { ...gone, before: "missing" })).toMatch(/^unknown/);
    expect(verdictOn({ ...WORKER_OWNER, processStart: "-" }, gone)).toMatch(/^unknown/);
    expect(verdictOn(WORKER_OWNER, { task: stat("1301") })).toMatch(/^dead/);
    expect(verdictOn(WORKER_OWNER, { task: stat("1300") })).toMatch(/^alive/);
  });
});
