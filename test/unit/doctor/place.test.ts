/** The rows about the directory, word by word. On this machine: doctor.test.ts. */

import type * as childProcess from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as timers from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  checkHomes,
  checkKind,
  checkSpace,
  checkWriters,
  lookAtOtherLocks,
} from "../../../src/doctor/place.ts";
import type { Row } from "../../../src/doctor/row.ts";
import { newNonce, readOwnerScope } from "../../../src/owner/identity.ts";
import { formatOwnerName } from "../../../src/owner/name.ts";
import { createObserver } from "../../../src/owner/observe.ts";
import { isLocalDisk } from "../../../src/paths.ts";

// tests A2, A4, A5

/** What a test puts in the place of the real thing. */
const instead = vi.hoisted(() => ({
  ls: (..._args: unknown[]): string => "",
  local: true,
  slept: [] as number[],
}));
vi.mock("node:child_process", async (original) => ({
  ...(await original<typeof childProcess>()),
  execFileSync: (...args: unknown[]) => instead.ls(...args),
}));
vi.mock("node:timers/promises", async (original) => ({
  ...(await original<typeof timers>()),
  setTimeout: async (ms: number) => void instead.slept.push(ms),
}));
vi.mock("../../../src/paths.ts", async (original) => ({
  ...(await original<object>()),
  isLocalDisk: vi.fn(() => instead.local),
}));

let directory = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-place-")));
  Object.assign(instead, { ls: () => "drwx------ 2 root", local: true, slept: [] });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.mocked(isLocalDisk).mockImplementation(() => instead.local);
  vi.unstubAllGlobals();
  fs.rmSync(directory, { recursive: true, force: true });
});

type Said = readonly [subject: string, tried: string, result: string, seen: string, means?: string];
const said = (row: Row | undefined): Said => {
  const { subject, tried, result, seen, means } = row ?? expect.unreachable();
  return means === "" ? [subject, tried, result, seen] : [subject, tried, result, seen, means];
};
/** As if the kernel said other things of a path. */
function statAs(looks: Readonly<Record<string, Partial<fs.Stats>>>): void {
  const stat = fs.statSync;
  vi.spyOn(fs, "statSync").mockImplementation(((path: string, options: object) =>
    Object.assign(stat(directory, options as never) as object, looks[path])) as never);
}
const failing = (errno: string) => (): never => {
  throw Object.assign(new Error(errno), { code: errno });
};
const onPlatform = (platform: string): void =>
  void vi.stubGlobal("process", Object.create(process, { platform: { value: platform } }));
const UNTRIED = ["not known", "not tried", "this platform has other permissions"] as const;

