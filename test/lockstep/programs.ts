/**
 * Random programs under random schedules, in fast-check's own terms: `fc.commands` are the programs, and
 * `fc.scheduler` chooses among the steps of the code that are possible.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { type Config, guestsOf, lives } from "../../model/state.ts";
import { REPLAYABLE } from "./scopes.ts";
import { Divergence, goesOn, type Option, type Protocol, World } from "./world.ts";

/** What the commands' `check` sees: what the model allows now. */
interface Model {
  readonly world: World;
}

interface Real {
  readonly world: World;
  readonly scheduler: fc.Scheduler;
}

type Command = fc.AsyncCommand<Model, Real>;

/** Performs the n-th of the options that fit, then lets the scheduler take a few steps. */
class Perform implements Command {
  private readonly what: string;
  private readonly fits: (option: Option) => boolean;
  private readonly nth: number;
  private readonly stepsAfter: number;

  constructor(what: string, fits: (option: Option) => boolean, nth: number, stepsAfter: number) {
    this.what = what;
    this.fits = fits;
    this.nth = nth;
    this.stepsAfter = stepsAfter;
  }

  check({ world }: Readonly<Model>): boolean {
    return world.options().some(this.fits);
  }

  async run(_model: Model, { world, scheduler }: Real): Promise<void> {
    const fitting = world.options().filter(this.fits);
    const option = fitting[this.nth % fitting.length];
    if (option !== undefined) world.perform(option);
    await randomSteps(world, scheduler, this.stepsAfter);
  }

  toString(): string {
    return `${this.what}#${this.nth}, then ${this.stepsAfter} steps`;
  }
}

const startsWith =
  (text: string) =>
  (option: Option): boolean =>
    option.text.startsWith(text);
const ofKind =
  (kind: Option["kind"]) =>
  (option: Option): boolean =>
    option.kind === kind;

/** The programs of a configuration: acquire, release, give up, crash, restart, and what else may go wrong. */
export function programs(config: Config, maxCommands: number): fc.Arbitrary<Iterable<Command>> {
  const nth = fc.nat(5);
  const stepsAfter = fc.nat(8);
  const perform = (what: string, fits: (option: Option) => boolean): fc.Arbitrary<Command> =>
    fc.tuple(nth, stepsAfter).map(([n, steps]) => new Perform(what, fits, n, steps));
  const commands = [
    ...config.tasks.flatMap((task) => [
      perform(`Request(${task})`, startsWith(`Request(${task})`)),
      perform(`LetGo(${task})`, startsWith(`LetGo(${task})`)),
      perform(`Release(${task})`, startsWith(`Release(${task})`)),
      perform(`GiveUp(${task})`, startsWith(`GiveUp(${task})`)),
      ...(config.revokes ? [perform(`Expire(${task})`, startsWith(`Expire(${task})`))] : []),
    ]),
    perform("Steps", ofKind("step")),
  ];
  const environment: (readonly [wanted: boolean, kind: Option["kind"]])[] = [
    [config.maxCrashes > 0, "crash"],
    [config.maxCrashes > 0, "start"],
    [guestsOf(config).length > 0, "guest"],
    [config.maxFaults > 0, "fault"],
    [!config.local, "late"],
    [config.maxVandals > 0, "vandal"],
    [config.maxSuspicions + config.maxBreaks + config.maxRemovals > 0, "harm"],
  ];
  for (const [wanted, kind] of environment) if (wanted) commands.push(perform(kind, ofKind(kind)));
  return fc.commands(commands, { maxCommands, size: "max" });
}

/** Lets the scheduler take up to `count` steps of the code, one at a time. */
async function randomSteps(world: World, scheduler: fc.Scheduler, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const steps = world.options().filter(ofKind("step"));
    if (steps.length === 0) return;
    world.perform(await choose(scheduler, steps));
  }
}

/**
 * The scheduler's choice. Every step that is possible is offered to it; the first that it releases is taken.
 * The rest are released too, and forgotten: they are offered again if they are still possible.
 */
async function choose(scheduler: fc.Scheduler, steps: readonly Option[]): Promise<Option> {
  if (steps.length === 1 && steps[0] !== undefined) return steps[0];
  const released: Option[] = [];
  for (const step of steps) {
    void scheduler.schedule(Promise.resolve(step), step.text).then((option) => released.push(option));
  }
  await scheduler.waitAll();
  const [first] = released;
  if (first === undefined) throw new Error("the scheduler released nothing");
  return first;
}

