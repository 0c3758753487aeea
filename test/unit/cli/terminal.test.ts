import fs from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { openTerminal, paint, wantsColours, writeLine } from "../../../src/cli/terminal.ts";
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

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** What was written to which descriptor; each reply is an errno, or how many bytes are taken of what is there. */
function written(...replies: readonly (string | number)[]): (readonly [fd: number, text: string])[] {
  const taken: (readonly [number, string])[] = [];
  const next = [...replies];
  vi.spyOn(fs, "writeSync").mockImplementation(((fd: number, bytes: Buffer) => {
    const reply = next.shift() ?? bytes.length;
    if (typeof reply === "string") throw Object.assign(new Error(reply), { code: reply });
    taken.push([fd, bytes.subarray(0, reply).toString()]);
    return reply;
  }) as typeof fs.writeSync);
  return taken;
}

describe("a line", () => {
  it("is written whole, however little is taken at a time, and however full the pipe is", () => {
    const taken = written(3, "EAGAIN", "EAGAIN", 1);
    const failed = vi.fn();
    writeLine(2, "words", failed);
    expect(taken).toEqual([
      [2, "wor"],
      [2, "d"],
      [2, "s\n"],
    ]);
    expect(failed).not.toHaveBeenCalled();
  });

  it("that nobody reads is no failure, and one that cannot be written is: once", () => {
    const failed = vi.fn();
    expect(written("EPIPE")).toEqual([]);
    writeLine(1, "words", failed);
    expect(failed).not.toHaveBeenCalled();
    expect(written("ENOSPC")).toEqual([]);
    writeLine(1, "words", failed);
    expect(failed.mock.calls).toMatchObject([[{ code: "ENOSPC" }]]);
    // Nobody needs to be told.
    expect(written("ENOSPC")).toEqual([]);
    writeLine(1, "words");
    expect(fs.writeSync).toHaveBeenCalledTimes(3);
  });
});

describe("the terminal", () => {
  it("prints on standard output, complains on standard error, and tells of the first alone that it failed", () => {
    const failed = vi.fn();
    const terminal = openTerminal(failed);
    const taken = written();
    terminal.print("out");
    terminal.complain("err");
    expect(taken).toEqual([
      [1, "out\n"],
      [2, "err\n"],
    ]);
    vi.restoreAllMocks();
    written("ENOSPC", "ENOSPC");
    terminal.print("out");
    terminal.complain("err");
    expect(failed).toHaveBeenCalledTimes(1);
  });

  it("paints where colours are wanted, and nowhere else", () => {
    vi.stubEnv("FORCE_COLOR", "1");
    const coloured = openTerminal(() => {});
    vi.stubEnv("FORCE_COLOR", "0");
    const plain = openTerminal(() => {});
    expect([coloured.paint("red", "x"), plain.paint("red", "x")]).toEqual(["\u001b[31mx\u001b[39m", "x"]);
    expect(paint("dim", "x")).toBe("\u001b[2mx\u001b[22m");
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
