/** An entry that does nothing by itself: whatever a test does not expect to be called fails. */

import { expect } from "vitest";
import { type Attempt, createEntry, type Entry, type Services } from "../../src/registry.ts";

export const unused = (): never => expect.unreachable();

export const STUB_SERVICES: Services = {
  disk: { renameReplacesEmpty: true, now: unused, later: unused },
  clock: { now: unused, random: unused, setTimer: unused },
  owners: { newHome: unused, content: unused, isOwner: unused, judge: unused },
  drive: unused,
  warn: unused,
  quiet: unused,
};

export function stubEntry(services: Partial<Services> = {}, lockPath = "/d/a.lock"): Entry {
  return createEntry({
    lockPath,
    sessionFile: lockPath.replace(/\.lock$/, ""),
    local: true,
    disk: 7,
    services: { ...STUB_SERVICES, ...services },
  });
}

export const stubAttempt = (more: Partial<Attempt> = {}): Attempt => ({
  reentrant: false,
  gaveUp: false,
  revoked: false,
  granted: unused,
  failed: unused,
  lost: unused,
  ...more,
});
