/** What processes did and were told, with the moments of one monotonic clock, and how it is shown to people. */

import { type Call, callText, type DiskState, type Layout, type Reply } from "./disk.ts";

export interface Event {
  readonly process: number;
  readonly call: Call;
  readonly reply: Reply;
  /** Nanoseconds. The call had its effect somewhere between. */
  readonly begin: number;
  readonly end: number;
}

export interface History {
  readonly initial: DiskState;
  /** For each process what it did, in its order. */
  readonly processes: readonly (readonly Event[])[];
  /** What was found when all was over. */
  readonly final: Layout;
}

export const eventsOf = ({ processes }: History): readonly Event[] =>
  processes.flat().sort((one, other) => one.begin - other.begin);

const overlap = (one: Event, other: Event): boolean =>
  one.process < other.process && one.begin <= other.end && other.begin <= one.end;

/** Pairs of calls of different processes of which neither had ended when the other began. */
export function overlappingPairs(history: History): number {
  const events = history.processes.flat();
  return events.flatMap((one) => events.filter((other) => overlap(one, other))).length;
}

const BAR = 48;

/** One line for each call, with a bar from its beginning to its end. */
export function timeline(history: History): string {
  const events = eventsOf(history);
  const first = Math.min(...events.map(({ begin }) => begin));
  const length = Math.max(1, Math.max(...events.map(({ end }) => end)) - first);
  const column = (moment: number): number => Math.floor(((moment - first) / length) * (BAR - 1));
  const lines = events.map(({ process, call, reply, begin, end }) => {
    const bar = " ".repeat(column(begin)) + "=".repeat(column(end) - column(begin) + 1);
    const time = ((begin - first) / 1000).toFixed(1).padStart(8);
    return `${time} us  p${process + 1}  |${bar.padEnd(BAR)}|  ${callText(call)} = ${reply}`;
  });
  const { at, objects } = history.initial;
  return [
    `at first: ${JSON.stringify({ at, objects })}`,
    ...lines,
    `found: ${JSON.stringify(history.final)}`,
  ].join("\n");
}

/** The same as a Mermaid sequence diagram: an arrow to the disk where a call begins, one back where it ends. */
export function diagram(history: History): string {
  const lanes = history.processes.map((_, process) => `    participant p${process + 1} as p${process + 1}`);
  const arrows = eventsOf(history)
    .flatMap((event, i) => {
      const lane = `p${event.process + 1}`;
      return [
        { at: event.begin, text: `    ${lane}->>disk: (${i + 1}) ${callText(event.call)}` },
        { at: event.end, text: `    disk->>${lane}: (${i + 1}) ${event.reply}` },
      ];
    })
    .sort((one, other) => one.at - other.at);
  return [
    "sequenceDiagram",
    ...lanes,
    "    participant disk as the disk",
    ...arrows.map(({ text }) => text),
  ].join("\n");
}
