/** A real run under strace, compared with the model call by call. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { type Cast, parseTrace, type Sorted, sortCalls } from "./support/calls.ts";
import type { Child } from "./support/child.ts";
import { without } from "./support/guards.ts";
import { illegalStep } from "./support/legalOrder.ts";
import { tracing } from "./support/places.ts";
import { type Session, scenario } from "./support/scenario.ts";
import { trace } from "./support/strace.ts";

describe("the calls on the session directory", () => {
  scenario(
    "are the labelled steps, in an order of the model, and the named extras, and no others",
    { needs: [tracing] },
    async (session) => {
      const { lines, cast } = await traceRun(session);
      const sorted = sortCalls(parseTrace(lines), session.sessionFile, cast);
      expect(sorted.foreign).toEqual([]);
      expect(illegalStep(sorted.steps, cast)).toBeUndefined();
      // Not vacuous: each of these happened.
      expect(kindsOf(sorted)).toEqual([
        "prepare",
        "putBack done",
        "readHome",
        "readLock",
        "take refused",
        "take taken",
        "unlinkLock done",
      ]);
      expect([...sorted.extras.keys()].sort()).toEqual(EXPECTED_EXTRAS);
      console.log(
        `traced: ${sorted.steps.length} steps, ${[...sorted.extras.values()].reduce((a, b) => a + b)} extras`,
      );

      // Twins: the same run with one call more, one less, or two in the other order.
      const whole = wholeLines(lines);
      for (const [what, damage, caughtBy] of DAMAGES) {
        const damaged = damage(whole, session, cast);
        expect(damaged, what).not.toEqual(whole);
        const after = sortCalls(parseTrace(damaged), session.sessionFile, cast);
        const found = [...after.foreign, illegalStep(after.steps, cast) ?? ""].join("\n");
        expect(found, what).toMatch(caughtBy);
      }
    },
  );

  scenario(
    "twin: of a double that releases in an exit hook they are not",
    { needs: [tracing] },
    async (session) => {
      const holder = await session.start("holder", { library: without("noReleaseOnExit") });
      const traced = await trace([holder], join(session.scratch, "trace"));
      await holder.acquire();
      const tids = tidsOf(holder);
      await holder.leave();
      const cast = castOf([["a", holder, tids]], []);
      const sorted = sortCalls(parseTrace(await traced.end()), session.sessionFile, cast);
      expect(illegalStep(sorted.steps, cast)).toMatch(/^a: unlink\(.*is no step of the model/s);
    },
  );
});

/** Acquire, contention, takeover and release, of two processes; beside the home of a dead one. */
async function traceRun(
  session: Session,
): Promise<{ readonly lines: readonly string[]; readonly cast: Cast }> {
  const dead = await session.start("dead");
  await dead.acquire();
  await dead.release();
  await dead.kill();
  const [a, b] = [await session.start("a"), await session.start("b")];
  const file = join(session.scratch, "trace");
  const traced = await trace([a, b], file);
  await a.acquire();
  await a.release();
  await a.acquire();
  const waiting = b.acquire();
  await untilRefused(file, b);
  await a.release();
  expect(await waiting).toMatchObject({ held: true, found: [] });
  const takingOver = a.acquire();
  await untilRefused(file, a);
  const tids = { a: tidsOf(a), b: tidsOf(b) };
  await b.kill();
  expect(await takingOver).toMatchObject({ held: true, found: ["b"] });
  await a.release();
  await a.leave();
  return {
    lines: await traced.end(),
    cast: castOf(
      [
        ["a", a, tids.a],
        ["b", b, tids.b],
      ],
      ["b"],
    ),
  };
}

/** Waits until a Take of that process was refused. */
async function untilRefused(file: string, { pid }: Child): Promise<void> {
  const refusal = new RegExp(`own1_${pid}_.*(ENOTEMPTY|EEXIST)`);
  while (!refusal.test(readFileSync(file, "utf8"))) await sleep(5);
}

const tidsOf = ({ hostPid }: Child): readonly number[] => readdirSync(`/proc/${hostPid}/task`).map(Number);

function castOf(
  players: readonly (readonly [string, Child, readonly number[]])[],
  killed: readonly string[],
): Cast {
  return {
    procOfTid: new Map(players.flatMap(([proc, , tids]) => tids.map((tid) => [tid, proc] as const))),
    procOfPid: new Map(players.map(([proc, child]) => [child.pid, proc])),
    killed,
  };
}

