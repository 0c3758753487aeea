import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import files from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { lineName, MOST_NAMES, placeName } from "../../src/line.ts";
import { readOwnerScope } from "../../src/owner/identity.ts";
import { isLifeSocketName, openLifeSocket, parseLifeSocketName } from "../../src/owner/life.ts";
import { markPath } from "../../src/owner/mark.ts";
import { formatOwnerName, homeName, parseOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import { sweep, sweepForSpace, sweepOnce } from "../../src/sweep.ts";
import { deadPid, holdAndDie } from "../support/processes.ts";
import { unused } from "./stubs.ts";

const self = readOwnerScope(createObserver());
const owners = createOwners(self);
const isLinux = process.platform === "linux";
let directory = "";

beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-sweep-")));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Somebody of this kernel whose process is gone. */
const dead = (() => {
  const pid = String(deadPid());
  return { ...self, pid, tid: pid };
})();
const elsewhere = { ...dead, boot: "0123456789abcdef" };

const nameOf = (owner: typeof self, nonce: string, life = "-"): string =>
  formatOwnerName({ ...owner, life, nonce: nonce.repeat(24) });

function makeHome(owner: typeof self, nonce: string, life?: string): string {
  const name = nameOf(owner, nonce, life);
  const home = join(directory, homeName("a.jsonl.lock", name));
  fs.mkdirSync(home);
  fs.writeFileSync(join(home, name), "");
  return home;
}

/** A directory with the name of an owner in it: a lock, if it is called so. */
function makeLock(where: string, ownerName: string): string {
  const lock = join(directory, where);
  fs.mkdirSync(lock);
  fs.writeFileSync(join(lock, ownerName), "");
  return lock;
}

function makeMark(ownerName: string): string {
  const mark = markPath(join(directory, "a.jsonl.lock"), ownerName);
  fs.writeFileSync(mark, "1\n");
  return mark;
}

const exist = (...paths: readonly string[]): readonly boolean[] => paths.map((path) => fs.existsSync(path));
const sortedNames = (...paths: readonly string[]): readonly string[] =>
  paths.map((path) => basename(path)).sort();

describe("the sweep", () => {
  it("removes the homes of the dead, half-made ones too, and nothing else, and names what it removed", async () => {
    const whole = makeHome(dead, "a");
    const halfMade = makeHome(dead, "b");
    for (const file of fs.readdirSync(halfMade)) fs.rmSync(join(halfMade, file));
    const withGuest = makeHome(dead, "c");
    fs.writeFileSync(join(withGuest, "not ours"), "");
    const living = makeHome(self, "d");
    const unknown = makeHome(elsewhere, "e");
    fs.mkdirSync(join(directory, ".swl-not-a-home"));

    const removed = await sweep(directory, owners);

    expect(exist(whole, halfMade)).toEqual([false, false]);
    expect(exist(withGuest, living, unknown)).toEqual([true, true, true]);
    expect(fs.readdirSync(withGuest)).toEqual(["not ours"]);
    expect(exist(join(directory, ".swl-not-a-home"))).toEqual([true]);
    expect([...removed].sort()).toEqual(sortedNames(whole, halfMade));
  });

  it("begins anywhere, since others may sweep at the same time, and leaves nothing out", async () => {
    for (const nonce of ["a", "b", "c", "d"]) makeHome(dead, nonce);
    const sweepFrom = async (share: number): Promise<{ read: string[]; removed: readonly string[] }> => {
      vi.spyOn(Math, "random").mockReturnValue(share);
      const read: string[] = [];
      for await (const { name } of await files.opendir(directory)) read.push(name);
      return { read, removed: await sweep(directory, owners) };
    };
    const { read, removed } = await sweepFrom(0.25);
    expect(removed).toEqual([...read.slice(1), read[0]]);
    for (const nonce of ["a", "b", "c", "d"]) makeHome(dead, nonce);
    const again = await sweepFrom(0);
    expect(again.read).toHaveLength(4);
    expect(again.removed).toEqual(again.read);
  });

  it("opens a home only if there is more in it than its owner", async () => {
    const [plain, withJunk] = [makeHome(dead, "a"), makeHome(dead, "b")];
    fs.writeFileSync(join(withJunk, ".DS_Store"), "");
    const opening = vi.spyOn(files, "open");
    expect(await sweep(directory, owners)).toHaveLength(2);
    expect(opening.mock.calls.map(([path]) => path)).toEqual([withJunk]);
    expect(exist(plain, withJunk)).toEqual([false, false]);
  });

  it("of a directory that is not there removes nothing, and is no error", async () => {
    expect(await sweep(join(directory, "missing"), owners)).toEqual([]);
  });

  it("is done once for each directory", async () => {
    const [first, second] = ["first", "second"].map((name) => join(directory, name)) as [string, string];
    const plant = (where: string, nonce: string): string => {
      const home = makeHome(dead, nonce);
      const there = join(where, basename(home));
      fs.renameSync(home, there);
      return there;
    };
    for (const where of [first, second]) fs.mkdirSync(where);
    const [early, other] = [plant(first, "a"), plant(second, "b")];
    sweepOnce(first, owners);
    while (exist(early)[0] === true) await sleep(1);
    const late = plant(first, "c");
    sweepOnce(first, owners);
    sweepOnce(second, owners);
    while (exist(other)[0] === true) await sleep(1);
    expect(exist(late)).toEqual([true]);
    // By itself it would have gone.
    expect(await sweep(first, owners)).toEqual([basename(late)]);
  });
});

describe("the sweep of a full disk", () => {
  const isSwept = async (nonce: string, start: () => void): Promise<boolean> => {
    const home = makeHome(dead, nonce);
    const listing = vi.spyOn(files, "opendir");
    start();
    const begun = listing.mock.calls.length > 0;
    listing.mockRestore();
    while (begun && exist(home)[0] === true) await sleep(1);
    return begun;
  };

  it("is made again after ten seconds, and not before; and whatever was swept before", async () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(5);
    const forSpace = (): void => sweepForSpace(directory, owners);
    expect(await isSwept("a", () => sweepOnce(directory, owners))).toBe(true);
    expect(await isSwept("b", forSpace)).toBe(true);
    now.mockReturnValue(10_004);
    expect(await isSwept("c", forSpace)).toBe(false);
    now.mockReturnValue(10_005);
    expect(await isSwept("d", forSpace)).toBe(true);
  });

  it("leaves the one that comes with the first grant to come", async () => {
    expect(await isSwept("a", () => sweepForSpace(directory, owners))).toBe(true);
    expect(await isSwept("b", () => sweepOnce(directory, owners))).toBe(true);
  });
});

