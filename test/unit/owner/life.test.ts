import { AsyncLocalStorage } from "node:async_hooks";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { connect, Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { acquireSessionWriteLock } from "../../../src/index.ts";
import { readOwnerScope } from "../../../src/owner/identity.ts";
import {
  askLifeSocket,
  isLeftSocket,
  isLifeSocketName,
  type LifeAnswer,
  type LifeSocket,
  openLifeSocket,
  parseLifeSocketName,
} from "../../../src/owner/life.ts";
import { parseOwnerName } from "../../../src/owner/name.ts";
import { createObserver } from "../../../src/owner/observe.ts";
import { createOwners } from "../../../src/owners.ts";
import { sweep } from "../../../src/sweep.ts";

// tests A1: the life socket

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const isLinux = process.platform === "linux";
const canUnshare = isLinux && spawnSync("unshare", ["--pid", "--fork", "true"]).status === 0;

let directory = "";
let children: ChildProcess[] = [];
let opened: LifeSocket[] = [];
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-life-"));
});
afterEach(async () => {
  for (const child of children) {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  children = [];
  for (const socket of opened) socket.close();
  opened = [];
  fs.rmSync(directory, { recursive: true, force: true });
});

const ask = (life: string | undefined, where = directory): Promise<LifeAnswer> =>
  new Promise((resolve) => askLifeSocket(where, life ?? "", resolve));
const sockets = (where = directory): string[] => fs.readdirSync(where).filter(isLifeSocketName);

function open(where = directory): LifeSocket {
  const socket = openLifeSocket(where);
  if (socket === undefined) throw new Error("no life socket");
  opened.push(socket);
  return socket;
}

/** A process that holds the lock of `a.jsonl`, and then does `what`. Resolves when it has said under which name. */
async function holder(what: string, ...wrapper: string[]): Promise<{ child: ChildProcess; life: string }> {
  const script = `
    import { acquireSessionWriteLock } from "session-write-lock";
    const lock = await acquireSessionWriteLock({ sessionFile: process.argv[1] });
    console.log((await import("node:fs")).readdirSync(lock.lockPath)[0]);
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
  const [said] = await once(child.stdout ?? child, "data");
  const [owner = ""] = String(said).split("\n");
  return { child, life: parseOwnerName(owner)?.life ?? "" };
}

describe.skipIf(!isLinux)("a life socket", () => {
  it("accepts as long as it is open, and is gone when it is closed", async () => {
    const socket = open();
    expect(sockets()).toEqual([`.swl-life-${socket.life}`]);
    expect(await ask(socket.life)).toBe("accepts");
    socket.close();
    expect(sockets()).toEqual([]);
    expect(await ask(socket.life)).toBe("silent");
  });

  it("of somebody else says nothing about this one", async () => {
    open();
    expect(await ask("0".repeat(32))).toBe("silent");
  });

  it("works in a directory whose path is longer than a socket's may be", async () => {
    const deep = join(directory, ...Array.from({ length: 6 }, () => "d".repeat(40)));
    fs.mkdirSync(deep, { recursive: true });
    const socket = open(deep);
    expect(await ask(socket.life, deep)).toBe("accepts");
    socket.close();
    expect(sockets(deep)).toEqual([]);
  });

  it("cannot be opened where there is no directory, which is no error", async () => {
    expect(openLifeSocket(join(directory, "missing"))).toBeUndefined();
    expect(await ask("0".repeat(32), join(directory, "missing"))).toBe("silent");
  });

  it("is not taken for one if it is a file, which would refuse too", async () => {
    const file = join(directory, "file");
    fs.writeFileSync(file, "");
    const [error] = await once(connect({ path: file }), "error").catch((caught: unknown) => [caught]);
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
    const { life, close } = open();
    close();
    fs.writeFileSync(join(directory, `.swl-life-${life}`), "");
    expect(await ask(life)).toBe("silent");
    expect(await isLeftSocket(directory, `.swl-life-${life}`)).toBe(false);
    expect(sockets()).toHaveLength(1);
  });

  it("that is a copy, on which nobody listens, proves nothing", async () => {
    const socket = open();
    spawnSync("cp", ["-a", directory, `${directory}-copy`]);
    try {
      expect(sockets(`${directory}-copy`)).toHaveLength(1);
      expect(fs.lstatSync(join(`${directory}-copy`, sockets()[0] ?? "")).isSocket()).toBe(true);
      expect(await ask(socket.life, `${directory}-copy`)).toBe("silent");
      expect(await ask(socket.life)).toBe("accepts");
      // The copy takes the place of the original: the process that has it notices, and makes another.
      fs.rmSync(directory, { recursive: true });
      fs.renameSync(`${directory}-copy`, directory);
      expect(socket.isInPlace()).toBe(false);
      expect(await ask(socket.life)).toBe("silent");
    } finally {
      fs.rmSync(`${directory}-copy`, { recursive: true, force: true });
    }
  });

  it("whose file was moved away stays open, since there it would refuse while its process lives", async () => {
    const socket = open();
    const archive = `${directory}-archive`;
    fs.renameSync(directory, archive);
    fs.mkdirSync(directory);
    try {
      socket.close();
      expect(await ask(socket.life, archive)).toBe("accepts");
    } finally {
      fs.rmSync(directory, { recursive: true });
      fs.renameSync(archive, directory);
    }
  });

  it("that somebody destroys while it is asked says nothing, and the question ends", async () => {
    const { life } = open();
    const answer = ask(life);
    const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
    for (const handle of handles) if (handle instanceof Socket && handle.connecting) handle.destroy();
    expect(await answer).toBe("silent");
  });

  it("keeps nothing of the context of whoever opened it", async () => {
    const store = new AsyncLocalStorage<string>();
    const { life } = store.run("of the first caller", () => open());
    let seen: unknown = "nothing";
    const original = Socket.prototype.destroy;
    Socket.prototype.destroy = function (this: Socket, ...args: []) {
      // The server hangs up in the context in which it was made.
      if (this.remoteAddress === undefined && !this.connecting) seen ??= store.getStore();
      return original.apply(this, args);
    };
    seen = undefined;
    await ask(life);
    await sleep(10);
    Socket.prototype.destroy = original;
    expect(seen).toBeUndefined();
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

  it("says nothing either if somebody took the listener away that sees a natural end", async () => {
    const { child, life } = await holder('process.removeAllListeners("beforeExit");');
    await once(child, "exit");
    expect(await ask(life)).toBe("silent");
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
  it("is of those that refuse, and not of those that accept and those that are just being made", async () => {
    const { child } = await holder("setInterval(() => {}, 1000);");
    const [name = ""] = sockets();
    expect(await isLeftSocket(directory, name)).toBe(false);
    child.kill("SIGKILL");
    await once(child, "exit");
    // One that is just being made may refuse because it does not listen yet.
    const early = `.swl-life-${"0".repeat(16)}.tmp`;
    fs.writeFileSync(join(directory, early), "");
    expect(await isLeftSocket(directory, early)).toBe(false);
    expect(await isLeftSocket(directory, name)).toBe(true);
    expect(await isLeftSocket(directory, "gone")).toBe(false);
    vi.spyOn(Date, "now").mockReturnValue(fs.lstatSync(join(directory, early)).ctimeMs + 60_000);
    expect(await isLeftSocket(directory, early)).toBe(true);
    vi.restoreAllMocks();
  });
});

describe.skipIf(!canUnshare)("the proof that a sweep leaves", () => {
  it("is there for the second lock of a dead owner too, whoever swept meanwhile", async () => {
    const inContainer = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const other = JSON.stringify(join(directory, "b.jsonl"));
    const { child } = await holder(
      `await acquireSessionWriteLock({ sessionFile: ${other} }); console.log("both"); setInterval(() => {}, 1000);`,
      ...inContainer,
    );
    while (!fs.existsSync(join(directory, "b.jsonl.lock"))) await sleep(5);
    child.kill("SIGKILL");
    await once(child, "exit");
    const owners = createOwners(readOwnerScope(createObserver()));
    await sweep(directory, owners);
    expect(sockets()).toHaveLength(1);
    for (const name of ["a.jsonl", "b.jsonl"]) {
      const lock = await acquireSessionWriteLock({ sessionFile: join(directory, name), timeoutMs: 5_000 });
      await lock.release();
    }
    // Nobody needs it any more.
    await sweep(directory, owners);
    expect(sockets()).toHaveLength(1);
    expect(await ask(parseLifeSocketName(sockets()[0] ?? ""))).toBe("accepts");
  });
});

describe.skipIf(!canUnshare)("a container that was killed while it held", () => {
  it("and started again in a new pid namespace has the lock at once; while it lived it was waited for", async () => {
    const inContainer = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const { child } = await holder("setInterval(() => {}, 1000);", ...inContainer);
    const sessionFile = join(directory, "a.jsonl");
    await expect(acquireSessionWriteLock({ sessionFile, timeoutMs: 1_500 })).rejects.toMatchObject({
      code: "ELOCKED",
      owner: { pid: 1, verdict: "the life socket of pid 1 accepts" },
    });
    child.kill("SIGKILL");
    await once(child, "exit");
    const again = await holder("", ...inContainer);
    expect(again.life).not.toBe("");
  });
});
