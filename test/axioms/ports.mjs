/**
 * The calls of a worker: those of the built package (src/disk.ts), and broken ones, which the axioms must refuse.
 * Plain JavaScript, since real processes import it. Replies are those of disk.ts beside this file.
 */

import fs from "node:fs";
import { performNow } from "../../dist/disk.js";

/** Long enough for another process to come in between; asleep, so that it can where they share one processor. */
const GAP_MS = 0.15;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** What the package's disk says, in a word. */
function viaPackage(call) {
  const reply = performNow(call);
  if (!reply.ok) return reply.errno;
  return call.call === "readdir" ? listing(reply.names) : "ok";
}

const listing = (names) => `[${[...names].sort().join(" ")}]`;

/** The errno of what was thrown; anything else is a mistake of ours. */
function tried(action) {
  try {
    return action() ?? "ok";
  } catch (error) {
    if (typeof error?.code !== "string") throw error;
    return error.code;
  }
}

const node = {
  rename: ({ from, to }) => viaPackage({ call: "rename", from, to }),
  readdir: ({ path }) => viaPackage({ call: "readdir", path }),
  rmdir: ({ path }) => viaPackage({ call: "rmdir", path }),
  unlink: ({ path }) => viaPackage({ call: "unlink", path }),
  remove: ({ path, name }) => viaPackage({ call: "unlink", path: `${path}/${name}` }),
  // The two halves of Prepare, as src/disk.ts makes them.
  mkdir: ({ path }) => tried(() => fs.mkdirSync(path)),
  create: ({ path, name }) => tried(() => fs.writeFileSync(`${path}/${name}`, name, { flag: "wx" })),
};

const isDirectory = (path) => fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Ports by name. Each broken one differs from the right one in one call. */
export const ports = {
  node,
  "rename in two steps": {
    ...node,
    rename: ({ from, to }) => {
      if (isDirectory(from) && isDirectory(to) && node.rmdir({ path: to }) === "ok") pause();
      return node.rename({ from, to });
    },
  },
  "rename by copy": {
    ...node,
    rename: ({ from, to }) => {
      if (!isDirectory(from)) return node.rename({ from, to });
      return tried(() => {
        if (isDirectory(to)) fs.rmdirSync(to);
        fs.mkdirSync(to);
        pause();
        for (const name of fs.readdirSync(from)) fs.copyFileSync(`${from}/${name}`, `${to}/${name}`);
        fs.rmSync(from, { recursive: true, force: true });
      });
    },
  },
  "rename replaces": {
    ...node,
    rename: ({ from, to }) => {
      // Others fill it, or take it away, meanwhile: then it is refused like any.
      if (isDirectory(from) && isDirectory(to)) tried(() => fs.rmSync(to, { recursive: true, force: true }));
      return node.rename({ from, to });
    },
  },
  "unlink of whatever is there": {
    ...node,
    remove: ({ path, name }) => {
      const names = tried(() => fs.readdirSync(path)[0] ?? name);
      return node.remove({ path, name: /^n\d$/.test(names) ? names : name });
    },
  },
  "rmdir of everything": {
    ...node,
    rmdir: ({ path }) =>
      isDirectory(path) ? tried(() => fs.rmSync(path, { recursive: true })) : node.rmdir({ path }),
  },
  "stale listings": {
    ...node,
    readdir: ({ path }) => {
      const known = listings.get(path);
      const now = node.readdir({ path });
      listings.set(path, now);
      return known ?? now;
    },
  },
};

const listings = new Map();

function pause() {
  Atomics.wait(sleeper, 0, 0, GAP_MS);
}
