import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acquireSessionWriteLock } from "../../../src/index.ts";
import {
  askLifeSocket,
  isLifeSocketName,
  type LifeAnswer,
  openLifeSocket,
  sweepLifeSocket,
} from "../../../src/owner/life.ts";
import { parseOwnerName } from "../../../src/owner/name.ts";

// tests A1: the life socket

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const LIFE = "00000000feedbeef";
const isLinux = process.platform === "linux";
const canUnshare = isLinux && spawnSync("unshare", ["--pid", "--fork", "true"]).status === 0;

let directory = "";
let children: ChildProcess[] = [];
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-life-"));
});
afterEach(async () => {
  for (const child of children) {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  children = [];
  fs.rmSync(directory, { recursive: true, force: true });
});

const ask = (life = LIFE, where = directory): Promise<LifeAnswer> =>
  new Promise((resolve) => askLifeSocket(where, life, resolve));
const sockets = (where = directory): string[] => fs.readdirSync(where).filter(isLifeSocketName);

/** A process that holds the lock of `a.jsonl`, and then does `what`. Resolves when it has said "held". */
async function holder(what: string, ...wrapper: string[]): Promise<{ child: ChildProcess; life: string }> {
  const script = `
    import { acquireSessionWriteLock } from "session-write-lock";
    const lock = await acquireSessionWriteLock({ sessionFile: process.argv[1] });
    console.log("held");
    ${what}`;
  const [command = "", ...args] = [
    ...wrapper,
    process.execPath,
    "--input-type=module",
    "-e",
    script,
    join(directory, "a.jsonl"),
  ];
  const child = spawn(command, args, { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout ?? child, "data");
  const [owner = ""] = fs.readdirSync(join(directory, "a.jsonl.lock"));
  return { child, life: parseOwnerName(owner)?.life ?? "" };
}

describe.skipIf(!isLinux)("a life socket", () => {
  it("accepts as long as it is open, and is gone when it is closed", async () => {
    const socket = openLifeSocket(directory, LIFE);
    expect(sockets()).toHaveLength(1);
    expect(await ask()).toBe("accepts");
    socket?.close();
    expect(sockets()).toEqual([]);
    expect(await ask()).toBe("silent");
  });

  it("of somebody else says nothing about this one", async () => {
    const socket = openLifeSocket(directory, LIFE);
    expect(await ask("0000000000000001")).toBe("silent");
    socket?.close();
  });

  it("works in a directory whose path is longer than a socket's may be", async () => {
    const deep = join(directory, ...Array.from({ length: 6 }, () => "d".repeat(40)));
    fs.mkdirSync(deep, { recursive: true });
    const socket = openLifeSocket(deep, LIFE);
    expect(await ask(LIFE, deep)).toBe("accepts");
    expect(sockets(deep)).toHaveLength(1);
    socket?.close();
    expect(sockets(deep)).toEqual([]);
  });

  it("cannot be opened where there is no directory, which is no error", async () => {
    expect(openLifeSocket(join(directory, "missing"), LIFE)).toBeUndefined();
    expect(await ask(LIFE, join(directory, "missing"))).toBe("silent");
  });

  it("is not taken for one if it is a file, which would refuse too", async () => {
    const file = join(directory, "file");
    fs.writeFileSync(file, "");
    const [error] = await once(connect({ path: file }), "error").catch((caught: unknown) => [caught]);
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
    const socket = openLifeSocket(directory, LIFE);
    const [name = ""] = sockets();
    socket?.close();
    fs.writeFileSync(join(directory, name), "");
    expect(await ask()).toBe("silent");
    expect(await sweepLifeSocket(directory, name)).toBe(false);
    expect(fs.existsSync(join(directory, name))).toBe(true);
  });

  it("is looked for under the device of the directory: another mount leads to another name", async () => {
    const socket = openLifeSocket(directory, LIFE);
    const [name = ""] = sockets();
    const { dev } = fs.statSync(directory);
    expect(name).toBe(`.swl-life-${LIFE}-${dev.toString(16)}`);
    fs.renameSync(join(directory, name), join(directory, `.swl-life-${LIFE}-${(dev + 1).toString(16)}`));
    expect(await ask()).toBe("silent");
    socket?.close();
  });
});

describe.skipIf(!isLinux)("the life socket of a process", () => {
  it("accepts while it runs and while it is stopped, and refuses once it was killed", async () => {
    const { child, life } = await holder("setInterval(() => {}, 1000);");
    expect(await ask(life)).toBe("accepts");
    child.kill("SIGSTOP");
    await sleep(50);
    expect(await ask(life)).toBe("accepts");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await ask(life)).toBe("refuses");
  });

  it("never refuses because too many asked a stopped process", async () => {
    const { child, life } = await holder("setInterval(() => {}, 1000);");
    child.kill("SIGSTOP");
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => ask(life)));
    expect(new Set(answers)).toEqual(new Set(["accepts", "silent"]));
  });

  it("accepts while process.exit waits for calls of its own that are under way", async () => {
    // The pool reads from a pipe that nobody writes to, so the exit waits for it.
    const fifo = join(directory, "fifo");
    spawnSync("mkfifo", [fifo]);
    const { child, life } = await holder(`
      const { open } = await import("node:fs");
      open(${JSON.stringify(fifo)}, "r", () => {});
      process.on("exit", () => process.stdout.write("exiting"));
      setTimeout(() => process.exit(0), 20);`);
    await once(child.stdout ?? child, "data");
    await sleep(50);
    expect(child.exitCode).toBeNull();
    expect(await ask(life)).toBe("accepts");
    fs.writeFileSync(fifo, "");
    await once(child, "exit");
    expect(await ask(life)).toBe("refuses");
  });

  it("says nothing after a natural end, where handles are closed before the last calls have ended", async () => {
    const { child, life } = await holder("");
    await once(child, "exit");
    expect(await ask(life)).toBe("silent");
    expect(sockets()).toEqual([]);
  });

  it("goes with a process that holds nothing", async () => {
    const { child } = await holder("await lock.release(); process.exit();");
    await once(child, "exit");
    expect(sockets()).toEqual([]);
  });

  it("is its own in the worker of a cluster, whose primary lives on", async () => {
    const file = join(directory, "cluster.mjs");
    fs.writeFileSync(
      file,
      `import cluster from "node:cluster";
      import { acquireSessionWriteLock } from ${JSON.stringify(join(root, "dist", "index.js"))};
      if (cluster.isPrimary) {
        cluster.fork().on("exit", (code) => console.log(code));
        setInterval(() => {}, 1000);
      } else {
        const lock = await acquireSessionWriteLock({ sessionFile: ${JSON.stringify(join(directory, "a.jsonl"))} });
        process.exit(lock.isHeld() ? 0 : 1);
      }`,
    );
    const primary = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(primary);
    const [code] = await once(primary.stdout, "data");
    expect(String(code)).toBe("0\n");
    const [owner = ""] = fs.readdirSync(join(directory, "a.jsonl.lock"));
    expect(await ask(parseOwnerName(owner)?.life)).toBe("refuses");
  });
});

