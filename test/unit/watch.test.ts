import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../src/clock.ts";
import { nodeDisk } from "../../src/disk.ts";
import type { Line } from "../../src/line.ts";
import { readOwnerScope } from "../../src/owner/identity.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import {
  ASIDE_MS,
  giveUp,
  HAND_OVER_MS,
  IN_LINE_MS,
  release,
  request,
  SHORT_ASIDE_MS,
  SOON_MS,
} from "../../src/protocol.ts";
import { type Attempt, createEntry, type Entry, type Services } from "../../src/registry.ts";
import { createDriver } from "../../src/steps.ts";
import { type WatcherEvents, Watches } from "../../src/watch.ts";
import { doNotRun } from "../support/notRun.ts";

let directory = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-watch-")));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

describe("the watchers of a process, with a world that is played", () => {
  it("tell whoever waits for that name, and for a name that is not known everybody", () => {
    const { watches, tells, events, passTurn } = play();
    for (const path of ["/d/a.lock", "/d/b.lock", "/e/a.lock"])
      watches.watch(path, () => void tells.push(path));
    events.get("/d")?.changed("a.lock");
    events.get("/d")?.changed("a.jsonl");
    passTurn();
    expect(tells).toEqual(["/d/a.lock"]);
    watches.watch("/d/a.lock", () => void tells.push("/d/a.lock again"));
    events.get("/d")?.changed(null);
    passTurn();
    expect(tells.slice(1).sort()).toEqual(["/d/a.lock again", "/d/b.lock"]);
  });

  it("tell once for whatever changes in a turn, and then no more until they are asked again", () => {
    const { watches, tells, events, log, passTurn } = play();
    const watching = watches.watch("/d/a.lock", () => void tells.push("told"));
    const { changed = () => {} } = events.get("/d") ?? {};
    for (let i = 0; i < 100; i++) changed("a.lock");
    // Nobody else waits there: what comes now is an event for nobody.
    expect([tells.length, watching?.isOpen(), log]).toEqual([0, false, ["open /d", "close /d"]]);
    passTurn();
    changed("a.lock");
    passTurn();
    expect(tells).toHaveLength(1);
    watches.watch("/d/a.lock", () => void tells.push("again"));
    events.get("/d")?.changed("a.lock");
    passTurn();
    expect(tells).toEqual(["told", "again"]);
  });

  it("are one for each directory, and open only while somebody waits there", () => {
    const { watches, events, log } = play();
    const [first, second] = ["/d/a.lock", "/d/b.lock"].map((path) => watches.watch(path, () => {}));
    expect([watches.size, log]).toEqual([1, ["open /d"]]);
    first?.stop();
    expect([watches.size, second?.isOpen()]).toEqual([1, true]);
    second?.stop();
    second?.stop();
    expect([watches.size, events.size, log]).toEqual([0, 0, ["open /d", "close /d"]]);
    watches.watch("/d/a.lock", () => {});
    expect(log).toEqual(["open /d", "close /d", "open /d"]);
  });

  it("tell nobody who does not wait any more", () => {
    const { watches, tells, events, passTurn } = play();
    const watching = watches.watch("/d/a.lock", () => void tells.push("told"));
    watches.watch("/d/b.lock", () => {});
    watching?.stop();
    events.get("/d")?.changed("a.lock");
    passTurn();
    expect(tells).toEqual([]);
  });

  it("are none where none can be opened, until one can", () => {
    const { watches, log, refuse } = play();
    refuse("ENOSPC");
    expect(watches.watch("/d/a.lock", () => {})).toBeUndefined();
    expect(watches.size).toBe(0);
    refuse(undefined);
    expect(watches.watch("/d/a.lock", () => {})?.isOpen()).toBe(true);
    expect(log).toEqual(["open /d: ENOSPC", "open /d"]);
  });

  it("are closed when they fail, and opened anew for whoever asks again", () => {
    const { watches, tells, events, log, passTurn } = play();
    const watching = watches.watch("/d/a.lock", () => void tells.push("told"));
    events.get("/d")?.failed();
    passTurn();
    expect([watching?.isOpen(), watches.size, tells]).toEqual([false, 0, []]);
    const again = watches.watch("/d/a.lock", () => {});
    // The former one is over: it takes nothing from its successor.
    watching?.stop();
    expect([again?.isOpen(), watches.size]).toEqual([true, 1]);
    expect(log).toEqual(["open /d", "close /d", "open /d"]);
  });
});