describe("the sweep of a line", () => {
  const placeOf = (owner: typeof self, nonce: string, since = 1, life = "-"): string =>
    placeName({ owner: nameOf(owner, nonce, life), since });
  function makeLine(name: string, ...places: readonly string[]): string {
    const line = join(directory, lineName(name));
    fs.mkdirSync(line);
    for (const place of places) fs.writeFileSync(join(line, place), "");
    return line;
  }

  it("takes the places of the dead away, and then the line; those of the living and of others stay, and with them theirs", async () => {
    const ofTheDead = makeLine("a.lock", placeOf(dead, "a"), placeOf(dead, "b", 2));
    const empty = makeLine("b.lock");
    const [living, unknown] = [placeOf(self, "c"), placeOf(elsewhere, "d")];
    const mixed = makeLine("c.lock", placeOf(dead, "e"), living, unknown);
    const foreign = makeLine("d.lock", placeOf(dead, "f"), "notes.txt");
    const looksLikeOne = join(directory, ".swl-0123456789ab-lines");
    fs.mkdirSync(looksLikeOne);

    const removed = await sweep(directory, owners);

    expect([...removed].sort()).toEqual(sortedNames(ofTheDead, empty));
    expect(exist(ofTheDead, empty, mixed, foreign, looksLikeOne)).toEqual([false, false, true, true, true]);
    expect(fs.readdirSync(mixed).sort()).toEqual([living, unknown].sort());
    expect(fs.readdirSync(foreign)).toEqual(["notes.txt"]);
  });

  it("follows no link, and leaves what is no directory", async () => {
    const elsewhereLine = join(directory, "elsewhere");
    fs.mkdirSync(elsewhereLine);
    fs.writeFileSync(join(elsewhereLine, placeOf(dead, "a")), "");
    fs.symlinkSync("elsewhere", join(directory, lineName("a.lock")));
    fs.writeFileSync(join(directory, lineName("b.lock")), "");
    expect(await sweep(directory, owners)).toEqual([]);
    expect(fs.readdirSync(elsewhereLine)).toHaveLength(1);
    expect(exist(join(directory, lineName("b.lock")))).toEqual([true]);
  });

  it("goes on behind a place that cannot be removed, since it is none of ours", async () => {
    const line = makeLine("a.lock", placeOf(dead, "b", 2));
    fs.mkdirSync(join(line, placeOf(dead, "a")));
    expect(await sweep(directory, owners)).toEqual([]);
    expect(fs.readdirSync(line)).toEqual([placeOf(dead, "a")]);
  });

  it("reads no more of one that somebody has filled than whoever calls there", async () => {
    const names = Array.from({ length: MOST_NAMES + 1 }, (_, i) => placeOf(dead, "a", i));
    const line = makeLine("a.lock", ...names);
    const judgesFast: typeof owners = {
      newHome: unused,
      content: unused,
      isOwner: unused,
      judge: () => ({ verdict: "dead", reason: "" }),
    };
    expect(await sweep(directory, judgesFast)).toEqual([]);
    expect(fs.readdirSync(line)).toHaveLength(1);
    expect(await sweep(directory, judgesFast)).toEqual([basename(line)]);
  });
});

