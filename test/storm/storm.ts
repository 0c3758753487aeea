/**
 * `npm run storm`: 16 processes, killed and stopped at random, on a disk that is full now and then; witnesses that know
 * nothing of the lock say whether anybody was alone, whether anything was lost, and whether anything is left.
 *
 * Its disk is a small one of its own: for that the command runs itself again in a mount namespace of its own.
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { grouped, runProgram } from "../../tla/tools/console.ts";
import { copyLibrary } from "../process/support/library.ts";
import { mounts, root } from "../process/support/places.ts";
import { orUsage, UsageError } from "../support/cliOptions.ts";
import { readStormOptions, SMALL_DISKS, type StormCommand, USAGE } from "./options.ts";
import { Saying, sayReport } from "./report.ts";
import { runStorm } from "./run.ts";

const LIBRARY = fileURLToPath(new URL("../../dist/index.js", import.meta.url));

/** In the namespace: where the disks are mounted. */
const PLACE = process.env["SWL_STORM_PLACE"];

/** So many inodes and so much space as fits what 16 processes need, several times; little enough to be filled at once. */
const MOUNTS: Readonly<Record<string, string>> = {
  tmpfs: 'mount -t tmpfs -o size=4m,nr_inodes=1000 tmpfs "$1/disk"',
  ext4: `truncate -s 8M "$1/image"; mkfs.ext4 -q -N 1000 "$1/image"; mount -o loop "$1/image" "$1/disk"`,
};

// The first ends the storm early, and what was done is judged; with the second the exit hooks of the run end its
// processes: a stopped one would stay for ever.
const enough = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (enough.signal.aborted) process.exit(2);
    enough.abort();
  });
}
await runProgram(() => orUsage(USAGE, () => main(process.argv.slice(2))));

async function main(args: readonly string[]): Promise<number> {
  const canMount = PLACE !== undefined || (process.platform === "linux" && root.isMet() && mounts.isMet());
  const command = readStormOptions(args, canMount ? "tmpfs" : tmpdir());
  if (command.help) {
    console.log(USAGE);
    return 0;
  }
  const library = command.library === undefined ? LIBRARY : resolve(command.library);
  if (!fs.existsSync(library)) {
    throw new UsageError(`there is no ${library}: run \`npm run build\` first, or name another library`);
  }
  if (!SMALL_DISKS.includes(command.disk)) return await storm(command, library, makePlace(command.disk));
  if (PLACE !== undefined) return await storm(command, library, PLACE);
  if (!canMount) throw new UsageError(`--disk ${command.disk} needs root, and a mount namespace of its own`);
  return inNamespace(command.disk, args);
}

function makePlace(directory: string): string {
  if (!fs.existsSync(directory)) throw new UsageError(`there is no directory ${directory}`);
  const place = fs.mkdtempSync(join(directory, "session-write-lock-storm-"));
  for (const name of ["disk", "witness"]) fs.mkdirSync(join(place, name));
  return place;
}

/** The witnesses are on a disk of memory too, but on another one: that one is never full. */
function inNamespace(disk: string, args: readonly string[]): number {
  const place = fs.mkdtempSync(join(tmpdir(), "session-write-lock-storm-"));
  const script = `set -e; PATH="$PATH:/usr/sbin:/sbin"; mount -t tmpfs tmpfs "$1"; mkdir "$1/disk" "$1/witness"
${MOUNTS[disk] ?? ""}; shift; exec "$@"`;
  const again = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), ...args];
  const flags = ["--mount", "--propagation", "private", "sh", "-c", script, "sh", place];
  try {
    const { status } = spawnSync("unshare", [...flags, ...again], {
      stdio: "inherit",
      env: { ...process.env, SWL_STORM_PLACE: place },
    });
    return status ?? 2;
  } finally {
    fs.rmdirSync(place);
  }
}

async function storm(command: StormCommand, library: string, place: string): Promise<number> {
  const { signals, processes, files, seed, nicer, disk, json } = command;
  if (!json) {
    console.log(
      `${grouped(signals)} signals, ${processes} processes, ${files} files, --seed ${seed}, on ${disk}`,
    );
  }
  const say = new Saying(signals);
  const sessions = join(place, "disk", "sessions");
  const witness = join(place, "witness");
  fs.mkdirSync(sessions);
  // Somebody may build the package meanwhile.
  const imported = library === LIBRARY ? copyLibrary("Storm") : library;
  const report = await runStorm({
    signals,
    processes,
    files,
    seed,
    nicer,
    sessions,
    fillsDisk: SMALL_DISKS.includes(disk),
    witness,
    library: pathToFileURL(imported).href,
    onProgress: (figures) => say.progress(figures),
    enough: enough.signal,
  });
  const passed = report.damage.length === 0;
  say.end(report.figures);
  for (const { check, what } of report.damage) console.error(`${check}: ${what}`);
  const complaints = fs.readFileSync(join(witness, "complaints"), "utf8").trim();
  if (!passed && complaints !== "") console.error(complaints.slice(-4_000));
  if (json) console.log(JSON.stringify({ seed, disk, passed, ...report }));
  else sayReport(report);
  if (command.keep || !passed) keep(witness, place);
  // What is mounted ends with the namespace.
  if (PLACE === undefined) fs.rmSync(place, { recursive: true, force: true, maxRetries: 5 });
  if (passed && enough.signal.aborted) console.error("It was ended early: not all signals were sent");
  if (!passed) return 1;
  return enough.signal.aborted ? 2 : 0;
}

/** In a namespace of its own the witnesses end with it: so they are copied, to a place that does not. */
function keep(witness: string, place: string): void {
  const kept = `${place}-witness`;
  fs.cpSync(witness, kept, { recursive: true });
  console.error(`What the witnesses wrote is in ${kept}`);
}
