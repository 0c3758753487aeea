/**
 * For `npm run mutants`: the tests that run src/ itself, fast; the whole of `npm test` for each mutant would take days.
 * `SWL_MUTANTS_TESTS` names others, apart by semicolons: with lockstep alone protocol.ts takes a tenth of the time.
 */

import { defineConfig, type ViteUserConfig } from "vitest/config";

const TESTS = [
  "test/unit/{badInput,housekeeping,loss,options,paths,protocol,queue,registry,replies,steps,sweep,words}.test.ts",
  "test/unit/{clock,entries,exit,heartbeat,hooks,lease,lock,pulse,teller,tryAcquire,watchdog}.test.ts",
  "test/unit/owner/{name,verdict,observe,identity,life}.test.ts",
  "test/lockstep/lockstep.test.ts",
];

const NOT_THESE = [
  // A process of its own does not run the mutant, and another user may not read Stryker's copy of src/.
  "that the user may not use",
  "in another pid namespace with the /proc of its host",
  // Stryker runs tests in a worker thread, which may not set the umask of its process.
  "whatever our umask is",
  // They load the package as it is built, beside the copy of src/ that has the mutants.
  "the proof that a sweep leaves",
  "the registry is that of all copies",
  // A double is a patch of the source, which has mutants in it.
  "twin: without",
  "twin: if only contents",
  // It takes more contents than are tried here.
  "twin: a judge that calls a running pid dead",
];

const config: ViteUserConfig = defineConfig({
  test: {
    include: process.env["SWL_MUTANTS_TESTS"]?.split(";") ?? TESTS,
    testNamePattern: new RegExp(`^(?!.*(${NOT_THESE.join("|")}))`),
    // Few programs, short waits: what a mutant changes shows soon, or not at all.
    env: { SWL_RUNS: "25", SWL_WAIT_MS: "200", SWL_ONE_IN: "101" },
    // A promise that never settles is a test that failed, sooner than Stryker gives up on the whole process.
    testTimeout: Number(process.env["SWL_MUTANTS_HANG_MS"] ?? 30_000),
    maxWorkers: 1,
  },
});

export default config;
