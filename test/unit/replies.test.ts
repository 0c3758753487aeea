/**
 * What the protocol makes of each reply of the disk, step by step: no disk, no clock, no driver, but replies by the
 * script of the test. Lockstep has every schedule, but of the disk that the model knows; here are the errnos, the
 * words for people, and what the model does not remember.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DiskCall, DiskReply } from "../../src/disk.ts";
import type { LockOwner, SessionWriteLockError } from "../../src/errors.ts";
import type { Line } from "../../src/line.ts";
import * as protocol from "../../src/protocol.ts";
import {
  type Attempt,
  createEntry,
  type Debt,
  type Entry,
  type Evictions,
  type Guest,
  type Heartbeat,
  type Home,
  type Judgement,
  type Owners,
} from "../../src/registry.ts";
import type { Run, Step, Wakeable } from "../../src/steps.ts";
import type { Tracer } from "../../src/trace.ts";
import type { Turns } from "../../src/turns.ts";
import type { Watching } from "../../src/watch.ts";

const L = "/d/a.lock";

/** No test has that many. */
const MOST_STEPS = 500;

type Call = Step & { readonly kind: "call" };
/** An errno, the names that a readdir finds, or nothing: then it works, and a readdir finds the present home. */
type Answer = string | readonly string[] | undefined;

let log: string[] = [];
let sleeps: { ms: number; background: boolean; wake: () => void }[] = [];
let answer: (call: Call) => Answer = () => undefined;
let now = 0;
let chance = 0.5;
let warned: string[] = [];
let quiet = 0;

beforeEach(() => {
  log = [];
  sleeps = [];
  answer = () => undefined;
  now = 1_000;
  chance = 0.5;
  warned = [];
  quiet = 0;
});

const failure = (errno: string): DiskReply => ({
  ok: false,
  errno,
  error: Object.assign(new Error(`${errno}: by the script`), { code: errno }),
});

/** `/h1/own1` for a file in a home, `L/own1` for one at the lock path. */
const short = (path: string): string => path.replace(L, "L").replace("/d/", "");

function textOf(call: DiskCall): string {
  if (call.call === "rename") return `${short(call.from)} to ${short(call.to)}`;
  if (call.call === "prepare") return short(call.home);
  return call.call === "rmdir" ? `rmdir ${short(call.path)}` : short(call.path);
}

const steps = (): readonly string[] => log.splice(0);

function entryOf(more: Partial<Entry["services"]> = {}, local = true, owners: Partial<Owners> = {}): Entry {
  let homes = 0;
  const replyTo = (step: Call): DiskReply => {
    const said = answer(step);
    if (typeof said === "string") return failure(said);
    if (said !== undefined) return { ok: true, names: said };
    const { home } = entry;
    const found = step.call.call === "readdir" && home !== null ? [home.name, ...home.guests] : [];
    return { ok: true, names: found };
  };
  const drive = (run: Run): void => {
    const goOn = (first: DiskReply = { ok: true, names: [] }): void => {
      let reply = first;
      for (;;) {
        const { done, value: step } = run.next(reply);
        if (done === true || step === undefined) return;
        reply = { ok: true, names: [] };
        if (step.kind === "call") {
          log.push(
            `${step.action}${step.atOnce === true ? " at once" : ` ${step.mode}`}: ${textOf(step.call)}`,
          );
          reply = replyTo(step);
        } else if (step.kind === "turn") log.push(step.action);
        else if (step.kind === "ask") {
          step.ask(() => goOn());
          return;
        } else if (step.kind === "sleep") {
          sleep(step, goOn);
          return;
        } else expect.unreachable();
        if (log.length > MOST_STEPS) throw new Error("the protocol goes round and round");
      }
    };
    goOn();
  };
  const sleep = (step: Step & { kind: "sleep" }, goOn: () => void): void => {
    const { ms, background } = step;
    const one = { ms, background: background === "background", wake: goOn };
    sleeps.push(one);
    const end = (): void => {
      sleeps = sleeps.filter((other) => other !== one);
    };
    const wakeable: Wakeable = {
      wake: () => {
        end();
        goOn();
      },
      cancel: end,
    };
    one.wake = wakeable.wake;
    step.arm(wakeable);
  };
  const entry = createEntry({
    lockPath: L,
    sessionFile: "/d/a",
    local,
    services: {
      disk: {
        renameReplacesEmpty: true,
        now: (call) => {
          log.push(`junk: ${call.call === "rmdir" ? "" : `${call.call} `}${textOf(call)}`);
          return call.call === "unlink" && textOf(call).endsWith("@eaDir")
            ? failure("EISDIR")
            : { ok: true, names: [] };
        },
        later: () => expect.unreachable(),
      },
      clock: { now: () => now, random: () => chance, setTimer: () => expect.unreachable() },
      owners: {
        newHome: (_lockPath, guest): Home => {
          const n = ++homes;
          return { name: `own${n}`, path: `/d/h${n}`, guests: guest === undefined ? [] : [`own${n}guest`] };
        },
        content: (name, metadata) => `${name} ${metadata}`,
        isOwner: (name) => name.startsWith("own"),
        judge: (name): Judgement => ({
          verdict: name.includes("dead") ? "dead" : "alive",
          reason: `${name} was judged`,
        }),
        describe: (name, _lockPath, verdict) => ({ name, verdict }) as LockOwner,
        ...owners,
      },
      drive,
      warn: (message, code) => warned.push(`${code}: ${message}`),
      quiet: () => quiet++,
      ...more,
    },
  });
  return entry;
}

interface Asked {
  readonly attempt: Attempt;
  outcome: "waits" | "granted" | SessionWriteLockError;
  evictions: Evictions | undefined;
  lost: SessionWriteLockError | undefined;
  /** One for each wait: the error of the disk that it waits for, if any. */
  readonly waited: (SessionWriteLockError | undefined)[];
}

function ask(entry: Entry, more: Partial<Attempt> = {}): Asked {
  const asked: Asked = {
    attempt: {
      reentrant: false,
      gaveUp: false,
      revoked: false,
      granted: (evictions) => {
        asked.outcome = "granted";
        asked.evictions = evictions;
      },
      failed: (error) => {
        asked.outcome = error;
      },
      lost: (error) => {
        asked.lost = error;
      },
      waits: (error) => asked.waited.push(error),
      ...more,
    },
    outcome: "waits",
    evictions: undefined,
    lost: undefined,
    waited: [],
  };
  protocol.request(entry, asked.attempt);
  return asked;
}

/** How the release ended; undefined as long as it has not. */
function release(
  entry: Entry,
  { attempt }: Asked,
  way: "release" | "expire" = "release",
): { error?: Error | undefined } {
  const ended: { error?: Error | undefined } = {};
  const end = way === "release" ? protocol.release : protocol.expire;
  end(entry, attempt, (error) => {
    ended.error = error;
  });
  return ended;
}

