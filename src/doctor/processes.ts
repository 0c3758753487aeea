/** A1, A6: what can be known here of processes, and of who we are. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { newNonce, type OwnerScope, readGuestScope, readOwnerScope } from "../owner/identity.ts";
import { askLifeSocket, connectTo, type LifeAnswer, openLifeSocket, withShortPath } from "../owner/life.ts";
import { formatOwnerName } from "../owner/name.ts";
import { createJudge, type ProcessObserver } from "../owner/observe.ts";
import { INITIAL_TIME_NAMESPACES, type Verdict } from "../owner/verdict.ts";
import { about, type Row, type World } from "./row.ts";

export interface How {
  readonly quick: boolean;
  readonly local: boolean;
}

/** Without a scratch directory: what needs none. */
export async function checkProcesses(
  { observer }: World,
  scratch: string | undefined,
  { quick, local }: How,
): Promise<readonly Row[]> {
  const self = readOwnerScope(observer);
  const bySight = [
    checkProc(observer),
    checkStarts(observer, self),
    checkOthers(observer),
    checkBoot(self),
    checkNamespaces(self),
  ];
  if (scratch === undefined) return bySight;
  const socket = await checkLifeSocket(scratch, local);
  if (quick) return [...bySight, socket, notTried(CHILD), notTried(ENDED)];
  return [...bySight, socket, ...(await checkChild(observer, self, scratch, local))];
}

const notTried = (tried: string): Row => about("A1", tried).unknown("not tried", "leave out --quick");

const WAITED_FOR = "an owner whose pid is in use again is waited for";

function checkProc(observer: ProcessObserver): Row {
  const { ok, warn } = about("A1", "/proc is that of this pid namespace");
  if (observer.procIsOurs()) return ok("yes");
  if (observer.platform !== "linux") return warn(`none on ${observer.platform}`, WAITED_FOR);
  const self = observer.readLink("/proc/self");
  const seen =
    self.kind === "text" ? `it calls us ${self.text}, we are ${observer.pid}` : "/proc/self cannot be read";
  return warn(
    `no: ${seen}`,
    `its numbers are not believed; ${WAITED_FOR}. Mount a /proc of your own in the sandbox`,
  );
}

function checkStarts(observer: ProcessObserver, { processStart, threadStart, tid }: OwnerScope): Row {
  const { ok, warn } = about("A1", "when a process and its threads started");
  if (processStart === "-") return warn("cannot be read", WAITED_FOR);
  if (threadStart === "-")
    return warn("that of threads cannot be read", "an owner in a worker thread is waited for");
  return ok(`process ${observer.pid}: ${processStart}, thread ${tid}: ${threadStart}`);
}

/** hidepid leaves our own processes to see. */
function checkOthers(observer: ProcessObserver): Row {
  const { ok, warn, unknown } = about("A1", "processes of other users can be seen");
  if (!observer.procIsOurs()) return unknown("not tried", "there is no /proc of our own");
  if (observer.readText("/proc/1/stat").kind === "text") return ok("yes");
  return warn("no (hidepid)", "an owner of another user whose pid is in use again is waited for");
}

function checkBoot({ boot }: OwnerScope): Row {
  const { ok, warn } = about("A1", "the boot id");
  if (boot === "-")
    return warn("this platform has none", "after a restart, owners of before may be waited for");
  if (boot.startsWith("r")) return warn("cannot be read", "nobody can judge our owners: they are waited for");
  if (boot.startsWith("c"))
    return warn("a container's own", "after a restart, owners of before are waited for");
  return ok("the kernel's");
}

/** PROC_PID_INIT_INO: the same on every kernel. */
const INITIAL_PID_NAMESPACE = "4026531836";

function checkNamespaces({ pidNamespace, timeNamespace }: OwnerScope): Row {
  const { ok, warn } = about("A1", "namespaces of pids and time");
  if (pidNamespace.startsWith("r") || timeNamespace.startsWith("r")) {
    return warn("cannot be read", "nobody can judge our owners: they are waited for");
  }
  if (!INITIAL_TIME_NAMESPACES.includes(timeNamespace)) {
    return warn(
      "a time namespace of its own",
      "owners of outside, and of before a restart, are judged by life sockets alone",
    );
  }
  if (pidNamespace === "-") return ok("this platform has none");
  return ok(pidNamespace === INITIAL_PID_NAMESPACE ? "the first ones" : "a container's pid namespace");
}

