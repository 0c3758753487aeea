/**
 * Every schedule for itself: nothing is remembered, added up or numbered, so it is slow, and easy to believe. It shares with
 * the explorer the disk and the contenders, and no more.
 */

import type { Contender, Happening, Subject, View } from "./contender.ts";
import { type Disk, perform, type Reply } from "./disk.ts";
import { diskBefore } from "./explore.ts";

export interface Counted {
  readonly schedules: bigint;
  readonly violating: bigint;
}

/** A contender after a story. */
interface Standing {
  readonly index: number;
  readonly story: readonly Happening[];
  readonly view: View;
  readonly flying: ReadonlyMap<number, Reply>;
}

/** What a contender can do next: told something, or its call is made. */
export type Choice = Happening | { readonly kind: "effect"; readonly id: number };

export function choicesOf(
  { sent, timers, told }: View,
  flying: ReadonlyMap<number, Reply>,
): readonly Choice[] {
  const effects = sent.filter(({ id }) => !flying.has(id)).map(({ id }): Choice => ({ kind: "effect", id }));
  if (sent.some(({ sync }) => sync)) return effects;
  return [
    ...effects,
    ...[...flying].map(([id, reply]): Choice => ({ kind: "turn", id, reply })),
    ...timers.map((id): Choice => ({ kind: "fires", id })),
    ...(told === "nothing" ? [{ kind: "asks" } as const] : []),
    ...(told === "holds" ? [{ kind: "lets go" } as const] : []),
  ];
}

/** A fresh copy that is told a story. */
export function copyAfter(subject: Subject, index: number, story: readonly Happening[]): Contender {
  const copy = subject.create(index);
  for (const happening of story) copy.tell(happening);
  return copy;
}

export function countOneByOne(subject: Subject, contenders: number, onStep: () => void = () => {}): Counted {
  let [schedules, violating] = [0n, 0n];
  const after = (one: Standing, happening: Happening, flying: ReadonlyMap<number, Reply>): Standing => {
    const story = [...one.story, happening];
    return { index: one.index, story, flying, view: copyAfter(subject, one.index, story).view() };
  };
  const landing = (disk: Disk, one: Standing, choice: Choice): readonly [Disk, Standing] => {
    if (choice.kind !== "effect") {
      const answered = choice.kind === "turn" ? choice.id : undefined;
      return [disk, after(one, choice, new Map([...one.flying].filter(([id]) => id !== answered)))];
    }
    const sent = one.view.sent.find(({ id }) => id === choice.id);
    if (sent === undefined) throw new Error("an effect of nothing");
    const [next, reply] = perform(disk, sent.call);
    if (sent.sync) return [next, after(one, { kind: "turn", id: sent.id, reply }, one.flying)];
    return [next, { ...one, flying: new Map([...one.flying, [sent.id, reply]]) }];
  };
  const goOn = (disk: Disk, all: readonly Standing[], violated: boolean): void => {
    onStep();
    const holders = all.filter(({ view }) => view.told === "holds").length;
    const bad = violated || holders > 1;
    let isEnd = true;
    for (const [at, one] of all.entries()) {
      for (const choice of choicesOf(one.view, one.flying)) {
        isEnd = false;
        const [next, moved] = landing(disk, one, choice);
        goOn(next, all.with(at, moved), bad);
      }
    }
    if (!isEnd) return;
    schedules += 1n;
    if (bad) violating += 1n;
  };
  const start = Array.from({ length: contenders }, (_, index): Standing => {
    return { index, story: [], view: subject.create(index).view(), flying: new Map() };
  });
  goOn(diskBefore(subject), start, false);
  return { schedules, violating };
}
