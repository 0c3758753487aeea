import { canonicalState } from "./dump.ts";
import { violatedBy } from "./tlcOutput.ts";
import { ToolError } from "./toolError.ts";

/** The counterexample that TLC printed: its states as canonical texts, and what they violate. */
export interface TlcTrace {
  readonly property: string;
  readonly states: readonly string[];
}

/** Whether a text is an output of TLC, as opposed to a list of steps. */
export function isTlcOutput(text: string): boolean {
  return /^State \d+: </m.test(unquoted(text));
}

/**
 * Reads the states that follow the error. "Back to state" and "Stuttering", which end a violation of liveness, repeat
 * a state and are left out.
 */
export function readTlcTrace(text: string): TlcTrace {
  const output = unquoted(text);
  const error = /^Error: (?!The behavior|The following behavior).+$/m.exec(output)?.[0];
  const blocks = output.split(/^(?=State \d+: )/m).filter((block) => /^State \d+: </.test(block));
  if (error === undefined || blocks.length === 0) {
    throw new ToolError(
      "read the counterexample",
      "TLC printed none",
      "Give the output of a run that fails.",
    );
  }
  return { property: violatedBy(error), states: blocks.map(stateOf) };
}

/** `State 2: <Take line 10, ...>`, then one variable on each line, up to an empty one. */
function stateOf(block: string): string {
  const [, ...lines] = block.split(/\r?\n/);
  const end = lines.indexOf("");
  return canonicalState((end === -1 ? lines : lines.slice(0, end)).join("\n"));
}

/** `npm run tlc` quotes the output of a run that is not as expected: `  | State 1: ...`. */
function unquoted(text: string): string {
  return text.replaceAll(/^ {2}\| ?/gm, "");
}
