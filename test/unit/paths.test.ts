import fs from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  diskKindOf,
  isCanonical,
  isLocalDisk,
  LONGEST_HOME_NAME,
  LONGEST_OWNER_NAME,
  type LockPath,
  refuseDirectory,
  refuseLongNames,
  resolveLockPath,
} from "../../src/paths.ts";

let directory = "";
beforeEach(() => {
  directory = fs.realpathSync.native(fs.mkdtempSync(join(tmpdir(), "swl-paths-")));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  fs.rmSync(directory, { recursive: true, force: true });
});

const failure = (code: string): Error => Object.assign(new Error(`${code}: on purpose`), { code });

/** What `action` throws; that it throws at all is checked. */
function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return expect.unreachable();
}

describe("the lock path of a session file", () => {
  it("is beside it, in the one directory that all links lead to, and that is made if it is missing", () => {
    fs.symlinkSync(directory, join(directory, "link"));
    const made = join(directory, "deep", "deeper");
    expect(resolveLockPath(join(directory, "link", "deep", "deeper", "a.jsonl"))).toEqual({
      sessionFile: join(made, "a.jsonl"),
      lockPath: join(made, "a.jsonl.lock"),
      directory: made,
    });
    expect(fs.statSync(made).isDirectory()).toBe(true);
  });

  it("is in the root, if the session file is", () => {
    expect(resolveLockPath("/a.jsonl")).toEqual({
      sessionFile: "/a.jsonl",
      lockPath: "/a.jsonl.lock",
      directory: "/",
    });
  });

  it.each([
    ["cannot be looked at: nothing is made", "EACCES", false],
    ["is missing, and cannot be made", "ENOENT", true],
  ])("is EDISK if its directory %s", (_what, code, isMade) => {
    vi.spyOn(fs.realpathSync, "native").mockImplementation(() => {
      throw failure(code);
    });
    const making = vi.spyOn(fs, "mkdirSync").mockImplementation(() => {
      throw failure("EROFS");
    });
    const given = join(directory, "sessions", "a.jsonl");
    const errno = isMade ? "EROFS" : code;
    expect(thrownBy(() => resolveLockPath(given))).toMatchObject({
      code: "EDISK",
      message: expect.stringContaining(`Cannot use ${dirname(given)} for a session: ${errno}`) as string,
      sessionFile: given,
      cause: { code: errno },
    });
    expect(making).toHaveBeenCalledTimes(isMade ? 1 : 0);
  });
});

describe("a session file that is a directory", () => {
  const given = "as it was given.jsonl";

  it("is refused; one that is a file or missing is not", () => {
    const path = resolveLockPath(join(directory, "a.jsonl"));
    refuseDirectory(path, given);
    fs.writeFileSync(path.sessionFile, "");
    refuseDirectory(path, given);
    fs.rmSync(path.sessionFile);
    fs.mkdirSync(path.sessionFile);
    expect(thrownBy(() => refuseDirectory(path, given))).toMatchObject({
      code: "EINVAL",
      message: `Cannot lock ${path.sessionFile}: it is a directory, not a session file`,
      sessionFile: path.sessionFile,
    });
  });

  it("is not told from a file where nobody may look: EDISK", () => {
    const path = resolveLockPath(join(directory, "a.jsonl"));
    vi.spyOn(fs, "statSync").mockImplementation(() => {
      throw failure("EACCES");
    });
    expect(thrownBy(() => refuseDirectory(path, given))).toMatchObject({
      code: "EDISK",
      message: expect.stringContaining(`Cannot use ${path.sessionFile} for a session: EACCES`) as string,
      sessionFile: given,
      cause: { code: "EACCES" },
    });
  });
});

