/**
 * On a clean exit the idle homes go. A lock that is held, or on its way, stays: writes that the holder has
 * queued run after the exit hooks, into a file that would belong to another by then. Death is provable, and
 * takeover takes milliseconds (spec/protocol.md, "A process dies holding").
 */

import { leaveLine } from "./protocol.ts";
import { type Entry, isIdle, namesOf, type Registry } from "./registry.ts";

/** Hooks the exit of this process, once for all copies of the module. No signal handlers. */
export function watchExit(registry: Registry): void {
  if (registry.exitIsWatched === true) return;
  registry.exitIsWatched = true;
  // A1: at a natural end Node.js closes handles before calls that exit hooks made have ended, so that a life socket
  // would refuse too early. process.exit, an uncaught exception and a signal leave that to the kernel.
  const onNaturalEnd = (): void => {};
  process.once("beforeExit", onNaturalEnd);
  process.once("exit", () => {
    // Called, or taken away by somebody: either way it may be a natural end.
    const naturalEnd = !process.listeners("beforeExit").includes(onNaturalEnd);
    tidyBeforeEnd(registry, naturalEnd);
  });
}

/** Removes what this process leaves on the disk and nobody needs. Whoever ends it by a signal calls this before. */
export function tidyBeforeEnd(registry: Registry, naturalEnd: boolean): void {
  const busy = new Set<string>();
  for (const entry of registry.entries.values()) {
    entry.services.turns?.stop(entry.lockPath);
    leaveLine(entry);
    if (isIdle(entry)) removeIdleHome(entry);
    else busy.add(entry.directory);
  }
  for (const [directory, socket] of registry.lives) {
    if (naturalEnd || !busy.has(directory)) socket.removeFile();
  }
}

/** Removes the home of an idle entry. Whatever stays is swept by a later process. */
export function removeIdleHome(entry: Entry): void {
  const { home, local, lockPath, services } = entry;
  // Nobody here looks after it any more: whoever waits is called now, or it goes.
  if (local) services.line?.callFirst(lockPath);
  if (home === null) return;
  entry.home = null;
  for (const name of namesOf(home)) services.disk.now({ call: "unlink", path: `${home.path}/${name}` });
  services.disk.now({ call: "rmdir", path: home.path });
}
