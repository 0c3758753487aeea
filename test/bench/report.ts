/** The report on a terminal. */

import { table } from "../../tla/tools/console.ts";
import { MEASURES } from "./measures.ts";
import { rounded } from "./statistics.ts";
import type { Summary } from "./summary.ts";
import type { Target } from "./targets.ts";

export const RATIO = "ours is x times as good";

export function asText({ measures, targets }: Summary): string {
  const parts = measures.map(({ name, lines }) => {
    const { title, how, columns } = measureOf(name);
    const header = ["", "lock", ...columns.map((column) => column.title), RATIO, ""];
    const body = lines.map(({ variant, lock, values, ratio, remark }) => [
      variant,
      lock,
      ...values.map(rounded),
      rounded(ratio),
      remark,
    ]);
    return `\n${title} (${name})\n${how}\n\n${table(header, body)}`;
  });
  return [
    ...parts,
    `\nTargets\n\n${table(["target", "measured", "bound", ""], targets.map(targetCells))}`,
  ].join("\n");
}

export function measureOf(name: string): (typeof MEASURES)[number] {
  const measure = MEASURES.find((candidate) => candidate.name === name);
  if (measure === undefined) throw new Error(`there is no measure ${name}`);
  return measure;
}

export function targetCells({ what, value, bound, met }: Target): string[] {
  const verdict = met === null ? "" : met ? "met" : "MISSED";
  return [what, value === null ? "not measured" : rounded(value), bound, verdict];
}
