/**
 * Lies: answers that the protocol understands (errnos.ts), and that are not so. It cannot see through them, so
 * they are an assumption (A7). Here is, for each, what comes of it: most are survived.
 */

import type { Config, FaultKind } from "../../model/state.ts";
import * as realProtocol from "../../src/protocol.ts";
import type { CallAction } from "../../src/steps.ts";
import { ExhaustFailure, exhaust, type MetPlace } from "../lockstep/exhaustive.ts";
import { scope } from "../lockstep/scopes.ts";
import {
  type Failure,
  type Failures,
  faultKind,
  type Protocol,
  type WayToFail,
  type World,
} from "../lockstep/world.ts";
import { type ErrnoName, errnosOf } from "./errnos.ts";
import { failureOf, Seen } from "./run.ts";

export interface Lie {
  readonly action: CallAction;
  /** Of a debt: which of its calls. */
  readonly at?: "home" | "lock";
  readonly errnos: readonly ErrnoName[];
  readonly way: "nothing happened" | "it happened" | "it happens later";
  readonly local: boolean;
  /** `survived`; `false alarm`: a loss is said (`SWL_LOST`), and none was; else the check that is violated, and how. */
  readonly outcome: "survived" | "false alarm" | RegExp;
}

const HOME_FORGOTTEN = /^it came to rest, and a home is forgotten: a\.1\.1$/;
const LOCK_FORGOTTEN = /^NothingForgotten is violated by Retried\(a\.1\.1\)$/;
const NOT_EMPTY: readonly ErrnoName[] = ["EEXIST", "ENOTEMPTY"];
const NO_DIRECTORY: readonly ErrnoName[] = ["ENOTDIR"];
const NOT_THERE: readonly ErrnoName[] = ["ENOENT"];
const NOT_IN_THE_HOME: readonly ErrnoName[] = ["ENAMETOOLONG", "ENOENT", "ENOTDIR"];
const NOT_AT_L: readonly ErrnoName[] = ["ENOENT", "ENOTDIR"];

const lie = (
  disk: "local" | "Drop",
  action: Lie["action"],
  errnos: Lie["errnos"],
  outcomes: Readonly<Partial<Record<Lie["way"], Lie["outcome"]>>>,
  at?: Lie["at"],
): readonly Lie[] =>
  Object.entries(outcomes).map(([way, outcome]) => ({
    action,
    errnos,
    way: way as Lie["way"],
    local: disk === "local",
    outcome,
    ...(at === undefined ? {} : { at }),
  }));

/** Every answer of {@link UNDERSTOOD}, in every way. */
export const LIES: readonly Lie[] = [
  ...[NOT_EMPTY, NO_DIRECTORY].flatMap((errnos) =>
    lie("local", "Take", errnos, {
      "nothing happened": "survived",
      // Of a contender that gave up: it does not look any more.
      "it happened": /^NothingForgotten is violated by (Refused|Judge)\(a\d\)$/,
    }),
  ),
  ...lie("local", "Evict", NOT_THERE, { "nothing happened": "survived", "it happened": "survived" }),
  ...lie("local", "Drop", NOT_THERE, { "nothing happened": "survived", "it happened": "survived" }),
  ...lie(
    "local",
    "Retry",
    NOT_IN_THE_HOME,
    { "nothing happened": HOME_FORGOTTEN, "it happened": "survived" },
    "home",
  ),
  ...lie(
    "local",
    "Retry",
    NOT_AT_L,
    { "nothing happened": LOCK_FORGOTTEN, "it happened": "survived" },
    "lock",
  ),
  ...[NOT_EMPTY, NO_DIRECTORY].flatMap((errnos) =>
    lie("Drop", "Take", errnos, {
      "nothing happened": "survived",
      "it happened": "survived",
      "it happens later": "survived",
    }),
  ),
  ...lie("Drop", "Evict", NOT_THERE, {
    "nothing happened": "survived",
    "it happened": "survived",
    "it happens later": "survived",
  }),
  // On NFS an unlink that is sent again says ENOENT.
  ...lie("Drop", "Drop", NOT_THERE, {
    "nothing happened": "false alarm",
    "it happened": "false alarm",
    "it happens later": "false alarm",
  }),
  ...lie(
    "Drop",
    "Retry",
    NOT_IN_THE_HOME,
    { "nothing happened": HOME_FORGOTTEN, "it happened": "survived", "it happens later": HOME_FORGOTTEN },
    "home",
  ),
  ...lie(
    "Drop",
    "Retry",
    NOT_AT_L,
    { "nothing happened": LOCK_FORGOTTEN, "it happened": "survived", "it happens later": LOCK_FORGOTTEN },
    "lock",
  ),
];

