/** Locks that another user has left: taken over where the directory lets one, else said whose they are, and why. */

import fs from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { lineName } from "../../src/line.ts";
import type { Child } from "./support/child.ts";
import { type Crowd, inAndOut, sayOrder } from "./support/order.ts";
import { root, runIn, tool } from "./support/places.ts";
import { type Session, scenario } from "./support/scenario.ts";

const needs = [root, tool("setpriv")];
const [ALICE, BOB, CAROL, GROUP] = [61_001, 61_002, 61_003, 61_100];

/** In front of a command: it runs as that user. */
const as = (uid: number, gid = uid): readonly string[] => [
  "setpriv",
  `--reuid=${uid}`,
  `--regid=${gid}`,
  "--clear-groups",
  "--inh-caps=-all",
];
const ROOT: readonly string[] = [];

async function dieHolding(session: Session, prefix: readonly string[]): Promise<Child> {
  const dead = await session.start("dead", { prefix });
  expect(await dead.acquire()).toMatchObject({ held: true });
  await dead.kill();
  return dead;
}

/** The path of the name that a dead process left at L, in a directory that has always been sticky. */
async function leaveInSticky(session: Session): Promise<string> {
  fs.chmodSync(session.directory, 0o1777);
  await dieHolding(session, as(ALICE));
  return join(session.lockPath, session.owners()[0] ?? "");
}

const CASES: readonly (readonly [
  from: string,
  owner: readonly string[],
  by: string,
  next: readonly string[],
])[] = [
  ["root", ROOT, "another user", as(ALICE)],
  ["a user", as(ALICE), "root", ROOT],
  ["a user", as(ALICE), "another user", as(BOB)],
];

describe("a lock that a process of another user has left", () => {
  for (const [from, owner, by, next] of CASES) {
    scenario(
      `of ${from} is taken over by ${by}, in a directory of everybody's`,
      { needs },
      async (session) => {
        const dead = await dieHolding(session, owner);
        const other = await session.start("next", { prefix: next });
        expect(await other.acquire()).toMatchObject({ held: true, found: ["dead"], takenOver: [dead.pid] });
        await other.release();
      },
    );
  }

  scenario(
    "is taken over by another member of the group, in a directory of the group's",
    { needs },
    async (session) => {
      fs.chownSync(session.directory, 0, GROUP);
      fs.chmodSync(session.directory, 0o2770);
      const dead = await dieHolding(session, as(ALICE, GROUP));
      const other = await session.start("next", { prefix: as(BOB, GROUP) });
      expect(await other.acquire()).toMatchObject({ held: true, takenOver: [dead.pid] });
      await other.release();
    },
  );

  scenario("in a sticky directory stays, and the error says whose it is", { needs }, async (session) => {
    await dieHolding(session, as(ALICE));
    fs.chmodSync(session.directory, 0o1777);
    const other = await session.start("next", { prefix: as(BOB) });
    const refused = await other.acquire({ timeoutMs: 2_000 });
    expect(refused).toMatchObject({ held: false, code: "EDISK" });
    expect(refused.message).toContain(
      `EPERM: ${session.lockPath} belongs to uid ${ALICE}, and its directory is sticky, where only that user may remove it`,
    );
  });

  scenario(
    "in a sticky directory nobody else can take its name out of the lock",
    { needs },
    async (session) => {
      const name = await leaveInSticky(session);
      expect(() => runIn(as(BOB), ["rm", name])).toThrow(/Operation not permitted/);
      expect(session.owners()).toHaveLength(1);
    },
  );

  scenario("twin: if the lock itself is not sticky, everybody can", { needs }, async (session) => {
    const name = await leaveInSticky(session);
    fs.chmodSync(session.lockPath, 0o777);
    runIn(as(BOB), ["rm", "-f", name]);
    expect(session.owners()).toEqual([]);
  });

  scenario(
    "in a directory that lost its permissions stays, and the error says whose it is",
    { needs },
    async (session) => {
      const dead = await dieHolding(session, as(ALICE));
      fs.chmodSync(session.lockPath, 0o755);
      const other = await session.start("next", { prefix: as(BOB) });
      const refused = await other.acquire({ timeoutMs: 300, judged: true });
      expect(refused).toMatchObject({ held: false, code: "ELOCKED", owner: { pid: dead.pid, uid: ALICE } });
      expect(refused.verdict).toBe(
        `dead, but it cannot be evicted: EACCES: ${session.lockPath} belongs to uid ${ALICE}, and its mode is 755`,
      );
    },
  );
});

describe("a lock that a process of another user holds", () => {
  scenario("is waited for, and the error says whose it is", { needs }, async (session) => {
    const holder = await session.start("holder", { prefix: as(ALICE) });
    await holder.acquire();
    const other = await session.start("next", { prefix: as(BOB) });
    const refused = await other.acquire({ timeoutMs: 300, judged: true });
    expect(refused).toMatchObject({ held: false, code: "ELOCKED", owner: { pid: holder.pid, uid: ALICE } });
    expect(await holder.ask("assertHeld")).toMatchObject({ ours: true });
    await holder.release();
  });
});

describe("processes of several users that go in and out as fast as they can", () => {
  const MS = 700;
  async function together(session: Session, gid: (uid: number) => number): Promise<readonly Crowd[]> {
    const users = [ALICE, BOB, CAROL];
    const children = await Promise.all(
      users.map((uid) => session.start(String(uid), { prefix: as(uid, gid(uid)) })),
    );
    const crowds = await inAndOut(children, MS);
    expect(crowds.flatMap(({ found }) => found)).toEqual([]);
    expect(session.counter()).toBe(crowds.reduce((sum, { turns }) => sum + turns.length, 0));
    return crowds;
  }

  scenario("are served in a directory of everybody's", { needs }, async (session) => {
    sayOrder(await together(session, (uid) => uid));
  });

  scenario("are served in a directory of the group's", { needs }, async (session) => {
    fs.chownSync(session.directory, 0, GROUP);
    fs.chmodSync(session.directory, 0o2770);
    sayOrder(await together(session, () => GROUP));
  });

  scenario("are served also beside a line that one of them keeps to himself", { needs }, async (session) => {
    const line = join(session.directory, lineName("a.jsonl.lock"));
    fs.mkdirSync(line);
    fs.chmodSync(line, 0o755);
    fs.chownSync(line, ALICE, ALICE);
    sayOrder(await together(session, (uid) => uid));
  });
});
