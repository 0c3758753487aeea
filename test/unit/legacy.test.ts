/**
 * Old lock files: whatever an old module, or anybody, has put at a lock path, only what is proved dead goes, and only
 * on request. The oracle knows which pids it made and killed; it does not ask the code.
 */

import { spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { acquireSessionWriteLock, tryAcquireSessionWriteLock } from "../../src/index.ts";
import { type LegacyClaim, migrateLegacyLock } from "../../src/legacy.ts";
import { readOwnerScope } from "../../src/owner/identity.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import type { Judgement } from "../../src/registry.ts";
import { deadPid } from "../support/processes.ts";
import { type Double, loadPatched } from "../twins/doubles.ts";

const linux = process.platform === "linux";
/** `npm run mutants` asks for a few. */
const GATE_RUNS = Number(process.env["SWL_RUNS"] ?? 5_000);
const RUNS = process.env["SWL_DEEP"] === undefined ? GATE_RUNS : 100_000;
/** Enough for a look on a busy machine: an error that comes before cannot say what is in the way. */
const LOOKS_MS = 1_000;
const SEED = process.env["SWL_SEED"] === "random" ? Date.now() : Number(process.env["SWL_SEED"] ?? 20261125);

let directory = "";
let sessionFile = "";
let lockPath = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-legacy-")));
  sessionFile = join(directory, "a.jsonl");
  lockPath = `${sessionFile}.lock`;
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const DEAD = deadPid();
const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
const RUNNING = child.pid ?? 0;
afterAll(() => void child.kill("SIGKILL"));

/** Field 22, read here by other means than the code's. */
const startOf = (pid: number | string): number =>
  Number(
    fs
      .readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ")[19],
  );

const createdAt = "2026-01-02T03:04:05.678Z";
const write = (content: unknown): void => fs.writeFileSync(lockPath, JSON.stringify(content));
const left = (): readonly string[] =>
  fs.readdirSync(directory).filter((name) => !/^\.swl-(life|[0-9a-f]{12}-own)/.test(name));

const owners = createOwners(readOwnerScope(createObserver()));
const place = (): { path: string; local: boolean } => ({ path: lockPath, local: true });
const judge = (claim: LegacyClaim): Judgement =>
  owners.judgeLegacy?.(claim, place()) ?? { verdict: "unknown", reason: "" };
const neverWarn = (text: string): never => {
  throw new Error(`nobody expects: ${text}`);
};
const migrate = (warn: (text: string) => void = neverWarn, local = true): boolean =>
  migrateLegacyLock({ ...place(), local }, judge, warn);

/** A lock of ours comes to L. */
function takeIt(): void {
  fs.mkdirSync(lockPath);
  fs.writeFileSync(join(lockPath, "owner"), "");
}

/** An old lock file of a dead process that is replaced after it was read: what becomes of what came then. */
function replaceInBetween(
  migrateIt: typeof migrateLegacyLock,
  replace: () => void,
): {
  readonly removed: boolean;
  readonly isThere: boolean;
  readonly isUntouched: boolean;
  readonly warnings: number;
} {
  write({ pid: DEAD, createdAt });
  let seen: fs.Stats | undefined;
  let warnings = 0;
  const judgeAndReplace = (claim: LegacyClaim): ReturnType<typeof judge> => {
    // In a new inode: a file that is written over would keep its own.
    fs.renameSync(lockPath, join(directory, "former"));
    replace();
    seen = fs.lstatSync(lockPath);
    return judge(claim);
  };
  const removed = migrateIt(place(), judgeAndReplace, () => warnings++);
  const now = fs.lstatSync(lockPath, { throwIfNoEntry: false });
  const isThere = now?.ino === seen?.ino;
  // A rename there and back changes its ctime.
  return { removed, isThere, isUntouched: isThere && now?.ctimeMs === seen?.ctimeMs, warnings };
}

async function withoutGuard(name: string, patches: Double["patches"]): Promise<typeof migrateLegacyLock> {
  const legacy = await loadPatched<typeof import("../../src/legacy.ts")>("legacy.ts", name, patches);
  return legacy.migrateLegacyLock;
}

describe.skipIf(!linux)("an old lock file", () => {
  let self = { pid: process.pid, starttime: 0 };
  beforeAll(() => {
    self = { pid: process.pid, starttime: startOf(process.pid) };
  });

  it("of a dead process is waited for, if nobody asks for more", async () => {
    write({ pid: DEAD, createdAt });
    expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
    const waiting = acquireSessionWriteLock({ sessionFile, timeoutMs: LOOKS_MS });
    await expect(waiting).rejects.toMatchObject({
      code: "ELOCKED",
      reason: "foreign",
      owner: { pid: DEAD, verdict: `pid ${DEAD} is gone` },
    });
    expect(JSON.parse(fs.readFileSync(lockPath, "utf8"))).toEqual({ pid: DEAD, createdAt });
  });

  it("of a dead process is taken over on request, in one round", async () => {
    write({ pid: DEAD, createdAt });
    const lock = await tryAcquireSessionWriteLock({ sessionFile, migrateLegacyLocks: true });
    lock?.assertHeld();
    expect(lock?.isHeld()).toBe(true);
    await lock?.release();
    expect(left()).toEqual([]);
  });

  it.each([
    [
      "whose pid was used again, by its start",
      () => ({ pid: RUNNING, createdAt, starttime: startOf(RUNNING) - 1 }),
    ],
    [
      "of an earlier life with our own pid, by its start",
      () => ({ ...self, createdAt, starttime: self.starttime - 1 }),
    ],
    ["with its keys in upper case", () => ({ PID: DEAD, CREATEDAT: createdAt, STARTTIME: 5 })],
  ])("%s, is proved dead", (_what, content) => {
    write(content());
    expect(migrate()).toBe(true);
    expect(left()).toEqual([]);
  });

  it.each([
    ["of a running process", () => ({ pid: RUNNING, createdAt })],
    [
      "of a running process, with its start",
      () => ({ pid: RUNNING, createdAt, starttime: startOf(RUNNING) }),
    ],
    ["of our own pid without a start: an orphan, or another copy's", () => ({ pid: process.pid, createdAt })],
    ["of our own pid with our start", () => ({ ...self, createdAt })],
    ["with a start that is none", () => ({ pid: RUNNING, createdAt, starttime: "5" })],
    ["without a date", () => ({ pid: DEAD })],
    ["with a pid that is text", () => ({ pid: String(DEAD), createdAt })],
    ["with a pid that names a group", () => ({ pid: -DEAD, createdAt })],
    ["with two pids", () => ({ pid: DEAD, PID: RUNNING, createdAt })],
    ["in a list", () => [{ pid: DEAD, createdAt }]],
    ["that is longer than we read", () => ({ pid: DEAD, createdAt, padding: "x".repeat(5_000) })],
  ])("%s stays", (_what, content) => {
    write(content());
    const before = fs.readFileSync(lockPath);
    expect(migrate()).toBe(false);
    expect(fs.readFileSync(lockPath).equals(before)).toBe(true);
    expect(left()).toEqual(["a.jsonl.lock"]);
  });

  it("stays on a disk that is not known to be local", () => {
    write({ pid: DEAD, createdAt });
    expect(migrate(neverWarn, false)).toBe(false);
    expect(left()).toEqual(["a.jsonl.lock"]);
  });

  it.each([
    ["another file", () => fs.writeFileSync(lockPath, "a new one")],
    ["the same content in another file", () => write({ pid: DEAD, createdAt })],
    ["a symbolic link", () => fs.symlinkSync("nowhere", lockPath)],
  ])("that is replaced by %s between judgement and removal: that is put back", (_what, replace) => {
    const { removed, isThere } = replaceInBetween(migrateLegacyLock, replace);
    expect({ removed, isThere }).toEqual({ removed: false, isThere: true });
    expect(left()).toEqual(["a.jsonl.lock", "former"]);
  });

  it("twin: if only contents are compared, one with the same content is destroyed", async () => {
    const broken = await withoutGuard("ComparesContentOnly", [
      [
        "const sameFile = now?.stat.dev === stat.dev && now.stat.ino === stat.ino;",
        "const sameFile = now !== undefined;",
      ],
      ["now.stat.mtimeNs === stat.mtimeNs && ", ""],
    ]);
    const { removed, isThere } = replaceInBetween(broken, () => write({ pid: DEAD, createdAt }));
    expect({ removed, isThere }).toEqual({ removed: true, isThere: false });
  });

  it("that is replaced by a lock of ours is not moved at all", () => {
    const { removed, isThere, isUntouched } = replaceInBetween(migrateLegacyLock, takeIt);
    expect({ removed, isThere, isUntouched }).toEqual({ removed: false, isThere: true, isUntouched: true });
    expect(left()).toEqual(["a.jsonl.lock", "former"]);
  });

  it("twin: without the empty file in its place, a lock of ours is moved away, and cannot be put back", async () => {
    const broken = await withoutGuard("NoFileInPlace", [
      ['fs.writeFileSync(aside, "", { flag: "wx", mode: 0o600 });', ""],
    ]);
    const { isThere, warnings } = replaceInBetween(broken, takeIt);
    expect({ isThere, warnings }).toEqual({ isThere: false, warnings: 1 });
  });

  it("that cannot be put back, since somebody has the path by then, is kept and told", () => {
    // The hole that the option's documentation names: an old version that runs replaces its file in between.
    write({ pid: DEAD, createdAt });
    const warnings: string[] = [];
    const link = fs.linkSync;
    fs.linkSync = (existing, path) => {
      fs.mkdirSync(path);
      link(existing, path);
    };
    try {
      const removed = migrateLegacyLock(
        place(),
        (claim) => {
          fs.unlinkSync(lockPath);
          fs.writeFileSync(lockPath, "of a living one");
          return judge(claim);
        },
        (text) => warnings.push(text),
      );
      expect(removed).toBe(false);
    } finally {
      fs.linkSync = link;
    }
    const [aside = ""] = left();
    expect(aside).toMatch(/^\.swl-[0-9a-f]{12}-old-[0-9a-f]{24}$/);
    expect(fs.readFileSync(join(directory, aside), "utf8")).toBe("of a living one");
    expect(warnings).toEqual([expect.stringContaining(`its lock file is now ${join(directory, aside)}`)]);
  });
});

// Deep, under load: some 3 minutes each.
describe.skipIf(!linux)(`${RUNS} contents of a lock path (seed ${SEED})`, { timeout: 1_800_000 }, () => {
  /** A content, and whether its owner is proved dead. */
  interface Content {
    readonly bytes: Buffer;
    readonly dead: boolean;
  }
  const running = startOf(RUNNING);
  const own = startOf(process.pid);
  /** What an old module writes, with every pid and start that matters. */
  const claims = fc
    .record({
      pid: fc.constantFrom(DEAD, DEAD, RUNNING, process.pid, 1, 0, -1, 2 ** 31, 1.5, String(DEAD), null),
      start: fc.constantFrom(undefined, running, own, running + 1, own - 1, 0, -5, 1.5, "7", null, 2 ** 60),
      date: fc.constantFrom(
        createdAt,
        createdAt,
        createdAt,
        "2026-01-02",
        undefined,
        "yesterday",
        "99999999999999",
        5,
        null,
      ),
      upper: fc.boolean(),
      extra: fc.constantFrom({}, { hostname: "x" }, { pid2: 1 }, { big: "x".repeat(4_000) }),
      tail: fc.constantFrom("", "", "\n", "  ", ","),
    })
    .map(({ pid, start, date, upper, extra, tail }): Content => {
      const fields = Object.entries({ pid, createdAt: date, starttime: start, ...extra });
      const named = fields.map(([key, value]) => [upper ? key.toUpperCase() : key, value]);
      const bytes = Buffer.from(JSON.stringify(Object.fromEntries(named)) + tail);
      const isWhole = tail !== "," && bytes.length <= 4_096 && (date === createdAt || date === "2026-01-02");
      const isStart = typeof start === "number" && Number.isInteger(start) && start > 0 && start < 1e13;
      const reused =
        isStart && ((pid === RUNNING && start !== running) || (pid === process.pid && start !== own));
      const isInit = pid === 1 && isStart && start !== startOf(1);
      return { bytes, dead: isWhole && (pid === DEAD || reused || isInit) };
    });
  const anything: fc.Arbitrary<Content> = fc
    .oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc.string().map((text) => Buffer.from(text)),
      fc.constant(Buffer.alloc(0)),
    )
    .map((bytes) => ({ bytes, dead: false }));
  const contents = fc.oneof({ weight: 3, arbitrary: claims }, { weight: 1, arbitrary: anything });
  const parameters = { numRuns: RUNS, seed: SEED };

  it("are removed on request if, and only if, their owner is proved dead", () => {
    let removed = 0;
    fc.assert(
      fc.property(contents, ({ bytes, dead }) => {
        fs.writeFileSync(lockPath, bytes);
        expect(migrate()).toBe(dead);
        expect(fs.existsSync(lockPath)).toBe(!dead);
        if (!dead) expect(fs.readFileSync(lockPath).equals(bytes)).toBe(true);
        else removed++;
      }),
      parameters,
    );
    expect(left()).toEqual(fs.existsSync(lockPath) ? ["a.jsonl.lock"] : []);
    console.log(`old lock files: ${RUNS} contents, ${removed} proved dead and removed, the rest left alone`);
    // Both sides must have been there, or nothing was shown.
    expect(removed).toBeGreaterThan(RUNS / 50);
    expect(removed).toBeLessThan(RUNS / 2);
  });

  it("are left alone by whoever does not ask, all of them", async () => {
    await fc.assert(
      fc.asyncProperty(contents, async ({ bytes }) => {
        fs.writeFileSync(lockPath, bytes);
        expect(await tryAcquireSessionWriteLock({ sessionFile })).toBeUndefined();
        expect(fs.readFileSync(lockPath).equals(bytes)).toBe(true);
      }),
      // A whole acquisition each, three times as slow.
      { ...parameters, numRuns: RUNS === GATE_RUNS ? Math.min(RUNS, 1_500) : RUNS },
    );
  });

  it("twin: a judge that calls a running pid dead is caught", () => {
    const all = (claim: LegacyClaim): ReturnType<typeof judge> => ({ ...judge(claim), verdict: "dead" });
    const check = fc.check(
      fc.property(contents, ({ bytes, dead }) => {
        fs.writeFileSync(lockPath, bytes);
        return migrateLegacyLock(place(), all, neverWarn) === dead;
      }),
      parameters,
    );
    expect(check.failed).toBe(true);
  });
});
