/**
 * A copy of a package for one process: a module registry of its own, and a world of its own. The files are those of the
 * package as npm installs it, unchanged. They are compiled with other values for the globals through which the world
 * comes in (the clock, timers, chance, the pid), and `require` gives them the file system that the harness wants where
 * they ask for `fs` or `graceful-fs`. What happens at the end of a process is no part of the harness: `signal-exit`
 * does nothing.
 */

import fs from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname } from "node:path";
import { compileFunction } from "node:vm";

export interface World {
  /** What `require("fs")` gives. */
  readonly fs: object;
  /** Tells the pids, and the chance, of processes apart. */
  readonly index: number;
  now(): number;
  setTimeout(callback: () => void, ms: number): object;
  clearTimeout(timer: unknown): void;
}

const require = createRequire(import.meta.url);

/** The version that is installed. */
export function versionOf(name: string): string {
  return (require(`${name}/package.json`) as { readonly version: string }).version;
}

/** A fresh copy of a module, `proper-lockfile` or `proper-lockfile/lib/lockfile.js`. */
export function loadCopy(id: string, world: World): unknown {
  const globals = globalsOf(world);
  const copies = new Map<string, { exports: unknown }>();
  const mocks: Readonly<Record<string, unknown>> = {
    fs: world.fs,
    "graceful-fs": world.fs,
    "signal-exit": () => {},
  };
  const load = (file: string): unknown => {
    const known = copies.get(file);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    copies.set(file, module);
    const resolver = createRequire(file);
    const requireHere = (wanted: string): unknown => {
      const name = wanted.replace(/^node:/, "");
      if (mocks[name] !== undefined) return mocks[name];
      return isBuiltin(name) ? resolver(name) : load(resolver.resolve(wanted));
    };
    const values = [module.exports, requireHere, module, file, dirname(file), ...Object.values(globals)];
    (compiled(file, Object.keys(globals)) as (...all: unknown[]) => void)(...values);
    return module.exports;
  };
  return load(require.resolve(id));
}

const scripts = new Map<string, unknown>();

function compiled(file: string, globals: readonly string[]): unknown {
  const known = scripts.get(file);
  if (known !== undefined) return known;
  const names = ["exports", "require", "module", "__filename", "__dirname", ...globals];
  const script = compileFunction(fs.readFileSync(file, "utf8"), names, { filename: file });
  scripts.set(file, script);
  return script;
}

function globalsOf({ index, now, setTimeout, clearTimeout }: World) {
  class FakeDate extends Date {
    constructor(...args: readonly number[]) {
      if (args.length === 0) super(now());
      else super(args[0] ?? Number.NaN);
    }
    static override now(): number {
      return now();
    }
  }
  // Another for each process, and for each call.
  let drawn = 0;
  const random = (): number => ((index + 1) * 0.13 + ++drawn * 0.017) % 1;
  const FakeMath: Math = Object.create(Math, { random: { value: random } });
  const { version, platform } = process;
  const fakeProcess = { version, platform, env: {}, pid: 1_000 + index };
  return { Date: FakeDate, Math: FakeMath, process: fakeProcess, setTimeout, clearTimeout };
}
