import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));

/** A command as `npm run` starts it. */
function run(file: string, ...args: string[]) {
  return spawnSync(process.execPath, ["--import", "tsx", join(here, file), ...args], { encoding: "utf8" });
}

const RATE = String.raw`[\d,]+ steps/s`;

// The values are the machine's; that they are said is the commands' business.
describe("the commands say how fast they were", () => {
  it("lockstep: real steps per second, for each scope and together", () => {
    const { stdout, status } = run(
      "replay.ts",
      "--runs",
      "3",
      "--seed",
      "7",
      "--scope",
      "two processes, three tasks, PutBack",
    );
    expect(stdout).toMatch(
      new RegExp(
        `^two processes, three tasks, PutBack: seed 7, 3 programs, \\d+ real steps compared in [\\d.]+ s, ${RATE}$`,
        "m",
      ),
    );
    expect(stdout).toMatch(new RegExp(`^lockstep: \\d+ real steps compared in [\\d.]+ s, ${RATE}$`, "m"));
    expect(status).toBe(0);
  });

  it("exhaust: real steps per second, for each scope and together", () => {
    const { stdout, status } = run("exhaust.ts", "--scope", "1 process, 3 tasks, exclusive");
    expect(stdout).toMatch(/places +steps +steps\/s/);
    expect(stdout).toMatch(new RegExp(`^exhaust: [\\d,]+ real steps in [\\d.]+ s, ${RATE}$`, "m"));
    expect(status).toBe(0);
  });
});

describe("lockstep refuses", () => {
  it.each([
    [["--run", "3"], /'--run'/],
    [["--runs", "0"], /--runs must be a whole number from 1/],
    [["--steps", "Request(a1)"], /--steps is a schedule of one --scope/],
  ])("%j, and says what it does not understand", (args, why) => {
    const { stderr, stdout, status } = run("replay.ts", ...args);
    expect(stderr).toMatch(why);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});
