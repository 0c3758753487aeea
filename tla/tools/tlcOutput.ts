/** What TLC answered: only two answers are answers, everything else is a run that checked nothing. */
export type Verdict =
  | { readonly kind: "holds" }
  | { readonly kind: "fails"; readonly line: string }
  | { readonly kind: "broken"; readonly reason: string };

export interface Outcome {
  readonly verdict: Verdict;
  readonly distinct: number | undefined;
  readonly generated: number | undefined;
  readonly depth: number | undefined;
  /** States of the printed counterexample, without "Stuttering" and "Back to state", which repeat one. */
  readonly trace: number | undefined;
  /** Whether TLC checked liveness. */
  readonly temporal: boolean;
}

/** How a process ended. */
export interface Ended {
  readonly output: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
}

export const temporalViolation = "Error: Temporal properties were violated.";

/** The lines by which TLC 2.18 says that the specification is wrong, not that it could not be checked. */
const violations: readonly RegExp[] = [
  /^Error: Invariant \S+ is violated\.$/,
  /^Error: Invariant \S+ is violated by the initial state:$/,
  /^Error: Action property .+ is violated\.$/,
  /^Error: Property .+ is violated by the initial state:$/,
  /^Error: Temporal properties were violated\.$/,
  /^Error: Deadlock reached\.$/,
];

/** Headings of a counterexample, printed as errors too. */
const headings: ReadonlySet<string> = new Set([
  "Error: The behavior up to this point is:",
  "Error: The following behavior constitutes a counter-example:",
]);

export function isViolation(line: string): boolean {
  return violations.some((violation) => violation.test(line));
}

/** What a line of TLC says is violated: an invariant or a step property by name, or `Deadlock`. */
export function violatedBy(line: string): string {
  if (line === "Error: Deadlock reached.") return "Deadlock";
  return /(?:Invariant|Action property) (\w+) is violated/.exec(line)?.[1] ?? line;
}

/** Reads one run. Whatever is not understood completely is "broken". */
export function readOutcome(ended: Ended): Outcome {
  const lines = ended.output.split(/\r?\n/);
  const counts = lastMatch(lines, countsPattern);
  const depth = lastMatch(lines, /^The depth of the complete state graph search is ([\d,]+)\.$/);
  const outcome = {
    generated: numberOf(counts?.[1]),
    distinct: numberOf(counts?.[2]),
    left: numberOf(counts?.[3]),
    depth: numberOf(depth?.[1]),
    trace: traceLength(lines),
    temporal: lines.some((line) => /^Checking .*temporal properties for the complete state space/.test(line)),
  };
  return { ...outcome, verdict: verdictOf(lines, outcome, ended) };
}

const countsPattern =
  /^([\d,]+) states generated, ([\d,]+) distinct states found, ([\d,]+) states left on queue\.$/;

function verdictOf(
  lines: string[],
  counts: Omit<Outcome, "verdict"> & { left?: number | undefined },
  ended: Ended,
): Verdict {
  const broken = (reason: string): Verdict => ({ kind: "broken", reason });
  if (ended.timedOut) return broken("it took too long and was stopped");
  if (ended.signal !== null) return broken(`java was ended by ${ended.signal}`);
  const warning = lines.find((line) => line.startsWith("Warning:"));
  // For instance an EXCEPT on a field that is not there, which TLC skips: the step is not what was written.
  if (warning !== undefined) return broken(warning);
  if (!lines.some((line) => /^Finished in .+ at \(.+\)$/.test(line))) return broken("it did not finish");
  const errors = lines.filter((line) => line.startsWith("Error:") && !headings.has(line));
  const [line] = errors;
  if (line === undefined) return completedVerdict(lines, counts, ended.code);
  const unknown = errors.find((error) => !isViolation(error));
  if (unknown !== undefined) return broken(unknown);
  if (errors.length > 1) return broken(`${errors.length} violations: ${errors.join(" ")}`);
  if (ended.code === 0) return broken(`exit code 0 although it printed "${line}"`);
  if (lines.includes(completedLine)) return broken(`it printed both "${line}" and "${completedLine}"`);
  if (counts.trace === 0) return broken(`no counterexample after "${line}"`);
  return { kind: "fails", line };
}

const completedLine = "Model checking completed. No error has been found.";

function completedVerdict(
  lines: string[],
  counts: { left?: number | undefined; depth: number | undefined },
  code: number | null,
): Verdict {
  const broken = (reason: string): Verdict => ({ kind: "broken", reason });
  if (code !== 0) return broken(`exit code ${code}`);
  if (!lines.includes(completedLine)) return broken(`it did not print "${completedLine}"`);
  if (counts.left === undefined) return broken("it did not print how many states it found");
  if (counts.left !== 0) return broken(`${counts.left} states were left on the queue`);
  if (counts.depth === undefined) return broken("it did not print the depth of the search");
  return { kind: "holds" };
}

function traceLength(lines: readonly string[]): number {
  if (lines.some((line) => line.startsWith("Error:") && line.endsWith("violated by the initial state:")))
    return 1;
  return lines.filter((line) => /^State \d+: </.test(line)).length;
}

/** "Progress(12) at ...: 1,234 states generated (99 s/min), 567 distinct states found (9 ds/min), ..." */
export function readProgress(line: string): number | undefined {
  if (!line.startsWith("Progress(")) return undefined;
  return numberOf(/([\d,]+) distinct states found/.exec(line)?.[1]);
}

function lastMatch(lines: readonly string[], pattern: RegExp): RegExpExecArray | undefined {
  const line = lines.findLast((candidate) => pattern.test(candidate));
  return line === undefined ? undefined : (pattern.exec(line) ?? undefined);
}

function numberOf(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits.replaceAll(",", ""));
}
