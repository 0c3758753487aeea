/** A tool could not do its work, so nothing was checked. Commands exit with 2; it is never a pass. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  readonly code = "ETOOL";
  readonly exitCode = 2;

  constructor(attempt: string, reason: string, whatToDo: string, options?: ErrorOptions) {
    super(`Cannot ${attempt}: ${reason}. ${whatToDo}`, options);
  }
}

/** Somebody asked the tool to stop (Ctrl-C, SIGTERM). */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`Stopped by ${signal}.`);
    // The shell's convention, 128 + the signal's number.
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
