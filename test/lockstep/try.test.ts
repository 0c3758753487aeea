/**
 * `tryAcquireSessionWriteLock` is a `Request` whose `GiveUp` comes at the first wait (spec/protocol.md, "GiveUp"). Here
 * every request is a try, under random schedules: what the protocol calls a wait is one in which the model lets
 * it give up; and since nobody waits, nothing ever wakes.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Config } from "../../model/state.ts";
import * as protocol from "../../src/protocol.ts";
import type { Attempt } from "../../src/registry.ts";
import { drain, withWorld } from "./programs.ts";
import { SCOPES } from "./scopes.ts";
import type { Protocol, World } from "./world.ts";

const SEED = 20_261_125;
const RUNS = Number(process.env["SWL_RUNS"] ?? 40);
const STEPS = 120;

/** The protocol, with a note of each attempt whose wait has begun. */
function tryingProtocol(waiting: Attempt[], waits: "told" | "not told"): Protocol {
  return {
    ...protocol,
    request: (entry, attempt) => {
      if (waits === "told") attempt.waits = () => void waiting.push(attempt);
      protocol.request(entry, attempt);
    },
  };
}

/** How often somebody woke. Each wait that was noted is given up as the very next step. */
async function run(config: Config, choices: readonly number[], waits: "told" | "not told"): Promise<number> {
  const waiting: Attempt[] = [];
  return withWorld(config, tryingProtocol(waiting, waits), (world: World) => {
    let wakes = 0;
    for (const choice of choices) {
      const options = world.options();
      const option = options[choice % options.length];
      if (option === undefined) break;
      // A debt that is paid later wakes too, but nobody waits for it.
      if (option.text.startsWith("wake") && !option.text.startsWith("wake debt")) wakes++;
      world.perform(option);
      for (const attempt of waiting.splice(0)) {
        const giveUp = world.options().find(({ text }) => text === `GiveUp(${world.taskOf(attempt)})`);
        if (giveUp === undefined)
          throw new Error(`a wait in which nobody may give up: ${world.trace.join("; ")}`);
        world.perform(giveUp);
      }
    }
    drain(world);
    return wakes;
  });
}

const schedules = fc.array(fc.nat(1_000), { minLength: STEPS, maxLength: STEPS });
const parameters = { seed: SEED, numRuns: RUNS, endOnFailure: true };

describe(`a try gives up at its first wait (${RUNS} schedules each, seed ${SEED})`, () => {
  for (const [name, config] of Object.entries(SCOPES)) {
    it(name, async () => {
      await fc.assert(
        fc.asyncProperty(schedules, async (choices) => {
          expect(await run(config, choices, "told")).toBe(0);
        }),
        parameters,
      );
    });
  }

  it("twin: whoever is not told of the wait goes on waiting, and wakes", async () => {
    const [config] = Object.values(SCOPES);
    if (config === undefined) throw new Error("no scope");
    let wakes = 0;
    for (const choices of fc.sample(schedules, parameters)) wakes += await run(config, choices, "not told");
    expect(wakes).toBeGreaterThan(0);
  });
});
