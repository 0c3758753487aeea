/**
 * Tricks of somebody who may write to the directory of the sessions, and wants our process to do something elsewhere, with
 * its rights: spec/security.md. Each guard has a double without it, which does what the trick is for.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { withOwnFile } from "../../src/bounded.ts";
import { performNow } from "../../src/disk.ts";
import { acquireSessionWriteLock } from "../../src/index.ts";
import { rewriteContent } from "../../src/owner/content.ts";
import { newNonce, readOwnerScope } from "../../src/owner/identity.ts";
import { openLifeSocket } from "../../src/owner/life.ts";
import { markPath, readMark, writeProbe } from "../../src/owner/mark.ts";
import { formatOwnerName, homeName } from "../../src/owner/name.ts";
import { createObserver } from "../../src/owner/observe.ts";
import { createOwners } from "../../src/owners.ts";
import { sweep } from "../../src/sweep.ts";
import { listing } from "../process/support/scenario.ts";
import { type Double, loadPatched } from "../twins/doubles.ts";

const posix = process.platform !== "win32";
const self = readOwnerScope(createObserver());

/** Where everybody may write, and a directory of ours that is somewhere else. */
let directory: string;
let elsewhere: string;
beforeEach(() => {
  const scratch = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-security-")));
  directory = join(scratch, "sessions");
  elsewhere = join(scratch, "elsewhere");
  fs.mkdirSync(directory);
  fs.mkdirSync(elsewhere, { mode: 0o700 });
  // More than the umask leaves: so a home has to be mended, and the window is open.
  fs.chmodSync(directory, 0o775);
  fs.writeFileSync(join(elsewhere, "precious"), "precious", { mode: 0o600 });
  fs.writeFileSync(join(elsewhere, ".DS_Store"), "ours too");
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  fs.rmSync(join(directory, ".."), { recursive: true, force: true });
});

const modeOf = (path: string): string => (fs.statSync(path).mode & 0o7777).toString(8);
const newName = (): string => formatOwnerName({ ...self, life: "-", nonce: newNonce() });

/** A file of src/ in which `attack` is called behind the first line given, and perhaps a guard is gone. */
function attacked<T>(
  file: string,
  name: string,
  [line, path]: readonly [line: string, path: string],
  attack: (path: string) => void,
  without: Double["patches"] = [],
): Promise<T> {
  vi.stubGlobal("swlAttack", attack);
  const call = `(globalThis as unknown as { swlAttack(path: string): void }).swlAttack(${path});`;
  return loadPatched<T>(file, name, [[line, `${line}\n${call}`], ...without]);
}

const swapForLink =
  (target: string) =>
  (path: string): void => {
    fs.renameSync(path, join(directory, "aside"));
    fs.symlinkSync(target, path);
  };

describe.runIf(posix)("a home that is swapped for a link before its mode is mended", () => {
  const MADE = ["  fs.mkdirSync(directory, { mode });", "directory"] as const;
  type DiskModule = typeof import("../../src/disk.ts");
  const prepare = ({ performNow }: DiskModule): void => {
    const name = newName();
    const home = join(directory, homeName("a.jsonl.lock", name));
    performNow({ call: "prepare", home, files: [{ name, content: "{}\n" }] });
  };

  it("leads to no change of what the link leads to", async () => {
    prepare(await attacked("disk.ts", "AttackedHome", MADE, swapForLink(elsewhere)));
    expect(fs.lstatSync(join(directory, "aside")).isDirectory()).toBe(true);
    expect(modeOf(elsewhere)).toBe("700");
  });

  it("twin: with chmod of the path, it gets the mode of the sessions", async () => {
    const byPath: Double["patches"] = [
      ["    ignoreErrors(() => mend(directory, mode, parent.gid));", "    fs.chmodSync(directory, mode);"],
    ];
    prepare(await attacked("disk.ts", "MendByPath", MADE, swapForLink(elsewhere), byPath));
    expect(modeOf(elsewhere)).toBe("775");
  });
});

describe.runIf(process.platform === "linux")("a life socket that is swapped for a link", () => {
  const LISTENS = ["    if (!server.listening) return undefined;", "join(directory, early)"] as const;
  type LifeModule = typeof import("../../src/owner/life.ts");
  const open = (module: LifeModule): void => module.openLifeSocket(directory)?.close();

  it("before everybody may ask it leads to no change of what the link leads to", async () => {
    open(await attacked("owner/life.ts", "AttackedLife", LISTENS, swapForLink(join(elsewhere, "precious"))));
    expect(fs.lstatSync(join(directory, "aside")).isSocket()).toBe(true);
    expect(modeOf(join(elsewhere, "precious"))).toBe("600");
  });

  it("twin: with chmod of the path, as writableAll does, everybody may write to it", async () => {
    const byPath: Double["patches"] = [
      ["    letEverybodyAsk(join(directory, early));", "    chmodSync(join(directory, early), 0o777);"],
    ];
    open(
      await attacked("owner/life.ts", "AskByPath", LISTENS, swapForLink(join(elsewhere, "precious")), byPath),
    );
    expect(modeOf(join(elsewhere, "precious"))).toBe("777");
  });

  it("is not what happens otherwise: everybody may ask", () => {
    const socket = openLifeSocket(directory);
    expect(modeOf(join(directory, `.swl-life-${socket?.life}`))).toBe("777");
    socket?.close();
  });
});

