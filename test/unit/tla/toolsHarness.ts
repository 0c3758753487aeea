import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, jarName } from "../../../tla/tools/jar.ts";

export const root: string = fileURLToPath(new URL("../../../", import.meta.url));
export const fixtures: string = join(root, "test", "support", "tla");

export async function temporaryFolder(atEnd: (clean: () => Promise<void>) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "session-write-lock-test-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Why TLC cannot run here, or undefined: then the tests with a real TLC run, and must pass. */
export function whyNoTlc(): string | undefined {
  const answers = (command: string, arg: string): boolean => spawnSync(command, [arg]).status === 0;
  if (!answers("java", "-version")) return "there is no java";
  const hasJar = process.env["TLA2TOOLS_JAR"] || existsSync(join(cacheFolder(process.env), jarName));
  return hasJar || answers("mvn", "-version") ? undefined : "there is no TLC jar and no mvn";
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Tool = "tlc" | "graph" | "findings";

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Called with the process as soon as it runs. */
  readonly meanwhile?: (child: { kill(signal: NodeJS.Signals): boolean }) => Promise<void>;
}

/** Runs a tool as `npm run` does, but with the node that runs the tests, so that PATH may be anything. */
export async function runTool(tool: Tool, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const program = join(root, "tla", "tools", `${tool}.ts`);
  const child = spawn(process.execPath, ["--import", "tsx", program, ...args], {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<Ran>((resolve, reject) => {
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        text[name] += chunk;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...text }));
  });
  await options.meanwhile?.(child);
  return ended;
}

/** A folder for PATH with programs written in JavaScript. They find node by its absolute path. */
export async function fakePath(folder: string, programs: Readonly<Record<string, string>>): Promise<string> {
  const bin = join(folder, "bin");
  await mkdir(bin, { recursive: true });
  for (const [name, body] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!${process.execPath}\n${body}\n`);
    await chmod(join(bin, name), 0o755);
  }
  return bin;
}

/** A java that knows its version and does `body` for anything else. */
export function fakeJava(body: string, version = "17.0.15"): string {
  const printVersion = `console.error('openjdk version "${version}" 2025-04-15');`;
  return `if (process.argv[2] === "-version") { ${printVersion} } else { ${body} }`;
}

/** A file that passes for the TLC jar, because its hash is named on purpose. */
export async function fakeJar(folder: string): Promise<NodeJS.ProcessEnv> {
  const jar = join(folder, "tlc.jar");
  await writeFile(jar, "not a jar");
  const sha256 = createHash("sha256").update("not a jar").digest("hex");
  return { TLA2TOOLS_JAR: jar, TLA2TOOLS_SHA256: sha256 };
}