const WAYS: Readonly<Record<Lie["way"], WayToFail>> = {
  "nothing happened": { happened: false, later: false },
  "it happened": { happened: true, later: false },
  "it happens later": { happened: false, later: true },
};

export const lieText = ({ action, at, errnos, way, local }: Lie): string =>
  `${local ? "local" : "Drop"}: ${action}${at === undefined ? "" : ` at the ${at}`} says ${errnos.join(", ")}, and ${way}`;

/** What comes of a lie, in every schedule of a small scope: the first line of what is violated, if anything is. */
export async function outcomeOf(lie: Lie, protocol: Protocol = realProtocol): Promise<string> {
  const seen = new Seen();
  let alarms = 0;
  const onPlace = (world: World, place: MetPlace): void => {
    alarms += world.falseAlarms;
    seen.place(world, place);
  };
  const options = { failures: failuresOf(lie), lies: true, onPlace };
  const found = await exhaust(configOf(lie), protocol, options).catch((error: unknown) => error);
  if (found instanceof ExhaustFailure) return found.message;
  if (found instanceof Error || seen.injected === 0) throw found ?? new Error("no lie was told");
  const { restless } = found as Awaited<ReturnType<typeof exhaust>>;
  if (restless.length > 0) return `it does not come to rest after: ${restless[0]?.join("; ")}`;
  const [left] = await seen.leftovers();
  return left ?? (alarms > 0 ? "false alarm" : "survived");
}

/** Whether, after the lie, all the rest holds in every schedule: mutual exclusion before all. Throws if it does not. */
export async function forgetsOnly(lie: Lie, protocol: Protocol = realProtocol): Promise<number> {
  const tolerated = ["NothingForgotten"];
  const { counts } = await exhaust(configOf(lie), protocol, {
    failures: failuresOf(lie),
    lies: true,
    tolerated,
  });
  return counts.places;
}

function failuresOf({ action, at, errnos, way }: Lie): Failures {
  return (asked, call) => {
    if (asked !== action) return [EIO];
    if (call.call === "rmdir") return [];
    const isAtLock = "path" in call && call.path.includes(".lock/");
    if (at !== undefined && isAtLock !== (at === "lock")) return [];
    return errnosOf(call)
      .filter(({ name }) => errnos.some((errno) => errno === name))
      .map((errno) => ({ ...failureOf(errno, "lie"), way: WAYS[way] }));
  };
}

const EIO: Failure = { text: "", errno: "EIO", isLie: false };

/** What must fail before, so that there is such a call at all. */
function failuresBefore({ action, at, local }: Lie): readonly FaultKind[] {
  if (action === "Retry" && at === "home") return ["take"];
  if (action === "Retry") return local ? ["putBack", "drop"] : ["drop"];
  return action === "Drop" && local ? ["putBack"] : [];
}

function configOf(lie: Lie): Config {
  const { action, local } = lie;
  const before = failuresBefore(lie);
  return scope(action === "Take" ? ["a1", "a2"] : ["a1"], {
    local,
    patientTasks: action === "Take" ? [] : ["a1"],
    faults: [...before, faultKind(action)],
    maxFaults: before.length + 1,
    maxCrashes: action === "Evict" ? 1 : 0,
    maxRequests: action === "Retry" ? 1 : 2,
  });
}
