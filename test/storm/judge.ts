/**
 * What is wrong, from what the witnesses told and from the records that the processes left: pure. A kill explains what it
 * explains, and no more. Each check has a name, by which the twins say who caught them.
 */

import { MOST_FILES, STAGE, TASKS, WORD } from "./board.mjs";

export type Check =
  /** A marker of somebody who was not dead, or not inside; or one that is gone. Two were inside at once. */
  | "marker"
  /** Updates were lost, or made by nobody. */
  | "counter"
  /** Something is left beside the session files. */
  | "leftovers"
  /** The library failed, and no weather explains it. */
  | "error"
  /** The library says that a lock was lost while it was held: nobody here takes one away. */
  | "loss"
  /** A process ended that nobody killed, or nothing went on. */
  | "process";

export interface Damage {
  readonly check: Check;
  readonly what: string;
}

/** A line of a process; times are nanoseconds of the one monotonic clock of the machine. */
export type Finding = { readonly life: number; readonly at: string } & (
  | MarkerFound
  | {
      readonly is: "error";
      readonly while: string;
      readonly code?: string;
      readonly errno?: string;
      readonly message: string;
    }
);

interface MarkerFound {
  /** Who found it. */
  readonly task: number;
  readonly is: "in the way" | "instead of mine";
  readonly file: number;
  /** `life.task`, whose marker it is; empty: it has no name yet, or is not there. */
  readonly found: string;
}

/** A life that was killed. */
export interface Killed {
  /** Read right before the SIGKILL was sent: until then it was alive. */
  readonly at: bigint;
  /** Its record, read when it was gone. */
  readonly record: () => Uint32Array;
}

/**
 * Judges findings one by one, in the order in which they were told. Each of the dead has left one marker for each of its
 * tasks, at most, and it is found once: but if its finder was killed before it had put its own in its place.
 */
export class FindingJudge {
  readonly #killed: ReadonlyMap<number, Killed>;
  /** By the maker of a marker: who has found it. */
  readonly #finders: Map<string, string> = new Map();

  constructor(killed: ReadonlyMap<number, Killed>) {
    this.#killed = killed;
  }

  judge(finding: Finding): Damage | undefined {
    if (finding.is === "error") {
      const { life, code = "", errno = "", message } = finding;
      return { check: "error", what: `life ${life}, ${finding.while}: ${code} ${errno} ${message}` };
    }
    const { life, task, file, found, is } = finding;
    const whose = found === "" ? "a marker without a name" : `the marker of ${found}`;
    if (is === "instead of mine") {
      const what = found === "" ? "no marker, or one without a name" : whose;
      return { check: "marker", what: `life ${life} found ${what} instead of its own, in file ${file}` };
    }
    const maker = this.#makerOf(finding);
    if (maker !== undefined) {
      this.#finders.set(maker, `${life}.${task}`);
      return undefined;
    }
    return {
      check: "marker",
      what: `life ${life} found ${whose} in file ${file}, and no kill before explains it`,
    };
  }

  /** Who was killed before, inside of that file. Without a name: between making its marker and writing into it. */
  #makerOf({ at, file, found }: MarkerFound & { readonly at: string }): string | undefined {
    const makers = found === "" ? [...this.#killed.keys()].flatMap((life) => tasksOf(life)) : [found];
    const ends = found === "" ? [STAGE["entered"]] : [STAGE["entered"], STAGE["writes"], STAGE["wrote"]];
    return makers.find((maker) => {
      const finder = this.#finders.get(maker);
      const isThere = finder === undefined || this.#diedInside(finder, file, at, [STAGE["entered"]]);
      return isThere && this.#diedInside(maker, file, at, ends);
    });
  }

  #diedInside(who: string, file: number, at: string, stages: readonly (number | undefined)[]): boolean {
    const [life = -1, task = 0] = who.split(".").map(Number);
    const killed = this.#killed.get(life);
    if (killed === undefined || killed.at > BigInt(at)) return false;
    const inside = insideOf(killed.record(), task);
    return inside?.file === file && stages.includes(inside.stage);
  }
}

const tasksOf = (life: number): readonly string[] =>
  Array.from({ length: TASKS }, (_, task) => `${life}.${task}`);

/** In whose section a task is, and how far; undefined: in none. */
export function insideOf(
  record: Uint32Array,
  task: number,
): { readonly file: number; readonly stage: number } | undefined {
  const stage = record[WORD.stage + task] ?? 0;
  return stage === STAGE["outside"] ? undefined : { file: record[WORD.file + task] ?? 0, stage };
}

export function isInside(record: Uint32Array): boolean {
  return Array.from({ length: TASKS }, (_, task) => insideOf(record, task)).some(
    (inside) => inside !== undefined,
  );
}

/** What is known of the updates of one file. */
export interface Updates {
  /** By those who wrote down that they have made them. */
  readonly made: number;
  /** By those who were killed between their intent and that: each was made, or was not. */
  readonly open: number;
}

/** `records`: of all lives, at their end. */
export function updatesOf(records: readonly Uint32Array[], file: number): Updates {
  let made = 0;
  let open = 0;
  for (const record of records) {
    made += record[WORD.updates + file] ?? 0;
    for (let task = 0; task < TASKS; task++) {
      const inside = insideOf(record, task);
      if (inside?.file === file && inside.stage === STAGE["writes"]) open++;
    }
  }
  return { made, open };
}

/** `counters`: what the counter of each file says in the end. */
export function judgeCounters(
  counters: readonly number[],
  records: readonly Uint32Array[],
): readonly Damage[] {
  if (counters.length > MOST_FILES) throw new Error(`at most ${MOST_FILES} files`);
  return counters.flatMap((counter, file) => {
    const { made, open } = updatesOf(records, file);
    if (counter >= made && counter <= made + open) return [];
    const what = `file ${file}: the counter says ${counter}; ${made} updates were made, and ${open} are open`;
    return [{ check: "counter", what }];
  });
}

/** `listing`: what stands in the directory in the end. */
export function judgeLeftovers(listing: readonly string[], files: number): readonly Damage[] {
  const sessions = Array.from({ length: files }, (_, file) => sessionName(file));
  return listing
    .filter((entry) => !sessions.includes(entry))
    .map((entry) => ({ check: "leftovers", what: `${entry} is left` }));
}

export const sessionName = (file: number): string => `s${file}.jsonl`;

/**
 * `stderr`: of all processes. That a lock *may* have been lost is what a release says that has no descriptor to look at what
 * came back.
 */
export function judgeWarnings(stderr: string): readonly Damage[] {
  const lost = stderr.split("\n").filter((line) => /\[SWL_LOST\].* was lost while it was held/.test(line));
  return lost.map((what) => ({ check: "loss", what }));
}
