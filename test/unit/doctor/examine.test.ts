/** What the doctor makes, removes and says as a whole; its rows: the other tests here. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { examine, REAL_WORLD } from "../../../src/doctor/doctor.ts";
import { about, worstOf } from "../../../src/doctor/row.ts";
import { newNonce } from "../../../src/owner/identity.ts";
import { formatOwnerName, parseOwnerName } from "../../../src/owner/name.ts";
import { processRegistry } from "../../../src/registry.ts";

let directory = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-examine-")));
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const self = processRegistry().self;
const scratchOf = (pid: string): string =>
  `.swl-doctor-${formatOwnerName({ ...self, pid, tid: pid, life: "-", nonce: newNonce() })}`;
const DEAD = "2147483646";
const failing = (errno: string) => (): never => {
  throw Object.assign(new Error(errno), { code: errno });
};

describe("the rows", () => {
  it("have a worst one: a failure, a warning, what is not known, in this order", () => {
    const { ok, warn, fail, unknown } = about("A1", "x");
    const [fine, bad, worse, open] = [ok("s"), warn("s", "m"), fail("s", "m"), unknown("s", "m")];
    expect(fine).toEqual({ subject: "A1", tried: "x", result: "ok", seen: "s", means: "" });
    expect([bad.result, worse.result, open.result, bad.means]).toEqual(["warn", "fail", "not known", "m"]);
    expect([[], [fine], [fine, open], [open, bad, fine], [bad, worse, open]].map(worstOf)).toEqual([
      "ok",
      "ok",
      "not known",
      "warn",
      "fail",
    ]);
  });

  it("come in the order of the assumptions, each once, with the worst of them as the result", async () => {
    const { directory: of, rows, result } = await examine(join(directory, "."), { quick: true });
    expect([of, result]).toEqual([directory, worstOf(rows)]);
    const subjects = rows.map(({ subject }) => subject);
    expect(subjects).toEqual([...subjects].sort());
    expect([...new Set(subjects)]).toEqual(["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "needs"]);
    expect(new Set(rows.map(({ tried }) => tried)).size).toBe(rows.length);
    expect(rows.find(({ tried }) => tried.startsWith("rename, four"))?.seen).toMatch(/^20 times/);
  });

  it("are of a hundred races more if it need not be quick, and of the world that is given", async () => {
    const seen: unknown[] = [];
    const later = REAL_WORLD.disk.later;
    const disk = {
      ...REAL_WORLD.disk,
      later: ((call, done) => {
        seen.push(call);
        later(call, done);
      }) as typeof later,
    };
    const { rows } = await examine(directory, { world: { ...REAL_WORLD, disk } });
    expect(rows.find(({ tried }) => tried.startsWith("rename, four"))?.seen).toMatch(/^200 times/);
    expect(seen).toHaveLength(800);
    expect(rows.find(({ tried }) => tried.startsWith("a child"))?.seen).not.toBe("not tried");
  });
});

describe("the real world", () => {
  it("has two clocks, one of which may be set", () => {
    vi.spyOn(Date, "now").mockReturnValue(5);
    vi.spyOn(performance, "now").mockReturnValue(7);
    expect([REAL_WORLD.wall(), REAL_WORLD.monotonic()]).toEqual([5, 7]);
  });
});

describe("what the doctor makes", () => {
  it("is in one private directory with its name, which goes, and which whoever is ended by a signal can remove", async () => {
    let made: readonly string[] = [];
    let remove = (): void => expect.unreachable();
    const wall = (): number => {
      if (made.length > 0) return Date.now();
      made = fs.readdirSync(directory);
      const path = join(directory, made[0] ?? "");
      expect(fs.statSync(path).mode & 0o777).toBe(0o700);
      remove();
      expect(fs.readdirSync(directory)).toEqual([]);
      fs.mkdirSync(path);
      return Date.now();
    };
    await examine(directory, {
      quick: true,
      world: { ...REAL_WORLD, wall },
      onScratch: (given) => {
        // A signal may come right after it is made.
        expect(fs.readdirSync(directory)).toEqual([]);
        remove = given;
      },
    });
    expect(made.map((name) => parseOwnerName(name.replace(/^\.swl-doctor-/, ""))?.pid)).toEqual([self.pid]);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("goes also if something fails; and stays, if it cannot be removed", async () => {
    const onScratch = (): void => undefined;
    const wall = failing("a bug");
    const world = { ...REAL_WORLD, wall };
    await expect(examine(directory, { quick: true, onScratch, world })).rejects.toThrow("a bug");
    expect(fs.readdirSync(directory)).toEqual([]);
    vi.spyOn(fs, "rmSync").mockImplementation(failing("EBUSY"));
    await examine(directory, { quick: true });
    vi.restoreAllMocks();
    expect(fs.readdirSync(directory)).toHaveLength(1);
  });

  it("is nothing where nothing can be made: it is said what could not be tried", async () => {
    const mkdir = fs.mkdirSync;
    vi.spyOn(fs, "mkdirSync").mockImplementation(((path: string, options: object) =>
      path.includes(".swl-doctor-") ? failing("EROFS")() : mkdir(path, options)) as typeof fs.mkdirSync);
    const onScratch = vi.fn();
    const { rows, result } = await examine(directory, { quick: true, onScratch });
    const said = rows.map(({ subject, tried, result: how, seen, means }) => [
      subject,
      tried,
      how,
      seen,
      means,
    ]);
    const nothing = "nothing can be made here";
    for (const row of [
      ["needs", "a directory can be made", "fail", "EROFS", "nobody can take a lock here"],
      ["A3", "rename", "not known", "not tried", nothing],
      ["A7", "refusals", "not known", "not tried", nothing],
      ["A8", "a beat moves the mtime", "not known", "not tried", nothing],
    ])
      expect(said).toContainEqual(row);
    expect([result, onScratch.mock.calls.length]).toEqual(["fail", 1]);
    expect(rows.some(({ tried }) => tried.startsWith("a life socket"))).toBe(false);
  });
});

describe.runIf(process.platform === "linux")("what a doctor left that was killed", () => {
  it("goes, if its owner is dead, and nobody else could have put anything there", async () => {
    const [dead, living, shared, link, file] = [DEAD, self.pid, DEAD, DEAD, DEAD].map(scratchOf);
    const names = [dead, living, shared, link, file].map((name) => name ?? "");
    for (const name of names.slice(0, 3))
      fs.mkdirSync(join(directory, name, "x"), { recursive: true, mode: 0o700 });
    fs.chmodSync(join(directory, shared ?? ""), 0o710);
    fs.mkdirSync(join(directory, "elsewhere"), { mode: 0o700 });
    fs.symlinkSync("elsewhere", join(directory, link ?? ""));
    fs.writeFileSync(join(directory, file ?? ""), "", { mode: 0o600 });
    // Not named as the doctor's.
    const other = (dead ?? "").slice(".swl-doctor-".length);
    fs.mkdirSync(join(directory, other), { mode: 0o700 });
    fs.mkdirSync(join(directory, `.swl-doctoR-${other}`), { mode: 0o700 });
    fs.mkdirSync(join(directory, ".swl-doctor-nobody"), { mode: 0o700 });
    const before = fs.readdirSync(directory).sort();
    await examine(directory, { quick: true });
    expect(fs.readdirSync(directory).sort()).toEqual(before.filter((name) => name !== dead));
  });

  it("may go while it is looked at", async () => {
    const gone = scratchOf(DEAD);
    const readdir = fs.readdirSync;
    vi.spyOn(fs, "readdirSync").mockImplementation(((path: string) =>
      path === directory ? [gone, ...readdir(path)] : readdir(path)) as never);
    await expect(examine(directory, { quick: true })).resolves.toMatchObject({ directory });
  });

  it("stays if it is another user's", async () => {
    const name = scratchOf(DEAD);
    fs.mkdirSync(join(directory, name), { mode: 0o700 });
    const uid = process.geteuid?.() ?? 0;
    vi.spyOn(process, "geteuid").mockReturnValue(uid + 1);
    await examine(directory, { quick: true });
    expect(fs.readdirSync(directory)).toContain(name);
  });
});

describe("a path that is no directory", () => {
  it.each([
    ["missing", () => {}, "ENOENT"],
    ["a file", (path: string) => fs.writeFileSync(path, ""), "it is not a directory"],
  ])("is refused: %s", async (_what, make, why) => {
    const path = join(directory, "x");
    make(path);
    const refusal = expect(examine(path)).rejects;
    await refusal.toMatchObject({
      code: "EDISK",
      message: `Cannot examine ${path}: ${why}`,
      sessionFile: path,
    });
  });

  it("is refused too if it cannot be read", async () => {
    vi.spyOn(fs, "readdirSync").mockImplementation(failing("EACCES"));
    await expect(examine(directory)).rejects.toMatchObject({
      code: "EDISK",
      message: `Cannot examine ${directory}: EACCES`,
      cause: { code: "EACCES" },
    });
  });
});
