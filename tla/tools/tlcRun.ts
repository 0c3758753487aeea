import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import type { Toolchain } from "./jar.ts";
import type { ModelConfig } from "./manifest.ts";
import { type Outcome, readOutcome, readProgress } from "./tlcOutput.ts";
import { errnoOf, Interrupted, ToolError } from "./toolError.ts";

/** TLC keeps states on disk, but slows down badly when the fingerprints do not fit. */
const smallestHeapMb = 1024;
/** The largest configurations of the manifest stay far below; more would only delay the collector. */
const largestHeapMb = 6144;
/** Two cores are shared with others in CI, and so is the memory. */
const heapShareOfFree = 0.6;

/** A shrunken search ends early, a wrong one may never end: the gate must. */
const limitMs = { gate: 30 * 60_000, deep: 6 * 60 * 60_000 };

/** Java ends by itself on SIGTERM; if it does not, nobody waits for it. */
const killAfterMs = 5_000;

export interface RunOptions {
  readonly workers?: 1;
  /** Writes the state graph here, for dump.ts. */
  readonly dumpFile?: string;
  readonly limitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (distinct: number) => void;
}

export interface TlcRun {
  readonly outcome: Outcome;
  readonly output: string;
  readonly seconds: number;
}

/** Runs TLC once, in a copy of the folder: it leaves _TTrace_ modules, states and more beside the spec. */
export async function runTlc(
  toolchain: Toolchain,
  dir: string,
  model: ModelConfig,
  options: RunOptions = {},
): Promise<TlcRun> {
  const copy = await mkdtemp(join(tmpdir(), "session-write-lock-tlc-"));
  try {
    for (const file of await readdir(dir)) {
      if (/\.(tla|cfg)$/.test(file)) await cp(join(dir, file), join(copy, file));
    }
    const started = performance.now();
    const ended = await runJava(argumentsFor(toolchain, copy, model, options), copy, {
      ...options,
      limitMs: options.limitMs ?? (model.deep ? limitMs.deep : limitMs.gate),
    });
    const seconds = (performance.now() - started) / 1000;
    return { outcome: readOutcome(ended), output: ended.output, seconds };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

function argumentsFor(toolchain: Toolchain, copy: string, model: ModelConfig, options: RunOptions): string[] {
  const workers = String(options.workers ?? model.workers);
  return [
    "-XX:+UseParallelGC", // TLC warns without it
    `-Xmx${heapMb()}m`,
    `-Djava.io.tmpdir=${copy}`, // TLC unpacks its standard modules there and leaves them
    "-Dfile.encoding=UTF-8",
    "-cp",
    toolchain.jar,
    "tlc2.TLC",
    ...["-workers", workers],
    ...["-fp", "0"], // with one worker: the same order of states on every run
    // By default liveness is also checked on the way, when some seconds have passed: other numbers every time.
    ...["-lncheck", "final"],
    ...["-metadir", join(copy, "states")], // by default named by the second, which two runs may share
    ...["-config", model.config],
    ...(options.dumpFile === undefined ? [] : ["-dump", "dot,actionlabels", options.dumpFile]),
    model.module,
  ];
}

function heapMb(): number {
  const share = Math.floor((freemem() / 2 ** 20) * heapShareOfFree);
  return Math.min(largestHeapMb, Math.max(smallestHeapMb, share));
}

interface JavaEnded {
  readonly output: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
}

function runJava(args: string[], cwd: string, options: RunOptions): Promise<JavaEnded> {
  options.signal?.throwIfAborted();
  const child = spawn("java", args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let timedOut = false;
  let reaper: NodeJS.Timeout | undefined;
  const stop = (): void => {
    child.kill("SIGTERM");
    reaper ??= setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  };
  const limit = setTimeout(() => {
    timedOut = true;
    stop();
  }, options.limitMs);
  options.signal?.addEventListener("abort", stop, { once: true });

  return new Promise<JavaEnded>((resolve, reject) => {
    const output: string[] = [];
    const gather = (stream: NodeJS.ReadableStream): void => {
      stream.setEncoding("utf8");
      stream.on("data", (chunk: string) => {
        output.push(chunk);
        reportProgress(chunk, options);
      });
    };
    gather(child.stdout);
    gather(child.stderr);
    child.on("error", (error) => {
      const reason = errnoOf(error) === "ENOENT" ? "there is no java on the PATH" : error.message;
      reject(
        new ToolError("run TLC", reason, "Install a Java runtime and put it on the PATH.", { cause: error }),
      );
    });
    child.on("close", (code, signal) => {
      if (options.signal?.aborted) reject(options.signal.reason);
      else resolve({ output: output.join(""), code, signal, timedOut });
    });
  }).finally(() => {
    clearTimeout(limit);
    clearTimeout(reaper);
    options.signal?.removeEventListener("abort", stop);
  });
}

function reportProgress(chunk: string, options: RunOptions): void {
  for (const line of chunk.split("\n")) {
    const distinct = readProgress(line);
    if (distinct !== undefined) options.onProgress?.(distinct);
  }
}

/** Aborts on Ctrl-C and SIGTERM, so that java ends and the copy is removed before this process ends. */
export function stopOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    // Not "once": Ctrl-C reaches this process directly and again through tsx, and a second signal without a
    // listener would end it before java has ended.
    process.on(name, () => controller.abort(new Interrupted(name)));
  }
  return controller.signal;
}
