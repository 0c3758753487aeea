/**
 * Calls that fail, are slow, or are the last of their process, made so by strace: the n-th call of each kind, of a
 * process that acquires and releases beside an untouched rival. Witnesses say whether they were alone (evidence.md).
 */

import { join } from "node:path";
import { describe, expect } from "vitest";
import { openWitness, type Witness } from "../support/witness.mjs";
import type { Acquired, Child } from "./support/child.ts";
import { deepCount } from "./support/figures.ts";
import { buildDouble } from "./support/library.ts";
import { tracing } from "./support/places.ts";
import { type Session, scenario } from "./support/scenario.ts";
import { type Injection, inject } from "./support/strace.ts";

/** By kind of call: errors that its manual page has, one that libuv has no name for, and none that is a lie (A7). */
const ERRORS: Readonly<Record<string, readonly string[]>> = {
  rename: ["ESTALE", "EIO", "EACCES", "ENOENT", "ENOSPC", "EBUSY", "EXDEV"],
  mkdir: ["ENOSPC", "EDQUOT", "EACCES", "EMLINK", "ESTALE"],
  openat: ["EMFILE", "ESTALE", "EACCES", "ENFILE", "EIO"],
  getdents64: ["EIO", "ESTALE", "ENOENT"],
  unlink: ["EBUSY", "EPERM", "EIO", "ESTALE", "EROFS"],
  rmdir: ["EBUSY", "EPERM", "ESTALE"],
};
const KINDS = Object.keys(ERRORS);
/**
 * A write of the main thread may also wake the event loop up, and Node.js aborts if that fails: so no write fails here.
 * test/faults has every errno of it, and disks.test.ts a disk that is full.
 */
const KILLED_AT = [...KINDS, "write"];

/** With a home at hand nobody makes one: so every other Take or PutBack fails, and the home is given up, or ends by a Drop. */
const MAKES_HOMES: Injection = { call: "rename", what: "error=EBUSY", when: "1+2" };

/** From the first call of a kind on; and so many in the gate, and with `npm run process`. */
const CALLS = deepCount(1, 4);
const ERRORS_OF_A_KIND = deepCount(1, 7);
const DELAYS = deepCount(0, 1) === 0 ? [] : ["delay_enter=40ms", "delay_exit=40ms"];

/** And then every such call again: the n-th, the n-th plus so many ... */
const EVERY = 3;

/**
 * One thread in the pool: strace counts the calls of each thread for itself. No warnings (of the open directory) on
 * standard error: they are written by a call that is made to fail, and Node.js aborts then.
 */
const ONE_THREAD = { env: { UV_THREADPOOL_SIZE: "1", NODE_NO_WARNINGS: "1" } };

/** Long enough that only a promise that never settles is later. */
const SOON_MS = 20_000;

function injections(what: readonly string[], call: string, when: string): readonly Injection[] {
  const other = call === "rename" || call === "openat" || call === "getdents64" ? [] : [MAKES_HOMES];
  return [...what.map((each) => ({ call, what: each, when })), ...other];
}

/** Of the pool's threads a write is a wake-up of the event loop; what the lock writes, the main thread does. */
const threadsOf = (call: string): "all" | "main" => (call === "write" ? "main" : "all");

/** So many sections of a process whose witness we are: its own calls are those of the lock alone. */
class Watched {
  readonly found: string[] = [];
  /** The promises that settled with an error of the disk. */
  readonly refused: string[] = [];
  held = 0;
  private readonly child: Child;
  private readonly witness: Witness;

  constructor(session: Session, child: Child) {
    this.child = child;
    this.witness = openWitness(join(session.scratch, "witness"), child.who);
  }

  /** A life socket and a home are made; from here on a rename is a Take or a PutBack. */
  async warmUp(): Promise<void> {
    expect(await this.section(SOON_MS)).toMatchObject({ held: true });
  }

  async sections(count: number, timeoutMs = 300): Promise<void> {
    for (let i = 0; i < count; i++) await this.section(timeoutMs);
  }

  async section(timeoutMs: number): Promise<Acquired> {
    const acquired = await this.child.acquire({ inside: false, timeoutMs });
    if (!acquired.held) {
      this.refused.push(acquired.code ?? "");
      return acquired;
    }
    this.held++;
    this.witness.putMarker((marker) => this.found.push(marker));
    const counter = this.witness.readCounter();
    await new Promise((resolve) => setImmediate(resolve));
    this.witness.writeCounter(counter + 1);
    this.witness.removeMarker((marker) => this.found.push(marker));
    const { code } = await this.child.release();
    if (code !== undefined) this.refused.push(code);
    return acquired;
  }
}

