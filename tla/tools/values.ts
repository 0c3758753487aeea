/** A value as TLC prints it. Records are functions on strings, and tuples functions on 1..n, as in TLA+. */
export type Value =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  /** A model value: a name that equals only itself. */
  | { readonly kind: "model"; readonly name: string }
  | { readonly kind: "set"; readonly items: readonly Value[] }
  | { readonly kind: "tuple"; readonly items: readonly Value[] }
  | { readonly kind: "function"; readonly pairs: ReadonlyArray<readonly [Value, Value]> };

const canonicalTexts = new Map<string, string>();

/** Values repeat a lot from state to state, but a long-lived process must not keep them all. */
const mostCanonicalTexts = 500_000;

/** The canonical text of a printed value: equal values, however printed, have equal texts. */
export function canonicalText(text: string): string {
  const known = canonicalTexts.get(text);
  if (known !== undefined) return known;
  const found = canonical(parseValue(text));
  if (canonicalTexts.size >= mostCanonicalTexts) canonicalTexts.clear();
  canonicalTexts.set(text, found);
  return found;
}

/**
 * Sets sorted and without duplicates; a function on names `[a |-> v, ...]` by key; one on 1..n, n > 0, and the
 * empty one `<<...>>`; any other `(k :> v @@ ...)` by key. "Sorted" is by code units of the canonical text.
 */
export function canonical(value: Value): string {
  switch (value.kind) {
    case "int":
      return String(value.value);
    case "bool":
      return value.value ? "TRUE" : "FALSE";
    case "string":
      return quoted(value.value);
    case "model":
      return value.name;
    case "set":
      return `{${[...new Set(value.items.map(canonical))].sort().join(", ")}}`;
    case "tuple":
      return `<<${value.items.map(canonical).join(", ")}>>`;
    case "function":
      return canonicalFunction(value.pairs);
  }
}

function canonicalFunction(pairs: ReadonlyArray<readonly [Value, Value]>): string {
  if (pairs.length === 0) return "<<>>";
  if (pairs.every(([key]) => key.kind === "int")) return canonicalOnIntegers(pairs);
  if (pairs.every(([key]) => key.kind === "string" && fieldName.test(key.value))) {
    const fields = pairs.map(
      ([key, item]) => [key.kind === "string" ? key.value : "", canonical(item)] as const,
    );
    return `[${fields
      .sort(byKey)
      .map(([key, item]) => `${key} |-> ${item}`)
      .join(", ")}]`;
  }
  return canonicalPairs(pairs);
}

/** What TLA+ allows as the name of a field; a function on other strings cannot be written as a record. */
const fieldName = /^\w*[A-Za-z_]\w*$/;

function canonicalOnIntegers(pairs: ReadonlyArray<readonly [Value, Value]>): string {
  const items: string[] = [];
  for (const [key, item] of pairs) {
    const index = key.kind === "int" ? key.value : 0;
    if (index < 1 || index > pairs.length) return canonicalPairs(pairs);
    items[index - 1] = canonical(item);
  }
  return `<<${items.join(", ")}>>`;
}

function canonicalPairs(pairs: ReadonlyArray<readonly [Value, Value]>): string {
  const texts = pairs.map(([key, item]) => [canonical(key), canonical(item)] as const);
  return `(${texts
    .sort(byKey)
    .map(([key, item]) => `${key} :> ${item}`)
    .join(" @@ ")})`;
}

function byKey(left: readonly [string, string], right: readonly [string, string]): number {
  if (left[0] === right[0]) return 0;
  return left[0] < right[0] ? -1 : 1;
}

/** The escapes of TLA+ strings. */
const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  f: "\f",
  r: "\r",
  '"': '"',
  "\\": "\\",
};
const escaped: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(escapes).map(([letter, character]) => [character, `\\${letter}`]),
);

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\\n\t\f\r]/g, (character) => escaped[character] ?? character)}"`;
}

export class ValueSyntaxError extends Error {
  override readonly name = "ValueSyntaxError";
}

/** Parses the whole text as one value. */
export function parseValue(text: string): Value {
  const scanner: Scanner = { text, at: 0 };
  const value = scanValue(scanner);
  skipSpace(scanner);
  if (scanner.at < text.length) fail(scanner, "the end");
  return value;
}

/** Plain indices over one string: a dump has millions of values, and slices would be most of the work. */
interface Scanner {
  readonly text: string;
  at: number;
}

