/**
 * Was anything damaged? A pure function over what the writers left behind, and over the kills. It never asks
 * the lock: a line that was acknowledged must be there, two writers must never have been inside at once, and
 * whatever is broken must be explained by a writer that was killed inside.
 */

export interface History {
  /** The session file, line by line. */
  readonly lines: readonly SessionLine[];
  readonly writers: readonly WriterLog[];
  readonly kills: readonly Kill[];
  /** What the counter file says in the end. */
  readonly counter: number;
}

export type SessionLine =
  | {
      readonly kind: "whole";
      readonly writer: string;
      readonly seq: number;
      readonly begin: number;
      readonly end: number;
    }
  /** Anything else: a line that was not finished, or the pieces of several. */
  | { readonly kind: "broken"; readonly text: string };

/** What one life of a writer claims. */
export interface WriterLog {
  readonly writer: string;
  readonly pid: number;
  readonly sections: readonly Section[];
  /** Markers of others where its own should have been, or none. */
  readonly markers: readonly FoundMarker[];
}

/** One critical section. Times are milliseconds of the one monotonic clock of the machine. */
export interface Section {
  readonly seq: number;
  readonly enteredAt: number;
  /** When the line was acknowledged, with the value that the counter got. */
  readonly ack: { readonly at: number; readonly counter: number } | undefined;
  readonly leftAt: number | undefined;
}

export interface FoundMarker {
  readonly seq: number;
  readonly at: number;
  /** Empty if there was none, or one without a name. */
  readonly found: string;
}

export interface Kill {
  readonly writer: string;
  /** Read right before the SIGKILL was sent: until then the writer was alive. */
  readonly at: number;
}

export type DamageKind =
  | "acknowledged line missing"
  | "line twice"
  | "lines out of order"
  | "line nobody wrote"
  | "torn line"
  | "two inside at once"
  | "lost update"
  | "counter wrong"
  | "marker of another"
  | "section without an end";

export interface Damage {
  readonly kind: DamageKind;
  readonly what: string;
}

/** Everything that is damaged; empty if all is well. */
export function findDamage(history: History): readonly Damage[] {
  const interrupted = findInterrupted(history);
  return [
    ...checkAcknowledged(history),
    ...checkOrder(history),
    ...checkUnacknowledged(history, interrupted),
    ...checkTorn(history, interrupted),
    ...checkOverlaps(history),
    ...checkCounter(history, interrupted),
    ...checkMarkers(history, interrupted),
    ...checkEnds(history, interrupted),
  ];
}

/** A section that a kill ended. */
export interface Interrupted {
  readonly writer: string;
  readonly section: Section;
  readonly killedAt: number;
}

/** By writer. One that was killed outside of its critical section explains nothing, and is not here. */
export function findInterrupted({
  writers,
  kills,
}: Pick<History, "writers" | "kills">): ReadonlyMap<string, Interrupted> {
  const logs = new Map(writers.map((log) => [log.writer, log]));
  const interrupted = new Map<string, Interrupted>();
  for (const { writer, at } of kills) {
    const section = logs.get(writer)?.sections.at(-1);
    if (section === undefined || section.leftAt !== undefined) continue;
    interrupted.set(writer, { writer, section, killedAt: at });
  }
  return interrupted;
}

// ------------------------------------------------------------------------------------------------
// The checks

function* checkAcknowledged({ lines, writers }: History): Iterable<Damage> {
  const counts = new Map<string, number>();
  for (const line of lines) {
    if (line.kind === "whole") counts.set(key(line), (counts.get(key(line)) ?? 0) + 1);
  }
  for (const { writer, sections } of writers) {
    for (const { seq, ack } of sections) {
      if (ack === undefined || counts.has(key({ writer, seq }))) continue;
      yield {
        kind: "acknowledged line missing",
        what: `line ${seq} of writer ${writer} is not there, whole`,
      };
    }
  }
  for (const [line, count] of counts) {
    if (count > 1) yield { kind: "line twice", what: `line ${line} is there ${count} times` };
  }
}

