/** The package as a user gets it: packed, looked at by the tools of others, installed, imported, run; on old and new versions of Node.js. */

import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkPackage, createPackageFromTarballData, Package } from "@arethetypeswrong/core";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import type { Child } from "../process/support/child.ts";
import { AT_ONCE_MS } from "../process/support/figures.ts";
import { root } from "../process/support/library.ts";
import { type Session, scenario, skipWithout } from "../process/support/scenario.ts";
import pinnedNodes from "./nodes/package.json" with { type: "json" };
import { nodeCommand, otherNodes } from "./nodes.ts";
import { apiOf, filesOf, install, type Packed, pack } from "./packed.ts";

let scratch: string;
let packed: Packed;
let consumer: string;
let installed: string;

/** It takes 5 s: a limit for what hangs, as that of the tests. */
const HANGS_MS = 240_000;

beforeAll(() => {
  scratch = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "swl-package-")));
  fs.mkdirSync(join(scratch, "packed"));
  packed = pack(join(scratch, "packed"));
  consumer = join(scratch, "consumer");
  install(packed.tarball, consumer);
  installed = join(consumer, "node_modules", manifest.name);
}, HANGS_MS);
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

describe("the tarball", () => {
  it("holds the build, the sources that its source maps lead to, and the pages; nothing else", () => {
    const sources = fs.readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
    const modules = sources
      .filter((path) => path.endsWith(".ts"))
      .map((path) => path.slice(0, -".ts".length));
    const built = modules.flatMap((name) =>
      [".d.ts", ".d.ts.map", ".js", ".js.map"].map((suffix) => `dist/${name}${suffix}`),
    );
    const pages = ["CHANGELOG.md", "LICENSE", "README.md", "package.json"];
    const expected = [...pages, ...built, ...modules.map((name) => `src/${name}.ts`)];
    expect(modules.length).toBeGreaterThan(20);
    expect(packed.files).toEqual(expected.sort());
  });

  it("is small", () => {
    console.log(
      `packed ${packed.packedBytes} bytes, unpacked ${packed.unpackedBytes}, ${packed.files.length} files`,
    );
    // 221 kB today; more than twice of that would be a mistake, not a feature.
    expect(packed.packedBytes).toBeLessThan(450_000);
  });

  it("has one dependency, and that is all that gets installed", () => {
    expect(Object.keys(manifest.dependencies)).toEqual(["ts-pattern"]);
    const names = fs.readdirSync(join(consumer, "node_modules")).filter((name) => !name.startsWith("."));
    expect(names.sort()).toEqual(["session-write-lock", "ts-pattern"]);
  });

  it("runs nothing when it is installed", () => {
    const installing = ["preinstall", "install", "postinstall", "prepare"];
    expect(Object.keys(manifest.scripts).filter((name) => installing.includes(name))).toEqual([]);
  });
});

describe("the tools of others", () => {
  /** It is ESM. `require` of it: see "on Node.js". */
  const ESM_ONLY = [{ kind: "CJSResolvesToESM", entrypoint: ".", resolutionKind: "node16-cjs" }];

  it("publint finds nothing, in strict mode", async () => {
    const { buffer, byteOffset, byteLength } = fs.readFileSync(packed.tarball);
    const tarball = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    expect((await publint({ pack: { tarball }, strict: true })).messages).toEqual([]);
  });

  it("twin: publint finds an entry that is not there", async () => {
    const pkgDir = join(scratch, "broken");
    fs.cpSync(installed, pkgDir, { recursive: true });
    fs.rmSync(join(pkgDir, "dist", "index.js"));
    const { messages } = await publint({ pkgDir, pack: false, strict: true });
    expect(messages.map(({ code }) => code)).toContain("FILE_DOES_NOT_EXIST");
  });

  it("are-the-types-wrong finds nothing but that it is ESM", async () => {
    const tarball = new Uint8Array(fs.readFileSync(packed.tarball));
    const { problems } = (await checkPackage(createPackageFromTarballData(tarball))) as {
      problems?: unknown;
    };
    expect(problems).toEqual(ESM_ONLY);
  });

  it("twin: are-the-types-wrong finds an entry whose types are not there", async () => {
    const files = filesOf(installed, manifest.name);
    delete files[`/node_modules/${manifest.name}/dist/index.d.ts`];
    const broken = new Package(files, manifest.name, manifest.version);
    const { problems } = (await checkPackage(broken)) as { problems?: readonly { kind: string }[] };
    expect(problems?.map(({ kind }) => kind)).toContain("UntypedResolution");
  });
});

