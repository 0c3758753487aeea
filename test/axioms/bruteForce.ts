/** The checker's oracle, written differently: every order of moments is made first, and the clock is asked afterwards. */

import { type Disk, type DiskState, layoutOf, type Moment, type UnderWay } from "./disk.ts";
import type { Event, History } from "./history.ts";

/** For histories of a handful of calls. */
export function isExplainedByForce({ initial, processes, final }: History, disk: Disk): boolean {
  const wanted = JSON.stringify(final);
  const visit = (
    state: DiskState,
    rest: readonly (readonly Event[])[],
    open: Open,
    order: Order,
  ): boolean => {
    if (rest.every((events) => events.length === 0)) {
      return JSON.stringify(layoutOf(state)) === wanted && keepsTime(order);
    }
    return rest.some((events, process) => {
      const [event] = events;
      if (event === undefined) return false;
      return disk.moments(state, event.call, open[process]).some((moment) => {
        const longer = [...order, event];
        if ("reply" in moment && moment.reply !== event.reply) return false;
        const left = "reply" in moment ? rest.map((all, i) => (i === process ? all.slice(1) : all)) : rest;
        return visit(moment.state, left, { ...open, [process]: goesOn(moment) }, longer);
      });
    });
  };
  return visit(initial, processes, {}, []);
}

type Open = Readonly<Record<number, UnderWay | undefined>>;
/** The call of each moment. */
type Order = readonly Event[];

const goesOn = (moment: Moment): UnderWay | undefined => ("goesOn" in moment ? moment.goesOn : undefined);

/** No moment of a call comes after one of a call that began when it had ended. */
function keepsTime(order: Order): boolean {
  return order.every((event, i) => order.slice(0, i).every((before) => before.begin <= event.end));
}