describe("who may write", () => {
  const MODE = "who may write in this directory";
  const SHARED = ": the group too, which may take over from each other";
  const ALL = "everybody may remove the lock of a session";
  const ONE = "it is for one user: nobody takes over the lock of another user";

  it.each([
    [0o700, "ok", "0700", undefined],
    [0o755, "ok", "0755", undefined],
    [0o775, "ok", `0775`, SHARED],
    [0o757, "warn", "0757", ALL],
    [0o777, "warn", "0777", ALL],
    [0o1777, "warn", "1777", ONE],
    [0o1775, "warn", "1775", ONE],
    [0o1755, "ok", "1755", undefined],
  ] as const)("in a directory of mode %o: %s", (mode, result, octal, more) => {
    statAs({ [directory]: { mode: 0o40000 | mode, uid: 7, gid: 8 } });
    const seen = `mode ${octal}, uid 7, gid 8`;
    const row = said(checkWriters(directory)[0]);
    if (more === ONE) expect(row).toEqual(["A2", MODE, result, `${seen}: sticky`, ONE]);
    else if (more === ALL) expect(row).toEqual(["A2", MODE, result, seen, ALL]);
    else expect(row).toEqual(["A2", MODE, result, `${seen}${more ?? ""}`]);
  });

  it("by an access list is what ls says with a plus, or does not", () => {
    const ACL = "access lists (ACL)";
    const calls: unknown[] = [];
    const answer = (text: string): Said => {
      instead.ls = (...args) => {
        calls.push(args);
        return text;
      };
      return said(checkWriters(directory)[1]);
    };
    const more = "more users may write here than the mode says";
    expect(answer("drwx------+ 2 root")).toEqual(["A2", ACL, "warn", "there is one", more]);
    expect(answer("drwx------. 2 root a+ b+")).toEqual(["A2", ACL, "ok", "none that ls shows"]);
    expect(calls[0]).toEqual([
      "ls",
      ["-ld", "--", directory],
      { encoding: "utf8", env: { ...process.env, LC_ALL: "C" }, stdio: "pipe" },
    ]);
    instead.ls = failing("ENOENT");
    expect(said(checkWriters(directory)[1])).toEqual([
      "A2",
      ACL,
      "not known",
      "ls does not say",
      "more users may be allowed to write here than the mode says",
    ]);
  });

  it.each([
    [{}, undefined],
    [{ "/s": { mode: 0o41777 } }, undefined],
    [{ "/s": { mode: 0o40757 } }, "/s has mode 0757"],
    [{ "/": { mode: 0o40777 } }, "/ has mode 0777"],
    // Of itself another row speaks.
    [{ "/s/d": { mode: 0o40777 } }, undefined],
  ])("above it is seen (%#)", (looks, seen) => {
    statAs({ "/": { mode: 0o40755 }, "/s": { mode: 0o40755 }, "/s/d": { mode: 0o40755 }, ...looks });
    const tried = "who may write above it";
    const means = "everybody may put another directory in the place of this one";
    expect(said(checkWriters("/s/d")[2])).toEqual(
      seen === undefined
        ? ["A2", tried, "ok", "nobody but its owners and their groups"]
        : ["A2", tried, "warn", seen, means],
    );
  });

  it("is not known on a platform with other permissions", () => {
    onPlatform("win32");
    expect(checkWriters(directory).map(({ result, seen, means }) => [result, seen, means])).toEqual([
      UNTRIED,
      ["ok", "none that ls shows", ""],
      UNTRIED,
    ]);
    expect(said(checkHomes(directory, directory)[0]).slice(2)).toEqual(UNTRIED);
  });
});

describe("the kind of file system", () => {
  const kind = (type: number, local = true): Said => {
    instead.local = local;
    vi.spyOn(fs, "statfsSync").mockReturnValue({ type } as fs.StatsFs);
    return said(checkKind(directory));
  };
  const KIND = ["A4", "the kind of file system"] as const;
  const PUT_BACK = "taken for local: a release is a PutBack. Not if its device is one of the network";

  it.each([
    [0xef53, "ext2, ext3 or ext4"],
    [0x58465342, "xfs"],
    [0x9123683e, "btrfs"],
    [0x01021994, "tmpfs"],
    [0x2fc12fc1, "zfs"],
    [0xf2f52010, "f2fs"],
    [0x858458f6, "ramfs"],
    [0x65735546, "FUSE"],
    [0x6969, "NFS"],
    [0xff534d42, "CIFS"],
    [0xfe534d42, "SMB"],
    [0x01021997, "9p"],
    [0x4d44, "FAT"],
    [0x2011bab0, "exFAT"],
    [0x5346544e, "NTFS"],
    [0x7366746e, "NTFS"],
    [0xabc, "type 0xabc"],
  ])("%d is %s", (type, name) => {
    onPlatform("linux");
    expect(kind(type)).toEqual([...KIND, "ok", `${name}, ${PUT_BACK}`]);
  });

  it("is as local as its layers, not known to be local, or another platform's", () => {
    onPlatform("linux");
    const layers = "it is as local as the layers below it";
    expect(kind(0x794c7630)).toEqual([...KIND, "not known", "overlayfs, taken for local", layers]);
    expect(kind(0x6969, false)).toEqual([
      ...KIND,
      "ok",
      "NFS, not known to be local: a release is a Drop, and an empty lock directory stays",
    ]);
    onPlatform("darwin");
    expect(kind(26)).toEqual([...KIND, "ok", `type 26, ${PUT_BACK}`]);
    vi.mocked(fs.statfsSync).mockImplementation(failing("EIO"));
    expect(said(checkKind(directory))).toEqual([
      ...KIND,
      "not known",
      "EIO",
      "taken for not local: a release is a Drop",
    ]);
  });
});

