import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as protocol from "../../src/protocol.ts";
import { lockstepProperty, replay, withWorld } from "./programs.ts";
import { SCOPES } from "./scopes.ts";

const SEEDS = 200;

/** The trace of one seed, and how many steps were compared. */
async function traceOf(scopeName: string, seed: number): Promise<string> {
  const config = SCOPES[scopeName];
  if (config === undefined) throw new Error(`no scope ${scopeName}`);
  let trace = "";
  const property = lockstepProperty(config, protocol, 40, (world) => {
    trace = world.trace.join("\n");
  });
  await fc.assert(property, { seed, numRuns: 1 });
  return trace;
}

describe("lockstep is deterministic", () => {
  it(`${SEEDS} seeds, twice each, give the same traces, and different seeds different ones`, async () => {
    const scopes = Object.keys(SCOPES);
    const traces: string[] = [];
    let differing = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const scope = scopes[seed % scopes.length] ?? "";
      const first = await traceOf(scope, seed);
      if (first !== (await traceOf(scope, seed))) differing++;
      traces.push(first);
    }
    expect(differing).toBe(0);
    expect(new Set(traces).size).toBeGreaterThan(SEEDS / 2);
  });

  it("replays a trace step by step, and says which step is not possible", async () => {
    const scope = "three processes, three tasks, PutBack";
    const config = SCOPES[scope];
    if (config === undefined) throw new Error("no scope");
    const steps = (await traceOf(scope, 3)).split("\n");
    const again = await withWorld(config, protocol, (world) => {
      replay(world, steps);
      return world.trace;
    });
    expect(again).toEqual(steps);
    const impossible = withWorld(config, protocol, (world) => replay(world, ["Request(a1)", "Take(a1)"]));
    await expect(impossible).rejects.toThrow(
      /Cannot replay step 2, "Take\(a1\)": possible are .*Prepare\(a1\)/,
    );
  });
});
