import { describe, expect, it } from "vitest";
import { readDemoOptions, UsageError } from "../../demo/options.ts";

describe("the options of the demo", () => {
  it("have defaults", () => {
    expect(readDemoOptions(["--seed", "7"])).toEqual({
      seconds: 15,
      processes: 8,
      killEveryMs: 250,
      seed: 7,
      withoutLock: false,
      keep: false,
      json: false,
    });
  });

  it("are all read", () => {
    const args = "--seconds 3 --processes 4 --kill-every 100 --seed 0 --without-lock --keep --json".split(
      " ",
    );
    expect(readDemoOptions(args)).toEqual({
      seconds: 3,
      processes: 4,
      killEveryMs: 100,
      seed: 0,
      withoutLock: true,
      keep: true,
      json: true,
    });
  });

  it.each([
    ["an unknown option", ["--second", "3"], /--second/],
    ["a word", ["3"], /'3'/],
    ["an option without its value", ["--seconds"], /--seconds/],
    ["no time", ["--seconds", "0"], /--seconds must be a whole number from 1 to 3600, not "0"/],
    ["a time that is none", ["--seconds", "soon"], /--seconds must be a whole number/],
    ["an empty time", ["--seconds", ""], /--seconds must be a whole number/],
    ["a negative number", ["--processes=-1"], /--processes must be a whole number/],
    ["too many processes", ["--processes", "1000"], /--processes must be a whole number from 1 to 64/],
    ["kills without a pause", ["--kill-every", "0"], /--kill-every must be a whole number/],
    ["half a seed", ["--seed", "1.5"], /--seed must be a whole number/],
    ["one writer that cannot damage anything", ["--without-lock", "--processes", "1"], /from 2 to 64/],
  ])("refuse %s", (_what, args, message) => {
    expect(() => readDemoOptions(args)).toThrow(UsageError);
    expect(() => readDemoOptions(args)).toThrow(message);
  });
});