describe("a real watcher", () => {
  it("tells of a lock that comes and of one that goes by a rename", async () => {
    const watches = new Watches();
    const lockPath = join(directory, "a.lock");
    fs.mkdirSync(join(directory, "home"));
    for (const [from, to] of [
      ["home", "a.lock"],
      ["a.lock", "home"],
    ] as const) {
      const told = later();
      const watching = watches.watch(lockPath, told.resolve);
      fs.renameSync(join(directory, from), join(directory, to));
      await told.promise;
      watching?.stop();
    }
    expect(watches.size).toBe(0);
  });

  it("does not see a name that is removed at L: only polling does", async () => {
    const seen: (string | null)[] = [];
    const lockPath = join(directory, "a.lock");
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, "own"), "");
    const last = later();
    const watcher = fs.watch(directory, (_event, name) => {
      seen.push(name);
      if (name === "last") last.resolve();
    });
    fs.unlinkSync(join(lockPath, "own"));
    fs.writeFileSync(join(directory, "last"), "");
    await last.promise;
    watcher.close();
    expect(seen).not.toContain("a.lock");
  });

  it("leaves no watch in the kernel when nobody waits; twin: one that is not stopped is seen there", (context) => {
    if (process.platform !== "linux") doNotRun(context, "this machine has no /proc");
    const before = inotifyWatches();
    const watches = new Watches();
    const all = ["a", "b", "c"].map((name) => watches.watch(join(directory, name), () => {}));
    expect(inotifyWatches()).toBe(before + 1);
    for (const watching of all.slice(1)) watching?.stop();
    expect(inotifyWatches(), "one is left open").toBe(before + 1);
    all[0]?.stop();
    expect(inotifyWatches()).toBe(before);
  });
});

describe("a contender that waits for others", () => {
  it("is told, and takes the lock, whenever its next poll were", async () => {
    const { mine, others, tell } = await contend();
    await others.letGo();
    tell();
    await mine.granted;
    expect(mine.entry.watching).toBeUndefined();
  });

  it("twin: with a watcher that never tells it waits on, and is served by polling", async () => {
    const { mine, others, passTime } = await contend();
    await others.letGo();
    await sleep(QUIET_MS);
    expect(mine.entry.held.size).toBe(0);
    passTime();
    await mine.granted;
  });

  it("is served by polling where there can be no watcher, which is asked for anew at each poll", async () => {
    const { mine, others, passTime, asked } = await contend({ watch: () => undefined });
    expect(asked()).toBe(1);
    passTime();
    await waits(mine.entry);
    expect(asked()).toBe(2);
    await others.letGo();
    passTime();
    await mine.granted;
  });

  it("asks for no watcher on a disk that is not known to be local", async () => {
    const { mine, others, passTime, asked } = await contend({ local: false });
    await others.letGo();
    passTime();
    await mine.granted;
    expect(asked()).toBe(0);
  });

  it("that is told in the middle of its calls polls soon", async () => {
    const { mine, tell, passTime, delays } = await contend();
    for (let i = 0; i < 5; i++) {
      passTime();
      await waits(mine.entry);
    }
    expect(delays.at(-1)).toBeGreaterThan(SOON_MS);
    passTime();
    expect(mine.entry.wait, "its Take is under way").toBeNull();
    // After the Look was sent: what it saw may be old.
    while (mine.entry.wait === null) {
      tell();
      await new Promise(setImmediate);
    }
    expect(delays.at(-1)).toBeLessThanOrEqual(SOON_MS);
  });

  it("that was told and came too late listens no more, and takes a place in the line, where it is called", async () => {
    const { mine, others, tell, call, passTime, asked, places, delays } = await contend({ lines: true });
    expect([asked(), places]).toEqual([1, []]);
    tell();
    await waits(mine.entry);
    expect([asked(), mine.entry.watching, mine.entry.listens]).toEqual([1, undefined, true]);
    // What has happened between its Look and its place it finds soon; then it has time.
    expect([delays.length, delays.at(-1), places]).toEqual([2, SOON_MS, [`${mine.entry.home?.name} waits`]]);
    tell();
    passTime(SOON_MS);
    await waits(mine.entry);
    expect(delays.at(-1)).toBe(IN_LINE_MS);
    await others.letGo();
    call();
    await mine.granted;
    expect([mine.entry.place, places]).toEqual([undefined, [`${mine.entry.home?.name} left`]]);
  });

  it("that was called and came too late takes a place anew, as early in the line as before", async () => {
    const { mine, call, tell, passTime, places, sinces } = await contend({ lines: true });
    tell();
    await waits(mine.entry);
    passTime(1);
    call();
    await waits(mine.entry);
    expect(places).toHaveLength(2);
    expect(Math.abs((sinces[1] ?? 0) - (sinces[0] ?? Number.NaN))).toBeLessThan(MUCH_MS);
  });

  it("twin: where there can be no place it polls", async () => {
    const { mine, tell, places, delays } = await contend();
    tell();
    await waits(mine.entry);
    expect([places, mine.entry.listens, delays.length]).toEqual([[], false, 2]);
    expect(delays.at(-1)).toBeLessThanOrEqual(SOON_MS);
  });

  it("that was called and gives up has the next one called; twin: not if it was not called", async () => {
    for (const wasCalled of [true, false]) {
      const { mine, others, tell, markCalled, calledNext } = await contend({ lines: true });
      tell();
      await waits(mine.entry);
      if (wasCalled) markCalled();
      giveUp(mine.entry, mine.attempt);
      expect([mine.entry.place, calledNext()]).toEqual([undefined, wasCalled ? 1 : 0]);
      await others.letGo();
    }
  });

  it("that only tries takes no place", async () => {
    const { mine, tell, places } = await contend({ lines: true, leaves: true });
    tell();
    await waits(mine.entry);
    expect(places).toEqual([]);
  });

  it("stops its watcher when it gives up; with an heir the watcher goes to the heir", async () => {
    const { mine, others, tell, stopped } = await contend();
    const heir = ask(mine.entry);
    giveUp(mine.entry, mine.attempt);
    expect(stopped()).toBe(0);
    await others.letGo();
    tell();
    await heir.granted;
    expect(stopped()).toBe(1);
    await letGo(mine.entry, heir.attempt);
    const again = await contend();
    giveUp(again.mine.entry, again.mine.attempt);
    expect(again.stopped()).toBe(1);
  });
});

