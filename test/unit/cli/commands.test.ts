import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { breakLock } from "../../../src/cli/break.ts";
import { clean } from "../../../src/cli/clean.ts";
import { exitCodeOf, fail } from "../../../src/cli/command.ts";
import { doctor } from "../../../src/cli/doctor.ts";
import { inspect } from "../../../src/cli/inspect.ts";
import { run } from "../../../src/cli/run.ts";
import { acquireSessionWriteLock } from "../../../src/index.ts";
import { newNonce, readOwnerScope } from "../../../src/owner/identity.ts";
import { formatOwnerName, homeName } from "../../../src/owner/name.ts";
import { createObserver } from "../../../src/owner/observe.ts";
import { record } from "./recorder.ts";

let directory = "";
let file = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-commands-")));
  file = join(directory, "a.jsonl");
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const scope = readOwnerScope(createObserver());
/** No pid is that large: proved dead. */
const dead = (): string =>
  formatOwnerName({ ...scope, pid: "2147483646", tid: "2147483646", life: "-", nonce: newNonce() });
/** Of another boot: cannot be judged from here. */
const unknown = (): string =>
  formatOwnerName({ ...scope, boot: "0123456789abcdef", life: "-", nonce: newNonce() });

/** Puts a lock there that an owner has. */
function plant(owner: string, name = "a.jsonl"): string {
  const lock = join(directory, `${name}.lock`);
  fs.mkdirSync(lock);
  fs.writeFileSync(join(lock, owner), "{}");
  return lock;
}

describe("every command", () => {
  it.each(Object.entries({ inspect, clean, break: breakLock, doctor, run }))(
    "%s has a help with its exit codes, on standard output",
    async (name, command) => {
      for (const help of ["--help", ...(name === "run" ? [] : ["-h"])]) {
        const { code, out, err } = await record(command, [help]);
        expect({ code, err }).toEqual({ code: 0, err: [] });
        expect(out[0]).toContain(`Usage: session-write-lock ${name} `);
        expect(out.join("\n")).toContain("Exit codes: ");
      }
      // In the list of commands.
      expect(command.summary).toMatch(/^[a-z ,]+$/);
    },
  );

  it.each([
    [inspect, [], "inspect needs a path"],
    [inspect, ["--jsn", "x"], "Unknown option '--jsn'"],
    [inspect, ["--dry-run", "x"], "Unknown option '--dry-run'"],
    [inspect, ["--json=yes", "x"], "does not take an argument"],
    [clean, [], "clean needs one directory"],
    [clean, ["x", "y"], "clean needs one directory"],
    [breakLock, ["x"], "break needs a session file, and the name of an owner"],
    [breakLock, ["x", "y", "z"], "break needs a session file, and the name of an owner"],
    [doctor, [], "doctor needs one directory"],
    [doctor, ["x", "y"], "doctor needs one directory"],
    [run, [], "run needs a session file"],
    [run, ["--json", "x", "--", "true"], "Unknown option '--json'"],
  ])(
    "refuses a wrong command line with exit code 2, and says how it is used (%#)",
    async (command, args, words) => {
      const { code, out, err } = await record(command, args);
      expect({ code, out }).toEqual({ code: 2, out: [] });
      expect(err[0]).toContain(`session-write-lock: `);
      expect(err[0]).toContain(words);
      expect(err[1]).toContain("Usage: session-write-lock ");
    },
  );
});

describe("an error that is not the library's", () => {
  it("is thrown again, and nothing is said of it", () => {
    const terminal = { print: vi.fn(), complain: vi.fn(), paint: (_style: string, text: string) => text };
    const bug = new TypeError("a bug");
    expect(() => fail(bug, terminal)).toThrow(bug);
    expect(terminal.complain).not.toHaveBeenCalled();
    expect(exitCodeOf(bug)).toBe(74);
  });
});

