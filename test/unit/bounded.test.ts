/** What others may have planted at a path that is read or written. The tricks themselves: test/security/. */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  notOurs,
  OWN_DIRECTORY_FLAGS,
  OWN_FILE_FLAGS,
  READ_LIMIT_BYTES,
  readRegularFile,
  withOwnFile,
} from "../../src/bounded.ts";

let directory = "";
let file = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-bounded-")));
  file = join(directory, "file");
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const { O_RDWR, O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = fs.constants;
const posix = process.platform !== "win32";

/** How often files were opened, and not closed again. */
function countOpen(action: () => void): number {
  const [open, close] = [vi.spyOn(fs, "openSync"), vi.spyOn(fs, "closeSync")];
  action();
  return open.mock.results.filter(({ type }) => type === "return").length - close.mock.calls.length;
}

describe("a file that others may have planted", () => {
  it("is read up to the bound, with what its descriptor says of it, and closed", () => {
    fs.writeFileSync(file, Buffer.alloc(READ_LIMIT_BYTES + 1, "x"));
    let found: ReturnType<typeof readRegularFile>;
    const left = countOpen(() => {
      found = readRegularFile(file);
    });
    expect(found?.bytes.equals(Buffer.alloc(READ_LIMIT_BYTES, "x"))).toBe(true);
    expect([found?.stat.size, found?.stat.ino]).toEqual([
      BigInt(READ_LIMIT_BYTES + 1),
      fs.statSync(file, { bigint: true }).ino,
    ]);
    expect(left).toBe(0);
    fs.writeFileSync(file, "short");
    expect(readRegularFile(file)?.bytes.toString()).toBe("short");
  });

  it.runIf(posix)("is not even opened if it is none, and the error of the system call is thrown", () => {
    fs.symlinkSync(file, join(directory, "link"));
    execFileSync("mkfifo", [join(directory, "pipe")]);
    const open = vi.spyOn(fs, "openSync");
    for (const path of [directory, join(directory, "link"), join(directory, "pipe")])
      expect(readRegularFile(path)).toBeUndefined();
    expect(open).not.toHaveBeenCalled();
    expect(() => readRegularFile(file)).toThrow("ENOENT");
  });

  it.runIf(posix)("is not followed, waited for or believed if it is swapped after the first look", () => {
    fs.writeFileSync(file, "x");
    const regular = fs.lstatSync(file);
    const [link, pipe] = [join(directory, "link"), join(directory, "pipe")];
    fs.symlinkSync(file, link);
    execFileSync("mkfifo", [pipe]);
    vi.spyOn(fs, "lstatSync").mockReturnValue(regular);
    expect(() => readRegularFile(link)).toThrow(/ELOOP|EMLINK/);
    expect(readRegularFile(pipe)).toBeUndefined();
  });
});

describe("an owner file of ours", () => {
  it.runIf(posix)("is opened to read and write, not made, not followed, not waited for", () => {
    expect(OWN_FILE_FLAGS).toBe(O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    expect(OWN_DIRECTORY_FLAGS).toBe(O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  });

  it("is given with what it is, and closed, whatever is done with it", () => {
    fs.writeFileSync(file, "content");
    const seen: number[] = [];
    const left = countOpen(() => {
      withOwnFile(file, (fd, { size }) => seen.push(fs.writeSync(fd, "C"), size));
      expect(() =>
        withOwnFile(file, () => {
          throw new Error("on purpose");
        }),
      ).toThrow("on purpose");
    });
    expect(seen).toEqual([1, 7]);
    expect(fs.readFileSync(file, "utf8")).toBe("Content");
    expect(left).toBe(0);
    expect(() => withOwnFile(join(directory, "none"), () => {})).toThrow("ENOENT");
    expect(fs.readdirSync(directory)).toEqual(["file"]);
  });

  it.runIf(posix).each<[string, (path: string) => void]>([
    ["a pipe", (path) => void execFileSync("mkfifo", [path])],
    [
      "a second name of a file",
      (path) => {
        fs.writeFileSync(`${path}.other`, "somebody else's");
        fs.linkSync(`${path}.other`, path);
      },
    ],
  ])("is none that is %s", (_what, plant) => {
    plant(file);
    const use = vi.fn();
    const left = countOpen(() => expect(() => withOwnFile(file, use)).toThrow(notOurs(file)));
    expect([use.mock.calls.length, left]).toEqual([0, 0]);
  });

  it("is called by its path in the error of what is none", () => {
    expect(notOurs("/a")).toMatchObject({
      code: "EINVAL",
      message: "EINVAL: not an owner file of ours, /a",
    });
  });
});