/** Ends the sleep that has lasted longest. */
function wake(): void {
  const [first] = sleeps;
  expect(first).toBeDefined();
  first?.wake();
}

const sees =
  (action: string, said: Answer) =>
  (call: Call): Answer =>
    call.action === action ? said : undefined;

/** As {@link sees}, for several. */
const says =
  (replies: Readonly<Record<string, Answer>>) =>
  ({ action }: Call): Answer =>
    replies[action];

const HELD_BY_OTHER = { Take: "ENOTEMPTY", Look: ["own-other"] };

describe("a Take", () => {
  it("that nobody is in the way of is made at once on a local disk, the first time; it shows the metadata", () => {
    const prepared: DiskCall[] = [];
    answer = ({ action, call }) => {
      if (action === "Prepare") prepared.push(call);
      return undefined;
    };
    const entry = entryOf();
    const asked = ask(entry, { metadata: "7" });
    expect(asked.outcome).toBe("granted");
    expect(steps()).toEqual(["Prepare sync: h1", "Take at once: h1 to L", "Verify sync: L", "Granted"]);
    expect(prepared).toEqual([
      { call: "prepare", home: "/d/h1", files: [{ name: "own1", content: "own1 7" }] },
    ]);
    expect(entry.shown).toBe("7");
    prepared.length = 0;
    ask(entryOf());
    expect(prepared).toMatchObject([{ files: [{ content: "own1 " }] }]);
  });

  it("is asynchronous on other disks, and of whoever has waited", () => {
    const elsewhere = entryOf({}, false);
    ask(elsewhere);
    expect(steps()).toContain("Take async: h1 to L");
    answer = says(HELD_BY_OTHER);
    ask(entryOf());
    expect(steps()).toEqual([
      "Prepare sync: h1",
      "Take at once: h1 to L",
      "Refused",
      "Look async: L",
      "Judge",
    ]);
    answer = () => undefined;
    wake();
    expect(steps()).toEqual(["Wake", "Take async: h1 to L", "Verify sync: L", "Granted"]);
  });

  // xfs says EEXIST, and of a file every disk says ENOTDIR.
  it.each(["ENOTEMPTY", "EEXIST", "ENOTDIR"])(
    "that is refused with %s keeps its home: something stands there",
    (errno) => {
      answer = says({ ...HELD_BY_OTHER, Take: errno });
      const entry = entryOf();
      const asked = ask(entry);
      expect(entry.home?.name).toBe("own1");
      expect(asked.waited).toEqual([undefined]);
      expect(entry.patience?.failures).toBe(0);
    },
  );

  it("that fails otherwise gives the home up, whose reply may come late; and the third time in a row is the answer", () => {
    answer = says({ Take: "EIO", Look: ["own-other"] });
    const entry = entryOf({}, true, { explain: (errno) => `${errno}, in words` });
    const asked = ask(entry);
    expect(entry.home).toBeNull();
    expect(steps()).toContain("Retry async: h1/own1");
    expect(asked.waited.map((error) => error?.message)).toEqual([
      "Cannot take the lock at /d/a.lock: EIO, in words",
    ]);
    expect(asked.waited[0]).toMatchObject({
      code: "EDISK",
      sessionFile: "/d/a",
      lockPath: L,
      cause: { code: "EIO" },
      owner: { name: "own-other", verdict: "it was not judged" },
    });
    wake();
    expect(asked.outcome).toBe("waits");
    wake();
    expect(asked.outcome).toMatchObject({ code: "EDISK", cause: { code: "EIO" } });
    expect(sleeps).toEqual([]);
    expect(entry.contender).toBeNull();
    expect(quiet).toBeGreaterThan(0);
  });

  it("names no owner in its error that is none", () => {
    answer = says({ Take: "EIO", Look: ["somebody else's"] });
    expect(ask(entryOf()).waited[0]?.owner).toBeUndefined();
  });

  it("whose reply was lost is verified, unless a link at the lock path leads to our home", () => {
    answer = says({ Take: "EIO", Look: ["own1"] });
    expect(ask(entryOf()).outcome).toBe("granted");
    answer = says({ Take: "ENOTDIR", Look: ["own1"] });
    const entry = entryOf();
    expect(ask(entry).outcome).toBe("waits");
    expect(entry.obstacle).toEqual({ kind: "foreign", what: "a file or a symbolic link: ENOTDIR" });
  });

  it("that is refused in between starts the count of failures anew", () => {
    const entry = entryOf();
    answer = says({ Take: "EIO", Look: "ENOENT" });
    const asked = ask(entry);
    wake();
    answer = says(HELD_BY_OTHER);
    wake();
    expect(entry.patience?.failures).toBe(0);
    answer = says({ Take: "EIO", Look: "ENOENT" });
    wake();
    wake();
    expect(asked.outcome).toBe("waits");
    wake();
    expect(asked.outcome).toMatchObject({ code: "EDISK" });
  });
});

describe("a home that cannot be made", () => {
  it("is EDISK at once, and whatever is there of it is owed; whoever comes next tries for himself", () => {
    answer = sees("Prepare", "ENOSPC");
    const entry = entryOf();
    expect(ask(entry).outcome).toMatchObject({
      message: "Cannot make the owner directory at /d/a.lock: ENOSPC",
      code: "EDISK",
    });
    expect(steps()).toEqual(["Prepare sync: h1", "Retry async: h1/own1", "Retry async: rmdir h1", "Retried"]);
    answer = () => undefined;
    expect(ask(entry).outcome).toBe("granted");
  });

  it("leaves the slot to whoever waits behind", () => {
    let prepares = 0;
    let behind: Asked | undefined;
    const entry = entryOf();
    answer = ({ action }) => {
      if (action !== "Prepare" || ++prepares > 1) return undefined;
      behind = ask(entry);
      return "ENOSPC";
    };
    expect(ask(entry).outcome).toMatchObject({ code: "EDISK" });
    expect(behind?.outcome).toBe("granted");
  });
});

describe("a Verify", () => {
  it.each([
    [["own1", "more"], 'it holds "own1", "more" instead of what we made'],
    [[], "it holds nothing instead of what we made"],
    [["a", "b", "c", "d", "e"], 'it holds "a", "b", "c" and 2 more instead of what we made'],
    [["x".repeat(100)], `it holds "${"x".repeat(80)}" instead of what we made`],
    ["EACCES", "EACCES"],
  ])("that sees %j gives the home up, and says so", (seen, why) => {
    answer = sees("Verify", seen);
    const entry = entryOf();
    const asked = ask(entry);
    expect(steps().slice(0, 5)).toEqual([
      "Prepare sync: h1",
      "Take at once: h1 to L",
      "Verify sync: L",
      "Refused",
      "Retry async: h1/own1",
    ]);
    expect(asked.waited.map((error) => error?.message)).toEqual([
      `Cannot verify the lock at /d/a.lock: ${why}`,
    ]);
    expect(asked.waited[0]?.cause).toEqual(typeof seen === "string" ? expect.any(Error) : undefined);
    wake();
    expect(asked.outcome).toBe("waits");
    wake();
    expect(asked.outcome).toMatchObject({ code: "EDISK" });
  });

  it("does not mind known junk", () => {
    answer = sees("Verify", [".DS_Store", "own1"]);
    expect(ask(entryOf()).outcome).toBe("granted");
  });
});

