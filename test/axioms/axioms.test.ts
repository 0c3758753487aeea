// tests A3: real processes on real file systems, against the model of the disk. `npm run axioms` does the same for longer.

import { beforeAll, describe, expect, it } from "vitest";
import { DISKS, FUSE_DISKS, needsOf } from "../process/support/disks.ts";
import { deepCount } from "../process/support/figures.ts";
import { skipWithout } from "../process/support/scenario.ts";
import { BROKEN_DISKS } from "./brokenDisks.ts";
import { type Examined, examine, isExplained, problemOf } from "./examine.ts";
import type { History } from "./history.ts";
import { BROKEN_PORTS, record } from "./record.ts";

// What is called is fixed by the seed; when, the machine decides.
const SEED = Number(process.env["SWL_SEED"] ?? 1);
const ROUNDS = deepCount(500, 5_000);
const TWIN_ROUNDS = 250;

const [tmpfs] = DISKS.filter(({ type }) => type === "tmpfs");
if (tmpfs === undefined) throw new Error("tmpfs is no longer among the disks");

describe("what concurrent processes see is explained by the axioms", () => {
  for (const disk of [...DISKS, ...FUSE_DISKS]) {
    it(`on ${disk.type}`, async (context) => {
      skipWithout(needsOf(disk), context);
      const result = await examine(disk, { rounds: ROUNDS, seed: SEED });
      expect(problemOf(result)).toBeUndefined();
      expect(result.histories).toBe(ROUNDS);
      console.log(JSON.stringify(result));
    });
  }
});

it("a run in which hardly any calls overlapped is a failure, and says so", () => {
  const quiet: Examined = {
    disk: "tmpfs",
    port: "node",
    seed: 1,
    histories: 500,
    calls: 9_000,
    overlapping: 9,
    unexplained: 0,
    refutes: {},
    seconds: 1,
  };
  expect(problemOf(quiet)).toMatch(/^Only 9 pairs of calls overlapped in 500 histories on tmpfs/);
  expect(problemOf({ ...quiet, overlapping: 10 })).toBeUndefined();
});

describe("a port that breaks the axioms is caught, in real processes", () => {
  for (const port of BROKEN_PORTS) {
    it(port, async (context) => {
      skipWithout(needsOf(tmpfs), context);
      const result = await examine(tmpfs, { rounds: TWIN_ROUNDS, seed: SEED, port });
      expect(problemOf(result)).toMatch(/not explained by the axioms\. The first:\nround \d+\nat first: /);
      console.log(`${port}: ${result.unexplained} of ${result.histories} histories refused`);
    });
  }
});

describe("a broken model of the disk does not explain what real processes saw", () => {
  const histories: History[] = [];
  beforeAll(async () => {
    if (!needsOf(tmpfs).every((need) => need.isMet())) return;
    await record(tmpfs, { rounds: TWIN_ROUNDS, seed: SEED }, (history) => histories.push(history));
  });

  for (const { name, disk, doesMore } of BROKEN_DISKS) {
    if (doesMore) continue;
    it(name, (context) => {
      skipWithout(needsOf(tmpfs), context);
      const refuted = histories.filter((history) => !isExplained(history, disk)).length;
      expect(refuted).toBeGreaterThan(0);
      console.log(`${name}: refuted by ${refuted} of ${histories.length} histories`);
    });
  }
});
