/**
 * Every schedule of a few contenders. One step is the effect of one call, or one turn of one contender: that in which it
 * asks, is answered, is woken or lets go. Between any two steps any other may come.
 *
 * A contender is deterministic (contender.ts), so the state of a world is that of its disk and, for each contender, what
 * it was told and which replies are under way to it. Every step adds to one of these, so all ways to a state are
 * equally long: the states are visited level by level, each with the number of ways to it. What a contender does when it is
 * told something is asked once, of a copy that is told the whole story from the beginning.
 */

import { FOLDER, type Happening, type Sent, type Subject, type View } from "./contender.ts";
import {
  type Call,
  type Disk,
  diskKey,
  EMPTY_DISK,
  type Inode,
  NOW_MS,
  perform,
  type Reply,
} from "./disk.ts";

/** A step of one contender: the effect of a call that was sent, the turn in which it is answered, ... */
export interface Step {
  readonly contender: number;
  readonly kind: "asks" | "lets go" | "effect" | "turn" | "fires";
  /** Of a call or a timer; 0 otherwise. */
  readonly id: number;
}

export interface ExploreOptions {
  readonly contenders: number;
  /** The turn of a call comes right after its effect, with nothing between: fewer schedules. */
  readonly atOnce?: boolean;
  readonly onLevel?: (level: Level) => void;
  readonly signal?: AbortSignal;
}

export interface Level {
  readonly depth: number;
  readonly states: number;
  readonly all: number;
}

export interface Explored {
  /** States of the world; and how many there are of the disk, and of the contenders. */
  readonly states: number;
  readonly disks: number;
  readonly places: number;
  /** Ways from the beginning to an end, where nothing is left to happen. */
  readonly schedules: bigint;
  /** Of these, those on which two hold at the same time. */
  readonly violating: bigint;
  /** Steps of the longest schedule. */
  readonly longest: number;
  /** A shortest way to a state in which two hold. */
  readonly shortest: readonly Step[] | undefined;
  /** Every kind of call that was made. */
  readonly calls: readonly Call["op"][];
}

/** When the dead owner was last seen alive. */
const LONG_AGO_MS: number = NOW_MS - 3_600_000;

/** The folder, and in it what a dead owner has left. */
export function diskBefore({ before }: Subject): Disk {
  const old = { mtimeMs: LONG_AGO_MS, ctimeMs: LONG_AGO_MS, content: "" };
  const left = before.map((one): [string, Inode] => [one.path, { ...old, ...one }]);
  return { ...EMPTY_DISK, entries: new Map([[FOLDER, { ...old, kind: "directory" }], ...left]) };
}

/** What a contender was told so far. */
interface Story {
  readonly number: number;
  readonly contender: number;
  readonly happenings: readonly Happening[];
  readonly view: View;
}

/** A story, and the replies that are under way, by their calls. */
interface Place {
  readonly number: number;
  readonly story: Story;
  readonly flying: ReadonlyMap<number, Reply>;
  /** What is possible here, whatever the disk is like. */
  readonly moves: readonly Move[];
}

type Move =
  | { readonly kind: "effect"; readonly step: Step; readonly sent: Sent; readonly to: Map<number, Landing> }
  | { readonly kind: "turn"; readonly step: Step; readonly happening: Happening; to: Place | undefined };

/** Where an effect on a disk leads. */
interface Landing {
  readonly disk: number;
  readonly place: Place;
}

/** Disks, stories and places, each made once and numbered. */
class Catalogue {
  readonly disks: Disk[] = [];
  readonly places: Place[] = [];
  readonly ops: Set<Call["op"]> = new Set();
  readonly #subject: Subject;
  readonly #atOnce: boolean;
  readonly #disks = new Map<string, number>();
  readonly #stories = new Map<string, Story>();
  readonly #places = new Map<string, Place>();

  constructor(subject: Subject, atOnce: boolean) {
    this.#subject = subject;
    this.#atOnce = atOnce;
  }

