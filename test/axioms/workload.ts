/** Random rounds from a seed: what stands where at first, and what each process calls. */

import { type Call, type Layout, listingText, NAMES, PATHS, type Path, type Standing } from "./disk.ts";

export interface Round {
  readonly initial: Omit<Layout, "elsewhere">;
  /** For each process its calls, in order. */
  readonly processes: readonly (readonly PlannedCall[])[];
}

export interface PlannedCall {
  readonly call: Call;
  /** How long the process spins before it, half of the time not at all: so that calls meet in every way. */
  readonly spinNs: number;
}

export const PROCESSES = 3;
const FEWEST_CALLS = 4;
const MOST_CALLS = 8;
/** Some 2 calls long on a fast disk. */
const LONGEST_SPIN_NS = 15_000;

type Random = () => number;

/** What a disk cannot be asked. */
export interface Limits {
  /** No name that is created is removed: it could still be open, and FUSE would hide it instead. */
  readonly removesCreated: boolean;
}

export function randomRound(random: Random, limits: Limits): Round {
  const pick = pickerOf(random);
  return {
    initial: {
      L: pick<Standing>(["absent", "[]", "[]", "[n1]", "[n1]", "[n1 n2]", "file", "link"]),
      h1: randomHome(random),
      h2: randomHome(random),
      h3: randomHome(random),
    },
    processes: Array.from({ length: PROCESSES }, () =>
      Array.from({ length: FEWEST_CALLS + Math.floor(random() * (MOST_CALLS - FEWEST_CALLS + 1)) }, () => ({
        call: randomCall(random, limits),
        spinNs: Math.max(0, Math.floor((2 * random() - 1) * LONGEST_SPIN_NS)),
      })),
    ),
  };
}

function randomHome(random: Random): Standing {
  const pick = pickerOf(random);
  return pick([
    () => "absent",
    () => "[]",
    () => listingText([pick(NAMES)]),
    () => listingText([pick(NAMES)]),
  ])();
}

/** Those of the protocol most often: homes to L and back, names out of L, and looks at L. */
function randomCall(random: Random, { removesCreated }: Limits): Call {
  const pick = pickerOf(random);
  const home = (): Path => pick(["h1", "h2", "h3"]);
  const path = (): Path => pick(["L", "L", ...PATHS]);
  const [first, ...others] = NAMES;
  const take = (): Call => ({ call: "rename", from: home(), to: "L" });
  const putBack = (): Call => ({ call: "rename", from: "L", to: home() });
  const look = (): Call => ({ call: "readdir", path: path() });
  const remove = (): Call => ({ call: "remove", path: path(), name: pick(removesCreated ? NAMES : others) });
  const create = (): Call => ({ call: "create", path: path(), name: pick(removesCreated ? NAMES : [first]) });
  const mkdir = (): Call => ({ call: "mkdir", path: path() });
  const rmdir = (): Call => ({ call: "rmdir", path: path() });
  const unlink = (): Call => ({ call: "unlink", path: path() });
  const kinds = [
    take,
    take,
    take,
    putBack,
    putBack,
    look,
    look,
    look,
    remove,
    remove,
    create,
    mkdir,
    rmdir,
    unlink,
  ];
  return pick(kinds)();
}

const pickerOf =
  (random: Random) =>
  <T>(choices: readonly T[]): T =>
    choices[Math.floor(random() * choices.length)] as T;
