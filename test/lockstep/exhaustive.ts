/**
 * Every schedule of the harness's step queue, at a small scope.
 *
 * A place is a state of the model together with what the code remembers beyond it (memory.ts). If memory.ts lacks
 * nothing, the same option of one place always leads to the same place, so it is enough to take each option of each
 * place once, and then every edge of every schedule has been driven.
 *
 * That memory.ts lacks nothing is assumed, and checked in part. Whenever a place is met again, its options and the
 * counters of the code must be those of the first time; at the end of each way that is gone again the world must be
 * in the place where it was. What neither shows would stay hidden: options are taken once, not at each meeting.
 *
 * A real directory, and a generator, cannot be copied: to be at a place again means to go there. The chooser
 * goes on from where it is, depth first, as long as there is an option that was never taken; then to a near place
 * that has one; and only if there is none near, in a fresh world along a shortest known way.
 */

import { setImmediate } from "node:timers/promises";
import { debtorOf } from "../../model/actions.ts";
import { at, type Config, type Name, type Proc, type Task } from "../../model/state.ts";
import { type Edge, ModelEdges, type StateId } from "./edges.ts";
import { type Counters, countersOf, memoryOf } from "./memory.ts";
import { freshDirectory, MOST_DRAIN_STEPS, nextToRest, removeDirectory, replay } from "./programs.ts";
import {
  Divergence,
  type Failures,
  goesOn,
  type Option,
  type Protocol,
  type Successors,
  World,
} from "./world.ts";

export interface ExhaustOptions {
  /** Starts below this prefix, and counts only what is reachable from there. */
  readonly prefix?: readonly string[];
  /** Instead of the model's, for a twin. */
  readonly successors?: Successors;
  /** Instead of EIO alone. With lies among them the places are more than the model's. */
  readonly failures?: Failures;
  readonly lies?: boolean;
  /** Properties that are not looked at once a lie was told. */
  readonly tolerated?: readonly string[];
  /** Called at each place that is met for the first time. Throws for what must not be. */
  readonly onPlace?: (world: World, place: MetPlace) => void;
  /** Instead of memory.ts, for a twin. */
  readonly memory?: typeof memoryOf;
  /** Called now and then. */
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** A place, for those who look at it while the world is there. */
export interface MetPlace {
  readonly options: readonly Option[];
  /** The code has nothing more to do, and nobody holds. */
  readonly isRest: boolean;
}

export interface Progress {
  readonly counts: Counts;
  readonly edges: ModelEdges;
  /** A shortest known way to where the chooser is. */
  readonly way: () => readonly string[];
}

export interface Counts {
  readonly places: number;
  /** Steps of the real lock: each was compared. */
  readonly steps: number;
  /** Of those, the ones that were taken before: the way to a place. */
  readonly replayed: number;
  readonly worlds: number;
}

/** A schedule that the model does not have, or that does not replay; the shortest known. */
export class ExhaustFailure extends Error {
  override readonly name = "ExhaustFailure";
  readonly steps: readonly string[];
  readonly counts: Counts;

  constructor(cause: unknown, steps: readonly string[], counts: Counts) {
    super(firstLine(cause), { cause });
    this.steps = steps;
    this.counts = counts;
  }
}

type PlaceId = number;

interface Place {
  readonly state: StateId;
  readonly counters: Readonly<Record<Proc, Counters>>;
  /** The options there, and where each leads; undefined: never taken. */
  readonly options: readonly string[];
  readonly next: (PlaceId | undefined)[];
  /** Those of the options that happen by themselves. */
  readonly going: readonly string[];
  /** How many were never taken. */
  open: number;
}

/** An option of a place. */
interface Leg {
  readonly from: PlaceId;
  readonly option: number;
}

/** A search for a near open place gives up after so many places: beyond that, a fresh world is as good. */
const NEAR = 400;
/** Lets the event loop run: progress lines, signals. */
const YIELD_EVERY = 1_000;

/** The process of a task, or of the one who owes a name. */
const procOf = (config: Config, arg: Task | Name): Proc => config.procOf[arg] ?? debtorOf(config, arg);

/** Takes every option of every place of a scope. Throws {@link ExhaustFailure}. */
export async function exhaust(
  config: Config,
  protocol: Protocol,
  options: ExhaustOptions = {},
): Promise<Exhausted> {
  const chooser = new Chooser(config, protocol, options);
  await chooser.run();
  const { edges } = chooser;
  return {
    edges,
    counts: chooser.counts(),
    countersAt: chooser.countersAt(),
    wayTo: (state) => chooser.wayToState(state),
    restless: chooser.restless(),
  };
}

export interface Exhausted {
  readonly edges: ModelEdges;
  readonly counts: Counts;
  readonly countersAt: (edge: Edge) => readonly Counters[];
  /** A shortest schedule to a state that the lock has been in. */
  readonly wayTo: (state: StateId) => readonly string[];
  /** Schedules that do not come to rest though nothing fails any more, nobody asks, and every holder lets go. */
  readonly restless: readonly (readonly string[])[];
}

class Chooser {
  readonly edges: ModelEdges;
  private readonly config: Config;
  private readonly protocol: Protocol;
  private readonly settings: ExhaustOptions;
  private readonly ids = new Map<string, PlaceId>();
  private readonly places: Place[] = [];
  private readonly texts = new Map<string, readonly string[]>();
  private readonly memories = new Map<string, Place["counters"]>();
  private openPlaces = 0;
  private steps = 0;
  private replayed = 0;
  private worlds = 0;

