/** A picture as a Mermaid sequence diagram. */

import type { Act, Lane, Picture, PictureStep } from "./picture.ts";

export function sequenceDiagram({ lanes, steps }: Picture): string {
  const order = new Map(lanes.map(({ id }, i) => [id, i]));
  const body = [...participants(lanes), ...steps.flatMap((step, i) => stepLines(step, i + 1, order))];
  return ["sequenceDiagram", ...body.map((line) => `    ${line}`)].join("\n");
}

function participants(lanes: readonly Lane[]): readonly string[] {
  const lines: string[] = [];
  let open: string | undefined;
  for (const { id, title, group } of lanes) {
    if (open !== undefined && open !== group) lines.push("end");
    // Without a colour Mermaid would take the first word of the title for one if it is one.
    if (group !== undefined && open !== group) lines.push(`box transparent ${plainText(group)}`);
    open = group;
    lines.push(`participant ${id} as ${plainText(title)}`);
  }
  if (open !== undefined) lines.push("end");
  return lines;
}

function stepLines(
  { label, act, notes }: PictureStep,
  number: number,
  order: ReadonlyMap<string, number>,
): readonly string[] {
  const text = plainText(`${number}. ${label.action}${act.text === "" ? "" : `, ${act.text}`}`);
  return [
    actLine(act, text, order),
    ...notes.map(({ over, text }) => `Note over ${over}: ${plainText(text)}`),
  ];
}

function actLine(act: Act, text: string, order: ReadonlyMap<string, number>): string {
  if (act.kind === "call") return `${act.from}->>${act.to}: ${text}`;
  // A note spans from the leftmost to the rightmost of its lanes.
  const lanes = [...act.over].sort((x, y) => (order.get(x) ?? 0) - (order.get(y) ?? 0));
  const ends = [...new Set([lanes[0], lanes.at(-1)])];
  return `Note over ${ends.join(",")}: ${text}`;
}

/**
 * Text that means nothing to Mermaid: `;` and `#` end it or begin an entity, `%%` begins a comment, `$$` a formula,
 * angle brackets a tag, and a line ends with the line.
 */
export function plainText(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .replaceAll(";", ",")
    .replaceAll("#", "no. ")
    .replaceAll(/%{2,}/g, "%")
    .replaceAll(/\${2,}/g, "$")
    .replaceAll("<", "(")
    .replaceAll(">", ")")
    .trim();
}
