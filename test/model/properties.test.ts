import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { STEP_PROPERTIES } from "../../model/properties.ts";
import { type Config, initialState, type State } from "../../model/state.ts";
import { readModelConfig } from "../../tla/tools/constants.ts";

const tla = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "tla");
// a1 and a3 share, a2 does not.
const config: Config = {
  ...readModelConfig(tla, "SafeTasksReentrant.cfg"),
  procs: ["a"],
  tasks: ["a1", "a2", "a3", "a4"],
  procOf: { a1: "a", a2: "a", a3: "a", a4: "a" },
  reentrantTasks: ["a1", "a3", "a4"],
};

function stateOf(queue: readonly string[], held: readonly string[], contender: string | null): State {
  const initial = initialState(config);
  const pc = Object.fromEntries(
    config.tasks.map((task) => [
      task,
      queue.includes(task)
        ? "queued"
        : held.includes(task)
          ? "holding"
          : task === contender
            ? "take"
            : "idle",
    ]),
  ) as State["pc"];
  return {
    ...initial,
    pc,
    queue: { a: [...queue] },
    heldLocks: { a: [...held] },
    contender: { a: contender },
  };
}

function fifoAllows(before: State, after: State): boolean {
  const fifo = STEP_PROPERTIES.find(({ name }) => name === "Fifo");
  return fifo?.holds(config, before, { label: { action: "Released", arg: "a1" }, next: after }) === true;
}

// tests G8
describe("Fifo", () => {
  const waiting = stateOf(["a2", "a1", "a3"], [], null);

  it.each([
    ["the head gets the slot", stateOf(["a1", "a3"], [], "a2")],
    ["the head gets the lock", stateOf(["a1", "a3"], ["a2"], null)],
    ["one in the middle gives up", stateOf(["a2", "a3"], [], null)],
    ["one more queues", stateOf(["a2", "a1", "a3", "a4"], [], null)],
    ["those who share join one who was not in the queue", stateOf(["a2"], ["a4", "a1", "a3"], null)],
  ])("allows that %s", (_what, after) => {
    expect(fifoAllows(waiting, after)).toBe(true);
  });

  it.each([
    ["one who shares gets the slot, ahead of a head who does not", stateOf(["a2", "a3"], [], "a1")],
    ["those who share get the lock, ahead of a head who does not", stateOf(["a2"], ["a1", "a3"], null)],
    ["the last gets the lock", stateOf(["a2", "a1"], ["a3"], null)],
    ["the head gets the lock, and one who shares vanishes", stateOf(["a3"], ["a2"], null)],
    ["the queue changes its order", stateOf(["a1", "a2", "a3"], [], null)],
    ["one joins a holder who does not share", stateOf(["a3"], ["a2", "a1"], null)],
  ])("refuses that %s", (_what, after) => {
    expect(fifoAllows(waiting, after)).toBe(false);
  });
});
