/**
 * A schedule as a program for the authors of a library: it needs Node.js and the library, and nothing of this repository.
 * It does what realDisk.ts does.
 */

import { STALE_ON_DISK_MS } from "./realDisk.ts";
import type { Result } from "./results.ts";
import { type Description, labelOf } from "./subjects.ts";

/** Each in the words of its library; `fs` is the gated one, and `told` hears what the caller learns. */
const CALLERS: Readonly<Record<string, string>> = {
  proper: `asks: () => library.lock(file, { stale, realpath: false, fs: gated, RETRIES }).then(
      (release) => { told("holds"); one.release = release; },
      () => told("refused"),
    ),
    letsGo: () => { told("released"); one.release().catch(() => {}); },`,
  lockfile: `asks: () => library.lock(lock, { stale, RETRIES }, (error) => told(error ? "refused" : "holds")),
    letsGo: () => { told("released"); library.unlock(lock, () => {}); },`,
};

const RETRIES = {
  proper: "retries: { retries: 1, minTimeout: 10, maxTimeout: 10 }",
  lockfile: "retries: 1, retryWait: 10",
} as const;

/** @throws Error for what is no library of npm. */
export function scriptOf(description: Description, { retries, shortest }: Result): string {
  const { packageName } = description;
  if (packageName === undefined) throw new Error(`${description.name} is no package`);
  const kind = packageName === "lockfile" ? "lockfile" : "proper";
  const caller = (CALLERS[kind] ?? "").replace(
    retries === 0 ? /, RETRIES/ : "RETRIES",
    retries === 0 ? "" : RETRIES[kind],
  );
  const leftover = kind === "lockfile" ? `fs.writeFileSync(lock, "")` : "fs.mkdirSync(lock)";
  return `// ${labelOf(description)}: two processes hold one lock at the same time. To see it:
//   npm install ${packageName}@${labelOf(description).split(" ")[1]} && node race.cjs
//
// Each process (a, b, c) is a copy of the library's modules. A call of it is made on the real file system when its "effect" comes
// below, and its callback is called when its "turn" comes; the number is that of the call among the calls and timers of the
// process. That is an order in which system calls and callbacks of real processes can come. The clock of the processes
// stands still, a minute after the beginning, so that nothing depends on how fast this runs: what a dead owner has
// left is older than \`stale\` by then, and what is made below is not.
"use strict";
const fs = require("node:fs");
const { Module } = require("node:module");
const os = require("node:os");
const path = require("node:path");

const STEPS = \`
${shortest.replaceAll("; ", "\n")}
\`.trim().split("\\n");

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "race-"));
const file = path.join(folder, "a.jsonl");
const lock = \`\${file}.lock\`;
const stale = ${STALE_ON_DISK_MS};

const processes = new Map();
/** Whose code is running. */
let current;

const later = setTimeout;
global.setTimeout = (callback, ms, ...rest) => {
  // A pause before the next attempt is over when its step comes. An update of the mtime is not due in a minute that stands still.
  if (current !== undefined && ms <= 100) current.timers.set(++current.count, callback);
  return current === undefined ? later(callback, ms, ...rest) : { unref() {} };
};

/** Modules of its own, as another process has them. */
function loadCopy(gated) {
  for (const id of Object.keys(require.cache)) if (id !== __filename) delete require.cache[id];
  const load = Module._load;
  Module._load = (id, ...rest) => (id === "fs" && ${kind === "lockfile"} ? gated : load(id, ...rest));
  const library = require(${JSON.stringify(packageName)});
  Module._load = load;
  return library;
}

function start() {
  const one = { calls: new Map(), timers: new Map(), count: 0, told: "nothing" };
  const told = (what) => { one.told = what; };
  const gated = { ...fs };
  for (const op of ["mkdir", "rmdir", "stat", "utimes", "rename", "open", "close", "link", "unlink"]) {
    gated[op] = (...args) => one.calls.set(++one.count, { op, callback: args.pop(), args });
  }
  const library = loadCopy(gated);
  return Object.assign(one, {
    ${caller}
  });
}

async function make([name, kind, id]) {
  if (!processes.has(name)) processes.set(name, start());
  const one = processes.get(name);
  const call = one.calls.get(Number(id));
  if (kind === "effect") {
    call.reply = await new Promise((resolve) => fs[call.op](...call.args, (...reply) => resolve(reply)));
    const [error] = call.reply;
    return \`\${call.op} \${call.args.filter((arg) => typeof arg === "string").map((arg) => path.basename(arg)).join(" ")}: \${error?.code ?? "ok"}\`;
  }
  current = one;
  if (kind === "asks") one.asks();
  else if (kind === "lets go") one.letsGo();
  else if (kind === "turn") call.callback(...call.reply);
  else one.timers.get(Number(id))();
  await new Promise((resolve) => setImmediate(resolve));
  current = undefined;
  return one.told;
}

async function main() {
  ${leftover};
  await new Promise((resolve) => later(resolve, 100));
  const now = Date.now() + 60_000;
  Date.now = () => now;
  for (const step of STEPS) {
    const parts = /^(\\w) (asks|lets go|effect|turn|fires) ?(\\d*)$/.exec(step).slice(1);
    console.log(\`\${step.padEnd(14)} \${await make(parts)}\`);
  }
  const holders = [...processes].filter(([, { told }]) => told === "holds").map(([name]) => name);
  console.log(holders.length > 1 ? \`\${holders.join(" and ")} hold at the same time\` : "no two hold");
  fs.rmSync(folder, { recursive: true });
  process.exit(holders.length > 1 ? 0 : 1);
}

main();
`;
}
