/** A contender that is the module of the issue, as test/scenarios/issueLock.ts has it, with all its holes and no fix. */

import { HOLES } from "../../model/issue/state.ts";
import type { IssueCall, IssueReply, LockFile } from "../scenarios/issueDisk.ts";
import {
  createModule,
  type Handle,
  type Options,
  type Run,
  release,
  request,
} from "../scenarios/issueLock.ts";
import {
  type Contender,
  type Happening,
  type Leftover,
  LOCK_PATH,
  Mailbox,
  SESSION_FILE,
  type Told,
} from "./contender.ts";
import { type Call, PROCESS_NOW_MS, type Reply, type Stat } from "./disk.ts";

const DEAD_PID = 999;

/** Written a minute ago by a process that is gone: dead, and not yet old. */
export const DEAD_LOCK: readonly Leftover[] = [
  {
    path: LOCK_PATH,
    kind: "file",
    content: JSON.stringify({ pid: DEAD_PID, createdAt: PROCESS_NOW_MS - 60_000 }),
  },
];

/** The defaults of the issue. */
const OPTIONS: Options = {
  sessionFile: SESSION_FILE,
  staleMs: 30 * 60_000,
  fix: "none",
  openHoles: HOLES,
  copy: "",
};

const DONE: IssueReply = { ok: true };

interface Underway {
  readonly run: Run;
  readonly replyOf: (reply: Reply) => IssueReply;
}

export function createIssueContender(waits: number, index: number): Contender {
  const mailbox = new Mailbox<Underway>();
  let told: Told = "nothing";
  let waited = 0;
  let handle: Handle | undefined;
  const drive = (run: Run, reply: IssueReply = DONE): void => {
    let result = run.next(reply);
    while (result.done !== true && result.value.kind === "turn") result = run.next(DONE);
    if (result.done === true) return;
    const step = result.value;
    if (step.kind === "call") {
      mailbox.send(callOf(step.call, index), false, { run, replyOf: (answer) => replyOf(step.call, answer) });
    } else if (++waited <= waits) {
      mailbox.arm(() => drive(run));
    } else {
      const error = Object.assign(new Error("ETIMEDOUT"), { code: "ETIMEDOUT" });
      drive(run, { ok: false, errno: "ETIMEDOUT", error });
    }
  };
  const module = createModule(OPTIONS, {
    pid: 1_000 + index,
    // Start times are of no use to whoever judges a dead process: with and without them it is dead.
    startTime: undefined,
    isAlive: (pid) => pid !== DEAD_PID,
    now: () => PROCESS_NOW_MS,
    drive: (run) => drive(run),
    removeNow: () => {
      throw new Error("no process of the harness ends");
    },
  });
  const caller = {
    allowReentrant: false,
    granted: (given: Handle): void => {
      told = "holds";
      handle = given;
    },
    failed: (): void => {
      told = "refused";
    },
  };
  const tell = (happening: Happening): void => {
    switch (happening.kind) {
      case "asks":
        told = "waits";
        request(module, caller);
        break;
      case "lets go":
        told = "released";
        if (handle !== undefined) release(module, handle, () => {});
        break;
      case "turn": {
        const { run, replyOf: toIssue } = mailbox.take(happening.id);
        drive(run, toIssue(happening.reply));
        break;
      }
      case "fires":
        mailbox.fire(happening.id);
        break;
    }
  };
  return { tell, view: () => mailbox.view(told) };
}

function callOf(call: IssueCall, index: number): Call {
  const process = String(index);
  switch (call.call) {
    case "open":
      return { op: "open", path: call.path, process };
    case "write":
      return { op: "write", descriptor: call.file.descriptor, content: call.payload, process };
    case "close":
      return { op: "close", descriptor: call.file.descriptor, process };
    case "read":
      return { op: "readFile", path: call.path };
    case "stat":
      return { op: "stat", path: call.path };
    case "rm":
      return { op: "remove", path: call.path };
    case "readdir":
      throw new Error("nobody sweeps in the harness");
  }
}

function replyOf(call: IssueCall, reply: Reply): IssueReply {
  if (!reply.ok) {
    const error = Object.assign(new Error(reply.errno), { code: reply.errno });
    return { ok: false, errno: reply.errno, error };
  }
  if (call.call === "open") {
    // Which creation it is, the module only compares where a hole is closed.
    const file: LockFile = { descriptor: reply.value as number, inode: 0n };
    return { ok: true, file };
  }
  if (call.call === "read") return { ok: true, content: reply.value as string };
  return call.call === "stat" ? { ok: true, mtimeMs: (reply.value as Stat).mtimeMs } : DONE;
}