function* checkOrder({ lines }: History): Iterable<Damage> {
  const last = new Map<string, number>();
  for (const line of lines) {
    if (line.kind !== "whole") continue;
    const before = last.get(line.writer) ?? 0;
    last.set(line.writer, line.seq);
    if (line.seq >= before) continue;
    yield {
      kind: "lines out of order",
      what: `line ${line.seq} of writer ${line.writer} comes after its line ${before}`,
    };
  }
}

/** A whole line without an acknowledgement: its writer was killed between the two. */
function* checkUnacknowledged(
  { lines, writers }: History,
  interrupted: ReadonlyMap<string, Interrupted>,
): Iterable<Damage> {
  const acknowledged = new Set<string>();
  for (const { writer, sections } of writers) {
    for (const { seq, ack } of sections) if (ack !== undefined) acknowledged.add(key({ writer, seq }));
  }
  for (const line of lines) {
    if (line.kind !== "whole" || acknowledged.has(key(line))) continue;
    if (interrupted.get(line.writer)?.section.seq === line.seq) continue;
    yield {
      kind: "line nobody wrote",
      what: `line ${line.seq} of writer ${line.writer} was never acknowledged, and no kill explains that`,
    };
  }
}

/** A broken line is the beginning of the very line that its writer was killed in; one for each such kill. */
function* checkTorn(
  { lines, writers }: History,
  interrupted: ReadonlyMap<string, Interrupted>,
): Iterable<Damage> {
  const pids = new Map(writers.map(({ writer, pid }) => [writer, pid]));
  const whole = new Set(lines.flatMap((line) => (line.kind === "whole" ? [key(line)] : [])));
  const starts = new Set<string>();
  for (const { writer, section } of interrupted.values()) {
    const { seq, enteredAt: begin, ack } = section;
    if (ack !== undefined || whole.has(key({ writer, seq }))) continue;
    starts.add(startOfLine({ writer, pid: pids.get(writer) ?? 0, seq, begin }));
  }
  for (const line of lines) {
    if (line.kind === "whole") continue;
    const start = [...starts].find((candidate) => isBeginningOf(line.text, candidate));
    if (start !== undefined) starts.delete(start);
    else yield { kind: "torn line", what: `no kill explains ${excerptOf(line.text)}` };
  }
}

function excerptOf(text: string): string {
  return `${JSON.stringify(text.slice(0, 60))}... (${text.length} bytes)`;
}

/** At least one overlap is reported if there is any: whoever begins is compared with the latest end so far. */
function* checkOverlaps(history: History): Iterable<Damage> {
  let latest: Interval | undefined;
  for (const next of intervals(history).sort((one, other) => one.begin - other.begin)) {
    if (latest !== undefined && next.begin < latest.end && next.writer !== latest.writer) {
      const overlap = Math.min(latest.end, next.end) - next.begin;
      yield {
        kind: "two inside at once",
        what: `writers ${latest.writer} and ${next.writer}, for ${overlap.toFixed(3)} ms`,
      };
    }
    if (latest === undefined || next.end > latest.end) latest = next;
  }
}

interface Interval {
  readonly writer: string;
  readonly begin: number;
  readonly end: number;
}

/** From the logs, and once more from the lines themselves. */
function intervals({ lines, writers, kills }: History): Interval[] {
  const killedAt = new Map(kills.map(({ writer, at }) => [writer, at]));
  const found: Interval[] = [];
  for (const { writer, sections } of writers) {
    for (const { enteredAt, ack, leftAt } of sections) {
      // One that never left was inside at least until its kill was sent.
      const end = leftAt ?? Math.max(enteredAt, ack?.at ?? 0, killedAt.get(writer) ?? 0);
      found.push({ writer, begin: enteredAt, end });
    }
  }
  for (const line of lines) {
    if (line.kind === "whole") found.push({ writer: line.writer, begin: line.begin, end: line.end });
  }
  return found;
}

