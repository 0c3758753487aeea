import type { Patched } from "../twins/doubles.ts";

/** Code that mishandles an error, the smallest scope at which it must be caught, and the check that must say so. */
export interface Mishandling extends Patched {
  readonly gone: string;
  readonly at: string;
  readonly caughtBy: RegExp;
}

const LOCAL = "local, 1 process, 2 tasks";
const DROP = "Drop, 1 process, 1 task";
const DEBT = "Drop, 1 process, 1 task, a Drop and its Retry fail";
const CRASH = "local, 1 process, 1 task, a crash, looks and evictions";

export const MISHANDLINGS: readonly Mishandling[] = [
  {
    guard: "TakeErrorIsRefusal",
    gone: "a Take that failed is followed by a Look, in doubt",
    at: LOCAL,
    caughtBy: /^Judge\(a\d\) is not a step of the model: /,
    patches: [["clean: CLEAN_REFUSALS.includes(reply.errno), ", "clean: true, "]],
  },
  {
    guard: "TakeErrorFailsAtOnce",
    gone: "a Take that failed may have happened: its home is owed",
    at: LOCAL,
    caughtBy: /^Refused\(a\d\) is not a step of the model: /,
    patches: [
      [
        "  if (refusal.clean && entry.contender?.gaveUp === true) {",
        '  if (!refusal.clean) {\n    entry.home = null;\n    fail(entry, cannot(entry, "take", refusal));\n    passSlot(entry);\n    return false;\n  }\n  if (refusal.clean && entry.contender?.gaveUp === true) {',
      ],
    ],
  },
  {
    guard: "DropErrorForgotten",
    gone: "a Drop that failed is owed",
    at: DROP,
    caughtBy: /^Released\(a1\) is not a step of the model: owes: /,
    patches: [
      [
        'if (!reply.ok) owe(entry, home, home.name, "unlinkHome", reply.error);',
        'if (missed) owe(entry, home, home.name, "unlinkHome", reply.error);',
      ],
    ],
  },
  {
    guard: "PrepareErrorNotOwed",
    gone: "whatever a Prepare that failed has made is owed",
    at: LOCAL,
    caughtBy: /^Prepare\(a\d\) is not a step of the model: /,
    patches: [
      ['  oweHome(entry, home);\n  fail(entry, cannot(entry, "make', '  fail(entry, cannot(entry, "make'],
    ],
  },
  {
    guard: "EvictErrorIgnored",
    gone: "an Evict that failed is waited for",
    at: CRASH,
    caughtBy: /^Evict\(a1\) is not a step of the model: /,
    patches: [['if (reply.ok || reply.errno === "ENOENT") continue;', "if (reply !== undefined) continue;"]],
  },
  {
    guard: "MissingAtHomeIsGone",
    gone: "ENOENT at the home: then the name may be at L",
    at: LOCAL,
    caughtBy: /^the turn of Retry\(a\.1\.\d\) changed what it must not: owes: /,
    patches: [['return step === "unlinkHome" ? "unlinkLock" : AFTER[step];', "return AFTER[step];"]],
  },
  {
    guard: "ConfirmErrorIsSuccess",
    gone: "what cannot be seen is not confirmed",
    at: LOCAL,
    caughtBy: /^Confirm\(a\d\) is not a step of the model: /,
    patches: [
      ["if (isExactly(confirm, home)) return", "if (!confirm.ok || isExactly(confirm, home)) return"],
    ],
  },
  {
    guard: "VerifyErrorIsSuccess",
    gone: "what cannot be seen is not verified",
    at: LOCAL,
    caughtBy: /^Verify\(a\d\) is not a step of the model: /,
    patches: [["if (isExactly(reply, homeOf(entry)))", "if (!reply.ok || isExactly(reply, homeOf(entry)))"]],
  },
  {
    guard: "LookErrorEndsTheRun",
    gone: "an error of Look is waited out",
    at: CRASH,
    caughtBy: /^Judge\(a1\) is not a step of the model: /,
    patches: [
      ["    // We cannot even look. Never ours to touch.\n", "    entry.contender = null;\n    return;\n"],
      ['entry.obstacle = { kind: "foreign", what: errnoText(seen.error) };', "void errnoText;"],
    ],
  },
  {
    guard: "ErrorNotToldEither",
    gone: "a request that the disk refused settles",
    at: LOCAL,
    caughtBy: /^a\d was told nothing, and does not wait/,
    patches: [["if (entry.contender?.gaveUp === false) entry.contender.failed(error);", "void error;"]],
  },
  {
    guard: "RmdirTriedForEver",
    gone: "rmdir only tidies, and is tried once",
    at: DEBT,
    caughtBy: /^the turn of debt a\.1\.\d changed what it must not: owes: /,
    patches: [
      ['if (reply.ok || step === "rmdirHome") return AFTER[step];', "if (reply.ok) return AFTER[step];"],
    ],
  },
  {
    guard: "NamedErrorsOnly",
    gone: "an errno that libuv has no name for is an error like any other",
    at: DROP,
    caughtBy: /^(Judge|Refused)\(a1\) is not a step of the model: /,
    patches: [
      [
        "clean: CLEAN_REFUSALS.includes(reply.errno), ",
        'clean: CLEAN_REFUSALS.includes(reply.errno) || !reply.errno.startsWith("E"), ',
      ],
    ],
  },
];
