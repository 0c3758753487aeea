/** The real {@link Owners}: names from src/owner, verdicts from what can be observed here and now. */

import { basename, dirname, join } from "node:path";
import { newNonce, type OwnerScope } from "./owner/identity.ts";
import { formatOwnerName, homeName, parseOwnerName } from "./owner/name.ts";
import { createJudge, createObserver } from "./owner/observe.ts";
import type { Home, Owners } from "./registry.ts";

export function createOwners(self: OwnerScope): Owners {
  const judge = createJudge(self, createObserver());
  return {
    newHome: (lockPath): Home => {
      const name = formatOwnerName({ ...self, nonce: newNonce() });
      return { name, path: join(dirname(lockPath), homeName(basename(lockPath), name)) };
    },
    content: () =>
      `${JSON.stringify({
        pid: process.pid,
        createdAt: new Date().toISOString(),
        starttime: self.processStart === "-" ? undefined : Number(self.processStart),
        library: "session-write-lock",
      })}\n`,
    isOwner: (name) => parseOwnerName(name) !== undefined,
    judge,
  };
}
