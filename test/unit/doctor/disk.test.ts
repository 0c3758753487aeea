/** The rows about a disk, word by word: of this one, and of each that breaks A3. Which row sees what: doctor.test.ts. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Disk, type DiskCall, type DiskReply, nodeDisk } from "../../../src/disk.ts";
import { checkDisk } from "../../../src/doctor/disk.ts";
import { LONGEST_HOME_NAME } from "../../../src/paths.ts";
import { BROKEN_DISKS } from "./disks.ts";

// tests A3, A7

let directory = "";
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-doctor-disk-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const TWO_HOLD = "two can hold the lock: do not use it here";
const NOBODY = "nobody can take such a lock here";
const REPLACED = "what others keep at the lock path is replaced";
const IN_OTHER_WORDS = "a refusal is taken for a doubt, and waiting costs more";
const NOT_TRIED = "it could not be tried";
const [ABSENT, EMPTY, FULL, FILE, LINK] = [
  "rename to what is absent",
  "rename to an empty directory",
  "rename to a directory that is not empty",
  "rename to a file",
  "rename to a symbolic link",
];
const UNLINK = "unlink by name";
const RMDIR = "rmdir of a directory that is not empty";
const RACE = "rename, four at the same time";
const WORDS = "refusals are said in the words that are understood";
const LENGTH = "names as long as ours";
const SPELLING = "names that differ in case, or Unicode form";

type Said = readonly [subject: string, result: string, seen: string, means?: string];
type Rows = Readonly<Record<string, Said>>;

async function rowsOf(disk: Disk = nodeDisk, rounds = 4): Promise<Record<string, Said>> {
  const rows = await checkDisk(disk, directory, rounds);
  // Which of the four was first is the kernel's to say, and some file systems have another word for a full directory.
  const words = (text: string): string =>
    text
      .replaceAll(directory, "D")
      .replace(/\[own-\d\]/, "[own-N]")
      .replaceAll("EEXIST", "ENOTEMPTY");
  return Object.fromEntries(
    rows.map(({ subject, tried, result, seen, means }) => [
      tried,
      means === "" ? [subject, result, words(seen)] : [subject, result, words(seen), means],
    ]),
  );
}

const RIGHT: Rows = {
  [ABSENT]: ["A3", "ok", "done"],
  [EMPTY]: ["A3", "ok", "done"],
  [FULL]: ["A3", "ok", "refused: ENOTEMPTY"],
  [FILE]: ["A3", "ok", "refused: ENOTDIR"],
  [LINK]: ["A3", "ok", "refused: ENOTDIR"],
  [UNLINK]: ["A3", "ok", "only the name that was meant"],
  [RMDIR]: ["A3", "ok", "refused: ENOTEMPTY"],
  [RACE]: ["A3", "ok", "4 times, one each time"],
  [WORDS]: ["A7", "ok", "ENOTEMPTY, ENOTDIR, ENOENT. Not seen from here: whether one is ever a lie"],
  [LENGTH]: ["A3", "ok", `${LONGEST_HOME_NAME} characters`],
  [SPELLING]: ["A3", "ok", "other names"],
};
const race = (round: number, told: number, there: string): Said => [
  "A3",
  "fail",
  `round ${round}: ${told} were told that they have it; ${there} is there`,
  TWO_HOLD,
];

/** What is otherwise on each disk that breaks A3. */
const BROKEN: Readonly<Record<string, Rows>> = {
  "merges two directories": {
    [FULL]: ["A3", "fail", "done: it merges the two", TWO_HOLD],
    [RACE]: race(0, 4, "[own-0, own-1, own-2, own-3]"),
    [WORDS]: ["A7", "warn", "done, ENOENT, ENOENT", IN_OTHER_WORDS],
  },
  "replaces a directory that is not empty": {
    [FULL]: ["A3", "fail", "done: it replaces what is there", TWO_HOLD],
    [RACE]: race(0, 4, "[own-N]"),
    [WORDS]: ["A7", "warn", "done, ENOENT, ENOENT", IN_OTHER_WORDS],
  },
  "replaces a file": {
    [FILE]: ["A3", "fail", "done: it replaces what is there", REPLACED],
    [WORDS]: ["A7", "warn", "ENOTEMPTY, done, ENOENT", IN_OTHER_WORDS],
  },
  "follows a symbolic link": {
    [LINK]: ["A3", "fail", "done: then there is link to D/disk-4/lock-target [own]", REPLACED],
  },
  "refuses an empty directory": {
    [EMPTY]: ["A3", "fail", "EPERM: then there is []", NOBODY],
    [FULL]: ["A3", "ok", "refused: EPERM"],
    [RACE]: race(1, 0, "[]"),
    [WORDS]: ["A7", "warn", "EPERM, ENOTDIR, ENOENT", IN_OTHER_WORDS],
  },
  "refuses, and has done it all the same": {
    [FULL]: ["A3", "fail", "ENOTEMPTY: it replaces what is there", TWO_HOLD],
    [RACE]: race(0, 1, "[own-N]"),
    [WORDS]: ["A7", "warn", "ENOTEMPTY, ENOENT, ENOENT", IN_OTHER_WORDS],
  },
  "copies, and leaves what it should move": {
    [ABSENT]: ["A3", "fail", "done: then there is [own]", NOBODY],
    [EMPTY]: ["A3", "fail", "done: then there is [own]", NOBODY],
    [RACE]: race(0, 1, "[own-N]"),
  },
  "looks first, and renames later": { [RACE]: race(0, 4, "[own-N]") },
  "removes what is there, whatever its name": {
    [UNLINK]: [
      "A3",
      "fail",
      "of a name that is not there: done, then []",
      "an owner can lose its lock to others",
    ],
    [WORDS]: ["A7", "warn", "ENOTEMPTY, ENOTDIR, done", IN_OTHER_WORDS],
  },
  "forgets what was removed only later": {
    [UNLINK]: ["A3", "fail", "done, then [own]", "a lock cannot be released"],
  },
  "removes a directory with all that is in it": {
    [RMDIR]: ["A3", "fail", "done, then absent", TWO_HOLD],
  },
};

