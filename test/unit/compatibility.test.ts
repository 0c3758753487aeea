/** What callers of the module of the issue rely on: spec/compatibility.md has the table, and the reason of each difference. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  acquireSessionWriteLock,
  cleanStaleLockFiles,
  DEFAULT_MAX_HOLD_MS,
  DEFAULT_STALE_MS,
  DEFAULT_TIMEOUT_MS,
} from "../../src/index.ts";
import { holdAndDie } from "../support/processes.ts";

let directory = "";
let sessionFile = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-compatibility-")));
  sessionFile = join(directory, "a.jsonl");
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

describe("as in the module of the issue,", () => {
  it("the defaults are 10 s, 30 min and 5 min", () => {
    expect([DEFAULT_TIMEOUT_MS, DEFAULT_STALE_MS, DEFAULT_MAX_HOLD_MS]).toEqual([10_000, 1_800_000, 300_000]);
  });

  it("the lock is beside the session file, with .lock behind its name", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    expect(fs.readdirSync(directory).filter((name) => !name.startsWith("."))).toEqual(["a.jsonl.lock"]);
    await lock.release();
  });

  it("an error of a timeout is told by its message, its code and its reason", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const refused = acquireSessionWriteLock({ sessionFile, timeoutMs: 50 });
    await expect(refused).rejects.toMatchObject({
      message: expect.stringMatching(/^session file locked \(timeout 50ms\): pid=\d+ \/.*\/a\.jsonl\.lock\b/),
      code: "ELOCKED",
      reason: "session_busy",
    });
    await lock.release();
  });

  it("whoever has it says pid, createdAt and, on Linux, starttime in JSON", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile });
    const [name = ""] = fs.readdirSync(lock.lockPath);
    expect(JSON.parse(fs.readFileSync(join(lock.lockPath, name), "utf8"))).toMatchObject({
      pid: process.pid,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      ...(process.platform === "linux" ? { starttime: expect.any(Number) as number } : {}),
    });
    await lock.release();
  });

  it("a sweep gives locks and cleaned, with the same fields", async () => {
    const pid = holdAndDie({ sessionFile });
    const { locks, cleaned } = await cleanStaleLockFiles({ sessionsDir: directory });
    expect(cleaned).toEqual(locks);
    expect(locks).toMatchObject([
      {
        lockPath: `${sessionFile}.lock`,
        pid,
        pidAlive: false,
        createdAt: expect.any(String),
        ageMs: expect.any(Number),
        stale: true,
        staleReasons: [`pid ${pid} is gone`],
        removed: true,
      },
    ]);
  });
});
