/** What `npm run mutants` mutates, file by file: with which tests, and how much of it they must kill. */

export interface MutatedFile {
  readonly file: string;
  readonly tests: readonly string[];
  /** In percent: what was measured, less a point, since who times out depends on the machine. */
  readonly floor: number;
}

const UNIT = "test/unit";

export const FILES: readonly MutatedFile[] = [
  { file: "src/owner/verdict.ts", tests: [`${UNIT}/owner/verdict.test.ts`], floor: 97.1 },
  { file: "src/owner/name.ts", tests: [`${UNIT}/owner/name.test.ts`], floor: 77.4 },
  { file: "src/options.ts", tests: [`${UNIT}/{options,badInput}.test.ts`], floor: 97.8 },
  { file: "src/paths.ts", tests: [`${UNIT}/paths.test.ts`], floor: 94.9 },
  { file: "src/sweep.ts", tests: [`${UNIT}/sweep.test.ts`], floor: 91 },
  { file: "src/queue.ts", tests: [`${UNIT}/queue.test.ts`], floor: 95.4 },
];
