/** A vitest reporter: lists at the end what was not run, and why. It is never counted as passed. */

import type { TestContext } from "vitest";
import type { Reporter, TestModule } from "vitest/node";

/** What a test that does not run says of itself, in its `meta`. */
export interface NotRunMeta {
  readonly notRun?: string;
}

/** Ends the test here: it is not run, and the reporter says why. */
export function doNotRun(context: TestContext, reason: string): never {
  Object.assign(context.task.meta, { notRun: reason } satisfies NotRunMeta);
  return context.skip(reason);
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
