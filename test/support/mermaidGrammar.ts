/**
 * The part of Mermaid's sequence diagrams that our pictures use, as strictly as its parser reads it, and a little more:
 * lanes are declared once and before they are used, boxes are closed. Mermaid itself needs a DOM and is not a
 * dependency.
 */

/** What Mermaid would end a text at, or take for an entity, a comment, a formula or a tag. */
const FORBIDDEN = /[;#<>\r\n]|%%|\$\$/;

/** What is wrong with a diagram, one sentence for each mistake; empty if nothing is. */
export function mermaidMistakes(diagram: string): readonly string[] {
  const [head, ...lines] = diagram.split("\n");
  const mistakes = head === "sequenceDiagram" ? [] : ["it does not begin with sequenceDiagram"];
  const lanes = new Set<string>();
  let boxed = false;
  for (const line of lines) {
    const say = (what: string): number => mistakes.push(`${what}: ${line.trim()}`);
    const { kind, ids, text } = partsOf(line);
    if (kind === undefined) say("a line of another kind");
    if (text !== undefined && (text === "" || FORBIDDEN.test(text))) say("a text that Mermaid does not read");
    if (kind === "box" && boxed) say("a box in a box");
    if (kind === "end" && !boxed) say("an end of nothing");
    if (kind === "box" || kind === "end") boxed = kind === "box";
    if (kind === "participant" && ids.some((id) => lanes.has(id))) say("a lane that is there already");
    if (kind === "participant") for (const id of ids) lanes.add(id);
    else if (ids.some((id) => !lanes.has(id))) say("a lane that is not declared");
  }
  return boxed ? [...mistakes, "a box is not closed"] : mistakes;
}

const KINDS: ReadonlyArray<readonly [kind: string, pattern: RegExp]> = [
  ["box", /^ {4}box transparent (?<text>.*)$/],
  ["end", /^ {4}end$/],
  ["participant", /^ {4}participant (?<one>\w+) as (?<text>.*)$/],
  ["call", /^ {4}(?<one>\w+)->>(?<other>\w+): (?<text>.*)$/],
  ["note", /^ {4}Note over (?<one>\w+)(?:,(?<other>\w+))?: (?<text>.*)$/],
];

/** Words that begin a statement; as the name of a lane they end the parse. */
const RESERVED = ["end", "box", "note", "loop", "alt", "opt", "par", "rect", "participant", "actor"];

function partsOf(line: string): { kind?: string; ids: readonly string[]; text?: string } {
  for (const [kind, pattern] of KINDS) {
    const groups = pattern.exec(line)?.groups;
    if (groups === undefined && !pattern.test(line)) continue;
    const { one, other, text } = groups ?? {};
    const ids = [one, other].filter((id) => id !== undefined);
    if (ids.some((id) => RESERVED.includes(id.toLowerCase()))) return { ids: [] };
    return text === undefined ? { kind, ids } : { kind, ids, text };
  }
  return { ids: [] };
}
