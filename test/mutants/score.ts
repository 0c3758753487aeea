/** What Stryker's report says of a file, and whether that is enough. */

/** The part of the report (mutation-testing-report-schema 2) that is read here. */
export interface StrykerReport {
  readonly files: Readonly<Record<string, { readonly mutants: readonly { readonly status: string }[] }>>;
}

export interface Counts {
  readonly killed: number;
  readonly timedOut: number;
  readonly survived: number;
  readonly notCovered: number;
}

/** @throws Error for a status that is neither of the four: a mutant that was not run is not a mutant killed. */
export function countsOf(report: StrykerReport, file: string): Counts {
  const statuses = (report.files[file]?.mutants ?? []).map(({ status }) => status);
  const count = (status: string): number => statuses.filter((one) => one === status).length;
  const counts = {
    killed: count("Killed"),
    timedOut: count("Timeout"),
    survived: count("Survived"),
    notCovered: count("NoCoverage"),
  };
  const known = counts.killed + counts.timedOut + counts.survived + counts.notCovered;
  if (known !== statuses.length) {
    throw new Error(`Cannot count the mutants of ${file}: ${statuses.length - known} have no result`);
  }
  return counts;
}

/** In percent, of all mutants; those that no test reaches count as survivors. Of no mutants: 0. */
export function scoreOf({ killed, timedOut, survived, notCovered }: Counts): number {
  const all = killed + timedOut + survived + notCovered;
  return all === 0 ? 0 : ((killed + timedOut) / all) * 100;
}

export function below(file: string, counts: Counts, floor: number): readonly string[] {
  const score = scoreOf(counts);
  return score >= floor
    ? []
    : [`${file}: the score is ${score.toFixed(1)} %, its floor ${floor.toFixed(1)} %`];
}
