/**
 * The directory of a session is renamed, replaced or removed under a holder. Nobody can prevent that (A2): it is noticed and
 * told, the release settles, and nothing that stands in the new place is touched.
 */

import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { doubleOf } from "../twins/doubles.ts";
import type { Child } from "./support/child.ts";
import { buildDouble } from "./support/library.ts";
import { listing, type Session, scenario } from "./support/scenario.ts";

interface Fate {
  readonly what: string;
  /** What becomes of a directory, which somebody holds a lock in. */
  befall(directory: string): void;
}

const moved = (directory: string): string => `${directory}-moved`;

const RENAMED: Fate = {
  what: "renamed",
  befall: (directory) => fs.renameSync(directory, moved(directory)),
};

const REPLACED: Fate = {
  what: "replaced by another",
  befall: (directory) => {
    fs.renameSync(directory, moved(directory));
    fs.mkdirSync(directory);
  },
};

const REMOVED: Fate = {
  what: "removed",
  befall: (directory) => fs.rmSync(directory, { recursive: true }),
};

const FATES = [RENAMED, REPLACED, REMOVED];

describe("a holder whose directory is taken away", () => {
  // All at once, since each takes the five seconds of a Watch.
  scenario("is told by its signal, if nobody asks; twin: not without the Watch", {}, async (session) => {
    const blind = buildDouble({
      name: "NoWatch",
      file: "heartbeat.ts",
      patches: [["if (look.ours !== false) return;", "if (look.ours !== null) return;"]],
    });
    const twin = await holdIn(session, "twin", RENAMED, blind);
    const told = FATES.map(async (fate) => {
      const { holder } = await holdIn(session, fate.what, fate);
      const signal = await untilTold(holder);
      await holder.release();
      return signal;
    });
    const lost = { aborted: true, code: "ECOMPROMISED", isHeld: false };
    expect(await Promise.all(told)).toMatchObject([lost, lost, lost]);
    // It held before the others, so its Watch came before theirs.
    expect(await twin.holder.ask("told")).toMatchObject({ aborted: false, isHeld: true });
    expect(await twin.holder.ask("assertHeld")).toMatchObject({ ours: false, code: "ECOMPROMISED" });
    await twin.holder.release();
  });

  scenario("is told by assertHeld, its release settles, and it can lock again there", {}, async (session) => {
    await Promise.all(FATES.map((fate) => loseAndLockAgain(session, fate)));
  });

  scenario("and put back is a holder still", {}, async (session) => {
    const { holder, directory } = await holdIn(session, "back", RENAMED);
    fs.renameSync(moved(directory), directory);
    expect(await holder.ask("assertHeld")).toMatchObject({ ours: true });
    expect((await holder.release()).code).toBeUndefined();
    await holder.leave();
    expect(listing(directory)).toEqual([]);
  });

  scenario(
    "takes nothing from whoever holds in the new place; twin: a Drop by path does",
    {},
    async (session) => {
      const { next, after, before } = await releaseBesideAnother(session, "first");
      expect(after).toEqual(before);
      expect(await next.ask("assertHeld")).toMatchObject({ ours: true });

      const { patches } = doubleOf("DropByPath");
      const library = buildDouble({ name: "DropByPathMoved", file: "protocol.ts", patches });
      const { next: robbed } = await releaseBesideAnother(session, "twin", library);
      expect(await robbed.ask("assertHeld")).toMatchObject({ ours: false, code: "ECOMPROMISED" });
    },
  );

  scenario("a waiter in it is told that the disk has failed", {}, async (session) => {
    const { sessionFile, directory } = await hold(session, "holder");
    const waiter = await session.start("waiter", { sessionFile });
    const waiting = waiter.acquire();
    while (fs.readdirSync(directory).filter((name) => name.includes("own1_")).length < 1) await sleep(5);
    RENAMED.befall(directory);
    expect(await waiting).toMatchObject({ held: false, code: "EDISK" });
  });
});

async function loseAndLockAgain(session: Session, fate: Fate): Promise<void> {
  const { holder, sessionFile, directory } = await holdIn(session, fate.what, fate);
  const elsewhere = fs.existsSync(moved(directory)) ? listing(moved(directory)) : undefined;
  expect(await holder.ask("assertHeld")).toMatchObject({ ours: false, code: "ECOMPROMISED" });
  expect(await holder.ask("told")).toMatchObject({ aborted: true, isHeld: false });
  expect((await holder.release()).code).toBeUndefined();
  // What went elsewhere is as it was: nobody here knows where.
  if (elsewhere !== undefined) expect(listing(moved(directory))).toEqual(elsewhere);

  fs.mkdirSync(directory, { recursive: true });
  expect(await holder.acquire({ inside: false })).toMatchObject({ held: true });
  const other = await session.start(`beside ${fate.what}`, { sessionFile });
  expect(await other.acquire({ timeoutMs: 100 })).toMatchObject({ held: false, code: "ELOCKED" });
  await holder.release();
}

interface Held {
  readonly holder: Child;
  readonly directory: string;
  readonly sessionFile: string;
}

/** A process that holds the lock of a session in a directory of its own. */
async function hold(session: Session, name: string, library?: string): Promise<Held> {
  const directory = join(session.scratch, name.replaceAll(" ", "-"));
  const sessionFile = join(directory, "a.jsonl");
  fs.mkdirSync(directory);
  const holder = await session.start(name, { sessionFile, library });
  expect(await holder.acquire({ inside: false })).toMatchObject({ held: true });
  return { holder, directory, sessionFile };
}

async function holdIn(session: Session, name: string, fate: Fate, library?: string): Promise<Held> {
  const held = await hold(session, name, library);
  fate.befall(held.directory);
  return held;
}

/** No limit of its own: that of the test is one. */
async function untilTold(holder: Child): Promise<unknown> {
  for (;;) {
    const signal = await holder.ask("told");
    if (signal["aborted"] === true) return signal;
    await sleep(50);
  }
}

/** Two hold the same path, each in a directory of its own, which nobody prevents; the first one lets go. */
async function releaseBesideAnother(
  session: Session,
  name: string,
  library?: string,
): Promise<{ readonly next: Child; readonly before: readonly string[]; readonly after: readonly string[] }> {
  const { holder, directory, sessionFile } = await holdIn(session, name, REPLACED, library);
  const next = await session.start(`after ${name}`, { sessionFile });
  expect(await next.acquire({ inside: false })).toMatchObject({ held: true });
  const before = listing(directory);
  expect((await holder.release()).code).toBeUndefined();
  return { next, before, after: listing(directory) };
}
