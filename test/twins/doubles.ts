/**
 * Broken doubles of the code: src/protocol.ts with one guard taken out. They are made from the source when a
 * test wants them, so that nothing broken is shipped, and a double whose patch no longer fits is an error.
 * The guards are those of the specification (Broken); tla/models.json has their configurations.
 */

import fs from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Guard } from "../../model/state.ts";
import type { Protocol } from "../lockstep/world.ts";

export interface Double<Name extends string = string> {
  /** Of a guard of the specification, or of a duty of the code alone. */
  readonly guard: Name;
  /** In the words of the specification: what is gone. */
  readonly gone: string;
  /** The scope, of test/lockstep/scopes.ts, at which it must be caught. */
  readonly scope: string;
  /** What the harness must say. */
  readonly caughtBy: RegExp;
  readonly patches: readonly (readonly [find: string, replace: string])[];
}

/** What makes a double, whoever catches it. */
export type Patched = Pick<Double, "guard" | "patches"> & Partial<Double>;

const ONE_PROCESS = "one process, three tasks, PutBack";
const TWO_PUT_BACK = "two processes, three tasks, PutBack";
const GUEST = "two processes with a guest each, and a third, PutBack";
const TWO_DROP = "two processes, four tasks, Drop and late effects";
const NO_REPLACING = "two processes, three tasks, Drop, rename does not replace an empty directory";
const REVOKING = "two processes, three tasks, Drop, the watchdog revokes";
const MERGING = "two processes, two tasks, Drop, rename merges";
const HARMED = "one process, one task, PutBack, broken, removed, Restore fails";

