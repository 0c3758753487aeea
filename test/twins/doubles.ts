/**
 * Broken doubles of the code: src/protocol.ts with one guard taken out. They are made from the source when a
 * test wants them, so that nothing broken is shipped, and a double whose patch no longer fits is an error.
 * The guards are those of the specification (Broken); tla/models.json has their configurations.
 */

import { createHash } from "node:crypto";
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
  /** Where random lockstep must catch it: a scope of test/lockstep/scopes.ts; or why it cannot. */
  readonly scope: string | Survives;
  /** What the harness must say. */
  readonly caughtBy: RegExp;
  /** The smallest scope at which the exhaustive chooser must catch it; or why it cannot. */
  readonly smallest: string | Survives;
  /** What the exhaustive chooser says, if it is something else: nothing is drained there. */
  readonly saidThere?: RegExp;
  /** Of a duty of the code: what the configurations of the specification without it name as their guard. */
  readonly fairness?: string;
  readonly patches: readonly (readonly [find: string, replace: string])[];
}

/** A check does not catch it, and why that is no hole in the check. */
export interface Survives {
  readonly survives: string;
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
const SMALL_MISSED_BEAT = "1 process, 2 tasks, a missed beat";
const SMALL_NO_REPLACING =
  "2 processes, 1 task each, Drop, rename does not replace an empty directory, 3 requests";
const SMALL_REVOKING = "1 process, 2 tasks, the watchdog revokes, 3 requests";
const SMALL_REMOVED = "1 process, 2 tasks, removed, 2 requests";
const SHARING = "one process, three tasks, two of them reentrant";

const EXCLUSIVE = "1 process, 3 tasks, exclusive";
const REENTRANT = "1 process, 3 tasks, two of them reentrant";
const REENTRANT_DROP = "1 process, 2 tasks, both reentrant, Drop, 3 requests";
const DROP = "1 process, 3 tasks, Drop, 4 requests";
const RESTARTED = "1 process, 2 tasks, restarted twice";
const DROP_RESTARTED = "1 process, 1 task, Drop, restarted twice, 3 requests";
const FAILING = "1 process, 2 tasks, a failing call";
const DROP_FAILING = "1 process, 1 task, Drop, a failing call, a crash, 2 requests";
const FAILING_DROP = "1 process, 2 tasks that never give up, Drop, two calls of the way out fail, 3 requests";
const VANDAL = "1 process, 2 tasks, a vandal";
const SMALL_GUEST = "2 processes, one with a guest, a crash, nobody gives up, 2 requests";
const SMALL_GUEST_VANDAL = "1 process with a guest, a vandal, nobody gives up, 1 request";
const CRASH = "2 processes, 1 task each, a crash, 4 requests";

const FIVE_DEBTS: Survives = {
  survives: "five names at once are hardly ever owed; test/unit/protocol.test.ts counts the homes",
};
const NO_OUTSIDER: Survives = { survives: "nobody changes what stands at L while it is held (A1, A2)" };

/** One for each guard of the specification, but those of {@link WITHOUT_DOUBLE}. */
export const DOUBLES: readonly Double<Guard>[] = [
  {
    guard: "EvictByPath",
    gone: "Evict is a compare-and-delete by name",
    scope: TWO_PUT_BACK,
    caughtBy: /^Evict\(.*\) is not a step of the model: lock:/,
    smallest: RESTARTED,
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
    smallest: DROP,
    patches: [["if (free && entry.releasing === null) {", "if (free) {"]],
  },
  {
    guard: "NoVerify",
    gone: "Verify",
    scope: ONE_PROCESS,
    caughtBy: /^Verify\(.*\) is not a step of the model: pc:/,
    smallest: VANDAL,
    patches: [["if (isExactly(reply, homeOf(entry))) return true;", "if (reply.ok) return true;"]],
  },
  {
    guard: "LatePutBack",
    // What keeps it from being late: no turn, and so no death, comes between Check and PutBack.
    gone: "PutBack is synchronous, in the turn of its check",
    scope: TWO_PUT_BACK,
    caughtBy: /^PutBack\(.*\) is not a step of the model/,
    smallest: EXCLUSIVE,
    patches: [['call("PutBack", "sync",', 'call("PutBack", "async",']],
  },
  {
    guard: "PassSlotInFlight",
    gone: "GiveUp keeps the slot until the turn of its call",
    scope: TWO_PUT_BACK,
    caughtBy: /^GiveUp\(.*\) is not a step of the model: /,
    smallest: EXCLUSIVE,
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
    smallest: VANDAL,
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
    smallest: DROP_FAILING,
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
    smallest: DROP_FAILING,
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
    smallest: FAILING,
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
    smallest: DROP_RESTARTED,
    patches: [["  if (!local || named) giveUpHome(entry);\n", "  if (named) giveUpHome(entry);\n"]],
  },
  {
    guard: "GuestNotInHome",
    gone: "the guest's name is in the home",
    scope: GUEST,
    caughtBy: /^Prepare\(.*\) is not a step of the model: homes:/,
    smallest: SMALL_GUEST,
    patches: [["const files = namesOf(home).map(", "const files = [home.name].map("]],
  },
  {
    guard: "VerifyAnyNames",
    gone: "Verify wants exactly the names that were prepared",
    scope: GUEST,
    caughtBy: /^Verify\(.*\) is not a step of the model: pc:/,
    smallest: SMALL_GUEST_VANDAL,
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
    smallest: SMALL_GUEST,
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
    smallest: SMALL_GUEST,
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
    smallest: EXCLUSIVE,
    patches: [
      [
        "entry.queue.push(attempt);",
        "const before = [...entry.queue];\n  for (const other of before) entry.queue.delete(other);\n  for (const other of [attempt, ...before]) entry.queue.push(other);",
      ],
    ],
  },
  {
    guard: "JoinExclusive",
    gone: "Request joins only those who share",
    scope: SHARING,
    caughtBy: /^Request\(.*\) is not a step of the model: heldLocks:/,
    smallest: REENTRANT,
    patches: [["attempt.reentrant && isShared(entry)", "attempt.reentrant && entry.held.size > 0"]],
  },
  {
    guard: "JoinWhileReleasing",
    gone: "Request joins nobody while RELEASING",
    scope: SHARING,
    caughtBy: /^Request\(.*\) is not a step of the model: heldLocks:/,
    smallest: REENTRANT_DROP,
    patches: [
      [
        "attempt.reentrant && isShared(entry) && !entry.lost",
        "attempt.reentrant && (isShared(entry) || (entry.held.size === 0 && entry.releasing !== null)) && !entry.lost",
      ],
    ],
  },
  {
    guard: "ShareWithExclusive",
    gone: "only those who share come in together",
    scope: SHARING,
    caughtBy: /^(Granted|Release)\(.*\) is not a step of the model: heldLocks:/,
    smallest: REENTRANT,
    patches: [["const group = heir.reentrant ?", "const group = heir.reentrant || entry.queue.size > 0 ?"]],
  },
  {
    guard: "HandOverToAll",
    gone: "Release hands over to the head of the queue",
    scope: ONE_PROCESS,
    caughtBy: /^Release\(.*\) is not a step of the model: heldLocks:/,
    smallest: EXCLUSIVE,
    patches: [
      [
        "    give(entry, heir);\n    settled(undefined);",
        "    for (const each of [...entry.queue]) give(entry, each);\n    settled(undefined);",
      ],
    ],
  },
  {
    guard: "HoldWhileReleasing",
    gone: "Release: out of HELD_LOCKS before the lock leaves the disk",
    scope: ONE_PROCESS,
    caughtBy: /^Release\(.*\) is not a step of the model: heldLocks:/,
    smallest: EXCLUSIVE,
    patches: [
      ["  entry.held.delete(attempt);\n  entry.releasing = {", "  entry.releasing = {"],
      [
        "  entry.releasing = null;\n  const called",
        "  entry.releasing = null;\n  entry.held.clear();\n  const called",
      ],
    ],
  },
  {
    guard: "ReleaseOfAll",
    gone: "only the last holder goes to disk",
    scope: SHARING,
    caughtBy: /^Release\(.*\) is not a step of the model: /,
    smallest: REENTRANT,
    patches: [["if (entry.held.size > 1) {", "if (entry.held.size > 99) {"]],
  },
  {
    guard: "GoneStaysQueued",
    gone: "GiveUp leaves the queue",
    scope: ONE_PROCESS,
    caughtBy: /^GiveUp\(.*\) is not a step of the model: /,
    smallest: EXCLUSIVE,
    patches: [
      [
        "if (entry.queue.delete(attempt)) return;",
        "if (entry.queue.has(attempt)) {\n    attempt.gaveUp = true;\n    return;\n  }",
      ],
    ],
  },
  {
    guard: "GrantToGone",
    gone: "Granted does not grant to one that gave up",
    scope: TWO_PUT_BACK,
    caughtBy: /^[ab]\d is told "granted" after "gave up"/,
    smallest: EXCLUSIVE,
    patches: [
      ["const heir = contender?.gaveUp === true ? entry.queue.head : contender;", "const heir = contender;"],
    ],
  },
  {
    guard: "ReleasedNeverPromotes",
    gone: "Released promotes the head of the queue",
    scope: ONE_PROCESS,
    caughtBy: /^Released\(.*\) is not a step of the model: contender:/,
    smallest: EXCLUSIVE,
    patches: [["if (paid) endRelease(entry);", "if (paid) entry.releasing = null;"]],
  },
  {
    guard: "RefusedNeverPromotes",
    gone: "Refused and Judge promote the head of the queue",
    scope: TWO_PUT_BACK,
    caughtBy: /^(Refused|Judge)\(.*\) is not a step of the model: contender:/,
    smallest: RESTARTED,
    patches: [
      [
        "  if (refusal.clean && entry.contender?.gaveUp === true) {\n    passSlot(entry);",
        "  if (refusal.clean && entry.contender?.gaveUp === true) {\n    entry.contender = null;",
      ],
      [
        "  patience.failures = 0;\n  if (entry.contender?.gaveUp === true) {\n    passSlot(entry);",
        "  patience.failures = 0;\n  if (entry.contender?.gaveUp === true) {\n    entry.contender = null;",
      ],
    ],
  },
  {
    guard: "RetriedNeverPromotes",
    gone: "Retried promotes the head of the queue",
    scope: TWO_DROP,
    caughtBy: /^Retried\(.*\) is not a step of the model: contender:/,
    smallest: FAILING_DROP,
    patches: [
      [
        "if (entry.releasing?.name === debt.name) endRelease(entry);",
        "if (entry.releasing?.name === debt.name) entry.releasing = null;",
      ],
    ],
  },
  {
    guard: "RetriedForgetsRelease",
    gone: "Retried: out of RELEASING",
    scope: TWO_DROP,
    caughtBy: /^Retried\(.*\) is not a step of the model: releasing:/,
    smallest: DROP_FAILING,
    patches: [
      [
        "if (entry.releasing?.name === debt.name) endRelease(entry);",
        "if (entry.releasing?.name === debt.name) void entry;",
      ],
    ],
  },
  {
    guard: "PromoteWhileOwed",
    gone: "nobody contends while a release is owed",
    scope: TWO_DROP,
    caughtBy: /^Released\(.*\) is not a step of the model: contender:/,
    smallest: FAILING_DROP,
    patches: [
      [
        "  if (paid) endRelease(entry);",
        "  const heir = paid ? undefined : entry.queue.shift();\n  if (heir !== undefined) contendWith(entry, heir);\n  if (paid) endRelease(entry);",
      ],
    ],
  },
  {
    guard: "OweLockFirst",
    gone: "what is owed is looked for at home first, then at L",
    scope: TWO_DROP,
    caughtBy: /^(Judge|Refused|Released|GiveUp|Prepare)\(.*\) is not a step of the model: owes:/,
    smallest: FAILING,
    patches: [
      [
        'for (const name of namesOf(home)) owe(entry, home, name, "unlinkHome");',
        'for (const name of namesOf(home)) owe(entry, home, name, "unlinkLock");',
      ],
      [
        'return step === "unlinkHome" ? "unlinkLock" : AFTER[step];',
        'return step === "unlinkLock" ? "unlinkHome" : AFTER[step];',
      ],
    ],
  },
  {
    guard: "PayAfterOne",
    gone: "a debt is looked for at L too, before it is paid",
    scope: TWO_DROP,
    caughtBy: /^the turn of Retry\(.*\) changed what it must not: owes:/,
    smallest: FAILING,
    patches: [['return step === "unlinkHome" ? "unlinkLock" : AFTER[step];', "return AFTER[step];"]],
  },
  {
    guard: "MissedOwesNothing",
    gone: "a release that did not find its name gives the home up",
    scope: TWO_PUT_BACK,
    caughtBy: /^Released\(.*\) is not a step of the model: owes:/,
    smallest: FAILING,
    patches: [
      [
        'if (!reply.ok) owe(entry, home, home.name, "unlinkHome", reply.error);',
        'if (!paid) owe(entry, home, home.name, "unlinkHome");',
      ],
      ["      entry.home = null;\n      oweHome(entry, home);", "      entry.home = null;"],
    ],
  },
  {
    guard: "NoMaxDebts",
    gone: "MAX_DEBTS",
    scope: FIVE_DEBTS,
    caughtBy: /./,
    smallest: FIVE_DEBTS,
    patches: [
      [
        "if (entry.home === null && entry.owes.size >= MAX_DEBTS) {",
        "if (entry.home === null && entry.owes.size >= 99 + MAX_DEBTS) {",
      ],
    ],
  },
  {
    guard: "ReuseName",
    gone: "Prepare: a name is used once",
    scope: TWO_DROP,
    caughtBy: / is not a step of the model: /,
    smallest: DROP_FAILING,
    patches: [
      [
        "const home = owners.newHome(entry.lockPath, entry.contender?.guest?.scope);",
        "const reusing = entry as { first?: Home };\n  reusing.first ??= owners.newHome(entry.lockPath, undefined);\n  const home = reusing.first;",
      ],
    ],
  },
  {
    guard: "DoubtIsRefusal",
    gone: "an error of a Take is a doubt",
    scope: TWO_DROP,
    caughtBy: /^(Refused|Judge)\(.*\) is not a step of the model: /,
    smallest: FAILING,
    patches: [["clean: CLEAN_REFUSALS.includes(reply.errno)", "clean: CLEAN_REFUSALS.length > 0"]],
  },
  {
    guard: "OwnIsAnothers",
    gone: "Judge knows the own name",
    scope: TWO_DROP,
    caughtBy: /^Judge\(.*\) is not a step of the model: /,
    smallest: FAILING,
    patches: [
      [
        "const mine = home !== null && names.includes(home.name) &&",
        "const mine = home === null && names.length > 99 &&",
      ],
    ],
  },
  {
    guard: "TakeReplaces",
    gone: "Take is refused by a directory that is not empty",
    scope: TWO_PUT_BACK,
    caughtBy: / is not a step of the model: (.*\n? or )?.*lock: /,
    smallest: CRASH,
    patches: [
      [
        "    const outcome = takeOutcome(yield",
        "    nodeFs.rmSync(entry.lockPath, { recursive: true, force: true });\n    const outcome = takeOutcome(yield",
      ],
      ["const rename = (", 'import nodeFs from "node:fs";\nconst rename = ('],
    ],
  },
  {
    guard: "DropByPath",
    gone: "Drop is a compare-and-delete by name",
    scope: TWO_DROP,
    caughtBy: /^Released\(.*\) is not a step of the model: lock:/,
    smallest: DROP,
    patches: [
      [
        '    yield turn("Released");\n    const missed',
        '    yield turn("Released");\n    nodeFs.rmSync(entry.lockPath, { recursive: true, force: true });\n    const missed',
      ],
      ["const rename = (", 'import nodeFs from "node:fs";\nconst rename = ('],
    ],
  },
  {
    guard: "RetryByPath",
    gone: "Retry is a compare-and-delete by name",
    scope: TWO_DROP,
    caughtBy: / lock: /,
    smallest: DROP_FAILING,
    patches: [
      [
        "    const next = afterRetry(debt.step, reply);",
        '    if (debt.step === "unlinkLock") nodeFs.rmSync(entry.lockPath, { recursive: true, force: true });\n    const next = afterRetry(debt.step, reply);',
      ],
      ["const rename = (", 'import nodeFs from "node:fs";\nconst rename = ('],
    ],
  },
  {
    guard: "NeverEvict",
    gone: "the dead are evicted",
    scope: TWO_PUT_BACK,
    caughtBy: /^Judge\(.*\) is not a step of the model: /,
    smallest: CRASH,
    patches: [
      [
        'const survivor = judged.find(({ verdict }) => verdict !== "dead" && verdict !== "lapsed");',
        'const survivor = judged.find(({ verdict }) => verdict !== "dead" && verdict !== "lapsed") ?? judged[0];',
      ],
    ],
  },
  {
    guard: "NoCheck",
    gone: "a release looks before it puts back",
    scope: NO_OUTSIDER,
    caughtBy: /./,
    smallest: NO_OUTSIDER,
    patches: [['if (!isExactly(check, home)) return "drop";', 'if (!check.ok) return "drop";']],
  },
  {
    guard: "NoConfirm",
    gone: "what came back is looked at",
    scope: TWO_PUT_BACK,
    caughtBy: /^Confirm\(.*\) is not a step of the model: pc:/,
    smallest: VANDAL,
    patches: [['if (isExactly(confirm, home)) return "back";', 'if (confirm.ok) return "back";']],
  },
  {
    guard: "NoRestore",
    gone: "what came back and is not ours is put back",
    scope: TWO_PUT_BACK,
    caughtBy: /^Confirm\(.*\) is not a step of the model: pc:/,
    smallest: VANDAL,
    patches: [['  yield call("Restore", "sync", rename(home.path, entry.lockPath));\n', ""]],
  },
  {
    guard: "NoClear",
    gone: "an empty L is cleared where rename does not replace it",
    scope: NO_REPLACING,
    caughtBy: /^Judge\(.*\) is not a step of the model: pc:/,
    smallest: SMALL_NO_REPLACING,
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
    smallest: SMALL_NO_REPLACING,
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
    scope: SHARING,
    caughtBy: /^a\d was told "nothing", release not asked, and holds: true/,
    smallest: REENTRANT,
    patches: [["for (const holder of group) if (holder !== heir) holder.granted();", ""]],
  },
  {
    guard: "ErrorNotTold",
    gone: "a request that the disk refused for good is told",
    scope: TWO_DROP,
    caughtBy: /^[ab]\d was told nothing, and does not wait/,
    smallest: FAILING,
    patches: [["if (entry.contender?.gaveUp === false) entry.contender.failed(error);", "void error;"]],
  },
  {
    guard: "ReleaseNeverSettles",
    gone: "a release that failed settles, with its error",
    scope: TWO_DROP,
    caughtBy: /^it does not come to rest: .*"unsettled":\["release of /,
    smallest: DROP_FAILING,
    saidThere: /^it came to rest, and there is still the release of /,
    patches: [["settled(paid ? undefined : cannotRelease(entry, reply));", "if (paid) settled(undefined);"]],
  },
  {
    // Lease.tla says why, with time: BadLeasePutBack.
    guard: "PutBackAfterMiss",
    gone: "a holder that missed a beat releases by Drop",
    scope: "two processes, three tasks, missed beats",
    caughtBy: /^(Release|Granted)\(.*\) is not a step of the model: /,
    smallest: SMALL_MISSED_BEAT,
    patches: [["entry.services.heartbeat?.missed(entry) !== true;", "true as boolean;"]],
  },
  {
    guard: "SilentLoss",
    gone: "a loss that a release notices is said",
    scope: TWO_PUT_BACK,
    caughtBy: /^it warns of \[\], and the lock was lost/,
    smallest: VANDAL,
    patches: [["entry.services.warn(`session lock ", "void (`session lock "]],
  },
  {
    guard: "UnboundedHandOvers",
    fairness: "BoundedHandOvers",
    gone: "hand-overs in memory are bounded in time",
    scope: { survives: "a release may hand over in the model, which has no clock: each step is an edge" },
    caughtBy: /./,
    smallest: EXCLUSIVE,
    saidThere: /^Release\(a\d\), Release holding -> check, was never driven after: /,
    patches: [["return clock.now() - entry.handsOverSince < HAND_OVER_MS;", "return HAND_OVER_MS > 0;"]],
  },
  {
    guard: "NeverHandsOver",
    gone: "a release hands over in memory",
    scope: { survives: "a release may go to disk in the model, which has no clock: each step is an edge" },
    caughtBy: /./,
    smallest: EXCLUSIVE,
    saidThere: /^Release\(a\d\), Release holding -> idle, was never driven after: /,
    patches: [
      [
        "if (heir !== undefined && !entry.lost && mayHandOver(entry)) {",
        "if (heir === undefined && !entry.lost && mayHandOver(entry)) {",
      ],
    ],
  },
  {
    guard: "NoAside",
    gone: "who gave way for others stands aside",
    scope: TWO_DROP,
    caughtBy: /^(Released|Retried)\(.*\) is not a step of the model: pc:/,
    smallest: EXCLUSIVE,
    patches: [
      [
        "contendWith(entry, next, isFair ? asideOf(entry, called) : undefined);",
        "contendWith(entry, next, isFair ? undefined : undefined);",
      ],
    ],
  },
  {
    guard: "NeverRetries",
    fairness: "Progress",
    gone: "what is owed is tried again",
    scope: TWO_DROP,
    caughtBy: /^it does not come to rest: .*"owing":\["/,
    smallest: FAILING_DROP,
    saidThere: /^Retry\(a\.1\.1\), Retry, was never driven after: /,
    patches: [
      [
        "    delay = Math.min(LONGEST_RETRY_MS, delay * 2);",
        '    for (;;) yield { kind: "sleep", ms: delay, background: "background", arm: () => {} };',
      ],
    ],
  },
  {
    guard: "UnknownIsDead",
    gone: "only the dead are evicted, not the unknown",
    scope: TWO_PUT_BACK,
    caughtBy: /^Judge\(.*\) is not a step of the model: /,
    smallest: CRASH,
    patches: [
      [
        'const survivor = judged.find(({ verdict }) => verdict !== "dead" && verdict !== "lapsed");',
        'const survivor = judged.find(({ verdict }) => verdict === "alive");',
      ],
    ],
  },
  {
    guard: "SilentMiss",
    gone: "a release that finds nothing to put back says that the lock was lost",
    scope: HARMED,
    caughtBy: /^it warns of \[\], and the lock was lost/,
    smallest: SMALL_REMOVED,
    patches: [['return moved.errno === "ENOENT" ? "drop" : "failed";', 'return "failed";']],
  },
  {
    guard: "RevokedNeverSettles",
    gone: "the release of a handle that was revoked settles",
    scope: REVOKING,
    caughtBy: /^it does not come to rest: .*"unsettled":\["release of /,
    smallest: SMALL_REVOKING,
    saidThere: /^it came to rest, and there is still the release of /,
    patches: [["    attempt.revoked = false;\n    settled(undefined);", "    attempt.revoked = false;"]],
  },
  {
    guard: "RevokedHolds",
    gone: "a handle that was revoked is in HELD_LOCKS no more",
    scope: REVOKING,
    caughtBy: /^Expire\(.*\) is not a step of the model: /,
    smallest: SMALL_REVOKING,
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
  smallest: { survives: "no scope of the exhaustive chooser merges" },
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
  KeepIncarnation: "names are behind a port: test/process has a pid that is used again, and its twin",
};

export function doubleOf(guard: string): Double {
  const found = [...DOUBLES, ...CODE_DOUBLES].find((double) => double.guard === guard);
  if (found === undefined) throw new Error(`there is no double without ${guard}`);
  return found;
}

/** The protocol with one guard taken out. The source is read now; a patch that does not fit throws. */
export function loadDouble({ guard, patches }: Patched): Promise<Protocol> {
  return loadPatched<Protocol>("protocol.ts", guard, patches);
}

/** A file of src/ with patches, as a module. `name` is for people: its file's begins with it. */
export async function loadPatched<T>(of: string, name: string, patches: Double["patches"]): Promise<T> {
  const source = patchSource(of, name, patches);
  // Two doubles may have one name: another file of tests breaks the same guard in its own way, at the same time.
  const digest = createHash("sha256").update(source).digest("hex").slice(0, 12);
  const file = join(GENERATED, `${name}-${digest}.ts`);
  fs.mkdirSync(GENERATED, { recursive: true });
  // Whole or not at all: another test may be importing the same double.
  const aside = join(GENERATED, `${name}-${digest}.${process.pid}.tmp`);
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
