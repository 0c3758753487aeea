import { describe, expect, it } from "vitest";
import type { SessionWriteLockError } from "../../src/errors.ts";
import {
  type AcquireSessionWriteLockParams,
  DEFAULT_MAX_HOLD_MS,
  DEFAULT_STALE_MS,
  DEFAULT_TIMEOUT_GRACE_MS,
  DEFAULT_TIMEOUT_MS,
  MAX_METADATA_BYTES,
  readOptions,
  resolveSessionLockMaxHoldFromTimeout,
} from "../../src/options.ts";

const sessionFile = "a.jsonl";
const read = (params: object, waits = true): ReturnType<typeof readOptions> =>
  readOptions({ sessionFile, ...params } as AcquireSessionWriteLockParams, { waits });

/** What `readOptions` throws; that it throws at all is checked. */
function refusal(params: object, waits = true): SessionWriteLockError {
  try {
    read(params, waits);
  } catch (error) {
    return error as SessionWriteLockError;
  }
  return expect.unreachable();
}

/** Each option with a value that is not its default, and what becomes of it. */
const GIVEN = {
  timeoutMs: 1,
  staleMs: 2,
  maxHoldMs: 3,
  revokeAfterMaxHold: true,
  allowReentrant: true,
  signal: new AbortController().signal,
  metadata: { run: 7 },
  migrateLegacyLocks: true,
  onWaiting: () => {},
  onTakeover: () => {},
};
const READ = { ...GIVEN, metadata: '{"run":7}' };
const OF_WAITING = ["timeoutMs", "onWaiting"] as const;

describe("what is not given", () => {
  const defaults = {
    timeoutMs: DEFAULT_TIMEOUT_MS,
    staleMs: DEFAULT_STALE_MS,
    maxHoldMs: DEFAULT_MAX_HOLD_MS,
    revokeAfterMaxHold: false,
    allowReentrant: false,
    signal: undefined,
    metadata: "",
    migrateLegacyLocks: false,
    onWaiting: undefined,
    onTakeover: undefined,
  };

  it("has its default: nothing is taken away, shared or migrated that nobody asked for", () => {
    expect(read({})).toEqual({ ...defaults, sessionFile });
  });

  it("is 10 seconds, half an hour, 5 minutes", () => {
    expect([DEFAULT_TIMEOUT_MS, DEFAULT_STALE_MS, DEFAULT_MAX_HOLD_MS]).toEqual([10_000, 1_800_000, 300_000]);
  });

  it("may be undefined, too", () => {
    expect(read(Object.fromEntries(Object.keys(GIVEN).map((name) => [name, undefined])))).toEqual({
      ...defaults,
      sessionFile,
    });
  });
});

describe("what is given", () => {
  it("is read, all of it", () => {
    expect(read(GIVEN)).toEqual({ ...READ, sessionFile });
  });

  it.each(Object.entries(GIVEN))("%s is known by itself", (name, value) => {
    expect(read({ [name]: value })).toMatchObject({ [name]: READ[name as keyof typeof READ] });
  });

  it("to whoever does not wait must not be an option of waiting", () => {
    for (const [name, value] of Object.entries(GIVEN)) {
      if (!(OF_WAITING as readonly string[]).includes(name)) read({ [name]: value }, false);
      else expect(refusal({ [name]: value }, false)).toMatchObject({ code: "EINVAL", message: /no option/ });
    }
  });

  it.each(["allowReentrant", "migrateLegacyLocks", "revokeAfterMaxHold"])("%s must be a boolean", (name) => {
    const message = `Cannot acquire session lock: ${name} must be a boolean, not "yes"`;
    expect(refusal({ [name]: "yes" })).toMatchObject({ code: "EINVAL", message, sessionFile });
  });

  it.each(["onWaiting", "onTakeover"])("%s must be a function", (name) => {
    const message = `Cannot acquire session lock: ${name} must be a function, not "yes"`;
    expect(refusal({ [name]: "yes" })).toMatchObject({ code: "EINVAL", message, sessionFile });
  });

  it("as metadata may be as long as it may be, in bytes, and no longer", () => {
    const longest = "x".repeat(MAX_METADATA_BYTES - 2);
    expect(read({ metadata: longest }).metadata).toBe(`"${longest}"`);
    for (const metadata of [`${longest}x`, `${longest.slice(1)}ü`, () => {}, 1n]) {
      expect(refusal({ metadata }).message).toBe(
        "Cannot acquire session lock: metadata must be a JSON value of at most 2048 bytes",
      );
    }
  });

  it("as a signal may come from another realm, and must have all that is called later", () => {
    const members = {
      aborted: false,
      addEventListener: () => {},
      removeEventListener: () => {},
      throwIfAborted: () => {},
    };
    expect(read({ signal: members }).signal).toBe(members);
    for (const name of Object.keys(members)) {
      expect(refusal({ signal: { ...members, [name]: undefined } }).message).toMatch(/signal must be an/);
    }
  });
});

describe("resolveSessionLockMaxHoldFromTimeout", () => {
  it("gives a run two minutes of grace, and at least five minutes", () => {
    expect(DEFAULT_TIMEOUT_GRACE_MS).toBe(120_000);
    expect(resolveSessionLockMaxHoldFromTimeout({ timeoutMs: 600_000 })).toBe(720_000);
    expect(resolveSessionLockMaxHoldFromTimeout({ timeoutMs: 180_000 })).toBe(300_000);
    expect(resolveSessionLockMaxHoldFromTimeout({ timeoutMs: 180_001 })).toBe(300_001);
  });

  it.each(["timeoutMs", "graceMs", "minMs"])("takes a text for a number as not given: %s", (name) => {
    const others = { timeoutMs: 600_000, graceMs: 1_000, minMs: 2_000 };
    const { [name as "minMs"]: _, ...rest } = others;
    const withText = resolveSessionLockMaxHoldFromTimeout({ ...others, [name]: "7000" });
    expect(withText).toBe(resolveSessionLockMaxHoldFromTimeout(rest as typeof others));
    expect(typeof withText).toBe("number");
  });

  it.each([
    [{ timeoutMs: 600_000 }, 720_000],
    [{ timeoutMs: 60_000 }, DEFAULT_MAX_HOLD_MS],
    [{ timeoutMs: 1_000, graceMs: 5_000, minMs: 2_000 }, 6_000],
    [{ timeoutMs: Number.POSITIVE_INFINITY }, 2_147_000_000],
    [{ timeoutMs: 1e15 }, 2_147_000_000],
    [{ timeoutMs: 0 }, DEFAULT_MAX_HOLD_MS + 120_000],
    [{ timeoutMs: Number.NaN, graceMs: -1, minMs: Number.POSITIVE_INFINITY }, DEFAULT_MAX_HOLD_MS + 120_000],
  ])("of %o is %i ms", (params, expected) => {
    expect(resolveSessionLockMaxHoldFromTimeout(params)).toBe(expected);
  });
});
