import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["./test/support/build.ts"],
    // A limit for what hangs, not a measure: the longest test takes half a minute on two busy cores.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // By default a second, which a busy machine may take for one look.
    expect: { poll: { timeout: 60_000 } },
    // Two cores is what CI has; more workers than that makes process tests measure the scheduler.
    maxWorkers: 2,
    reporters: ["default", "./test/support/notRun.ts"],
  },
});

export default config;
