/**
 * A stale lock file is renamed aside, and put back if it was not stale: what RenameAside.tla describes, on a real
 * directory, one step at a time along a run of its model. Not shipped. A step is one system call with the turn that
 * receives its result, as in the specification; death is not real.
 */

import fs from "node:fs";
import { join } from "node:path";
import { type Config, type Pc, renameAside, type State } from "../../model/peers/renameAside.ts";
import { parseLabel } from "../../model/pictures/picture.ts";
import { differences } from "../lockstep/projection.ts";

interface Step {
  readonly action: Action;
  readonly run: () => unknown;
}
type Run = Generator<Step, void, unknown>;

/** Where a run is, by the step that it waits for. */
const PCS = {
  Create: "create",
  Read: "read",
  Judge: "judge",
  Reread: "recheck",
  Move: "move",
  Verify: "verify",
  Discard: "discard",
  PutBack: "putBack",
  Tidy: "tidy",
  Check: "check",
  Unlink: "unlink",
} as const satisfies Record<string, Pc>;
type Action = keyof typeof PCS;
/** Where what was read still matters. */
const JUDGING: readonly Action[] = ["Judge", "Reread", "Move", "Verify"];

interface World {
  readonly config: Config;
  readonly lockPath: string;
  isAlive(owner: string): boolean;
}

interface Process {
  alive: boolean;
  incarnation: number;
  run: Run | undefined;
  step: Step | undefined;
  saw: string | null;
  /** What its caller was told. */
  holds: boolean;
}

// ------------------------------------------------------------------------------------------------
// The algorithm

function* acquire(world: World, me: string, granted: () => void): Run {
  const { config, lockPath } = world;
  const aside = `${lockPath}.aside.${me}`;
  for (;;) {
    if (yield* step("Create", () => create(lockPath, me))) {
      granted();
      return;
    }
    const saw = yield* step("Read", () => read(lockPath));
    if (saw === null) continue;
    if (yield* step("Judge", () => world.isAlive(saw))) continue;
    if (config.recheck && (yield* step("Reread", () => read(lockPath))) !== saw) continue;
    // With the hole closed only what was judged is moved. No system call does that.
    const spared = (): boolean => config.closed.includes("MoveByPath") && read(lockPath) !== saw;
    if (!(yield* step("Move", () => !spared() && succeeds(() => fs.renameSync(lockPath, aside))))) continue;
    if ((yield* step("Verify", () => read(aside))) === saw) {
      yield* step("Discard", () => fs.unlinkSync(aside));
    } else if (config.closed.includes("PutBackByRename")) {
      yield* step("PutBack", () => succeeds(() => fs.linkSync(aside, lockPath)));
      yield* step("Tidy", () => fs.unlinkSync(aside));
    } else {
      yield* step("PutBack", () => fs.renameSync(aside, lockPath));
    }
  }
}

function* release({ lockPath }: World, me: string): Run {
  if ((yield* step("Check", () => read(lockPath))) !== me) return;
  yield* step("Unlink", () => succeeds(() => fs.unlinkSync(lockPath)));
}

function* step<T>(action: Action, run: () => T): Generator<Step, T, unknown> {
  return (yield { action, run }) as T;
}

/** It appears with its content, and only if nothing is there: made under another name, and linked. */
function create(lockPath: string, me: string): boolean {
  const made = `${lockPath}.new.${me}`;
  fs.writeFileSync(made, me);
  const done = succeeds(() => fs.linkSync(made, lockPath));
  fs.unlinkSync(made);
  return done;
}

function read(path: string): string | null {
  return fs.existsSync(path) ? fs.readFileSync(path, "utf8") : null;
}

