import { describe, expect, it } from "vitest";
import { UsageError } from "../support/cliOptions.ts";
import { readStormOptions } from "./options.ts";

describe("the options of npm run storm", () => {
  it("ask for 16 processes, and for 10^5 signals in a deep run", () => {
    const usual = { signals: 1_000, processes: 16, nicer: 10, disk: "tmpfs" };
    expect(readStormOptions([], "tmpfs")).toMatchObject(usual);
    expect(readStormOptions(["--deep"], "tmpfs").signals).toBe(100_000);
    expect(readStormOptions(["--deep", "--signals", "50"], "tmpfs").signals).toBe(50);
  });

  it.each([
    [["--signal", "5"]],
    [["--signals", "0"]],
    [["--processes", "1"]],
    [["--files", "9"]],
    [["--seed", "-1"]],
    [["--nicer", "20"]],
    [["--disk", ""]],
    [["rest"]],
  ])("refuse %j", (args) => {
    expect(() => readStormOptions(args, "tmpfs")).toThrow(UsageError);
  });
});