describe("the sweep of a home", () => {
  const addGuest = (home: string, owner: typeof self): void =>
    fs.writeFileSync(join(home, nameOf(owner, "9")), "");

  it("waits for its guest to be dead too, and then removes both names", async () => {
    const [bothDead, guestLives] = [makeHome(dead, "a"), makeHome(dead, "b")];
    addGuest(bothDead, dead);
    addGuest(guestLives, self);

    await sweep(directory, owners);

    expect(exist(bothDead)).toEqual([false]);
    expect(fs.readdirSync(guestLives)).toHaveLength(2);
  });

  it("takes the junk in it away, empty directories too, and keeps nothing open", async () => {
    const home = makeHome(dead, "a");
    fs.writeFileSync(join(home, ".DS_Store"), "");
    fs.mkdirSync(join(home, "@eaDir"));

    expect(await sweep(directory, owners)).toEqual([basename(home)]);

    expect(exist(home)).toEqual([false]);
    if (!isLinux) return;
    const open = fs.readdirSync("/proc/self/fd").map((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return "closed by now";
      }
    });
    expect(open.filter((path) => path.includes(basename(home)))).toEqual([]);
  });

  it("goes no further when the owner's name in it cannot be removed: that is none of ours", async () => {
    const home = makeHome(dead, "a");
    const name = nameOf(dead, "a");
    fs.rmSync(join(home, name));
    fs.mkdirSync(join(home, name));
    fs.writeFileSync(join(home, ".DS_Store"), "");

    expect(await sweep(directory, owners)).toEqual([]);

    expect(fs.readdirSync(home).sort()).toEqual([".DS_Store", name]);
  });

  it("that is a file does not end the sweep", async () => {
    const home = makeHome(dead, "a");
    fs.rmSync(home, { recursive: true });
    fs.writeFileSync(home, "not ours");
    // Marks come last.
    const mark = makeMark(nameOf(elsewhere, "b"));
    expect(await sweep(directory, owners)).toEqual([basename(mark)]);
    expect(fs.readFileSync(home, "utf8")).toBe("not ours");
  });

  it.skipIf(!isLinux)("that becomes a link while it is open leads nowhere", async () => {
    const home = makeHome(dead, "a");
    const precious = join(directory, "precious");
    fs.mkdirSync(precious);
    for (const where of [home, precious]) fs.writeFileSync(join(where, ".DS_Store"), "");
    const open = files.open;
    vi.spyOn(files, "open").mockImplementation(async (...args) => {
      const opened = await open(...args);
      fs.renameSync(home, `${home}.aside`);
      fs.symlinkSync(precious, home);
      return opened;
    });

    expect(await sweep(directory, owners)).toEqual([]);

    expect(fs.readdirSync(precious)).toEqual([".DS_Store"]);
    expect(fs.readdirSync(`${home}.aside`)).toEqual([]);
  });

  it("is read by its path where there is no /proc", async () => {
    const home = makeHome(dead, "a");
    vi.stubGlobal("process", Object.create(process, { platform: { value: "darwin" } }));
    fs.writeFileSync(join(home, ".DS_Store"), "");
    const reading = vi.spyOn(files, "readdir");
    expect(await sweep(directory, owners)).toEqual([basename(home)]);
    expect(reading.mock.calls.map(([path]) => path)).toEqual([home, home]);
  });
});

