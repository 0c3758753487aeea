/**
 * Namespaces, and machines that are not told apart by a pid: what can be judged is judged, what cannot is
 * waited for, and there are never two holders.
 *
 * Each scenario has a living owner that a careless judge would prove dead, and a twin in which the judge is
 * careless: it takes the lock of the living.
 */

import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import type { Child } from "./support/child.ts";
import { AT_ONCE_MS } from "./support/figures.ts";
import { type Guard, without } from "./support/guards.ts";
import {
  clockThatLies,
  type Need,
  openPlace,
  type Place,
  pidNamespaces,
  root,
  runIn,
  takePid,
  timeNamespaces,
  tool,
} from "./support/places.ts";
import { type Session, scenario } from "./support/scenario.ts";

/** Long enough for some fifty looks, and for one on a busy machine: a judge that is wrong is wrong at the first. */
const PATIENCE_MS = 800;
/** A pid that nobody has in our own pid namespace: below the largest there can be, above those in use. */
const RARE_PID = 4_000_000;

const WITH_PROC = "mount -t proc proc /proc";

/** Somebody holds, and somebody else looks from where the first cannot be judged. */
interface Stage {
  readonly holder: Child;
  /** Starts the judge, with this library. */
  readonly judge: (library?: string) => Promise<Child>;
}

/** The numbers say nothing there, so its life socket was asked. */
const ACCEPTS = /^the life socket of pid \d+ accepts$/;

interface Case {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly set: (session: Session, library?: string) => Promise<Stage>;
  /** What the judge must say of the living owner. */
  readonly verdict: RegExp;
  /** Without this guard the living owner is taken for dead. */
  readonly guard: Guard;
}

const CASES: readonly Case[] = [
  {
    name: "another pid namespace, with a /proc of its own",
    needs: [root, pidNamespaces],
    verdict: ACCEPTS,
    guard: "pidNamespace",
    set: async (session) => {
      const place = await session.open(openPlace(["mount", "pid"], WITH_PROC));
      const holder = await session.start("holder", { prefix: withPid(place, RARE_PID) });
      expect(holder.pid).toBe(RARE_PID);
      return { holder, judge: (library) => startJudge(session, library) };
    },
  },
  {
    name: "two containers that share the directory, each the pid 1 of its own",
    needs: [root, pidNamespaces],
    verdict: ACCEPTS,
    guard: "pidNamespace",
    set: async (session) => {
      const holder = await session.start("holder", { prefix: CONTAINER });
      return {
        holder,
        judge: async (library) => {
          const judge = await startJudge(session, library, CONTAINER);
          expect([holder.pid, judge.pid]).toEqual([1, 1]);
          return judge;
        },
      };
    },
  },
  {
    name: "the same pid namespace, seen through the /proc of the host",
    needs: [root, pidNamespaces],
    verdict: ACCEPTS,
    guard: "ownProc",
    set: async (session) => {
      const place = await session.open(openPlace(["mount", "pid"], WITH_PROC));
      // In the host's /proc this number is ours: somebody who runs, and started at another time.
      const holder = await session.start("holder", { prefix: withPid(place, process.pid) });
      expect(holder.pid).toBe(process.pid);
      const enter = ["nsenter", "--target", String(place.keeper), "--pid"];
      return { holder, judge: (library) => startJudge(session, library, enter) };
    },
  },
  {
    name: "the same pid namespace, through a foreign /proc in which the judge has the same pid by accident",
    needs: [root, pidNamespaces],
    verdict: ACCEPTS,
    guard: "nsPid",
    set: setTwins,
  },
  {
    name: "another time namespace, in which every start looks later",
    needs: [root, timeNamespaces],
    verdict: ACCEPTS,
    guard: "timeNamespace",
    set: async (session) => ({
      holder: await session.start("holder"),
      judge: (library) =>
        startJudge(session, library, ["unshare", "--time", "--boottime", "100000", "--fork", "--kill-child"]),
    }),
  },
  {
    name: "a /proc that hides the processes of others, seen by another user",
    needs: [root, pidNamespaces, tool("setpriv")],
    verdict: ACCEPTS,
    guard: "hidepid",
    set: async (session) => {
      const place = await session.open(openPlace(["mount", "pid"], "mount -t proc -o hidepid=2 proc /proc"));
      const holder = await session.start("holder", { prefix: place.enter });
      return { holder, judge: (library) => startJudge(session, library, [...place.enter, ...NOBODY]) };
    },
  },
  {
    name: "no /proc at all",
    needs: [root, pidNamespaces],
    verdict: /^the boot id of this process could not be read/,
    guard: "randomScope",
    set: async (session, library) => {
      // Both are without: a constant in the place of what cannot be read would make them equal.
      const noProc = "umount -l /proc";
      const theirs = await session.open(openPlace(["mount", "pid"], noProc));
      const ours = await session.open(openPlace(["mount", "pid"], noProc));
      const prefix = theirs.enter;
      // Many pids further on: the judge's namespace has nobody of that number.
      for (let i = 0; i < 50; i++) theirs.run("true");
      const holder = await session.start("holder", { prefix, library });
      return { holder, judge: (other) => startJudge(session, other, ours.enter) };
    },
  },
  {
    name: "another machine: another boot id, and every namespace has the number that it has here",
    needs: [root, pidNamespaces],
    verdict: /^another boot id/,
    guard: "boot",
    set: async (session) => ({
      holder: await session.start("holder", { prefix: anotherMachine(session) }),
      judge: (library) => startJudge(session, library),
    }),
  },
  {
    name: "a boot id that cannot be read",
    needs: [root, pidNamespaces],
    verdict: /^the boot id of the owner could not be read/,
    guard: "boot",
    set: async (session) => ({
      holder: await session.start("holder", { prefix: anotherMachine(session, "") }),
      judge: (library) => startJudge(session, library),
    }),
  },
];

