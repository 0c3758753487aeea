/**
 * What the code remembers beyond the model's state, in one text: two worlds with equal states and equal
 * memories go on alike. exhaustive.ts prunes by it. It notices a counter that is missing here, and whatever else
 * shows in the options of a place or at the end of a way that is gone again; not everything.
 */

import type { Name } from "../../model/state.ts";
import { MOST_FAILURES, MOST_SPINS } from "../../src/protocol.ts";
import type { Entry } from "../../src/registry.ts";
import type { Pending, Process, World } from "./world.ts";

export function memoryOf(world: World): string {
  const processes = [...world.processes.values()].map(({ entry, pending }) => {
    const { spins, failures } = patienceOf(entry);
    return [...pending.map((run) => runText(world, run)).sort(), spins, failures].join(" ");
  });
  return [...processes, ...[...world.unsettled()].sort()].join("|");
}

/** What the ledger may judge by. */
export interface Counters extends PatienceCounters {
  /** Debts whose last call has been answered, in a turn of their own that is still to come. */
  readonly answered: readonly Name[];
}

interface PatienceCounters {
  /** How often in a row, up to the bounds: more is not different. */
  readonly spins: number;
  readonly failures: number;
}

export function countersOf(world: World, { entry, pending }: Process): Counters {
  const answered = pending.flatMap(({ debt, reply }) =>
    debt === undefined || reply === undefined ? [] : [world.names.get(debt) ?? debt],
  );
  return { ...patienceOf(entry), answered: answered.sort() };
}

/** Those of a contender who has left count for nobody. */
function patienceOf({ contender, patience }: Entry): PatienceCounters {
  if (contender === null || patience === null || patience.contender !== contender) return FRESH;
  return {
    spins: Math.min(patience.spins, MOST_SPINS),
    failures: Math.min(patience.failures, MOST_FAILURES),
  };
}

const FRESH: PatienceCounters = { spins: 0, failures: 0 };

/**
 * Where a run stands. Not the order of the runs, nor how long one sleeps: the scheduler wakes as it likes. Nor when
 * the lock was taken: whoever releases says which side of the hand-over clock it is.
 */
function runText(world: World, pending: Pending): string {
  const { step, reply, debt, releaser, seen } = pending;
  const where = step.kind === "sleep" ? "sleep" : step.action;
  const answer = reply === undefined ? "" : reply.ok ? "+ok" : `+${reply.errno}`;
  if (debt !== undefined) {
    const owed = world.process(pending.proc).entry.owes.get(debt);
    return `${world.names.get(debt) ?? debt}:${owed?.step}:${where}${answer}`;
  }
  // A release remembers why it came to a Drop; a contention remembers its patience, and the order of a listing.
  const listed = (seen?.length ?? 0) > 1 ? `:${seen?.map((name) => world.names.get(name)).join()}` : "";
  return releaser === undefined
    ? `${where}${answer}${listed}`
    : `${releaser}:${pending.last}:${pending.moved}:${where}${answer}`;
}