describe("other kinds of locks", () => {
  const TRIED = ["A5", "other kinds of locks in this directory"] as const;
  const lock = (name: string): string => join(directory, `${name}.lock`);
  const twice = async (quick: boolean, meanwhile: () => void = () => {}): Promise<Said> => {
    const again = await lookAtOtherLocks(directory, quick);
    meanwhile();
    return said(await again());
  };
  const aged = (name: string, ms: number): void => {
    fs.mkdirSync(lock(name));
    fs.utimesSync(lock(name), 0, (Date.now() - ms) / 1e3);
  };

  it("are none where there are no locks, where one has an owner of ours, and where one cannot be read", async () => {
    expect(await twice(false)).toEqual([...TRIED, "ok", "none among 0 locks"]);
    const self = readOwnerScope(createObserver());
    fs.mkdirSync(lock("ours"));
    fs.writeFileSync(join(lock("ours"), formatOwnerName({ ...self, life: "-", nonce: newNonce() })), "{}");
    fs.mkdirSync(lock("unreadable"));
    const readdir = fs.readdirSync;
    vi.spyOn(fs, "readdirSync").mockImplementation(((path: string) =>
      path === lock("unreadable") ? failing("EACCES")() : readdir(path)) as never);
    expect(await twice(false)).toEqual([...TRIED, "ok", "none among 2 locks"]);
    expect(instead.slept).toEqual([]);
  });

  it("are told of where files are, by the first", async () => {
    fs.writeFileSync(lock("a"), "x");
    fs.writeFileSync(lock("b"), "xx");
    expect(await twice(false)).toEqual([
      ...TRIED,
      "warn",
      `2: ${lock("a")}: a file of 1 bytes`,
      "sessions behind them are waited for",
    ]);
  });

  it("are a failure where somebody keeps an empty directory fresh, which is waited for", async () => {
    aged("a", 0);
    vi.spyOn(performance, "now").mockReturnValueOnce(1_000).mockReturnValueOnce(1_400);
    const fresh = await twice(false, () => fs.utimesSync(lock("a"), 0, Date.now() / 1e3 + 1));
    expect(fresh).toEqual([
      ...TRIED,
      "fail",
      `somebody keeps ${lock("a")} fresh, as proper-lockfile does`,
      "an empty directory counts as free, so it would be taken from whoever holds it: two kinds of locks must not share a path",
    ]);
    expect(instead.slept).toEqual([5_100]);
  });

  it("are looked at again at once where the first look was long ago, nothing is fresh, or it shall be quick", async () => {
    aged("a", 0);
    vi.spyOn(performance, "now").mockReturnValueOnce(1_000).mockReturnValueOnce(9_000);
    await twice(false);
    expect(instead.slept).toEqual([0]);
    await twice(true);
    fs.rmdirSync(lock("a"));
    aged("old", 30_001);
    await twice(false);
    expect(instead.slept).toEqual([0]);
  });

  it.each([
    [
      "another directory by now",
      () => {
        fs.renameSync(lock("a"), join(directory, "gone"));
        aged("a", 1_000);
      },
    ],
    ["gone by now", () => fs.rmdirSync(lock("a"))],
    ["not empty any more", () => fs.writeFileSync(join(lock("a"), "x"), "")],
  ])("are none that is seen at one that is %s", async (_what, meanwhile) => {
    aged("a", 0);
    const [, , result, seen] = await twice(false, meanwhile);
    expect([result, seen]).toEqual(["not known", "none that is seen; 1 empty lock directories"]);
  });

  it("are not known where a directory has nothing but junk in it", async () => {
    fs.mkdirSync(lock("a"));
    fs.writeFileSync(join(lock("a"), ".DS_Store"), "");
    const [, , result, seen] = await twice(false);
    expect([result, seen]).toEqual(["not known", "none that is seen; 1 empty lock directories"]);
  });

  it("are not known where an empty directory stays so, but for a disk on which our releases leave them", async () => {
    const seen = "none that is seen; 1 empty lock directories";
    const means = "they count as free, so no other kind of lock must use these paths";
    aged("a", 0);
    expect(await twice(false)).toEqual([...TRIED, "not known", seen, means]);
    instead.local = false;
    expect(await twice(false)).toEqual([...TRIED, "ok", `${seen}, as our releases leave here`]);
    // It was not waited for.
    expect(await twice(true)).toEqual([...TRIED, "not known", seen, means]);
    fs.rmdirSync(lock("a"));
    aged("a", 40_000);
    expect(await twice(true)).toEqual([...TRIED, "ok", `${seen}, as our releases leave here`]);
  });
});

