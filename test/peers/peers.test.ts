/** The gate's part of `npm run peers`: what results.json says of two contenders is found again, and is so on a real disk. */

import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { mermaidMistakes } from "../support/mermaidGrammar.ts";
import { type Contender, LOCK_PATH, type Subject } from "./contender.ts";
import { explore, type Step } from "./explore.ts";
import { diagram, outdatedPage, playedOf } from "./page.ts";
import { differencesOf, problemsOf, run, SCOPES, scopesOf } from "./peers.ts";
import {
  memoryDisk,
  type Played,
  parseSteps,
  playOnDisk,
  realDisk,
  replay,
  STALE_ON_DISK_MS,
  stepsText,
} from "./replay.ts";
import { readResults, resultAt } from "./results.ts";
import { SUBJECTS, subjectNamed } from "./subjects.ts";

const kept = readResults();
const violations = kept.filter(({ shortest }) => shortest !== "");
const titleOf = ({ name, contenders, retries }: (typeof kept)[number]): string =>
  `${name}, ${contenders} contenders, ${retries} retries`;

describe("results.json", () => {
  it("has every subject at every scope, and nothing else", () => {
    const wanted = SUBJECTS.flatMap((one) =>
      scopesOf(one).map((scope) => titleOf({ name: one.name, ...scope } as never)),
    );
    expect(kept.map(titleOf)).toEqual(wanted);
  });

  it("says that ours never violates, and that each double does", () => {
    expect(problemsOf(kept)).toEqual([]);
    expect(kept.filter(({ name }) => subjectNamed(name).kind === "twin").length).toBeGreaterThanOrEqual(3);
  });

  it("would be refused otherwise", () => {
    const turned = kept.map((one) => ({ ...one, violating: one.violating === "0" ? "1" : "0" }));
    const ours = kept.filter(({ name }) => name.startsWith("ours"));
    expect(problemsOf(turned).length).toBe(ours.length);
  });

  it("and spec/findings/peers.md agree; if not: npm run peers -- --write", async () => {
    expect(await outdatedPage()).toEqual([]);
  });
});

describe("every schedule of two contenders", () => {
  const [scope = { contenders: 2, retries: 0 }] = SCOPES;
  for (const description of SUBJECTS) {
    it(`of ${description.name} is as results.json has it`, async () => {
      expect(differencesOf([await run(description, scope)])).toEqual([]);
    });
  }

  it("of ours makes every kind of call that a takeover has", async () => {
    const subject = await subjectNamed("ours, Drop").load({ retries: 0 });
    const { calls } = explore(subject, { contenders: 2 });
    expect(calls).toEqual(["prepare", "readdir", "rename", "rmdir", "unlink"]);
  });
});

