/**
 * Is there an order of moments that explains a history? Depth-first, after Wing and Gong, with Lowe's memory of
 * configurations that led nowhere: (how far each process is, what is under way, the state of the disk).
 */

import {
  type Call,
  canEndIn,
  type Disk,
  type DiskState,
  layoutOf,
  type Moment,
  type Reply,
  type UnderWay,
} from "./disk.ts";
import type { Event, History } from "./history.ts";

export type Verdict =
  | { readonly linearizable: true }
  /** The furthest that any order came: how many calls had ended, and the state there. */
  | { readonly linearizable: false; readonly explained: number; readonly stuck: string };

interface Place {
  readonly state: DiskState;
  /** For each process how many of its calls have ended, and what is under way. */
  readonly ended: readonly number[];
  readonly underWay: readonly (UnderWay | undefined)[];
}

export function linearize(history: History, disk: Disk): Verdict {
  const { processes } = history;
  const start: Place = {
    state: history.initial,
    ended: processes.map(() => 0),
    underWay: processes.map(() => undefined),
  };
  const final = JSON.stringify(history.final);
  const seen = new Set<string>();
  const open = [start];
  let furthest = { explained: -1, place: start };
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const explained = place.ended.reduce((sum, count) => sum + count, 0);
    if (explained > furthest.explained) furthest = { explained, place };
    const isOver = place.ended.every((count, process) => count === processes[process]?.length);
    if (isOver && JSON.stringify(layoutOf(place.state)) === final) return { linearizable: true };
    for (const next of followers(place, processes, disk)) {
      const key = JSON.stringify(next);
      if (!seen.has(key)) open.push(next);
      seen.add(key);
    }
  }
  return {
    linearizable: false,
    explained: furthest.explained,
    stuck: `ended: ${furthest.place.ended.join(" ")}, disk: ${JSON.stringify(furthest.place.state)}`,
  };
}

/** A moment lies before every end that has not been passed: what began after such an end must wait. */
function followers(place: Place, processes: History["processes"], disk: Disk): readonly Place[] {
  const heads = processes.map((events, process) => events[place.ended[process] ?? 0]);
  const firstEnd = Math.min(...heads.map((head) => head?.end ?? Number.POSITIVE_INFINITY));
  return heads.flatMap((head, process) =>
    head === undefined || head.begin > firstEnd ? [] : afterMomentOf(place, head, process, disk),
  );
}

function afterMomentOf(place: Place, head: Event, process: number, disk: Disk): readonly Place[] {
  const moments = disk.moments(place.state, head.call, place.underWay[process]);
  return moments.flatMap((moment) => {
    if (!agrees(moment, head.call, head.reply)) return [];
    const hasEnded = "reply" in moment;
    return {
      state: moment.state,
      ended: place.ended.map((count, i) => (i === process && hasEnded ? count + 1 : count)),
      underWay: place.underWay.map((other, i) => {
        if (i !== process) return other;
        return hasEnded ? undefined : moment.goesOn;
      }),
    };
  });
}

function agrees(moment: Moment, { call }: Call, reply: Reply): boolean {
  if ("reply" in moment) return moment.reply === reply;
  return call !== "readdir" || canEndIn(moment.goesOn, reply);
}