describe.skipIf(process.platform === "win32")("what a user must bring along", () => {
  const HOMES = ["needs", "homes with the mode and group of this directory"] as const;
  const ALONE = "nobody else can take over what our user leaves";
  let scratch = "";
  beforeEach(() => {
    scratch = join(directory, "scratch");
    fs.mkdirSync(scratch);
  });

  it.each([0o700, 0o2775])("a home has the mode and the group of a directory of mode %o", (mode) => {
    fs.chmodSync(directory, mode);
    const { gid } = fs.statSync(directory);
    const octal = mode.toString(8).padStart(4, "0");
    const chown = vi.spyOn(fs, "chownSync");
    expect(said(checkHomes(scratch, directory)[0])).toEqual([...HOMES, "ok", `mode ${octal}, gid ${gid}`]);
    expect(chown).not.toHaveBeenCalled();
    expect(fs.statSync(join(scratch, "home")).mode & 0o7777).toBe(mode);
  });

  it("a home that has another mode or group is told, after it was tried to mend that", () => {
    const chown = vi.spyOn(fs, "chownSync").mockImplementation(() => {});
    const home = join(scratch, "home");
    const warned = (seen: string): Said => [...HOMES, "warn", seen, ALONE];
    statAs({ [directory]: { mode: 0o40750, gid: 8 }, [home]: { mode: 0o40750, gid: 9 } });
    expect(said(checkHomes(scratch, directory)[0])).toEqual(warned("mode 0750, gid 9, and not 0750, gid 8"));
    expect(chown.mock.calls).toEqual([[home, -1, 8]]);
    vi.restoreAllMocks();
    fs.rmdirSync(home);
    statAs({ [directory]: { mode: 0o40750, gid: 8 }, [home]: { mode: 0o40700, gid: 8 } });
    expect(said(checkHomes(scratch, directory)[0])).toEqual(warned("mode 0700, gid 8, and not 0750, gid 8"));
    // It is there already.
    expect(said(checkHomes(scratch, directory)[0])).toEqual(warned("EEXIST"));
  });

  it("an owner file is as it was written, or it is said that it is not", () => {
    const content = (): Said => said(checkHomes(scratch, directory)[1]);
    const CONTENT = ["needs", "an owner file written and read"] as const;
    expect(content()).toEqual([...CONTENT, "ok", "yes"]);
    expect(fs.readFileSync(join(scratch, "content"), "utf8")).toBe("x".repeat(2_560));
    expect(content()).toEqual([...CONTENT, "fail", "EEXIST", "nobody can take a lock here"]);
    fs.unlinkSync(join(scratch, "content"));
    vi.spyOn(fs, "readFileSync").mockReturnValue("");
    expect(content()).toEqual([...CONTENT, "fail", "it is not what was written", "do not use the lock here"]);
  });

  it("space and files are there, or soon nobody can take a lock", () => {
    const SPACE = ["needs", "free space and files"] as const;
    const [MIB, SOON] = [1_048_576, "soon nobody can take a lock here"];
    const space = (bytes: number, files: number, ffree: number): Said => {
      const stat = { blocks: 1, bsize: 512, bavail: bytes / 512, files, ffree };
      vi.spyOn(fs, "statfsSync").mockReturnValue(stat as fs.StatsFs);
      return said(checkSpace(directory));
    };
    expect(space(2.5 * MIB, 1_000, 200)).toEqual([...SPACE, "ok", "2 MiB, 200 files"]);
    expect(space(MIB, 0, 0)).toEqual([...SPACE, "ok", "1 MiB"]);
    expect(space(MIB - 512, 1_000, 200)).toEqual([...SPACE, "warn", "0 MiB, 200 files", SOON]);
    expect(space(MIB, 1_000, 199)).toEqual([...SPACE, "warn", "1 MiB, 199 files", SOON]);
    vi.mocked(fs.statfsSync).mockReturnValue({ blocks: 0 } as fs.StatsFs);
    expect(said(checkSpace(directory))).toEqual([...SPACE, "not known", "this file system does not say"]);
    vi.mocked(fs.statfsSync).mockImplementation(failing("EIO"));
    expect(said(checkSpace(directory))).toEqual([...SPACE, "not known", "EIO", "it could not be tried"]);
  });
});
