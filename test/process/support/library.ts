/**
 * Broken doubles of the whole library, for real processes to import: a copy of src/ with one guard taken out,
 * compiled as the package is. Each must be caught by the scenario of its guard.
 */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Double, GENERATED, patchSource } from "../../twins/doubles.ts";

export interface LibraryDouble extends Patched {
  /** The name of its directory. */
  readonly name: string;
  /** Other files that are changed with it. */
  readonly also?: readonly Patched[];
}

export interface Patched {
  /** The file of src/ that loses its guard. */
  readonly file: string;
  readonly patches: Double["patches"];
}

export const root: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** The path of the double's entry, for a worker to import. A patch that does not fit the source throws. */
export function buildDouble({ name, file, patches, also = [] }: LibraryDouble): string {
  const sources = [{ file, patches }, ...also].map((patched) => ({
    file: patched.file,
    source: patchSource(patched.file, name, patched.patches),
  }));
  const directory = generate(name);
  fs.cpSync(join(root, "src"), join(directory, "src"), { recursive: true });
  for (const { file, source } of sources) fs.writeFileSync(join(directory, "src", file), source);
  compile(directory, { rootDir: "src", include: ["src"] });
  return join(directory, "dist", "index.js");
}

/** Compiles into `dist` of the directory, as the package is. Types are not checked: they were, with the source. */
export function compile(
  directory: string,
  { rootDir, include }: { readonly rootDir: string; readonly include: readonly string[] },
): void {
  const config = {
    extends: join(root, "tsconfig.build.json"),
    // What a guard leaves behind may be unused.
    compilerOptions: {
      rootDir,
      outDir: "dist",
      noCheck: true,
      isolatedDeclarations: false,
      declaration: false,
      declarationMap: false,
    },
    include,
  };
  fs.writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
  execFileSync(join(root, "node_modules", ".bin", "tsc"), ["-p", directory], { stdio: "pipe" });
}

/** The built package, copied: another copy of the module, in the same process if one likes. */
export function copyLibrary(name: string): string {
  const directory = generate(name);
  fs.cpSync(join(root, "dist"), join(directory, "dist"), { recursive: true });
  return join(directory, "dist", "index.js");
}

/** A directory of this process's own, since test files run at the same time. Those of earlier processes go. */
export function generate(name: string): string {
  fs.mkdirSync(GENERATED, { recursive: true });
  for (const entry of fs.readdirSync(GENERATED)) {
    const [, of, pid] = /^(.*)-(\d+)$/.exec(entry) ?? [];
    const isLeft = of === name && (Number(pid) === process.pid || !runs(Number(pid)));
    if (isLeft) fs.rmSync(join(GENERATED, entry), { recursive: true, force: true, maxRetries: 3 });
  }
  const directory = join(GENERATED, `${name}-${process.pid}`);
  fs.mkdirSync(directory);
  return directory;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
