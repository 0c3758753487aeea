/** Ways to falsify a real trace, each of which must be noticed. */

import type { Life, Observed, StepRecord, Trace } from "./records.ts";

export interface Tampering {
  readonly what: string;
  /** What the refusal must name: where the two stories part. */
  readonly noticedAt: RegExp;
  readonly tamper: (trace: Trace) => Trace;
}

/** Long after everything that is under way has ended. */
const LONG_NS = 100_000_000;

export const TAMPERINGS: readonly Tampering[] = [
  {
    what: "a Take that succeeded is left out",
    // Or by somebody whom the lock refuses, since it has an owner, or who sees that one.
    noticedAt: /Then: (Verify|Take|Look|Judge|Evict) of/,
    tamper: (trace) => without(trace, successful("Take")),
  },
  {
    what: "two Takes of different processes have each other's moments",
    noticedAt: /Then: /,
    tamper: swapTakes,
  },
  {
    what: "a Take that was refused succeeds",
    // If the lock was free for a moment: by what follows, here or elsewhere.
    noticedAt: /Then: (Take|Refused|Verify|Look|Check) of/,
    tamper: (trace) =>
      changed(
        trace,
        endOf(isCall("Take"), (reply) => reply === "ENOTEMPTY"),
        (record) => [{ ...record, reply: "ok" } as StepRecord],
      ),
  },
  {
    what: "a Granted is forged",
    noticedAt: /Then: Granted of/,
    tamper: (trace) =>
      changed(
        trace,
        (record) => record.is === "turn" && record.action === "Refused",
        (record) => [{ ...record, action: "Granted" } as StepRecord],
      ),
  },
  {
    what: "a Verify saw the name of another process",
    noticedAt: /Then: Verify of .*, answered ok/,
    tamper: (trace) => seesAnother(trace, "Verify"),
  },
  {
    what: "a Check saw the name of another process, and the PutBack came all the same",
    noticedAt: /Then: Check of .*, answered ok/,
    tamper: (trace) => seesAnother(trace, "Check"),
  },
  {
    what: "a PutBack without its Check",
    noticedAt: /Then: ((Release|PutBack) of|\w+ knows)/,
    tamper: (trace) => without(trace, successful("Check")),
  },
  {
    what: "a PutBack comes twice",
    // Or by somebody who still saw the name.
    noticedAt: /Then: (PutBack|Take|Look) of/,
    tamper: putBackTwice,
  },
  {
    what: "a Crash is left out",
    // Or by somebody who judged the owner dead.
    noticedAt: /Then: (Start|Judge) of/,
    tamper: withoutCrash,
  },
  {
    what: "a Release comes twice",
    noticedAt: /Then: (Release of|\w+ knows)/,
    tamper: (trace) =>
      changed(trace, isOutside("Release"), (record) => [record, { ...record, at: record.at + 1 }]),
  },
  {
    what: "a Release is left out",
    noticedAt: /Then: \w+ knows/,
    tamper: (trace) => changed(trace, isOutside("Release"), () => []),
  },
  {
    what: "a living owner is evicted",
    noticedAt: /Then: Judge of/,
    tamper: evictLiving,
  },
  {
    what: "a holder does not hold",
    noticedAt: /Then: \w+ knows .*"heldLocks":\[\]/,
    tamper: (trace) =>
      changed(
        trace,
        ({ state }) => (state?.heldLocks.length ?? 0) > 0,
        (record) => [{ ...record, state: { ...(record.state as Observed), heldLocks: [] } }],
      ),
  },
];

/** What a SIGKILL may take away without harm: the outcome of the last call. */
export function withoutLastOutcomes(trace: Trace): Trace {
  const lives = trace.lives.map((life) => {
    const last = life.records.at(-1);
    const torn = life.killedAt !== undefined && last?.is === "end";
    return torn ? { ...life, records: life.records.slice(0, -1) } : life;
  });
  return { ...trace, lives };
}

/**
 * Less is known of when the calls took effect: they begin right after what the process did before, or end right before
 * what it did next. What fits a trace fits these too; more is open at a time.
 */
export function blurred(trace: Trace, side: "begin" | "end"): Trace {
  const lives = trace.lives.map((life) => ({
    ...life,
    records: life.records.map((record, i) => {
      const other = life.records[side === "begin" ? i - 1 : i + 1];
      if (record.is !== side || other === undefined) return record;
      return { ...record, at: side === "begin" ? other.at + 1 : other.at - 1 };
    }),
  }));
  return { ...trace, lives };
}

// ------------------------------------------------------------------------------------------------
// Where

type Which = (record: StepRecord, life: Life) => boolean;

const isCall =
  (action: string): Which =>
  (record) =>
    record.is === "begin" && record.action === action;
const isOutside =
  (action: string): Which =>
  (record) =>
    record.is === "call" && record.action === action;

/** The end of such a call, with such a reply. */
const endOf =
  (call: Which, said: (reply: string) => boolean): Which =>
  (record, life) => {
    if (record.is !== "end" || !said(record.reply)) return false;
    return life.records.some((other) => other.is === "begin" && other.id === record.id && call(other, life));
  };