describe("a living owner is never taken for dead, seen from", () => {
  for (const { name, needs, set, verdict, guard } of CASES) {
    scenario(name, { needs }, async (session) => {
      const { holder, judge } = await set(session);
      expect(await holder.acquire()).toMatchObject({ held: true });
      const judging = await judge();
      const refused = await judging.acquire({ timeoutMs: PATIENCE_MS, judged: true });
      expect(refused).toMatchObject({ held: false, code: "ELOCKED" });
      expect(refused.verdict).toMatch(verdict);
      expect(await holder.ask("assertHeld")).toMatchObject({ ours: true });
      expect((await holder.release()).found).toEqual([]);
      expect(await judging.acquire()).toMatchObject({ held: true, found: [] });
      await judging.release();
      // Nobody else may be able to sweep what they leave if they are killed: they end by themselves.
      await Promise.all([holder.leave(), judging.leave()]);
    });

    scenario(`twin of ${name}: without the guard there are two holders`, { needs }, async (session) => {
      session.losesTheHomeOfTheLiving();
      const { holder, judge } = await set(session, without(guard));
      await holder.acquire();
      const judging = await judge(without(guard));
      const both = await judging.acquire();
      expect(both).toMatchObject({ held: true, found: ["holder"] });
      expect(await holder.ask("assertHeld")).toMatchObject({ ours: false });
      await judging.release();
      await holder.release();
      await Promise.all([holder.leave(), judging.leave()]);
    });
  }
});