/** Every acknowledged increment gave another number, and nothing else was counted but what kills cut short. */
function* checkCounter(
  { writers, counter }: History,
  interrupted: ReadonlyMap<string, Interrupted>,
): Iterable<Damage> {
  const givenTo = new Map<number, string>();
  let acknowledged = 0;
  for (const { writer, sections } of writers) {
    for (const { seq, ack } of sections) {
      if (ack === undefined) continue;
      acknowledged++;
      const other = givenTo.get(ack.counter);
      givenTo.set(ack.counter, key({ writer, seq }));
      if (other === undefined) continue;
      const what = `the counter was set to ${ack.counter} by ${other}, and again by ${key({ writer, seq })}`;
      yield { kind: "lost update", what };
    }
  }
  const mayBeMore = [...interrupted.values()].filter(({ section }) => section.ack === undefined).length;
  if (counter >= acknowledged && counter <= acknowledged + mayBeMore) return;
  yield {
    kind: "counter wrong",
    what: `it says ${counter}; ${acknowledged} were acknowledged, and ${mayBeMore} more may have been counted`,
  };
}

/** A marker in the way is what a writer left that was killed inside, earlier. */
function* checkMarkers(
  { writers }: History,
  interrupted: ReadonlyMap<string, Interrupted>,
): Iterable<Damage> {
  for (const { writer, markers } of writers) {
    for (const { seq, at, found } of markers) {
      // Without a name: killed between creating the marker and writing into it.
      const candidates = found === "" ? [...interrupted.values()] : [interrupted.get(found)];
      if (candidates.some((victim) => victim !== undefined && victim.killedAt <= at)) continue;
      const whose = found === "" ? "no marker, or one without a name" : `the marker of writer ${found}`;
      yield { kind: "marker of another", what: `writer ${writer} found ${whose} in its section ${seq}` };
    }
  }
}

function* checkEnds({ writers }: History, interrupted: ReadonlyMap<string, Interrupted>): Iterable<Damage> {
  for (const { writer, sections } of writers) {
    for (const section of sections) {
      if (section.leftAt !== undefined || interrupted.get(writer)?.section === section) continue;
      yield {
        kind: "section without an end",
        what: `writer ${writer} entered section ${section.seq}, never left it, and was not killed in it`,
      };
    }
  }
}

const key = ({ writer, seq }: { readonly writer: string; readonly seq: number }): string =>
  `${writer}#${seq}`;

// ------------------------------------------------------------------------------------------------
// Lines

/** How long the padding of a line is, at least. */
const PAD_BYTES = 4096;

export interface LineStart {
  readonly writer: string;
  readonly pid: number;
  readonly seq: number;
  readonly begin: number;
}

/** How a line begins in `worker.mjs`, up to its end time. Written twice, so that every line compares them. */
export function startOfLine({ writer, pid, seq, begin }: LineStart): string {
  const tag = `${writer}#${seq}.`;
  const pad = tag.repeat(Math.ceil(PAD_BYTES / tag.length));
  return `{"writer":"${writer}","pid":${pid},"seq":${seq},"begin":${begin},"pad":"${pad}","end":`;
}

/** One line of the session file, without its line feed. */
export function readLine(text: string): SessionLine {
  try {
    const { writer, pid, seq, begin, end } = JSON.parse(text) as LineStart & { readonly end: number };
    const whole = `${startOfLine({ writer, pid, seq, begin })}${end}}`;
    return text === whole ? { kind: "whole", writer, seq, begin, end } : { kind: "broken", text };
  } catch {
    return { kind: "broken", text };
  }
}

function isBeginningOf(text: string, start: string): boolean {
  if (start.startsWith(text)) return true;
  return text.startsWith(start) && /^[\d.]*\}?$/.test(text.slice(start.length));
}
