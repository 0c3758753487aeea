import { describe, expect, it } from "vitest";
import { UsageError } from "../support/cliOptions.ts";
import { readStressOptions } from "./options.ts";

describe("the options of npm run stress", () => {
  it("ask for 10^4 steps, and for 10^6 in a deep run", () => {
    expect(readStressOptions([]).steps).toBe(10_000);
    expect(readStressOptions(["--deep"]).steps).toBe(1_000_000);
    expect(readStressOptions(["--deep", "--steps", "5000"]).steps).toBe(5_000);
  });

  it.each([[["--step", "5"]], [["--steps", "1"]], [["--processes", "0"]], [["--seed", "-1"]], [["rest"]]])(
    "refuse %j",
    (args) => {
      expect(() => readStressOptions(args)).toThrow(UsageError);
    },
  );
});