describe("an owner that was killed", () => {
  scenario(
    "in a sandbox with the /proc of its host is taken over at once in that sandbox",
    {
      needs: [root, pidNamespaces],
    },
    async (session) => {
      const place = await session.open(openPlace(["pid"]));
      const holder = await session.start("holder", { prefix: place.enter });
      await holder.acquire();
      const next = await session.start("next", { prefix: place.enter });
      const waiting = next.acquire();
      await holder.kill();
      expect(await waiting).toMatchObject({ held: true, found: ["holder"] });
      await next.release();
      await next.leave();
    },
  );

  scenario(
    "with its container is taken over at once by the container that replaces it",
    { needs: [root, pidNamespaces] },
    async (session) => {
      const replacement = await replaceContainer(session);
      const acquired = await replacement.acquire();
      expect(acquired).toMatchObject({ held: true, found: ["holder"] });
      expect(acquired.waitedMs).toBeLessThan(AT_ONCE_MS);
      await replacement.release();
      await replacement.leave();
    },
  );

  scenario(
    "twin: without the proof of its life socket it is waited for",
    { needs: [root, pidNamespaces] },
    async (session) => {
      const replacement = await replaceContainer(session, without("lifeSocket"));
      const refused = await replacement.acquire({ timeoutMs: PATIENCE_MS });
      expect(refused).toMatchObject({ held: false, code: "ELOCKED" });
    },
  );

  scenario(
    "before its host was renamed is taken over at once, and not before",
    {
      needs: [root, renaming],
    },
    async (session) => {
      const next = await renameHost(session);
      expect(await next.acquire()).toMatchObject({ held: true, found: ["holder"] });
    },
  );

  scenario(
    "twin: if the host is compared although the boot ids are equal, it is waited for",
    {
      needs: [root, renaming],
    },
    async (session) => {
      const next = await renameHost(session, without("hostIgnored"));
      expect(await next.acquire({ timeoutMs: PATIENCE_MS, judged: true })).toMatchObject({
        held: false,
        verdict: expect.stringContaining("another host"),
      });
    },
  );

  scenario(
    "on another machine is waited for, and its lock and home are left alone",
    {
      needs: [root, pidNamespaces],
    },
    async (session) => {
      const holder = await session.start("holder", { prefix: anotherMachine(session) });
      await holder.acquire();
      await holder.kill();
      const [name] = session.owners();
      const next = await session.start("next");
      const refused = await next.acquire({ timeoutMs: PATIENCE_MS, judged: true });
      expect(refused).toMatchObject({ held: false, code: "ELOCKED" });
      expect(refused.verdict).toMatch(/^another boot id/);
      expect(session.owners()).toEqual([name]);
      session.staysLocked();
    },
  );
});

describe("a clock that was set", () => {
  for (const [how, offset] of [
    ["back by a day", "-1d"],
    ["forward by a day", "+1d"],
  ] as const) {
    scenario(
      `${how} changes nothing: neither exclusion nor takeover nor a timeout`,
      {
        needs: [clockThatLies],
      },
      async (session) => {
        const lies = { LD_PRELOAD: clockThatLies.library(), FAKETIME: offset, DONT_FAKE_MONOTONIC: "1" };
        const holder = await session.start("holder");
        await holder.acquire();
        const next = await session.start("next", { env: lies });
        const { text } = await next.ask("date");
        expect(Math.abs(Date.parse(String(text)) - Date.now())).toBeGreaterThan(23 * 3_600_000);
        const refused = await next.acquire({ timeoutMs: PATIENCE_MS, judged: true });
        expect(refused).toMatchObject({ held: false, verdict: expect.stringMatching(/runs since/) });
        expect(refused.waitedMs).toBeGreaterThan(PATIENCE_MS - 50);
        const waiting = next.acquire();
        await holder.kill();
        expect(await waiting).toMatchObject({ held: true, found: ["holder"] });
        // And the other way round: the owner is the one whose clock lies.
        const third = await session.start("third");
        expect(await third.acquire({ timeoutMs: PATIENCE_MS })).toMatchObject({ held: false });
        await next.kill();
        expect(await third.acquire()).toMatchObject({ held: true, found: ["next"] });
      },
    );
  }
});

// ------------------------------------------------------------------------------------------------

const CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** A container that was killed while its pid 1 held the lock, and the one that is started in its place. */
async function replaceContainer(session: Session, library?: string): Promise<Child> {
  const holder = await session.start("holder", { prefix: CONTAINER });
  await holder.acquire();
  const replacement = await startJudge(session, library, CONTAINER);
  // Stopped is not dead: the kernel still accepts for it.
  holder.signal("SIGSTOP");
  expect(await replacement.acquire({ timeoutMs: PATIENCE_MS })).toMatchObject({
    held: false,
    code: "ELOCKED",
  });
  await holder.kill();
  expect([holder.pid, replacement.pid]).toEqual([1, 1]);
  return replacement;
}

