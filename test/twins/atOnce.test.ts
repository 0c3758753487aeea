/**
 * Which Takes may be made at once (spec/protocol.md, "Take"). To the specification it is a schedule like any other, so lockstep
 * does not look at it: this does, and has doubles of its own.
 */

import { describe, expect, it } from "vitest";
import type { DiskReply } from "../../src/disk.ts";
import * as protocol from "../../src/protocol.ts";
import { type Attempt, createEntry, type Owners } from "../../src/registry.ts";
import type { Run, Step } from "../../src/steps.ts";
import type { Protocol } from "../lockstep/world.ts";
import { type Double, loadPatched } from "./doubles.ts";

/** Of the first three Takes of a contention that somebody else is in the way of. */
const FIRST_ONLY = [true, false, false];
const NEVER = [false, false, false];

const DOUBLES: readonly (readonly [name: string, gone: string, patches: Double["patches"]])[] = [
  ["AtOnceAnywhere", "on a disk known to be local only", [["atOnce: entry.local", "atOnce: true"]]],
  ["AtOnceAgain", "the first one only", [["    takes++;\n", ""]]],
  ["NeverAtOnce", "the first one", [["atOnce: entry.local", "atOnce: false"]]],
];

describe("a Take may be made at once", () => {
  it("if it is the first of its contention, on a disk that is known to be local", () => {
    expect([takesOf(protocol, true), takesOf(protocol, false)]).toEqual([FIRST_ONLY, NEVER]);
  });

  it.each(DOUBLES)("twin %s: without %s", async (name, _gone, patches) => {
    const double = await loadPatched<Protocol>("protocol.ts", name, patches);
    expect([takesOf(double, true), takesOf(double, false)]).not.toEqual([FIRST_ONLY, NEVER]);
  });
});

/** Whether each of the first three Takes may be made at once. */
function takesOf({ request }: Pick<Protocol, "request">, local: boolean): readonly boolean[] {
  const takes: boolean[] = [];
  request(entryThatIsRefused(local, takes), attempt());
  return takes;
}

const HOME = { name: "own", path: "/home", guests: [] };
const owners: Owners = {
  newHome: () => HOME,
  content: () => "",
  isOwner: () => true,
  judge: () => ({ verdict: "alive", reason: "" }),
};
const REFUSED: DiskReply = { ok: false, errno: "ENOTEMPTY", error: new Error("ENOTEMPTY") };

function entryThatIsRefused(local: boolean, takes: boolean[]): ReturnType<typeof createEntry> {
  const answer = (step: Step): DiskReply => {
    if (step.kind === "call" && step.action === "Take") {
      takes.push(step.atOnce === true);
      return REFUSED;
    }
    if (step.kind === "sleep") step.arm({ wake: () => {}, cancel: () => {} });
    return { ok: true, names: step.kind === "call" && step.action === "Look" ? ["other"] : [] };
  };
  const drive = (run: Run): void => {
    let { done, value } = run.next({ ok: true, names: [] });
    while (done !== true && takes.length < 3) ({ done, value } = run.next(answer(value as Step)));
  };
  const clock = { now: () => 0, setTimer: () => ({ cancel: () => {} }), random: () => 0.5 };
  const disk = { renameReplacesEmpty: true, now: () => REFUSED, later: () => {} };
  const services = { disk, clock, owners, drive, warn: () => {}, quiet: () => {} };
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
