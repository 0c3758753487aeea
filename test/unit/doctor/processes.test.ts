/** The rows about processes, word by word, on made-up machines and with a made-up child. On this one: doctor.test.ts. */

import { EventEmitter } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { REAL_WORLD } from "../../../src/doctor/doctor.ts";
import { checkHost, checkProcesses, type How } from "../../../src/doctor/processes.ts";
import type { Row, World } from "../../../src/doctor/row.ts";
import type * as life from "../../../src/owner/life.ts";
import type { LifeAnswer } from "../../../src/owner/life.ts";
import { createObserver, type SystemCalls } from "../../../src/owner/observe.ts";
import { fakeSystem, LINUX_FILES, LINUX_LINKS, statLine } from "../owner/fixtures.ts";

// tests A1, A6

/** What a test puts in the place of the real thing. */
const instead = vi.hoisted(() => ({
  spawn: (..._args: unknown[]): unknown => undefined,
  socket: undefined as { life: string; close(): void } | undefined,
  asked: "accepts" as string,
  connects: [] as (string | Error)[],
}));
vi.mock("node:child_process", () => ({ spawn: (...args: unknown[]) => instead.spawn(...args) }));
vi.mock("../../../src/owner/life.ts", async (original) => ({
  ...(await original<typeof life>()),
  openLifeSocket: (directory: string) => (directory === "/d/scratch" ? instead.socket : undefined),
  askLifeSocket: (_directory: string, of: string, answer: (said: LifeAnswer) => void) =>
    answer(of === instead.socket?.life ? (instead.asked as LifeAnswer) : "silent"),
  withShortPath: (directory: string, name: string, use: (path: string) => void) =>
    use(`${directory}/${name}`),
  connectTo: (path: string, answer: (said: LifeAnswer) => void) => {
    expect(path).toBe("/d/scratch/child.socket");
    const next = instead.connects.shift();
    if (next instanceof Error) throw next;
    answer(next as LifeAnswer);
  },
}));
afterEach(() => {
  Object.assign(instead, { socket: undefined, asked: "accepts", connects: [] });
});

type Parts = Parameters<typeof fakeSystem>[0];
type Files = NonNullable<Parts["files"]>;
const LINUX: { readonly files: Files; readonly links: Files } = {
  files: { ...LINUX_FILES, "/proc/1/stat": statLine(1, "1") },
  links: LINUX_LINKS,
};
const worldOf = (parts: Parts, calls: Partial<SystemCalls> = {}): World => ({
  ...REAL_WORLD,
  observer: createObserver({ ...fakeSystem({ ...LINUX, ...parts }), ...calls }),
});
const without = (record: Files, ...names: readonly string[]): Files =>
  Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));

type Said = readonly [tried: string, result: string, seen: string, means?: string];
const said = ({ subject, tried, result, seen, means }: Row): Said => {
  expect(subject).toBe(tried.startsWith("what tells") ? "A6" : "A1");
  return means === "" ? [tried, result, seen] : [tried, result, seen, means];
};
const PROC = "/proc is that of this pid namespace";
const STARTS = "when a process and its threads started";
const OTHERS = "processes of other users can be seen";
const BOOT = "the boot id";
const NAMESPACES = "namespaces of pids and time";
const SOCKET = "a life socket in this directory";
const CHILD = "a child of ours is alive, then dead";
const ENDED = "the socket of a child accepts, then refuses";
const WAITED_FOR = "an owner whose pid is in use again is waited for";
const ALL_WAIT = "nobody can judge our owners: they are waited for";

