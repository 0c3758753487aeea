/** A vitest reporter: lists at the end what was not run, and why. It is never counted as passed. */

import type { Reporter, TestModule } from "vitest/node";

/** What a test that does not run says of itself, in its `meta`: see test/process/support/scenario.ts. */
export interface NotRunMeta {
  readonly notRun?: string;
}

export default class NotRunReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const { notRun } = test.meta() as NotRunMeta;
        if (notRun !== undefined) console.log(`not run: ${test.fullName}: ${notRun}`);
      }
    }
  }
}
