/** What a lock costs whose owner is alone. */

import fs from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { startBusy } from "./crew.ts";
import { type Bench, first, inRounds, type Measure, type Place, sessionFile } from "./rounds.ts";
import { median } from "./statistics.ts";

const EACH_US = { title: "µs", metric: "eachUs", of: median } as const;
const MEDIAN_US = { title: "median µs", metric: "medianUs", of: median } as const;
const CPU_US = { title: "CPU µs", metric: "cpuUs", of: median } as const;

interface Alone {
  readonly count: number;
  readonly meanMs: number;
  readonly medianMs: number;
  readonly cpuMs: number;
}

type Each = Readonly<Record<"eachUs" | "medianUs" | "cpuUs", number>>;

/**
 * The mean of all: what a loop takes, with whatever comes now and then. The median: what most of them take. The CPU time
 * of all threads of the process: what it takes from others, and what does not depend on them.
 */
async function aloneFor({ quick }: Bench, { workers }: Place, file: string, pause: string): Promise<Each> {
  const ms = quick ? 50 : 300;
  const { meanMs, medianMs, cpuMs } = await first(workers).ask<Alone>("alone", { file, ms, pause });
  return { eachUs: meanMs * 1000, medianUs: medianMs * 1000, cpuUs: cpuMs * 1000 };
}

export const alone: Measure = {
  name: "alone",
  title: "One lock, alone: acquire and release",
  how: "A process of its own for each lock, in a tight loop for 0.3 s a round, in seven rounds more than the other measures have: the time of all, shared out; the median of each; and the CPU time of all threads of the process. The floor: `await fs.promises.rename` of a directory with one file, there and back, in the same loop.",
  columns: [EACH_US, MEDIAN_US, CPU_US],
  better: "lower",
  takes: () => true,
  run: (bench) =>
    inRounds(bench, alone, { workers: 1, rounds: bench.rounds + 7 }, [
      {
        name: "one lock",
        run: async (place, warm) => {
          const each = await aloneFor(bench, place, place.file, "tight");
          if (warm) return;
          bench.book.add({ measure: "alone", variant: "one lock", lock: place.lock.name }, each);
        },
      },
    ]),
};

/** What the harness around it does decides the ratio to the floor more than anything in the library. */
const HARNESSES = [
  { variant: "in a tight loop", pause: "tight", busy: false },
  { variant: "one each turn of the event loop", pause: "turn", busy: false },
  { variant: "one after 20 ms of nothing", pause: "idle", busy: false },
  { variant: "in a tight loop, other processes busy", pause: "tight", busy: true },
] as const;

export const harness: Measure = {
  name: "harness",
  title: "What the harness does",
  how: "As alone, but with a pause after each acquire and release, which is not counted; or while as many other processes as there are cores do nothing but count. After 20 ms of nothing caches are cold and threads asleep, for the floor too.",
  columns: [EACH_US, MEDIAN_US, CPU_US],
  better: "lower",
  takes: ({ name }) => ["floor", "ours", "flock"].includes(name),
  run: (bench) =>
    inRounds(
      bench,
      harness,
      { workers: 1 },
      HARNESSES.map(({ variant, pause, busy }) => ({
        name: variant,
        run: async (place, warm) => {
          const others = busy ? startBusy(os.availableParallelism()) : undefined;
          const each = await aloneFor(bench, place, place.file, pause);
          others?.end();
          if (!warm) bench.book.add({ measure: "harness", variant, lock: place.lock.name }, each);
        },
      })),
    ),
};