describe("a look at what is in the way", () => {
  const obstacleAfter = (
    replies: Readonly<Record<string, Answer>>,
    owners: Partial<Owners> = {},
  ): Entry["obstacle"] => {
    answer = says({ Take: "ENOTEMPTY", ...replies });
    const entry = entryOf({}, true, owners);
    ask(entry);
    return entry.obstacle;
  };

  it("says in words what it is", () => {
    expect(obstacleAfter({ Look: ["own-other"] })).toEqual({
      kind: "owner",
      name: "own-other",
      verdict: "own-other was judged",
    });
    expect(obstacleAfter({ Look: ["own-dead", "own-other"] })).toMatchObject({ name: "own-other" });
    expect(obstacleAfter({ Look: ["own-other", "not ours"] })).toEqual({
      kind: "foreign",
      what: 'a directory that holds "not ours"',
    });
    expect(obstacleAfter({ Look: "EACCES" })).toEqual({ kind: "foreign", what: "EACCES" });
    expect(obstacleAfter({ Take: "ENOTDIR", Look: "ENOTDIR" })).toEqual({
      kind: "foreign",
      what: "a file or a symbolic link: ENOTDIR",
    });
    expect(obstacleAfter({ Take: "ENOTDIR", Look: "ENOENT" })).toEqual({
      kind: "foreign",
      what: "a file or a symbolic link: ENOTDIR",
    });
    expect(obstacleAfter({ Take: "ENOTDIR", Look: "ELOOP" })).toEqual({
      kind: "foreign",
      what: "a file or a symbolic link: ELOOP",
    });
  });

  it("asks first what only a question can tell, about whom it saw, and goes on in a turn of its own", () => {
    let knows = false;
    let done: (() => void) | undefined;
    const asked: string[][] = [];
    answer = says(HELD_BY_OTHER);
    const entry = entryOf({}, true, {
      ask: (names) => {
        asked.push([...names]);
        return (then) => {
          done = then;
        };
      },
      judge: () =>
        knows ? { verdict: "dead", reason: "it refuses" } : { verdict: "unknown", reason: "silent" },
    });
    ask(entry);
    expect(asked).toEqual([["own-other"]]);
    expect(steps().at(-1)).toBe("Look async: L");
    knows = true;
    done?.();
    expect(steps().slice(0, 2)).toEqual(["Judge", "Evict sync: L/own-other"]);
  });

  it("takes known junk away where no owner is left, files and directories, and tries again", () => {
    answer = ({ action }) =>
      action === "Take" && log.length < 3 ? "ENOTEMPTY" : sees("Look", ["@eaDir", "._a"])({ action } as Call);
    const entry = entryOf();
    expect(ask(entry).outcome).toBe("granted");
    expect(steps()).toEqual([
      "Prepare sync: h1",
      "Take at once: h1 to L",
      "Refused",
      "Look async: L",
      "Judge",
      "junk: unlink L/@eaDir",
      "junk: rmdir L/@eaDir",
      "junk: unlink L/._a",
      "Take async: h1 to L",
      "Verify sync: L",
      "Granted",
    ]);
    expect(entry.obstacle).toBeUndefined();
  });

  it("that sees nothing tries at once, twice; refused a third time it waits, and says why", () => {
    answer = says({ Take: "ENOTEMPTY", Look: [] });
    const entry = entryOf();
    const asked = ask(entry);
    expect(steps().filter((step) => step.startsWith("Take"))).toHaveLength(1 + protocol.MOST_SPINS);
    expect(entry.obstacle).toEqual({ kind: "refusal", errno: "ENOTEMPTY" });
    expect(asked.waited).toEqual([undefined]);
    answer = says({ Take: "ENOTEMPTY", Look: ["._a"] });
    wake();
    expect(entry.obstacle).toEqual({
      kind: "foreign",
      what: 'a directory without an owner that holds "._a"',
    });
    // An owner is seen in between: no more a lock that is free, yet refused.
    answer = says(HELD_BY_OTHER);
    wake();
    expect(entry.patience?.spins).toBe(0);
  });
});

describe("a Clear, where rename does not replace an empty directory,", () => {
  const clearing = (said: Answer, look: Answer = []): readonly string[] => {
    answer = says({ Take: "ENOTEMPTY", Look: look, Clear: said });
    const { disk } = entryOf().services;
    ask(entryOf({ disk: { ...disk, renameReplacesEmpty: false } }));
    return steps();
  };
  const takes = (log_: readonly string[]): number => log_.filter((step) => step.startsWith("Take")).length;

  it.each([undefined, "ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR"])(
    "that says %j is followed by a Take",
    (said) => {
      const found = clearing(said);
      expect(found.slice(4, 7)).toEqual(["Judge", "Clear sync: rmdir L", "Take async: h1 to L"]);
      expect(takes(found)).toBe(1 + protocol.MOST_SPINS);
    },
  );

  it("that fails is followed by a wait", () => {
    expect(takes(clearing("EACCES"))).toBe(1);
  });

  it("is of what stands there", () => {
    expect(clearing(undefined, "ENOENT")).not.toContain("Clear sync: rmdir L");
  });
});

