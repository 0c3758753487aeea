/** Reads the files that the writers leave behind, the logs also while they are written. */

import fs from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type FoundMarker, readLine, type Section, type SessionLine, type WriterLog } from "./check.ts";

export interface LogReader {
  /** Reads what was written since the last time. */
  refresh(): readonly WriterLog[];
}

/** The logs in `directory/writers`, one per life of a writer. */
export function createLogReader(directory: string): LogReader {
  const writersDirectory = join(directory, "writers");
  const tails = new Map<string, Tail>();
  return {
    refresh: () => {
      for (const name of fs.readdirSync(writersDirectory)) {
        const known = tails.get(name);
        const tail = known ?? { log: emptyLog(name.replace(/\.log$/, "")), offset: 0, rest: "" };
        if (known === undefined) tails.set(name, tail);
        follow(tail, join(writersDirectory, name));
      }
      return [...tails.values()].map(({ log }) => log);
    },
  };
}

/** The lines of the session file, empty ones aside. */
export async function readSession(directory: string): Promise<readonly SessionLine[]> {
  const lines: SessionLine[] = [];
  const input = fs.createReadStream(join(directory, "session.jsonl"));
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (text !== "") lines.push(readLine(text));
  }
  return lines;
}

export function readCounter(directory: string): number {
  return Number(fs.readFileSync(join(directory, "counter"), "utf8"));
}

// ------------------------------------------------------------------------------------------------
// One log

interface Log extends WriterLog {
  pid: number;
  readonly sections: Mutable<Section>[];
  readonly markers: FoundMarker[];
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

interface Tail {
  readonly log: Log;
  offset: number;
  /** The beginning of a record; of a writer that was killed, it stays one. */
  rest: string;
}

type LogRecord =
  | { readonly event: "start"; readonly pid: number }
  | { readonly event: "enter" | "leave"; readonly seq: number; readonly at: number }
  | { readonly event: "ack"; readonly seq: number; readonly at: number; readonly counter: number }
  | { readonly event: "marker"; readonly seq: number; readonly at: number; readonly found: string };

function emptyLog(writer: string): Log {
  return { writer, pid: 0, sections: [], markers: [] };
}

function follow(tail: Tail, path: string): void {
  const { size } = fs.statSync(path);
  if (size === tail.offset) return;
  const bytes = Buffer.alloc(size - tail.offset);
  const file = fs.openSync(path, "r");
  const length = fs.readSync(file, bytes, 0, bytes.length, tail.offset);
  fs.closeSync(file);
  tail.offset += length;
  const records = (tail.rest + bytes.toString("utf8", 0, length)).split("\n");
  tail.rest = records.pop() ?? "";
  for (const record of records) apply(tail.log, JSON.parse(record) as LogRecord);
}

function apply(log: Log, record: LogRecord): void {
  const section = log.sections.at(-1);
  if (record.event === "start") {
    log.pid = record.pid;
  } else if (record.event === "enter") {
    log.sections.push({ seq: record.seq, enteredAt: record.at, ack: undefined, leftAt: undefined });
  } else if (record.event === "marker") {
    log.markers.push({ seq: record.seq, at: record.at, found: record.found });
  } else if (section === undefined || section.seq !== record.seq) {
    throw new Error(`writer ${log.writer}: "${record.event}" of a section that it is not in`);
  } else if (record.event === "ack") {
    section.ack = { at: record.at, counter: record.counter };
  } else {
    section.leftAt = record.at;
  }
}