function kindsOf({ steps }: Sorted): readonly string[] {
  const kinds = steps.map(({ step }) => {
    if (step.kind === "take") return `take ${step.taken ? "taken" : "refused"}`;
    return "done" in step ? `${step.kind} ${step.done ? "done" : "missed"}` : step.kind;
  });
  return [...new Set(kinds)].sort();
}

const EXPECTED_EXTRAS = [
  "Prepare: mkdir of the home",
  "Prepare: stat, mode and group of the home",
  "Prepare: the owner file",
  "an owner file is read",
  "life socket: asked",
  "life socket: goes",
  "life socket: made",
  "line: looked for",
  "lstat of the lock path",
  "lstat of the longest names",
  "realpath",
  "stat of the parent",
  "stat of the session file",
  "statfs",
  "sweep or exit: a home goes",
  "sweep or heartbeat: whose names are at locks",
  "sweep: into a home",
  "sweep: the directory",
  "watcher: of whoever waits",
];

/** One line for each call: strace cuts those in two that overlap with another, and a damage must find them. */
function wholeLines(lines: readonly string[]): readonly string[] {
  return parseTrace(lines).map(({ tid, name, args, result }) => `${tid} ${name}(${args}) = ${result}`);
}

type Damage = (lines: readonly string[], session: Session, cast: Cast) => readonly string[];

const isTake = (line: string): boolean => /rename\(".*\.swl-.*a\.jsonl\.lock"\) = 0/.test(line);
const isPutBack = (line: string): boolean => /rename\(".*a\.jsonl\.lock", ".*\.swl-/.test(line);

const DAMAGES: readonly (readonly [what: string, damage: Damage, caughtBy: RegExp])[] = [
  [
    "the session file is truncated",
    (lines, { sessionFile }) => [...lines, `${tidIn(lines)} truncate("${sessionFile}", 0) = 0`],
    /^truncate\(/m,
  ],
  [
    "a name is created in L",
    (lines, { lockPath }) => [
      ...lines,
      `${tidIn(lines)} openat(AT_FDCWD</>, "${lockPath}/notes", O_WRONLY|O_CREAT, 0666) = 3`,
    ],
    /^openat\(/m,
  ],
  [
    "L is renamed to somewhere else",
    (lines, { lockPath }) => [...lines, `${tidIn(lines)} rename("${lockPath}", "${lockPath}.old") = 0`],
    /^rename\(/m,
  ],
  [
    "the mode of L is changed",
    (lines, { lockPath }) => [...lines, `${tidIn(lines)} chmod("${lockPath}", 0777) = 0`],
    /^chmod\(/m,
  ],
  [
    "the home of a living process is removed by another one",
    (lines, _session, { procOfPid, procOfTid, killed }) => {
      const [pid, living] = [...procOfPid].find(([, proc]) => !killed.includes(proc)) ?? [];
      const home = new RegExp(`"([^"]*/\\.swl-[0-9a-f]{12}-own1_${pid}_[^"/]*)"`);
      const [, path] = lines.map((line) => home.exec(line)).find((match) => match !== null) ?? [];
      const [other] = [...procOfTid].find(([, proc]) => proc !== living) ?? [];
      return [...lines, `${other} rmdir("${path}") = 0`];
    },
    /^rmdir\(/m,
  ],
  [
    "a PutBack happens twice",
    (lines) => lines.flatMap((line) => (isPutBack(line) ? [line, line] : [line])),
    /is no step/,
  ],
  ["a PutBack is missing", (lines) => lines.filter((line) => !isPutBack(line)), /is no step/],
  [
    "a PutBack comes before its Check",
    (lines) => {
      const putBack = lines.findIndex(isPutBack);
      const take = lines.findIndex(isTake);
      const [line = ""] = lines.slice(putBack, putBack + 1);
      return [
        ...lines.slice(0, take + 1),
        line,
        ...lines.slice(take + 1, putBack),
        ...lines.slice(putBack + 1),
      ];
    },
    /is no step/,
  ],
  [
    "the dead one is not evicted",
    (lines) => lines.filter((line) => !/unlink\(".*a\.jsonl\.lock\/own1_/.test(line)),
    /is no step/,
  ],
];

const tidIn = (lines: readonly string[]): string => lines.find(isTake)?.split(" ")[0] ?? "0";
