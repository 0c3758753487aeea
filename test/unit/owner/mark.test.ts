import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  lastBeat,
  markPath,
  ownerDigest,
  parseMarkName,
  readMark,
  removeMark,
  sweepMark,
  writeProbe,
} from "../../../src/owner/mark.ts";

let directory = "";
let mark = "";
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-mark-"));
  mark = markPath(join(directory, "a.lock"), "owner");
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

const NAME = ".swl-mark-0123456789ab-0123456789ab0123456789ab";

describe("the name of a mark", () => {
  // Judges of other versions must find it.
  it("is that of the lock path and the owner, beside the lock", () => {
    expect(markPath("/d/a.lock", "owner")).toBe("/d/.swl-mark-e018dd87fb8d-4c1029697ee358715d3a14a2");
    expect(markPath("/d/b.lock", "owner")).not.toBe(markPath("/d/a.lock", "owner"));
    expect(markPath("/d/a.lock", "other")).not.toBe(markPath("/d/a.lock", "owner"));
  });

  it("says whose it is, and whether it is only a probe", () => {
    expect(parseMarkName(NAME)).toEqual({ owner: "0123456789ab0123456789ab", isProbe: false });
    expect(parseMarkName(`${NAME}.0123456789abcdef`)).toMatchObject({ isProbe: true });
  });

  it.each([
    `x${NAME}`,
    `${NAME}x`,
    `${NAME}.01`,
    `${NAME}.0123456789abcdef0`,
    NAME.slice(0, -1),
    "",
    ".swl-mark-",
  ])("is not %j", (name) => {
    expect(parseMarkName(name)).toBeUndefined();
  });
});

describe("a mark", () => {
  it.each(["0", "-1", "123456789012345678901234567890"])(
    "is the time %s, and when it was written",
    (text) => {
      fs.writeFileSync(mark, `${text}\n`);
      expect(readMark(mark)).toEqual({
        beatAt: BigInt(text),
        writtenAt: fs.statSync(mark, { bigint: true }).mtimeNs,
      });
    },
  );

  it.each(["", "\n", "1", "1\n2\n", " 1\n", "1\n ", "x1\n", "+1\n", "1.5\n", "1".repeat(31).concat("\n")])(
    "is none with %j in it",
    (text) => {
      fs.writeFileSync(mark, text);
      expect(readMark(mark)).toBeUndefined();
    },
  );

  it("is none where there is no file", () => {
    expect(readMark(mark)).toBeUndefined();
    fs.mkdirSync(mark);
    expect(readMark(mark)).toBeUndefined();
  });

  it("is removed, and nobody minds if it was gone", async () => {
    fs.writeFileSync(mark, "");
    await removeMark(mark);
    await removeMark(mark);
    expect(fs.readdirSync(directory)).toEqual([]);
  });
});

describe("the last beat of an owner", () => {
  it("is the mtime of its file, or why there is none", () => {
    fs.writeFileSync(join(directory, "owner"), "");
    fs.mkdirSync(join(directory, "other"));
    expect(lastBeat(directory, "owner")).toBe(
      fs.statSync(join(directory, "owner"), { bigint: true }).mtimeNs,
    );
    expect(lastBeat(directory, "other")).toBe("its file is not a regular file");
    expect(lastBeat(directory, "none")).toBe("ENOENT");
  });
});

describe("a probe", () => {
  const probes = (): readonly string[] => fs.readdirSync(directory);

  it("says when it was written, and becomes the mark", async () => {
    const probe = await writeProbe(mark, -7n);
    const [name = ""] = probes();
    expect(parseMarkName(name)).toEqual({ owner: ownerDigest("owner"), isProbe: true });
    expect(probe.writtenAt).toBe(fs.statSync(join(directory, name), { bigint: true }).mtimeNs);
    await probe.becomeMark();
    expect(readMark(mark)).toEqual({ beatAt: -7n, writtenAt: probe.writtenAt });
    expect(probes()).toHaveLength(1);
  });

  it("goes if it is not wanted, and each has another name", async () => {
    const [one, other] = [await writeProbe(mark, 1n), await writeProbe(mark, 1n)];
    expect(probes()).toHaveLength(2);
    await one.discard();
    await other.discard();
    expect(probes()).toEqual([]);
  });

  it("that cannot be written to its end goes, and what the disk said is thrown; nothing stays open", async () => {
    const open = fs.promises.open;
    const closed: string[] = [];
    vi.spyOn(fs.promises, "open").mockImplementation(async (...args) => {
      const file = await open(...args);
      const close = file.close.bind(file);
      vi.spyOn(file, "sync").mockRejectedValue(new Error("ENOSPC: on purpose"));
      vi.spyOn(file, "close").mockImplementation(async () => {
        closed.push(String(args[0]));
        await close();
      });
      return file;
    });
    await expect(writeProbe(mark, 1n)).rejects.toThrow("ENOSPC: on purpose");
    expect(probes()).toEqual([]);
    expect(closed).toHaveLength(1);
  });

  it.skipIf(process.platform === "win32")(
    "may be read by all, and is never written into what is there",
    async () => {
      const open = vi.spyOn(fs.promises, "open");
      await writeProbe(mark, 1n);
      expect(fs.statSync(join(directory, probes()[0] ?? "")).mode & 0o777).toBe(0o644);
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
      expect(open.mock.calls.map(([, flags]) => flags)).toEqual([O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW]);
    },
  );
});

describe("the sweep of marks", () => {
  const sweepOf = (name: string, isNeeded: boolean): Promise<boolean> =>
    sweepMark(directory, name, new Set(isNeeded ? ["0123456789ab0123456789ab"] : ["of another"]));
  const PROBE = `${NAME}.0123456789abcdef`;

  it("removes one about an owner that stands nowhere any more, and no other", async () => {
    fs.writeFileSync(join(directory, NAME), "");
    expect(await sweepOf(NAME, true)).toBe(false);
    expect(fs.readdirSync(directory)).toEqual([NAME]);
    expect(await sweepOf(NAME, false)).toBe(true);
    expect(fs.readdirSync(directory)).toEqual([]);
    expect(await sweepOf(NAME, false)).toBe(false);
  });

  it("removes a probe that was left for a minute, whoever it is about", async () => {
    fs.writeFileSync(join(directory, PROBE), "");
    const { ctimeMs } = fs.statSync(join(directory, PROBE));
    const now = vi.spyOn(Date, "now");
    now.mockReturnValue(ctimeMs + 59_999);
    expect(await sweepOf(PROBE, true)).toBe(false);
    now.mockReturnValue(ctimeMs + 60_000);
    expect(await sweepOf(PROBE, true)).toBe(true);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("removes nothing of another name", async () => {
    fs.writeFileSync(join(directory, "a.jsonl"), "");
    expect(await sweepOf("a.jsonl", false)).toBe(false);
    expect(fs.readdirSync(directory)).toEqual(["a.jsonl"]);
  });
});