describe("the public surface", () => {
  it("is the one of api.txt; if it changed on purpose: npx vitest run test/package -u", async () => {
    await expect(apiOf(join(installed, "dist"))).toMatchFileSnapshot("api.txt");
  });

  it("is the one entry: nothing else can be imported", () => {
    expect(exportsOf("session-write-lock/package.json", "{ with: { type: 'json' } }").code).toBeUndefined();
    for (const inner of ["dist/registry.js", "src/registry.ts", "dist/index.js"]) {
      expect(exportsOf(`session-write-lock/${inner}`)).toEqual({ code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
    }
  });

  it("the values that can be imported are those that are declared", () => {
    const declared = apiOf(join(installed, "dist"));
    const values = [...declared.matchAll(/^export declare (?:class|const|function) (\w+)/gm)].map(
      ([, name]) => name,
    );
    expect(exportsOf("session-write-lock")).toEqual({ names: [...new Set(values)].sort() });
  });
});

/** What a consumer gets by import, or the code of the error. */
function exportsOf(
  specifier: string,
  options = "{}",
): { readonly names?: readonly string[]; readonly code?: string } {
  const script = `const report = import(${JSON.stringify(specifier)}, ${options}).then(
    (module) => ({ names: Object.keys(module).sort() }),
    ({ code }) => ({ code }),
  );
  console.log(JSON.stringify(await report));`;
  const args = ["--no-warnings", "--input-type=module", "-e", script];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: consumer, encoding: "utf8" })) as object;
}

