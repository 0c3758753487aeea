/** A3: what `rename`, `unlink` and `rmdir` do here, one after the other and at the same time. */

import fs from "node:fs";
import { join } from "node:path";
import type { Disk, DiskReply } from "../disk.ts";
import { errnoText } from "../errors.ts";
import { LONGEST_HOME_NAME, LONGEST_OWNER_NAME } from "../paths.ts";
import { about, type Row } from "./row.ts";

export async function checkDisk(disk: Disk, scratch: string, rounds: number): Promise<readonly Row[]> {
  const place = places(scratch);
  const rows = RENAMES.map((rename) => guarded(rename.tried, () => checkRename(disk, place(), rename)));
  return [
    ...rows,
    guarded(UNLINK, () => checkUnlink(disk, place())),
    guarded(RMDIR, () => checkRmdir(disk, place())),
    await checkRace(disk, place(), rounds),
    checkErrors(disk, place()),
    guarded(LENGTH, () => checkLength(place())),
    guarded(SPELLING, () => checkSpelling(place())),
  ];
}

/** A new directory for each check. */
function places(scratch: string): () => string {
  let count = 0;
  return () => {
    const path = join(scratch, `disk-${count++}`);
    fs.mkdirSync(path);
    return path;
  };
}

/** A check that cannot be made is not passed. */
function guarded(tried: string, check: () => Row): Row {
  try {
    return check();
  } catch (error) {
    return about("A3", tried).unknown(errnoText(error), "it could not be tried");
  }
}

// ------------------------------------------------------------------------------------------------
// rename

interface RenameCase {
  readonly tried: string;
  /** Puts something at the lock path. */
  readonly put: (lock: string) => void;
  readonly taken: boolean | typeof EMPTY;
  readonly otherwise: string;
}

/** Where they are not, `Clear` removes them first. */
const EMPTY = "where empty ones are replaced";

const TWO_HOLD = "two can hold the lock: do not use it here";
const NOBODY = "nobody can take such a lock here";

const RENAMES: readonly RenameCase[] = [
  { tried: "rename to what is absent", put: () => {}, taken: true, otherwise: NOBODY },
  {
    tried: "rename to an empty directory",
    put: (lock) => fs.mkdirSync(lock),
    taken: EMPTY,
    otherwise: NOBODY,
  },
  {
    tried: "rename to a directory that is not empty",
    put: (lock) => makeDirectory(lock, "another"),
    taken: false,
    otherwise: TWO_HOLD,
  },
  {
    tried: "rename to a file",
    put: (lock) => fs.writeFileSync(lock, "another's"),
    taken: false,
    otherwise: "what others keep at the lock path is replaced",
  },
  {
    tried: "rename to a symbolic link",
    put: (lock) => {
      fs.mkdirSync(`${lock}-target`);
      fs.symlinkSync(`${lock}-target`, lock);
    },
    taken: false,
    otherwise: "what others keep at the lock path is replaced",
  },
];

const OWN = "own";

function checkRename(disk: Disk, place: string, { tried, put, taken, otherwise }: RenameCase): Row {
  const [home, lock] = [join(place, "home"), join(place, "lock")];
  makeDirectory(home, OWN);
  put(lock);
  const before = look(lock);
  const reply = disk.now({ call: "rename", from: home, to: lock });
  const after = look(lock);
  const moved = after === `[${OWN}]` && look(home) === "absent";
  const kept = after === before && look(home) === `[${OWN}]`;
  const { ok, fail } = about("A3", tried);
  const takes = taken === EMPTY ? disk.renameReplacesEmpty : taken;
  if (takes ? reply.ok && moved : !reply.ok && kept) return ok(takes ? "done" : `refused: ${wordOf(reply)}`);
  const merged = after.includes("another") && after.includes(OWN);
  const what = merged ? "it merges the two" : moved ? "it replaces what is there" : `then there is ${after}`;
  return fail(`${wordOf(reply)}: ${what}`, otherwise);
}

const wordOf = (reply: DiskReply): string => (reply.ok ? "done" : reply.errno);

const RACE = "rename, four at the same time";
const RACERS = [0, 1, 2, 3] as const;

/** Four threads of the pool, to a lock that is absent or empty: one gets it, the others keep their homes, and it puts it back. */
async function checkRace(disk: Disk, place: string, rounds: number): Promise<Row> {
  const { ok, fail, unknown } = about("A3", RACE);
  const lock = join(place, "lock");
  const homes = RACERS.map((racer) => join(place, `home-${racer}`));
  try {
    for (const [racer, home] of homes.entries()) makeDirectory(home, `${OWN}-${racer}`);
    for (let round = 0; round < rounds; round++) {
      if (round % 2 === 1 && disk.renameReplacesEmpty) fs.mkdirSync(lock);
      const replies = await Promise.all(homes.map((home) => renameLater(disk, home, lock)));
      const winners = RACERS.filter((racer) => replies[racer]?.ok);
      const [winner] = winners;
      const right = RACERS.map((racer) => (racer === winner ? "absent" : `[${OWN}-${racer}]`));
      const found = homes.map(look);
      if (winners.length !== 1 || look(lock) !== `[${OWN}-${winner}]` || found.join() !== right.join()) {
        const there = look(lock);
        return fail(
          `round ${round}: ${winners.length} were told that they have it; ${there} is there`,
          TWO_HOLD,
        );
      }
      const back = disk.now({ call: "rename", from: lock, to: homes[winner ?? 0] ?? "" });
      if (!back.ok)
        return fail(`round ${round}: it cannot be put back: ${back.errno}`, "a lock cannot be released");
    }
    return ok(`${rounds} times, one each time`);
  } catch (error) {
    return unknown(errnoText(error), "it could not be tried");
  }
}

