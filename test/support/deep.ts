/**
 * `npm run deep`: every check at its largest, one after the other. One that fails does not keep the others from
 * running; the last line counts them.
 */

import { spawnSync } from "node:child_process";
import { refuseOptions } from "./cliOptions.ts";

refuseOptions(process.argv.slice(2), "npm run deep\nEvery check at its largest, one after the other. Hours.");

/** Arguments of npm. One line per part. */
const PARTS: readonly string[] = [
  "run tlc -- --deep",
  "run prove -- --deep",
  "run lockstep -- --runs 20000",
  "run exhaust -- --deep",
  "run faults -- --deep",
  "run stress -- --deep --tlc",
  "run storm -- --deep",
  "run axioms -- --deep",
  "run process",
  "run peers -- --deep --check",
  "run matrix",
  "run mutants",
  "run bench",
];

const failed = PARTS.filter((part, i) => {
  console.log(`\n[${i + 1}/${PARTS.length}] npm ${part}`);
  const startedAt = performance.now();
  const { status } = spawnSync("npm", part.split(" "), { stdio: "inherit" });
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(`npm ${part}: ${status === 0 ? "passed" : `FAILED (exit ${status})`} in ${seconds} s`);
  return status !== 0;
});
for (const part of failed) console.log(`FAILED: npm ${part}`);
console.log(`${PARTS.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
