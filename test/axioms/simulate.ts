/** Histories as a given disk would make them, under a random schedule: for the checker, and for broken disks. */

import { type Disk, type DiskState, layoutOf, stateOf, type UnderWay } from "./disk.ts";
import type { Event, History } from "./history.ts";
import type { Round } from "./workload.ts";

interface Caller {
  readonly events: Event[];
  /** When its call under way began; undefined between two calls. */
  begin: number | undefined;
  underWay: UnderWay | undefined;
  /** The reply of a call that has had its last moment, and has not returned. */
  reply: string | undefined;
}

/** Beginnings, moments and ends of all processes, in a random order. */
export function simulate(round: Round, disk: Disk, random: () => number): History {
  const initial = stateOf(round.initial);
  let state: DiskState = initial;
  const callers: Caller[] = round.processes.map(() => ({
    events: [],
    begin: undefined,
    underWay: undefined,
    reply: undefined,
  }));
  const isBusy = (process: number): boolean =>
    (callers[process]?.events.length ?? 0) < (round.processes[process]?.length ?? 0);
  for (let now = 0; ; now++) {
    const busy = callers.map((_, process) => process).filter(isBusy);
    if (busy.length === 0) break;
    const process = busy[Math.floor(random() * busy.length)] as number;
    state = advance(callers[process] as Caller, process, round, disk, state, now, random);
  }
  return { initial, processes: callers.map(({ events }) => events), final: layoutOf(state) };
}

function advance(
  caller: Caller,
  process: number,
  round: Round,
  disk: Disk,
  state: DiskState,
  now: number,
  random: () => number,
): DiskState {
  const call = round.processes[process]?.[caller.events.length]?.call;
  if (call === undefined) return state;
  if (caller.begin === undefined) {
    caller.begin = now;
    return state;
  }
  if (caller.reply !== undefined) {
    caller.events.push({ process, call, reply: caller.reply, begin: caller.begin, end: now });
    Object.assign(caller, { begin: undefined, underWay: undefined, reply: undefined });
    return state;
  }
  const moments = disk.moments(state, call, caller.underWay);
  const moment = moments[Math.floor(random() * moments.length)];
  if (moment === undefined) throw new Error(`The disk has no moment for ${call.call}`);
  if ("reply" in moment) caller.reply = moment.reply;
  else caller.underWay = moment.goesOn;
  return moment.state;
}
