import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { fixtures, type Ran, runTool, temporaryFolder, whyNoTlc } from "./toolsHarness.ts";

const noTlc = whyNoTlc();
const title = (name: string): string => (noTlc === undefined ? name : `${name} (skipped: ${noTlc})`);

interface Report {
  readonly ok: boolean;
  readonly results: ReadonlyArray<{
    readonly name: string;
    readonly ok: boolean;
    readonly got: { readonly kind: string; readonly line?: string };
    readonly differences: readonly string[];
    readonly tail: readonly string[];
  }>;
}

type Entry = Record<string, unknown>;

/** The fixtures with another manifest. */
async function fixturesWith(change: (models: ReadonlyMap<string, Entry>) => Entry[]): Promise<string> {
  const dir = await temporaryFolder(onTestFinished);
  await cp(fixtures, dir, { recursive: true });
  const file = join(dir, "models.json");
  const { models } = JSON.parse(await readFile(file, "utf8")) as { models: Entry[] };
  const changed = change(new Map(models.map((model) => [String(model["name"]), model])));
  // Every configuration must be listed, so the others stay, out of the way.
  const rest = models.filter((model) => !changed.some((one) => one["config"] === model["config"]));
  await writeFile(
    file,
    JSON.stringify({ models: [...changed, ...rest.map((model) => ({ ...model, deep: true }))] }),
  );
  return dir;
}

describe.skipIf(noTlc !== undefined)(title("npm run tlc with a real TLC"), () => {
  describe("on the fixtures", () => {
    let ran: Ran;
    let report: Report;
    let left: string[];
    beforeAll(async () => {
      const before = await readdir(fixtures);
      ran = await runTool("tlc", ["--dir", fixtures, "--deep", "--json"]);
      report = JSON.parse(ran.stdout) as Report;
      left = (await readdir(fixtures)).filter((file) => !before.includes(file));
    }, 240_000);

    it("gets every expected answer, and says progress on stderr", () => {
      const fine = report.results.filter((result) => result.ok).map((result) => result.name);
      expect(fine).toEqual(["Holds", "Values", "Rude", "Fair", "Starves", "Unfair", "Deadlock"]);
      expect(ran.stderr).toContain("Holds: ok");
    });

    it("never takes an evaluation error for an answer", () => {
      const crash = report.results.find((result) => result.name === "Crash");
      expect(crash?.got.kind).toBe("broken");
      expect(crash?.tail.join("\n")).toContain('Attempted to select nonexistent field "missing"');
      expect(report.ok).toBe(false);
      expect(ran.code).toBe(1);
    });

    it("leaves nothing beside the specifications", () => expect(left).toEqual([]));
  });

  it("notices wrong numbers, verdicts and lines", { timeout: 240_000 }, async () => {
    const dir = await fixturesWith((models) => [
      { ...models.get("Holds"), name: "WrongDistinct", distinct: 14 },
      { ...models.get("Holds"), name: "WrongDepth", depth: 6 },
      { ...models.get("Holds"), name: "WrongGenerated", generated: 18 },
      { ...models.get("Holds"), name: "LivenessUnmarked", config: "Fair.cfg", workers: 1 },
      { ...models.get("Rude"), name: "HoldsButMustFail", config: "Holds.cfg" },
      {
        ...models.get("Rude"),
        name: "WrongTrace",
        expect: { ...(models.get("Rude")?.["expect"] as Entry), trace: 4 },
      },
      {
        ...models.get("Rude"),
        name: "WrongLine",
        expect: { verdict: "fails", line: "Error: Deadlock reached.", trace: 3 },
      },
      { ...models.get("Rude"), name: "FailsButMustHold", expect: { verdict: "holds" } },
    ]);
    const ran = await runTool("tlc", ["--dir", dir, "--json"]);
    const { results } = JSON.parse(ran.stdout) as Report;
    expect(ran.code).toBe(1);
    expect(Object.fromEntries(results.map(({ name, differences }) => [name, differences]))).toEqual({
      WrongDistinct: ["distinct states: 13, expected 14"],
      WrongDepth: ["depth: 5, expected 6"],
      WrongGenerated: ["generated states: 17, expected 18"],
      LivenessUnmarked: ["liveness was checked, although it is not marked temporal"],
      HoldsButMustFail: ["it holds, but it must fail"],
      WrongTrace: ["states of the counterexample: 3, expected 4"],
      WrongLine: ["another line: Error: Invariant Mutex is violated."],
      FailsButMustHold: ["it fails: Error: Invariant Mutex is violated."],
    });
  });

  it("with --update rewrites numbers where the verdict matches, and says so", {
    timeout: 240_000,
  }, async () => {
    const dir = await fixturesWith((models) => [
      { ...models.get("Holds"), distinct: 1, depth: 1 },
      { ...models.get("Rude"), expect: { verdict: "fails", line: "Error: Deadlock reached.", trace: 9 } },
    ]);
    const ran = await runTool("tlc", ["--dir", dir, "--update"]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain("Holds: updated, distinct states: 13, expected 1; depth: 5, expected 1");
    expect(ran.stderr).toContain("Rude: not updated, another line");
    const { models } = JSON.parse(await readFile(join(dir, "models.json"), "utf8")) as { models: Entry[] };
    expect(models[0]).toMatchObject({ distinct: 13, depth: 5 });
    expect(models[1]).toMatchObject({ expect: { line: "Error: Deadlock reached.", trace: 9 } });
    const again = await runTool("tlc", ["--dir", dir, "--only", "Holds"]);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("1 configurations, 13 distinct states");
  });
});

describe.skipIf(noTlc !== undefined)(title("npm run graph with a real TLC"), () => {
  const model = join(fixtures, "turnsModel.ts");
  const brokenModel = join(fixtures, "turnsModelBroken.ts");

  it("pins an equal graph only with --update, and then compares with it", { timeout: 240_000 }, async () => {
    const pinned = join(await temporaryFolder(onTestFinished), "pinned.json");
    const args = ["--dir", fixtures, "--model", model, "--pinned", pinned];
    const unpinned = await runTool("graph", args);
    expect(unpinned).toMatchObject({ code: 1, stdout: expect.stringContaining("not pinned yet") });
    expect(await runTool("graph", [...args, "--update"])).toMatchObject({ code: 0 });
    expect(JSON.parse(await readFile(pinned, "utf8"))).toMatchObject({ Holds: { states: 13, edges: 16 } });
    expect(await runTool("graph", args)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("all equal"),
    });

    const wrong = {
      Holds: { states: 13, edges: 17, digest: "0" },
      Gone: { states: 1, edges: 1, digest: "0" },
    };
    await writeFile(pinned, JSON.stringify(wrong));
    const differs = await runTool("graph", args);
    expect(differs.code).toBe(1);
    expect(differs.stdout).toContain("pinned edges: 17, found 16");
    expect(differs.stdout).toContain("Gone: pinned, but not a configuration with a graph");
  });

  it("finds a model without an action, and does not pin it", { timeout: 240_000 }, async () => {
    const pinned = join(await temporaryFolder(onTestFinished), "pinned.json");
    const args = ["--dir", fixtures, "--model", brokenModel, "--pinned", pinned, "--update"];
    const ran = await runTool("graph", args);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain("4 edges only of TLC");
    expect(ran.stdout).toContain("there: no Done from this state, only nothing");
    expect(JSON.parse(await readFile(pinned, "utf8"))).toEqual({});
  });
});
