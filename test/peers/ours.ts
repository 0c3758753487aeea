/**
 * A contender that is our own lock: src/protocol.ts, or a broken double of it, through its ports. As in test/lockstep the
 * calls are made when the scheduler wants them; other than there, turns without a call go along with what begins them, as
 * they do in the peers: one step is an effect or a turn of the event loop.
 *
 * It tries as often as the peers are told to, and leaves then, as tryAcquireSessionWriteLock does.
 */

import type { DiskCall, DiskReply } from "../../src/disk.ts";
import type * as protocolModule from "../../src/protocol.ts";
import { type Attempt, createEntry, type Entry } from "../../src/registry.ts";
import type { Run } from "../../src/steps.ts";
import {
  type Contender,
  FOLDER,
  type Happening,
  type Leftover,
  LOCK_PATH,
  Mailbox,
  processName,
  SESSION_FILE,
  type Told,
} from "./contender.ts";
import { type Call, PROCESS_NOW_MS, type Reply } from "./disk.ts";

/** The code under test, or a broken double. */
export type Protocol = Pick<typeof protocolModule, "request" | "giveUp" | "release">;

export interface OurOptions {
  readonly protocol: Protocol;
  /** Whether the disk is known to be local: release by PutBack, else by Drop. */
  readonly local: boolean;
  /** How often it waits before it leaves. */
  readonly waits: number;
  /** Hears of every labelled step, and how a call ended: `Take ok`, `Take ENOTEMPTY`, `Judge`. */
  readonly onStep?: (what: string) => void;
}

const DEAD = "own_dead_1";

/** A home of a dead owner that stands at the lock path. */
export const DEAD_HOME: readonly Leftover[] = [
  { path: LOCK_PATH, kind: "directory" },
  { path: `${LOCK_PATH}/${DEAD}`, kind: "file" },
];

const NOTHING: DiskReply = { ok: true, names: [] };
const NO_CALL = (): never => {
  throw new Error("the harness makes the calls, and arms the timers");
};

export function createOurContender(options: OurOptions, index: number): Contender {
  const { protocol } = options;
  const mailbox = new Mailbox<Pending>();
  const goOn = (run: Run, reply: DiskReply): void => advance(options, mailbox, run, reply);
  const entry = createOurEntry(options, index, (run) => goOn(run, NOTHING));
  let told: Told = "nothing";
  let waits = 0;
  const attempt: Attempt = {
    reentrant: false,
    gaveUp: false,
    revoked: false,
    granted: () => {
      told = "holds";
    },
    failed: () => {
      told = "refused";
    },
    lost: () => {
      told = "lost";
    },
    waits: () => {
      if (++waits <= options.waits) return;
      told = "refused";
      protocol.giveUp(entry, attempt);
    },
  };
  const tell = (happening: Happening): void => {
    switch (happening.kind) {
      case "asks":
        told = "waits";
        protocol.request(entry, attempt);
        break;
      case "lets go":
        told = "released";
        protocol.release(entry, attempt, () => {});
        break;
      case "turn": {
        const { run, action } = mailbox.take(happening.id);
        options.onStep?.(`${action} ${happening.reply.ok ? "ok" : happening.reply.errno}`);
        goOn(run, replyOf(happening.reply));
        break;
      }
      case "fires":
        mailbox.fire(happening.id);
        break;
    }
  };
  return { tell, view: () => mailbox.view(told) };
}

interface Pending {
  readonly run: Run;
  readonly action: string;
}

/** Takes a run to its next call, or to its next sleep. */
function advance(options: OurOptions, mailbox: Mailbox<Pending>, run: Run, reply: DiskReply): void {
  let result = run.next(reply);
  while (result.done !== true && result.value.kind === "turn") {
    options.onStep?.(result.value.action);
    result = run.next(NOTHING);
  }
  if (result.done === true) return;
  const step = result.value;
  if (step.kind === "ask") throw new Error("no owner of the harness has a life socket");
  if (step.kind === "call")
    mailbox.send(callOf(step.call), step.mode === "sync", { run, action: step.action });
  if (step.kind !== "sleep") return;
  const cancel = mailbox.arm(() => advance(options, mailbox, run, NOTHING));
  step.arm({ wake: NO_CALL, cancel });
}

function createOurEntry({ local }: OurOptions, index: number, drive: (run: Run) => void): Entry {
  let homes = 0;
  return createEntry({
    lockPath: LOCK_PATH,
    sessionFile: SESSION_FILE,
    local,
    services: {
      disk: { renameReplacesEmpty: true, now: NO_CALL, later: NO_CALL },
      clock: { now: () => PROCESS_NOW_MS, random: () => 0.5, setTimer: NO_CALL },
      owners: {
        newHome: () => {
          const name = `own_${processName(index)}_${++homes}`;
          return { name, path: `${FOLDER}/.home-${name}`, guests: [] };
        },
        content: () => "",
        isOwner: (name) => name.startsWith("own_"),
        judge: (name) =>
          name === DEAD ? { verdict: "dead", reason: "it is gone" } : { verdict: "alive", reason: "it runs" },
      },
      drive,
      heartbeat: {
        made: () => {},
        isOld: () => false,
        freshen: NO_CALL,
        held: () => {},
        missed: () => false,
      },
      // A lock that was lost: told to whoever releases it. No contender hears of it before.
      warn: () => {},
      quiet: () => {},
    },
  });
}

/** What a double asks the disk for beyond {@link DiskCall} goes as it is. */
function callOf(call: DiskCall): Call {
  switch (call.call) {
    case "prepare":
      return { op: "prepare", path: call.home, names: call.files.map(({ name }) => name) };
    case "rename":
      return { op: "rename", from: call.from, to: call.to };
    case "readdir":
    case "unlink":
    case "rmdir":
      return { op: call.call, path: call.path };
    case "beat":
      throw new Error("nobody beats in the harness");
    default:
      return (call as { readonly broken: Call }).broken;
  }
}

function replyOf(reply: Reply): DiskReply {
  if (!reply.ok) {
    return {
      ok: false,
      errno: reply.errno,
      error: Object.assign(new Error(reply.errno), { code: reply.errno }),
    };
  }
  return { ok: true, names: Array.isArray(reply.value) ? (reply.value as readonly string[]) : [] };
}