describe("the names that a lock path needs", () => {
  let path: LockPath;
  let asked: string[] = [];
  let failing: (path: string) => string | undefined = () => undefined;

  beforeEach(() => {
    path = resolveLockPath(join(directory, "a.jsonl"));
    asked = [];
    failing = () => undefined;
    const real = fs.lstatSync;
    vi.spyOn(fs, "lstatSync").mockImplementation(((...args: Parameters<typeof fs.lstatSync>) => {
      const what = String(args[0]);
      asked.push(what);
      const errno = failing(what);
      if (errno !== undefined) throw failure(errno);
      return real(...args);
    }) as typeof fs.lstatSync);
  });

  /** What may be too long, and how it is told from the others. */
  const NEEDED = {
    "the lock": (one: string) => one === path.lockPath,
    "a home": (one: string) => dirname(one) === directory && basename(one).length === LONGEST_HOME_NAME,
    "an owner in a home": (one: string) =>
      basename(one).length === LONGEST_OWNER_NAME && basename(dirname(one)).length === LONGEST_HOME_NAME,
    "an owner in the lock": (one: string) =>
      dirname(one) === path.lockPath && basename(one).length === LONGEST_OWNER_NAME,
  };
  const what = (one: string): string =>
    Object.entries(NEEDED).find(([, is]) => is(one))?.[0] ?? `something else: ${one}`;

  it("are four, and the kernel is asked about each; that none is there yet is fine", () => {
    refuseLongNames(path);
    expect(asked.map(what)).toEqual(Object.keys(NEEDED));
  });

  it.each(Object.keys(NEEDED))("are refused if %s has too long a one", (tooLong) => {
    failing = (one) => (what(one) === tooLong ? "ENAMETOOLONG" : undefined);
    expect(thrownBy(() => refuseLongNames(path))).toMatchObject({
      code: "EINVAL",
      message: `Cannot use the lock path ${path.lockPath}: its name is longer than this file system allows`,
      sessionFile: path.sessionFile,
      lockPath: path.lockPath,
      cause: { code: "ENAMETOOLONG" },
    });
  });

  it("are EDISK if the kernel does not say", () => {
    failing = (one) => (what(one) === "a home" ? "EIO" : undefined);
    expect(thrownBy(() => refuseLongNames(path))).toMatchObject({
      code: "EDISK",
      message: expect.stringContaining(`Cannot use the lock path ${path.lockPath}: EIO`) as string,
      cause: { code: "EIO" },
    });
  });

  it("are fine whatever stands at the lock path: an old lock file has nothing in it", () => {
    fs.writeFileSync(path.lockPath, "{}");
    refuseLongNames(path);
    expect(asked.map(what)).toContain("an owner in the lock");
  });
});

describe("the disk of a directory", () => {
  it("is of the kind whose number the kernel has for it, or of none that is known", () => {
    expect(diskKindOf(directory)).toBe(fs.statfsSync(directory).type);
    fs.writeFileSync(join(directory, "file"), "");
    for (const none of ["missing", "file"]) expect(diskKindOf(join(directory, none))).toBeUndefined();
  });

  // tests A4: by the numbers of linux/magic.h, and of zfs
  const LOCAL = {
    "ext2, ext3 or ext4": 0xef53,
    xfs: 0x58465342,
    btrfs: 0x9123683e,
    tmpfs: 0x01021994,
    overlayfs: 0x794c7630,
    zfs: 0x2fc12fc1,
    f2fs: 0xf2f52010,
  };
  const NOT_KNOWN = {
    nfs: 0x6969,
    cifs: 0xff534d42,
    smb2: 0xfe534d42,
    fuse: 0x65735546,
    "9p": 0x01021997,
    ceph: 0xc36400,
  };
  const on = (platform: string, type: number): boolean => {
    vi.stubGlobal("process", Object.create(process, { platform: { value: platform } }));
    vi.spyOn(fs, "statfsSync").mockReturnValue({ type } as fs.StatsFs);
    return isLocalDisk(directory);
  };

  it.each(Object.entries(LOCAL))(
    "is local if it is %s, on Linux, where the number says so",
    (_name, type) => {
      expect([on("linux", type), on("darwin", type)]).toEqual([true, false]);
    },
  );

  it.each(Object.entries(NOT_KNOWN))("is not known to be local if it is %s", (_name, type) => {
    expect(on("linux", type)).toBe(false);
  });

  it("is not known to be local if it cannot be seen", () => {
    expect(isLocalDisk(join(directory, "missing"))).toBe(false);
  });
});

it("a directory is canonical if no link leads to it, wherever in its path", () => {
  const [real, link] = [join(directory, "real"), join(directory, "link")];
  fs.mkdirSync(join(real, "below"), { recursive: true });
  fs.symlinkSync(real, link);
  const paths = [
    real,
    join(real, "below"),
    link,
    join(link, "below"),
    `${real}/`,
    join(directory, "missing"),
  ];
  expect(paths.map(isCanonical)).toEqual([true, true, false, false, false, false]);
});