describe("each shortest schedule", () => {
  for (const result of violations) {
    it(`of ${titleOf(result)} violates on live copies, and not one step before`, async () => {
      const played = await playedOf(subjectNamed(result.name), result);
      expect(played.at(-1)?.holders.length).toBeGreaterThanOrEqual(2);
      expect(played.slice(0, -1).filter(({ holders }) => holders.length > 1)).toEqual([]);
      expect(mermaidMistakes(diagram(played).join("\n"))).toEqual([]);
    });

    it(`of ${titleOf(result)} violates on a real directory`, async () => {
      const { retries } = result;
      const description = subjectNamed(result.name);
      const subject = await description.load({ retries, publicly: true, staleMs: STALE_ON_DISK_MS });
      const played = await playOnDisk(tmpdir(), async (folder) =>
        replay(subject, parseSteps(result.shortest), await realDisk(subject.before, folder)),
      );
      expect(played.at(-1)?.holders.length).toBeGreaterThanOrEqual(2);
    });
  }

  it("of another library is not played by ours", async () => {
    const steps = parseSteps(
      resultAt(kept, "proper-lockfile", { contenders: 2, retries: 0 })?.shortest ?? "",
    );
    const subject = await subjectNamed("ours, Drop").load({ retries: 0 });
    await expect(
      playOnDisk(tmpdir(), async (folder) => replay(subject, steps, await realDisk(subject.before, folder))),
    ).rejects.toThrow(/^ours, Drop does not do "/);
  });
});

/** Makes a directory, holds if it was not there, and removes it. The broken one holds in any case. */
function toy(breaks: "nothing" | "exclusion"): Subject {
  const create = (): Contender => {
    let told: "nothing" | "waits" | "holds" | "released" | "refused" = "nothing";
    let sent: "mkdir" | "rmdir" | undefined;
    return {
      view: () => ({
        sent: sent === undefined ? [] : [{ id: 1, call: { op: sent, path: LOCK_PATH }, sync: false }],
        timers: [],
        told,
      }),
      tell: (happening) => {
        if (happening.kind === "asks") [told, sent] = ["waits", "mkdir"];
        else if (happening.kind === "lets go") [told, sent] = ["released", "rmdir"];
        else if (told === "released") sent = undefined;
        else if (happening.kind === "turn") {
          told = happening.reply.ok || breaks === "exclusion" ? "holds" : "refused";
          sent = undefined;
        }
      },
    };
  };
  return { name: "toy", create, before: [] };
}

/** Every schedule for itself, on live contenders, from the beginning: what the explorer adds up. */
async function countOneByOne(subject: Subject): Promise<readonly [schedules: bigint, violating: bigint]> {
  let [schedules, violating] = [0n, 0n];
  const goOn = async (steps: readonly Step[]): Promise<void> => {
    const played = await replay(subject, steps, memoryDisk(subject));
    const next = possible(subject, played);
    if (next.length === 0) {
      schedules += 1n;
      if (played.some(({ holders }) => holders.length > 1)) violating += 1n;
    }
    for (const step of next) await goOn([...steps, step]);
  };
  await goOn([]);
  return [schedules, violating];
}

/** Of two toys, whose calls are all numbered 1. */
function possible({ create }: Subject, played: readonly Played[]): readonly Step[] {
  return [0, 1].flatMap((contender): readonly Step[] => {
    const own = played.filter(({ step }) => step.contender === contender);
    const one = create(contender);
    for (const { step, reply } of own) {
      if (step.kind === "turn" && reply !== undefined) one.tell({ kind: "turn", id: 1, reply });
      if (step.kind === "asks" || step.kind === "lets go") one.tell({ kind: step.kind });
    }
    const { sent, told } = one.view();
    if (sent.length > 0)
      return [{ contender, kind: own.at(-1)?.step.kind === "effect" ? "turn" : "effect", id: 1 }];
    if (told === "nothing") return [{ contender, kind: "asks", id: 0 }];
    return told === "holds" ? [{ contender, kind: "lets go", id: 0 }] : [];
  });
}

describe("the explorer", () => {
  it.each(["nothing", "exclusion"] as const)(
    "counts what can be counted one by one: a toy that breaks %s",
    async (breaks) => {
      const [schedules, violating] = await countOneByOne(toy(breaks));
      const found = explore(toy(breaks), { contenders: 2 });
      expect([found.schedules, found.violating]).toEqual([schedules, violating]);
      expect(violating > 0n).toBe(breaks === "exclusion");
      expect(schedules).toBeGreaterThan(100n);
    },
  );

  it("finds a shortest way", () => {
    const found = explore(toy("exclusion"), { contenders: 2 });
    expect(stepsText(found.shortest ?? [])).toBe(
      "a asks; a effect 1; a turn 1; b asks; b effect 1; b turn 1",
    );
  });

  it("counts with a violation three contenders of which two hold", () => {
    const found = explore(toy("exclusion"), { contenders: 3 });
    expect(found.violating).toBeGreaterThan(0n);
    expect(explore(toy("nothing"), { contenders: 3 }).violating).toBe(0n);
  });
});
