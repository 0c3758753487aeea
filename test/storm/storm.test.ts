/** Short storms: what is correct stands in them, and each thing that is missing is told by the check of its name. */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { buildDouble } from "../process/support/library.ts";
import { linux, mounts, root } from "../process/support/places.ts";
import { doNotRun } from "../support/notRun.ts";
import type { Check } from "./judge.ts";
import { runStorm, type StormOptions, type StormReport } from "./run.ts";
import { STORM_TWINS } from "./twins.ts";

const SEED = Math.floor(Math.random() * 1e6);
const COMMAND = fileURLToPath(new URL("storm.ts", import.meta.url));
const LIBRARY = new URL("../../dist/index.js", import.meta.url).href;
/** Whatever is broken may hang: the longest that a test waits for it. */
const HANGS_AFTER_MS = 60_000;

describe(`a storm, seed ${SEED}`, () => {
  it("on a small disk that is full now and then: nobody meets another, nothing is lost, nothing is left", (context) => {
    if (![linux, root, mounts].every((need) => need.isMet())) {
      doNotRun(context, "this machine has not: Linux, root, a mount namespace of its own");
    }
    const args = ["--signals", "80", "--processes", "5", "--files", "2", "--seed", String(SEED), "--json"];
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", COMMAND, ...args], {
      encoding: "utf8",
    });
    expect(stdout, stderr).toMatch(/^\{.*\}\n$/);
    const { damage, figures } = JSON.parse(stdout) as StormReport;
    expect(damage).toEqual([]);
    // Not vacuous.
    expect(figures.kills + figures.stops).toBeGreaterThanOrEqual(80);
    expect(figures.killsInside).toBeGreaterThanOrEqual(3);
    expect(figures.markersOfTheDead).toBeGreaterThan(0);
    expect(figures.sections).toBeGreaterThan(0);
  });
});

describe(`twins in a storm, seed ${SEED}`, () => {
  for (const { double, gone, caughtBy, signals, processes } of STORM_TWINS) {
    it(`without: ${gone}`, async () => {
      const library = pathToFileURL(buildDouble(double)).href;
      const only = { signals, processes, killShare: 0.4, without: ["word"] } as const;
      const { damage } = await shortStorm({ library, ...only });
      expect(checksOf(damage)).toContain(caughtBy);
    });
  }

  it("without a lock, the marker tells", async () => {
    const { damage } = await shortStorm({ signals: 1_000, without: ["lock"] });
    expect(checksOf(damage)).toEqual(["marker"]);
  });

  it("without a lock, the counter alone tells", async () => {
    const { damage } = await shortStorm({ signals: 60, sections: 100, without: ["lock", "marker"] });
    expect(checksOf(damage)).toEqual(["counter"]);
  });

  it("an error that no weather explains is told", async () => {
    const { damage } = await shortStorm({ signals: 1_000, library: libraryOf("throw new Error('broken')") });
    expect(checksOf(damage)).toEqual(["error"]);
  });

  it("a process that dies before it is ready is told, and nobody waits for it", async () => {
    const library = "data:text/javascript,throw new Error('broken')";
    const { damage } = await shortStorm({ signals: 30, library });
    expect(checksOf(damage)).toEqual(["process"]);
  });

  it("processes that hang are told", async () => {
    const library = libraryOf("return new Promise(() => setInterval(() => {}, 1000))");
    const { damage } = await shortStorm({ signals: 10_000, library, hangsAfterMs: 1_000, processes: 2 });
    expect(damage).toContainEqual({ check: "process", what: "nothing happened for 1000 ms" });
  });
});

/** Another library, whose functions do this and nothing else. */
const libraryOf = (body: string): string =>
  `data:text/javascript,${encodeURIComponent(
    `export async function acquireSessionWriteLock() { ${body} }
    export const tryAcquireSessionWriteLock = acquireSessionWriteLock;`,
  )}`;

const checksOf = (damage: StormReport["damage"]): readonly Check[] => [
  ...new Set(damage.map(({ check }) => check)),
];

async function shortStorm(
  options: Partial<StormOptions> & { readonly signals: number },
): Promise<StormReport> {
  const place = fs.mkdtempSync(join(tmpdir(), "swl-storm-test-"));
  const [sessions, witness] = [join(place, "sessions"), join(place, "witness")];
  for (const directory of [sessions, witness]) fs.mkdirSync(directory);
  try {
    return await runStorm({
      processes: 4,
      files: 1,
      seed: SEED,
      sessions,
      witness,
      library: LIBRARY,
      hangsAfterMs: HANGS_AFTER_MS,
      ...options,
    });
  } finally {
    fs.rmSync(place, { recursive: true, force: true, maxRetries: 5 });
  }
}
