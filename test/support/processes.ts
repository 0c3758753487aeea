/** Short-lived real processes that use the built package by its name, as a user would. */

import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export interface Ended {
  readonly pid: number;
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs an ES module that sees `lib`, all that the package exports, and `args`. Waits for its end. */
export function runScript(
  script: string,
  args: object = {},
  user: { readonly uid?: number; readonly gid?: number } = {},
): Ended {
  const code = `import * as lib from "session-write-lock";\nconst args = JSON.parse(process.argv[1]);\n${script}`;
  const { pid, status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", code, JSON.stringify(args)],
    { cwd: root, encoding: "utf8", ...user },
  );
  return { pid, status, stdout, stderr };
}

/** A process takes the lock and ends with it: its pid, of which nobody is left. */
export function holdAndDie(
  params: object,
  user: { readonly uid?: number; readonly gid?: number } = {},
): number {
  const { pid, status, stderr } = runScript(
    "await lib.acquireSessionWriteLock(args); process.exit(7);",
    params,
    user,
  );
  if (status !== 7)
    throw new Error(`the process that should have died holding ended with ${status}: ${stderr}`);
  return pid;
}

/** A pid that is certainly dead: that of a child that was waited for. */
export function deadPid(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}
