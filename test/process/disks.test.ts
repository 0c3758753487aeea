/** Real file systems, in mount namespaces of their own: what each does, and what happens when one fails. */

import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import type { Acquired, Child } from "./support/child.ts";
import { DISKS, FUSE_DISKS, mountFor, needsOf, OVERLAY } from "./support/disks.ts";
import { AT_ONCE_MS, LIMIT_MS } from "./support/figures.ts";
import { type Guard, without } from "./support/guards.ts";
import { buildDouble } from "./support/library.ts";
import { mounts, openPlace, type Place, root, runIn, tool } from "./support/places.ts";
import { listing, type Session, scenario } from "./support/scenario.ts";

const SECTIONS = 25;

describe("exclusion and takeover", () => {
  for (const disk of [...DISKS, ...FUSE_DISKS]) {
    const { type, seenAs, local } = disk;
    scenario(`on ${type}`, { needs: needsOf(disk) }, async (session) => {
      const place = await mountFor(session, disk);
      expect(place.run("stat", "-f", "-c", "%T", session.directory).trim()).toBe(seenAs);
      if (!local) session.leaves(/^a\.jsonl\.lock = \[\]$/);
      const crew = await startAll(session, ["p1", "p2", "p3"]);
      const answers = await Promise.all(crew.map((child) => child.ask("sections", { count: SECTIONS })));
      expect(answers.map(({ sections }) => sections)).toEqual([SECTIONS, SECTIONS, SECTIONS]);
      session.expectAlone(answers.flatMap(({ found }) => found as string[]));
      expect(session.counter()).toBe(3 * SECTIONS);

      const [holder, next] = crew as [Child, Child];
      await holder.acquire();
      const waiting = next.acquire();
      const killedAt = await holder.kill();
      const acquired = await waiting;
      expect(acquired).toMatchObject({ held: true, found: ["p1"] });
      expect(acquired.at - killedAt).toBeLessThan(AT_ONCE_MS);
      console.log(`takeover on ${type}: ${(acquired.at - killedAt).toFixed(1)} ms`);
    });
  }

  scenario(
    "on an overlay whose lower layer has the session, and the lock of a dead owner",
    {
      needs: needsOf(OVERLAY),
    },
    async (session) => {
      fs.writeFileSync(session.sessionFile, "a line of the lower layer\n");
      const dead = await session.start("dead");
      await dead.acquire();
      await dead.kill();
      const lower = session.directory;
      const before = session.listing();
      await mountFor(
        session,
        {
          mount: `mkdir "$mnt-parts"; mount -t tmpfs tmpfs "$mnt-parts"; cd "$mnt-parts"; mkdir upper work
      mount -t overlay -o "lowerdir=${lower},upperdir=upper,workdir=work" overlay "$mnt"`,
        },
        { plant: false },
      );
      expect(session.lines()).toEqual(["a line of the lower layer"]);
      const [first, second] = (await startAll(session, ["first", "second"])) as [Child, Child];
      expect(await first.acquire()).toMatchObject({ held: true, found: ["dead"] });
      expect(await second.acquire({ timeoutMs: 200 })).toMatchObject({ held: false, code: "ELOCKED" });
      await first.ask("write", { text: "a line of the upper layer" });
      await first.release();
      expect(await second.acquire()).toMatchObject({ held: true, found: [] });
      expect(session.lines()).toEqual(["a line of the lower layer", "a line of the upper layer"]);
      await second.release();
      // Through the overlay it is another file than the one that the dead listened on: nobody can tell.
      session.leaves(/^\.swl-life-.* = a socket$/);
      // The lower layer has not changed: what was evicted is only hidden.
      expect(listing(lower)).toEqual(before);
    },
  );

  scenario(
    "through two bind mounts of one directory, from two processes and from one",
    {
      needs: [root, mounts],
    },
    async (session) => {
      const place = await session.open(
        openPlace(
          ["mount"],
          `mkdir ${session.scratch}/other; mount --bind ${session.directory} ${session.scratch}/other`,
        ),
      );
      const elsewhere = join(session.scratch, "other", "a.jsonl");
      const one = await session.start("one", { prefix: place.enter });
      const other = await session.start("other", { prefix: place.enter, sessionFile: elsewhere });
      await one.acquire();
      expect(await other.acquire({ timeoutMs: 200 })).toMatchObject({ held: false, code: "ELOCKED" });
      // In one process these are two lock paths, since nothing tells them apart from two directories.
      const again = { as: "again", sessionFile: elsewhere, timeoutMs: 200, judged: true };
      const self = await one.acquire(again);
      expect(self).toMatchObject({
        held: false,
        verdict: expect.stringContaining("by another path (a bind mount)"),
      });
      const waiting = other.acquire();
      await one.kill();
      expect(await waiting).toMatchObject({ held: true, found: ["one"] });
    },
  );

  scenario("through a symbolic link to the directory there is one lock path", {}, async (session) => {
    const link = join(session.scratch, "link");
    fs.symlinkSync(session.directory, link);
    const one = await session.start("one");
    const other = await session.start("other", { sessionFile: join(link, "a.jsonl") });
    await one.acquire();
    expect(await other.acquire({ timeoutMs: 200 })).toMatchObject({ held: false, code: "ELOCKED" });
    const self = await one.acquire({ as: "again", sessionFile: join(link, "a.jsonl"), timeoutMs: 200 });
    expect(self).toMatchObject({ held: false, verdict: "this process has it, or is taking it" });
    const waiting = other.acquire();
    await one.release();
    expect(await waiting).toMatchObject({ held: true, found: [] });
  });
});