/** Runs one program; the world is left as it is at the end. */
export async function runProgram(
  world: World,
  scheduler: fc.Scheduler,
  commands: Iterable<Command>,
): Promise<void> {
  await fc.asyncModelRun(() => ({ model: { world }, real: { world, scheduler } }), commands);
}

/**
 * Random lockstep as a property: a program under a random schedule on a fresh world, let come to its end.
 * `done` sees the world afterwards.
 */
export function lockstepProperty(
  config: Config,
  protocol: Protocol,
  maxCommands: number,
  done: (world: World) => void,
): fc.IAsyncProperty<[fc.Scheduler, Iterable<Command>]> {
  return fc.asyncProperty(fc.scheduler(), programs(config, maxCommands), (scheduler, commands) =>
    withWorld(config, protocol, async (world) => {
      await runProgram(world, scheduler, commands);
      drain(world);
      done(world);
    }),
  );
}

const NO_REST = "it does not come to rest";

/** How many commands a random program has at most: with a seed, it says which programs there are. */
export const MAX_COMMANDS = 60;

/** Far more than any drain needs; a livelock is found by it. */
export const MOST_DRAIN_STEPS = 5_000;

/**
 * Which of the options that go on is the next. Sleepers last: otherwise they look again and again, and nobody else
 * comes to his turn.
 */
export function nextToRest(going: readonly string[], turn: number): string | undefined {
  const awake = going.filter((text) => !text.startsWith("wake"));
  const candidates = awake.length > 0 ? awake : going;
  return candidates[turn % candidates.length];
}

/**
 * Lets everything come to its end: no new requests, holders let go, nothing else fails. Afterwards nobody
 * may wait, nothing may be owed, and no living process may have a name at the lock path.
 */
export function drain(world: World): void {
  for (let i = 0; i < MOST_DRAIN_STEPS; i++) {
    const options = world.options().filter(goesOn);
    const next = nextToRest(
      options.map(({ text }) => text),
      i,
    );
    const option = options.find(({ text }) => text === next);
    if (option === undefined) break;
    world.perform(option);
  }
  const { config, state } = world;
  const busy = config.tasks.filter((task) => state.pc[task] !== "idle");
  const owing = config.procs.filter((proc) => (state.owes[proc]?.length ?? 0) > 0);
  const left = (state.lock ?? []).filter((name) => lives(state, name));
  const unsettled = world.unsettled();
  if (busy.length + owing.length + left.length + unsettled.length === 0) return;
  throw new Divergence(
    `${NO_REST}: ${JSON.stringify({ busy, owing, left, unsettled, state })}\nafter: ${world.trace.join("; ")}`,
  );
}

/** Runs `action` with a world on a fresh directory, which is removed afterwards. A divergence says how to replay it. */
export async function withWorld<T>(
  config: Config,
  protocol: Protocol,
  action: (world: World) => T | Promise<T>,
): Promise<T> {
  const directory = freshDirectory();
  try {
    return await action(new World(config, directory, protocol));
  } catch (error) {
    if (error instanceof Divergence) error.message += `\n${replayCommand(config, error)}`;
    throw error;
  } finally {
    removeDirectory(directory);
  }
}

export function freshDirectory(): string {
  return fs.mkdtempSync(join(scratch(), "swl-lockstep-"));
}

export function removeDirectory(directory: string): void {
  fs.rmSync(directory, { recursive: true, force: true });
}

function replayCommand(config: Config, { message }: Divergence): string {
  const scope = Object.entries(REPLAYABLE).find(([, candidate]) => candidate === config)?.[0];
  const [, steps = ""] = /^after: (.*)$/m.exec(message) ?? [];
  const drain = message.startsWith(NO_REST) ? " --drain" : "";
  return scope === undefined
    ? "its scope is not one of test/lockstep/scopes.ts"
    : `Replay: npm run lockstep -- --scope "${scope}" --steps "${steps}"${drain}`;
}

/** A real file system; tmpfs where there is one, since lockstep is about steps and not about a disk's speed. */
function scratch(): string {
  return process.env["SWL_LOCKSTEP_DIR"] ?? (fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir());
}

/** Performs exactly these options: a trace that was printed, or a counterexample of TLC. */
export function replay(world: World, steps: readonly string[]): void {
  for (const [i, text] of steps.entries()) {
    const options = world.options();
    const option = options.find((candidate) => candidate.text === text);
    if (option === undefined) {
      const possible = options.map((candidate) => candidate.text).join("; ");
      throw new Error(`Cannot replay step ${i + 1}, "${text}": possible are ${possible}`);
    }
    world.perform(option);
  }
}