export const files: Measure = {
  name: "files",
  title: "1,000 files: each for the first time, all held, then all released",
  how: "One process takes them one after the other and then releases them, each file for the first time. Time of one.",
  columns: [
    { title: "acquire µs", metric: "acquireUs", of: median },
    { title: "release µs", metric: "releaseUs", of: median },
  ],
  better: "lower",
  takes: ({ excludes }) => excludes !== "nobody",
  run: async (bench) => {
    const count = bench.quick ? 20 : 1_000;
    let round = 0;
    await inRounds(bench, files, { workers: 1 }, [
      {
        name: `${count.toLocaleString("en-US")} files`,
        run: async ({ lock, workers, directory }, warm) => {
          round++;
          const names = Array.from({ length: count }, (_, i) => sessionFile(directory, `${round}-${i}`));
          const { acquireMs, releaseMs } = await first(workers).ask<FilesAnswer>("files", { files: names });
          if (warm) return;
          bench.book.add(
            { measure: "files", variant: `${count.toLocaleString("en-US")} files`, lock: lock.name },
            { acquireUs: acquireMs * 1000, releaseUs: releaseMs * 1000 },
          );
        },
      },
    ]);
  },
};

interface FilesAnswer {
  readonly acquireMs: number;
  readonly releaseMs: number;
}

export const directory: Measure = {
  name: "directory",
  title: "As the directory grows",
  how: "As alone, beside so many other files in the same directory. The one sweep of each process is over before.",
  columns: [EACH_US, MEDIAN_US, CPU_US],
  better: "lower",
  takes: ({ excludes, name }) => excludes === "processes" || name === "floor",
  run: async (bench) => {
    const sizes = bench.quick ? [10, 1_000] : [10, 1_000, 100_000];
    // One directory of each size for all locks: to make 100,000 files takes seconds.
    const crowds = sizes.map((size) => {
      const crowd = fs.mkdtempSync(join(bench.directory, `directory-${size}-`));
      bench.say(`making ${size.toLocaleString("en-US")} files`);
      for (let i = 0; i < size; i++) fs.closeSync(fs.openSync(join(crowd, `other-${i}.jsonl`), "w"));
      return { size, crowd };
    });
    await inRounds(
      bench,
      directory,
      { workers: 1 },
      crowds.map(({ size, crowd }) => {
        const variant = `${size.toLocaleString("en-US")} files`;
        return {
          name: variant,
          run: async (place, warm) => {
            const file = join(crowd, `${place.lock.name}.jsonl`);
            fs.writeFileSync(file, "");
            const each = await aloneFor(bench, place, file, "tight");
            if (warm) return;
            bench.book.add({ measure: "directory", variant, lock: place.lock.name }, each);
          },
        };
      }),
    );
    for (const { crowd } of crowds) fs.rmSync(crowd, { recursive: true, force: true, maxRetries: 5 });
  },
};

interface Footprint {
  readonly bytes: number;
  readonly descriptors: number;
}

export const memory: Measure = {
  name: "memory",
  title: "Memory and descriptors, of each",
  how: "1,000 files held; or one held and 1,000 tasks of the process waiting for it. Heap and what hangs on it, after garbage collection, in a new process.",
  columns: [
    { title: "bytes", metric: "bytes", of: median },
    { title: "descriptors", metric: "descriptors", of: median },
  ],
  better: "lower",
  takes: ({ excludes }) => excludes !== "nobody",
  run: async (bench) => {
    const count = bench.quick ? 50 : 1_000;
    for (const [variant, waiting] of [
      ["held", 0],
      ["waiting", count],
    ] as const) {
      for (let round = 0; round < bench.rounds; round++) {
        // A new process each time: whatever is made once is made before the first look.
        await inRounds(bench, memory, { workers: 1, rounds: 0 }, [
          {
            name: variant,
            run: async ({ lock, workers, directory: at }) => {
              const length = waiting === 0 ? count : 1;
              const names = Array.from({ length }, (_, i) => sessionFile(at, `m-${i}`));
              const answer = await first(workers).ask<Footprint>("memory", { files: names, waiting });
              bench.book.add({ measure: "memory", variant, lock: lock.name }, { ...answer });
            },
          },
        ]);
      }
    }
  },
};