describe("a disk that is full", () => {
  scenario(
    "of inodes: a clear error at each step of Prepare, and nothing is left or lost",
    {
      needs: [root, mounts],
    },
    async (session) => {
      const place = await mountFor(session, { mount: 'mount -t tmpfs -o nr_inodes=64 tmpfs "$mnt"' });
      const fill = filler(place, session.directory, "echo -n");
      const [holder, next] = (await startAll(session, ["holder", "next"])) as [Child, Child];

      fill.full();
      await expectNoSpace(session, holder, fill.names);
      // Of these it takes one for its life socket, if it can have one: the next is for the directory.
      fill.free(1);
      await expectNoSpace(session, holder, fill.names);
      fill.free(1);
      // The directory can be made, its file cannot: it is given up, and goes.
      await expectNoSpace(session, holder, fill.names);
      fill.free(1);
      expect(await holder.acquire()).toMatchObject({ held: true });
      fill.full();
      expect(await holder.ask("assertHeld")).toMatchObject({ ours: true });
      expect(await next.acquire({ timeoutMs: 200 })).toMatchObject({ held: false, code: "EDISK" });
      expect(await holder.release()).toEqual(expect.objectContaining({ found: [] }));
      expect(await holder.acquire()).toMatchObject({ held: true });
      await holder.kill();
      // A takeover needs a home of its own, so it needs space; then it goes on as ever.
      expect(await next.acquire({ timeoutMs: 200 })).toMatchObject({ held: false, code: "EDISK" });
      fill.empty();
      expect(await next.acquire()).toMatchObject({ held: true, found: ["holder"] });
    },
  );

  let built: string | undefined;
  /** For those who must not sweep what others leave that die before them. */
  const sweepsNothing = (): string => {
    built ??= buildDouble({
      name: "SweepsNothing",
      file: "sweep.ts",
      patches: [["if (swept.has(directory)) return;", "if (swept.size >= 0) return;"]],
    });
    return built;
  };

  /** Whether somebody gets in, on a disk whose inodes are all taken, some by what the dead have left; and what is left of that. */
  const comesIn = async (
    session: Session,
    { library, homes = true }: { readonly library?: string; readonly homes?: boolean } = {},
  ): Promise<{ held: boolean; left: number }> => {
    const place = await mountFor(session, { mount: 'mount -t tmpfs -o nr_inodes=64 tmpfs "$mnt"' });
    const fill = filler(place, session.directory, "echo -n");
    // An owner needs three inodes: its life socket, its home, its file.
    const dead = await Promise.all(
      ["one", "two", "three"].map((name) => session.start(name, { library: sweepsNothing() })),
    );
    for (const child of dead) {
      await child.acquire();
      await child.release();
    }
    for (const child of dead) await child.kill();
    const living = session.listing().filter((entry) => entry.includes(`own1_${process.pid}_`));
    const left = (): number =>
      session.listing().filter((entry) => /^\.swl-(life-|.*-own1_)/.test(entry)).length - living.length;
    expect(left()).toBe(6);
    if (!homes)
      place.run(
        "sh",
        "-c",
        `cd ${session.directory}; rm -r ${dead.map(({ pid }) => `.swl-*-own1_${pid}_*`).join(" ")}`,
      );
    fill.full();
    const next = await session.start("next", { library });
    expect(await next.acquire({ timeoutMs: 200 })).toMatchObject({ held: false, code: "EDISK" });
    if (library === undefined) while (left() > 0) await sleep(5);
    const { held } = await next.acquire();
    // Its own are none of these.
    const result = { held, left: left() - (held ? 1 : 0) };
    fill.empty();
    return result;
  };
  const needs = [root, mounts];

  scenario("of what the dead have left: whoever is told so sweeps", { needs }, async (session) => {
    expect(await comesIn(session)).toEqual({ held: true, left: 0 });
  });

  scenario(
    "of nothing but life sockets of the dead: they go, though there is no inode for another",
    { needs },
    async (session) => {
      expect(await comesIn(session, { homes: false })).toEqual({ held: true, left: 0 });
    },
  );

  scenario("twin: without that sweep nobody gets in any more", { needs }, async (session) => {
    const library = buildDouble({
      name: "NoSweepOfFullDisk",
      file: "lock.ts",
      patches: [["if (OUT_OF_SPACE.includes(Math.abs(errno)))", "if (OUT_OF_SPACE.includes(-1))"]],
    });
    expect(await comesIn(session, { library })).toEqual({ held: false, left: 6 });
  });

  scenario(
    "of blocks: a clear error while the owner file is written, and nothing is left or lost",
    {
      needs: [root, mounts],
    },
    async (session) => {
      const place = await mountFor(session, { mount: 'mount -t tmpfs -o size=256k tmpfs "$mnt"' });
      const fill = filler(place, session.directory, "head -c 4096 /dev/zero");
      const holder = await session.start("holder");
      fill.full();
      await expectNoSpace(session, holder, fill.names);
      fill.empty();
      expect(await holder.acquire()).toMatchObject({ held: true });
      fill.full();
      expect((await holder.release()).code).toBeUndefined();
      fill.empty();
    },
  );
});

