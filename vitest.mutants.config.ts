/** For `npm run mutants`: the tests that run src/ itself, fast; the whole of `npm test` for each mutant would take days. */

import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: [
      "test/unit/{badInput,housekeeping,loss,protocol}.test.ts",
      "test/unit/owner/{name,verdict,observe,identity,life}.test.ts",
      "test/lockstep/lockstep.test.ts",
    ],
    // A process of its own does not run the mutant, and another user may not read Stryker's copy of src/.
    testNamePattern: /^(?!.*(that the user may not use))/,
    // Few programs, short waits: what a mutant changes shows soon, or not at all.
    env: { SWL_RUNS: "40", SWL_WAIT_MS: "200" },
    testTimeout: 30_000,
    maxWorkers: 1,
  },
});

export default config;
