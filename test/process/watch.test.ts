/** Waiting, told by the file system: in real processes, where polling would come too late, and where nobody is told. */

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { buildDouble } from "./support/library.ts";
import { need, runIn } from "./support/places.ts";
import { scenario } from "./support/scenario.ts";
import { effortOfPolls, excessOf, LONG_POLLS, untilWatched, watchesOf } from "./support/waiting.ts";

describe("a process that waits for another one", () => {
  scenario("is told when the lock is let go, where its polls are hours apart", {}, async (session) => {
    const holder = await session.start("holder");
    const waiter = await session.start("waiter", { library: longPolls() });
    await holder.acquire();
    const waiting = waiter.acquire({ timeoutMs: 60_000 });
    await untilWatched(waiter);
    expect((await holder.release()).found).toEqual([]);
    expect(await waiting).toMatchObject({ held: true, found: [] });
    await waiter.release();
  });

  scenario("twin: without a watcher it waits in vain there", {}, async (session) => {
    const holder = await session.start("holder");
    const waiter = await session.start("waiter", { library: untold() });
    await holder.acquire();
    const waiting = waiter.acquire({ timeoutMs: 60_000 }).then(() => "has it");
    await untilWatched(waiter);
    await holder.release();
    expect(await Promise.race([waiting, sleep(1_000, "waits")])).toBe("waits");
    await waiter.kill();
  });

  scenario("has a watcher while it waits, and not before or after", {}, async (session) => {
    const [holder, waiter] = [await session.start("holder"), await session.start("waiter")];
    await holder.acquire();
    expect(watchesOf(waiter)).toBe(0);
    const waiting = waiter.acquire();
    await untilWatched(waiter);
    await holder.release();
    await waiting;
    expect(watchesOf(waiter)).toBe(0);
    await waiter.release();
  });

  scenario("is not kept alive by its watcher", {}, async (session) => {
    const [holder, waiter] = [await session.start("holder"), await session.start("waiter")];
    await holder.acquire();
    expect(await waiter.acquire({ timeoutMs: 100, judged: true })).toMatchObject({ code: "ELOCKED" });
    await waiter.leave();
    await holder.release();
  });

  scenario("twin: by one that is left open, and counts, it is", {}, async (session) => {
    const holder = await session.start("holder");
    const waiter = await session.start("waiter", { library: lastingWatcher() });
    await holder.acquire();
    expect(await waiter.acquire({ timeoutMs: 100, judged: true })).toMatchObject({ code: "ELOCKED" });
    expect(watchesOf(waiter)).toBe(1);
    void waiter.leave();
    await sleep(500);
    expect(waiter.isRunning()).toBe(true);
    await waiter.kill();
    await holder.release();
  });
});

describe("where the kernel has no watcher to give", () => {
  for (const [limit, errno] of [
    ["max_inotify_instances", "EMFILE"],
    ["max_inotify_watches", "ENOSPC"],
  ] as const) {
    scenario(`(${errno}) a waiter polls`, { needs: [limits] }, async (session) => {
      const holder = await session.start("holder");
      const waiter = await session.start("waiter", { prefix: withNone(limit) });
      await holder.acquire();
      const waiting = waiter.acquire();
      // By then it was refused, and would have a watcher if it could.
      const effort = await effortOfPolls(waiter, SOME_POLLS);
      expect(watchesOf(waiter)).toBe(0);
      expect(excessOf(effort)).toEqual([]);
      await holder.release();
      expect(await waiting).toMatchObject({ held: true, found: [] });
      await waiter.release();
    });
  }

  scenario("twin: where it has one, a waiter has it after as many polls", {}, async (session) => {
    const [holder, waiter] = [await session.start("holder"), await session.start("waiter")];
    await holder.acquire();
    const waiting = waiter.acquire();
    await effortOfPolls(waiter, SOME_POLLS);
    expect(watchesOf(waiter)).toBe(1);
    await holder.release();
    await waiting;
    await waiter.release();
  });
});

/** The first of them may be the acquisition's own. It was refused, as the second one was. */
const SOME_POLLS = 3;

const longPolls = (): string => buildDouble({ name: "LongPolls", file: "protocol.ts", patches: LONG_POLLS });

const untold = (): string =>
  buildDouble({
    name: "LongPollsUntold",
    file: "protocol.ts",
    patches: [...LONG_POLLS, ["entry.listens) entry.wait.wake();", "entry.listens) return;"]],
  });

const lastingWatcher = (): string =>
  buildDouble({
    name: "LastingWatcher",
    file: "watch.ts",
    patches: [
      ["if (directory.waiters.size === 0) this", "if (directory.waiters.size < 0) this"],
      ["persistent: false", "persistent: true"],
    ],
  });

/** A user namespace has limits of its own. */
const withNone = (limit: string): readonly string[] => [
  "unshare",
  "--user",
  "--map-root-user",
  "sh",
  "-ec",
  `echo 0 > /proc/sys/user/${limit}; exec "$@"`,
  "sh",
];

const limits = need("limits of inotify in a user namespace of its own", () => {
  runIn(withNone("max_inotify_watches"), ["true"]);
});
