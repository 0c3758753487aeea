import { describe, expect, it } from "vitest";
import {
  type DamageKind,
  findDamage,
  type History,
  type Kill,
  readLine,
  type Section,
  type SessionLine,
  startOfLine,
  type WriterLog,
} from "../../demo/check.ts";

const PID = 4711;

/**
 * Writers a, b, c one after the other, each inside for 10 ms; b was killed in its second section. So:
 * a#1 [0, 10], b#1 [10, 20], c#1 [20, 30], b#2 [30, killed at 35], a#2 [40, 50], c#2 [50, 60].
 */
const CLEAN: History = {
  lines: [
    line("a", 1, 0),
    line("b", 1, 10),
    line("c", 1, 20),
    half("b", 2, 30),
    line("a", 2, 40),
    line("c", 2, 50),
  ],
  writers: [
    writer("a", section(1, 0, 1), section(2, 40, 4)),
    writer("b", section(1, 10, 2), cutShort(2, 30)),
    writer("c", section(1, 20, 3), section(2, 50, 5)),
  ],
  kills: [{ writer: "b", at: 35 }],
  counter: 5,
};

describe("the check of the demo finds nothing", () => {
  it("in a clean history, although a writer was killed in the middle of a line", () => {
    expect(findDamage(CLEAN)).toEqual([]);
  });

  it("in an empty history", () => {
    expect(findDamage({ lines: [], writers: [], kills: [], counter: 0 })).toEqual([]);
  });

  it("in a line that is whole but not acknowledged, since its writer was killed between the two", () => {
    expect(findDamage(withLine(3, line("b", 2, 30)))).toEqual([]);
  });

  it("in a number that was counted but not acknowledged, since its writer was killed between the two", () => {
    expect(findDamage({ ...CLEAN, counter: 6 })).toEqual([]);
  });

  it("in the marker of a writer that had been killed inside", () => {
    expect(findDamage(withMarker("a", { seq: 2, at: 40, found: "b" }))).toEqual([]);
  });

  it("in a marker without a name, if somebody had been killed inside", () => {
    expect(findDamage(withMarker("a", { seq: 2, at: 40, found: "" }))).toEqual([]);
  });

  it("in a writer that was killed between two sections", () => {
    expect(findDamage({ ...CLEAN, kills: [...CLEAN.kills, { writer: "c", at: 70 }] })).toEqual([]);
  });

  it.each([0, 1, 30, 1024, 4000])("in a line that was cut after %i bytes by a kill", (bytes) => {
    const text = lineText("b", 2, 30).slice(0, bytes);
    expect(findDamage(withLine(3, { kind: "broken", text }))).toEqual([]);
  });

  it("in a line that was cut within its last number, or right before its line feed", () => {
    const text = lineText("b", 2, 30);
    expect(findDamage(withLine(3, { kind: "broken", text: text.slice(0, -2) }))).toEqual([]);
    expect(findDamage(withLine(3, { kind: "broken", text }))).toEqual([]);
  });
});