// tests A1: what may still be the only proof of a death stays
describe.skipIf(!isLinux)("the sweep of a life socket that refuses", () => {
  /** Somebody dies with a lock, and that is taken from the disk by hand: whose life is left. */
  function leaveSocket(): { readonly socket: string; readonly life: string; readonly ownerName: string } {
    holdAndDie({ sessionFile: join(directory, "dead.jsonl") });
    const lock = join(directory, "dead.jsonl.lock");
    const [ownerName = ""] = fs.readdirSync(lock);
    fs.rmSync(lock, { recursive: true });
    const sockets = fs.readdirSync(directory).filter(isLifeSocketName);
    expect(sockets).toHaveLength(1);
    return { socket: sockets[0] ?? "", life: parseOwnerName(ownerName)?.life ?? "", ownerName };
  }

  /** A socket on which nobody listens any more, named as its owner would have named it. */
  async function leaveSocketOfNobody(): Promise<string> {
    const random = randomBytes(8).toString("hex");
    const early = join(directory, random);
    const server = createServer();
    await new Promise<void>((done) => server.listen(early, done));
    const { dev, ino } = fs.lstatSync(early, { bigint: true });
    const digest = createHash("sha256").update(`${random} ${dev} ${ino}`).digest("hex").slice(0, 16);
    const name = `.swl-life-${random}${digest}`;
    fs.renameSync(early, join(directory, name));
    await new Promise((done) => server.close(done));
    return name;
  }

  it("takes it away if its owner is named nowhere any more", async () => {
    const { socket, ownerName } = leaveSocket();
    // A copy of the lock under another name is no lock.
    makeLock("dead.jsonl.lock.bak", ownerName);
    expect(await sweep(directory, owners)).toEqual([socket]);
  });

  it("takes it away, and not the one of the living beside it, by which nobody is named yet", async () => {
    const living = openLifeSocket(directory);
    const left = await leaveSocketOfNobody();
    expect(await sweep(directory, owners)).toEqual([left]);
    expect(living?.isInPlace()).toBe(true);
    living?.close();
  });

  it("takes many away piece by piece: whoever sweeps may be killed any moment", async () => {
    const all = await Promise.all(Array.from({ length: 40 }, () => leaveSocketOfNobody()));
    const listing = vi.spyOn(files, "opendir");
    const removing = vi.spyOn(files, "unlink");
    const [named = "", ...others] = all;
    makeLock("b.jsonl.lock", nameOf(elsewhere, "a", parseLifeSocketName(named)));
    expect([...(await sweep(directory, owners))].sort()).toEqual([...others].sort());
    // Once for everything, once more for each 32, and for the one that is named.
    expect(listing).toHaveBeenCalledTimes(4);
    const [, , second = 0] = listing.mock.invocationCallOrder;
    expect(removing.mock.invocationCallOrder.filter((order) => order < second).length).toBeGreaterThan(30);
  });

  it("leaves it as long as its owner is named at a lock, whichever, with whatever beside", async () => {
    const { socket, ownerName } = leaveSocket();
    fs.writeFileSync(join(directory, "a.lock"), "an old lock file");
    const lock = makeLock("b.jsonl.lock", ownerName);
    makeLock("c.jsonl.lock", nameOf(dead, "a"));
    fs.writeFileSync(join(lock, "not an owner"), "");
    expect(await sweep(directory, owners)).toEqual([]);
    fs.rmSync(join(lock, ownerName));
    expect(await sweep(directory, owners)).toEqual([socket]);
  });

  it("leaves it as long as a home stays that names its owner", async () => {
    const { socket, life } = leaveSocket();
    const home = makeHome(elsewhere, "a", life);
    expect(await sweep(directory, owners)).toEqual([]);
    fs.rmSync(home, { recursive: true });
    expect(await sweep(directory, owners)).toEqual([socket]);
  });

  it("leaves it if its owner is named at a lock that nobody had seen when the sweep began", async () => {
    const { socket, ownerName } = leaveSocket();
    const home = makeHome(dead, "a");
    const before = makeLock("a.jsonl.lock", ownerName);
    // It lets one lock go, takes the next and dies, while the sweep judges others.
    const judge: typeof owners.judge = (name, place) => {
      if (place.path === home) fs.renameSync(before, join(directory, "b.jsonl.lock"));
      return owners.judge(name, place);
    };
    expect(await sweep(directory, { ...owners, judge })).toEqual([basename(home)]);
    fs.rmSync(join(directory, "b.jsonl.lock"), { recursive: true });
    expect(await sweep(directory, owners)).toEqual([socket]);
  });

  it("leaves it as long as a place in a line stays that names its owner", async () => {
    const { socket, life } = leaveSocket();
    const line = join(directory, lineName("a.lock"));
    fs.mkdirSync(line);
    fs.writeFileSync(join(line, placeName({ owner: nameOf(elsewhere, "a", life), since: 1 })), "");
    expect(await sweep(directory, owners)).toEqual([]);
    fs.rmSync(line, { recursive: true });
    expect(await sweep(directory, owners)).toEqual([socket]);
  });

  it("is asked about a place in a line whose owner's numbers say nothing here, and goes with it", async () => {
    const { socket, ownerName } = leaveSocket();
    const owner = { ...(parseOwnerName(ownerName) ?? unused()), pidNamespace: "1" };
    const line = join(directory, lineName("a.lock"));
    fs.mkdirSync(line);
    fs.writeFileSync(join(line, placeName({ owner: formatOwnerName(owner), since: 1 })), "");
    expect([...(await sweep(directory, owners))].sort()).toEqual(sortedNames(line, socket));
  });

  it("goes with the home of its owner, who is dead by the numbers", async () => {
    const { socket, life } = leaveSocket();
    const home = makeHome(dead, "a", life);
    expect([...(await sweep(directory, owners))].sort()).toEqual(sortedNames(home, socket));
  });

  it("leaves it on a disk that is not known to be local: there it proves nothing, and may be another kernel's", async () => {
    const { socket } = leaveSocket();
    const statfs = vi.spyOn(fs, "statfsSync").mockImplementation(() => ({ type: 0x6969 }) as fs.StatsFs);
    expect(await sweep(directory, owners)).toEqual([]);
    statfs.mockRestore();
    expect(await sweep(directory, owners)).toEqual([socket]);
  });
});

describe("the sweep of marks", () => {
  it("removes those about owners that stand nowhere, and leaves those about owners at a lock", async () => {
    const there = nameOf(elsewhere, "a");
    makeLock("a.jsonl.lock", there);
    const notAtALock = nameOf(elsewhere, "b");
    makeLock("a.jsonl.lock.bak", notAtALock);
    const [stays, ...go] = [there, notAtALock, nameOf(elsewhere, "c")].map(makeMark) as [string, ...string[]];
    fs.writeFileSync(join(directory, ".swl-mark-of-something-else"), "");

    expect([...(await sweep(directory, owners))].sort()).toEqual(sortedNames(...go));

    expect(exist(stays, join(directory, ".swl-mark-of-something-else"))).toEqual([true, true]);
  });
});