  private world: World;
  private options: readonly Option[] = [];
  private here: PlaceId = 0;

  /** Shortest known ways from the root, when they were last looked for; and the open places, nearest first. */
  private ways: Leg[] = [];
  private targets: PlaceId[] = [];

  constructor(config: Config, protocol: Protocol, settings: ExhaustOptions) {
    this.config = config;
    this.protocol = protocol;
    this.settings = settings;
    this.world = this.freshWorld();
    this.edges = new ModelEdges(config, this.world.key, settings.lies === true ? "taken in" : "errors");
    this.here = this.arrive();
  }

  counts(): Counts {
    const { steps, replayed, worlds } = this;
    return { places: this.places.length, steps, replayed, worlds };
  }

  /** Of the process whose task takes the edge: what it remembered at each place of the first state. */
  countersAt(): Exhausted["countersAt"] {
    const byState = new Map<StateId, Place["counters"][]>();
    for (const { state, counters } of this.places) {
      const others = byState.get(state);
      if (others === undefined) byState.set(state, [counters]);
      else others.push(counters);
    }
    return ({ label, fromId }) =>
      (byState.get(fromId) ?? []).map((counters) => at(counters, procOf(this.config, label.arg)));
  }

  async run(): Promise<void> {
    try {
      let pause = YIELD_EVERY;
      while (this.openPlaces > 0) {
        if (this.place(this.here).open === 0) this.goToOpenPlace();
        this.explore();
        if (this.steps < pause) continue;
        pause = this.steps + YIELD_EVERY;
        const { edges, here } = this;
        this.settings.onProgress?.({ counts: this.counts(), edges, way: () => this.wayToPlace(here) });
        await setImmediate();
        this.settings.signal?.throwIfAborted();
      }
    } finally {
      removeDirectory(this.world.directory);
    }
  }

  /**
   * From each place the choices of `drain`, along known ways: it must come to rest. The same place twice at the
   * same turn of the choice would be a circle.
   */
  restless(): Exhausted["restless"] {
    const found: (readonly string[])[] = [];
    const comes = new Set<PlaceId>();
    for (const start of this.places.keys()) {
      const walked: PlaceId[] = [];
      let here: PlaceId | undefined = start;
      for (let i = 0; here !== undefined && !comes.has(here) && i < MOST_DRAIN_STEPS; i++) {
        walked.push(here);
        const place = this.place(here);
        const option = nextToRest(place.going, i);
        here = option === undefined ? undefined : place.next[place.options.indexOf(option)];
      }
      if (here === undefined || comes.has(here)) for (const place of walked) comes.add(place);
      else found.push(this.wayToPlace(start));
    }
    return found;
  }

  // ----------------------------------------------------------------------------------------------
  // One step

  /** Takes the first option here that was never taken. */
  private explore(): void {
    const place = this.place(this.here);
    this.take(place.next.indexOf(undefined));
  }

  /** Takes an option of this place, and says what it led to. */
  private take(option: number): void {
    const from = this.here;
    const place = this.place(from);
    this.steps++;
    try {
      const label = this.world.perform(this.find(place.options[option]));
      this.here = this.arrive();
      if (label !== undefined) this.edges.drive(place.state, label, this.place(this.here).state);
      this.learn(place, option);
    } catch (error) {
      throw this.failure(error, { from, option });
    }
  }

