import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { UsageError } from "../support/cliOptions.ts";
import { root } from "../support/processes.ts";
import { ADAPTERS } from "./adapters.mjs";
import { createBook, type Row } from "./book.ts";
import { BROKEN, LOCKS } from "./locks.ts";
import { MEASURES } from "./measures.ts";
import { reasonIn } from "./native.ts";
import { readBenchOptions } from "./options.ts";
import { isCalm, secondsIn, watchOthers } from "./others.ts";
import { pagesOf, RESULTS, withSection } from "./pages.ts";
import { fairness, median, quantile, rounded, shuffled } from "./statistics.ts";
import { linesOf, type Measured, merged, type Summary, summaryOf } from "./summary.ts";
import { targetsOf } from "./targets.ts";

describe("the statistics of the bench", () => {
  it("a quantile is one of the values, by nearest rank", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([0, 0.5, 0.99, 1].map((q) => quantile(hundred, q))).toEqual([1, 50, 99, 100]);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it("a median of an even number is between the two in the middle", () => {
    expect([median([3, 1, 2]), median([10, 2, 1, 4])]).toEqual([2, 3]);
    expect(median([])).toBeNaN();
  });

  it("fairness is 1 among equals, and 1/n if one has all", () => {
    expect([fairness([5, 5, 5, 5]), fairness([7, 0, 0, 0])]).toEqual([1, 0.25]);
    expect(fairness([0, 0])).toBeNaN();
  });

  it("what is shuffled is still there, and the order is the seed's", () => {
    const low = (): number => 0;
    const high = (): number => 0.999;
    expect(shuffled([1, 2, 3], low)).toEqual([1, 2, 3]);
    expect(shuffled([1, 2, 3], high)).toEqual([3, 2, 1]);
  });

  it("numbers have three digits, and none is shown for what is not there", () => {
    expect([0.06666, 4.5, 99.96, 123.4, 276_000, Number.NaN].map(rounded)).toEqual([
      "0.0667",
      "4.5",
      "100",
      "123",
      "276,000",
      "-",
    ]);
  });
});

describe("what others had of the machine", () => {
  it("is what the machine was busy with, without the process and its children", () => {
    const machine = "cpu  100 20 30 9999 888 5 6 7 0 0\ncpu0 1 2 3\n";
    const own = `42 (a) b (c) S ${Array(10).fill(7).join(" ")} 10 20 30 40 999 999`;
    expect(secondsIn(machine, own)).toEqual({ busyS: 1.68, ownS: 1 });
  });

  it("is too much from a tenth on; what cannot be seen is not", () => {
    expect([0, 0.1, 0.11, 1, null].map(isCalm)).toEqual([true, true, false, false, true]);
  });

  it.skipIf(process.platform !== "linux")("is seen of a process that nobody has waited for yet", async () => {
    const child = spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
    const othersHad = watchOthers();
    await sleep(1_000);
    const share = othersHad();
    child.kill("SIGKILL");
    await once(child, "exit");
    // Of one core, whatever it had of it; on a busy machine the others have more.
    expect(share).toBeGreaterThan(0.2 / os.availableParallelism());
    expect(share).toBeLessThanOrEqual(1);
  });
});

describe("the options of npm run bench", () => {
  it("ask for everything, or for a part; ours and the floor are always there", () => {
    expect(readBenchOptions([]).only).toEqual(MEASURES.map(({ name }) => name));
    expect(readBenchOptions(["--only", "alone,tasks"]).only).toEqual(["alone", "tasks"]);
    expect(readBenchOptions(["--locks", "flock"]).locks).toEqual(["floor", "ours", "flock"]);
    expect(readBenchOptions([]).locks).not.toContain(BROKEN.name);
  });

  it.each([
    [["--onyl", "alone"]],
    [["--only", "alone,everything"]],
    [["--locks", "mine"]],
    [["--rounds", "0"]],
    [["--seed", "-1"]],
    [["rest"]],
  ])("refuse %j", (args) => {
    expect(() => readBenchOptions(args)).toThrow(UsageError);
  });

  it("a build that failed says why", () => {
    const stderr = "npm error gyp ERR! stack Error: Could not find it\nnpm error gyp ERR! not ok\n";
    expect(reasonIn(stderr)).toBe("Could not find it");
    expect(reasonIn("one\nkilled\n")).toBe("killed");
  });

  it("every lock has an adapter, and every adapter is a lock", () => {
    expect(Object.keys(ADAPTERS).sort()).toEqual([...LOCKS, BROKEN].map(({ name }) => name).sort());
  });
});

/** Of `alone`: so much for each lock; `processes`: so many. */
function rowsOf(
  measure: string,
  variant: string,
  metric: string,
  of: Record<string, number>,
): readonly Row[] {
  const book = createBook();
  for (const [lock, value] of Object.entries(of)) book.add({ measure, variant, lock }, { [metric]: value });
  return book.rows();
}

/** As a run of them would have it. */
function measuredOf(rows: readonly Row[]): readonly Measured[] {
  return MEASURES.filter(({ name }) => rows.some((row) => row.measure === name)).map((measure) => ({
    name: measure.name,
    seed: 1,
    rounds: 3,
    seconds: 9,
    commit: "abc1234",
    others: 0.01,
    lines: linesOf(measure, rows),
  }));
}

describe("the report", () => {
  const measure = MEASURES.find(({ name }) => name === "processes");
  if (measure === undefined) throw new Error("there is no such measure");
  const place = { measure: "processes", variant: "4 processes", lock: "fast" };

  it("shows no number of a lock that was once seen not to exclude", () => {
    const book = createBook();
    book.add({ ...place, lock: "ours" }, { perS: 1_000 });
    book.add(place, { perS: 1_000_000 });
    book.witness(place, false);
    book.witness(place, true);
    const line = linesOf(measure, book.rows()).find(({ lock }) => lock === "fast");
    expect(line?.remark).toMatch(/DOES NOT EXCLUDE/);
    expect(new Set([...(line?.values ?? []), line?.ratio])).toEqual(new Set([null]));
  });

  it("shows no number of a lock that failed, but why", () => {
    const book = createBook();
    book.add(place, { perS: 5 });
    book.fail(place, "it hung");
    book.fail(place, "another reason");
    expect(linesOf(measure, book.rows())[0]).toMatchObject({ remark: "FAILED: it hung", ratio: null });
  });

  it("says how many times as good ours is, of rates and of times", () => {
    const rates = rowsOf("processes", "4 processes", "perS", { ours: 100, slow: 50 });
    expect(linesOf(measure, rates).map(({ ratio }) => ratio)).toEqual([1, 2]);
    const alone = MEASURES.find(({ name }) => name === "alone");
    const times = rowsOf("alone", "one lock", "eachUs", { ours: 100, slow: 300 });
    expect(alone && linesOf(alone, times).map(({ ratio }) => ratio)).toEqual([1, 3]);
  });
});

describe("what --write writes", () => {
  const circumstances = {
    machine: { node: "v20.0.0", platform: "linux x64", cores: 2, disk: "ext4" },
    versions: { lockfile: "1.0.4" },
    missing: [{ name: "flock", reason: "not built: no compiler" }],
  };
  const times = { floor: 40, ours: 50, lockfile: 400, broken: 1 };
  const summary = summaryOf(circumstances, measuredOf(rowsOf("alone", "one lock", "eachUs", times)));
  const pages = (): readonly string[] => [...pagesOf(summary).values()];

  it("the page has each figure, its ratio, and what was not measured", () => {
    const [page = ""] = pages();
    expect(page).toContain("| | lockfile | 400 | - | - | 8 |");
    expect(page).toContain("flock, not built: no compiler");
    expect(page).toContain("`--only alone --rounds 3 --seed 1` of `abc1234`, 9 s, in which others had 1 %");
    expect(page).toContain("| alone: ours, over the floor | 1.25 | <= 1.15 | MISSED |");
  });

  it("figures of a busy machine are marked, on the page and in README.md", () => {
    const marks = (others: number): readonly boolean[] => {
      const measures = summary.measures.map((measure) => ({ ...measure, others }));
      return [...pagesOf({ ...summary, measures }).values()].map((page) =>
        /machine was busy|not final/.test(page),
      );
    };
    expect(marks(0.05)).toEqual([false, false, false]);
    expect(marks(0.5)).toEqual([true, false, true]);
  });

  it("a bar is longer by the same piece for each power of ten", () => {
    const [, svg = ""] = pages();
    const lengths = [...svg.matchAll(/width="(\d+)" height/g)].map(([, length]) => Number(length));
    const [floor = 0, , lockfile = 0, broken = 0] = lengths;
    expect(lengths).toHaveLength(4);
    expect(Math.abs((lockfile - floor) / (floor - broken) - Math.log10(10) / Math.log10(40))).toBeLessThan(
      0.05,
    );
  });

  it("a run of some measures replaces those, and not those of another machine", () => {
    const slower = summaryOf(circumstances, measuredOf(rowsOf("tasks", "queued", "perS", { ours: 1_000 })));
    const both = merged(summary, slower);
    expect(both?.measures.map(({ name }) => name)).toEqual(["alone", "tasks"]);
    expect(both?.targets.filter(({ value }) => value !== null)).toHaveLength(3);
    expect(merged({ ...summary, measures: [] }, slower)).toBe(slower);
    expect(merged({ ...summary, machine: { ...summary.machine, cores: 64 } }, slower)).toBe(undefined);
  });

  it("a page without the markers is refused, not left as it is", () => {
    expect(() => withSection("# Title", "figures")).toThrow(/there is no <!--/);
  });

  it("and the pages are as the results say: nobody has written into them by hand", () => {
    const results = JSON.parse(fs.readFileSync(RESULTS, "utf8")) as Summary;
    for (const [file, text] of pagesOf(results)) expect(fs.readFileSync(file, "utf8"), file).toBe(text);
  });
});

describe("the targets", () => {
  const times = (of: Record<string, number>): readonly Row[] => rowsOf("alone", "one lock", "eachUs", of);

  it("are met at their bound, and missed beyond", () => {
    const met = (ours: number): (boolean | null)[] =>
      targetsOf(measuredOf(times({ floor: 100, ours, "proper-lockfile": 575 })))
        .filter(({ value }) => value !== null)
        .map((target) => target.met);
    expect(met(115)).toEqual([true, true, true]);
    expect(met(116)).toEqual([false, false, true]);
    expect(met(600)).toEqual([false, false, false]);
  });

  it("are neither if something was not measured, failed, or does not exclude", () => {
    expect(targetsOf([]).every(({ met, value }) => met === null && value === null)).toBe(true);
    const book = createBook();
    const place = { measure: "processes", variant: "4 processes", lock: "flock" };
    book.add({ ...place, lock: "ours" }, { perS: 10 });
    book.add(place, { perS: 10 });
    const share = (): boolean | null | undefined =>
      targetsOf(measuredOf(book.rows())).find(({ what }) => what.includes("over flock"))?.met;
    expect(share()).toBe(true);
    book.witness(place, false);
    expect(share()).toBe(null);
  });
});

describe("npm run bench", () => {
  const bench = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, ["--import", "tsx", "test/bench/bench.ts", ...args], {
      cwd: root,
      encoding: "utf8",
    });

  it("refuses what it does not know, with exit code 2, and helps", () => {
    expect(bench("--fast")).toMatchObject({ status: 2, stderr: expect.stringContaining("--fast") });
    expect(bench("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("--only") });
  });

  it("its witness sees that a lock does not exclude, and says so instead of a number; ours does exclude", () => {
    const { status, stdout } = bench("--quick", "--json", "--only", "processes", "--locks", "broken");
    expect(status).toBe(0);
    const { rows } = JSON.parse(stdout) as { rows: readonly Row[] };
    const seen = rows
      .filter(({ variant }) => variant === "4 processes")
      .map(({ lock, excludes, failure }) => ({ lock, excludes, failure }));
    expect(seen).toHaveLength(2);
    expect(seen).toContainEqual({ lock: "broken", excludes: false, failure: undefined });
    expect(seen).toContainEqual({ lock: "ours", excludes: true, failure: undefined });
  });
});
