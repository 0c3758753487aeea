/** All measures, in the order in which they run. */

import { alone, directory, files, harness, memory } from "./alone.ts";
import { handover, processes, takeover } from "./between.ts";
import type { Measure } from "./rounds.ts";
import { tasks } from "./within.ts";

export const MEASURES: readonly Measure[] = [
  alone,
  harness,
  processes,
  handover,
  takeover,
  tasks,
  files,
  directory,
  memory,
];
