/** What others may have written, named, or made large: spec/security.md. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { READ_LIMIT_BYTES } from "../../src/bounded.ts";
import { printable } from "../../src/errors.ts";
import { acquireSessionWriteLock, inspectSessionLocks, type SessionWriteLockError } from "../../src/index.ts";
import { newNonce, readOwnerScope } from "../../src/owner/identity.ts";
import { parseLifeSocketName } from "../../src/owner/life.ts";
import { parseMarkName } from "../../src/owner/mark.ts";
import { formatOwnerName, homeName, parseHomeName, parseOwnerName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";

const posix = process.platform !== "win32";
const self = readOwnerScope(createObserver());
const ownerName = formatOwnerName({ ...self, life: "-", nonce: newNonce() });
let directory: string;
let lockPath: string;
let warned: unknown[][];
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-input-")));
  lockPath = join(directory, "a.jsonl.lock");
  warned = [];
  vi.spyOn(process, "emitWarning").mockImplementation((...args: unknown[]) => void warned.push(args));
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const refusal = async (): Promise<SessionWriteLockError> => {
  const waiting = acquireSessionWriteLock({ sessionFile: join(directory, "a.jsonl"), timeoutMs: 500 });
  return waiting.then(
    () => Promise.reject(new Error("it was locked")),
    (error: SessionWriteLockError) => error,
  );
};

describe("a name that others have chosen", () => {
  const HOSTILE = [
    "new\nline",
    "\u001b[31mred\u001b[0m",
    "\u009b31m",
    "right\u202eleft",
    "\u007f",
    "\r\t\u0007",
  ];
  /** What moves a cursor, or hides a letter. */
  const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

  it.runIf(posix).each(HOSTILE.map((name) => [printable(name), name]))(
    "at the lock path stands escaped in the message: %s",
    async (_shown, name) => {
      fs.mkdirSync(lockPath);
      fs.writeFileSync(join(lockPath, name), "");
      const { message, code } = await refusal();
      expect(code).toBe("ELOCKED");
      expect(message).toContain("a directory that holds");
      expect(message).not.toMatch(UNSEEN);
    },
  );

  it("twin: JSON alone lets some of them through", () => {
    expect(HOSTILE.map((name) => JSON.stringify(name)).filter((text) => UNSEEN.test(text))).toHaveLength(3);
    expect(HOSTILE.map(printable).filter((text) => UNSEEN.test(text))).toEqual([]);
  });

  it("is never taken for one of ours, if it leads anywhere", () => {
    const parsers = [parseOwnerName, parseHomeName, parseMarkName, parseLifeSocketName];
    const ours = [
      ownerName,
      homeName("a.jsonl.lock", ownerName),
      `.swl-mark-${"0".repeat(12)}-${"a".repeat(24)}`,
    ];
    const bad = fc.constantFrom("/", "..", "\0", "\n", "\\", ".", " ", "%2f", "é", "A");
    const seed = Number(process.env["SWL_SEED"]) || 20_261_125;
    fc.assert(
      fc.property(fc.constantFrom(...ours), bad, fc.nat(), (name, piece, at) => {
        const place = 1 + (at % (name.length - 1));
        const changed = name.slice(0, place) + piece + name.slice(place);
        return parsers.every((parse) => parse(changed) === undefined);
      }),
      { seed, numRuns: 2_000 },
    );
    expect(parsers.map((parse) => parse(ours[0] ?? "") !== undefined)).toEqual([true, false, false, false]);
  });

  it("a thousand of them make a message of a few words", async () => {
    fs.mkdirSync(lockPath);
    for (let i = 0; i < 1_000; i++) fs.writeFileSync(join(lockPath, `name ${i}`), "");
    const { message } = await refusal();
    expect(message).toContain("and 997 more");
    expect(message.length).toBeLessThan(1_000);
  });
});

describe("what others have written", () => {
  const POLLUTING = `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"hostname":{"__proto__":{"polluted":1}},
    "pid":1,"createdAt":"2026-01-01T00:00:00.000Z","__PROTO__":{"polluted":1},"metadata":{"__proto__":{"polluted":1},"run":"r1"}}`;

  it("into an owner file changes no prototype, and is shown as it is", async () => {
    fs.mkdirSync(lockPath);
    fs.writeFileSync(join(lockPath, ownerName), POLLUTING);
    const [found] = await inspectSessionLocks(directory);
    expect(found?.owners[0]?.metadata).toHaveProperty("run", "r1");
    expect(found?.owners[0]?.host).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("into an old lock file changes no prototype", async () => {
    fs.writeFileSync(lockPath, POLLUTING);
    expect((await inspectSessionLocks(directory))[0]).toMatchObject({ state: "foreign" });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each(["the owner file", "the old lock file"])(
    "is read up to a bound: %s has a terabyte",
    async (what) => {
      if (what === "the owner file") fs.mkdirSync(lockPath);
      const file = what === "the owner file" ? join(lockPath, ownerName) : lockPath;
      fs.writeFileSync(file, "{");
      // A hole: it takes no room on the disk. tmpfs and ext4 take files of that size.
      fs.truncateSync(file, 2 ** 40);
      const read = vi.spyOn(fs, "readSync");
      const [found] = await inspectSessionLocks(directory);
      expect(found).toMatchObject({ state: what === "the owner file" ? "held" : "foreign" });
      expect(read).toHaveBeenCalledOnce();
      expect(read.mock.results[0]?.value).toBe(READ_LIMIT_BYTES);
    },
  );
});

describe.runIf(posix)("the modes of what is made", () => {
  const parents = [0o700, 0o750, 0o770, 0o2770, 0o777, 0o1777];
  const cases = [0o000, 0o022, 0o077].flatMap((umask) => parents.map((parent) => [parent, umask] as const));

  it.each(cases)(
    "in a directory of mode %o, with a umask of %o: a lock has the directory's",
    async (parent, umask) => {
      fs.chmodSync(directory, parent);
      const before = process.umask(umask);
      try {
        const lock = await acquireSessionWriteLock({ sessionFile: join(directory, "a.jsonl") });
        const [owner = ""] = fs.readdirSync(lockPath);
        const modes = [lockPath, join(lockPath, owner)].map((path) => fs.statSync(path).mode & 0o7777);
        await lock.release();
        // Sticky where the directory is: else everybody could remove the owner's name, though not the lock.
        expect(modes).toEqual([parent, 0o666 & ~umask]);
      } finally {
        process.umask(before);
      }
    },
  );
});

describe("a directory that others may change", () => {
  // Which ones those are: test/unit/unsafe.test.ts.
  it.runIf(posix)("is warned of once, by its code", async () => {
    const open = join(directory, "open\u001b[31m");
    fs.mkdirSync(open);
    fs.chmodSync(open, 0o777);
    for (const name of ["a", "b", "a"]) {
      const lock = await acquireSessionWriteLock({ sessionFile: join(open, name) });
      await lock.release();
    }
    const shown = open.replace("\u001b", "\\u{1b}");
    expect(warned).toEqual([
      [
        `session locks in ${shown} do not exclude everybody: everybody may write to ${shown}`,
        { type: "SessionWriteLockWarning", code: "SWL_UNSAFE_DIRECTORY" },
      ],
    ]);
  });
});