// ------------------------------------------------------------------------------------------------
// By trying

const LIFE = "a life socket in this directory";

async function checkLifeSocket(scratch: string, local: boolean): Promise<Row> {
  const { ok, warn } = about("A1", LIFE);
  if (!local) return ok("not used: the disk is not known to be local");
  const means = "owners of other containers are waited for";
  const socket = openLifeSocket(scratch);
  if (socket === undefined) return warn("cannot be opened", means);
  const answer = await new Promise<LifeAnswer>((done) => askLifeSocket(scratch, socket.life, done));
  socket.close();
  return answer === "accepts" ? ok("opened, and accepts") : warn(`opened, but ${answer}`, means);
}

const CHILD = "a child of ours is alive, then dead";
const ENDED = "the socket of a child accepts, then refuses";

/** Listens until it is killed, or we end. It finds the directory as its own: a socket's path must be short. */
const LISTEN = `require("node:net").createServer(() => {}).listen("child.socket", () => console.log("listens"))
  .on("error", () => console.log("cannot")); process.stdin.resume().on("end", () => process.exit());`;

async function checkChild(
  observer: ProcessObserver,
  self: OwnerScope,
  scratch: string,
  local: boolean,
): Promise<readonly Row[]> {
  const child = spawn(process.execPath, ["-e", LISTEN], { cwd: scratch, stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(child, "exit").then(
    () => {},
    () => {},
  );
  try {
    const answer = await firstWordOf(child, ended);
    if (child.pid === undefined || answer === undefined) return [CHILD, ENDED].map(cannotStart);
    const name = formatOwnerName({
      ...readGuestScope(self, observer, child.pid),
      life: "-",
      nonce: newNonce(),
    });
    const judge = (): Verdict =>
      createJudge(self, observer)(name, { file: join(scratch, name), local, socket: "silent" });
    const before = judge();
    const accepts = answer === "listens" ? await connectIn(scratch) : "silent";
    child.kill("SIGKILL");
    await ended;
    return [verdictRow(before, judge()), socketRow(accepts, await connectIn(scratch), local)];
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

const cannotStart = (tried: string): Row =>
  about("A1", tried).unknown("no child could be started", "it could not be tried");

async function firstWordOf(child: ChildProcess, ended: Promise<void>): Promise<string | undefined> {
  const said = once(child.stdout as NonNullable<ChildProcess["stdout"]>, "data");
  const word = await Promise.race([said, ended]);
  return word === undefined ? undefined : String(word).trim();
}

function verdictRow(running: Verdict, killed: Verdict): Row {
  const { ok, warn, fail } = about("A1", CHILD);
  const seen = `${running.verdict} (${running.reason}), then ${killed.verdict} (${killed.reason})`;
  if (running.verdict === "dead" || killed.verdict === "alive") {
    return fail(seen, "the living are taken for dead, or the dead for living: do not use the lock here");
  }
  if (running.verdict === "alive" && killed.verdict === "dead") return ok("yes");
  return warn(seen, killed.verdict === "dead" ? WAITED_FOR : "dead owners are waited for");
}

function socketRow(running: LifeAnswer, killed: LifeAnswer, local: boolean): Row {
  const { ok, warn, fail } = about("A1", ENDED);
  if (!local) return ok("not used: the disk is not known to be local");
  if (running === "accepts" && killed === "refuses") return ok("yes");
  const seen = `${running}, then ${killed}`;
  if (running === "refuses" || killed === "accepts")
    return fail(seen, "life sockets say the wrong thing here");
  return warn(seen, "owners of other containers are waited for");
}

function connectIn(scratch: string): Promise<LifeAnswer> {
  return new Promise((done) => {
    try {
      withShortPath(scratch, "child.socket", (path) => connectTo(path, done));
    } catch {
      done("silent");
    }
  });
}

// ------------------------------------------------------------------------------------------------
// A6

export function checkHost(observer: ProcessObserver): Row {
  const { ok, warn } = about("A6", "what tells this machine from others");
  const { host } = readOwnerScope(observer);
  if (host.startsWith("r"))
    return warn(
      "no machine id, and a host name that many have",
      "after a restart, owners of before are waited for",
    );
  if (host.startsWith("m")) {
    return ok("machine id and host name. Not seen from here: whether another machine has the same");
  }
  if (observer.platform === "linux") {
    return warn("the host name alone", "after a restart, owners of before are waited for");
  }
  return warn("the host name alone", "machines with the same host name must not share this directory");
}