/** One for each guard of the specification, but those of {@link WITHOUT_DOUBLE}. */
export const DOUBLES: readonly Double<Guard>[] = [
  {
    guard: "EvictByPath",
    gone: "Evict is a compare-and-delete by name",
    scope: TWO_PUT_BACK,
    caughtBy: /^Evict\(.*\) is not a step of the model: lock:/,
    patches: [
      [
        'if (reply.ok || reply.errno === "ENOENT") continue;',
        "nodeFs.rmSync(entry.lockPath, { recursive: true, force: true });",
      ],
      ["const rename = (", 'import nodeFs from "node:fs";\nconst rename = ('],
    ],
  },
  {
    guard: "ContendWhileReleasing",
    gone: "Request waits while RELEASING",
    scope: TWO_DROP,
    caughtBy: /^Request\(.*\) is not a step of the model: contender:/,
    patches: [["if (free && entry.releasing === null) {", "if (free) {"]],
  },
  {
    guard: "NoVerify",
    gone: "Verify",
    scope: ONE_PROCESS,
    caughtBy: /^Verify\(.*\) is not a step of the model: pc:/,
    patches: [["if (isExactly(reply, homeOf(entry))) return true;", "if (reply.ok) return true;"]],
  },
  {
    guard: "LatePutBack",
    // What keeps it from being late: no turn, and so no death, comes between Check and PutBack.
    gone: "PutBack is synchronous, in the turn of its check",
    scope: TWO_PUT_BACK,
    caughtBy: /^PutBack\(.*\) is not a step of the model/,
    patches: [['call("PutBack", "sync",', 'call("PutBack", "async",']],
  },
  {
    guard: "PassSlotInFlight",
    gone: "GiveUp keeps the slot until the turn of its call",
    scope: TWO_PUT_BACK,
    caughtBy: /^GiveUp\(.*\) is not a step of the model: /,
    patches: [
      [
        "    attempt.gaveUp = true;\n    return;",
        "    attempt.gaveUp = true;\n    entry.contender = null;\n    const next = entry.queue.shift();\n    if (next !== undefined) contendWith(entry, next);\n    return;",
      ],
    ],
  },
  {
    guard: "NeverPromote",
    gone: "GiveUp promotes the head of the queue",
    scope: TWO_PUT_BACK,
    caughtBy: /^GiveUp\(.*\) is not a step of the model: contender:/,
    patches: [
      [
        "  entry.contender = entry.queue.shift() ?? null;\n  if (entry.contender === null) {\n    entry.wait",
        "  entry.contender = null;\n  if (entry.contender === null) {\n    entry.wait",
      ],
    ],
  },
  {
    guard: "ForgetFailedRelease",
    gone: "a failed release is owed, and stays in RELEASING",
    scope: TWO_DROP,
    caughtBy: /^Released\(.*\) is not a step of the model: /,
    patches: [
      [
        'if (!reply.ok) owe(entry, home, home.name, "unlinkHome", reply.error);',
        "if (missed) oweHome(entry, home);\n    paid = true;",
      ],
    ],
  },
  {
    guard: "HoldDroppedName",
    gone: "a name for which a Drop was sent is never held again",
    scope: TWO_DROP,
    caughtBy: /^Request\(.*\) is not a step of the model: heldLocks:/,
    patches: [
      [
        "  entry.queue.push(attempt);\n  attempt.waits?.();",
        "  const debt = [...entry.owes.values()].find(({ home }) => home.name === entry.releasing?.name);\n  if (entry.releasing !== null && debt !== undefined) {\n    entry.releasing = null;\n    entry.home = debt.home;\n    entry.owes.delete(debt.home.name);\n    entry.held.add(attempt);\n    return;\n  }\n  entry.queue.push(attempt);",
      ],
    ],
  },
  {
    guard: "ForgetGivenUpHome",
    gone: "a home that is given up is owed",
    scope: TWO_DROP,
    caughtBy: /^(Judge|Refused)\(.*\) is not a step of the model: owes:/,
    patches: [
      [
        "  entry.home = null;\n  if (home !== null) oweHome(entry, home);",
        "  entry.home = null;\n  if (home === null) oweHome(entry, home as never);",
      ],
    ],
  },
  {
    guard: "KeepIdleHome",
    gone: "a home does not lie idle where its Take may run once more",
    scope: TWO_DROP,
    caughtBy: /^(GiveUp|Judge|Refused)\(.*\) is not a step of the model: home:/,
    patches: [["  if (!local || named) giveUpHome(entry);\n", "  if (named) giveUpHome(entry);\n"]],
  },
  {
    guard: "GuestNotInHome",
    gone: "the guest's name is in the home",
    scope: GUEST,
    caughtBy: /^Prepare\(.*\) is not a step of the model: homes:/,
    patches: [["const files = namesOf(home).map(", "const files = [home.name].map("]],
  },
  {
    guard: "VerifyAnyNames",
    gone: "Verify wants exactly the names that were prepared",
    scope: GUEST,
    caughtBy: /^Verify\(.*\) is not a step of the model: pc:/,
    patches: [
      [
        "if (isExactly(reply, homeOf(entry))) return true;",
        "if (reply.ok && reply.names.length > 0) return true;",
      ],
    ],
  },
  {
    guard: "EvictTheLiving",
    gone: "nobody is evicted unless all who are named are dead",
    scope: GUEST,
    caughtBy: /^Judge\(.*\) is not a step of the model: (seen|pc):/,
    patches: [
      [
        'const survivor = judged.find(({ verdict }) => verdict !== "dead" && verdict !== "lapsed");',
        'const survivor = judged.every(({ verdict }) => verdict !== "dead") ? judged[0] : undefined;',
      ],
    ],
  },
  {
    guard: "LetGoEarly",
    gone: "the guest is let go after Granted",
    scope: GUEST,
    caughtBy: /^Prepare\(.*\) is not a step of the model: guest:/,
    patches: [
      [
        "    entry.shown = metadata;\n    return true;",
        "    entry.shown = metadata;\n    entry.contender?.guest?.letGo();\n    return true;",
      ],
    ],
  },
  {
    guard: "LifoQueue",
    gone: "the queue is first come, first served",
    scope: ONE_PROCESS,
    caughtBy: /^Request\(.*\) is not a step of the model: queue:/,
    patches: [["entry.queue.push(attempt);", "entry.queue.unshift(attempt);"]],
  },
  {
    guard: "NoClear",
    gone: "an empty L is cleared where rename does not replace it",
    scope: NO_REPLACING,
    caughtBy: /^Judge\(.*\) is not a step of the model: pc:/,
    patches: [
      [
        "const cleared = stands && !entry.services.disk.renameReplacesEmpty",
        "const cleared = stands && !stands",
      ],
    ],
  },
  {
    guard: "ClearByForce",
    gone: "Clear removes an empty directory only",
    scope: NO_REPLACING,
    caughtBy: /^Clear\(.*\) is not a step of the model: lock:/,
    patches: [
      [
        "  // Refused cleanly, or gone: others were faster",
        "  nodeFs.rmSync(entry.lockPath, { recursive: true, force: true });\n  // Refused cleanly, or gone: others were faster",
      ],
      ["const rename = (", 'import nodeFs from "node:fs";\nconst rename = ('],
    ],
  },
];

