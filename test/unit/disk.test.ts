/** The calls of the disk, at once and in the thread pool: the same replies, and the same left on a real directory. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type DiskCall, type DiskReply, failure, nodeDisk } from "../../src/disk.ts";

let directory = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-disk-")));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  fs.rmSync(directory, { recursive: true, force: true });
});

const at = (...names: readonly string[]): string => join(directory, ...names);
const later = (call: DiskCall): Promise<DiskReply> => new Promise((done) => nodeDisk.later(call, done));
const WAYS: readonly [string, (call: DiskCall) => DiskReply | Promise<DiskReply>][] = [
  ["at once", (call) => nodeDisk.now(call)],
  ["in the thread pool", later],
];
const DONE = { ok: true, names: [] };
const refused = (errno: string): unknown => ({ ok: false, errno, error: expect.any(Error) as unknown });
const posix = process.platform !== "win32";

describe.each(WAYS)("a call that is made %s", (way, make) => {
  it("prepares a home with its files, once", async () => {
    const files = [
      { name: "one", content: "1" },
      { name: "two", content: "2" },
    ];
    const prepare: DiskCall = { call: "prepare", home: at("home"), files };
    expect(await make(prepare)).toEqual(DONE);
    expect(fs.readdirSync(at("home")).map((name) => fs.readFileSync(at("home", name), "utf8"))).toEqual([
      "1",
      "2",
    ]);
    expect(await make(prepare)).toEqual(refused("EEXIST"));
    const twice: DiskCall = { call: "prepare", home: at("other"), files: [...files, ...files] };
    expect(await make(twice)).toEqual(refused("EEXIST"));
  });

  it("renames, lists, unlinks and removes, or says which errno", async () => {
    fs.mkdirSync(at("from"));
    fs.writeFileSync(at("from", "name"), "");
    expect(await make({ call: "rename", from: at("from"), to: at("to") })).toEqual(DONE);
    expect(await make({ call: "rename", from: at("from"), to: at("to") })).toEqual(refused("ENOENT"));
    expect(await make({ call: "readdir", path: at("to") })).toEqual({ ok: true, names: ["name"] });
    expect(await make({ call: "readdir", path: at("from") })).toEqual(refused("ENOENT"));
    expect(await make({ call: "rmdir", path: at("to") })).toEqual(refused("ENOTEMPTY"));
    expect(await make({ call: "unlink", path: at("to", "name") })).toEqual(DONE);
    expect(await make({ call: "unlink", path: at("to", "name") })).toEqual(refused("ENOENT"));
    expect(await make({ call: "rmdir", path: at("to") })).toEqual(DONE);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("beats: an owner file is stamped, and stays as it is", async () => {
    fs.writeFileSync(at("owner"), '{"pid":1}');
    fs.utimesSync(at("owner"), 1, 1);
    expect(await make({ call: "beat", path: at("owner") })).toEqual(DONE);
    expect(fs.statSync(at("owner")).mtimeMs).toBeGreaterThan(1_000);
    expect(fs.readFileSync(at("owner"), "utf8")).toBe('{"pid":1}');
    expect(await make({ call: "beat", path: at("none") })).toEqual(refused("ENOENT"));
    expect(fs.readdirSync(directory)).toEqual(["owner"]);
  });

  it("does not beat what does not begin as an owner file does", async () => {
    fs.writeFileSync(at("other"), "precious");
    fs.utimesSync(at("other"), 1, 1);
    expect(await make({ call: "beat", path: at("other") })).toEqual(refused("EINVAL"));
    expect(fs.statSync(at("other")).mtimeMs).toBe(1_000);
  });

  it.runIf(posix)("does not beat what is no file, and leaves nothing open", async () => {
    const close = way === "at once" ? vi.spyOn(fs, "closeSync") : vi.fn();
    const read = vi.spyOn(fs, "readSync");
    if (way === "at once") {
      vi.spyOn(fs, "fstatSync").mockReturnValue({ isFile: () => false } as fs.Stats);
      fs.writeFileSync(at("owner"), "{");
    } else {
      const open = fs.promises.open;
      vi.spyOn(fs.promises, "open").mockImplementation(async (...args) => {
        const file = await open(...args);
        vi.spyOn(file, "close").mockImplementation(async () => close(undefined as never));
        vi.spyOn(file, "stat").mockResolvedValue({ isFile: () => false } as never);
        vi.spyOn(file, "read").mockImplementation((() => read(0, Buffer.alloc(0))) as never);
        return file;
      });
      fs.writeFileSync(at("owner"), "{");
    }
    expect(await make({ call: "beat", path: at("owner") })).toEqual(refused("EINVAL"));
    expect([close.mock.calls.length, read.mock.calls.length]).toEqual([1, 0]);
  });
});

describe("a call in the thread pool", () => {
  it("replies in a turn of its own, but for prepare, which nobody else can see", async () => {
    let replies = 0;
    const count = (): void => void replies++;
    nodeDisk.later({ call: "prepare", home: at("home"), files: [] }, count);
    expect(replies).toBe(1);
    nodeDisk.later({ call: "readdir", path: directory }, count);
    expect(replies).toBe(1);
    await vi.waitFor(() => expect(replies).toBe(2));
  });
});

describe.runIf(posix)("a home", () => {
  const prepare = (): DiskReply => nodeDisk.now({ call: "prepare", home: at("home"), files: [] });
  const modeOf = (path: string): number => fs.statSync(path).mode & 0o7777;

  it.each([0o700, 0o750, 0o777, 0o1777, 0o2775])("in a directory of mode %o has that mode", (mode) => {
    fs.chmodSync(directory, mode);
    expect(prepare()).toEqual(DONE);
    expect(modeOf(at("home"))).toBe(mode);
  });

  it("does not take over the bit that runs a program as its owner", () => {
    fs.chmodSync(directory, 0o4755);
    prepare();
    expect(modeOf(at("home"))).toBe(0o755);
  });

  it("that is as it should be is not opened to be mended", () => {
    fs.chmodSync(directory, 0o700);
    const open = vi.spyOn(fs, "openSync");
    expect(prepare()).toEqual(DONE);
    expect(open).not.toHaveBeenCalled();
  });

  /** As if the kernel had made it otherwise. */
  function madeAs(change: (stat: fs.Stats) => object): void {
    const lstat = fs.lstatSync;
    vi.spyOn(fs, "lstatSync").mockImplementation(((path: string) => {
      const stat = lstat(path);
      return Object.assign(stat, change(stat));
    }) as typeof fs.lstatSync);
    const fstat = fs.fstatSync;
    vi.spyOn(fs, "fstatSync").mockImplementation(((fd: number) => {
      const stat = fstat(fd);
      return Object.assign(stat, change(stat));
    }) as typeof fs.fstatSync);
  }
  const mends = (): {
    readonly modes: unknown[];
    readonly groups: unknown[];
    readonly closed: () => number;
  } => {
    const found: { modes: unknown[]; groups: unknown[] } = { modes: [], groups: [] };
    vi.spyOn(fs, "fchmodSync").mockImplementation((_fd, mode) => void found.modes.push(mode));
    vi.spyOn(fs, "fchownSync").mockImplementation((_fd, ...ids) => void found.groups.push(ids));
    const close = vi.spyOn(fs, "closeSync");
    return { ...found, closed: () => close.mock.calls.length };
  };

  it("of another group than its parent is given that group, and nothing else is changed", () => {
    fs.chmodSync(directory, 0o700);
    madeAs(({ gid }) => ({ gid: gid + 1 }));
    const { modes, groups, closed } = mends();
    expect(prepare()).toEqual(DONE);
    expect({ modes, groups, closed: closed() }).toEqual({
      modes: [],
      groups: [[-1, fs.statSync(directory).gid]],
      closed: 1,
    });
  });

  it("of another mode than its parent is given that mode, and nothing else is changed", () => {
    fs.chmodSync(directory, 0o750);
    madeAs(() => ({ mode: 0o40700 }));
    const { modes, groups, closed } = mends();
    expect(prepare()).toEqual(DONE);
    expect({ modes, groups, closed: closed() }).toEqual({ modes: [0o750], groups: [], closed: 1 });
  });

  it("that is not ours any more is not mended", () => {
    fs.chmodSync(directory, 0o750);
    madeAs(({ uid, gid }) => ({ mode: 0o40700, gid: gid + 1, uid: uid + 1 }));
    const { modes, groups, closed } = mends();
    expect(prepare()).toEqual(DONE);
    expect({ modes, groups, closed: closed() }).toEqual({ modes: [], groups: [], closed: 1 });
  });

  it("that may not be mended is one all the same; that its mode may not says nothing of its group", () => {
    madeAs(({ gid }) => ({ mode: 0o40000, gid: gid + 1 }));
    const { groups } = mends();
    const refuse = (): never => {
      throw Object.assign(new Error("EPERM"), { code: "EPERM" });
    };
    vi.spyOn(fs, "fchmodSync").mockImplementation(refuse);
    expect(prepare()).toEqual(DONE);
    expect(groups).toHaveLength(1);
    vi.spyOn(fs, "fchownSync").mockImplementation(refuse);
    fs.rmdirSync(at("home"));
    expect(prepare()).toEqual(DONE);
    vi.spyOn(fs, "openSync").mockImplementation(refuse);
    fs.rmdirSync(at("home"));
    expect(prepare()).toEqual(DONE);
  });
});

describe("a failure", () => {
  it.each<[unknown, string, string]>([
    [Object.assign(new Error("words"), { code: "EIO" }), "EIO", "words"],
    [Object.assign(new Error("words"), { code: 7 }), "words", "words"],
    // Of another realm.
    [{ code: "EIO", message: "words" }, "EIO", "words"],
    ["thrown", "thrown", "thrown"],
    [null, "null", "null"],
  ])("of %# has an errno, and an error", (thrown, errno, message) => {
    const found = failure(thrown);
    expect(found).toMatchObject({ ok: false, errno, error: { message } });
    if (typeof thrown === "object" && thrown !== null) expect(found.error).toBe(thrown);
  });
});

describe("the real disk", () => {
  it("is one whose rename puts a directory in the place of an empty one, on this platform", () => {
    expect(nodeDisk.renameReplacesEmpty).toBe(posix);
  });
});
