import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { acquireSessionWriteLock, tryAcquireSessionWriteLock } from "../../src/index.ts";

/** The directories that were swept for space. */
const swept: string[] = vi.hoisted(() => []);
vi.mock("../../src/sweep.ts", async (importOriginal) => ({
  ...(await importOriginal<typeof import("../../src/sweep.ts")>()),
  sweepForSpace: (directory: string) => void swept.push(directory),
}));

let directory = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-full-")));
  swept.length = 0;
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

type Fails = { readonly code: string; readonly errno?: number };

/** Whatever is called so fails, in the directory. */
function failing(call: "mkdirSync" | "renameSync", how: Fails): void {
  const real = fs[call] as (...args: unknown[]) => unknown;
  vi.spyOn(fs, call).mockImplementation((...args: unknown[]) => {
    if (String(args[0]).startsWith(join(directory, ".swl-"))) throw Object.assign(new Error(how.code), how);
    return real(...args) as undefined;
  });
}

describe("what the dead have left is looked for", () => {
  it.each<[string, Fails, boolean]>([
    ["there is no space", { code: "ENOSPC", errno: -28 }, true],
    [
      "the quota is used up, for which Node.js 20 has no name",
      { code: "Unknown system error -122", errno: -122 },
      true,
    ],
    ["there is no permission", { code: "EACCES", errno: -13 }, false],
    ["nobody knows why", { code: "EIO" }, false],
  ])("if %s: %o, %s", async (_why, how, isFull) => {
    failing("mkdirSync", how);
    const asked = { sessionFile: join(directory, "a.jsonl"), timeoutMs: 1_000 };
    await expect(acquireSessionWriteLock(asked)).rejects.toMatchObject({ code: "EDISK" });
    expect(swept).toEqual(isFull ? [directory] : []);
  });

  it("if a try cannot move its home to a full disk's directory", async () => {
    failing("renameSync", { code: "ENOSPC", errno: -28 });
    const asked = { sessionFile: join(directory, "a.jsonl") };
    await expect(tryAcquireSessionWriteLock(asked)).rejects.toMatchObject({ code: "EDISK" });
    expect(swept).toEqual([directory]);
  });
});