describe("what is seen of a machine", () => {
  const look = async (parts: Parts): Promise<Record<string, Said>> => {
    const rows = await checkProcesses(worldOf(parts), undefined, { quick: false, local: true });
    return Object.fromEntries(rows.map((row) => [row.tried, said(row)]));
  };
  const RIGHT: Readonly<Record<string, Said>> = {
    [PROC]: [PROC, "ok", "yes"],
    [STARTS]: [STARTS, "ok", "process 4711: 1000, thread 4711: 1000"],
    [OTHERS]: [OTHERS, "ok", "yes"],
    [BOOT]: [BOOT, "ok", "the kernel's"],
    [NAMESPACES]: [NAMESPACES, "ok", "the first ones"],
  };

  it("is all there on a Linux as it should be", async () => {
    expect(await look({})).toEqual(RIGHT);
  });

  const sandbox =
    "its numbers are not believed; an owner whose pid is in use again is waited for. Mount a /proc of your own in the sandbox";
  const blind: readonly Said[] = [
    [STARTS, "warn", "cannot be read", WAITED_FOR],
    [OTHERS, "not known", "not tried", "there is no /proc of our own"],
  ];
  const links = (change: Files): Parts => ({ links: { ...LINUX_LINKS, ...change } });

  it.each<[string, Parts, readonly Said[]]>([
    [
      "in a sandbox with the /proc of its host",
      links({ "/proc/self": "9" }),
      [[PROC, "warn", "no: it calls us 9, we are 4711", sandbox], ...blind],
    ],
    [
      "in a sandbox without /proc/self",
      { links: without(LINUX_LINKS, "/proc/self") },
      [[PROC, "warn", "no: /proc/self cannot be read", sandbox], ...blind],
    ],
    [
      "where threads cannot be told",
      links({ "/proc/thread-self": "" }),
      [[STARTS, "warn", "that of threads cannot be read", "an owner in a worker thread is waited for"]],
    ],
    [
      "with hidepid",
      { files: without(LINUX.files, "/proc/1/stat") },
      [[OTHERS, "warn", "no (hidepid)", "an owner of another user whose pid is in use again is waited for"]],
    ],
    [
      "without a boot id that can be read",
      { files: without(LINUX.files, "/proc/sys/kernel/random/boot_id") },
      [[BOOT, "warn", "cannot be read", ALL_WAIT]],
    ],
    [
      "with the boot id of a container",
      { mounted: ["/proc/sys/kernel/random/boot_id"] },
      [[BOOT, "warn", "a container's own", "after a restart, owners of before are waited for"]],
    ],
    [
      "without a pid namespace that can be read",
      links({ "/proc/self/ns/pid": { kind: "unreadable" } }),
      [[NAMESPACES, "warn", "cannot be read", ALL_WAIT]],
    ],
    [
      "without a time namespace that can be read",
      links({ "/proc/self/ns/time": { kind: "unreadable" } }),
      [[NAMESPACES, "warn", "cannot be read", ALL_WAIT]],
    ],
    [
      "with a time namespace of its own",
      links({ "/proc/self/ns/time": "time:[7]" }),
      [
        [
          NAMESPACES,
          "warn",
          "a time namespace of its own",
          "owners of outside, and of before a restart, are judged by life sockets alone",
        ],
      ],
    ],
    [
      "in the pid namespace of a container",
      links({ "/proc/self/ns/pid": "pid:[7]" }),
      [[NAMESPACES, "ok", "a container's pid namespace"]],
    ],
    [
      "on another platform",
      { platform: "darwin" },
      [
        [PROC, "warn", "none on darwin", WAITED_FOR],
        ...blind,
        [BOOT, "warn", "this platform has none", "after a restart, owners of before may be waited for"],
        [NAMESPACES, "ok", "this platform has none"],
      ],
    ],
  ])("%s", async (_what, parts, changes) => {
    expect(await look(parts)).toEqual({
      ...RIGHT,
      ...Object.fromEntries(changes.map((change) => [change[0], change])),
    });
  });
});

