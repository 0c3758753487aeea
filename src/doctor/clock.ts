/** A8: the clock of the file server, which leases go by, against ours. A6: what the reboot rule needs. */

import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoText, ignoreErrors } from "../errors.ts";
import { lastBeat } from "../owner/mark.ts";
import { about, type Row, type World } from "./row.ts";

/** One look at the three clocks. */
export interface ClockLook {
  /** How far the file server's clock is ahead of ours, in ms, or why that cannot be seen. */
  readonly aheadMs: number | string;
  /** How far our clock is ahead of one that is never set. */
  readonly sinceMs: number;
}

export function lookAtClock(world: World, scratch: string): ClockLook {
  const before = world.wall();
  const stamp = stampOf(join(scratch, "clock"));
  const after = world.wall();
  const aheadMs = typeof stamp === "string" ? stamp : outside(Number(stamp) / 1e6, before, after);
  return { aheadMs, sinceMs: sinceNeverSet(world) };
}

/** How far a moment is outside of a time: a busy disk may take seconds for one stamp, whenever in them it stamps. */
function outside(moment: number, earliest: number, latest: number): number {
  return moment - Math.min(Math.max(moment, earliest), latest);
}

/** Of so many looks the one that took the shortest: a busy machine may let us sleep between two clocks. */
const LOOKS = 5;

function sinceNeverSet({ wall, monotonic }: World): number {
  const looks = Array.from({ length: LOOKS }, () => {
    const [before, now, after] = [monotonic(), wall(), monotonic()];
    return { tookMs: after - before, sinceMs: now - before };
  });
  return looks.reduce((best, look) => (look.tookMs < best.tookMs ? look : best)).sinceMs;
}

/** Writes into a file, and gives its mtime in ns. */
function stampOf(file: string): bigint | string {
  try {
    const fd = fs.openSync(file, "a");
    try {
      fs.writeSync(fd, ".");
      // A network file system stamps what reaches its server; some know no fsync.
      ignoreErrors(() => fs.fsyncSync(fd));
      return fs.fstatSync(fd, { bigint: true }).mtimeNs;
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    return errnoText(error);
  }
}

/** `first` is a look from before the other checks: a clock that jumps meanwhile is seen. */
export async function checkClock(world: World, scratch: string, first: ClockLook): Promise<readonly Row[]> {
  const moved = await checkBeat(world, scratch);
  const last = lookAtClock(world, scratch);
  return [checkServer(last), moved, checkJumps(first, last), checkUptime(world)];
}

/** A difference that a person would notice in an age; leases do not mind it. */
const FAR_MS = 5_000;

function checkServer({ aheadMs }: ClockLook): Row {
  const { ok, warn, unknown } = about("A8", "the file server's clock against ours");
  if (typeof aheadMs === "string") return unknown(aheadMs, NOT_TRIED);
  const seen = `${Math.abs(aheadMs) < 1 ? "less than 1" : Math.round(Math.abs(aheadMs))} ms ${aheadMs < 0 ? "behind" : "ahead"}`;
  if (Math.abs(aheadMs) <= FAR_MS) return ok(seen);
  return warn(seen, "the ages of locks are wrong by so much. Leases go by the server's clock alone");
}

/** Twice what the coarsest file system here has: FAT, 2 s. */
const LONGEST_STEP_MS = 4_000;
/** Some have a second. */
const COARSE_MS = 1_100;
const LOOK_AGAIN_MS = 5;
const NOT_TRIED = "it could not be tried";

/** Without a beat that moves the mtime, no lease is possible. */
async function checkBeat({ disk, monotonic }: World, scratch: string): Promise<Row> {
  const { ok, warn, fail, unknown } = about("A8", "a beat moves the mtime");
  const path = join(scratch, "beat");
  const none = "no lease: switch it off with staleMs: Infinity";
  try {
    fs.writeFileSync(path, "{}", { flag: "wx" });
    const first = lastBeat(scratch, "beat");
    const start = monotonic();
    for (;;) {
      // Until it is sent: how long a busy disk takes for it says nothing of stamps.
      const waited = monotonic() - start;
      const reply = disk.now({ call: "beat", path });
      if (!reply.ok) return fail(`it is refused: ${reply.errno}`, none);
      const next = lastBeat(scratch, "beat");
      if (typeof first === "string") return unknown(first, NOT_TRIED);
      if (typeof next === "string") return unknown(next, NOT_TRIED);
      if (next < first) return fail("it went back", none);
      if (next > first) {
        const step = `after ${Math.max(1, Math.round(waited))} ms`;
        return waited < COARSE_MS
          ? ok(step)
          : warn(step, "stamps are coarse: two beats within it look like one");
      }
      if (waited > LONGEST_STEP_MS) return fail("never", none);
      await sleep(LOOK_AGAIN_MS);
    }
  } catch (error) {
    return unknown(errnoText(error), NOT_TRIED);
  }
}

/** More than a clock is slewed by while a doctor looks. */
const JUMP_MS = 250;

function checkJumps(first: ClockLook, last: ClockLook): Row {
  const { ok, warn, unknown } = about("A8", "jumps of the clocks while we looked");
  const ours = Math.abs(last.sinceMs - first.sinceMs);
  if (ours > JUMP_MS)
    return warn(`ours by ${Math.round(ours)} ms`, "ages of locks jump with it; deadlines do not");
  if (typeof first.aheadMs === "string" || typeof last.aheadMs === "string") {
    return unknown("the server's cannot be read", NOT_TRIED);
  }
  const theirs = Math.abs(last.aheadMs - first.aheadMs);
  // A stamp may be a second old where stamps are coarse.
  if (theirs > 2_000 + JUMP_MS)
    return warn(`the server's by ${Math.round(theirs)} ms`, "a lease survives one jump, not two");
  return ok("none");
}

/** Before Node.js had promises no machine of today was set up. */
const PLAUSIBLE = Date.UTC(2016, 0);

function checkUptime({ observer, wall }: World): Row {
  const { ok, warn } = about("A6", "when this machine booted");
  const means = "after a restart, owners of before are waited for";
  const bootedAt = observer.bootTime();
  if (bootedAt === undefined) return warn("uptime is not the kernel's", means);
  if (bootedAt < PLAUSIBLE || bootedAt > wall()) {
    return warn(`${new Date(bootedAt).toISOString()}, by this clock`, `the clock is not set; ${means}`);
  }
  return ok(`${new Date(bootedAt).toISOString()}, by this clock`);
}
