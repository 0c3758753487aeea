/** What the commands of test/ share: options are read strictly, since a mistyped one must not look like a passed check. */

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface Range {
  readonly fallback: number;
  readonly from: number;
  readonly to: number;
}

/** @throws UsageError unless it is a whole number of the range; the fallback if there is no text. */
export function whole(name: string, text: string | undefined, { fallback, from, to }: Range): number {
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= from && value <= to) return value;
  throw new UsageError(`${name} must be a whole number from ${from} to ${to}, not ${JSON.stringify(text)}`);
}
