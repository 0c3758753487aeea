/**
 * Counts what this process does to the directory of a session: each call of node:fs that names something in it, whoever makes
 * it. Plain JavaScript, as the worker that imports it.
 */

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename, dirname, join } from "node:path";

/** From here on: all calls, and those that rename something to the lock path, refused or not. */
export function countCalls(sessionFile) {
  const counts = { calls: 0, takes: 0 };
  const directory = fs.realpathSync(dirname(sessionFile));
  const lockPath = join(directory, `${basename(sessionFile)}.lock`);
  // What begins with a capital letter is a class, or a constant; some of those warn when they are read.
  for (const name of Object.keys(fs).filter((key) => /^[a-z]/.test(key))) {
    const original = fs[name];
    if (typeof original !== "function") continue;
    const counted = (...args) => {
      if (typeof args[0] === "string" && args[0].startsWith(directory)) counts.calls++;
      if (name.startsWith("rename") && args[1] === lockPath) counts.takes++;
      return original(...args);
    };
    // `realpath.native` is one of its members.
    fs[name] = Object.assign(counted, original);
  }
  // For those who import functions, and not the module.
  syncBuiltinESMExports();
  return counts;
}
