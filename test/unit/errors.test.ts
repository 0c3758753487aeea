import { describe, expect, it } from "vitest";
import { errnoText, ignoreErrors, printable, SessionWriteLockError, textOf } from "../../src/errors.ts";

const NO_TEXT = {
  toString: (): string => {
    throw new Error("on purpose");
  },
};

describe("an error of the library", () => {
  it("carries what it was given, and has the name of its class", () => {
    const owner = { name: "n", pid: 1, uid: 2, host: "h", ageMs: 3, verdict: "v", metadata: 4 };
    const details = {
      code: "ELOCKED",
      sessionFile: "/a",
      lockPath: "/a.lock",
      reason: "session_busy",
    } as const;
    const cause = new Error("why");
    const error = new SessionWriteLockError("words", { ...details, owner, cause });
    expect(error).toMatchObject({
      ...details,
      owner,
      cause,
      name: "SessionWriteLockError",
      message: "words",
    });
    expect(String(error)).toBe("SessionWriteLockError: words");
    expect(error).toBeInstanceOf(Error);
  });

  it("has no cause at all if there is none", () => {
    const error = new SessionWriteLockError("words", { code: "EINVAL", sessionFile: "/a", cause: undefined });
    expect("cause" in error).toBe(false);
    expect(error.lockPath).toBeUndefined();
  });
});

describe("the text of an error of the system", () => {
  it.each<[unknown, string]>([
    [Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT" }), "ENOENT"],
    [Object.assign(new Error("unknown error"), { code: -4_094 }), "unknown error"],
    [new Error("words"), "words"],
    ["thrown text", "thrown text"],
    [7, "7"],
    [null, "null"],
    [undefined, "undefined"],
  ])("of %o is %s", (error, text) => {
    expect(errnoText(error)).toBe(text);
  });
});

describe("a value of a user", () => {
  it.each<[unknown, string]>([
    ["a\nb", '"a\\nb"'],
    [1n, "1"],
    [Symbol("s"), "Symbol(s)"],
    [undefined, "undefined"],
    [NO_TEXT, "a value without a text form"],
  ])("of %# is shown as text", (value, text) => {
    expect(textOf(value)).toBe(text);
  });
});

describe("a line for a person", () => {
  it("has every character escaped that moves a cursor or hides, by its number, and no other", () => {
    expect(printable("a\u001b[2J\u200b\u2028\u2029\ud800b\u{e0001} é会")).toBe(
      "a\\u{1b}[2J\\u{200b}\\u{2028}\\u{2029}\\u{d800}b\\u{e0001} é会",
    );
  });
});

describe("what may fail without a consequence", () => {
  it("is done, and its error goes nowhere", () => {
    let done = false;
    ignoreErrors(() => {
      done = true;
      throw new Error("on purpose");
    });
    expect(done).toBe(true);
  });
});
