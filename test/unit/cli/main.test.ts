import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acquireSessionWriteLock } from "../../../src/index.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const CLI = join(root, "dist", "cli", "main.js");
let directory = "";
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-cli-")));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** The built command, as a user has it. */
function run(...args: string[]): { readonly status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("session-write-lock inspect", () => {
  it("says of each lock of a directory who has it, and changes nothing", async () => {
    const lock = await acquireSessionWriteLock({ sessionFile: join(directory, "held.jsonl") });
    const holds = `import { acquireSessionWriteLock } from "session-write-lock";
      await acquireSessionWriteLock({ sessionFile: process.argv[1] }); process.exit();`;
    const dead = join(directory, "left.jsonl");
    const { pid } = spawnSync(process.execPath, ["--input-type=module", "-e", holds, dead], { cwd: root });
    fs.mkdirSync(join(directory, "empty.jsonl.lock"));
    fs.writeFileSync(join(directory, "old.jsonl.lock"), '{"pid":1}');
    fs.mkdirSync(join(directory, "odd.jsonl.lock", "x"), { recursive: true });
    const before = fs.readdirSync(directory, { recursive: true }).sort();

    const { status, stdout, stderr } = run("inspect", directory);

    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      `free    ${directory}/empty.jsonl.lock  an empty directory`,
      `held    ${directory}/held.jsonl.lock  pid ${process.pid} (pid ${process.pid} runs since the owner started)`,
      `stale   ${directory}/left.jsonl.lock  pid ${pid} (pid ${pid} is gone)`,
      `        owner ${fs.readdirSync(`${dead}.lock`)[0]}`,
      `foreign ${directory}/odd.jsonl.lock  it holds names that are not owners`,
      `foreign ${directory}/old.jsonl.lock  a file of 9 bytes`,
      "",
    ]);
    expect(fs.readdirSync(directory, { recursive: true }).sort()).toEqual(before);
    await lock.release();
  });

  it("takes a session file, and gives JSON", () => {
    const { status, stdout } = run("inspect", "--json", join(directory, "a.jsonl"));
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([
      { lockPath: join(directory, "a.jsonl.lock"), state: "free", owners: [], note: "nothing stands there" },
    ]);
  });

  it("says that there is nothing in a directory without locks", () => {
    expect(run("inspect", directory)).toEqual({ status: 0, stdout: "no locks\n", stderr: "" });
  });
});

describe("session-write-lock", () => {
  it.each([
    [[], "session-write-lock: a command is missing"],
    [["brake", "x"], "session-write-lock: there is no command brake"],
    [["--verbose"], "session-write-lock: there is no option --verbose"],
    [["\u001b[2J"], "session-write-lock: there is no command \\u{1b}[2J"],
    [["toString"], "session-write-lock: there is no command toString"],
  ])("refuses %j with exit code 2, and says which commands there are", (args, words) => {
    const { status, stdout, stderr } = run(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toBe(words);
    expect(stderr).toContain("\nUsage: session-write-lock COMMAND ...\n");
  });

  it("is silent when nobody reads on", async () => {
    const child = spawn("sh", ["-c", '"$0" "$@"; echo $? >&2', process.execPath, CLI, "--help"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let said = "";
    child.stderr.on("data", (text: Buffer) => {
      said += text.toString();
    });
    await once(child, "close");
    expect(said).toBe("0\n");
  });

  it.runIf(process.platform === "linux")(
    "says with exit code 74 that its words were lost on a full disk",
    () => {
      const full = fs.openSync("/dev/full", "w");
      const { status, stderr } = spawnSync(process.execPath, [CLI, "--help"], {
        encoding: "utf8",
        stdio: ["ignore", full, "pipe"],
      });
      fs.closeSync(full);
      expect(status).toBe(74);
      expect(stderr).toMatch(/^session-write-lock: Cannot write to standard output: ENOSPC[^\n]*\n$/);
    },
  );

  it("has a version and a help", () => {
    const { version } = JSON.parse(fs.readFileSync(join(root, "package.json"), "utf8")) as {
      version: string;
    };
    expect(run("--version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    expect(run("--help").stdout).toContain("Exit codes: ");
  });
});
