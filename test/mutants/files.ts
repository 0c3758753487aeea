/** What `npm run mutants` mutates, file by file: with which tests, and how much of it they must kill. */

export interface MutatedFile {
  readonly file: string;
  readonly tests: readonly string[];
  /** In percent: what was measured, less a point, since who times out depends on the machine. */
  readonly floor: number;
  /** A test that takes longer hangs, where none takes a tenth of it. Without: only Stryker's own patience ends it. */
  readonly hangMs?: number;
}

const UNIT = "test/unit";
const HANGS_MS = 3_000;

export const FILES: readonly MutatedFile[] = [
  { file: "src/owner/verdict.ts", tests: [`${UNIT}/owner/verdict.test.ts`], floor: 97.1 },
  { file: "src/owner/name.ts", tests: [`${UNIT}/owner/name.test.ts`], floor: 80 },
  { file: "src/options.ts", tests: [`${UNIT}/{options,badInput}.test.ts`], floor: 97.8 },
  { file: "src/paths.ts", tests: [`${UNIT}/paths.test.ts`], floor: 94.6 },
  { file: "src/sweep.ts", tests: [`${UNIT}/sweep.test.ts`], floor: 91 },
  // Of its parts as they were measured: 96.5 % of the older lines, 87.9 % of the newer ones.
  { file: "src/protocol.ts", tests: [`${UNIT}/{replies,watch}.test.ts`], floor: 94 },
  { file: "src/registry.ts", tests: [`${UNIT}/registry.test.ts`], floor: 97 },
  { file: "src/queue.ts", tests: [`${UNIT}/queue.test.ts`], floor: 95.4 },
  { file: "src/steps.ts", tests: [`${UNIT}/steps.test.ts`], floor: 97.3 },
  { file: "src/heartbeat.ts", tests: [`${UNIT}/{pulse,heartbeat}.test.ts`], floor: 95.7 },
  { file: "src/hooks.ts", tests: [`${UNIT}/teller.test.ts`], floor: 95.6 },
  { file: "src/waiting.ts", tests: [`${UNIT}/words.test.ts`], floor: 97.7 },
  { file: "src/describe.ts", tests: [`${UNIT}/words.test.ts`], floor: 85.8 },
  { file: "src/loss.ts", tests: [`${UNIT}/words.test.ts`], floor: 99 },
  { file: "src/entries.ts", tests: [`${UNIT}/entries.test.ts`], floor: 88.6 },
  { file: "src/watchdog.ts", tests: [`${UNIT}/watchdog.test.ts`], floor: 99 },
  { file: "src/exit.ts", tests: [`${UNIT}/exit.test.ts`], floor: 99 },
  { file: "src/clock.ts", tests: [`${UNIT}/clock.test.ts`], floor: 99 },
  { file: "src/turns.ts", tests: [`${UNIT}/turns.test.ts`], floor: 90.5 },
  { file: "src/watch.ts", tests: [`${UNIT}/watch.test.ts`], floor: 89 },
  { file: "src/lease.ts", tests: [`${UNIT}/lease.test.ts`], floor: 86.5 },
  {
    file: "src/lock.ts",
    tests: [`${UNIT}/{lock,lockLife,tryAcquire}.test.ts`],
    floor: 93.4,
    hangMs: HANGS_MS,
  },
  { file: "src/line.ts", tests: [`${UNIT}/line.test.ts`], floor: 86, hangMs: HANGS_MS },
  { file: "src/context.ts", tests: [`${UNIT}/context.test.ts`], floor: 99 },
  { file: "src/abort.ts", tests: [`${UNIT}/abort.test.ts`], floor: 86.5 },
  { file: "src/owners.ts", tests: [`${UNIT}/owners.test.ts`], floor: 95.7 },
  { file: "src/legacy.ts", tests: [`${UNIT}/{legacy,obstruction}.test.ts`], floor: 88.7 },
  { file: "src/inspect.ts", tests: [`${UNIT}/inspect.test.ts`], floor: 95.2 },
  { file: "src/owner/content.ts", tests: [`${UNIT}/owner/content.test.ts`], floor: 91.6 },
  { file: "src/owner/mark.ts", tests: [`${UNIT}/owner/mark.test.ts`], floor: 88.2 },
  { file: "src/owner/identity.ts", tests: [`${UNIT}/owner/identity.test.ts`], floor: 94.2 },
  { file: "src/owner/observe.ts", tests: [`${UNIT}/owner/{observe,identity}.test.ts`], floor: 92.8 },
  { file: "src/disk.ts", tests: [`${UNIT}/disk.test.ts`], floor: 95.2 },
  { file: "src/errors.ts", tests: [`${UNIT}/errors.test.ts`], floor: 95.7 },
  { file: "src/bounded.ts", tests: [`${UNIT}/bounded.test.ts`], floor: 99 },
  { file: "src/trace.ts", tests: [`${UNIT}/trace.test.ts`], floor: 99 },
  { file: "src/unsafe.ts", tests: [`${UNIT}/unsafe.test.ts`], floor: 95.9 },
  { file: "src/warnings.ts", tests: [`${UNIT}/unsafe.test.ts`], floor: 99 },
  { file: "src/cli/main.ts", tests: [`${UNIT}/cli/mainInProcess.test.ts`], floor: 99 },
  { file: "src/cli/command.ts", tests: [`${UNIT}/cli/commands.test.ts`], floor: 99 },
  { file: "src/cli/terminal.ts", tests: [`${UNIT}/cli/terminal.test.ts`], floor: 99 },
  { file: "src/cli/inspect.ts", tests: [`${UNIT}/cli/commands.test.ts`], floor: 97.1 },
  { file: "src/cli/clean.ts", tests: [`${UNIT}/cli/commands.test.ts`], floor: 99 },
  { file: "src/cli/break.ts", tests: [`${UNIT}/cli/commands.test.ts`], floor: 91.5 },
  { file: "src/cli/doctor.ts", tests: [`${UNIT}/cli/{doctor,commands}.test.ts`], floor: 99 },
  { file: "src/cli/run.ts", tests: [`${UNIT}/cli/{run,commands}.test.ts`], floor: 89.1, hangMs: HANGS_MS },
  { file: "src/doctor/row.ts", tests: [`${UNIT}/doctor/doctor.test.ts`], floor: 99 },
  // As it was before it looked five times.
  { file: "src/doctor/clock.ts", tests: [`${UNIT}/doctor/clock.test.ts`], floor: 95 },
  { file: "src/doctor/disk.ts", tests: [`${UNIT}/doctor/disk.test.ts`], floor: 90.1 },
  { file: "src/doctor/processes.ts", tests: [`${UNIT}/doctor/processes.test.ts`], floor: 98.2 },
  { file: "src/doctor/place.ts", tests: [`${UNIT}/doctor/place.test.ts`], floor: 96.7 },
  { file: "src/doctor/doctor.ts", tests: [`${UNIT}/doctor/{doctor,examine}.test.ts`], floor: 92.5 },
];

/** Files of src/ that are not mutated, and why. Every other one is above. */
export const NOT_MUTATED: Readonly<Record<string, string>> = {
  "src/index.ts": "it only exports what other files have: Stryker finds nothing in it",
  "src/owner/life.ts":
    "a listener for errors that is gone ends the process, which is no result (RuntimeError); what lets everybody ask is tested on a patched source",
};

/** Which of these files is in neither list, or in a list and not there, or in both. */
export function unlisted(
  sources: readonly string[],
  files: readonly MutatedFile[] = FILES,
  exceptions: Readonly<Record<string, string>> = NOT_MUTATED,
): readonly string[] {
  const listed = [...files.map(({ file }) => file), ...Object.keys(exceptions)];
  const all = new Set([...sources, ...listed]);
  return [...all].filter(
    (name) => !sources.includes(name) || listed.filter((one) => one === name).length !== 1,
  );
}