describe("a process that gave way for others stands aside", () => {
  const short = SHORT_ASIDE_MS;
  const long = ASIDE_MS;
  const untold: Services["watch"] = () => undefined;

  it.each([
    [
      "for a short time, but now and then for longer than anybody's poll, where others may be told",
      untold,
      true,
      [short, short, long, short, short, long],
    ],
    ["for longer than anybody's poll, where nobody can be told", undefined, true, [long, long, long]],
    [
      "for longer than anybody's poll, on a disk that is not known to be local",
      untold,
      false,
      [long, long, long],
    ],
  ] as const)("%s", async (_how, watch, local, expected) => {
    let now = 0;
    const delays: number[] = [];
    const setTimer = (ms: number, callback: () => void): { cancel: () => void } => {
      delays.push(ms);
      setImmediate(callback);
      return { cancel: () => {} };
    };
    const entry = entryOf({ now: () => now, random: () => 0.5, setTimer }, watch, local);
    let holder = ask(entry);
    for (const _ of expected) {
      await holder.granted;
      const [between, next] = [ask(entry), ask(entry)];
      await letGo(entry, holder.attempt);
      now += HAND_OVER_MS;
      await letGo(entry, between.attempt);
      holder = next;
    }
    await holder.granted;
    expect(delays).toEqual(expected);
    // What the prose promises to whoever polls: in each such time there is one long aside.
    const asides = expected.reduce<number>((sum, ms) => sum + ms, 0);
    const periods = expected.filter((ms) => ms === long).length;
    expect((expected.length * HAND_OVER_MS + asides) / periods).toBeLessThan(100);
  });
});

/** The time of day, which this machine may take to get on. */
const MUCH_MS = 60_000;

/** Nothing is recent after that. */
const LONG_MS = 1_000;

/** Long enough for a Take that should not be sent, and no more than that: a twin, so nothing fails if it is too short. */
const QUIET_MS = 30;

function play(): {
  readonly watches: Watches;
  readonly tells: string[];
  readonly log: string[];
  readonly events: Map<string, WatcherEvents>;
  readonly passTurn: () => void;
  readonly refuse: (errno: string | undefined) => void;
} {
  const events = new Map<string, WatcherEvents>();
  const log: string[] = [];
  let errno: string | undefined;
  let due: (() => void)[] = [];
  const watches = new Watches({
    afterTurn: (callback) => void due.push(callback),
    open: (path, told) => {
      log.push(`open ${path}${errno === undefined ? "" : `: ${errno}`}`);
      if (errno !== undefined) throw Object.assign(new Error(errno), { code: errno });
      events.set(path, told);
      const close = (): void => {
        log.push(`close ${path}`);
        events.delete(path);
      };
      return { close };
    },
  });
  return {
    watches,
    tells: [],
    log,
    events,
    passTurn: () => {
      const ripe = due;
      due = [];
      for (const callback of ripe) callback();
    },
    refuse: (name) => {
      errno = name;
    },
  };
}

/** How many watches the kernel keeps for this process. */
function inotifyWatches(): number {
  const infos = fs.readdirSync("/proc/self/fdinfo").map((fd) => {
    try {
      return fs.readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    } catch {
      return "";
    }
  });
  return infos.join("\n").match(/^inotify wd:/gm)?.length ?? 0;
}

