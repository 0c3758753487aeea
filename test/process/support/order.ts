/** In which order processes are served that go in and out as fast as they can. */

import type { Child } from "./child.ts";

export interface Crowd {
  readonly turns: readonly { readonly askedAt: number; readonly at: number }[];
  readonly found: readonly string[];
}

/** One task of each, for so long, and for as long as it has had no turn, on a busy machine; the witnesses watch. */
export const inAndOut = async (children: readonly Child[], ms: number): Promise<readonly Crowd[]> =>
  await Promise.all(
    children.map(
      async (child) =>
        (await child.ask("crowd", { tasks: 1, ms, count: 1, inside: true })) as unknown as Crowd,
    ),
  );

/** Where every core is busy some are woken late: so it is said, and nothing is asserted. With two free cores, 95 %; by chance, a third. */
export function sayOrder(crowds: readonly Crowd[]): void {
  const { changes, percent } = orderOf(crowds);
  const sections = crowds.reduce((sum, { turns }) => sum + turns.length, 0);
  console.log(
    `${sections} sections; of ${changes} changes of hands ${percent.toFixed(1)} % went to the first`,
  );
}

interface Order {
  /** How often the lock changed hands while two others waited, or more. */
  readonly changes: number;
  /** How often whoever had waited for longest was the next, in percent. */
  readonly percent: number;
}

/** A turn: the sections of one process without anybody else's in between. */
function orderOf(crowds: readonly Crowd[]): Order {
  const sections = crowds
    .flatMap(({ turns }, who) => turns.map((turn) => ({ ...turn, who })))
    .sort((one, other) => one.at - other.at);
  let [changes, inOrder] = [0, 0];
  for (const [i, { who, at }] of sections.entries()) {
    const next = sections[i + 1];
    if (next === undefined || next.who === who) continue;
    const waiting = crowds.flatMap(({ turns }, other) => {
      const served = other === who ? undefined : turns.find((turn) => turn.at > at);
      return served !== undefined && served.askedAt < at ? [{ other, askedAt: served.askedAt }] : [];
    });
    if (waiting.length < 2) continue;
    const [first] = waiting.sort((one, other) => one.askedAt - other.askedAt);
    changes++;
    if (first?.other === next.who) inOrder++;
  }
  return { changes, percent: changes === 0 ? 0 : (100 * inOrder) / changes };
}