function succeeds(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

// ------------------------------------------------------------------------------------------------
// The driver

export class RenameAsideWorld implements World {
  /** The fixture's; the model's are the same, unless a twin says otherwise. */
  readonly config: Config;
  readonly lockPath: string;
  private readonly directory: string;
  private readonly processes: ReadonlyMap<string, Process>;
  private crashes = 0;

  constructor(config: Config, directory: string) {
    this.config = config;
    this.directory = directory;
    this.lockPath = join(directory, "a.jsonl.lock");
    const start = (): Process => ({
      alive: true,
      incarnation: 1,
      run: undefined,
      step: undefined,
      saw: null,
      holds: false,
    });
    this.processes = new Map(config.procs.map((proc) => [proc, start()]));
  }

  /** Makes the step happen; the real state must be the one that the model has after it. */
  perform(label: string, expected: State): void {
    const { action, arg } = parseLabel(label);
    const process = this.process(arg);
    const me = `${arg}.${process.incarnation}`;
    if (action === "Request")
      this.start(
        process,
        acquire(this, me, () => this.grant(process)),
      );
    else if (action === "Release") this.letGo(process, me);
    else if (action === "Crash") this.crash(process);
    else if (action === "Start")
      Object.assign(process, { alive: true, incarnation: process.incarnation + 1 });
    else this.advance(process, label);
    const real = this.project();
    if (renameAside.key(real) !== renameAside.key(expected)) {
      throw new Error(`${label}: ${differences(expected, real)}`);
    }
  }

  isAlive(owner: string): boolean {
    const [proc = "", incarnation] = owner.split(".");
    const process = this.process(proc);
    return process.alive && process.incarnation === Number(incarnation);
  }

  /** Whose callers were told that they hold. */
  holders(): readonly string[] {
    return [...this.processes].filter(([, { holds }]) => holds).map(([proc]) => proc);
  }

  ownerAtLock(): string | null {
    return read(this.lockPath);
  }

  private process(proc: string): Process {
    const process = this.processes.get(proc);
    if (process === undefined) throw new Error(`no process ${proc}`);
    return process;
  }

  private start(process: Process, run: Run): void {
    process.run = run;
    process.step = run.next().value ?? undefined;
  }

  private grant(process: Process): void {
    process.holds = true;
  }

  private letGo(process: Process, me: string): void {
    process.holds = false;
    this.start(process, release(this, me));
  }

  private crash(process: Process): void {
    Object.assign(process, { alive: false, run: undefined, step: undefined, saw: null, holds: false });
    this.crashes++;
  }

  private advance(process: Process, label: string): void {
    const { step: next, run } = process;
    if (next === undefined || parseLabel(label).action !== next.action) {
      throw new Error(`${label}: the fixture waits for ${next?.action ?? "nothing"}`);
    }
    const result = next.run();
    if (next.action === "Read") process.saw = result as string | null;
    process.step = run?.next(result).value ?? undefined;
    if (process.step === undefined || !JUDGING.includes(process.step.action)) process.saw = null;
  }

  private project(): State {
    const { procs, maxCrashes } = this.config;
    const per = <V>(value: (process: Process, proc: string) => V): Record<string, V> =>
      Object.fromEntries(procs.map((proc) => [proc, value(this.process(proc), proc)] as const));
    const asideOf = (owner: string): string | null => read(`${this.lockPath}.aside.${owner}`);
    return {
      lock: this.ownerAtLock(),
      aside: per(({ incarnation, alive }, proc) => (alive ? asideOf(`${proc}.${incarnation}`) : null)),
      stray: this.strays(),
      saw: per(({ saw }) => saw),
      alive: procs.filter((proc) => this.process(proc).alive),
      inc: per(({ incarnation }) => incarnation),
      pc: per(({ step: next, holds }) =>
        next === undefined ? (holds ? "holding" : "idle") : PCS[next.action],
      ),
      crashes: maxCrashes - this.crashes,
    };
  }

  /** What lies aside, and whose mover is dead. */
  private strays(): readonly string[] {
    return fs
      .readdirSync(this.directory)
      .filter((file) => file.includes(".aside.") && !this.isAlive(file.split(".aside.")[1] ?? ""))
      .map((file) => fs.readFileSync(join(this.directory, file), "utf8"))
      .sort();
  }
}
