/** The thread pool of a process, occupied for as long as a test likes: whatever is sent to it meanwhile waits. */

import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./child.ts";
import { runIn } from "./places.ts";
import type { Session } from "./scenario.ts";

export interface OccupiedPool {
  /** Waits until the process is past its last turn: what is left in the pool is all that keeps it. */
  untilExiting(): Promise<void>;
  letGo(): void;
}

/** Each of its threads opens a named pipe, and so waits in the kernel for the other end. */
export async function occupyPool({ scratch }: Session, child: Child): Promise<OccupiedPool> {
  const pipe = join(scratch, `pool-${child.who}`);
  const exiting = join(scratch, `exiting-${child.who}`);
  runIn([], ["mkfifo", "-m", "666", pipe]);
  await child.ask("occupyPool", { pipe, exiting });
  return {
    untilExiting: async () => {
      while (!fs.existsSync(exiting)) await sleep(5);
    },
    letGo: () => {
      // Opened for both it waits for nobody. It stays open: a thread may come only now.
      const fd = fs.openSync(pipe, "r+");
      void child.ended.then(() => fs.closeSync(fd));
    },
  };
}
