/**
 * What the explorer rests on: a contender does what it was told, and nothing else counts; not what other copies do
 * meanwhile, in the same real process, nor when. So at each step of a random schedule a fresh copy that is told the same story
 * stands where the live one does.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Contender, Happening, Subject } from "./contender.ts";
import { perform, type Reply } from "./disk.ts";
import { diskBefore } from "./explore.ts";
import { choicesOf, copyAfter } from "./oneByOne.ts";
import { SUBJECTS, subjectNamed } from "./subjects.ts";

interface Live {
  readonly index: number;
  readonly contender: Contender;
  readonly happenings: Happening[];
  readonly flying: Map<number, Reply>;
}

/** How many steps were made; fails where a fresh copy stands elsewhere. */
function walk(subject: Subject, draws: readonly number[]): number {
  let disk = diskBefore(subject);
  const live = [0, 1, 2].map(
    (index): Live => ({ index, contender: subject.create(index), happenings: [], flying: new Map() }),
  );
  let steps = 0;
  for (const draw of draws) {
    const all = live.flatMap((one) =>
      choicesOf(one.contender.view(), one.flying).map((choice) => ({ one, choice })),
    );
    const taken = all[draw % all.length];
    if (taken === undefined) break;
    const { one, choice } = taken;
    steps++;
    let happening: Happening | undefined = choice.kind === "effect" ? undefined : choice;
    if (choice.kind === "effect") {
      const sent = one.contender.view().sent.find(({ id }) => id === choice.id);
      if (sent === undefined) throw new Error("an effect of nothing");
      const [after, reply] = perform(disk, sent.call);
      disk = after;
      if (sent.sync) happening = { kind: "turn", id: choice.id, reply };
      else one.flying.set(choice.id, reply);
    }
    if (happening === undefined) continue;
    if (happening.kind === "turn") one.flying.delete(happening.id);
    one.contender.tell(happening);
    one.happenings.push(happening);
    const copy = copyAfter(subject, one.index, one.happenings);
    expect(copy.view(), JSON.stringify(one.happenings)).toEqual(one.contender.view());
  }
  return steps;
}

/** Fixed: what fails once fails again. */
const runs = { seed: 18, numRuns: 10, endOnFailure: true };
const draws = fc.array(fc.nat({ max: 10_000 }), { minLength: 90, maxLength: 90 });

describe("a contender is where its story says, whatever others do meanwhile", () => {
  for (const description of SUBJECTS) {
    it(`of ${description.name}`, async () => {
      const subject = await description.load({ retries: 1 });
      let steps = 0;
      fc.assert(
        fc.property(draws, (chosen) => {
          steps += walk(subject, chosen);
        }),
        runs,
      );
      expect(steps).toBeGreaterThan(10 * 15);
    });
  }

  it("is noticed when copies share something", async () => {
    const subject = await subjectNamed("proper-lockfile").load({ retries: 1 });
    let asked = 0;
    const create = (index: number): Contender => {
      const contender = subject.create(index);
      const tell = (happening: Happening): void => {
        // A limit on requests, of all copies together: as a table of locks that is shared.
        if (happening.kind !== "asks" || ++asked < 4) contender.tell(happening);
      };
      return { view: () => contender.view(), tell };
    };
    const leaky: Subject = { ...subject, create };
    expect(() =>
      fc.assert(
        fc.property(draws, (chosen) => void walk(leaky, chosen)),
        runs,
      ),
    ).toThrow();
  });
});
