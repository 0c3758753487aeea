/** flock(2) for Node.js is a native package: built when the bench first needs it, in a folder of its own. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { nativeRequire } from "./adapters.mjs";

const FOLDER = fileURLToPath(new URL("native/", import.meta.url));
/** A compiler that takes longer has stopped. */
const MOST_BUILD_MS = 120_000;

/** Why it cannot be had; undefined if it can. */
export function buildNative(): string | undefined {
  if (loadError() === undefined) return undefined;
  const { status, error, stderr } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: FOLDER,
    encoding: "utf8",
    timeout: MOST_BUILD_MS,
  });
  if (error !== undefined) return `not built: ${error.message}`;
  if (status !== 0) return `not built: ${reasonIn(stderr)}`;
  const still = loadError();
  return still === undefined ? undefined : `not built: ${still}`;
}

function loadError(): string | undefined {
  try {
    nativeRequire()("fs-ext");
    return undefined;
  } catch (error) {
    return lastLine((error as Error).message.split("\n")[0] ?? "");
  }
}

/** Of the many lines in which a build fails, the one that says why. */
export function reasonIn(stderr: string): string {
  return /\bError: (.*)/.exec(stderr)?.[1] ?? lastLine(stderr);
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
