/**
 * The lease (spec/lease.md), of real processes in pid namespaces of their own, whose life sockets are gone: nothing can
 * be proved of them. The beat is shorter than in the package, so that the tests need not take half an hour.
 */

import fs from "node:fs";
import { join } from "node:path";
import { describe, expect, vi } from "vitest";
import { type Child, now, untilState } from "./support/child.ts";
import { buildDouble, type LibraryDouble } from "./support/library.ts";
import { pidNamespaces, root } from "./support/places.ts";
import { type Session, scenario } from "./support/scenario.ts";

const BEAT_MS = 300;
/** The shortest there is: three beats. */
const STALE_MS = 3 * BEAT_MS;
/** Of silence, before an eviction: stale, and then three beats more. */
const LEASE_MS = 2 * STALE_MS;
/** For a machine with a load of 20 on two cores. */
const PATIENCE_MS = 60_000;

const SHORT_BEAT: LibraryDouble["patches"][number] = ["BEAT_MS = 60_000;", `BEAT_MS = ${BEAT_MS};`];
const library = once({ name: "ShortBeat", file: "heartbeat.ts", patches: [SHORT_BEAT] });
/** Holders do not beat. */
const silent = once({
  name: "SilentHolder",
  file: "heartbeat.ts",
  patches: [SHORT_BEAT, ["if (first) this.#arm();", "void first;"]],
});
const needs = [root, pidNamespaces];

describe("an owner that cannot be judged, and that was killed", () => {
  scenario("is taken over when its lease has lapsed, and not before", { needs }, async (session) => {
    const holder = await startHolder(session);
    const waiter = await session.start("waiter", { library: library() });
    const waiting = waiter.acquire({ timeoutMs: PATIENCE_MS, options: { staleMs: STALE_MS } });
    // On a busy machine the last beat may be older than a beat.
    const beatAt = await lastBeat(session, holder);
    await holder.kill();
    const acquired = await waiting;
    expect(acquired).toMatchObject({ held: true, found: ["holder"] });
    expect(acquired.at - beatAt).toBeGreaterThan(LEASE_MS - CLOCK_TICK_MS);
    // The mark goes after the eviction, and nobody waits for that.
    await noMarks(session);
    await waiter.release();
  });

  scenario(
    "is taken over by judges that come and go, none of whom waits for half a beat",
    { needs },
    async (session) => {
      const holder = await startHolder(session);
      await holder.kill();
      const endsAt = Date.now() + PATIENCE_MS;
      let tries = 0;
      for (let held = false; !held; tries++) {
        expect(Date.now()).toBeLessThan(endsAt);
        const judge = await session.start(`judge ${tries}`, { library: library() });
        const acquired = await judge.acquire({ timeoutMs: BEAT_MS / 3, options: { staleMs: STALE_MS } });
        held = acquired.held;
        if (held) expect(acquired.found).toEqual(["holder"]);
        else expect(acquired).toMatchObject({ code: "ELOCKED" });
        if (held) await judge.release();
        await judge.leave();
      }
      expect(tries).toBeGreaterThan(1);
    },
  );

  scenario("is waited for until it was silent for staleMs", { needs }, async (session) => {
    const holder = await startHolder(session);
    await holder.kill();
    const waiter = await session.start("waiter", { library: library() });
    const refused = await waiter.acquire({ timeoutMs: LEASE_MS + 3 * BEAT_MS, options: { staleMs: 1e9 } });
    expect(refused).toMatchObject({ held: false, code: "ELOCKED" });
    // The timeout may come in the middle of a look, whose probe is removed a moment later.
    await noMarks(session);
    session.staysLocked();
  });
});

describe("an owner that cannot be judged, and that lives", () => {
  scenario("keeps its lock while it beats", { needs }, async (session) => {
    const holder = await startHolder(session);
    const waiter = await session.start("waiter", { library: library() });
    const refused = await waiter.acquire({ timeoutMs: 2 * LEASE_MS, options: { staleMs: STALE_MS } });
    expect(refused).toMatchObject({ held: false, code: "ELOCKED" });
    expect(refused.verdict).toMatch(/^another pid namespace.*; silent for \d+ s/);
    expect(await holder.ask("assertHeld")).toMatchObject({ ours: true });
    expect(await holder.ask("told")).toMatchObject({ aborted: false });
    expect((await holder.release()).found).toEqual([]);
    await Promise.all([holder.leave(), waiter.leave()]);
  });

  scenario("twin: without its beats there are two holders", { needs }, async (session) => {
    const holder = await startHolder(session, silent());
    const waiter = await session.start("waiter", { library: library() });
    const both = await waiter.acquire({ timeoutMs: PATIENCE_MS, options: { staleMs: STALE_MS } });
    expect(both).toMatchObject({ held: true, found: ["holder"] });
    expect(await holder.ask("assertHeld")).toMatchObject({ ours: false });
    await waiter.release();
    await holder.release();
    await Promise.all([holder.leave(), waiter.leave()]);
  });

  scenario(
    "and was stopped for too long alone loses, is told, and takes nothing away",
    { needs },
    async (session) => {
      const holder = await startHolder(session);
      holder.signal("SIGSTOP");
      const waiter = await session.start("waiter", { library: library() });
      const acquired = await waiter.acquire({ timeoutMs: PATIENCE_MS, options: { staleMs: STALE_MS } });
      expect(acquired).toMatchObject({ held: true, found: ["holder"] });
      holder.signal("SIGCONT");
      await expect
        .poll(() => holder.ask("told"), { timeout: PATIENCE_MS })
        .toMatchObject({ aborted: true, code: "ECOMPROMISED" });
      await holder.release();
      expect(await waiter.ask("assertHeld")).toMatchObject({ ours: true });
      expect(session.owners()).toHaveLength(1);
      await waiter.release();
      // Whoever lost may ask again.
      expect(await holder.acquire({ inside: false })).toMatchObject({ held: true });
      await holder.release();
      await Promise.all([holder.leave(), waiter.leave()]);
    },
  );
});

// ------------------------------------------------------------------------------------------------

/** Stamps of files are as coarse as the kernel's tick, and a judge is not exactly in time. */
const CLOCK_TICK_MS = 20;
const CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** Of another pid namespace, and without the proof of its life socket. */
async function startHolder(session: Session, of = library()): Promise<Child> {
  const holder = await session.start("holder", { prefix: CONTAINER, library: of });
  expect(await holder.acquire()).toMatchObject({ held: true });
  for (const name of fs.readdirSync(session.directory)) {
    if (name.startsWith(".swl-life-")) fs.rmSync(join(session.directory, name));
  }
  return holder;
}

/** Stops it, so that no other beat follows. On the clock of the answers. */
async function lastBeat(session: Session, holder: Child): Promise<number> {
  holder.signal("SIGSTOP");
  await untilState(holder, "T");
  const [name = ""] = session.owners();
  const { mtimeMs } = fs.statSync(join(session.lockPath, name));
  return mtimeMs - Date.now() + now();
}

function noMarks(session: Session): Promise<void> {
  const marks = (): readonly string[] =>
    fs.readdirSync(session.directory).filter((name) => name.startsWith(".swl-mark-"));
  return vi.waitFor(() => expect(marks()).toEqual([]), { timeout: PATIENCE_MS });
}

function once(double: LibraryDouble): () => string {
  let path: string | undefined;
  return () => {
    path ??= buildDouble(double);
    return path;
  };
}
