/** A real run for a test, with its trace. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunMeta, readTrace, type Trace } from "./records.ts";
import { type RunOptions, runStress, traceDirectory } from "./run.ts";

export interface Recorded {
  readonly trace: Trace;
  /** Where its files are. */
  readonly files: string;
  /** What went wrong with processes that nobody killed. */
  readonly failures: readonly string[];
  remove(): void;
}

/** The built package. */
const LIBRARY = new URL("../../dist/index.js", import.meta.url).href;

/** Starting processes on a busy machine: the limit of a hook. */
export const RUN_LIMIT_MS = 240_000;

/** Random, and in the tests' names. Timing does not replay, so another seed each time shows more. */
export const SEED: number = Math.floor(Math.random() * 1e6);

export async function recordRun(
  meta: Omit<RunMeta, "seed">,
  rest: Pick<RunOptions, "steps" | "endsWithinMs"> & { readonly library?: string },
): Promise<Recorded> {
  const directory = fs.mkdtempSync(join(tmpdir(), "swl-stress-test-"));
  const remove = (): void => fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  try {
    const { failures } = await runStress({ ...meta, seed: SEED, directory, library: LIBRARY, ...rest });
    const files = traceDirectory(directory);
    return { trace: readTrace(files), files, failures, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
