/** What a storm says while it goes on, and in the end. */

import { grouped, Progress, table } from "../../tla/tools/console.ts";
import type { Figures, StormReport } from "./run.ts";

/** Elsewhere than on a terminal one line in so long a time. */
const LINE_EVERY_MS = 30_000;

export class Saying {
  readonly #signals: number;
  readonly #progress: Progress = new Progress(process.stderr);
  #saidAt = performance.now();

  constructor(signals: number) {
    this.#signals = signals;
    this.#progress.start("storm");
  }

  progress(figures: Figures): void {
    this.#progress.detail(this.#text(figures));
    if (process.stderr.isTTY || performance.now() - this.#saidAt < LINE_EVERY_MS) return;
    this.#saidAt = performance.now();
    process.stderr.write(`${this.#text(figures)}\n`);
  }

  end(figures: Figures): void {
    this.#progress.end(`storm: ${this.#text(figures)}`);
  }

  #text({ kills, stops, sections, seconds }: Figures): string {
    const perSecond = (count: number): string => grouped(Math.round(count / seconds));
    const done = kills + stops;
    return `${grouped(done)} of ${grouped(this.#signals)} signals (${perSecond(done)}/s), ${grouped(sections)} sections (${perSecond(sections)}/s), ${Math.round(seconds)} s`;
  }
}

export function sayReport({ figures, damage, notDone }: StormReport): void {
  const rows: readonly (readonly [string, number])[] = [
    ["SIGKILL", figures.kills],
    ["  of a process that was inside", figures.killsInside],
    ["SIGSTOP", figures.stops],
    ["  of a process that was inside", figures.stopsInside],
    ["the disk was full", figures.fullDisks],
    ["  calls of the lock that failed by it", figures.fullDisk],
    ["a process had no descriptors", figures.descriptorLimits],
    ["  calls of the lock that failed by it", figures.outOfDescriptors],
    ["clocks jumped (Date.now, performance.now)", figures.clockJumps],
    ["waits that were given up", figures.gaveUp],
    ["sections, each an update", figures.sections],
    ["  that a kill leaves open", figures.open],
    ["markers of the dead, found", figures.markersOfTheDead],
    ["entries left when the storm was over", figures.before],
  ];
  console.log(
    table(
      ["what", "times"],
      rows.map(([what, times]) => [what, grouped(times)]),
    ),
  );
  for (const what of notDone) console.log(`not done: ${what}`);
  console.log(
    damage.length === 0
      ? "Nobody met another inside, no update was lost, nothing is left"
      : `FAILED: ${[...new Set(damage.map(({ check }) => check))].join(", ")}`,
  );
}
