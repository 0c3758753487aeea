/** One file, and several processes. */

import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { now, startWorker, type Worker } from "./crew.ts";
import { type Bench, first, inRounds, type Measure, type Place } from "./rounds.ts";
import { fairness, median, quantile } from "./statistics.ts";

const most = (values: readonly number[]): number => Math.max(...values);
const LATENCY = [
  { title: "p50 ms", metric: "latencyMs", of: (values: readonly number[]) => quantile(values, 0.5) },
  { title: "p99 ms", metric: "latencyMs", of: (values: readonly number[]) => quantile(values, 0.99) },
  { title: "worst ms", metric: "latencyMs", of: most },
  { title: "samples", metric: "latencyMs", of: (values: readonly number[]) => values.length },
] as const;

/** What all are told to wait for before they begin: as long as the slowest message takes, generously. */
const BARRIER_MS = 60;

export const processes: Measure = {
  name: "processes",
  title: "Processes on one file",
  how: "One task in each process: acquire, hold for one turn of its event loop, release, at once again, for 2 s from a common start on; before, each has done so alone. A counter in a file, read at the beginning of the turn and written at its end, shows whether two were inside at once. Fairness is Jain's index; p50 and p99 are medians of the rounds, the worst wait is that of all.",
  columns: [
    { title: "/s", metric: "perS", of: median },
    { title: "p50 ms", metric: "p50Ms", of: median },
    { title: "p99 ms", metric: "p99Ms", of: median },
    { title: "worst ms", metric: "worstMs", of: most },
    { title: "fairness", metric: "fairness", of: median },
  ],
  better: "higher",
  takes: ({ excludes }) => excludes === "processes",
  run: async (bench) => {
    const counts = bench.quick ? [1, 4] : [1, 2, 4, 8];
    await inRounds(
      bench,
      processes,
      { workers: Math.max(...counts) },
      counts.map((count) => {
        const variant = `${count} process${count === 1 ? "" : "es"}`;
        return { name: variant, run: (place, warm) => contend(bench, place, { variant, count, warm }) };
      }),
    );
  },
};

interface Contended {
  readonly entered: number;
  readonly inTime: number;
  readonly waits: Float64Array;
}

async function contend(
  { quick, book }: Bench,
  { lock, workers, directory, file }: Place,
  { variant, count, warm }: { readonly variant: string; readonly count: number; readonly warm: boolean },
): Promise<void> {
  const counter = `${directory}/counter`;
  const resetCounter = (): void => fs.writeFileSync(counter, "0".padStart(16, "0"));
  resetCounter();
  if (warm && !quick) {
    await warmUpAlone(workers.slice(0, count), file, counter);
    resetCounter();
  }
  const ms = quick || warm ? 200 : 2_000;
  const startAt = now() + BARRIER_MS;
  const answers = await Promise.all(
    workers.slice(0, count).map((worker) => worker.ask<Contended>("contend", { file, counter, startAt, ms })),
  );
  const entered = answers.reduce((sum, answer) => sum + answer.entered, 0);
  const place = { measure: "processes", variant, lock: lock.name };
  book.witness(place, Number(fs.readFileSync(counter, "utf8")) === entered);
  if (warm) return;
  const shares = answers.map(({ inTime }) => inTime);
  const waits = Float64Array.from(answers.flatMap((answer) => [...answer.waits]));
  book.add(place, {
    perS: (shares.reduce((a, b) => a + b, 0) / ms) * 1000,
    p50Ms: quantile(waits, 0.5),
    p99Ms: quantile(waits, 0.99),
    worstMs: quantile(waits, 1),
    fairness: fairness(shares),
  });
}

/** Each for itself: in turns with others a process does so little that its code would still be compiled while it is measured. */
async function warmUpAlone(workers: readonly Worker[], file: string, counter: string): Promise<void> {
  for (const worker of workers) await worker.ask("contend", { file, counter, startAt: now(), ms: 250 });
}

interface Granted {
  readonly asked: number;
  readonly granted: number;
}

export const handover: Measure = {
  name: "handover",
  title: "From process to process",
  how: "One process holds, another waits; after 5 to 35 ms the first releases. From the moment before the release to the moment after the grant, in ms.",
  columns: LATENCY,
  better: "lower",
  takes: ({ excludes }) => excludes === "processes",
  run: (bench) =>
    inRounds(bench, handover, { workers: 2 }, [
      {
        name: "hand-over",
        run: async ({ lock, workers, file }, warm) => {
          const [one, other] = workers;
          if (one === undefined || other === undefined) return;
          let [holder, waiter] = [one, other];
          await holder.ask("hold", { file });
          const end = now() + (warm || bench.quick ? 200 : 1_000);
          do {
            const waits = waiter.ask<Granted>("hold", { file });
            await sleep(5 + 30 * bench.random());
            const { at } = await holder.ask<{ at: number }>("free", {});
            const { granted } = await waits;
            if (!warm) {
              const place = { measure: "handover", variant: "hand-over", lock: lock.name };
              bench.book.add(place, { latencyMs: granted - at });
            }
            [holder, waiter] = [waiter, holder];
          } while (now() < end);
          await holder.ask("free", {});
        },
      },
    ]),
};

export const takeover: Measure = {
  name: "takeover",
  title: "After SIGKILL",
  how: "One process holds, another waits; the first is killed. From the moment before the signal to the moment after the grant, in ms. Of locks that go by age there is one sample, with the shortest age that proper-lockfile allows, 2 s: a lock whose owner lives and is stopped that long is lost.",
  columns: LATENCY,
  better: "lower",
  takes: ({ takesOver, excludes }) => takesOver !== "never" && excludes === "processes",
  run: async (bench) => {
    const samples = bench.quick ? 2 : 34;
    const aged = new Set<string>();
    await inRounds(bench, takeover, { workers: 1 }, [
      {
        name: "SIGKILL",
        run: async ({ lock, workers, directory, file }, warm) => {
          const waiter = first(workers);
          if (lock.name === "cross-process-lock") throw new Error("by age only: 20 minutes by default");
          const count = lock.takesOver === "old" || warm ? 1 : samples;
          if (lock.takesOver === "old") {
            if (warm || bench.quick || aged.has(lock.name)) return;
            aged.add(lock.name);
          }
          // The next holder starts while this one is killed: starting is most of the time.
          let next: Promise<Worker> = startWorker(lock.name, directory);
          for (let i = 0; i < count; i++) {
            const holder = await next;
            if (i + 1 < count) next = startWorker(lock.name, directory);
            await holder.ask("hold", { file });
            const waits = waiter.ask<Granted>("hold", { file });
            await sleep(20 + 30 * bench.random());
            const at = holder.kill();
            const { granted } = await waits;
            await holder.end();
            await waiter.ask("free", {});
            if (warm) continue;
            const place = { measure: "takeover", variant: "SIGKILL", lock: lock.name };
            bench.book.add(place, { latencyMs: granted - at });
          }
        },
      },
    ]);
  },
};