describe("inspect", () => {
  it("shows the names of owners that are not proved alive, for break", async () => {
    const owner = unknown();
    const lock = plant(owner);
    expect(await record(inspect, [file])).toEqual({
      code: 0,
      out: [
        `unknown ${lock}  pid ${process.pid} (another boot id; cannot be judged from here)`,
        `        owner ${owner}`,
      ],
      err: [],
    });
  });

  it("escapes what others have put into names", async () => {
    fs.mkdirSync(join(directory, "x\n\u001b[31m\u202eevil\u009b.lock", "y"), { recursive: true });
    const { out } = await record(inspect, [directory]);
    expect(out).toEqual([
      `foreign ${directory}/x\\u{a}\\u{1b}[31m\\u{202e}evil\\u{9b}.lock  it holds names that are not owners`,
    ]);
  });

  it("paints only the state", async () => {
    plant(dead());
    const [plain] = (await record(inspect, [directory])).out;
    const [painted] = (await record(inspect, [directory], { colours: true })).out;
    expect(painted).toBe(plain?.replace("stale   ", "\u001b[33mstale   \u001b[39m"));
  });

  it("paints each state in another colour", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile: join(directory, "held") });
    plant(dead(), "stale");
    plant(unknown(), "unknown");
    plant("not ours", "foreign");
    fs.mkdirSync(join(directory, "free.lock"));
    const { out } = await record(inspect, [directory], { colours: true });
    await lock.release();
    const colours = out.flatMap((line) => {
      const [, colour, state] = /^\W\[(\d+)m(\w+) *\W\[/.exec(line) ?? [];
      return state === undefined ? [] : [[state, colour]];
    });
    expect(Object.fromEntries(colours)).toEqual({
      free: "2",
      held: "32",
      stale: "33",
      unknown: "35",
      foreign: "31",
    });
  });

  it("shows all owners of a lock, but no names for break of one that is proved alive", async () => {
    const lock = plant(dead());
    fs.writeFileSync(join(lock, unknown()), "{}");
    const { out } = await record(inspect, [file]);
    expect(out[0]).toMatch(/ {2}pid \d+ \(.*\), pid \d+ \(.*\)$/);
    expect(out.slice(1).map((line) => line.replace(/own1[-\w]+/, "NAME"))).toEqual([
      "        owner NAME",
      "        owner NAME",
    ]);
    const held = await acquireSessionWriteLock({ sessionFile: join(directory, "held") });
    expect((await record(inspect, [join(directory, "held")])).out).toHaveLength(1);
    await held.release();
  });

  it("says that there are none, unless that could not be seen, or was asked for as JSON", async () => {
    expect(await record(inspect, [directory])).toEqual({ code: 0, out: ["no locks"], err: [] });
    expect(await record(inspect, ["--json", directory])).toEqual({ code: 0, out: ["[]"], err: [] });
    expect((await record(inspect, [""])).out).toEqual([]);
    plant(dead());
    expect(JSON.parse((await record(inspect, ["--json", file])).out.join("\n"))).toMatchObject([
      { state: "stale" },
    ]);
  });

  it("says with exit code 74 what cannot be read, and shows the rest", async () => {
    fs.writeFileSync(file, "");
    const { code, out, err } = await record(inspect, [join(file, "x"), "", file]);
    expect(code).toBe(74);
    expect(out).toEqual([`free    ${directory}/a.jsonl.lock  nothing stands there`]);
    expect(err).toEqual([
      `session-write-lock: Cannot look at the locks of ${file}/x: ENOTDIR`,
      "session-write-lock: Cannot look at the locks of : it must be a path, a string that is not empty",
    ]);
  });
});

