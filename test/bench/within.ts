/** One file, and many tasks of one process. */

import { startWorker } from "./crew.ts";
import { type Bench, inRounds, type Measure, type Place, sessionFile } from "./rounds.ts";
import { median } from "./statistics.ts";

/** Whoever is slower is not waited for: what was served until then counts. */
const MOST_MS = 1_000;

interface Queued {
  readonly served: number;
  readonly ms: number;
  readonly withQueuingMs: number;
}

interface Looped {
  readonly cycles: number;
  readonly ms: number;
}

export const tasks: Measure = {
  name: "tasks",
  title: "1,000 tasks of one process on one file",
  how: "Queued: all ask while another task holds; from its release on, hand-overs each second, for at most 1 s; and the same with the time that asking takes. In loops: acquire and release again and again, for 0.7 s. A new process each time, which has warmed up. Witness: 20 tasks that hold for one turn each.",
  columns: [
    { title: "/s", metric: "perS", of: median },
    { title: "/s with asking", metric: "withAskingPerS", of: median },
  ],
  better: "higher",
  takes: ({ excludes }) => excludes !== "nobody",
  run: async (bench) => {
    const count = bench.quick ? 50 : 1_000;
    await inRounds(bench, tasks, { workers: 0 }, [
      { name: "queued", run: (place, warm) => (warm ? look(bench, place) : queued(bench, place, count)) },
      { name: "in loops", run: async (place, warm) => (warm ? undefined : looped(bench, place, count)) },
    ]);
  },
};

/** What warms up: so many times so many tasks, until what is compiled is compiled (fewer leave a third of the rate to chance). */
const WARM_UPS = { times: 50, count: 200, ms: 300 } as const;

let serial = 0;

/**
 * In a process and on a file of its own, since some are still waiting when the time is over. One that is too slow to warm
 * up within its time is measured in another process, where no tasks are left over.
 */
async function inNewProcess<Answer>(
  place: Place,
  job: string,
  args: object,
  warmsUp: boolean,
): Promise<Answer> {
  const { lock, directory } = place;
  const worker = await startWorker(lock.name, directory);
  try {
    let slow = false;
    for (let i = 0; i < WARM_UPS.times && warmsUp && !slow; i++) {
      const file = sessionFile(directory, `warm-${++serial}`);
      const { served } = await worker.ask<Queued>("queue", { file, ...WARM_UPS });
      slow = served < WARM_UPS.count;
    }
    if (slow) return await inNewProcess(place, job, args, false);
    return await worker.ask<Answer>(job, { file: sessionFile(directory, `t-${++serial}`), ...args });
  } finally {
    await worker.end();
  }
}

async function look({ book, quick }: Bench, place: Place): Promise<void> {
  const args = { count: 20, ms: quick ? 500 : MOST_MS };
  const { most } = await inNewProcess<{ most: number }>(place, "inside", args, false);
  for (const variant of ["queued", "in loops"]) {
    book.witness({ measure: "tasks", variant, lock: place.lock.name }, most === 1);
  }
}

async function queued({ book }: Bench, place: Place, count: number): Promise<void> {
  const args = { count, ms: MOST_MS };
  const { served, ms, withQueuingMs } = await inNewProcess<Queued>(place, "queue", args, true);
  const at = { measure: "tasks", variant: "queued", lock: place.lock.name };
  book.add(at, { perS: (served / ms) * 1000, withAskingPerS: (served / withQueuingMs) * 1000 });
}

async function looped({ book, quick }: Bench, place: Place, count: number): Promise<void> {
  const { cycles, ms } = await inNewProcess<Looped>(place, "loops", { count, ms: quick ? 100 : 700 }, true);
  const perS = (cycles / ms) * 1000;
  book.add(
    { measure: "tasks", variant: "in loops", lock: place.lock.name },
    { perS, withAskingPerS: Number.NaN },
  );
}