describe("an Evict", () => {
  const two = says({ Take: "ENOTEMPTY", Look: ["own-dead1", "own-dead2"] });
  const evicting = (said: Answer, evicted: string[] = []): { entry: Entry; asked: Asked } => {
    let takes = 0;
    answer = (call) => {
      if (call.action === "Evict") return said;
      return call.action === "Take" && ++takes > 1 ? undefined : two(call);
    };
    const entry = entryOf({}, true, {
      evicted: (name) => evicted.push(name),
      explain: (errno) => `${errno}, in words`,
    });
    return { entry, asked: ask(entry) };
  };

  it("goes through all names; each that it removed is told, to the next grant and to whoever keeps its lease", () => {
    const evicted: string[] = [];
    const { asked } = evicting(undefined, evicted);
    expect(steps().slice(4, 8)).toEqual([
      "Judge",
      "Evict sync: L/own-dead1",
      "Evict sync: L/own-dead2",
      "Take async: h1 to L",
    ]);
    expect(asked.outcome).toBe("granted");
    expect(evicted).toEqual(["own-dead1", "own-dead2"]);
    expect(asked.evictions).toEqual({
      owners: ["own-dead1", "own-dead2"].map((name) => ({ name, verdict: `${name} was judged` })),
      overtaken: false,
    });
  });

  it("that comes too late has evicted nobody", () => {
    const evicted: string[] = [];
    const { asked } = evicting("ENOENT", evicted);
    expect(asked.outcome).toBe("granted");
    expect([evicted, asked.evictions?.owners]).toEqual([[], []]);
  });

  it("that fails is an obstacle, and is tried again after a wait", () => {
    const { entry, asked } = evicting("EACCES");
    expect(steps().slice(4)).toEqual(["Judge", "Evict sync: L/own-dead1"]);
    expect(entry.obstacle).toEqual({
      kind: "owner",
      name: "own-dead1",
      verdict: "dead, but it cannot be evicted: EACCES, in words",
    });
    expect(asked.waited).toEqual([undefined]);
  });

  it("is of the dead, and of those whose lease has lapsed, and of nobody else", () => {
    for (const verdict of ["dead", "lapsed", "alive", "unknown"] as const) {
      answer = says(HELD_BY_OTHER);
      let times = 0;
      ask(entryOf({}, true, { judge: () => ({ verdict: times++ === 0 ? verdict : "alive", reason: "" }) }));
      expect([verdict, steps().includes("Evict sync: L/own-other")]).toEqual([
        verdict,
        ["dead", "lapsed"].includes(verdict),
      ]);
    }
  });
});

describe("whoever gives up", () => {
  it("while a call is under way keeps the slot until its turn, and then leaves it to the next, or takes it off the disk", () => {
    for (const isAlone of [true, false]) {
      const entry = entryOf();
      let next: Asked | undefined;
      let first: Asked | undefined;
      answer = ({ action }) => {
        if (action === "Take" && first === undefined) {
          if (!isAlone) next = ask(entry);
          const { contender } = entry;
          if (contender !== null) protocol.giveUp(entry, contender);
        }
        return undefined;
      };
      first = ask(entry);
      expect(first.outcome).toBe("waits");
      expect(next?.outcome).toBe(isAlone ? undefined : "granted");
      expect(entry.held.size).toBe(isAlone ? 0 : 1);
      expect(steps().includes("PutBack sync: L to h1")).toBe(isAlone);
    }
  });

  it.each([
    ["is refused", "ENOTEMPTY", ["Refused"]],
    [
      "fails",
      "EIO",
      ["Refused", "Look async: L", "Judge", "Retry async: h1/own1", "Retry async: rmdir h1", "Retried"],
    ],
  ])(
    "while a Take that %s is under way is not told, and looks no further than it must",
    (_what, errno, rest) => {
      const entry = entryOf();
      answer = ({ action }) => {
        if (action === "Look") return "ENOENT";
        if (action !== "Take") return undefined;
        if (entry.contender !== null) protocol.giveUp(entry, entry.contender);
        return errno;
      };
      const asked = ask(entry);
      expect(steps()).toEqual(["Prepare sync: h1", "Take at once: h1 to L", ...rest]);
      expect([asked.outcome, asked.waited, entry.contender]).toEqual(["waits", [], null]);
    },
  );

  it("during the Look leaves after it, and evicts nobody", () => {
    const entry = entryOf();
    answer = ({ action }) => {
      if (action === "Take") return "ENOTEMPTY";
      if (action !== "Look") return undefined;
      if (entry.contender !== null) protocol.giveUp(entry, entry.contender);
      return ["own-dead"];
    };
    ask(entry);
    expect(steps()).toEqual([
      "Prepare sync: h1",
      "Take at once: h1 to L",
      "Refused",
      "Look async: L",
      "Judge",
    ]);
    expect([entry.contender, quiet]).toEqual([null, 1]);
  });

  it("while it waits leaves the wait to the next, who begins with his own patience; the last one ends it", () => {
    answer = says(HELD_BY_OTHER);
    const entry = entryOf();
    const first = ask(entry);
    const second = ask(entry);
    for (let i = 0; i < 4; i++) wake();
    const grown = entry.patience?.waitMs;
    protocol.giveUp(entry, first.attempt);
    expect([entry.contender, sleeps.length, quiet]).toEqual([second.attempt, 1, 0]);
    wake();
    expect(entry.patience?.contender).toBe(second.attempt);
    expect(entry.patience?.waitMs).toBeLessThan(grown ?? 0);
    protocol.giveUp(entry, second.attempt);
    expect([entry.contender, entry.wait, sleeps.length, quiet]).toEqual([null, null, 0, 1]);
    expect(entry.home?.name).toBe("own1");
  });

  it("last on a disk that is not local gives the home up: a Take of it may come late", () => {
    answer = says(HELD_BY_OTHER);
    const entry = entryOf({}, false);
    const asked = ask(entry);
    steps();
    protocol.giveUp(entry, asked.attempt);
    expect(entry.home).toBeNull();
    expect(steps()).toEqual(["Retry async: h1/own1", "Retry async: rmdir h1", "Retried"]);
  });
});