describe("clean", () => {
  it("removes what the dead left, says so, and leaves everything else", async () => {
    const lock = plant(dead());
    const kept = plant(unknown(), "b.jsonl");
    const home = homeName("a.jsonl.lock", dead());
    fs.mkdirSync(join(directory, home));
    fs.writeFileSync(join(directory, "old.lock"), "x");
    expect(await record(clean, [directory])).toEqual({
      code: 0,
      out: [`removed ${lock}  pid 2147483646 (pid 2147483646 is gone)`, `removed ${home}`],
      err: [],
    });
    expect(fs.readdirSync(directory).sort()).toEqual(["b.jsonl.lock", "old.lock"]);
    expect(fs.readdirSync(kept)).toHaveLength(1);
    expect(await record(clean, [directory])).toEqual({ code: 0, out: ["nothing to remove"], err: [] });
  });

  it("only says what it would remove, with --dry-run", async () => {
    const lock = plant(dead());
    const before = fs.readdirSync(directory, { recursive: true });
    const { code, out } = await record(clean, ["--dry-run", directory]);
    expect(code).toBe(0);
    expect(out).toEqual([`would remove ${lock}  pid 2147483646 (pid 2147483646 is gone)`]);
    expect(fs.readdirSync(directory, { recursive: true })).toEqual(before);
  });

  it("removes old lock files of the dead only with --migrate-legacy-locks", async () => {
    const lock = join(directory, "a.jsonl.lock");
    const claim = { pid: 2_147_483_646, createdAt: "2026-01-01T00:00:00.000Z" };
    fs.writeFileSync(lock, JSON.stringify(claim));
    expect((await record(clean, [directory])).out).toEqual(["nothing to remove"]);
    const { out } = await record(clean, ["--migrate-legacy-locks", "--dry-run", directory]);
    expect(out).toEqual([
      `would remove ${lock}  an old lock file of pid 2147483646, made at 2026-01-01T00:00:00.000Z; pid 2147483646 is gone`,
    ]);
    expect(fs.existsSync(lock)).toBe(true);
    // On a disk that is not known to be local it stays, and is said to.
    const { code } = await record(clean, ["--migrate-legacy-locks", directory]);
    expect(fs.existsSync(lock)).toBe(code === 1);
  });

  it("says with exit code 1 what it could not remove", async () => {
    const owner = dead();
    fs.mkdirSync(join(directory, "a.jsonl.lock", owner), { recursive: true });
    const { code, out } = await record(clean, [directory]);
    expect(code).toBe(1);
    expect(out).toHaveLength(1);
    expect(out[0]).toMatch(/^kept {4}.*it cannot be removed: (EISDIR|EPERM)$/);
  });

  it("has nothing to say of a lock that somebody else removed meanwhile", async () => {
    plant(dead());
    vi.spyOn(fs, "unlinkSync").mockImplementation(() => {
      throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    });
    expect(await record(clean, [directory])).toEqual({ code: 0, out: ["nothing to remove"], err: [] });
  });

  it("paints what it did, what it would do, and what it could not", async () => {
    plant(dead());
    fs.mkdirSync(join(directory, "b.jsonl.lock", dead()), { recursive: true });
    const words = async (...args: readonly string[]): Promise<readonly string[]> =>
      (await record(clean, [...args, directory], { colours: true })).out.map((line) =>
        line.replace(/\/.*/, ""),
      );
    const would = "\u001b[33mwould remove \u001b[39m";
    expect(await words("--dry-run")).toEqual([would, would]);
    expect(await words()).toEqual(["\u001b[32mremoved \u001b[39m", "\u001b[31mkept    \u001b[39m"]);
  });

  it("gives JSON, and 74 for a directory that is none", async () => {
    const lock = plant(dead());
    const { code, out } = await record(clean, ["--json", directory]);
    expect(code).toBe(0);
    expect(JSON.parse(out.join("\n"))).toMatchObject({
      locks: [{ lockPath: lock, state: "stale", removed: true }],
      cleaned: [{ lockPath: lock }],
      leftovers: [],
    });
    expect(await record(clean, [join(directory, "none")])).toEqual({
      code: 74,
      out: [],
      err: [`session-write-lock: Cannot look at the locks of ${directory}/none: ENOENT`],
    });
  });
});

describe("break", () => {
  it("takes a lock away from exactly the owner that was named", async () => {
    const owner = unknown();
    const lock = plant(owner);
    const another = unknown();
    expect(await record(breakLock, [file, another])).toEqual({
      code: 1,
      out: [`${file} not there: ${another}`],
      err: [],
    });
    expect(fs.readdirSync(lock)).toEqual([owner]);
    expect(await record(breakLock, [file, owner])).toEqual({
      code: 0,
      out: [`${file} broken: it was owned by ${owner}`],
      err: [],
    });
    expect(fs.existsSync(lock)).toBe(false);
    expect((await record(breakLock, ["--json", file, owner])).out.join("")).toContain('"broken": false');
  });

  it("refuses an owner that lives with exit code 75, and what is no owner with 2", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile: file });
    const [owner = ""] = fs.readdirSync(lock.lockPath);
    const { code, err } = await record(breakLock, [file, owner]);
    expect(code).toBe(75);
    expect(err[0]).toContain(`session-write-lock: Cannot break the session lock ${lock.lockPath}: `);
    expect((await record(breakLock, [file, "../../b.jsonl"])).code).toBe(2);
    expect(lock.isHeld()).toBe(true);
    lock.assertHeld();
    await lock.release();
  });
});

describe("doctor", () => {
  it("prints a line for each row, and exits with 0 without warnings", async () => {
    const { code, out, err } = await record(doctor, ["--quick", directory]);
    const { rows } = JSON.parse((await record(doctor, ["--quick", "--json", directory])).out.join("\n")) as {
      rows: readonly { readonly result: string; readonly tried: string }[];
    };
    const warned = rows.some(({ result }) => result === "warn");
    expect({ code, err }).toEqual({ code: warned ? 1 : 0, err: [] });
    expect(out).toHaveLength(rows.length);
    for (const [i, { result, tried }] of rows.entries())
      expect(out[i]).toMatch(`${result.padEnd(9)}  ${tried}`);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("exits with 1 for a warning", async () => {
    fs.chmodSync(directory, 0o777);
    const { code, out } = await record(doctor, ["--quick", directory]);
    expect(code).toBe(1);
    expect(
      out.filter((line) => line.startsWith("A2    warn       who may write in this directory")),
    ).toHaveLength(1);
  });

  it("exits with 74 for what is no directory", async () => {
    fs.writeFileSync(file, "");
    const { code, out, err } = await record(doctor, [file]);
    expect({ code, out, err }).toEqual({
      code: 74,
      out: [],
      err: [`session-write-lock: Cannot examine ${file}: it is not a directory`],
    });
  });
});
