import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import type { Disk, DiskReply } from "../../src/disk.ts";
import { createDriver, createTurnBudget, type Run, type Step } from "../../src/steps.ts";

const DONE: DiskReply = { ok: true, names: [] };
const TAKE: Step = {
  kind: "call",
  action: "Take",
  mode: "async",
  atOnce: true,
  call: { call: "rename", from: "home", to: "lock" },
};

let now = 0;
const clock: Clock = { now: () => now, setTimer: () => ({ cancel: () => {} }), random: () => 0.5 };

describe("a call that may be made at once", () => {
  it("is, for ten milliseconds of each turn of the event loop", () => {
    const turns: (() => void)[] = [];
    const mayBlock = createTurnBudget(clock, (callback) => turns.push(callback));
    const answers = [0, 5, 9.9, 10, 500].map((ms) => {
      now = ms;
      return mayBlock();
    });
    expect(answers).toEqual([true, true, true, false, false]);
    expect(turns).toHaveLength(1);
    turns[0]?.();
    expect(mayBlock()).toBe(true);
  });

  it("keeps nobody from the event loop, who makes one after the other", async () => {
    expect(await callsBeforeTimer(createTurnBudget(clock))).toBeLessThan(MOST_CALLS);
  });

  it("twin: without the budget a timer waits for as long as the loop lasts", async () => {
    expect(await callsBeforeTimer(() => true)).toBe(MOST_CALLS);
  });

  it("is asynchronous where there is no time left for it", async () => {
    const ways: string[] = [];
    await drive(diskThat(ways), () => false, 1);
    expect(ways).toEqual(["later"]);
    await drive(diskThat(ways), () => true, 1);
    expect(ways).toEqual(["later", "now"]);
  });
});

/** A timer that is due at once fires much earlier, whatever the machine. */
const MOST_CALLS = 100_000;

/** Of calls that take a millisecond each. */
async function callsBeforeTimer(mayBlock: () => boolean): Promise<number> {
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 0);
  const ways: string[] = [];
  await drive(diskThat(ways), mayBlock, MOST_CALLS, () => fired);
  return ways.length;
}

function diskThat(ways: string[]): Disk {
  return {
    renameReplacesEmpty: true,
    now: () => {
      now++;
      ways.push("now");
      return DONE;
    },
    later: (_call, done) => {
      ways.push("later");
      setImmediate(() => done(DONE));
    },
  };
}

function drive(
  disk: Disk,
  mayBlock: () => boolean,
  most: number,
  isOver: () => boolean = () => false,
): Promise<void> {
  return new Promise((resolve) => {
    function* takes(): Run {
      for (let i = 0; i < most && !isOver(); i++) yield TAKE;
      resolve();
    }
    createDriver(disk, clock, mayBlock)(takes());
  });
}
