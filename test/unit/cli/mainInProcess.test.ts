/** src/cli/main.ts in this process, which runs when it is loaded; as users have it: main.test.ts. */

import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { inspect } from "../../../src/cli/inspect.ts";

const { ran } = vi.hoisted(() => ({ ran: { args: [] as unknown[], ends: (): unknown => 0 } }));
vi.mock("../../../src/cli/inspect.ts", () => ({
  inspect: {
    summary: "shows",
    usage: "",
    run: async (args: unknown) => {
      ran.args.push(args);
      return ran.ends();
    },
  },
  describeLock: () => "",
}));

let written: (readonly [fd: number, text: string])[] = [];
const [argv, exitCode] = [process.argv, process.exitCode];
beforeEach(() => {
  written = [];
  ran.args = [];
  ran.ends = () => 0;
  const write = fs.writeSync;
  vi.spyOn(fs, "writeSync").mockImplementation(((fd: number, bytes: Buffer) => {
    if (fd > 2) return write(fd, bytes);
    written.push([fd, bytes.toString()]);
    return bytes.length;
  }) as typeof fs.writeSync);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.argv = argv;
  process.exitCode = exitCode;
});

/** The exit code of a command line. */
async function main(...args: readonly string[]): Promise<unknown> {
  process.argv = ["node", "main.js", ...args];
  process.exitCode = undefined;
  vi.resetModules();
  await import("../../../src/cli/main.ts");
  return process.exitCode;
}
const USAGE =
  /^Usage: session-write-lock COMMAND \.\.\.\n {2}inspect {3}shows\n {2}clean {5}removes [\s\S]*Exit codes: 0 done/;

describe("session-write-lock", () => {
  it.each(["--help", "-h"])("%s says which commands there are", async (help) => {
    expect(await main(help)).toBe(0);
    expect(written).toEqual([[1, expect.stringMatching(USAGE) as string]]);
  });

  it("--version is that of the package", async () => {
    const { version } = JSON.parse(fs.readFileSync("package.json", "utf8")) as { version: string };
    expect(await main("--version")).toBe(0);
    expect(written).toEqual([[1, `${version}\n`]]);
  });

  it("without a command says that one is missing, and which there are", async () => {
    expect(await main()).toBe(2);
    expect(written).toEqual([
      [2, "session-write-lock: a command is missing\n"],
      [2, expect.stringMatching(USAGE) as string],
    ]);
  });

  it.each([
    ["brake", "there is no command brake"],
    ["--brake", "there is no option --brake"],
    ["to-String", "there is no command to-String"],
  ])("refuses %s", async (name, words) => {
    expect(await main(name)).toBe(2);
    expect(written[0]).toEqual([2, `session-write-lock: ${words}\n`]);
  });

  it("gives a command the words behind its name, and ends with its exit code", async () => {
    expect(inspect.summary).toBe("shows");
    ran.ends = () => 75;
    expect(await main("inspect", "--help", "x")).toBe(75);
    expect([ran.args, written]).toEqual([[["--help", "x"]], []]);
  });

  it("ends with 70 for a bug", async () => {
    ran.ends = () => {
      throw new TypeError("a bug");
    };
    expect(await main("inspect")).toBe(70);
    expect(written).toEqual([[2, "session-write-lock: a bug\n"]]);
  });

  it("says with 74 that its words were lost", async () => {
    vi.mocked(fs.writeSync).mockImplementation(((fd: number, bytes: Buffer) => {
      if (fd === 1) throw Object.assign(new Error("ENOSPC: on purpose"), { code: "ENOSPC" });
      written.push([fd, bytes.toString()]);
      return bytes.length;
    }) as typeof fs.writeSync);
    expect(await main("--help")).toBe(74);
    expect(written).toEqual([
      [2, "session-write-lock: Cannot write to standard output: ENOSPC: on purpose\n"],
    ]);
  });
});
