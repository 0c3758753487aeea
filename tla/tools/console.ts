import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Interrupted, ToolError } from "./toolError.ts";

/** Whether this module is the program, not an import of it. */
export function isProgram(moduleUrl: string): boolean {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === realpathSync(fileURLToPath(moduleUrl));
}

/** Runs a command and turns its errors into exit codes: 2 when nothing could be checked. */
export async function runProgram(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const expected = error instanceof ToolError || error instanceof Interrupted;
    console.error(expected ? error.message : error);
    process.exitCode = expected ? error.exitCode : 2;
  }
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(header: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const numeric = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[\d,.-]*$/.test(row[column] ?? "")),
  );
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? "";
        return numeric[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [line(header), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

export function grouped(value: number | undefined): string {
  return value === undefined ? "-" : value.toLocaleString("en-US");
}

/** A rate, to three digits: more would only be noise. */
export function perSecond(count: number, seconds: number): string {
  if (count === 0 || seconds <= 0) return "-";
  return grouped(Number((count / seconds).toPrecision(3)));
}

/** A live line on a terminal is redrawn this often: seconds tick, nothing flickers. */
const redrawMs = 1_000;

/** Says what runs: one line redrawn on a terminal, one line at the start and one at the end elsewhere. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  #timer: NodeJS.Timeout | undefined;
  #title = "";
  #detail = "";
  #startedAt = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  start(title: string): void {
    this.#title = title;
    this.#detail = "";
    this.#startedAt = performance.now();
    if (!this.#stream.isTTY) {
      this.#stream.write(`${title} ...\n`);
      return;
    }
    this.#redraw();
    this.#timer = setInterval(() => this.#redraw(), redrawMs);
  }

  detail(text: string): void {
    this.#detail = text;
  }

  end(line: string): void {
    clearInterval(this.#timer);
    this.#stream.write(`${this.#stream.isTTY ? "\r\x1b[K" : ""}${line}\n`);
  }

  /** Ends the live line without a word, when an error follows. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#stream.isTTY) this.#stream.write("\r\x1b[K");
  }

  #redraw(): void {
    const seconds = Math.round((performance.now() - this.#startedAt) / 1000);
    this.#stream.write(`\r\x1b[K${this.#title}  ${seconds} s  ${this.#detail}`);
  }
}
