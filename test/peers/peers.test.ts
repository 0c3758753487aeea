/** The gate's part of `npm run peers`: what results.json says of two contenders is found again, and is so on a real disk. */

import { spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as realProtocol from "../../src/protocol.ts";
import { mermaidMistakes } from "../support/mermaidGrammar.ts";
import { aftermath } from "./aftermath.ts";
import { type Contender, LOCK_PATH, type Subject } from "./contender.ts";
import { explore } from "./explore.ts";
import { countOneByOne } from "./oneByOne.ts";
import { createOurContender, DEAD_HOME } from "./ours.ts";
import { diagram, outdatedPage, playedOf } from "./page.ts";
import { differencesOf, problemsOf, run, SCOPES, scopesOf } from "./peers.ts";
import { playOnDisk, realDisk, STALE_ON_DISK_MS } from "./realDisk.ts";
import { parseSteps, replay, stepsText } from "./replay.ts";
import { readResults, resultAt, type Scope } from "./results.ts";
import { scriptOf } from "./script.ts";
import { SUBJECTS, subjectNamed } from "./subjects.ts";

const kept = readResults();
const violations = kept.filter(({ shortest }) => shortest !== "");
const titleOf = ({ name, contenders, retries }: Scope & { readonly name: string }): string =>
  `${name}, ${contenders} contenders, ${retries} retries`;

describe("results.json", () => {
  it("has every subject at every scope, and nothing else", () => {
    const wanted = SUBJECTS.flatMap((one) =>
      scopesOf(one).map((scope) => titleOf({ name: one.name, ...scope })),
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

  /** What a contender of ours does in them. Without that much, "never two" would say nothing. */
  it.each([true, false])("of ours goes every way that a takeover has (local: %s)", (local) => {
    const seen = new Set<string>();
    const options = { protocol: realProtocol, local, waits: 1, onStep: (what: string) => seen.add(what) };
    const create = (index: number): Contender => createOurContender(options, index);
    explore({ name: "ours", create, before: DEAD_HOME }, { contenders: 2 });
    const both = [
      ...["Prepare ok", "Take ok", "Take ENOTEMPTY", "Verify ok", "Granted", "Refused", "Wake", "Released"],
      ...["Look ok", "Judge", "Evict ok", "Evict ENOENT"],
    ];
    // A Drop leaves an empty directory: nobody finds nothing.
    const putBack = ["Look ENOENT", "Check ok", "PutBack ok", "Confirm ok"];
    const drop = ["Drop ok", "Retry ok", "Retried"];
    expect([...seen].sort()).toEqual([...both, ...(local ? putBack : drop)].sort());
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
    ).rejects.toThrow(/^Cannot play the schedule: ours, Drop does not do "/);
  });
});

describe("after a violation", () => {
  const proper = subjectNamed("proper-lockfile");
  const violation = resultAt(kept, "proper-lockfile", { contenders: 2, retries: 0 });
  if (violation === undefined) throw new Error("nothing violates");

  it("proper-lockfile tells one of the two, when it updates its mtime", async () => {
    const { holders, told } = await aftermath(proper, violation, 60_000);
    expect(holders).toEqual(["a", "b"]);
    expect([...told]).toEqual([["b", 5_000]]);
  });

  it("nobody is told anything if there was none", async () => {
    const alone = violation.shortest.split("; ").filter((step) => step.startsWith("a "));
    const { holders, told, fired } = await aftermath(
      proper,
      { ...violation, shortest: alone.join("; ") },
      60_000,
    );
    expect(holders).toEqual(["a"]);
    expect(told.size).toBe(0);
    expect(fired).toBe(12);
  });
});

describe("the program for the authors of a library", () => {
  const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
  /** Exit code, and what it said last. */
  async function runScript(text: string): Promise<readonly [code: number | null, last: string]> {
    return playOnDisk(tmpdir(), async (folder) => {
      const file = join(folder, "race.cjs");
      fs.writeFileSync(file, text);
      const env = { ...process.env, NODE_PATH: join(root, "node_modules") };
      const child = spawn(process.execPath, [file], { env, stdio: ["ignore", "pipe", "ignore"] });
      let said = "";
      child.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
      const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
      return [code, said.trimEnd().split("\n").at(-1) ?? ""];
    });
  }

  const ofLibraries = violations.filter(
    ({ name, shortest }, i) =>
      subjectNamed(name).kind === "peer" && violations.findIndex((one) => one.shortest === shortest) === i,
  );

  for (const result of ofLibraries) {
    it(`shows the violation of ${titleOf(result)}`, async () => {
      const [code, last] = await runScript(scriptOf(subjectNamed(result.name), result));
      expect(last).toMatch(/^a and [bc] hold at the same time$/);
      expect(code).toBe(0);
    });
  }

  it("does not show it of a library that does something else", async () => {
    const [result] = ofLibraries;
    if (result === undefined) throw new Error("nothing violates");
    const text = scriptOf(subjectNamed(result.name), result).replaceAll(
      `"${result.name}"`,
      '"@bybrave/proper-lockfile2"',
    );
    const [code] = await runScript(text);
    expect(code).not.toBe(0);
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

describe("the explorer", () => {
  it.each(["nothing", "exclusion"] as const)(
    "counts what can be counted one by one: a toy that breaks %s",
    (breaks) => {
      const counted = countOneByOne(toy(breaks), 2);
      const { schedules, violating } = explore(toy(breaks), { contenders: 2 });
      expect({ schedules, violating }).toEqual(counted);
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
