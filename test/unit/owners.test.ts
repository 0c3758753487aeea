/** What is asked of whom, and what is believed: life sockets and leases answer what a test says. */

import fs from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newNonce, type OwnerIdentity, readOwnerScope } from "../../src/owner/identity.ts";
import type * as life from "../../src/owner/life.ts";
import type { LifeAnswer } from "../../src/owner/life.ts";
import { formatOwnerName, homeName, parseOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners, type OwnersOptions } from "../../src/owners.ts";
import type { OwnerPlace, Owners } from "../../src/registry.ts";

/** What the sockets answer, by the name of a life; and who was asked, where. */
const { sockets, asked } = vi.hoisted(() => ({
  sockets: new Map<string, "accepts" | "refuses" | "silent">(),
  asked: [] as string[],
}));
vi.mock("../../src/owner/life.ts", async (original) => ({
  ...(await original<typeof life>()),
  askLifeSocket: (directory: string, of: string, answer: (said: LifeAnswer) => void): void => {
    asked.push(`${directory} ${of}`);
    setImmediate(answer, sockets.get(of) ?? "silent");
  },
}));

const observer = createObserver();
// Where no boot id can be read, our own would be random, and nobody would be asked.
const self = { ...readOwnerScope(observer), boot: "0123456789abcdef", timeNamespace: "4026531834" };
/** Of this kernel, in another pid namespace: nothing but its socket tells. */
const elsewhere = (of: number): OwnerIdentity => ({
  ...self,
  pidNamespace: "1",
  life: of.toString(16).padStart(32, "0"),
  nonce: newNonce(),
});
const dead = (): string =>
  formatOwnerName({ ...self, pid: "2147483646", tid: "2147483646", life: "-", nonce: newNonce() });
const PLACE: OwnerPlace = { path: "/d/a.lock", local: true };