  disk(disk: Disk): number {
    const key = diskKey(disk);
    const known = this.#disks.get(key);
    if (known !== undefined) return known;
    this.#disks.set(key, this.disks.length);
    return this.disks.push(disk) - 1;
  }

  start(contender: number): Place {
    return this.#place(this.#story(contender, []), new Map());
  }

  /** Where a turn leads; it does not touch the disk. */
  turn({ story, flying }: Place, move: Move & { kind: "turn" }): Place {
    move.to ??= this.#place(this.#goOn(story, move.happening), without(flying, move.step.id));
    return move.to;
  }

  effect({ story, flying }: Place, { sent, to }: Move & { kind: "effect" }, disk: number): Landing {
    const known = to.get(disk);
    if (known !== undefined) return known;
    const [after, reply] = perform(this.disks[disk] ?? EMPTY_DISK, sent.call);
    this.ops.add(sent.call.op);
    const happening: Happening = { kind: "turn", id: sent.id, reply };
    const place =
      sent.sync || this.#atOnce
        ? this.#place(this.#goOn(story, happening), flying)
        : this.#place(story, new Map([...flying, [sent.id, reply]]));
    const landing = { disk: this.disk(after), place };
    to.set(disk, landing);
    return landing;
  }

  #goOn({ number, contender, happenings }: Story, happening: Happening): Story {
    const key = `${number} ${JSON.stringify(happening)}`;
    const known = this.#stories.get(key);
    if (known !== undefined) return known;
    const story = this.#story(contender, [...happenings, happening]);
    this.#stories.set(key, story);
    return story;
  }

  #count = 0;

  #story(contender: number, happenings: readonly Happening[]): Story {
    const copy = this.#subject.create(contender);
    for (const happening of happenings) copy.tell(happening);
    return { number: this.#count++, contender, happenings, view: copy.view() };
  }

  #place(story: Story, flying: ReadonlyMap<number, Reply>): Place {
    const replies = [...flying].sort(([a], [b]) => a - b);
    const key = `${story.number} ${JSON.stringify(replies)}`;
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const place = { number: this.places.length, story, flying, moves: movesOf(story, flying) };
    this.#places.set(key, place);
    this.places.push(place);
    return place;
  }
}

function without(flying: ReadonlyMap<number, Reply>, id: number): ReadonlyMap<number, Reply> {
  return new Map([...flying].filter(([other]) => other !== id));
}

function movesOf({ contender, view }: Story, flying: ReadonlyMap<number, Reply>): readonly Move[] {
  const effects = view.sent
    .filter(({ id }) => !flying.has(id))
    .map(
      (sent): Move => ({
        kind: "effect",
        step: { contender, kind: "effect", id: sent.id },
        sent,
        to: new Map(),
      }),
    );
  // In the middle of a turn: no other begins before it is over. Its calls of other threads may happen meanwhile.
  if (view.sent.some(({ sync }) => sync)) return effects;
  const turn = (kind: Step["kind"], id: number, happening: Happening): Move => ({
    kind: "turn",
    step: { contender, kind, id },
    happening,
    to: undefined,
  });
  return [
    ...effects,
    ...[...flying].map(([id, reply]) => turn("turn", id, { kind: "turn", id, reply })),
    ...view.timers.map((id) => turn("fires", id, { kind: "fires", id })),
    ...(view.told === "nothing" ? [turn("asks", 0, { kind: "asks" })] : []),
    ...(view.told === "holds" ? [turn("lets go", 0, { kind: "lets go" })] : []),
  ];
}

/** All states that are equally far from the beginning. */
interface Frontier {
  readonly disk: number[];
  readonly places: (readonly Place[])[];
  /** Ways to the state on which never two held, and the others. */
  readonly clean: bigint[];
  readonly tainted: bigint[];
  /** A state of the level before, and the step from there; not kept once a violation is known. */
  readonly from: number[];
  readonly step: Step[];
}