describe("what is tried", () => {
  const tryIt = async (
    how: Partial<How> = {},
    calls: Partial<SystemCalls> = {},
  ): Promise<readonly Said[]> => {
    const rows = await checkProcesses(worldOf({}, calls), "/d/scratch", {
      quick: false,
      local: true,
      ...how,
    });
    return rows.slice(5).map(said);
  };
  const close = vi.fn();

  /** A child that says a word, or ends without one; killed, it ends. */
  function childThat(
    says: string | undefined,
    pid: number | undefined = 4_713,
  ): { readonly kills: unknown[] } {
    const kills: unknown[] = [];
    instead.spawn = (...args) => {
      expect(args).toEqual([
        process.execPath,
        ["-e", expect.stringContaining('listen("child.socket"')],
        { cwd: "/d/scratch", stdio: ["pipe", "pipe", "ignore"] },
      ]);
      const stdout = new EventEmitter();
      const child = Object.assign(new EventEmitter(), {
        pid,
        stdout,
        kill: (signal: unknown) => {
          kills.push(signal);
          setImmediate(() => child.emit("exit"));
          return true;
        },
      });
      setImmediate(() => {
        if (says === undefined) child.emit("exit");
        else stdout.emit("data", Buffer.from(`${says}\n`));
      });
      return child;
    };
    return { kills };
  }
  /** Of the child: it runs until it is killed. */
  const dies = (kills: readonly unknown[]): Partial<SystemCalls> => ({
    readText: (path) => {
      const isChild = path.includes("/4713/");
      if (isChild && kills.length > 0) return { kind: "missing" };
      const text = isChild ? statLine(4_713, "1300") : LINUX.files[path];
      return typeof text === "string" ? { kind: "text", text } : { kind: "missing" };
    },
    probe: (pid) => (pid === 4_713 && kills.length > 0 ? "gone" : "runs"),
  });
  const sockets = (asked: string, ...connects: readonly (string | Error)[]): void => {
    close.mockReset();
    Object.assign(instead, { socket: { life: "f".repeat(32), close }, asked, connects: [...connects] });
  };

  it("is right where a child lives until it is killed, and its socket accepts until then", async () => {
    const { kills } = childThat("listens");
    sockets("accepts", "accepts", "refuses");
    expect(await tryIt({}, dies(kills))).toEqual([
      [SOCKET, "ok", "opened, and accepts"],
      [CHILD, "ok", "yes"],
      [ENDED, "ok", "yes"],
    ]);
    expect([kills, close.mock.calls.length]).toEqual([["SIGKILL", "SIGKILL"], 1]);
  });

  it("is no child if it shall be quick, and says so", async () => {
    sockets("silent");
    instead.spawn = () => expect.unreachable();
    const means = "owners of other containers are waited for";
    expect(await tryIt({ quick: true })).toEqual([
      [SOCKET, "warn", "opened, but silent", means],
      [CHILD, "not known", "not tried", "leave out --quick"],
      [ENDED, "not known", "not tried", "leave out --quick"],
    ]);
    instead.socket = undefined;
    expect((await tryIt({ quick: true }))[0]).toEqual([SOCKET, "warn", "cannot be opened", means]);
  });

  it("is no socket on a disk that is not known to be local", async () => {
    const { kills } = childThat("listens");
    sockets("accepts", "accepts", "refuses");
    const unused = "not used: the disk is not known to be local";
    expect(await tryIt({ local: false }, dies(kills))).toEqual([
      [SOCKET, "ok", unused],
      [CHILD, "ok", "yes"],
      [ENDED, "ok", unused],
    ]);
  });

  it.each([[undefined, 4_713] as const, ["listens", undefined] as const])(
    "is not known where no child can be started (%#)",
    async (says, pid) => {
      childThat(says);
      const spawn = instead.spawn;
      instead.spawn = (...args) => Object.assign(spawn(...args) as object, { pid });
      sockets("accepts");
      expect((await tryIt()).slice(1)).toEqual([
        [CHILD, "not known", "no child could be started", "it could not be tried"],
        [ENDED, "not known", "no child could be started", "it could not be tried"],
      ]);
    },
  );

  it("is not known where spawning fails", async () => {
    instead.spawn = () => {
      const child = Object.assign(new EventEmitter(), { stdout: new EventEmitter(), kill: () => true });
      setImmediate(() => child.emit("error", new Error("EAGAIN")));
      return child;
    };
    sockets("accepts");
    expect((await tryIt()).slice(1).map(([, result]) => result)).toEqual(["not known", "not known"]);
  });

  it("is wrong where the living are taken for dead, or the dead for living", async () => {
    const means = "the living are taken for dead, or the dead for living: do not use the lock here";
    childThat("listens");
    sockets("accepts", "accepts", "refuses");
    const gone = "dead (pid 4713 is gone)";
    expect((await tryIt({}, { ...dies([1]), probe: () => "gone" }))[1]).toEqual([
      CHILD,
      "fail",
      expect.stringContaining(`, then ${gone}`),
      means,
    ]);
    childThat("listens");
    sockets("accepts", "accepts", "refuses");
    const alive = "alive (pid 4713 runs since the owner started)";
    expect((await tryIt({}, dies([])))[1]).toEqual([CHILD, "fail", `${alive}, then ${alive}`, means]);
  });

  it("costs a wait where the living or the dead cannot be told", async () => {
    const unknown = { readText: () => ({ kind: "missing" }) as const };
    const { kills } = childThat("listens");
    sockets("accepts", "accepts", "refuses");
    const probe = dies(kills).probe ?? expect.unreachable();
    expect((await tryIt({}, { ...unknown, probe }))[1]).toEqual([
      CHILD,
      "warn",
      expect.stringMatching(/^unknown \(.*\), then dead \(.*\)$/),
      WAITED_FOR,
    ]);
    childThat("listens");
    sockets("accepts", "accepts", "refuses");
    expect((await tryIt({}, { ...unknown, probe: () => "runs" }))[1]).toEqual([
      CHILD,
      "warn",
      expect.stringMatching(/^unknown \(.*\), then unknown \(.*\)$/),
      "dead owners are waited for",
    ]);
    const { kills: killed } = childThat("listens");
    sockets("accepts", "accepts", "refuses");
    const hidden = dies(killed);
    expect((await tryIt({}, { ...hidden, probe: () => "runs" }))[1]).toEqual([
      CHILD,
      "warn",
      expect.stringMatching(/^alive \(.*\), then unknown \(.*\)$/),
      "dead owners are waited for",
    ]);
  });

  it.each([
    ["listens", ["refuses", "refuses"], "fail", "refuses, then refuses"],
    ["listens", ["accepts", "accepts"], "fail", "accepts, then accepts"],
    ["listens", ["accepts", "silent"], "warn", "accepts, then silent"],
    ["listens", ["silent", "refuses"], "warn", "silent, then refuses"],
    ["listens", [new Error("ENAMETOOLONG"), "refuses"], "warn", "silent, then refuses"],
    ["cannot", ["refuses"], "warn", "silent, then refuses"],
  ] as const)("sees a socket of a child that %s (%#)", async (says, connects, result, seen) => {
    const { kills } = childThat(says);
    sockets("accepts", ...connects);
    const means =
      result === "fail"
        ? "life sockets say the wrong thing here"
        : "owners of other containers are waited for";
    expect((await tryIt({}, dies(kills)))[2]).toEqual([ENDED, result, seen, means]);
  });
});

describe("what tells this machine from others", () => {
  const TRIED = "what tells this machine from others";
  const names = { files: without(LINUX.files, "/etc/machine-id") };

  it.each<[Parts, Said]>([
    [{}, [TRIED, "ok", "machine id and host name. Not seen from here: whether another machine has the same"]],
    [names, [TRIED, "warn", "the host name alone", "after a restart, owners of before are waited for"]],
    [
      { ...names, platform: "darwin" },
      [
        TRIED,
        "warn",
        "the host name alone",
        "machines with the same host name must not share this directory",
      ],
    ],
    [
      { ...names, hostName: "localhost" },
      [
        TRIED,
        "warn",
        "no machine id, and a host name that many have",
        "after a restart, owners of before are waited for",
      ],
    ],
  ])("is said (%#)", (parts, row) => {
    expect(said(checkHost(worldOf(parts).observer))).toEqual(row);
  });
});
