/** Which locks the bench compares, and what each claims: nobody is asked for more than that. */

import { createRequire } from "node:module";
import { nativeRequire } from "./adapters.mjs";

export interface LockInfo {
  /** As in adapters.mjs. */
  readonly name: string;
  /** The package; undefined for what is none. */
  readonly package: string | undefined;
  /** Between processes, or within one only; the floor excludes nobody, and is no lock. */
  readonly excludes: "processes" | "tasks" | "nobody";
  /** How it finds out that an owner is dead. */
  readonly takesOver: "dead" | "old" | "never";
  readonly native?: boolean;
}

export const LOCKS: readonly LockInfo[] = [
  { name: "floor", package: undefined, excludes: "nobody", takesOver: "never" },
  { name: "ours", package: undefined, excludes: "processes", takesOver: "dead" },
  { name: "proper-lockfile", package: "proper-lockfile", excludes: "processes", takesOver: "old" },
  { name: "proper-lockfile2", package: "@bybrave/proper-lockfile2", excludes: "processes", takesOver: "old" },
  { name: "lockfile", package: "lockfile", excludes: "processes", takesOver: "old" },
  { name: "cross-process-lock", package: "cross-process-lock", excludes: "processes", takesOver: "old" },
  { name: "flock", package: "fs-ext", excludes: "processes", takesOver: "dead", native: true },
  { name: "async-mutex", package: "async-mutex", excludes: "tasks", takesOver: "never" },
];

/** The negative twin: only if it is asked for by name. */
export const BROKEN: LockInfo = {
  name: "broken",
  package: undefined,
  excludes: "processes",
  takesOver: "never",
};

/** As installed; undefined if it is not. */
export function versionOf({ package: name, native }: LockInfo): string | undefined {
  if (name === undefined) return undefined;
  const require = native === true ? nativeRequire() : createRequire(import.meta.url);
  try {
    return (require(`${name}/package.json`) as { version: string }).version;
  } catch {
    return undefined;
  }
}