const renaming: Need = tool("hostname");

/** A holder that was alive when its host was renamed, and is dead; and somebody who comes later. */
async function renameHost(session: Session, library?: string): Promise<Child> {
  const renamed = await session.open(openPlace(["uts"], "hostname another-name"));
  expect(renamed.run("hostname").trim()).toBe("another-name");
  const holder = await session.start("holder");
  await holder.acquire();
  const next = await startJudge(session, library, renamed.enter);
  expect(await next.acquire({ timeoutMs: PATIENCE_MS })).toMatchObject({ held: false });
  // Without it the numbers alone decide.
  for (const name of fs.readdirSync(session.directory)) {
    if (name.startsWith(".swl-life-")) fs.rmSync(join(session.directory, name));
  }
  await holder.kill();
  return next;
}

/**
 * A namespace within a namespace that kept the /proc of the outer one. The judge has one and the same pid in
 * both, so the link /proc/self agrees with it, and NSpid alone tells. The holder has a /proc of its own, and
 * its pid is that of somebody else in the outer one.
 */
async function setTwins(session: Session): Promise<Stage> {
  const [holderPid, judgePid] = [5_000, 9_000];
  const outer = await session.open(openPlace(["mount", "pid"], WITH_PROC));
  const inner = await session.open(openPlace(["pid"], "true", [], outer.enter));
  outer.run("sh", "-c", takePid(holderPid));
  // Starts are counted in ticks of 10 ms: the two must differ.
  await sleep(30);
  const enter = ["nsenter", "--target", String(inner.keeper), "--mount", "--pid"];
  const ownProc = [
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-ec",
    `${WITH_PROC}; exec "$@"`,
    "sh",
  ];
  const holder = await session.start("holder", {
    prefix: [...withPid({ ...inner, enter }, holderPid), ...ownProc],
  });
  expect(holder.pid).toBe(holderPid);
  return {
    holder,
    judge: async (library) => {
      const setLastPid = ["sh", "-c", `echo ${judgePid - 1} > /proc/sys/kernel/ns_last_pid`];
      runIn(enter, setLastPid);
      outer.run(...setLastPid);
      const judge = await startJudge(session, library, enter);
      expect(judge.pid).toBe(judgePid);
      const status = fs.readFileSync(`/proc/${judge.hostPid}/status`, "utf8");
      expect(status).toMatch(new RegExp(`^NSpid:\\t\\d+\\t${judgePid}\\t${judgePid}$`, "m"));
      return judge;
    },
  };
}

async function startJudge(session: Session, library?: string, prefix?: readonly string[]): Promise<Child> {
  return await session.start("judge", { library, prefix });
}

const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/** Starts a process in that place with exactly this pid there. */
function withPid(place: Place, pid: number): readonly string[] {
  const script = `echo ${pid - 1} > /proc/sys/kernel/ns_last_pid; exec 3<&0; "$@" <&3 & wait`;
  return [...place.enter, "sh", "-c", script, "sh"];
}

/** The scope files and links of another machine whose namespaces happen to have our numbers: the usual case. */
function anotherMachine(session: Session, boot = "11111111-2222-4333-8444-555555555555"): readonly string[] {
  const faked = join(session.scratch, "another-machine");
  fs.mkdirSync(join(faked, "ns"), { recursive: true });
  for (const name of ["pid", "time"]) {
    fs.symlinkSync(fs.readlinkSync(`/proc/self/ns/${name}`), join(faked, "ns", name));
  }
  fs.writeFileSync(join(faked, "boot_id"), boot);
  const script = `mount --bind ${faked}/boot_id /proc/sys/kernel/random/boot_id
    mount --bind ${faked}/ns /proc/1/ns
    exec "$@"`;
  return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", script, "sh"];
}