/** A call of that action, begin and end, that succeeded, and after which the process went on for a while. */
const successful =
  (action: string): Which =>
  (record, life) => {
    if (record.is !== "begin" && record.is !== "end") return false;
    const { records } = life;
    const begin = records.findIndex((other) => other.is === "begin" && other.id === record.id);
    const end = records.find((other) => other.is === "end" && other.id === record.id);
    const call = records[begin];
    const goesOn = records.length > begin + 10;
    return (
      call !== undefined && isCall(action)(call, life) && end?.is === "end" && end.reply === "ok" && goesOn
    );
  };

/** The first record of that kind becomes these. */
function changed(trace: Trace, which: Which, into: (record: StepRecord, life: Life) => StepRecord[]): Trace {
  for (const life of trace.lives) {
    const at = life.records.findIndex((record, i) => i + 10 < life.records.length && which(record, life));
    const record = life.records[at];
    if (record === undefined) continue;
    const records = life.records.flatMap((other) => (other === record ? into(record, life) : [other]));
    return { ...trace, lives: trace.lives.map((other) => (other === life ? { ...life, records } : other)) };
  }
  throw new Error("there is nothing to tamper with in this trace");
}

/** The first call of that kind is gone, with its end. */
function without(trace: Trace, which: Which): Trace {
  let id: number | undefined;
  const begun = changed(trace, which, (record) => {
    id = record.is === "begin" ? record.id : undefined;
    return [];
  });
  return changed(
    begun,
    (record) => record.is === "end" && record.id === id,
    () => [],
  );
}

function seesAnother(trace: Trace, action: string): Trace {
  return changed(
    trace,
    endOf(isCall(action), (reply) => reply === "ok"),
    (record, life) => {
      const another = trace.lives
        .filter(({ proc }) => proc !== life.proc)
        .flatMap(({ records }) => records)
        .find(isCallOfPrepare);
      return [{ ...record, names: [another?.name ?? ""] } as StepRecord];
    },
  );
}

const isCallOfPrepare = (record: StepRecord): record is StepRecord & { readonly is: "begin" } =>
  record.is === "begin" && record.action === "Prepare";

function swapTakes(trace: Trace): Trace {
  const [one, other] = ["a", "b"].map((proc) => {
    const life = trace.lives.find(
      (candidate) =>
        candidate.proc === proc && candidate.records.some((r) => successful("Take")(r, candidate)),
    );
    const found = life?.records.filter((record) => successful("Take")(record, life)).slice(0, 2);
    if (life === undefined || found?.length !== 2) throw new Error("no Takes of two processes");
    return { life, found };
  });
  const moments = new Map<StepRecord, number>();
  for (const at of [0, 1]) {
    const [mine, theirs] = [one?.found[at], other?.found[at]];
    if (mine === undefined || theirs === undefined) continue;
    moments.set(mine, theirs.at).set(theirs, mine.at);
  }
  const lives = trace.lives.map((life) => ({
    ...life,
    records: life.records.map((record) => ({ ...record, at: moments.get(record) ?? record.at })),
  }));
  return { ...trace, lives };
}

function putBackTwice(trace: Trace): Trace {
  return changed(trace, isCall("PutBack"), (record) => [
    { ...record, at: record.at - 2, id: -1 } as StepRecord,
    { at: record.at - 1, is: "end", id: -1, reply: "ok", names: [] },
    record,
  ]);
}

function withoutCrash(trace: Trace): Trace {
  const acted = trace.lives.filter(({ records }) => records.length > 0);
  const next = acted.find(({ proc, life }) =>
    acted.some((other) => other.proc === proc && other.life < life),
  );
  if (next === undefined) throw new Error("nobody was replaced");
  const lives = trace.lives.map((life): Life => {
    if (life.proc !== next.proc || life.life >= next.life) return life;
    const { endedAt: _, ...rest } = life;
    return rest;
  });
  return { ...trace, lives };
}

function evictLiving(trace: Trace): Trace {
  const ownerOf = (name: string): Life | undefined =>
    trace.lives.find(({ records }) => records.some((r) => isCallOfPrepare(r) && r.name === name));
  const livesOn = (name: string, at: number): boolean => {
    const owner = ownerOf(name);
    return owner !== undefined && (owner.killedAt ?? owner.endedAt ?? 0) > at + LONG_NS;
  };
  let victim = "";
  const judgesLiving: Which = (record, { records }) => {
    if (record.is !== "turn" || record.action !== "Judge") return false;
    const look = records[records.indexOf(record) - 1];
    victim = look?.is === "end" ? (look.names?.[0] ?? "") : "";
    const next = records[records.indexOf(record) + 1];
    return victim !== "" && next?.is !== "begin" && livesOn(victim, record.at);
  };
  return changed(trace, judgesLiving, (record) => [
    record,
    { at: record.at + 1, is: "begin", id: -1, action: "Evict", name: victim },
    { at: record.at + 2, is: "end", id: -1, reply: "ok", names: [] },
  ]);
}
