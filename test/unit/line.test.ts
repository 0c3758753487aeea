import { AsyncLocalStorage } from "node:async_hooks";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createLine,
  type InLine,
  isLineName,
  lineName,
  MOST_NAMES,
  ownerOfPlace,
  placeName,
} from "../../src/line.ts";
import { newNonce, readOwnerScope } from "../../src/owner/identity.ts";
import { formatOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import type { WatcherEvents } from "../../src/watch.ts";

const self = readOwnerScope(createObserver());
const newOwner = (): string => formatOwnerName({ ...self, life: "-", nonce: newNonce() });

let directory = "";
let lockPath = "";
let line = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-line-")));
  lockPath = join(directory, "a.jsonl.lock");
  line = join(directory, lineName("a.jsonl.lock"));
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

describe("the name of a line", () => {
  it("is all of a name: the sweep removes nothing that only ends like one", () => {
    const name = lineName("a.jsonl.lock");
    expect([name, `x${name}`, `${name}x`, "line"].map(isLineName)).toEqual([true, false, false, false]);
  });
});

describe("the line, with watchers that are played", () => {
  it("calls the first of those who wait, each once, and goes with the last", () => {
    const { lines, called, join: joinLine, tellAll } = play();
    // In the order of their times, not of their coming.
    const [late, early] = [joinLine("late", 2_000), joinLine("early", 1_000)];
    expect([late?.isOpen(), early?.isOpen(), fs.readdirSync(line).length]).toEqual([true, true, 2]);
    expect(lines.callFirst(lockPath)).toBe(true);
    tellAll();
    expect([called, early?.isOpen(), late?.isOpen()]).toEqual([["early"], false, true]);
    expect(lines.callFirst(lockPath)).toBe(true);
    tellAll();
    expect(called).toEqual(["early", "late"]);
    expect([lines.callFirst(lockPath), fs.readdirSync(directory)]).toEqual([false, []]);
    expect(lines.callFirst(lockPath)).toBe(false);
  });

  it("calls by the names, in whatever order the disk lists them; and closes the watchers of all that do not wait", () => {
    const { lines, called, join: joinLine, tellAll, events } = play();
    const places = [joinLine("second", 2), joinLine("third", 3), joinLine("first", 1)];
    const [, last] = places;
    const opendir = fs.opendirSync;
    vi.spyOn(fs, "opendirSync").mockImplementation(((path: string) => {
      const reading = opendir(path);
      const entries: fs.Dirent[] = [];
      for (let entry = reading.readSync(); entry !== null; entry = reading.readSync()) entries.push(entry);
      entries.sort((one, other) => (one.name < other.name ? 1 : -1));
      return Object.assign(reading, { readSync: () => entries.shift() ?? null });
    }) as typeof fs.opendirSync);
    expect(events).toHaveLength(3);
    lines.callFirst(lockPath);
    tellAll();
    expect([called, events.length]).toEqual([["first"], 2]);
    lines.callFirst(lockPath);
    tellAll();
    last?.stop();
    expect([called, events.length]).toEqual([["first", "second"], 0]);
  });

  it("does not call whoever has left, and tells them nothing any more", () => {
    const { lines, called, join: joinLine, tellAll, events } = play();
    const place = joinLine("first", 1);
    expect(events).toHaveLength(1);
    expect([place?.stop(), place?.stop(), place?.isOpen()]).toEqual([false, false, false]);
    // Its watcher is closed.
    expect(events).toHaveLength(0);
    expect(lines.callFirst(lockPath)).toBe(false);
    tellAll();
    expect([called, fs.readdirSync(directory)]).toEqual([[], []]);
  });

  it("says to whoever leaves that it was called, whether it knew or not, and does not tell it then", () => {
    const { lines, called, join: joinLine, tellAll, passTurn, events } = play();
    const unaware = joinLine("unaware", 1);
    lines.callFirst(lockPath);
    expect([unaware?.stop(), unaware?.stop()]).toEqual([true, false]);
    const aware = joinLine("aware", 2);
    lines.callFirst(lockPath);
    for (const { changed } of events) changed(null);
    expect([aware?.isOpen(), aware?.stop()]).toEqual([false, true]);
    tellAll();
    passTurn();
    expect(called).toEqual([]);
  });

  it("does not take a file that is only touched for one that is called", () => {
    const { called, join: joinLine, tellAll } = play();
    const place = joinLine("first", 1);
    for (const name of fs.readdirSync(line)) fs.utimesSync(join(line, name), 1, 1);
    tellAll();
    expect([called, place?.isOpen()]).toEqual([[], true]);
    place?.stop();
    expect(fs.readdirSync(line)).toEqual([]);
  });

  it("calls whoever was called between its place and its watcher", () => {
    const { lines, called, passTurn, open } = play();
    const early = createLine({
      ...open,
      open: (file) => {
        // In the real world: another process.
        fs.unlinkSync(file);
        throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
      },
    });
    const place = early.join(lockPath, { owner: newOwner(), since: 1 }, () => void called.push("called"));
    expect([place?.isOpen(), called]).toEqual([false, []]);
    passTurn();
    expect(called).toEqual(["called"]);
    expect(lines.callFirst(lockPath)).toBe(false);
  });

  it.each(["ENOSPC", "EMFILE"])("has no place for whoever can have no watcher (%s)", (code) => {
    const { called, passTurn, open } = play();
    const without = createLine({
      ...open,
      open: () => {
        throw Object.assign(new Error(code), { code });
      },
    });
    expect(
      without.join(lockPath, { owner: newOwner(), since: 1 }, () => void called.push("?")),
    ).toBeUndefined();
    passTurn();
    expect([called, fs.readdirSync(line)]).toEqual([[], []]);
  });

  it("has no place any more for whoever's watcher fails; if it was called meanwhile, it is told", () => {
    for (const wasCalled of [false, true]) {
      const { lines, called, join: joinLine, passTurn, events } = play();
      const place = joinLine("first", 1);
      if (wasCalled) lines.callFirst(lockPath);
      for (const { failed } of events) failed();
      passTurn();
      expect([place?.isOpen(), called]).toEqual([false, wasCalled ? ["first"] : []]);
      expect(fs.readdirSync(line)).toEqual([]);
    }
  });

  it("is made by many at once, and anew when it goes meanwhile", () => {
    const { join: joinLine } = play();
    const { mkdirSync, openSync } = fs;
    let others = 0;
    vi.spyOn(fs, "mkdirSync").mockImplementation(((path: string, options: object) => {
      if (others++ === 0) mkdirSync(path);
      return mkdirSync(path, options);
    }) as typeof fs.mkdirSync);
    expect(joinLine("second", 1)?.stop()).toBe(false);
    vi.restoreAllMocks();
    let gone = 0;
    vi.spyOn(fs, "openSync").mockImplementation(((path: string, flags: string) => {
      if (flags === "wx" && gone++ === 0) fs.rmdirSync(line);
      return openSync(path, flags);
    }) as typeof fs.openSync);
    expect(joinLine("third", 1)?.stop()).toBe(false);
    expect([others, gone]).toEqual([1, 2]);
  });

  it.each(["EACCES", "EROFS", "ENOSPC", "EDQUOT"])("that cannot be made (%s) is none", (code) => {
    const { join: joinLine } = play();
    const fails = (): never => {
      throw Object.assign(new Error(code), { code });
    };
    vi.spyOn(fs, "mkdirSync").mockImplementation(fails);
    expect(joinLine("first", 1)).toBeUndefined();
    vi.restoreAllMocks();
    fs.mkdirSync(line);
    vi.spyOn(fs, "openSync").mockImplementation(fails);
    expect([joinLine("first", 1), fs.readdirSync(line)]).toEqual([undefined, []]);
  });
});

describe("what others have planted", () => {
  it.each([
    ["a file", () => fs.writeFileSync(line, "")],
    ["a pipe", () => execFileSync("mkfifo", [line])],
    [
      "a link to a directory of somebody else",
      () => {
        fs.mkdirSync(join(directory, "elsewhere"));
        fs.writeFileSync(join(directory, "elsewhere", placeName({ owner: newOwner(), since: 1 })), "");
        fs.symlinkSync("elsewhere", line);
      },
    ],
    ["a link to nothing", () => fs.symlinkSync("nowhere", line)],
  ])("in place of the line, %s, is left alone, and there is none", (_what, plant) => {
    const { lines, join: joinLine } = play();
    plant();
    const before = fs.readdirSync(directory, { recursive: true });
    expect([joinLine("first", 1), lines.callFirst(lockPath)]).toEqual([undefined, false]);
    expect(fs.readdirSync(directory, { recursive: true })).toEqual(before);
  });

  it("in it stays if its name is none of a place, and does not keep others from being called", () => {
    const { lines, called, join: joinLine, tellAll } = play();
    joinLine("first", 1_000);
    const foreign = [
      "0",
      "notes.txt",
      "00000000000000-notes",
      `1-${newOwner()}`,
      `00000000000000_${newOwner()}`,
    ];
    for (const name of foreign) fs.writeFileSync(join(line, name), "");
    // Before all others, and it cannot be removed as a file.
    const stays = placeName({ owner: newOwner(), since: 0 });
    fs.mkdirSync(join(line, stays));
    expect(lines.callFirst(lockPath)).toBe(true);
    tellAll();
    expect(called).toEqual(["first"]);
    expect([lines.callFirst(lockPath), fs.readdirSync(line).sort()]).toEqual([
      false,
      [...foreign, stays].sort(),
    ]);
  });

  it("at the name of a place, a link or a pipe, is not opened: it is no place", () => {
    const { lines, call } = play();
    const place = { owner: newOwner(), since: 5 };
    for (const plant of [
      (path: string) => fs.symlinkSync(join(directory, "made"), path),
      (path: string) => execFileSync("mkfifo", [path]),
    ]) {
      fs.mkdirSync(line, { recursive: true });
      plant(join(line, placeName(place)));
      expect(lines.join(lockPath, place, call)).toBeUndefined();
      expect(fs.existsSync(join(directory, "made"))).toBe(false);
      fs.rmSync(line, { recursive: true });
    }
  });

  it("in great number makes whoever lets go call nobody; twin: one fewer, and it calls", () => {
    const { lines, join: joinLine } = play();
    joinLine("first", 1);
    for (let i = 0; i < MOST_NAMES; i++) fs.writeFileSync(join(line, `x${i}`), "");
    expect(lines.callFirst(lockPath)).toBe(false);
    fs.unlinkSync(join(line, "x0"));
    expect(lines.callFirst(lockPath)).toBe(true);
  });

  it("in a directory that would take long to read is not read; twin: one byte less, and it calls", () => {
    const { lines, join: joinLine } = play();
    joinLine("first", 1);
    const stat = fs.lstatSync(line);
    const read = vi.spyOn(fs, "readdirSync");
    const ofSize = (size: number) =>
      vi.spyOn(fs, "lstatSync").mockReturnValueOnce(Object.assign(stat, { size }) as fs.Stats);
    ofSize(512 * 1024 + 1);
    expect([lines.callFirst(lockPath), read.mock.calls.length]).toEqual([false, 0]);
    ofSize(512 * 1024);
    expect([lines.callFirst(lockPath), read.mock.calls.length]).toEqual([true, 1]);
    vi.restoreAllMocks();
  });
});

describe("other users", () => {
  const modeOf = (path: string): number => fs.statSync(path).mode & 0o7777;

  it("may come into a line and call there, if they may write beside it", () => {
    const { join: joinLine } = play();
    fs.chmodSync(directory, 0o2777);
    joinLine("first", 1);
    expect(modeOf(line)).toBe(0o2777);
  });
});

describe("a place in the real line", () => {
  it("is called by another one, once, in a turn of its own, and outside of the AsyncLocalStorage of whoever waits", async () => {
    const [waiting, calling] = [createLine(), createLine()];
    const storage = new AsyncLocalStorage<string>();
    const stores: (string | undefined)[] = [];
    let place: InLine | undefined;
    const told = new Promise<void>((resolve) => {
      place = storage.run("of whoever waits", () =>
        waiting.join(lockPath, { owner: newOwner(), since: Date.now() }, () => {
          stores.push(storage.getStore());
          resolve();
        }),
      );
    });
    expect(place?.isOpen()).toBe(true);
    expect([calling.callFirst(lockPath), stores]).toEqual([true, []]);
    const keepsAlive = setInterval(() => {}, 1_000);
    await told;
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    clearInterval(keepsAlive);
    expect([stores, place?.isOpen()]).toEqual([[undefined], false]);
    expect([calling.callFirst(lockPath), fs.readdirSync(directory)]).toEqual([false, []]);
  });
});

describe("the names of the line", () => {
  it("are its own: each place is one of an owner, and read back; anything else is none", () => {
    const owner = newOwner();
    expect(ownerOfPlace(placeName({ owner, since: Date.now() + 0.5 }))).toBe(owner);
    for (const since of [-1, 0, 1e15, Number.MAX_VALUE]) {
      expect(ownerOfPlace(placeName({ owner, since })), String(since)).toBe(owner);
    }
    for (const name of [
      owner,
      `1-${owner}`,
      `x00000000000001-${owner}`,
      "00000000000001-",
      "00000000000001-x",
      "",
    ]) {
      expect(ownerOfPlace(name), name).toBeUndefined();
    }
    expect([
      isLineName(lineName("a.jsonl.lock")),
      isLineName(".swl-line"),
      isLineName(".swl-0123456789ab-line2"),
    ]).toEqual([true, false, false]);
    // A directory entry has 255 bytes.
    expect(placeName({ owner: "x".repeat(184), since: 0 }).length).toBeLessThanOrEqual(255);
  });
});

function play(): {
  readonly lines: ReturnType<typeof createLine>;
  readonly called: string[];
  readonly events: WatcherEvents[];
  readonly open: Parameters<typeof createLine>[0];
  readonly join: (who: string, since: number) => InLine | undefined;
  readonly call: () => void;
  /** Every watcher that is open tells that something has changed. */
  readonly tellAll: () => void;
  readonly passTurn: () => void;
} {
  const called: string[] = [];
  const events: WatcherEvents[] = [];
  let due: (() => void)[] = [];
  const open: Parameters<typeof createLine>[0] = {
    afterTurn: (callback) => void due.push(callback),
    open: (_file, told) => {
      events.push(told);
      return { close: () => void events.splice(events.indexOf(told), 1) };
    },
  };
  const lines = createLine(open);
  const passTurn = (): void => {
    const ripe = due;
    due = [];
    for (const callback of ripe) callback();
  };
  return {
    lines,
    called,
    events,
    open,
    join: (who, since) => lines.join(lockPath, { owner: newOwner(), since }, () => void called.push(who)),
    call: () => void called.push("?"),
    tellAll: () => {
      for (const { changed } of [...events]) changed(null);
      passTurn();
    },
    passTurn,
  };
}