/** What happens to the calls of a kind. In the gate one error each; slow.test.ts has delays. */
function faultsOf(call: string): readonly string[] {
  const errors = (ERRORS[call] ?? []).slice(0, ERRORS_OF_A_KIND).map((errno) => `error=${errno}`);
  return [...errors, ...DELAYS];
}

describe("a process whose n-th call of a kind goes wrong, beside a rival", () => {
  for (const call of KINDS) {
    scenario(
      `${call}: nobody is together with another, everything settles, and then all is well`,
      { needs: [tracing], timeout: 300_000 },
      async (session) => {
        const [struck, rival] = [await session.start("struck", ONE_THREAD), await session.start("rival")];
        const watched = new Watched(session, struck);
        await watched.warmUp();
        let [sections, hit] = [0, 0];
        for (const what of faultsOf(call)) {
          for (let n = 1; n <= CALLS; n++) {
            // Enough that the n-th mkdir is among them: every other section makes a home.
            const count = 4 + 2 * n;
            const injected = injections([what], call, `${n}+${EVERY}`);
            const injection = await inject(struck, injected, "all", join(session.scratch, "injected"));
            const working = rival.ask("sections", { count });
            await watched.sections(count);
            const hits = (await injection.end())(call);
            expect(hits, `${call}:${what}:when=${n}+${EVERY} was done to a call`).toBeGreaterThan(0);
            // What was owed is paid as soon as the disk lets it: the rival comes to its end.
            expect(await working).toMatchObject({ sections: count, found: [] });
            expect(await watched.section(SOON_MS)).toMatchObject({ held: true });
            sections += count;
            hit += hits;
          }
        }
        session.expectAlone(watched.found);
        expect(session.counter()).toBe(sections + watched.held);
        const codes = [...new Set(watched.refused)].sort();
        expect(codes.filter((code) => !["EDISK", "ELOCKED", "ERELEASE"].includes(code))).toEqual([]);
        console.log(
          `${call}: ${hit} calls hit, ${watched.held} + ${sections} sections, ${watched.refused.length} refusals (${codes.join(", ")})`,
        );
      },
    );
  }

  scenario(
    "twin: if a PutBack that failed counts as a release, the rival waits for ever",
    { needs: [tracing] },
    async (session) => {
      const library = buildDouble({
        name: "PutBackErrorIsRelease",
        file: "protocol.ts",
        patches: [['moved.errno === "ENOENT" ? "drop" : "failed";', '"back";']],
      });
      const [struck, rival] = [await session.start("struck", { library }), await session.start("rival")];
      const watched = new Watched(session, struck);
      await watched.warmUp();
      const injection = await inject(
        struck,
        // The first one is the Take.
        injections(["error=EIO"], "rename", "2"),
        "main",
        join(session.scratch, "injected"),
      );
      await watched.sections(1);
      await injection.end();
      expect(watched.held).toBe(2);
      expect(await rival.acquire({ timeoutMs: 500 })).toMatchObject({ held: false, code: "ELOCKED" });
    },
  );
});

describe("a process that is killed at its n-th call of a kind", () => {
  for (const call of KILLED_AT) {
    scenario(
      `${call}: the next one gets the lock, and sweeps`,
      { needs: [tracing], timeout: 300_000 },
      async (session) => {
        for (let n = 1; n <= CALLS; n++) {
          const who = `struck-${n}`;
          const struck = await session.start(who, ONE_THREAD);
          const watched = new Watched(session, struck);
          await watched.warmUp();
          const killing = injections(["signal=SIGKILL"], call, String(n));
          const file = join(session.scratch, "injected");
          const injection = await inject(struck, killing, threadsOf(call), file);
          await watched.sections(4 + 2 * n).catch(() => {});
          expect(struck.isRunning(), `it was killed at its ${call} number ${n}`).toBe(false);
          await injection.end();
          const next = await session.start(`next-${n}`);
          const acquired = await next.acquire({ timeoutMs: SOON_MS });
          expect(acquired).toMatchObject({ held: true });
          session.expectAlone([...watched.found, ...acquired.found], [who]);
          await next.release();
          await next.leave();
        }
      },
    );
  }
});