describe("a release", () => {
  it("hands over in memory for a while, and then to those who wait on the disk", () => {
    const entry = entryOf();
    const first = ask(entry);
    const [second, third] = [ask(entry), ask(entry)];
    steps();
    // What the first holder takes is none of it.
    now += 10 * protocol.HAND_OVER_MS;
    expect(release(entry, first)).toEqual({ error: undefined });
    expect([second.outcome, third.outcome, steps()]).toEqual(["granted", "waits", []]);
    now += protocol.HAND_OVER_MS;
    release(entry, second);
    expect(steps()).toEqual(["Check sync: L", "PutBack sync: L to h1", "Confirm sync: h1", "Released"]);
    expect(sleeps.map(({ ms }) => ms)).toEqual([protocol.ASIDE_MS]);
    wake();
    expect(third.outcome).toBe("granted");
  });

  it("of a lost lock is not a hand-over: its holders are told, and only giving it back is left", () => {
    const entry = entryOf();
    const first = ask(entry, { reentrant: true });
    const second = ask(entry, { reentrant: true });
    const error = new Error("lost") as SessionWriteLockError;
    protocol.loseLock(entry, error);
    expect([first.lost, second.lost]).toEqual([error, error]);
    const joining = ask(entry, { reentrant: true });
    expect(joining.outcome).toBe("waits");
    release(entry, second);
    expect(joining.outcome).toBe("waits");
    answer = sees("Check", ["own-other"]);
    steps();
    release(entry, first);
    expect(steps().slice(0, 3)).toEqual(["Check sync: L", "Drop async: L/own1", "Released"]);
  });

  it("by Drop, where what is at the lock path is not exactly ours any more", () => {
    answer = says({ Check: ["own1", "own-other"], Drop: "ENOENT" });
    const entry = entryOf();
    const ended = release(entry, ask(entry));
    expect(ended).toEqual({ error: undefined });
    expect(warned).toEqual([
      "SWL_LOST: session lock /d/a.lock was lost while it was held: our name was not there any more",
    ]);
    expect([entry.home, entry.releasing, quiet]).toEqual([null, null, 2]);
  });

  it.each([
    ["that finds nothing to move is followed by a Drop, which misses: lost", "ENOENT", 1],
    ["that fails may have happened all the same: a Drop that misses is no loss", "EIO", 0],
  ])("by a PutBack %s", (_what, errno, losses) => {
    answer = says({ PutBack: errno, Drop: "ENOENT" });
    const entry = entryOf();
    const ended = release(entry, ask(entry));
    expect([ended, warned.length]).toEqual([{ error: undefined }, losses]);
    expect(steps().slice(4)).toEqual([
      "Check sync: L",
      "PutBack sync: L to h1",
      "Drop async: L/own1",
      "Released",
      "Retry async: h1/own1",
      "Retry async: rmdir h1",
      "Retried",
    ]);
  });

  it.each<[string, Parameters<typeof sees>[1], string]>([
    [
      "by a PutBack that brought something else back: that is restored, and the lock was lost",
      ["own-other"],
      "was lost while it was held: what came back from it was not exactly our name",
    ],
    [
      "by a PutBack of which nobody can see what it brought back: that is restored, and may have been lost",
      "EMFILE",
      "may have been lost while it was held: what came back from it could not be read",
    ],
  ])("%s", (_what, seen, told) => {
    answer = sees("Confirm", seen);
    const entry = entryOf();
    const ended = release(entry, ask(entry));
    expect(ended).toEqual({ error: undefined });
    expect(steps().slice(4, 9)).toEqual([
      "Check sync: L",
      "PutBack sync: L to h1",
      "Confirm sync: h1",
      "Restore sync: h1 to L",
      "Released",
    ]);
    expect(warned).toEqual([`SWL_LOST: session lock /d/a.lock ${told}`]);
    expect([entry.home, entry.owes.size]).toEqual([null, 0]);
  });

  it("that the disk refuses is ERELEASE, and nobody of this process contends until it is paid", () => {
    answer = says({ Check: "EIO", Drop: "EIO", Retry: "EIO" });
    const entry = entryOf();
    const ended = release(entry, ask(entry));
    expect(ended.error).toMatchObject({
      code: "ERELEASE",
      message:
        "Cannot take the session lock off the disk at /d/a.lock: EIO. It is not held any more, and this process keeps trying",
      sessionFile: "/d/a",
      lockPath: L,
      cause: { code: "EIO" },
    });
    const next = ask(entry);
    expect([next.outcome, entry.releasing?.name, entry.owes.get("own1")?.lastError]).toEqual([
      "waits",
      "own1",
      expect.objectContaining({ code: "EIO" }),
    ]);
    answer = () => undefined;
    wake();
    expect([next.outcome, entry.home?.name]).toEqual(["granted", "own2"]);
  });

  it("of a handle that was revoked has nothing left to do", () => {
    const entry = entryOf();
    const first = ask(entry);
    const second = ask(entry);
    release(entry, first, "expire");
    expect([first.attempt.revoked, second.outcome]).toEqual([true, "granted"]);
    steps();
    expect(release(entry, first)).toEqual({ error: undefined });
    expect([first.attempt.revoked, steps(), entry.held.has(second.attempt)]).toEqual([false, [], true]);
  });
});

describe("a debt", () => {
  /** What is done about a home that was given up, if each call says that, and how it ends. */
  const paying = (...said: readonly Answer[]): readonly string[] => {
    let at = 0;
    answer = ({ action }) =>
      action === "Retry" ? said[at++] : says({ Take: "EIO", Look: "ENOENT" })({ action } as Call);
    ask(entryOf());
    return steps().filter((step) => step.startsWith("Retr"));
  };

  it.each([
    [[undefined], ["h1/own1", "rmdir h1"]],
    [["ENOENT"], ["h1/own1", "L/own1", "rmdir h1"]],
    [["ENOTDIR"], ["h1/own1", "L/own1", "rmdir h1"]],
    [["ENAMETOOLONG"], ["h1/own1", "L/own1", "rmdir h1"]],
    [
      ["ENOENT", "ENOENT"],
      ["h1/own1", "L/own1", "rmdir h1"],
    ],
    [
      ["ENOENT", "ENOTDIR"],
      ["h1/own1", "L/own1", "rmdir h1"],
    ],
    // The directory only tidies.
    [
      [undefined, "EACCES"],
      ["h1/own1", "rmdir h1"],
    ],
  ] as [Answer[], string[]][])("of which the disk says %j is paid", (said, calls) => {
    expect(paying(...said)).toEqual([...calls.map((call) => `Retry async: ${call}`), "Retried"]);
  });

  it.each([
    [["EACCES"], ["h1/own1"]],
    // Only a home's name can be too long to have been made.
    [
      ["ENOENT", "ENAMETOOLONG"],
      ["h1/own1", "L/own1"],
    ],
  ] as [Answer[], string[]][])(
    "of which the disk says %j is tried again, in the background, twice as late each time",
    (said, calls) => {
      expect(paying(...said)).toEqual(calls.map((call) => `Retry async: ${call}`));
      const [first] = sleeps.filter(({ background }) => background);
      const last = said.at(-1);
      let most = 0;
      answer = sees("Retry", last);
      first?.wake();
      const [second] = sleeps.filter(({ background }) => background);
      expect(second?.ms).toBe(2 * (first?.ms ?? 0));
      for (let i = 0; i < 20; i++) {
        const [next] = sleeps.filter(({ background }) => background);
        most = Math.max(most, next?.ms ?? 0);
        next?.wake();
      }
      expect(most).toBe(5_000);
    },
  );
});

describe("a guest", () => {
  const guest = (): Guest & { goes: number } => {
    const one = { scope: {} as Guest["scope"], goes: 0, letGo: () => one.goes++ };
    return one;
  };

  it("is named in the home from the first moment, is let go under the lock only, and its name goes by itself", () => {
    const entry = entryOf();
    const itself = guest();
    const asked = ask(entry, { guest: itself });
    expect(asked.outcome).toBe("granted");
    protocol.letGo(entry, asked.attempt);
    expect(itself.goes).toBe(1);
    steps();
    release(entry, asked);
    expect(steps()).toEqual([
      "Retry async: L/own1guest",
      "Retry async: rmdir h1",
      "Retried",
      "Drop async: L/own1",
      "Released",
    ]);
    expect(() => protocol.letGo(entry, asked.attempt)).toThrow(/\/d\/a\.lock is not held \(a bug\)/);
    expect(itself.goes).toBe(1);
  });

  it("may be missing: then nobody is let go", () => {
    const entry = entryOf();
    const asked = ask(entry);
    protocol.letGo(entry, asked.attempt);
    expect(asked.outcome).toBe("granted");
  });

  it("who gave up leaves no home behind that names another one than the next", () => {
    answer = says({ ...HELD_BY_OTHER });
    const entry = entryOf();
    const asked = ask(entry, { guest: guest() });
    protocol.giveUp(entry, asked.attempt);
    expect(entry.home).toBeNull();
  });
});

