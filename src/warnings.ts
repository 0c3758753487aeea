/** What nobody asked for: process warnings. */

import type { WarningCode } from "./registry.ts";

export function warn(message: string, code: WarningCode): void {
  process.emitWarning(message, { type: "SessionWriteLockWarning", code });
}
