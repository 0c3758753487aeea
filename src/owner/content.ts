/** The content of an owner file: for people and tools. No verdict reads it. */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { hostname } from "node:os";
import type { OwnerScope } from "./identity.ts";

export function formatContent({ pid, processStart }: Pick<OwnerScope, "pid" | "processStart">): string {
  const content = {
    pid: Number(pid),
    createdAt: new Date().toISOString(),
    starttime: processStart === "-" ? undefined : Number(processStart),
    hostname: hostname(),
    library: "session-write-lock",
  };
  return `${JSON.stringify(content)}\n`;
}

/** The host name that an owner wrote into its file; undefined if there is none that can be believed and shown. */
export function readHostName(file: string): string | undefined {
  try {
    const { hostname: host } = JSON.parse(readBounded(file)) as { hostname?: unknown };
    return typeof host === "string" && /^[\w.-]{1,253}$/.test(host) ? host : undefined;
  } catch {
    return undefined;
  }
}

/** Ours have some 150 bytes, and no metadata makes one that is longer. */
const READ_LIMIT_BYTES = 4096;

/** What somebody planted under the name may be a link, a pipe, or endless. */
function readBounded(file: string): string {
  const fd = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  try {
    if (!fstatSync(fd).isFile()) return "";
    const buffer = Buffer.alloc(READ_LIMIT_BYTES);
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}