describe.runIf(posix)("what is planted under the name of an owner file of ours", () => {
  type Bounded = typeof import("../../src/bounded.ts");
  const PLANTS: readonly (readonly [what: string, plant: (path: string) => void])[] = [
    ["a hard link", (path) => fs.linkSync(join(elsewhere, "precious"), path)],
    ["a symbolic link", (path) => fs.symlinkSync(join(elsewhere, "precious"), path)],
    ["a link to nothing", (path) => fs.symlinkSync(join(elsewhere, "new"), path)],
    ["a directory", (path) => fs.mkdirSync(path)],
  ];
  for (const [what, plant] of PLANTS) {
    it(`${what}: is not written to, neither by a beat nor with metadata`, () => {
      const path = join(directory, newName());
      plant(path);
      const before = [...listing(elsewhere), fs.lstatSync(path).ino];
      expect(performNow({ call: "beat", path })).toMatchObject({ ok: false });
      rewriteContent(path, '{"pid":1}');
      expect([...listing(elsewhere), fs.lstatSync(path).ino]).toEqual(before);
    });
  }

  it("twin: without the look at what was opened, a hard link is", async () => {
    const path = join(directory, newName());
    fs.linkSync(join(elsewhere, "precious"), path);
    const gone: Double["patches"] = [
      ["  if (stat.isFile() && stat.nlink === 1) return;", "  if (stat.nlink > 0) return;"],
    ];
    const broken = await loadPatched<Bounded>("bounded.ts", "WriteToLinks", gone);
    broken.withOwnFile(path, (fd) => fs.writeSync(fd, "{", 0));
    expect(fs.readFileSync(join(elsewhere, "precious"), "utf8")).toBe("{recious");
    expect(() => withOwnFile(path, (fd) => fs.writeSync(fd, "x", 0))).toThrow(
      /EINVAL: not an owner file of ours/,
    );
  });
});

describe.runIf(posix)("a link in the place of a mark", () => {
  it("is not read, and is replaced itself, not what it leads to", async () => {
    const mark = markPath(join(directory, "a.jsonl.lock"), newName());
    fs.writeFileSync(join(elsewhere, "precious"), "4711\n");
    fs.symlinkSync(join(elsewhere, "precious"), mark);
    expect(readMark(mark)).toBeUndefined();
    await (await writeProbe(mark, 1n)).becomeMark();
    expect(readMark(mark)?.beatAt).toBe(1n);
    expect(fs.readFileSync(join(elsewhere, "precious"), "utf8")).toBe("4711\n");
  });

  it("twin: a file there is read", () => {
    const mark = markPath(join(directory, "a.jsonl.lock"), newName());
    fs.writeFileSync(mark, "4711\n");
    expect(readMark(mark)?.beatAt).toBe(4711n);
  });
});

describe.runIf(posix)("a link that is named like the home of a dead owner", () => {
  const owners = createOwners(self);
  /** No pid is that high. */
  const dead = { ...self, pid: "2147483646", tid: "2147483646", life: "-" };
  const plant = (): string => {
    const name = formatOwnerName({ ...dead, nonce: newNonce() });
    const link = join(directory, homeName("a.jsonl.lock", name));
    fs.symlinkSync(elsewhere, link);
    return link;
  };

  it("leads the sweep nowhere: also what is named like junk stays", async () => {
    const link = plant();
    const before = listing(elsewhere);
    expect(await sweep(directory, owners)).toEqual([]);
    expect(listing(elsewhere)).toEqual(before);
    expect(fs.lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it("twin: a sweep that follows it removes what is named like junk", async () => {
    plant();
    const follow: Double["patches"] = [
      ["await fs.open(path, OWN_DIRECTORY_FLAGS)", 'await fs.open(path, "r")'],
    ];
    const broken = await loadPatched<typeof import("../../src/sweep.ts")>("sweep.ts", "FollowHomes", follow);
    await broken.sweep(directory, owners);
    expect(fs.readdirSync(elsewhere)).toEqual(["precious"]);
  });

  it("a real home of the dead goes, with the junk in it", async () => {
    const name = formatOwnerName({ ...dead, nonce: newNonce() });
    const home = join(directory, homeName("a.jsonl.lock", name));
    fs.mkdirSync(home);
    for (const file of [name, ".DS_Store", "._a"]) fs.writeFileSync(join(home, file), "");
    expect(await sweep(directory, owners)).toHaveLength(1);
    expect(fs.existsSync(home)).toBe(false);
  });
});

describe.runIf(posix)("a directory that is swapped for a link while a lock is held", () => {
  it("leads to nothing elsewhere, and the holder is told", async () => {
    vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const other = join(elsewhere, "a.jsonl.lock");
    fs.mkdirSync(other);
    fs.writeFileSync(join(other, newName()), "{}");
    const lock = await acquireSessionWriteLock({ sessionFile: join(directory, "a.jsonl") });
    const before = listing(elsewhere);
    fs.renameSync(directory, `${directory}.aside`);
    fs.symlinkSync(elsewhere, directory);
    expect(() => lock.assertHeld()).toThrow(/Cannot rely on session lock/);
    await lock.release();
    const second = acquireSessionWriteLock({ sessionFile: lock.sessionFile, timeoutMs: 300 });
    await expect(second).rejects.toMatchObject({ code: "ELOCKED" });
    expect(listing(elsewhere).filter((entry) => !entry.startsWith(".swl-"))).toEqual(before);
  });
});