describe("the check of the demo finds", () => {
  it("an acknowledged line that is missing", () => {
    expect(kindsIn({ ...CLEAN, lines: CLEAN.lines.slice(1) })).toEqual(["acknowledged line missing"]);
  });

  it("an acknowledged line that is torn", () => {
    expect(kindsIn(withLine(0, half("a", 1, 0)))).toEqual(["acknowledged line missing", "torn line"]);
  });

  it("a line that is there twice", () => {
    expect(kindsIn({ ...CLEAN, lines: [line("a", 1, 0), ...CLEAN.lines] })).toEqual(["line twice"]);
  });

  it("lines of a writer in the wrong order", () => {
    const [first, ...others] = CLEAN.lines;
    const lines = first === undefined ? others : [...others, first];
    expect(kindsIn({ ...CLEAN, lines })).toEqual(["lines out of order"]);
  });

  it("a whole line that was never acknowledged, of a writer that lives", () => {
    expect(kindsIn({ ...CLEAN, lines: [...CLEAN.lines, line("c", 3, 60)] })).toEqual(["line nobody wrote"]);
  });

  it("a whole line of a writer that is not known", () => {
    expect(kindsIn({ ...CLEAN, lines: [...CLEAN.lines, line("d", 1, 60)] })).toEqual(["line nobody wrote"]);
  });

  it("pieces of two lines in one", () => {
    const text = half("b", 2, 30).text + half("a", 2, 40).text;
    expect(kindsIn(withLine(3, { kind: "broken", text }))).toEqual(["torn line"]);
  });

  it("a second torn line for one kill", () => {
    expect(kindsIn({ ...CLEAN, lines: [...CLEAN.lines, half("b", 2, 30)] })).toEqual(["torn line"]);
  });

  it("a torn line of a writer that was killed in another section", () => {
    expect(kindsIn(withLine(3, half("b", 3, 30)))).toEqual(["torn line"]);
  });

  it("a torn line of a writer that was killed after its acknowledgement", () => {
    const kinds = kindsIn({
      ...CLEAN,
      lines: [...CLEAN.lines, half("c", 3, 60)],
      writers: [
        ...CLEAN.writers.slice(0, 2),
        writer("c", section(1, 20, 3), section(2, 50, 5, "never left")),
      ],
      kills: [...CLEAN.kills, { writer: "c", at: 60 }],
    });
    expect(kinds).toEqual(["torn line"]);
  });

  it("two writers inside at once, by their logs", () => {
    expect(kindsIn(withWriter("a", section(1, 0, 1), section(2, 40, 4, 51)))).toEqual(["two inside at once"]);
  });

  it("two writers inside at once, by their lines", () => {
    expect(kindsIn(withLine(4, line("a", 2, 40, 51)))).toEqual(["two inside at once"]);
  });

  it("a writer that was inside before another was killed there", () => {
    const kills: Kill[] = [{ writer: "b", at: 41 }];
    expect(kindsIn({ ...CLEAN, kills })).toEqual(["two inside at once"]);
  });

  it("a short stay inside a long one", () => {
    const kinds = kindsIn({
      lines: [line("a", 1, 0, 100), line("b", 1, 10), line("b", 2, 30)],
      writers: [writer("a", section(1, 0, 1, 100)), writer("b", section(1, 10, 2), section(2, 30, 3))],
      kills: [],
      counter: 3,
    });
    expect(new Set(kinds)).toEqual(new Set(["two inside at once"]));
  });

  it("an update of the counter that was lost", () => {
    const kinds = kindsIn({ ...withWriter("a", section(1, 0, 1), section(2, 40, 3)), counter: 5 });
    expect(kinds).toEqual(["lost update"]);
  });

  it("a counter that says less than was acknowledged, or more than kills explain", () => {
    expect(kindsIn({ ...CLEAN, counter: 4 })).toEqual(["counter wrong"]);
    expect(kindsIn({ ...CLEAN, counter: 7 })).toEqual(["counter wrong"]);
    expect(kindsIn({ ...CLEAN, counter: Number.NaN })).toEqual(["counter wrong"]);
  });

  it("the marker of a writer that lives", () => {
    expect(kindsIn(withMarker("a", { seq: 2, at: 40, found: "c" }))).toEqual(["marker of another"]);
  });

  it("the marker of a writer that was killed only afterwards", () => {
    expect(kindsIn(withMarker("a", { seq: 1, at: 5, found: "b" }))).toEqual(["marker of another"]);
    expect(kindsIn(withMarker("a", { seq: 1, at: 5, found: "" }))).toEqual(["marker of another"]);
  });

  it("a section that nobody left, of a writer that was not killed", () => {
    const kinds = kindsIn(withWriter("c", section(1, 20, 3), section(2, 50, 5, "never left")));
    expect(kinds).toEqual(["section without an end"]);
  });

  it("a section that nobody left, although its writer went on", () => {
    const kinds = kindsIn(withWriter("a", section(1, 0, 1, "never left"), section(2, 40, 4)));
    expect(kinds).toEqual(["section without an end"]);
  });
});

describe("a line of the session file", () => {
  it("is whole if it is exactly what its writer writes", () => {
    expect(readLine(lineText("a", 7, 12.5))).toEqual({
      kind: "whole",
      writer: "a",
      seq: 7,
      begin: 12.5,
      end: 22.5,
    });
  });

  it("is broken although it is JSON, if its padding holds a piece of another line", () => {
    const text = lineText("a", 1, 0).replace("a#1.a#1.", "a#1.b#1.a#1.");
    expect(() => JSON.parse(text)).not.toThrow();
    expect(readLine(text).kind).toBe("broken");
  });

  it.each(["null", "1", "[]", "{}", "{", "\u0000"])("is broken if it is %j", (text) => {
    expect(readLine(text)).toEqual({ kind: "broken", text });
  });
});

// ------------------------------------------------------------------------------------------------
// Histories

function kindsIn(history: History): DamageKind[] {
  return findDamage(history).map(({ kind }) => kind);
}

function lineText(name: string, seq: number, begin: number, end: number = begin + 10): string {
  return `${startOfLine({ writer: name, pid: PID, seq, begin })}${end}}`;
}

function line(name: string, seq: number, begin: number, end?: number): SessionLine {
  return readLine(lineText(name, seq, begin, end));
}

function half(name: string, seq: number, begin: number): SessionLine & { kind: "broken" } {
  return { kind: "broken", text: lineText(name, seq, begin).slice(0, 2048) };
}

function section(seq: number, enteredAt: number, counter: number, left?: number | "never left"): Section {
  const leftAt = left === "never left" ? undefined : (left ?? enteredAt + 10);
  return { seq, enteredAt, ack: { at: enteredAt + 9, counter }, leftAt };
}

function cutShort(seq: number, enteredAt: number): Section {
  return { seq, enteredAt, ack: undefined, leftAt: undefined };
}

function writer(name: string, ...sections: Section[]): WriterLog {
  return { writer: name, pid: PID, sections, markers: [] };
}

function withLine(index: number, replacement: SessionLine): History {
  return { ...CLEAN, lines: CLEAN.lines.with(index, replacement) };
}

function withWriter(name: string, ...sections: Section[]): History {
  const writers = CLEAN.writers.map((log) => (log.writer === name ? { ...log, sections } : log));
  return { ...CLEAN, writers };
}

function withMarker(name: string, marker: WriterLog["markers"][number]): History {
  const writers = CLEAN.writers.map((log) => (log.writer === name ? { ...log, markers: [marker] } : log));
  return { ...CLEAN, writers };
}
