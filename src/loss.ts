/** Is the lock still ours (A2)? Asked by whoever is about to write, and by the heartbeat. */

import type { DiskFailure, DiskReply } from "./disk.ts";
import { isKnownJunk } from "./owner/name.ts";
import { isExactly } from "./protocol.ts";
import type { Home } from "./registry.ts";

export interface LookForOurs {
  /** undefined: the disk would not say. */
  readonly ours: boolean | undefined;
  readonly why?: string;
  readonly cause?: Error;
}

/** Did this `readdir(L)` find exactly our name? Only an answer of the disk is a loss, not its refusal to answer. */
export function oursIn(reply: DiskReply, home: Home | null): LookForOurs {
  if (!reply.ok) {
    const gone = isGone(reply);
    const why = gone ? "it is not there any more" : `the lock path cannot be read (${reply.errno})`;
    return { ours: gone ? false : undefined, why, cause: reply.error };
  }
  if (home !== null && isExactly(reply, home)) return { ours: true };
  const empty = reply.names.every(isKnownJunk);
  return { ours: false, why: empty ? "somebody emptied it" : "somebody else's name is in it" };
}

/** Says the disk that what was asked for is not there? */
export function isGone({ errno }: Pick<DiskFailure, "errno">): boolean {
  return errno === "ENOENT" || errno === "ENOTDIR";
}
