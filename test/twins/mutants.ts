/**
 * The mutants: everything that can be taken out of the protocol, and what each check must say of it. A row is put
 * together from the lists in which a guard is anyway: the configurations that remove it (tla/models.json), its double
 * (doubles.ts), its row of the proof (tla/prove/twins.ts), its scenario with real processes (below). So whoever
 * adds a guard, or a double, has added a row of spec/kill-matrix.md.
 */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { GUARDS, type Guard } from "../../model/state.ts";
import { PROVED_GUARDS, TWINS, WITHOUT_ROW } from "../../tla/prove/twins.ts";
import { type ModelConfig, manifestName } from "../../tla/tools/manifest.ts";
import { modelledModules } from "../../tla/tools/modelGraph.ts";
import { violatedBy } from "../../tla/tools/tlcOutput.ts";
import { MISHANDLINGS, type Mishandling } from "../faults/mishandlings.ts";
import type { Guard as ProcessGuard } from "../process/support/guards.ts";
import { CODE_DOUBLES, DOUBLES, type Double, WITHOUT_DOUBLE } from "./doubles.ts";

export const CHECKS = ["tlc", "explorer", "proof", "random", "exhaustive", "faults", "processes"] as const;
export type Check = (typeof CHECKS)[number];

export type Expectation =
  /** The check must fail, in these words. `where`: the configuration, scope, row or scenario. */
  | { readonly kind: "killed"; readonly where: string; readonly by: RegExp }
  /** The check is made, and must pass without the guard: it is of another kind, or the guard can be spared there. */
  | { readonly kind: "survives"; readonly where: string; readonly why: string }
  /** There is nothing to ask. */
  | { readonly kind: "none"; readonly why: string };

export interface Mutant {
  readonly name: string;
  /** What is gone. */
  readonly gone: string;
  readonly expected: Readonly<Record<Check, Expectation>>;
}

/** The names of the scenarios that a broken build of the library must fail. All of them are in test/process. */
const SCENARIOS: Readonly<Record<ProcessGuard, readonly [name: string, gone: string, title: RegExp]>> = {
  zombie: ["NoZombieRule", "a zombie is dead", /twin: without the zombie rule it is waited for$/],
  start: [
    "NoStartComparison",
    "another start: the pid was used again",
    /twin: without the comparison of starts /,
  ],
  thread: [
    "NoThreadRule",
    "a thread that is gone is dead, although its process runs",
    /twin: without the rule for threads /,
  ],
  pidNamespace: [
    "NoPidNamespace",
    "a pid of another pid namespace says nothing here",
    /twin of two containers that share the directory/,
  ],
  timeNamespace: [
    "NoTimeNamespace",
    "a start of another time namespace says nothing here",
    /twin of another time namespace/,
  ],
  boot: ["NoBootId", "a pid of another boot says nothing here", /twin of another machine: another boot id/],
  lifeSocket: [
    "NoLifeSocket",
    "a life socket that refuses proves death",
    /twin: without the proof of its life socket /,
  ],
  hostIgnored: [
    "HostComparedAlways",
    "with equal boot ids the host is not compared",
    /twin: if the host is compared /,
  ],
  hidepid: ["MissingIsDead", "what hidepid hides may live", /twin of a \/proc that hides /],
  ownProc: [
    "AnyProc",
    "a /proc is trusted only if it is our own",
    /twin of .* seen through the \/proc of the host/,
  ],
  nsPid: ["NoNSpid", "NSpid has one entry", /twin of .* the same pid by accident/],
  randomScope: [
    "ConstantScope",
    "a scope field that cannot be read differs from everybody's",
    /twin of no \/proc at all/,
  ],
  readsSelf: [
    "ReadsSelfOnce",
    "who cannot read who he is, for lack of descriptors, does not begin",
    /twin: of one that has read nothing it cannot$/,
  ],
  noReleaseOnExit: ["ReleaseOnExit", "no exit hook releases", /twin: with an exit hook that releases/],
  verify: ["NoVerify", "", /twin: without Verify /],
  evictByName: ["EvictByPath", "", /twin: by path instead of by name /],
  keepSlot: ["PassSlotInFlight", "", /twin: if the slot is passed on /],
  guestName: [
    "NamelessGuest",
    "a guest is named in the lock",
    /twin: without the command's name in the lock /,
  ],
  letGoAfterGranted: ["LetGoEarly", "", /twin: without letGoAfterGranted they do$/],
  waitsForGuest: ["ReleaseUnderGuest", "", /twin: without waitsForGuest they do$/],
  wordToGo: ["EndOfPipeIsGo", "", /twin: a command that takes the end of its pipe /],
  streamsBlock: [
    "NonBlockingStreams",
    "the streams of a command block",
    /twin: a wrapper that opens its own /,
  ],
  signalOnce: [
    "SignalTwice",
    "what a terminal sends is not sent again",
    /twin: a wrapper that passes it on /,
  ],
  boundedHandOvers: ["UnboundedHandOvers", "", /twin: without the bound on hand-overs /],
  tellOnce: ["TellAgain", "of a takeover one acquisition is told", /twin: a process that does not forget /],
  sharedRegistry: [
    "OwnRegistry",
    "all copies of the module in a process share one registry",
    /twin: with a registry each, /,
  ],
};
/** Those that leave a trace which is refused: test/stress. */
const TRACED: ReadonlyMap<string, RegExp> = new Map([
  ["LifoQueue", /broken code .* without: the queue is first come/],
  ["ContendWhileReleasing", /broken code .* without: Request waits while RELEASING$/],
]);
/** Guards of the specification that in the code are part of the verdict. */
const VERDICTS: Readonly<Partial<Record<Guard, ProcessGuard>>> = { KeepIncarnation: "start" };

