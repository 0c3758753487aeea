/**
 * Which Takes may be made at once (spec/protocol.md, "Take"). To the specification it is a schedule like any other, so lockstep
 * does not look at it: this does, and has doubles of its own.
 */

import { describe, expect, it } from "vitest";
import type { DiskReply } from "../../src/disk.ts";
import * as protocol from "../../src/protocol.ts";
import { type Attempt, createEntry, type Owners } from "../../src/registry.ts";
import type { Run, Step } from "../../src/steps.ts";
import type { Watching } from "../../src/watch.ts";
import type { Protocol } from "../lockstep/world.ts";
import { type Double, loadPatched } from "./doubles.ts";

/** Of the first three Takes of a contention that somebody else is in the way of. */
const FIRST_ONLY = [true, false, false];
const NEVER = [false, false, false];
/** The second one comes of being told; the third one of a poll, long after. */
const FIRST_AND_TOLD = [true, true, false];

const DOUBLES: readonly (readonly [name: string, gone: string, patches: Double["patches"]])[] = [
  ["AtOnceAnywhere", "on a disk known to be local only", [["atOnce: local", "atOnce: true"]]],
  ["AtOnceAgain", "the first one only", [["    takes++;\n", ""]]],
  ["NeverAtOnce", "the first one", [["atOnce: local", "atOnce: false"]]],
];

const TOLD_DOUBLES: Double["patches"] = [
  ["yield takes === 0 || told ?", "yield takes === 0 ?"],
  ["services.clock.now() - toldAt < LATELY_MS", "toldAt > 0"],
];

describe("a Take may be made at once", () => {
  it("if it is the first of its contention, on a disk that is known to be local", () => {
    expect([takesOf(protocol, true), takesOf(protocol, false)]).toEqual([FIRST_ONLY, NEVER]);
  });

  it("or comes of being told", () => {
    expect([takesOf(protocol, true, "told"), takesOf(protocol, false, "told")]).toEqual([
      FIRST_AND_TOLD,
      NEVER,
    ]);
  });

  it("twin: where that is no reason, or stays one for ever, it is another one", async () => {
    for (const patch of TOLD_DOUBLES) {
      const double = await loadPatched<Protocol>("protocol.ts", "Told", [patch]);
      expect(takesOf(double, true, "told"), patch[1]).not.toEqual(FIRST_AND_TOLD);
    }
  });

  it.each(DOUBLES)("twin %s: without %s", async (name, _gone, patches) => {
    const double = await loadPatched<Protocol>("protocol.ts", name, patches);
    expect([takesOf(double, true), takesOf(double, false)]).not.toEqual([FIRST_ONLY, NEVER]);
  });
});

/** Whether each of the first three Takes may be made at once. */
function takesOf({ request }: Pick<Protocol, "request">, local: boolean, how?: "told"): readonly boolean[] {
  const takes: boolean[] = [];
  request(entryThatIsRefused(local, takes, how), attempt());
  return takes;
}

/** Nothing is recent after that. */
const LONG_MS = 1_000;

const HOME = { name: "own", path: "/home", guests: [] };
const owners: Owners = {
  newHome: () => HOME,
  content: () => "",
  isOwner: () => true,
  judge: () => ({ verdict: "alive", reason: "" }),
};
const REFUSED: DiskReply = { ok: false, errno: "ENOTEMPTY", error: new Error("ENOTEMPTY") };

function entryThatIsRefused(local: boolean, takes: boolean[], how?: "told"): ReturnType<typeof createEntry> {
  let tell = (): void => {};
  let now = 0;
  const answer = (step: Step): DiskReply => {
    if (step.kind === "call" && step.action === "Take") {
      takes.push(step.atOnce === true);
      return REFUSED;
    }
    if (step.kind === "sleep") {
      now += LONG_MS;
      step.arm({ wake: () => {}, cancel: () => {} });
      tell();
      tell = () => {};
    }
    return { ok: true, names: step.kind === "call" && step.action === "Look" ? ["other"] : [] };
  };
  const drive = (run: Run): void => {
    let { done, value } = run.next({ ok: true, names: [] });
    while (done !== true && takes.length < 3) ({ done, value } = run.next(answer(value as Step)));
  };
  const clock = { now: () => now, setTimer: () => ({ cancel: () => {} }), random: () => 0.5 };
  const disk = { renameReplacesEmpty: true, now: () => REFUSED, later: () => {} };
  const watch = (_lockPath: string, told: () => void): Watching => {
    tell = told;
    return { isOpen: () => true, stop: () => {} };
  };
  const services = {
    disk,
    clock,
    owners,
    drive,
    warn: () => {},
    quiet: () => {},
    ...(how === "told" ? { watch } : {}),
  };
  return createEntry({ lockPath: "/a.lock", sessionFile: "/a", local, services });
}

const attempt = (): Attempt => ({
  reentrant: false,
  gaveUp: false,
  revoked: false,
  granted: () => {},
  failed: () => {},
  lost: () => {},
});