describe("a TypeScript consumer", () => {
  /** Strict, and without the types of Node.js: the library's own declarations must do. */
  const OPTIONS = {
    target: "es2022",
    lib: ["es2022", "dom", "esnext.disposable"],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
  };
  const PROGRAM = `import {
  acquireSessionWriteLock, type AcquireSessionWriteLockParams, type SessionWriteLock, type SessionWriteLockError,
  withSessionWriteLock,
} from "session-write-lock";
const params: AcquireSessionWriteLockParams = { sessionFile: "s/ts.jsonl", metadata: { run: "r1" }, timeoutMs: 1_000 };
{
  await using lock: SessionWriteLock = await acquireSessionWriteLock(params);
  const signal: AbortSignal = lock.signal;
  // @ts-expect-error a handle is no number
  const wrong: number = lock;
  console.log(lock.isHeld(), signal.aborted, typeof wrong);
}
const length: number = await withSessionWriteLock(params, (lock) => lock.sessionFile.length);
// @ts-expect-error there is no such option
await acquireSessionWriteLock({ sessionFile: "s/ts.jsonl", timeout: 1 }).catch((error: SessionWriteLockError) => {
  console.log(error.code, length > 0);
});
`;
  const compiler = join(root, "node_modules", "typescript");
  /** The one that are-the-types-wrong brings along: TypeScript 5.6. */
  const oldCompiler = dirname(
    createRequire(createRequire(import.meta.url).resolve("@arethetypeswrong/core")).resolve(
      "typescript/package.json",
    ),
  );
  let program: string;
  beforeAll(() => {
    program = join(consumer, "ts");
    fs.mkdirSync(program);
    fs.writeFileSync(join(program, "package.json"), JSON.stringify({ type: "module" }));
    fs.writeFileSync(join(program, "main.ts"), PROGRAM);
  });

  /** What the compiler says; nothing if all is well. */
  function compile(compiler: string, options: object): string {
    const config = { compilerOptions: { ...OPTIONS, ...options }, files: ["main.ts"] };
    fs.writeFileSync(join(program, "tsconfig.json"), JSON.stringify(config));
    const bin = (
      JSON.parse(fs.readFileSync(join(compiler, "package.json"), "utf8")) as { bin: { tsc: string } }
    ).bin.tsc;
    const { stdout, stderr } = spawnSync(process.execPath, [join(compiler, bin), "-p", program], {
      encoding: "utf8",
    });
    return stdout + stderr;
  }

  it.each([
    ["node16", "node16"],
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("is compiled, module %s, moduleResolution %s", (module, moduleResolution) => {
    expect(compile(compiler, { module, moduleResolution, noEmit: true })).toBe("");
  });

  it("is compiled by TypeScript 5.6 too, runs, and gives its lock back by `await using`", () => {
    expect(compile(oldCompiler, { module: "nodenext", moduleResolution: "nodenext" })).toBe("");
    const said = execFileSync(process.execPath, [join(program, "main.js")], {
      cwd: consumer,
      encoding: "utf8",
    });
    expect(said).toBe("true false object\nEINVAL true\n");
  });

  it("twin: a declaration of ours that leads inside is found", () => {
    const declarations = join(installed, "dist", "index.d.ts");
    const kept = fs.readFileSync(declarations, "utf8");
    fs.writeFileSync(declarations, `${kept}\nexport { type Entry } from "./registry.ts";\n`);
    try {
      const said = compile(compiler, { module: "nodenext", moduleResolution: "nodenext", noEmit: true });
      expect(said).toContain("registry.d.ts");
    } finally {
      fs.writeFileSync(declarations, kept);
    }
  });
});

// ------------------------------------------------------------------------------------------------
// On Node.js

/** `require` of ESM is there from 20.19 and 22.12 on. */
const VERSIONS = [
  { alias: "node20", require: "ERR_REQUIRE_ESM" },
  { alias: "node22", require: "held, released" },
  { alias: "node24", require: "held, released" },
] as const;

const ROUND = `async (lock) => {
  const held = lock.isHeld();
  await lock.release();
  console.log(held && !lock.isHeld() ? "held, released" : "no lock");
}`;
const REQUIRES = `try {
  require("session-write-lock").acquireSessionWriteLock({ sessionFile: "s/a.jsonl" }).then(${ROUND});
} catch (error) {
  console.log(error.code);
}`;
const IMPORTS = `import("session-write-lock").then(({ acquireSessionWriteLock }) =>
  acquireSessionWriteLock({ sessionFile: "s/a.jsonl" })).then(${ROUND});`;

it("engines says what is tested: the lowest version is the one that it allows", () => {
  const [lowest = ""] = Object.values(pinnedNodes.dependencies).map((pin) => pin.split("@")[1]);
  expect(`${manifest.engines.node}.0.0`).toBe(`>=${lowest}`);
});

it("npx runs the command", () => {
  const said = execFileSync("npx", ["--no-install", "session-write-lock", "--version"], {
    cwd: consumer,
    encoding: "utf8",
  });
  expect(said.trim()).toBe(manifest.version);
});

for (const { alias, require } of VERSIONS) {
  const version = pinnedNodes.dependencies[alias].split("@")[1];
  const node = nodeCommand(alias);
  const start = (session: Session, who: string): Promise<Child> =>
    session.start(who, { node, library: join(installed, "dist", "index.js") });
  const needs = [otherNodes];

  describe(`on Node.js ${version}`, () => {
    const run = (...args: string[]): string =>
      execFileSync(node, args, { cwd: consumer, encoding: "utf8" }).trim();

    it("it is imported, and the command runs", (context) => {
      skipWithout(needs, context);
      expect(run("--version")).toBe(`v${version}`);
      expect(run("-e", IMPORTS)).toBe("held, released");
      expect(run("--input-type=module", "-e", IMPORTS)).toBe("held, released");
      expect(run(join(consumer, "node_modules", ".bin", manifest.name), "--version")).toBe(manifest.version);
    });

    it(`require of it: ${require}`, (context) => {
      skipWithout(needs, context);
      expect(run("--no-warnings", "-e", REQUIRES)).toBe(require);
    });

    scenario("two processes exclude each other", { needs }, async (session) => {
      const both = [await start(session, "one"), await start(session, "two")];
      const answers = await Promise.all(both.map((child) => child.ask("sections", { count: 50 })));
      expect(answers.map(({ sections }) => sections)).toEqual([50, 50]);
      session.expectAlone(answers.flatMap(({ found }) => found as string[]));
      expect(session.counter()).toBe(100);
    });

    scenario(
      "a holder that is killed is taken over at once, by either version",
      { needs },
      async (session) => {
        const dead = await start(session, "dead");
        await dead.acquire();
        await dead.kill();
        const next = await session.start("next");
        const taken = await next.acquire();
        expect(taken).toMatchObject({ held: true, found: ["dead"] });
        await next.kill();
        const last = await (await start(session, "last")).acquire();
        expect(last).toMatchObject({ held: true, found: ["next"] });
        expect(Math.max(taken.waitedMs, last.waitedMs)).toBeLessThan(AT_ONCE_MS);
      },
    );

    scenario(
      "a worker thread that is terminated frees the lock, and its process lives",
      { needs },
      async (session) => {
        const host = await start(session, "host");
        await host.ask("startThread", { who: "thread" });
        const command = { do: "acquire" };
        expect(await host.ask("tellThread", { who: "thread", command })).toMatchObject({ held: true });
        await host.ask("terminateThread", { who: "thread" });
        const acquired = await (await start(session, "next")).acquire();
        expect(acquired).toMatchObject({ held: true, found: ["thread"] });
        expect(host.isRunning()).toBe(true);
      },
    );
  });
}