/** What the code owes its callers beyond the specification, each without it. */
export const CODE_DOUBLES: readonly Double[] = [
  {
    guard: "NotTold",
    gone: "everybody who is granted the lock is told",
    scope: "one process, three tasks, two of them reentrant",
    caughtBy: /^a\d was told "nothing", release not asked, and holds: true/,
    patches: [["if (group.includes(holder)) holder.granted(", "if (holder === heir) holder.granted("]],
  },
  {
    guard: "ErrorNotTold",
    gone: "a request that the disk refused for good is told",
    scope: TWO_DROP,
    caughtBy: /^[ab]\d was told nothing, and does not wait/,
    patches: [["if (entry.contender?.gaveUp === false) entry.contender.failed(error);", "void error;"]],
  },
  {
    guard: "ReleaseNeverSettles",
    gone: "a release that failed settles, with its error",
    scope: TWO_DROP,
    caughtBy: /^it does not come to rest: .*"unsettled":\["release of /,
    patches: [["settled(paid ? undefined : cannotRelease(entry, reply));", "if (paid) settled(undefined);"]],
  },
  {
    // Lease.tla says why, with time: BadLeasePutBack.
    guard: "PutBackAfterMiss",
    gone: "a holder that missed a beat releases by Drop",
    scope: "two processes, three tasks, missed beats",
    caughtBy: /^(Release|Granted)\(.*\) is not a step of the model: /,
    patches: [["entry.services.heartbeat?.missed(entry) !== true;", "true as boolean;"]],
  },
  {
    guard: "SilentLoss",
    gone: "a loss that a release notices is said",
    scope: TWO_PUT_BACK,
    caughtBy: /^it warns of \[\], and the lock was lost/,
    patches: [["entry.services.warn(`session lock ", "void (`session lock "]],
  },
  {
    guard: "SilentMiss",
    gone: "a release that finds nothing to put back says that the lock was lost",
    scope: HARMED,
    caughtBy: /^it warns of \[\], and the lock was lost/,
    patches: [['return moved.errno === "ENOENT" ? "drop" : "failed";', 'return "failed";']],
  },
  {
    guard: "RevokedNeverSettles",
    gone: "the release of a handle that was revoked settles",
    scope: REVOKING,
    caughtBy: /^it does not come to rest: .*"unsettled":\["release of /,
    patches: [["    attempt.revoked = false;\n    settled(undefined);", "    attempt.revoked = false;"]],
  },
  {
    guard: "RevokedHolds",
    gone: "a handle that was revoked is in HELD_LOCKS no more",
    scope: REVOKING,
    caughtBy: /^Expire\(.*\) is not a step of the model: /,
    patches: [
      [
        "  attempt.revoked = true;\n  endHold(entry, attempt, settled);",
        "  attempt.revoked = true;\n  void settled;",
      ],
    ],
  },
];

/** NoVerify once more: at every scope that merges, and small enough for every schedule, there are too many homes. */
export const NO_VERIFY_MERGING: Double = {
  guard: "NoVerifyMerging",
  gone: "Verify, where rename merges directories",
  scope: MERGING,
  caughtBy: /^Verify\(.*\) is not a step of the model: pc:/,
  patches: [
    [
      "if (isExactly(reply, homeOf(entry))) return true;",
      "if (reply.ok && reply.names.includes(homeOf(entry).name)) return true;",
    ],
  ],
};

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Guards of the specification without a double here, each with the reason. */
export const WITHOUT_DOUBLE: Readonly<Partial<Record<Guard, string>>> = {
  EndOfPipeIsGo: "it is the trampoline of src/cli/run.ts: a real process, in test/process/run.test.ts",
  ReleaseUnderGuest: "whoever has a guest waits for it: src/cli/run.ts, in test/process/run.test.ts",
  JudgeByHeldLocks: "the verdict is behind a port: test/unit/owner judges by every combination of fields",
};

/** The protocol with one guard taken out. The source is read now; a patch that does not fit throws. */
export function loadDouble({ guard, patches }: Patched): Promise<Protocol> {
  return loadPatched<Protocol>("protocol.ts", guard, patches);
}

/** A file of src/ with patches, as a module. `name` is that of its file. */
export async function loadPatched<T>(of: string, name: string, patches: Double["patches"]): Promise<T> {
  const source = patchSource(of, name, patches);
  const file = join(GENERATED, `${name}.ts`);
  fs.mkdirSync(GENERATED, { recursive: true });
  // Whole or not at all: another test may be importing the same double.
  const aside = join(GENERATED, `${name}.${process.pid}.tmp`);
  const fromHere = (path: string): string => posix.join("../../../src", posix.dirname(of), path);
  fs.writeFileSync(
    aside,
    source.replaceAll(/ from "(\.\.?\/[^"]+)"/g, (_, path: string) => ` from "${fromHere(path)}"`),
  );
  fs.renameSync(aside, file);
  return (await import(pathToFileURL(file).href)) as T;
}

/** Where broken doubles are made; not in the repository. */
export const GENERATED: string = join(root, "test", "twins", ".generated");

/** A file of src/ with every patch applied. One that does not fit exactly once throws. */
export function patchSource(file: string, what: string, patches: Double["patches"]): string {
  let source = fs.readFileSync(join(root, "src", file), "utf8");
  for (const [find, replace] of patches) {
    if (source.split(find).length !== 2) {
      throw new Error(`Cannot break ${what}: the patch must fit once: ${find}`);
    }
    source = source.replace(find, () => replace);
  }
  return source;
}