describe("the heartbeat", () => {
  const beating = (more: Partial<Heartbeat>): Heartbeat => ({
    made: () => log.push("made"),
    isOld: () => false,
    freshen: () => true,
    held: () => log.push("held"),
    missed: () => false,
    ...more,
  });

  it("is told when a home is made, and when the lock is held", () => {
    ask(entryOf({ heartbeat: beating({}) }));
    expect(steps()).toEqual([
      "Prepare sync: h1",
      "made",
      "Take at once: h1 to L",
      "Verify sync: L",
      "Granted",
      "held",
    ]);
  });

  it("freshens a home that lay idle before its Take; if it cannot, that is given up", () => {
    for (const isFresh of [true, false]) {
      let isOld = false;
      const freshened: string[] = [];
      const entry = entryOf({
        heartbeat: beating({
          isOld: ({ home }) => isOld && home?.name === "own1",
          freshen: (_entry, { name }) => {
            freshened.push(name);
            return isFresh;
          },
        }),
      });
      release(entry, ask(entry));
      expect(freshened).toEqual([]);
      isOld = true;
      steps();
      expect(ask(entry).outcome).toBe("granted");
      expect(freshened).toEqual(["own1"]);
      expect(entry.home?.name).toBe(isFresh ? "own1" : "own2");
      expect(steps().includes("Retry async: h1/own1")).toBe(!isFresh);
    }
  });

  it("that was missed forbids to put back", () => {
    for (const missed of [true, false]) {
      const entry = entryOf({ heartbeat: beating({ missed: () => missed }) });
      release(entry, ask(entry));
      expect(steps().includes("Check sync: L")).toBe(!missed);
    }
  });
});

describe("the trace", () => {
  const key = Symbol.for("session-write-lock.trace.v1");
  const hook = globalThis as { [key]?: (entry: Entry) => Tracer };
  afterEach(() => {
    delete hook[key];
  });

  it("is told of each call from outside, and whose it is, before it has changed anything", () => {
    const heard: [string, Attempt, number][] = [];
    hook[key] = (entry) => ({
      called: (action, attempt) => heard.push([action, attempt, entry.held.size]),
      begins: () => {},
      ends: () => {},
    });
    const entry = entryOf();
    const [first, second] = [ask(entry), ask(entry)];
    protocol.letGo(entry, first.attempt);
    protocol.giveUp(entry, second.attempt);
    release(entry, first, "expire");
    release(entry, first);
    expect(heard).toEqual([
      ["Request", first.attempt, 0],
      ["Request", second.attempt, 1],
      ["LetGo", first.attempt, 1],
      ["GiveUp", second.attempt, 1],
      ["Expire", first.attempt, 1],
      ["Release", first.attempt, 0],
    ]);
  });
});

describe("those of one process", () => {
  it("need not say that they wait", () => {
    const { waits: _, ...silent } = ask(entryOf()).attempt;
    answer = says(HELD_BY_OTHER);
    const entry = entryOf();
    for (const attempt of [silent, { ...silent }]) protocol.request(entry, attempt);
    expect([entry.contender, entry.queue.size, sleeps.length]).toEqual([silent, 1, 1]);
  });

  it("leave the queue, or nothing at all if they hold", () => {
    const entry = entryOf();
    const [holder, first, second] = [ask(entry), ask(entry), ask(entry)];
    protocol.giveUp(entry, first.attempt);
    expect([...entry.queue]).toEqual([second.attempt]);
    protocol.giveUp(entry, holder.attempt);
    expect([holder.attempt.gaveUp, entry.held.has(holder.attempt), quiet]).toEqual([false, true, 0]);
    answer = says(HELD_BY_OTHER);
    const waiting = entryOf();
    const contender = ask(waiting);
    protocol.giveUp(waiting, holder.attempt);
    expect([waiting.contender, sleeps.length]).toEqual([contender.attempt, 1]);
  });

  it("share the lock until the last of them has released it", () => {
    const entry = entryOf();
    const [one, other] = [ask(entry, { reentrant: true }), ask(entry, { reentrant: true })];
    steps();
    expect(release(entry, one)).toEqual({ error: undefined });
    expect([steps(), [...entry.held]]).toEqual([[], [other.attempt]]);
    release(entry, other);
    expect(steps()[0]).toBe("Check sync: L");
  });

  it("are granted it together if they share, all who wait; and one is told of those who were evicted", () => {
    const entry = entryOf();
    const holder = ask(entry);
    const shared = ask(entry, { reentrant: true });
    const alone = ask(entry);
    const sharesToo = ask(entry, { reentrant: true });
    const evictions: Evictions = { owners: [{ name: "own-dead" } as LockOwner], overtaken: true };
    entry.evictions = evictions;
    release(entry, holder);
    expect([shared.outcome, alone.outcome, sharesToo.outcome]).toEqual(["granted", "waits", "granted"]);
    expect([shared.evictions, sharesToo.evictions]).toEqual([evictions, undefined]);
    expect([...entry.queue]).toEqual([alone.attempt]);
    const behind = ask(entry, { reentrant: true });
    expect(behind.outcome).toBe("granted");
    for (const one of [shared, sharesToo, behind]) release(entry, one);
    expect(alone.outcome).toBe("granted");
    expect(alone.evictions).toEqual({ owners: [], overtaken: false });
    const last = ask(entry, { reentrant: true });
    release(entry, alone);
    expect([last.outcome, [...entry.held]]).toEqual(["granted", [last.attempt]]);
  });

  it("are told of a death that they have seen to, and that another one had the lock since", () => {
    let looks = 0;
    answer = ({ action }) => {
      if (action === "Take") return looks < 2 ? "ENOTEMPTY" : undefined;
      if (action === "Look") return ++looks === 1 ? ["own-dead"] : ["own-other"];
      return undefined;
    };
    const entry = entryOf();
    const asked = ask(entry);
    wake();
    expect(asked.evictions).toEqual({
      owners: [{ name: "own-dead", verdict: "own-dead was judged" }],
      overtaken: true,
    });
    expect(entry.evictions).toEqual({ owners: [], overtaken: false });
  });

  it("evict also where nobody can say who it was", () => {
    answer = ({ action }) => {
      if (action === "Take" && log.filter((step) => step.startsWith("Take")).length === 1) return "ENOTEMPTY";
      return action === "Look" ? ["own-dead"] : undefined;
    };
    const { describe: _, ...owners } = entryOf().services.owners;
    const entry = entryOf({ owners });
    expect(ask(entry)).toMatchObject({ outcome: "granted", evictions: { owners: [] } });
    answer = says({ Take: "EIO", Look: ["own-other"] });
    expect(ask(entryOf({ owners })).waited[0]?.owner).toBeUndefined();
  });

  it("go on with the home of one who gave up, also where it is given up by the last one", () => {
    let second: Asked | undefined;
    const entry = entryOf({}, false);
    let takes = 0;
    answer = ({ action }) => {
      if (action === "Take") return ++takes === 1 ? "ENOTEMPTY" : undefined;
      if (action !== "Look") return undefined;
      second = ask(entry);
      if (entry.contender !== null) protocol.giveUp(entry, entry.contender);
      return ["own-other"];
    };
    ask(entry);
    expect([second?.outcome, entry.home?.name, quiet]).toEqual(["granted", "own1", 0]);
  });
});

