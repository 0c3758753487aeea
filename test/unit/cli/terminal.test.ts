import { describe, expect, it } from "vitest";
import { wantsColours } from "../../../src/cli/terminal.ts";
import { printable } from "../../../src/errors.ts";

describe("colours", () => {
  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ TERM: "dumb" }, true, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "" }, false, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false, true],
  ] as const)("with %j, at a terminal: %j, they are wanted: %j", (env, isTerminal, wanted) => {
    expect(wantsColours(1, env, isTerminal)).toBe(wanted);
  });
});

describe("what others have named", () => {
  it("is shown with everything escaped that moves a cursor, hides, or turns letters", () => {
    expect(printable("a\tb\r\n\u001b]0;x\u0007\u007f\u009b\u200b\u202e\u2028\ud800")).toBe(
      "a\\u{9}b\\u{d}\\u{a}\\u{1b}]0;x\\u{7}\\u{7f}\\u{9b}\\u{200b}\\u{202e}\\u{2028}\\u{d800}",
    );
  });

  it("keeps the letters of any language", () => {
    expect(printable("Grüße 会话 😀 a b")).toBe("Grüße 会话 😀 a b");
  });
});
