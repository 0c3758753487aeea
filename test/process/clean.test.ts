/** `cleanStaleLockFiles` beside those who use the locks. */

import fs from "node:fs";
import { describe, expect } from "vitest";
import { deadPid } from "../support/processes.ts";
import type { Child } from "./support/child.ts";
import { deepCount } from "./support/figures.ts";
import { scenario } from "./support/scenario.ts";

const SECTIONS = deepCount(150, 3_000);
const KILLS = deepCount(5, 60);

describe("a directory that is cleaned again and again", () => {
  scenario(
    "while writers use it and die takes nothing from the living",
    { timeout: 900_000 },
    async (session) => {
      const [a, b, cleaner] = [
        await session.start("a"),
        await session.start("b"),
        await session.start("cleaner"),
      ];
      const victims: Child[] = [];
      for (let i = 0; i < KILLS; i++) victims.push(await session.start(`victim${i}`));
      let working = true;
      const writers = Promise.all([a, b].map((child) => child.ask("sections", { count: SECTIONS })));
      const cleaning = (async () => {
        const pids: number[] = [];
        let rounds = 0;
        while (working || rounds <= 5) {
          const cleaned = (await cleaner.ask("clean", { ms: 200 })) as unknown as Cleaned;
          pids.push(...cleaned.pids);
          rounds += cleaned.rounds;
        }
        return { pids, rounds };
      })();
      for (const victim of victims) {
        expect(await victim.acquire({ timeoutMs: 60_000 })).toMatchObject({ held: true });
        await victim.kill();
      }
      const results = (await writers) as unknown as readonly Sections[];
      working = false;
      const { pids, rounds } = await cleaning;
      console.log(`cleaned ${rounds} times beside writers: ${pids.length} of ${KILLS} dead holders`);
      expect(results.map(({ sections }) => sections)).toEqual([SECTIONS, SECTIONS]);
      const dead = victims.map(({ who }) => who);
      for (const { found } of results) session.expectAlone(found, dead);
      expect(session.counter()).toBe(2 * SECTIONS);
      // Only of the dead, each once at most: whoever waits may be first.
      expect(pids.filter((pid) => !victims.some((victim) => victim.pid === pid))).toEqual([]);
      expect(new Set(pids).size).toBe(pids.length);
      expect(rounds).toBeGreaterThan(5);
    },
  );
});

describe("an old lock file of a dead process", () => {
  scenario("is taken over by many who ask for it at once, by one at a time", {}, async (session) => {
    const children = await Promise.all(["a", "b", "c", "d"].map((who) => session.start(who)));
    const dead = deadPid();
    for (let i = 0; i < ROUNDS; i++) {
      const content = JSON.stringify({ pid: dead, createdAt: new Date().toISOString() });
      fs.writeFileSync(session.lockPath, content, { flag: "wx" });
      const found = await Promise.all(
        children.map(async (child) => {
          const acquired = await child.acquire({ timeoutMs: 60_000, options: { migrateLegacyLocks: true } });
          expect(acquired).toMatchObject({ held: true });
          return [...acquired.found, ...(await child.release()).found];
        }),
      );
      session.expectAlone(found.flat());
    }
    expect(session.counter()).toBe(children.length * ROUNDS);
  });
});

const ROUNDS = deepCount(10, 200);

interface Cleaned {
  readonly rounds: number;
  readonly pids: readonly number[];
}

interface Sections {
  readonly sections: number;
  readonly found: readonly string[];
}