describe.skipIf(!isLinux)("the sweep of life sockets", () => {
  it("removes those that refuse, and leaves those that accept and those that are just being made", async () => {
    const { child } = await holder("setInterval(() => {}, 1000);");
    const [name = ""] = sockets();
    expect(await sweepLifeSocket(directory, name)).toBe(false);
    child.kill("SIGKILL");
    await once(child, "exit");
    // Renamed a moment ago, as one that is just being made: it may refuse because it does not listen yet.
    fs.renameSync(join(directory, name), join(directory, `${name}.tmp`));
    expect(await sweepLifeSocket(directory, `${name}.tmp`)).toBe(false);
    fs.renameSync(join(directory, `${name}.tmp`), join(directory, name));
    expect(await sweepLifeSocket(directory, name)).toBe(true);
    expect(fs.existsSync(join(directory, name))).toBe(false);
  });
});

describe.skipIf(!canUnshare)("a container that was killed while it held", () => {
  it("and started again in a new pid namespace has the lock at once; while it lived it was waited for", async () => {
    const inContainer = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const { child } = await holder("setInterval(() => {}, 1000);", ...inContainer);
    const sessionFile = join(directory, "a.jsonl");
    await expect(acquireSessionWriteLock({ sessionFile, timeoutMs: 400 })).rejects.toMatchObject({
      code: "ELOCKED",
      owner: { pid: 1, verdict: "the life socket of pid 1 accepts" },
    });
    child.kill("SIGKILL");
    await once(child, "exit");
    const again = await holder("await lock.release();", ...inContainer);
    expect(again.life).not.toBe("");
  });
});
