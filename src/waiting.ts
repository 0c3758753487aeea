/** What a waiter waits for, in words: for the error of a timeout, and for `onWaiting`. */

import { hostname } from "node:os";
import { ageOf, describeOwner } from "./describe.ts";
import { type LockOwner, SessionWriteLockError } from "./errors.ts";
import { lookAtObstruction } from "./legacy.ts";
import type { AcquireOptions, WaitingInfo } from "./options.ts";
import type { Entry } from "./registry.ts";

export function timeoutError(
  entry: Entry,
  { timeoutMs }: AcquireOptions,
  startedAt: number,
): SessionWriteLockError {
  const { lockPath, sessionFile, reason, owner, what } = describeWait(entry, startedAt);
  return new SessionWriteLockError(`session file locked (timeout ${timeoutMs}ms): ${what}`, {
    code: "ELOCKED",
    sessionFile,
    lockPath,
    reason,
    owner,
  });
}

export function describeWait(entry: Entry, startedAt: number): WaitingInfo {
  const { lockPath, sessionFile, obstacle } = entry;
  const waitedMs = Math.round(entry.services.clock.now() - startedAt);
  const common = { sessionFile, lockPath, waitedMs, owner: undefined };
  if (obstacle?.kind === "foreign") {
    return { ...common, ...describeForeign(entry, obstacle.what) };
  }
  if (obstacle?.kind === "refusal") {
    const what = `${lockPath} seems free, but taking it is refused with ${obstacle.errno}`;
    return { ...common, reason: "session_busy", what };
  }
  const owner = currentOwner(entry, obstacle);
  const where = owner.host === undefined || owner.host === hostname() ? "" : ` host=${owner.host}`;
  const what = `pid=${owner.pid ?? "unknown"}${where} ${lockPath} (${owner.verdict}; waited ${waitedMs} ms)`;
  return { ...common, reason: "session_busy", owner, what };
}

function describeForeign(
  { lockPath, local, services }: Entry,
  seen: string,
): Pick<WaitingInfo, "reason" | "owner" | "what"> {
  const { what, legacy } = lookAtObstruction(lockPath);
  const verdict = legacy && services.owners.judgeLegacy?.(legacy, { path: lockPath, local }).reason;
  const isFile = what !== "a directory" && what !== "ENOENT";
  const words = isFile ? what + (verdict === undefined ? "" : `; ${verdict}`) : seen;
  const isNone = `${lockPath} is not a lock of this library (${words}); it is left alone`;
  if (legacy === undefined) return { reason: "foreign", owner: undefined, what: isNone };
  const { pid } = legacy;
  const owner: LockOwner = {
    name: "",
    pid,
    uid: undefined,
    host: undefined,
    ageMs: ageOf(lockPath),
    verdict: verdict ?? what,
    metadata: undefined,
  };
  return { reason: "foreign", owner, what: `pid=${pid} ${isNone}` };
}

/** Who has it: another process, as last seen; or this one. */
function currentOwner({ lockPath, home }: Entry, obstacle: Entry["obstacle"]): LockOwner {
  if (obstacle?.kind === "owner") return describeOwner(obstacle.name, lockPath, obstacle.verdict);
  const verdict = "this process has it, or is taking it";
  if (home !== null) return describeOwner(home.name, lockPath, verdict);
  return {
    name: "",
    pid: process.pid,
    uid: process.getuid?.(),
    host: hostname(),
    ageMs: ageOf(lockPath),
    verdict,
    metadata: undefined,
  };
}