describe("what is released although nobody had it", () => {
  it("is on its way as any other, and for nobody else", () => {
    const entry = entryOf();
    let releasing: Entry["releasing"] = null;
    answer = ({ action }) => {
      if (action === "Take" && entry.contender !== null) protocol.giveUp(entry, entry.contender);
      if (action === "Check") ({ releasing } = entry);
      return undefined;
    };
    ask(entry);
    expect(releasing).toEqual({ name: "own1", aside: false });
  });
});

describe("a home", () => {
  it("is not made as long as too many names are owed; one that is there is taken with", () => {
    const owing = (debts: number, home: Home | null): readonly string[] => {
      const entry = entryOf();
      for (let i = 0; i < debts; i++) entry.owes.set(`own-owed${i}`, {} as Debt);
      entry.home = home;
      steps();
      ask(entry);
      return steps();
    };
    const home: Home = { name: "own9", path: "/d/h9", guests: [] };
    expect(owing(protocol.MAX_DEBTS - 1, null)[0]).toBe("Prepare sync: h1");
    expect(owing(protocol.MAX_DEBTS, null)).toEqual([]);
    expect(sleeps).toHaveLength(1);
    expect(owing(protocol.MAX_DEBTS, home)[0]).toBe("Take at once: h9 to L");
  });

  it("that cannot be made where none may lie idle is no more than that", () => {
    answer = sees("Prepare", "ENOSPC");
    const entry = entryOf({}, false);
    expect(ask(entry).outcome).toMatchObject({ code: "EDISK" });
    expect(entry.home).toBeNull();
  });

  it("of two names is not taken with if one of them is somebody else's", () => {
    answer = sees("Verify", ["own1", "own-other"]);
    const asked = ask(entryOf(), { guest: { scope: {} as Guest["scope"], letGo: () => {} } });
    expect(asked.waited[0]?.message).toMatch(/^Cannot verify the lock/);
  });

  it("shows what its present contender, and then its present holder wants to be shown; twice is once", () => {
    const shown: string[] = [];
    const show = (file: string, metadata: string): void => void shown.push(`${short(file)} ${metadata}`);
    const entry = entryOf({}, true, { show });
    const first = ask(entry, { metadata: "1" });
    const [same, other, none] = [ask(entry, { metadata: "1" }), ask(entry, { metadata: "2" }), ask(entry)];
    release(entry, first);
    expect([same.outcome, shown]).toEqual(["granted", []]);
    release(entry, same);
    expect([other.outcome, shown]).toEqual(["granted", ["L/own1 2"]]);
    release(entry, other);
    expect([none.outcome, shown, entry.shown]).toEqual(["granted", ["L/own1 2", "L/own1 "], ""]);
    release(entry, none);
    ask(entry, { metadata: "3" });
    expect(shown.slice(2)).toEqual(["h1/own1 3"]);
  });

  it("shows nothing where nobody can", () => {
    const entry = entryOf();
    const [first, other] = [ask(entry, { metadata: "1" }), ask(entry, { metadata: "2" })];
    release(entry, first);
    expect([other.outcome, entry.shown]).toEqual(["granted", "2"]);
  });
});

describe("a wait", () => {
  const waits = (times: number): readonly number[] =>
    Array.from({ length: times }, () => {
      const ms = sleeps[0]?.ms ?? 0;
      wake();
      return ms;
    });

  it("grows, up to a limit; after a failure of the disk it is in proportion to how many there were", () => {
    answer = says(HELD_BY_OTHER);
    ask(entryOf());
    const grown = waits(40);
    expect(grown).toEqual([...grown].sort((one, other) => one - other));
    expect(grown[0]).toBeLessThan(grown[1] ?? 0);
    expect(grown[38]).toBe(grown[39]);
    sleeps = [];
    answer = says({ Take: "EIO", Look: "ENOENT" });
    ask(entryOf());
    const [once = 0, twice] = waits(2);
    expect(twice).toBe(2 * once);
  });

  it("varies by chance, to either side alike", () => {
    answer = says(HELD_BY_OTHER);
    const [least = 0, mean = 0, most = 0] = [0, 0.5, 1].map((value) => {
      chance = value;
      sleeps = [];
      ask(entryOf());
      return sleeps[0]?.ms ?? 0;
    });
    expect([least < mean, mean < most]).toEqual([true, true]);
    expect(most - mean).toBeCloseTo(mean - least);
  });
});

describe("a judgement", () => {
  it("is asked for with where that is, and with the patience of whoever asks", () => {
    const places: unknown[] = [];
    answer = says(HELD_BY_OTHER);
    const judging: Partial<Owners> = {
      ask: (_names, place) => {
        places.push(place);
        return undefined;
      },
      judge: (_name, place) => {
        places.push(place);
        return { verdict: "alive", reason: "" };
      },
    };
    ask(entryOf({}, false, judging), { staleMs: 7 });
    const place = { path: L, local: false, staleMs: 7 };
    expect(places).toEqual([place, place]);
  });

  it("of a lock that has gone meanwhile is none: it is tried at once", () => {
    answer = says({ Take: "ENOTEMPTY", Look: "ENOENT" });
    const entry = entryOf();
    ask(entry);
    expect(steps().filter((step) => step.startsWith("Take"))).toHaveLength(1 + protocol.MOST_SPINS);
    expect(entry.obstacle).toEqual({ kind: "refusal", errno: "ENOTEMPTY" });
  });

  it("of an old lock file is for those who ask for it: removed, the lock is tried at once; else it is waited for", () => {
    const migrating = (migrates: boolean, removes: boolean | undefined): readonly string[] => {
      const places: unknown[] = [];
      let takes = 0;
      answer = ({ action }) => {
        if (action === "Take") return ++takes === 1 ? "ENOTDIR" : undefined;
        return action === "Look" ? "ENOTDIR" : undefined;
      };
      const migrateLegacy = (place: unknown): boolean => {
        places.push(place);
        return removes === true;
      };
      const { outcome } = ask(entryOf(removes === undefined ? {} : { migrateLegacy }), { migrates });
      if (places.length > 0) expect(places).toEqual([{ path: L, local: true, staleMs: undefined }]);
      return [`asked ${places.length} times`, String(outcome)];
    };
    expect(migrating(true, true)).toEqual(["asked 1 times", "granted"]);
    expect(migrating(true, false)).toEqual(["asked 1 times", "waits"]);
    expect(migrating(true, undefined)).toEqual(["asked 0 times", "waits"]);
    expect(migrating(false, true)).toEqual(["asked 0 times", "waits"]);
  });
});

