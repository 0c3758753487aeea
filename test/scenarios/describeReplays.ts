import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";
import { ISSUE_HOLES, type IssueHole } from "../../model/issue/holes.ts";
import type { Hole } from "../../model/issue/state.ts";
import { REPLAYS, type Replay, titleIn } from "./replays.ts";

export type Body = (replay: Replay, hole: IssueHole) => void | Promise<void>;

/**
 * The tests of a file, one for each hole that replays.ts says it replays. `bodies` is one function, or one for each
 * hole; a hole without one, and a function without a hole, are errors.
 */
export function describeReplays(
  url: string,
  what: string,
  bodies: Body | Partial<Readonly<Record<Hole, Body>>>,
): void {
  const file = basename(fileURLToPath(url));
  describe(what, () => {
    for (const problem of disagreements(file, bodies)) throw new Error(problem);
    for (const replay of REPLAYS) {
      const title = titleIn(file, replay.hole);
      const hole = ISSUE_HOLES.find(({ name }) => name === replay.hole);
      const body = typeof bodies === "function" ? bodies : bodies[replay.hole];
      if (title !== undefined && hole !== undefined) it(title, () => body?.(replay, hole));
    }
  });
}

/** What replays.ts and the tests of a file say differently. */
export function disagreements(
  file: string,
  bodies: Body | Partial<Readonly<Record<string, Body>>>,
): readonly string[] {
  const told = ISSUE_HOLES.map(({ name }) => name).filter((name) => titleIn(file, name) !== undefined);
  const tested = typeof bodies === "function" ? told : Object.keys(bodies);
  return [
    ...told.filter((name) => !tested.includes(name)).map((name) => `${file} has no test for ${name}`),
    ...tested
      .filter((name) => !told.some((other) => other === name))
      .map((name) => `replays.ts has nothing for ${name} in ${file}`),
  ];
}
