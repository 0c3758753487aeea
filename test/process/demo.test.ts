import { execFile } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import type { Report } from "../demo/report.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

beforeAll(() => {
  const built = fs.existsSync(`${root}/dist/index.js`);
  if (!built) throw new Error("dist/ is missing: the demo imports the built package, run `npm run build`");
});

describe("the demo", () => {
  it("finds no damage when writers under the lock are killed and replaced", async () => {
    const { code, report } = await runDemo("--seconds", "3", "--processes", "4", "--seed", "1");
    expect(report).toMatchObject({ verdict: "ok", damage: [], failures: [], processes: 4, seed: 1 });
    expect(code).toBe(0);
    expect(report.acquisitions).toBeGreaterThan(0);
    expect(report.kills).toBeGreaterThan(0);
    expect(fs.existsSync(report.directory)).toBe(false);
  });

  it("finds damage when the same is done without the lock, and that is how it should be", async () => {
    const { code, report } = await runDemo("--seconds", "3", "--processes", "4", "--without-lock");
    expect(report.verdict).toBe("damage");
    expect(report.damage.map(({ kind }) => kind)).toContain("two inside at once");
    expect(code).toBe(0);
  });

  it("refuses an unknown option with exit code 2, and says which options there are", async () => {
    const { code, stderr } = await run(["--second", "3"]);
    expect(stderr).toContain("--second");
    expect(stderr).toContain("--seconds N");
    expect(code).toBe(2);
  });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function runDemo(...args: string[]): Promise<Ended & { report: Report & { directory: string } }> {
  const ended = await run([...args, "--json"]);
  if (!ended.stdout.startsWith("{")) throw new Error(`no report: ${ended.stderr}`);
  return { ...ended, report: JSON.parse(ended.stdout) as Report & { directory: string } };
}

function run(args: readonly string[]): Promise<Ended> {
  const command = ["--import", "tsx", "test/demo/demo.ts", ...args];
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      command,
      { cwd: root, maxBuffer: 64 * 2 ** 20 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}
