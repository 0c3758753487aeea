/** The package as a user gets it: packed, and installed beside a consumer. */

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { basename, join } from "node:path";
import { root } from "../process/support/library.ts";

export interface Packed {
  readonly tarball: string;
  /** What is in it, sorted. */
  readonly files: readonly string[];
  readonly packedBytes: number;
  readonly unpackedBytes: number;
}

/** What `npm pack` needs of the repository, and some of what must not get into the package. */
const SOURCES = [
  ...["package.json", "README.md", "CHANGELOG.md", "LICENSE", "src", "tsconfig.json", "tsconfig.build.json"],
  ...["test/package", "spec/security.md", "tla/Lock.tla", "biome.json"],
];

/** Packs a copy: building in the repository would take `dist` away from other tests. */
export function pack(scratch: string): Packed {
  for (const path of SOURCES) fs.cpSync(join(root, path), join(scratch, path), { recursive: true });
  fs.symlinkSync(join(root, "node_modules"), join(scratch, "node_modules"));
  // Of an earlier build, whose source is gone.
  fs.mkdirSync(join(scratch, "dist"));
  fs.writeFileSync(join(scratch, "dist", "stale.js"), "");
  const [packed] = npmPack(scratch, ["--foreground-scripts=false"]);
  if (packed === undefined) throw new Error("npm pack says nothing");
  return {
    tarball: join(scratch, packed.filename),
    files: packed.files.map(({ path }) => path).sort(),
    packedBytes: packed.size,
    unpackedBytes: packed.unpackedSize,
  };
}

interface NpmPacked {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

function npmPack(cwd: string, args: readonly string[]): readonly NpmPacked[] {
  const said = execFileSync("npm", ["pack", "--json", ...args], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return JSON.parse(said.slice(said.indexOf("["))) as readonly NpmPacked[];
}

/** Into a fresh directory, without a network: its dependency is packed from what `npm ci` has installed. */
export function install(tarball: string, consumer: string): void {
  fs.mkdirSync(consumer);
  fs.writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", private: true }));
  const [dependency] = npmPack(consumer, ["--ignore-scripts", join(root, "node_modules", "ts-pattern")]);
  fs.copyFileSync(tarball, join(consumer, basename(tarball)));
  const tarballs = [dependency?.filename ?? "", basename(tarball)].map((name) => `./${name}`);
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", ...tarballs], {
    cwd: consumer,
    stdio: "pipe",
  });
}

/** The files of an installed package, by the names that they have in a tarball. */
export function filesOf(directory: string, name: string): Record<string, string> {
  const paths = fs.readdirSync(directory, { recursive: true, encoding: "utf8" });
  const files = paths.filter((path) => fs.statSync(join(directory, path)).isFile());
  return Object.fromEntries(
    files.map((path) => [`/node_modules/${name}/${path}`, fs.readFileSync(join(directory, path), "utf8")]),
  );
}

/**
 * The public surface: the declaration of every name that the entry exports, without comments. A name that is exported
 * and not declared where it is said to be is an error.
 */
export function apiOf(dist: string): string {
  const exports = [...read(dist, "index.d.ts").matchAll(/^export \{([^}]*)\} from "\.\/([^"]+)\.ts";/gm)];
  return exports
    .flatMap(([, names = "", module = ""]) =>
      names
        .split(",")
        .map((name) => name.replace(/^\s*(type )?/, "").trim())
        .filter(Boolean)
        .map((name) => declarationOf(name, read(dist, `${module}.d.ts`))),
    )
    .sort()
    .join("\n");
}

function declarationOf(name: string, text: string): string {
  const begins = new RegExp(`^export (declare )?(class|const|function|interface|type) ${name}\\b`);
  const statements = withoutComments(text).split(/^(?=(?:export|import|declare|type|interface) |\/\/)/m);
  const found = statements.filter((statement) => begins.test(statement));
  if (found.length === 0) throw new Error(`${name} is exported, but nothing declares it`);
  return found.join("").replaceAll(/\n\s*\n/g, "\n");
}

const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\//g, "");
const read = (dist: string, file: string): string => fs.readFileSync(join(dist, file), "utf8");