  private find(text: string | undefined): Option {
    const found = this.options.find((candidate) => candidate.text === text);
    if (found === undefined) throw new Error(`${text} is not possible here any more`);
    return found;
  }

  private learn(place: Place, option: number): void {
    place.next[option] = this.here;
    place.open--;
    if (place.open === 0) this.openPlaces--;
  }

  /** The place in which the world is. */
  private arrive(): PlaceId {
    const { world } = this;
    this.options = world.options();
    this.checkRest();
    const state = this.edges.idOf(world);
    const key = `${state} ${(this.settings.memory ?? memoryOf)(world)}`;
    const texts = this.options.map(({ text }) => text);
    const known = this.ids.get(key);
    if (known !== undefined) {
      this.checkAlike(key, texts, this.place(known));
      return known;
    }
    if (new Set(texts).size < texts.length) throw new Error(`two options are alike: ${texts.join("; ")}`);
    const id = this.places.length;
    const going = this.options.filter(goesOn).map(({ text }) => text);
    this.ids.set(key, id);
    this.places.push({
      state,
      counters: this.counters(),
      options: this.shared(texts),
      going: this.shared(going),
      next: new Array<PlaceId | undefined>(texts.length).fill(undefined),
      open: texts.length,
    });
    if (texts.length > 0) this.openPlaces++;
    this.settings.onPlace?.(world, { options: this.options, isRest: going.length === 0 });
    return id;
  }

  /** Where the code has nothing more to do, no release may be under way, and somebody must hold if anybody waits. */
  private checkRest(): void {
    if (this.options.some(({ kind }) => kind === "step")) return;
    const { config, state } = this.world;
    const held = config.procs.some((proc) => at(state.heldLocks, proc).length > 0);
    const left = this.world.unsettled().filter((what) => !held || what.startsWith("release"));
    if (left.length > 0)
      throw new Divergence(`it came to rest, and there is still the ${left.join(", the ")}`);
  }

  /**
   * The options in whatever order: the runs of a process wait in the order in which they began. The counters, because
   * the ledger judges by those of the first meeting.
   */
  private checkAlike(key: string, texts: readonly string[], { options, counters }: Place): void {
    if (texts.length !== options.length || !texts.every((text) => options.includes(text))) {
      throw new Error(
        `memory.ts lacks something: at ${key} were ${options.join("; ")}, now ${texts.join("; ")}`,
      );
    }
    const now = this.counters();
    if (now === counters) return;
    throw new Error(
      `memory.ts lacks a counter: at ${key} were ${JSON.stringify(counters)}, now ${JSON.stringify(now)}`,
    );
  }

  /** Many places have the same options. */
  private shared(texts: readonly string[]): readonly string[] {
    return once(this.texts, texts.join(";"), texts);
  }

  /** And the same counters. */
  private counters(): Place["counters"] {
    const { processes } = this.world;
    const found = Object.fromEntries(
      [...processes].map(([proc, process]) => [proc, countersOf(this.world, process)]),
    );
    return once(this.memories, JSON.stringify(found), found);
  }

  private forgetful(way: readonly Leg[], expected: PlaceId | undefined): string {
    const keys = [...this.ids.keys()];
    const steps = way.map(({ from, option }) => this.place(from).options[option]).join("; ");
    return `${steps} leads to two places, so memory.ts lacks something: ${keys[expected ?? 0]} and ${keys[this.here]}`;
  }

  private place(id: PlaceId): Place {
    const place = this.places[id];
    if (place === undefined) throw new Error(`no place ${id}`);
    return place;
  }

  // ----------------------------------------------------------------------------------------------
  // Going to a place that has options left

  private goToOpenPlace(): void {
    const near = this.nearOpenPlace();
    if (near !== undefined) {
      this.follow(near);
      return;
    }
    const way = this.wayFromRoot();
    removeDirectory(this.world.directory);
    this.world = this.freshWorld();
    this.here = this.arrive();
    this.follow(way);
  }