const tla = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "tla");
const { models } = JSON.parse(readFileSync(join(tla, manifestName), "utf8")) as {
  readonly models: readonly ModelConfig[];
};

const none = (why: string): Expectation => ({ kind: "none", why });
const PORT = "the verdict is behind a port, and the specification has only who lives and who is dead";
const CODE_ONLY = "a duty of the code alone: the specification has no such variable";
const NO_SCENARIO = "no scenario of test/process or test/stress is about it";
const OTHER_CHOOSERS = "the two other choosers of lockstep are asked";

function tlc(config: ModelConfig | undefined): Expectation {
  if (config === undefined) return none(CODE_ONLY);
  const { name, expect, question } = config;
  if (expect.verdict === "holds") return { kind: "survives", where: name, why: spared(question) };
  return { kind: "killed", where: name, by: exactly(violatedBy(expect.line)) };
}

function explorer(config: ModelConfig | undefined): Expectation {
  if (config === undefined) return none(CODE_ONLY);
  if (config.temporal) return none("a property of whole runs: the explorer has states and steps");
  return tlc(config);
}

/** `What if a release does not look first?` holds: nothing happens. */
const spared = (question: string): string => `all properties hold. ${question}`;

function proof(guard: Guard): Expectation {
  const proved = PROVED_GUARDS.find((candidate) => candidate === guard);
  if (proved === undefined) return none("guests are not in the proof");
  const twin = TWINS[proved];
  if (twin !== null) {
    return {
      kind: "killed",
      where: `${twin.action} x ${twin.claim}`,
      by: exactly(`${twin.action} x ${twin.claim}`),
    };
  }
  return { kind: "survives", where: "all rows", why: WITHOUT_ROW[proved] ?? "" };
}

function random({ scope, caughtBy }: Double): Expectation {
  return typeof scope === "string"
    ? { kind: "killed", where: scope, by: caughtBy }
    : { kind: "survives", where: "every scope", why: scope.survives };
}

function exhaustive({ smallest, caughtBy, saidThere = caughtBy }: Double): Expectation {
  return typeof smallest === "string"
    ? { kind: "killed", where: smallest, by: saidThere }
    : { kind: "survives", where: "every scope", why: smallest.survives };
}

function processes(name: string, verdict?: ProcessGuard): Expectation {
  const found =
    verdict === undefined ? Object.values(SCENARIOS).find(([mutant]) => mutant === name) : SCENARIOS[verdict];
  const by = found?.[2] ?? TRACED.get(name);
  return by === undefined ? none(NO_SCENARIO) : { kind: "killed", where: "test/process", by };
}

const exactly = (text: string): RegExp => new RegExp(`^${text}$`);

/** Of several configurations, the first: a temporal one only if there is no other. */
function configOf(guard: string): ModelConfig | undefined {
  const mine = models.filter((model) => model.guard === guard && modelledModules().includes(model.module));
  return mine.find(({ temporal }) => !temporal) ?? mine[0];
}

function ofSpecification(guard: Guard): Mutant {
  const double = DOUBLES.find((candidate) => candidate.guard === guard);
  const config = configOf(guard);
  const behindPort = none(WITHOUT_DOUBLE[guard] ?? PORT);
  return {
    name: guard,
    gone: double?.gone ?? removedBy(config),
    expected: {
      tlc: tlc(config),
      explorer: explorer(config),
      proof: proof(guard),
      random: double === undefined ? behindPort : random(double),
      exhaustive: double === undefined ? behindPort : exhaustive(double),
      faults: none(double === undefined ? PORT : OTHER_CHOOSERS),
      processes: processes(guard, VERDICTS[guard]),
    },
  };
}

/** `Must fail.  Removed guard: ...`: the head of the configuration says it. */
function removedBy(config: ModelConfig | undefined): string {
  const text = config === undefined ? "" : readFileSync(join(tla, config.config), "utf8");
  return /Removed guard: (.*)$/m.exec(text)?.[1] ?? "";
}

function ofCode(double: Double): Mutant {
  const { guard, gone, fairness } = double;
  const config = fairness === undefined ? undefined : configOf(fairness);
  return {
    name: guard,
    gone,
    expected: {
      tlc: tlc(config),
      explorer: explorer(config),
      proof: none(config === undefined ? CODE_ONLY : "fairness is about whole runs, the proof about steps"),
      random: random(double),
      exhaustive: exhaustive(double),
      faults: none(OTHER_CHOOSERS),
      processes: processes(guard),
    },
  };
}

function ofError({ guard, gone, at, caughtBy }: Mishandling): Mutant {
  const other = none(
    "it mishandles an errno: the specification has only failures, and the other choosers only EIO",
  );
  return {
    name: guard,
    gone,
    expected: {
      tlc: other,
      explorer: other,
      proof: other,
      random: other,
      exhaustive: other,
      faults: { kind: "killed", where: at, by: caughtBy },
      processes: other,
    },
  };
}

function ofVerdict(name: string, gone: string): Mutant {
  const port = none(PORT);
  return {
    name,
    gone,
    expected: {
      tlc: port,
      explorer: port,
      proof: port,
      random: port,
      exhaustive: port,
      faults: port,
      processes: processes(name),
    },
  };
}

const fromLockstep: readonly Mutant[] = [
  ...GUARDS.map(ofSpecification),
  ...CODE_DOUBLES.map(ofCode),
  ...MISHANDLINGS.map(ofError),
];

export const MUTANTS: readonly Mutant[] = [
  ...fromLockstep,
  ...Object.values(SCENARIOS)
    .filter(([name]) => !fromLockstep.some((mutant) => mutant.name === name))
    .map(([name, gone]) => ofVerdict(name, gone)),
];