/** The real disk, with other replies to some calls. */
const diskThat = (answer: (call: DiskCall) => DiskReply | undefined): Disk => ({
  ...nodeDisk,
  now: (call) => answer(call) ?? nodeDisk.now(call),
});
const refused = (errno: string): DiskReply => ({ ok: false, errno, error: new Error(errno) });
const failing = (errno: string) => (): never => {
  throw Object.assign(new Error(errno), { code: errno });
};

describe.runIf(process.platform === "linux")("the rows about a disk", () => {
  it("are as assumed of this one", async () => {
    expect(await rowsOf()).toEqual(RIGHT);
  });

  it.each(BROKEN_DISKS.map(({ name, disk }) => [name, disk] as const))(
    "say what is wrong with one that %s",
    async (name, disk) => {
      expect(await rowsOf(disk)).toEqual({ ...RIGHT, ...BROKEN[name] });
    },
  );

  it("are as many as there are broken disks", () => {
    expect(Object.keys(BROKEN)).toEqual(BROKEN_DISKS.map(({ name }) => name));
  });

  it("ask for no empty directory to be replaced where the disk does not claim to", async () => {
    const isEmpty = (path: string): boolean => {
      const stat = fs.lstatSync(path, { throwIfNoEntry: false });
      return stat?.isDirectory() === true && fs.readdirSync(path).length === 0;
    };
    const answer = (call: DiskCall): DiskReply | undefined =>
      call.call === "rename" && isEmpty(call.to) ? refused("EPERM") : undefined;
    const disk = { ...diskThat(answer), renameReplacesEmpty: false };
    expect(await rowsOf(disk)).toEqual({ ...RIGHT, [EMPTY]: ["A3", "ok", "refused: EPERM"] });
  });

  it("say that a lock cannot be put back, or released", async () => {
    const back = diskThat((call) =>
      call.call === "rename" && /home-\d$/.test(call.to) ? refused("EIO") : undefined,
    );
    expect(await rowsOf(back)).toEqual({
      ...RIGHT,
      [RACE]: ["A3", "fail", "round 0: it cannot be put back: EIO", "a lock cannot be released"],
    });
    fs.rmSync(directory, { recursive: true });
    fs.mkdirSync(directory);
    const own = diskThat((call) =>
      call.call === "unlink" && call.path.endsWith("/own") ? refused("EIO") : undefined,
    );
    expect((await rowsOf(own))[UNLINK]).toEqual([
      "A3",
      "fail",
      "EIO, then [own]",
      "a lock cannot be released",
    ]);
  });

  it("do not say that a lock was released that cannot be seen to be", async () => {
    const blind = diskThat((call) => (call.call === "readdir" ? refused("EIO") : undefined));
    expect((await rowsOf(blind))[UNLINK]).toEqual([
      "A3",
      "fail",
      "done, then []",
      "a lock cannot be released",
    ]);
  });

  it("are not known, and not passed, where a check cannot be made", async () => {
    const throws = failing("EIO");
    const said = await rowsOf({ ...nodeDisk, now: throws, later: throws });
    const { [LENGTH]: length, [SPELLING]: spelling, ...rest } = said;
    expect([length, spelling]).toEqual([RIGHT[LENGTH], RIGHT[SPELLING]]);
    for (const [tried, row] of Object.entries(rest))
      expect(row).toEqual([tried === WORDS ? "A7" : "A3", "not known", "EIO", NOT_TRIED]);
    expect(Object.keys(rest)).toHaveLength(9);
  });

  it("say that our names are too long, or that other names are the same", async () => {
    const make = fs.mkdirSync;
    vi.spyOn(fs, "mkdirSync").mockImplementation(((path: string) =>
      path.endsWith("x") ? failing("ENAMETOOLONG")() : make(path)) as typeof fs.mkdirSync);
    const exists = fs.existsSync;
    const same = { A: true, "e\u0301": true };
    vi.spyOn(fs, "existsSync").mockImplementation((path) => {
      const name = String(path).slice(String(path).lastIndexOf("/") + 1);
      return name in same ? same[name as keyof typeof same] : exists(path);
    });
    const spelled = (what: string): Said => [
      "A3",
      "warn",
      `the same name: ${what}`,
      "always spell a session file in the same way",
    ];
    expect(await rowsOf()).toEqual({
      ...RIGHT,
      [LENGTH]: ["A3", "fail", "ENAMETOOLONG", "nobody can take a lock here"],
      [SPELLING]: spelled("case and Unicode form"),
    });
    for (const [one, other, what] of [
      ["A", "e\u0301", "case"],
      ["e\u0301", "A", "Unicode form"],
    ] as const) {
      fs.rmSync(directory, { recursive: true });
      make(directory);
      Object.assign(same, { [one]: true, [other]: false });
      expect((await rowsOf())[SPELLING]).toEqual(spelled(what));
    }
  });
});
