/** The chart: bars for each lock, on scales of powers of ten, since the locks are that far apart. */

import { rounded } from "./statistics.ts";
import type { Summary } from "./summary.ts";

interface Panel {
  readonly title: string;
  readonly measure: string;
  readonly variant: string;
  /** Which of the measure's columns. */
  readonly column: number;
}

const PANELS: readonly Panel[] = [
  {
    title: "alone: µs for acquire and release (less is better)",
    measure: "alone",
    variant: "one lock",
    column: 0,
  },
  {
    title: "4 processes on one file: acquisitions/s (more is better)",
    measure: "processes",
    variant: "4 processes",
    column: 0,
  },
  {
    title: "from process to process: ms, median (less is better)",
    measure: "handover",
    variant: "hand-over",
    column: 0,
  },
];

const WIDTH = 760;
/** Where the bars begin, and how long the longest is. */
const LEFT = 150;
const LONGEST = 500;
const ROW = 20;
const GAP = 34;

interface Bar {
  readonly lock: string;
  readonly value: number;
}

export function chart(summary: Summary): string {
  const parts: string[] = [];
  let y = 10;
  for (const panel of PANELS) {
    const bars = barsOf(summary, panel);
    if (bars.length === 0) continue;
    parts.push(text(10, y + 14, panel.title, "title"));
    const lengthOf = scale(bars);
    for (const [i, bar] of bars.entries())
      parts.push(...draw(bar, y + GAP + i * ROW - 8, lengthOf(bar.value)));
    y += GAP + bars.length * ROW + 12;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="13">`,
    "<title>Bars for each lock: time alone, rate of four processes, hand-over between processes</title>",
    // Readable on white and on black.
    "<style>text{fill:#777}.title{font-weight:bold}rect{fill:#9aa7b4}.ours{fill:#2a7de1}</style>",
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

function barsOf(summary: Summary, { measure, variant, column }: Panel): readonly Bar[] {
  const lines = summary.measures.find(({ name }) => name === measure)?.lines ?? [];
  return lines.flatMap(({ lock, variant: own, values }) => {
    const value = values[column];
    return own === variant && typeof value === "number" && value > 0 ? [{ lock, value }] : [];
  });
}

/** By powers of ten, from one below the smallest. */
function scale(bars: readonly Bar[]): (value: number) => number {
  const values = bars.map(({ value }) => value);
  const low = Math.log10(Math.min(...values)) - 0.5;
  const high = Math.log10(Math.max(...values));
  return (value) => Math.round((LONGEST * (Math.log10(value) - low)) / (high - low));
}

function draw({ lock, value }: Bar, y: number, length: number): readonly string[] {
  const rect = `<rect${lock === "ours" ? ' class="ours"' : ""} x="${LEFT}" y="${y}" width="${length}" height="${ROW - 6}" rx="2"/>`;
  return [text(10, y + 12, lock), rect, text(LEFT + length + 6, y + 12, rounded(value))];
}

function text(x: number, y: number, words: string, kind?: string): string {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text${kind === undefined ? "" : ` class="${kind}"`} x="${x}" y="${y}">${safe}</text>`;
}