function scanValue(scanner: Scanner): Value {
  skipSpace(scanner);
  const { text } = scanner;
  switch (text[scanner.at]) {
    case "{":
      scanner.at += 1;
      return { kind: "set", items: scanList(scanner, "}", scanValue) };
    case "<":
      expect(scanner, "<<");
      return { kind: "tuple", items: scanList(scanner, ">>", scanValue) };
    case "[":
      scanner.at += 1;
      return { kind: "function", pairs: scanList(scanner, "]", scanField) };
    case "(":
      scanner.at += 1;
      return { kind: "function", pairs: scanList(scanner, ")", scanPair, "@@") };
    case '"':
      return { kind: "string", value: scanString(scanner) };
    default:
      return scanWord(scanner);
  }
}

function scanList<Item>(
  scanner: Scanner,
  end: string,
  scan: (scanner: Scanner) => Item,
  separator = ",",
): Item[] {
  const items: Item[] = [];
  if (accept(scanner, end)) return items;
  do items.push(scan(scanner));
  while (accept(scanner, separator));
  expect(scanner, end);
  return items;
}

function scanField(scanner: Scanner): readonly [Value, Value] {
  skipSpace(scanner);
  const value = wordAt(scanner);
  expect(scanner, "|->");
  return [{ kind: "string", value }, scanValue(scanner)];
}

function scanPair(scanner: Scanner): readonly [Value, Value] {
  const key = scanValue(scanner);
  expect(scanner, ":>");
  return [key, scanValue(scanner)];
}

function scanString(scanner: Scanner): string {
  const { text } = scanner;
  const start = scanner.at + 1;
  let result = "";
  let copied = start;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') {
      scanner.at = at + 1;
      return result + text.slice(copied, at);
    }
    if (character === "\\") {
      const meant = escapes[text[at + 1] ?? ""];
      if (meant === undefined) fail({ text, at }, "an escape");
      result += text.slice(copied, at) + meant;
      at += 1;
      copied = at + 1;
    }
  }
  return fail(scanner, "a string with an end");
}

const integer = /^-?\d+$/;

function scanWord(scanner: Scanner): Value {
  const word = wordAt(scanner);
  if (word === "TRUE" || word === "FALSE") return { kind: "bool", value: word === "TRUE" };
  if (!integer.test(word)) return { kind: "model", name: word };
  const value = Number(word);
  // TLC prints a set that the specification wrote as an interval as an interval.
  return accept(scanner, "..") ? interval(value, scanner) : { kind: "int", value };
}

function interval(first: number, scanner: Scanner): Value {
  const last = scanValue(scanner);
  if (last.kind !== "int") return fail(scanner, "an integer");
  const length = Math.max(0, last.value - first + 1);
  return {
    kind: "set",
    items: Array.from({ length }, (_, index) => ({ kind: "int", value: first + index })),
  };
}

function wordAt(scanner: Scanner): string {
  const { text } = scanner;
  const start = scanner.at;
  if (text[start] === "-") scanner.at += 1;
  const afterSign = scanner.at;
  while (isWordCode(text.charCodeAt(scanner.at))) scanner.at += 1;
  if (scanner.at === afterSign) fail(scanner, "a value");
  const word = text.slice(start, scanner.at);
  if (afterSign > start && !integer.test(word)) fail(scanner, "an integer");
  return word;
}

/** 0-9, A-Z, _, a-z. NaN, behind the end of the text, is none of them. */
function isWordCode(code: number): boolean {
  return (
    (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122)
  );
}

function skipSpace(scanner: Scanner): void {
  for (;;) {
    const code = scanner.text.charCodeAt(scanner.at);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
    scanner.at += 1;
  }
}

function accept(scanner: Scanner, token: string): boolean {
  skipSpace(scanner);
  if (!scanner.text.startsWith(token, scanner.at)) return false;
  scanner.at += token.length;
  return true;
}

function expect(scanner: Scanner, token: string): void {
  if (!accept(scanner, token)) fail(scanner, `"${token}"`);
}

function fail(scanner: Scanner, expected: string): never {
  const rest = scanner.text.slice(scanner.at, scanner.at + 40);
  throw new ValueSyntaxError(`Cannot parse value: expected ${expected} at ${scanner.at}, before "${rest}"`);
}