function renameLater(disk: Disk, from: string, to: string): Promise<DiskReply> {
  return new Promise((done) => disk.later({ call: "rename", from, to }, done));
}

// ------------------------------------------------------------------------------------------------
// unlink, rmdir

const UNLINK = "unlink by name";

function checkUnlink(disk: Disk, place: string): Row {
  const lock = join(place, "lock");
  makeDirectory(lock, OWN);
  const { ok, fail } = about("A3", UNLINK);
  const other = disk.now({ call: "unlink", path: join(lock, "other") });
  if (other.ok || look(lock) !== `[${OWN}]`) {
    return fail(
      `of a name that is not there: ${wordOf(other)}, then ${look(lock)}`,
      "an owner can lose its lock to others",
    );
  }
  const own = disk.now({ call: "unlink", path: join(lock, OWN) });
  const listed = disk.now({ call: "readdir", path: lock });
  const gone = listed.ok && listed.names.length === 0;
  if (!own.ok || !gone) return fail(`${wordOf(own)}, then ${look(lock)}`, "a lock cannot be released");
  return ok("only the name that was meant");
}

const RMDIR = "rmdir of a directory that is not empty";

function checkRmdir(disk: Disk, place: string): Row {
  const lock = join(place, "lock");
  makeDirectory(lock, OWN);
  const reply = disk.now({ call: "rmdir", path: lock });
  const { ok, fail } = about("A3", RMDIR);
  if (reply.ok || look(lock) !== `[${OWN}]`) return fail(`${wordOf(reply)}, then ${look(lock)}`, TWO_HOLD);
  return ok(`refused: ${reply.errno}`);
}

// ------------------------------------------------------------------------------------------------
// A7: the errors that the protocol understands. Any other is a doubt, which costs a look and a new home.

function checkErrors(disk: Disk, place: string): Row {
  const { ok, warn, unknown } = about("A7", "refusals are said in the words that are understood");
  const [home, full, file] = [join(place, "home"), join(place, "full"), join(place, "file")];
  try {
    for (const path of [home, full]) makeDirectory(path, OWN);
    fs.writeFileSync(file, "");
    const said = [
      { of: disk.now({ call: "rename", from: home, to: full }), understood: ["ENOTEMPTY", "EEXIST"] },
      { of: disk.now({ call: "rename", from: home, to: file }), understood: ["ENOTDIR"] },
      { of: disk.now({ call: "unlink", path: join(full, "other") }), understood: ["ENOENT"] },
    ].map(({ of, understood }) => ({ word: wordOf(of), is: !of.ok && understood.includes(of.errno) }));
    const words = said.map(({ word }) => word).join(", ");
    if (said.every(({ is }) => is)) return ok(`${words}. Not seen from here: whether one is ever a lie`);
    return warn(words, "a refusal is taken for a doubt, and waiting costs more");
  } catch (error) {
    return unknown(errnoText(error), "it could not be tried");
  }
}

// ------------------------------------------------------------------------------------------------
// Names

const LENGTH = "names as long as ours";

function checkLength(place: string): Row {
  const { ok, fail } = about("A3", LENGTH);
  try {
    makeDirectory(join(place, "x".repeat(LONGEST_HOME_NAME)), "x".repeat(LONGEST_OWNER_NAME));
    return ok(`${LONGEST_HOME_NAME} characters`);
  } catch (error) {
    return fail(errnoText(error), "nobody can take a lock here");
  }
}

const SPELLING = "names that differ in case, or Unicode form";

function checkSpelling(place: string): Row {
  fs.writeFileSync(join(place, "a"), "");
  fs.writeFileSync(join(place, "\u00e9"), "");
  const same = [
    ...(fs.existsSync(join(place, "A")) ? ["case"] : []),
    ...(fs.existsSync(join(place, "e\u0301")) ? ["Unicode form"] : []),
  ];
  const { ok, warn } = about("A3", SPELLING);
  if (same.length === 0) return ok("other names");
  return warn(`the same name: ${same.join(" and ")}`, "always spell a session file in the same way");
}

// ------------------------------------------------------------------------------------------------

function makeDirectory(path: string, name: string): void {
  fs.mkdirSync(path);
  fs.writeFileSync(join(path, name), "", { flag: "wx" });
}

/** What stands at a path: one of `absent`, `[names]`, `file content`, `link to target`. */
function look(path: string): string {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "absent";
  if (stat.isSymbolicLink()) return `link to ${fs.readlinkSync(path)} ${look(fs.readlinkSync(path))}`;
  if (stat.isDirectory()) return `[${fs.readdirSync(path).sort().join(", ")}]`;
  return `file ${fs.readFileSync(path, "utf8")}`;
}