/** An acquisition without descriptors. */
const NO_FILES = { held: false, code: "EDISK", message: expect.stringContaining("EMFILE") };

describe("a process that may open no more files", () => {
  scenario(
    "says so at each step, keeps what it holds, and can still give it back",
    {
      needs: [root, tool("prlimit")],
    },
    async (session) => {
      const holder = await session.start("holder");
      const other = await session.start("other");
      const files = limitFiles(holder);
      // Prepare.
      await files.exhaust();
      expect(await acquireAside(holder)).toMatchObject(NO_FILES);
      await untilNoHomeOf(session, holder);
      // A home is at hand: Take happens, Verify cannot look, and the lock is given up.
      files.restore();
      await acquireAside(holder);
      await holder.release();
      await files.exhaust();
      expect(await acquireAside(holder)).toMatchObject(NO_FILES);
      await untilNoHomeOf(session, holder);
      files.restore();
      expect(await other.acquire()).toMatchObject({ held: true });
      await other.release();
      // Held: assertHeld cannot see, which is no loss; the release goes by Drop, which opens nothing.
      expect(await acquireAside(holder)).toMatchObject({ held: true });
      await files.exhaust();
      expect(await holder.ask("assertHeld")).toMatchObject({ ours: false, code: "EDISK" });
      expect(await other.acquire({ timeoutMs: 100 })).toMatchObject({ held: false, code: "ELOCKED" });
      expect((await holder.release()).code).toBeUndefined();
      expect(await other.acquire()).toMatchObject({ held: true, found: [] });
    },
  );
});