describe("whoever waits under contention", () => {
  const BEGAN = 1_000_000;
  /** A line in which each place can be called, and a watcher. */
  const crowd = () => {
    const places: { readonly owner: string; readonly since: number; open: boolean; call(): void }[] = [];
    let told = (): void => expect.unreachable();
    const join: Line["join"] = (_lockPath, { owner, since }, called) => {
      const place = {
        owner,
        since,
        open: true,
        call: () => {
          place.open = false;
          called();
        },
      };
      places.push(place);
      return { isOpen: () => place.open, stop: () => !place.open };
    };
    const watch = (_lockPath: string, tell: () => void): Watching => {
      let open = true;
      told = () => {
        open = false;
        tell();
      };
      const stop = (): void => {
        open = false;
      };
      return { isOpen: () => open, stop };
    };
    return { line: { join, callFirst: () => false }, watch, places, tell: () => told() };
  };
  beforeEach(() => {
    answer = says(HELD_BY_OTHER);
    vi.spyOn(Date, "now").mockReturnValue(BEGAN);
  });
  afterEach(() => vi.restoreAllMocks());

  it("has its place by the time at which it began to wait, also when it was called in vain", () => {
    const { line, watch, places, tell } = crowd();
    ask(entryOf({ line, watch }));
    expect(places).toEqual([]);
    now += 30;
    tell();
    now += 10;
    places[0]?.call();
    expect(places).toMatchObject([
      { owner: "own1", since: BEGAN - 30 },
      { owner: "own1", since: BEGAN - 40 },
    ]);
  });

  it.each([
    ["on a disk that is not known to be local", false, {}],
    ["if it leaves when its first wait begins", true, { leaves: true }],
  ])("has none %s", (_why, local, more) => {
    const { line, watch, places } = crowd();
    const entry = entryOf({ line, watch }, local);
    entry.toldAt = now;
    ask(entry, more);
    expect([places, entry.place, sleeps.length]).toEqual([[], undefined, 1]);
  });

  it("polls soon behind a new watcher, and behind a new place, for what has happened since it looked; then later", () => {
    let isThere = false;
    const { line, watch, places, tell } = crowd();
    const entry = entryOf({ line, watch: (path, told) => (isThere ? watch(path, told) : undefined) });
    ask(entry);
    for (let i = 0; i < 5; i++) wake();
    expect(sleeps[0]?.ms).toBeGreaterThan(protocol.SOON_MS);
    isThere = true;
    wake();
    expect(sleeps[0]?.ms).toBe(protocol.SOON_MS);
    tell();
    expect([places.length, sleeps[0]?.ms]).toEqual([1, protocol.SOON_MS]);
    wake();
    expect([places.length, sleeps[0]?.ms]).toEqual([1, protocol.IN_LINE_MS]);
  });

  it("is not woken by what it was told late, while it stands aside or waits for something else", () => {
    const { line, watch, tell } = crowd();
    const entry = entryOf({ line, watch });
    const gone = ask(entry);
    protocol.giveUp(entry, gone.attempt);
    answer = () => undefined;
    const holders = [ask(entry), ask(entry), ask(entry)] as const;
    release(entry, holders[0]);
    now += protocol.HAND_OVER_MS;
    release(entry, holders[1]);
    expect(sleeps.map(({ ms }) => ms)).toEqual([protocol.SHORT_ASIDE_MS]);
    tell();
    expect([holders[2].outcome, sleeps.length]).toEqual(["waits", 1]);
    // Under contention is whoever was told within so many milliseconds, and no longer.
    now += 50;
    answer = says(HELD_BY_OTHER);
    wake();
    expect(entry.place).toBeUndefined();
  });
});

describe("whose turn it is", () => {
  it("is told of each Take, and whether others had the lock meanwhile, and when it is off the disk", () => {
    const told: string[] = [];
    const turns: Turns = {
      taken: (lockPath, contested) => told.push(`taken ${short(lockPath)} ${contested}`),
      free: (lockPath, isLocal) => {
        told.push(`free ${short(lockPath)} ${isLocal}`);
        return false;
      },
      standAside: () => undefined,
      stop: () => {},
    };
    const entry = entryOf({ turns });
    release(entry, ask(entry));
    expect(told).toEqual(["taken L false", "free L true"]);
    answer = says(HELD_BY_OTHER);
    ask(entry);
    answer = () => undefined;
    wake();
    expect(told.slice(2)).toEqual(["taken L true"]);
  });

  it.each([
    ["in the line, where there is a place", true, protocol.IN_LINE_MS],
    ["for a short time, where there is none", false, protocol.SHORT_ASIDE_MS],
  ])("stands behind whom it has called: %s", (_where, isPlace, ms) => {
    const told: string[] = [];
    const turns: Turns = {
      taken: (_lockPath, contested) => told.push(`taken ${contested}`),
      free: () => true,
      standAside: () => undefined,
      stop: () => {},
    };
    let call = (): void => expect.unreachable();
    const join: Line["join"] = (_lockPath, { owner }, called) => {
      call = called;
      told.push(`${owner} joins`);
      return isPlace ? { isOpen: () => true, stop: () => false } : undefined;
    };
    const entry = entryOf({ turns, line: { join, callFirst: () => false } });
    const [first, second, third] = [ask(entry), ask(entry), ask(entry)];
    release(entry, first);
    now += protocol.HAND_OVER_MS;
    steps();
    release(entry, second);
    expect(steps().at(-1)).toBe("Released");
    expect([told, sleeps.map((sleep) => sleep.ms)]).toEqual([["taken false", "own1 joins"], [ms]]);
    if (isPlace) call();
    else wake();
    expect(steps().slice(0, 2)).toEqual(["Wake", "Take at once: h1 to L"]);
    // Others had it meanwhile, for all it knows.
    expect([third.outcome, told.at(-1)]).toEqual(["granted", "taken true"]);
  });
});
