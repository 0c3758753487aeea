/** The commands that run for long say how they are used, and are not started by a mistyped option. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe.each(["test/demo/demo.ts", "test/stress/stress.ts", "test/support/deep.ts", "test/support/gate.ts"])(
  "%s",
  (file) => {
    const run = (option: string) =>
      spawnSync(process.execPath, ["--import", "tsx", file, option], { cwd: root, encoding: "utf8" });

    it("has --help", () => {
      expect(run("--help")).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^npm run \w+/),
        stderr: "",
      });
    });

    it("refuses an option that it does not have", () => {
      expect(run("--halp")).toMatchObject({
        status: 2,
        stdout: "",
        stderr: expect.stringMatching(/--halp.*\n\nnpm run \w+/s),
      });
    });
  },
);
