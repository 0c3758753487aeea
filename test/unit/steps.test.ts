import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import type { Disk, DiskReply } from "../../src/disk.ts";
import { createDriver, createTurnBudget, type Run, type Step, type Wakeable } from "../../src/steps.ts";

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

  it("is again in the next turn of the event loop, whenever that turn began", async () => {
    now = 1_000_000;
    const mayBlock = createTurnBudget(clock);
    const answers = [0, 9.9, 10].map((ms) => {
      now = 1_000_000 + ms;
      return mayBlock();
    });
    expect(answers).toEqual([true, true, false]);
    await new Promise((resolve) => setImmediate(resolve));
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

describe("the driver", () => {
  const FOUND: DiskReply = { ok: true, names: ["found"] };
  const NOTHING: DiskReply = { ok: true, names: [] };
  const look = (mode: "sync" | "async", atOnce?: boolean): Step => ({
    kind: "call",
    action: "Look",
    mode,
    ...(atOnce === undefined ? {} : { atOnce }),
    call: { call: "readdir", path: "lock" },
  });

  interface Driven {
    /** How calls were made, and that the run ended. */
    readonly log: string[];
    /** What each step was answered with. */
    readonly replies: DiskReply[];
    /** The replies and the questions that are not answered yet. */
    readonly pending: (() => void)[];
    readonly timers: {
      readonly ms: number;
      readonly background: string | undefined;
      readonly end: () => void;
    }[];
    wakeable: Wakeable | undefined;
  }

  function driven(makeSteps: (made: Driven) => readonly Step[], mayBlock = true): Driven {
    const made: Driven = { log: [], replies: [], pending: [], timers: [], wakeable: undefined };
    const disk: Disk = {
      renameReplacesEmpty: true,
      now: () => {
        made.log.push("now");
        return FOUND;
      },
      later: (_call, done) => {
        made.log.push("later");
        made.pending.push(() => done(FOUND));
      },
    };
    const timed: Clock = {
      ...clock,
      setTimer: (ms, end, background) => {
        made.timers.push({ ms, background, end });
        return { cancel: () => made.log.push("cancelled") };
      },
    };
    function* run(): Run {
      for (const step of makeSteps(made)) made.replies.push(yield step);
      made.log.push("ended");
    }
    createDriver(disk, timed, () => mayBlock)(run());
    return made;
  }

  it("makes a synchronous call in this turn, whether or not it may block for others", () => {
    expect(driven(() => [look("sync")], false)).toMatchObject({ log: ["now", "ended"], replies: [FOUND] });
  });

  it("makes an asynchronous one at once only if it may be, and there is time", () => {
    expect(driven(() => [look("async", true)]).log).toEqual(["now", "ended"]);
    for (const [step, mayBlock] of [
      [look("async", true), false],
      [look("async", false), true],
      [look("async"), true],
    ] as const) {
      const made = driven(() => [step], mayBlock);
      expect(made.log).toEqual(["later"]);
      made.pending[0]?.();
      expect(made).toMatchObject({ log: ["later", "ended"], replies: [FOUND] });
    }
  });

  it("goes through a turn at once, whose reply is empty", () => {
    expect(driven(() => [{ kind: "turn", action: "Wake" }])).toMatchObject({
      log: ["ended"],
      replies: [NOTHING],
    });
  });

  it("goes on behind a question when that is answered", () => {
    const made = driven(({ pending }) => [{ kind: "ask", ask: (done) => pending.push(done) }]);
    expect(made.log).toEqual([]);
    made.pending[0]?.();
    expect(made).toMatchObject({ log: ["ended"], replies: [NOTHING] });
  });

  const sleeping = (background?: "background"): Driven =>
    driven((made) => [
      {
        kind: "sleep",
        ms: 7,
        ...(background === undefined ? {} : { background }),
        arm: (wakeable) => {
          made.wakeable = wakeable;
        },
      },
    ]);

  it("sleeps until the timer ends, which may be one of the background", () => {
    for (const background of [undefined, "background"] as const) {
      const made = sleeping(background);
      expect(made.timers).toMatchObject([{ ms: 7, background }]);
      expect(made.log).toEqual([]);
      made.timers[0]?.end();
      expect(made).toMatchObject({ log: ["ended"], replies: [NOTHING] });
    }
  });

  it("wakes who is woken, whose timer goes; and whose sleep is cancelled sleeps for good", () => {
    const woken = sleeping();
    woken.wakeable?.wake();
    expect(woken.log).toEqual(["cancelled", "ended"]);
    const cancelled = sleeping();
    cancelled.wakeable?.cancel();
    expect(cancelled.log).toEqual(["cancelled"]);
  });
});
