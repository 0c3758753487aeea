/** The content of an owner file: for people and tools. No verdict reads it. */

import fs from "node:fs";
import { hostname } from "node:os";
import { READ_LIMIT_BYTES, readRegularFile, withOwnFile } from "../bounded.ts";
import { ignoreErrors } from "../errors.ts";
import type { OwnerScope } from "./identity.ts";

/** What others may believe of it, and show. */
export interface OwnerContent {
  /** The host name that the owner wrote; undefined if there is none that looks like one. */
  readonly host: string | undefined;
  readonly metadata: unknown;
}

/** Of what {@link formatContent} gives. */
export const FIRST_BYTE: Buffer = Buffer.from("{");

/** `metadata` is JSON text, or empty. */
export function formatContent(
  { pid, processStart }: Pick<OwnerScope, "pid" | "processStart">,
  metadata = "",
): string {
  const content = {
    pid: Number(pid),
    createdAt: new Date().toISOString(),
    starttime: processStart === "-" ? undefined : Number(processStart),
    hostname: hostname(),
    library: "session-write-lock",
    metadata: metadata === "" ? undefined : (JSON.parse(metadata) as unknown),
  };
  return `${JSON.stringify(content)}\n`;
}

/** Never throws: whatever an owner file holds. */
export function readContent(file: string): OwnerContent {
  try {
    const text = readRegularFile(file)?.bytes.toString("utf8") ?? "";
    const { hostname: host, metadata } = JSON.parse(text) as { hostname?: unknown; metadata?: unknown };
    const isHost = typeof host === "string" && /^[\w.-]{1,253}$/.test(host);
    return { host: isHost ? host : undefined, metadata };
  } catch {
    return { host: undefined, metadata: undefined };
  }
}

/**
 * Writes other content into an owner file of ours. One write, never shorter than what is there, so that a reader
 * sees the old content or the new; blanks behind JSON mean nothing. Opened without making it: a name that has left
 * the disk does not come back. What has a second name is left alone: it may be a file of somebody else, or a snapshot.
 */
export function rewriteContent(file: string, content: string): void {
  // It is for people: a disk that refuses shows the old one.
  ignoreErrors(() =>
    withOwnFile(file, (fd, { size }) => {
      // One that grew is not as we made it: what is behind the bound nobody reads.
      const blanks = Math.min(size, READ_LIMIT_BYTES) - Buffer.byteLength(content);
      const padded = Buffer.from(content + " ".repeat(Math.max(0, blanks)));
      fs.writeSync(fd, padded, 0, padded.length, 0);
    }),
  );
}