  /** Only the end of the way is compared: all of it was when it was found. */
  private follow(way: readonly Leg[]): void {
    const [last] = way.slice(-1);
    if (last === undefined) return;
    try {
      for (const { from, option } of way) {
        this.steps++;
        this.replayed++;
        const place = this.place(from);
        const to = this.place(place.next[option] ?? 0);
        this.world.repeat(this.find(place.options[option]), this.edges.state(to.state));
        this.options = this.world.options();
      }
      this.world.verify();
      const expected = this.place(last.from).next[last.option];
      this.here = this.arrive();
      if (this.here !== expected) throw new Error(this.forgetful(way, expected));
    } catch (error) {
      throw this.failure(error, last);
    }
  }

  /** Breadth first over what is known, from here. */
  private nearOpenPlace(): readonly Leg[] | undefined {
    const cameBy = new Map<PlaceId, Leg | undefined>([[this.here, undefined]]);
    for (const from of cameBy.keys()) {
      if (cameBy.size > NEAR) return undefined;
      for (const [option, to] of this.place(from).next.entries()) {
        if (to === undefined || cameBy.has(to)) continue;
        cameBy.set(to, { from, option });
        if (this.place(to).open > 0) return wayTo(to, (id) => cameBy.get(id));
      }
    }
    return undefined;
  }

  /** A shortest known way from the root to the nearest open place. */
  private wayFromRoot(): readonly Leg[] {
    for (;;) {
      const target = this.targets.pop();
      if (target === undefined) this.lookForTargets();
      else if (this.place(target).open > 0) return wayTo(target, (id) => this.ways[id]);
    }
  }

  /** Once for many restarts: ways that are known stay ways, though shorter ones may be found meanwhile. */
  private lookForTargets(): void {
    this.ways = [];
    this.targets = [];
    const seen = new Set<PlaceId>([0]);
    for (const from of seen) {
      if (this.place(from).open > 0) this.targets.push(from);
      for (const [option, to] of this.place(from).next.entries()) {
        if (to === undefined || seen.has(to)) continue;
        seen.add(to);
        this.ways[to] = { from, option };
      }
    }
    this.targets.reverse();
  }

  private freshWorld(): World {
    this.worlds++;
    return this.worldAfter(this.settings.prefix ?? []);
  }

  /** A world in which these steps were taken. The caller removes its directory. */
  private worldAfter(steps: readonly string[]): World {
    const world = new World(this.config, freshDirectory(), this.protocol, this.settings);
    try {
      replay(world, steps);
      return world;
    } catch (error) {
      removeDirectory(world.directory);
      throw error;
    }
  }

  // ----------------------------------------------------------------------------------------------
  // Failing

  /** The shortest known schedule that fails in the same way; else the one that did. */
  private failure(error: unknown, { from, option }: Leg): ExhaustFailure {
    const counts = this.counts();
    const whole = this.world.trace;
    const steps = [...this.wayToPlace(from), this.place(from).options[option] ?? ""];
    return new ExhaustFailure(error, this.failsAlike(error, steps) ? steps : whole, counts);
  }

  wayToState(state: StateId): readonly string[] {
    return this.wayToPlace(this.places.findIndex((place) => place.state === state));
  }

  private wayToPlace(id: PlaceId): readonly string[] {
    this.lookForTargets();
    const legs = wayTo(id, (place) => this.ways[place]);
    const steps = legs.map(({ from, option }) => this.place(from).options[option] ?? "");
    return [...(this.settings.prefix ?? []), ...steps];
  }

  private failsAlike(error: unknown, steps: readonly string[]): boolean {
    try {
      removeDirectory(this.worldAfter(steps).directory);
      return false;
    } catch (again) {
      return (
        again instanceof Divergence && error instanceof Divergence && firstLine(again) === firstLine(error)
      );
    }
  }
}

/** Follows the legs back to where there is none. */
function wayTo(target: PlaceId, cameBy: (id: PlaceId) => Leg | undefined): readonly Leg[] {
  const way: Leg[] = [];
  for (let leg = cameBy(target); leg !== undefined; leg = cameBy(leg.from)) way.unshift(leg);
  return way;
}

/** The value that is known under this key; this one from now on, if there is none. */
function once<V>(known: Map<string, V>, key: string, value: V): V {
  const found = known.get(key);
  if (found !== undefined) return found;
  known.set(key, value);
  return value;
}

/** Without the story, which is long: {@link ExhaustFailure} has a shorter one. */
function firstLine(error: unknown): string {
  return error instanceof Error ? (error.message.split("\nafter: ")[0] ?? "") : String(error);
}