/** A promise, and what settles it. */
function later(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
} {
  let resolve = (): void => {};
  let reject = (_error: Error): void => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

interface Asking {
  readonly attempt: Attempt;
  readonly granted: Promise<void>;
}

function ask(entry: Entry, more: Partial<Attempt> = {}): Asking {
  const { promise, resolve, reject } = later();
  const attempt: Attempt = {
    reentrant: false,
    gaveUp: false,
    revoked: false,
    granted: () => resolve(),
    failed: reject,
    lost: reject,
    ...more,
  };
  request(entry, attempt);
  return { attempt, granted: promise };
}

const letGo = (entry: Entry, attempt: Attempt): Promise<Error | undefined> =>
  new Promise((resolve) => release(entry, attempt, resolve));

async function waits(entry: Entry): Promise<void> {
  while (entry.wait === null) await new Promise(setImmediate);
}

interface Contention {
  readonly mine: Asking & { readonly entry: Entry };
  readonly others: { letGo(): Promise<Error | undefined> };
  /** As its watcher would. */
  readonly tell: () => void;
  /** As whoever lets go would. */
  readonly call: () => void;
  /** The same, but it does not know yet. */
  readonly markCalled: () => void;
  /** How often it has called somebody. */
  readonly calledNext: () => number;
  /** Who has, or had, a place in the line, and since when. */
  readonly places: readonly string[];
  readonly sinces: readonly number[];
  /** Ends every wait, as its timer would. So long after that nothing is recent, if nothing is said. */
  readonly passTime: (ms?: number) => void;
  /** How often it asked for a watcher, and stopped one. */
  readonly asked: () => number;
  readonly stopped: () => number;
  readonly delays: readonly number[];
}

/** Two processes, as far as the protocol can see; the second one waits, and time stands still for it. */
async function contend({
  local = true,
  watch,
  lines = false,
  leaves = false,
}: {
  readonly local?: boolean;
  readonly watch?: Services["watch"];
  readonly lines?: boolean;
  readonly leaves?: boolean;
} = {}): Promise<Contention> {
  const theirs = entryOf(systemClock, undefined, local);
  const holder = ask(theirs);
  await holder.granted;
  const delays: number[] = [];
  let timers: (() => void)[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    random: () => 0.5,
    setTimer: (ms, callback) => {
      delays.push(ms);
      timers.push(callback);
      const cancel = (): void => {
        timers = timers.filter((other) => other !== callback);
      };
      return { cancel };
    },
  };
  let asked = 0;
  let stopped = 0;
  let tell = (): void => {};
  const watched: Services["watch"] = (lockPath, told) => {
    asked++;
    if (watch !== undefined) return watch(lockPath, told);
    let open = true;
    tell = () => {
      open = false;
      told();
    };
    const stop = (): void => {
      stopped++;
    };
    return { isOpen: () => open, stop };
  };
  const places: string[] = [];
  const sinces: number[] = [];
  let calls = 0;
  let call = (): void => {};
  let state = "";
  const line: Line = {
    join: (_lockPath, { owner, since }, called) => {
      const at = places.push(`${owner} waits`) - 1;
      sinces.push(since);
      state = "waits";
      call = () => {
        state = "called";
        called();
      };
      const stop = (): boolean => {
        places[at] = `${owner} left`;
        return state === "called";
      };
      return { isOpen: () => state === "waits", stop };
    },
    callFirst: () => ++calls > 0,
  };
  const entry = entryOf(clock, watched, local, lines ? line : undefined);
  const mine = { ...ask(entry, { leaves }), entry };
  await waits(entry);
  return {
    mine,
    others: { letGo: () => letGo(theirs, holder.attempt) },
    tell: () => tell(),
    call: () => call(),
    markCalled: () => {
      state = "called";
    },
    calledNext: () => calls,
    places,
    sinces,
    passTime: (ms = LONG_MS) => {
      now += ms;
      const ripe = timers;
      timers = [];
      for (const callback of ripe) callback();
    },
    asked: () => asked,
    stopped: () => stopped,
    delays,
  };
}

function entryOf(clock: Clock, watch: Services["watch"], local: boolean, line?: Line): Entry {
  return createEntry({
    lockPath: join(directory, "a.jsonl.lock"),
    sessionFile: join(directory, "a.jsonl"),
    local,
    services: {
      disk: nodeDisk,
      clock,
      owners: createOwners(readOwnerScope(createObserver())),
      drive: createDriver(nodeDisk, clock),
      ...(watch === undefined ? {} : { watch }),
      ...(line === undefined ? {} : { line }),
      warn: (message) => {
        throw new Error(`nobody expects: ${message}`);
      },
      quiet: () => {},
    },
  });
}
