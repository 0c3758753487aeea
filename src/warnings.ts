/** What nobody asked for: process warnings. */

import { printable } from "./errors.ts";
import type { WarningCode } from "./registry.ts";

export function warn(message: string, code: WarningCode): void {
  process.emitWarning(printable(message), { type: "SessionWriteLockWarning", code });
}