let now = 1_000;
beforeEach(() => {
  sockets.clear();
  asked.length = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => void vi.restoreAllMocks());

const ask = async (owners: Owners, names: readonly string[], place = PLACE): Promise<boolean> => {
  const question = owners.ask?.(names, place);
  if (question !== undefined) await new Promise<void>(question);
  return question !== undefined;
};

describe("a new home", () => {
  it("has a name of ours with the life of its directory, and of a guest, who has none", () => {
    const owners = createOwners(self, { lifeIn: (directory) => (directory === "/d" ? "f".repeat(32) : "-") });
    const { name, path, guests } = owners.newHome("/d/a.lock", { ...self, pid: "7", tid: "7" });
    const ours = parseOwnerName(name);
    expect(ours).toEqual({ ...self, life: "f".repeat(32), nonce: ours?.nonce });
    expect(path).toBe(join("/d", homeName("a.lock", name)));
    expect(guests.map((guest) => parseOwnerName(guest))).toEqual([
      { ...self, pid: "7", tid: "7", life: "-", nonce: ours?.nonce },
    ]);
  });

  it("has no life and no guests if nobody says so, and another nonce each time", () => {
    const owners = createOwners(self);
    const [one, other] = [owners.newHome("/d/a.lock", undefined), owners.newHome("/d/a.lock", undefined)];
    expect(parseOwnerName(one.name)?.life).toBe("-");
    expect(one.guests).toEqual([]);
    expect(one.name).not.toBe(other.name);
  });
});

describe("an owner file", () => {
  it("says who its own name says, and of a name that is none who we are", () => {
    const { content } = createOwners(self);
    expect(JSON.parse(content(dead(), "[1]"))).toMatchObject({ pid: 2_147_483_646, metadata: [1] });
    expect(JSON.parse(content("no name"))).toMatchObject({ pid: process.pid, hostname: hostname() });
  });

  it("shows other metadata when it is told to", () => {
    const directory = fs.mkdtempSync(join(tmpdir(), "swl-owners-"));
    const file = join(directory, "owner");
    const owners = createOwners(self);
    fs.writeFileSync(file, owners.content(dead(), '"before"'));
    owners.show?.(file, '"after"');
    expect(JSON.parse(fs.readFileSync(file, "utf8"))).toMatchObject({ pid: process.pid, metadata: "after" });
    fs.rmSync(directory, { recursive: true });
  });

  it("is of an owner if its name is that of one", () => {
    const { isOwner } = createOwners(self);
    expect([isOwner(dead()), isOwner("no name")]).toEqual([true, false]);
    expect(createOwners(self).judge("no name", PLACE)).toEqual({
      verdict: "unknown",
      reason: "not the name of an owner",
    });
  });
});

describe("who a life socket is asked about", () => {
  const one = elsewhere(1);
  const name = formatOwnerName(one);

  it("is an owner of this kernel, on a local disk, of whom nothing else is known; its answer is believed", async () => {
    const owners = createOwners(self);
    expect(owners.judge(name, PLACE).verdict).toBe("unknown");
    sockets.set(one.life, "accepts");
    expect(await ask(owners, ["no name", name])).toBe(true);
    expect(asked).toEqual([`/d ${one.life}`]);
    expect(owners.judge(name, PLACE).verdict).toBe("alive");
  });

  it.each<[string, readonly string[], OwnerPlace]>([
    ["on a disk that is not known to be local", [name], { ...PLACE, local: false }],
    ["without a socket", [formatOwnerName({ ...one, life: "-" })], PLACE],
    ["of another kernel", [formatOwnerName({ ...one, boot: "0".repeat(16) })], PLACE],
    ["who is proved dead anyway", [formatOwnerName({ ...one, ...deadHere() })], PLACE],
    ["that is none", ["no name"], PLACE],
  ])("is none %s", async (_what, names, place) => {
    expect(await ask(createOwners(self), names, place)).toBe(false);
    expect(asked).toEqual([]);
  });

  it("is asked again after a tenth of a second, whether it was silent or accepted", async () => {
    const owners = createOwners(self);
    expect(await ask(owners, [name])).toBe(true);
    now += 99;
    expect(await ask(owners, [name])).toBe(false);
    now += 1;
    sockets.set(one.life, "accepts");
    expect(await ask(owners, [name])).toBe(true);
    expect(owners.judge(name, PLACE).verdict).toBe("alive");
    now += 100;
    sockets.set(one.life, "refuses");
    expect(await ask(owners, [name])).toBe(true);
    expect(owners.judge(name, PLACE).verdict).toBe("dead");
  });

  it("is dead for good once it refused", async () => {
    const owners = createOwners(self);
    sockets.set(one.life, "refuses");
    const both = [owners.ask?.([name], PLACE), owners.ask?.([name], PLACE)];
    await new Promise<void>((done) => both[0]?.(done));
    expect(owners.judge(name, PLACE).verdict).toBe("dead");
    // A question that was under way already.
    sockets.set(one.life, "accepts");
    await new Promise<void>((done) => both[1]?.(done));
    expect(owners.judge(name, PLACE).verdict).toBe("dead");
    now += 1_000_000;
    expect(await ask(owners, [name])).toBe(false);
  });

  it("is remembered of a thousand, the latest", async () => {
    const owners = createOwners(self);
    const all = Array.from({ length: 1_001 }, (_, i) => elsewhere(i + 10));
    for (const { life: of } of all) sockets.set(of, "accepts");
    const names = all.map(formatOwnerName);
    await ask(owners, names.slice(0, 1_000));
    const verdicts = (): readonly string[] =>
      [0, 1, 2, 1_000].map((i) => owners.judge(names[i] ?? "", PLACE).verdict);
    expect(verdicts()).toEqual(["alive", "alive", "alive", "unknown"]);
    await ask(owners, names.slice(1_000));
    expect(verdicts()).toEqual(["unknown", "alive", "alive", "alive"]);
  });

  it("is the oldest answer that is forgotten, by when it was given last", async () => {
    const owners = createOwners(self);
    const all = Array.from({ length: 1_001 }, (_, i) => elsewhere(i + 10));
    const names = all.map(formatOwnerName);
    await ask(owners, names.slice(0, 1_000));
    now += 100;
    sockets.set(all[0]?.life ?? "", "accepts");
    await ask(owners, names.slice(0, 1));
    await ask(owners, names.slice(1_000));
    expect(owners.judge(names[0] ?? "", PLACE).verdict).toBe("alive");
  });
});

describe("a lease", () => {
  const name = formatOwnerName({ ...elsewhere(1), life: "-" });
  const WITH: OwnerPlace = { ...PLACE, staleMs: 60_000 };

  function leasesThat(isDue = true): { readonly calls: unknown[]; readonly options: OwnersOptions } {
    const calls: unknown[] = [];
    const leases: OwnersOptions["leases"] = {
      isDue: () => isDue,
      defer: (...said) => void calls.push(["defer", ...said]),
      look: async (...said) => void calls.push(["look", ...said]),
      evicted: (...said) => void calls.push(["evicted", ...said]),
      judge: (...said) => {
        calls.push(["judge", ...said]);
        return { verdict: "lapsed", reason: "by lease" };
      },
    };
    return { calls, options: { leases } };
  }

  it("is judged only if nothing is proved, there are leases, and whoever asks is not of infinite patience", () => {
    const { calls, options } = leasesThat();
    const owners = createOwners(self, options);
    const proof = createOwners(self).judge(name, WITH);
    expect(proof.verdict).toBe("unknown");
    expect(owners.judge(name, WITH)).toEqual({ verdict: "lapsed", reason: "by lease" });
    expect(calls).toEqual([["judge", PLACE.path, name, 60_000, proof.reason]]);
    expect(owners.judge(name, PLACE)).toEqual(proof);
    expect(owners.judge(formatOwnerName({ ...elsewhere(1), ...deadHere() }), WITH).verdict).toBe("dead");
    expect(calls).toHaveLength(1);
  });

  it("is looked at if it is due, of an owner of whom nothing is known", async () => {
    const { calls, options } = leasesThat();
    expect(await ask(createOwners(self, options), ["no name", name], WITH)).toBe(true);
    expect(calls).toEqual([["look", PLACE.path, name, 60_000]]);
  });

  it("need not be looked at of an owner of whom something is known", async () => {
    const { calls, options } = leasesThat();
    const proved = formatOwnerName({ ...elsewhere(1), ...deadHere() });
    expect(await ask(createOwners(self, options), [proved], WITH)).toBe(false);
    expect(calls).toEqual([["defer", proved]]);
  });

  it("is not looked at if its owner's life socket has told meanwhile", async () => {
    const { calls, options } = leasesThat();
    const one = elsewhere(1);
    sockets.set(one.life, "accepts");
    expect(await ask(createOwners(self, options), [formatOwnerName(one)], WITH)).toBe(true);
    expect([calls, asked]).toEqual([[], [`/d ${one.life}`]]);
  });

  it.each<[string, OwnersOptions, OwnerPlace]>([
    ["it is not due", leasesThat(false).options, WITH],
    ["nobody has patience to lose", leasesThat().options, PLACE],
    ["patience is infinite", leasesThat().options, { ...PLACE, staleMs: Infinity }],
    ["there are none", {}, WITH],
  ])("is not looked at if %s", async (_what, options, place) => {
    expect(await ask(createOwners(self, options), [name], place)).toBe(false);
  });

  it("is told of an eviction; without any, nobody is", () => {
    const { calls, options } = leasesThat();
    createOwners(self, options).evicted?.(name, PLACE.path);
    expect(calls).toEqual([["evicted", PLACE.path, name]]);
    createOwners(self).evicted?.(name, PLACE.path);
  });
});

/** Of our own pid namespace, with a pid that nobody has. */
function deadHere(): Partial<OwnerIdentity> {
  return { pid: "2147483646", tid: "2147483646", pidNamespace: self.pidNamespace };
}

// A1: field 22 depends on the reader's time namespace
describe.runIf(process.platform === "linux" && observer.procIsOurs())("the start in an old lock file", () => {
  const verdict = (start: string | undefined, of = self): unknown =>
    createOwners(of).judgeLegacy?.({ pid: process.pid, createdAt: "", start }, PLACE).verdict;
  const another = String(Number(self.processStart) - 1);

  it("proves that its owner is dead, if it is not the one that the pid has now", () => {
    expect([self.processStart, another, undefined].map((start) => verdict(start))).toEqual([
      "alive",
      "dead",
      "unknown",
    ]);
  });

  it("proves nothing where uptime is shifted", () => {
    expect(verdict(another, { ...self, timeNamespace: "4026532000" })).toBe("unknown");
  });

  it("is that of a process that is gone, if nobody has its pid", () => {
    const claim = { pid: 2_147_483_646, createdAt: "", start: undefined };
    expect(createOwners(self).judgeLegacy?.(claim, PLACE)).toEqual({
      verdict: "dead",
      reason: "pid 2147483646 is gone",
    });
  });
});