describe("a process that may open no more files when it asks for the first time", () => {
  /** Whether another process has the lock after this one has died with it. */
  const diesLater = async (session: Session, guard?: Guard): Promise<boolean> => {
    const library = guard === undefined ? {} : { library: without(guard) };
    const holder = await session.start("holder", library);
    const next = await session.start("next");
    const files = limitFiles(holder);
    await files.exhaust();
    expect(await acquireAside(holder)).toMatchObject(NO_FILES);
    files.restore();
    expect(await acquireAside(holder)).toMatchObject({ held: true });
    await holder.kill();
    return (await next.acquire({ timeoutMs: guard === undefined ? LIMIT_MS : 300 })).held;
  };
  const needs = [root, tool("prlimit")];

  scenario("reads who it is later: its death can be proved", { needs }, async (session) => {
    expect(await diesLater(session)).toBe(true);
  });

  scenario("twin: of one that has read nothing it cannot", { needs }, async (session) => {
    expect(await diesLater(session, "readsSelf")).toBe(false);
    session.staysLocked();
  });
});

describe("a disk that becomes read-only while the lock is held", () => {
  scenario(
    "keeps the lock held; the release is owed, and happens when it can",
    {
      needs: [root, mounts],
    },
    async (session) => {
      const place = await mountFor(session, { mount: 'mount -t tmpfs tmpfs "$mnt"' });
      const [holder, next] = (await startAll(session, ["holder", "next"])) as [Child, Child];
      await holder.acquire();
      place.run("mount", "-o", "remount,bind,ro", session.directory);
      expect(await holder.ask("assertHeld")).toMatchObject({ ours: true });
      expect(await next.acquire({ timeoutMs: 100 })).toMatchObject({ held: false, code: "EDISK" });
      expect(await holder.release()).toMatchObject({ code: "ERELEASE" });
      expect(session.owners()).toHaveLength(1);
      place.run("mount", "-o", "remount,bind,rw", session.directory);
      expect(await next.acquire()).toMatchObject({ held: true, found: [] });
    },
  );
});

describe("an idle home that somebody spoils", () => {
  const SPOILERS: readonly (readonly [what: string, spoil: (home: string) => void])[] = [
    ["its file is deleted", (home) => fs.rmSync(join(home, fs.readdirSync(home)[0] ?? ""))],
    ["the directory is deleted", (home) => fs.rmSync(home, { recursive: true })],
  ];

  for (const [what, spoil] of SPOILERS) {
    scenario(`is given up if ${what}, and the lock is taken with a new one`, {}, async (session) => {
      const { holder, other } = await spoilHome(session, spoil);
      expect(await holder.acquire()).toMatchObject({ held: true });
      expect(await holder.ask("assertHeld")).toMatchObject({ ours: true });
      expect(await other.acquire({ timeoutMs: 200 })).toMatchObject({ held: false, code: "ELOCKED" });
      await holder.release();
      expect(await other.acquire()).toMatchObject({ held: true, found: [] });
    });
  }

  scenario(
    "by putting a file of his own into it blocks the lock path until he takes it away, and is told so",
    {},
    async (session) => {
      const { holder, other } = await spoilHome(session, (home) =>
        fs.writeFileSync(join(home, "notes.txt"), ""),
      );
      for (const child of [holder, other]) {
        const refused = await child.acquire({ timeoutMs: 300, judged: true });
        expect(refused).toMatchObject({ held: false, code: "ELOCKED", reason: "foreign" });
        expect(refused.message).toContain('"notes.txt"');
      }
      // His file is never touched; our name is gone.
      expect(session.owners()).toEqual(["notes.txt"]);
      fs.rmSync(join(session.lockPath, "notes.txt"));
      expect(await holder.acquire()).toMatchObject({ held: true, found: [] });
    },
  );

  scenario("twin: without Verify a home without its file lets a second one in", {}, async (session) => {
    const { holder, other } = await spoilHome(session, SPOILERS[0]?.[1] ?? (() => {}), without("verify"));
    expect(await holder.acquire()).toMatchObject({ held: true });
    expect(await other.acquire()).toMatchObject({ held: true, found: ["holder"] });
    await other.release();
  });
});