const emptyFrontier = (): Frontier => ({ disk: [], places: [], clean: [], tainted: [], from: [], step: [] });

const twoHold = (places: readonly Place[]): boolean =>
  places.filter(({ story }) => story.view.told === "holds").length >= 2;

export function explore(subject: Subject, options: ExploreOptions): Explored {
  const catalogue = new Catalogue(subject, options.atOnce === true);
  const levels: Pick<Frontier, "from" | "step">[] = [];
  let frontier = emptyFrontier();
  const contenders = Array.from({ length: options.contenders }, (_, index) => catalogue.start(index));
  frontier.disk.push(catalogue.disk(diskBefore(subject)));
  frontier.places.push(contenders);
  frontier.clean.push(1n);
  frontier.tainted.push(0n);
  let [states, schedules, violating] = [0, 0n, 0n];
  let shortest: readonly Step[] | undefined;
  for (;;) {
    states += frontier.disk.length;
    options.onLevel?.({ depth: levels.length, states: frontier.disk.length, all: states });
    options.signal?.throwIfAborted();
    const { next, ends, badEnds, firstBad } = nextLevel(catalogue, frontier);
    schedules += ends;
    violating += badEnds;
    if (next.disk.length === 0) break;
    levels.push(shortest === undefined ? { from: next.from, step: next.step } : { from: [], step: [] });
    if (shortest === undefined && firstBad !== undefined) shortest = wayTo(levels, firstBad);
    frontier = next;
  }
  return {
    states,
    disks: catalogue.disks.length,
    places: catalogue.places.length,
    schedules,
    violating,
    longest: levels.length,
    shortest,
    calls: [...catalogue.ops].sort(),
  };
}

function nextLevel(catalogue: Catalogue, { disk, places, clean, tainted }: Frontier) {
  const next = emptyFrontier();
  const numbers = new Map<string, number>();
  let [ends, badEnds] = [0n, 0n];
  let firstBad: number | undefined;
  for (let i = 0; i < disk.length; i++) {
    const here = places[i] ?? [];
    const [good, bad, on] = [clean[i] ?? 0n, tainted[i] ?? 0n, disk[i] ?? 0];
    let isEnd = true;
    for (const [index, place] of here.entries()) {
      for (const move of place.moves) {
        isEnd = false;
        const landing =
          move.kind === "effect"
            ? catalogue.effect(place, move, on)
            : { disk: on, place: catalogue.turn(place, move) };
        let key = String(landing.disk);
        for (const other of here) key += ` ${other === place ? landing.place.number : other.number}`;
        let found = numbers.get(key);
        if (found === undefined) {
          found = next.disk.push(landing.disk) - 1;
          numbers.set(key, found);
          next.places.push(here.with(index, landing.place));
          next.clean.push(0n);
          next.tainted.push(0n);
          next.from.push(i);
          next.step.push(move.step);
        }
        next.clean[found] = (next.clean[found] ?? 0n) + good;
        next.tainted[found] = (next.tainted[found] ?? 0n) + bad;
      }
    }
    if (!isEnd) continue;
    ends += good + bad;
    badEnds += bad;
  }
  for (const [i, here] of next.places.entries()) {
    if (!twoHold(here)) continue;
    firstBad ??= i;
    next.tainted[i] = (next.tainted[i] ?? 0n) + (next.clean[i] ?? 0n);
    next.clean[i] = 0n;
  }
  return { next, ends, badEnds, firstBad };
}

/** Back from a state of the last level to the beginning. */
function wayTo(levels: readonly Pick<Frontier, "from" | "step">[], last: number): readonly Step[] {
  const steps: Step[] = [];
  let at = last;
  for (const { from, step } of levels.toReversed()) {
    const taken = step[at];
    if (taken === undefined) throw new Error("a state that no step leads to");
    steps.unshift(taken);
    at = from[at] ?? 0;
  }
  return steps;
}