// ------------------------------------------------------------------------------------------------

async function startAll(session: Session, names: readonly string[]): Promise<readonly Child[]> {
  return await Promise.all(names.map((who) => session.start(who)));
}

interface Filler {
  readonly names: RegExp;
  full(): void;
  /** Takes some of its files away again. */
  free(count: number): void;
  empty(): void;
}

/** Fills a disk with files of its own, until the disk says no. */
function filler(place: Place, directory: string, content: string): Filler {
  const sh = (script: string): void => void place.run("sh", "-c", `cd ${directory}; ${script}`);
  let made = 0;
  return {
    names: /^fill-/,
    full: () => {
      made += 1000;
      sh(`i=${made}; while ${content} > fill-$i; do i=$((i + 1)); done 2> /dev/null; true`);
    },
    free: (count: number) => sh(`ls | grep ^fill- | tail -n ${count} | xargs rm`),
    empty: () => sh("rm -f fill-*"),
  };
}

/** Fails with the disk's own word, and leaves nothing behind. */
async function expectNoSpace(session: Session, child: Child, filling: RegExp): Promise<void> {
  const besides = (): readonly string[] =>
    session.listing().filter((entry) => !filling.test(entry) && !entry.startsWith(".swl-life-"));
  const before = besides();
  const failed = await child.acquire();
  expect(failed).toMatchObject({ held: false, code: "EDISK" });
  expect(failed.message).toMatch(/^Cannot make the owner directory at .*: ENOSPC/);
  // A home that is given up is paid for in turns of its own.
  await untilNoHomeOf(session, child);
  expect(besides()).toEqual(before);
}

async function untilNoHomeOf(session: Session, { pid }: Child): Promise<void> {
  while (session.listing().some((entry) => entry.includes(`own1_${pid}_`))) await sleep(5);
}

/** Without the witnesses, which open files too. */
const acquireAside = (child: Child): Promise<Acquired> => child.acquire({ inside: false });

interface FileLimit {
  exhaust(): Promise<void>;
  restore(): void;
}

/** Lets a running process open no more files than it has open, and undoes that. */
function limitFiles({ hostPid }: Child): FileLimit {
  const limit = (value: string): void => void runIn([], ["prlimit", `--pid=${hostPid}`, `--nofile=${value}`]);
  return {
    exhaust: async () => {
      const taken = await lastingFilesOf(hostPid);
      let free = 0;
      while (taken.includes(String(free))) free++;
      limit(`${free}:`);
    },
    restore: () => limit("1024:"),
  };
}

/**
 * What a process has open when it has come to rest: what the sweep, a look at a process or the load of a module has
 * open it closes soon, and that would be one file more than it had. It is stopped while it is looked at, since a file
 * that is closed between the listing and the look at it would count as taken.
 */
async function lastingFilesOf(pid: number): Promise<readonly string[]> {
  for (let before = ""; ; ) {
    process.kill(pid, "SIGSTOP");
    const files = fs.readdirSync(`/proc/${pid}/fd`);
    const links = files.map((file) => linkOf(`/proc/${pid}/fd/${file}`));
    process.kill(pid, "SIGCONT");
    const now = `${files} ${links}`;
    if (now === before && links.every((link) => LASTING.test(link))) return files;
    before = now;
    await sleep(20);
  }
}

/** Its output, its event loop, its watches, its life socket, and the counter that its sections read. */
const LASTING = /^(pipe:|socket:|anon_inode:|\/dev\/)|\/witness\/counter$/;

/** Empty for a file that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return "";
  }
}

/** A process with an idle home that was spoiled, and another process. */
async function spoilHome(
  session: Session,
  spoil: (home: string) => void,
  library?: string,
): Promise<{ readonly holder: Child; readonly other: Child }> {
  const start = { library };
  const holder = await session.start("holder", start);
  const other = await session.start("other", start);
  await holder.acquire();
  await holder.release();
  const name = fs.readdirSync(session.directory).find((entry) => entry.includes(`-own1_${holder.pid}_`));
  spoil(join(session.directory, name ?? "no home"));
  return { holder, other };
}
