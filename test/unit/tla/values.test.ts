import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonical,
  canonicalText,
  parseValue,
  type Value,
  ValueSyntaxError,
} from "../../../tla/tools/values.ts";

describe("canonicalText", () => {
  it.each([
    ["7", "7"],
    ["-12", "-12"],
    ["TRUE", "TRUE"],
    ["NoOne", "NoOne"],
    ["m1_x", "m1_x"],
    ["TRUEish", "TRUEish"],
    ['"a"', '"a"'],
    [String.raw`"tab\tnl\nquote\"back\\slash"`, String.raw`"tab\tnl\nquote\"back\\slash"`],
    ["{}", "{}"],
    ["<<>>", "<<>>"],
    ["<<<<>>>>", "<<<<>>>>"],
    ['{"b", "a", "b"}', '{"a", "b"}'],
    ["{ {2, 1},\n  {1, 2} }", "{{1, 2}}"],
    ["2..4", "{2, 3, 4}"],
    ["4..2", "{}"],
    ["-1..1", "{-1, 0, 1}"],
    ["[b |-> 1, a |-> {}]", "[a |-> {}, b |-> 1]"],
    ['("b" :> 1 @@ "a" :> {})', "[a |-> {}, b |-> 1]"],
    ['("b c" :> 1 @@ "a" :> 2)', '("a" :> 2 @@ "b c" :> 1)'],
    ["(2 :> TRUE @@ 1 :> FALSE)", "<<FALSE, TRUE>>"],
    ["(0 :> TRUE @@ 1 :> FALSE)", "(0 :> TRUE @@ 1 :> FALSE)"],
    ["(M2 :> 1 @@ M1 :> <<>>)", "(M1 :> <<>> @@ M2 :> 1)"],
    ["({M2, M1} :> 1)", "({M1, M2} :> 1)"],
  ])("%s is %s", (printed, expected) => {
    expect(canonicalText(printed)).toBe(expected);
    // The second answer comes from memory.
    expect(canonicalText(printed)).toBe(expected);
  });

  it.each(["", "{1", "<<1, 2", '"open', String.raw`"\x"`, "[a 1]", "(1 :> )", "1 2", "{1,}", "-a", "@"])(
    "%j is an error",
    (printed) => {
      expect(() => canonicalText(printed)).toThrow(ValueSyntaxError);
    },
  );

  it("is the same for every way of printing a value, and for its own output", () => {
    fc.assert(
      fc.property(value, fc.nat(), (original, seed) => {
        const text = canonical(original);
        expect(canonical(parseValue(print(original, seed)))).toBe(text);
        expect(canonicalText(text)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it("tells different values apart", () => {
    fc.assert(
      fc.property(value, value, (one, two) => {
        // Wrapping both in a set counts them as TLA+ would: equal values are one element.
        const together = canonical({ kind: "set", items: [one, two] });
        const alone = canonical({ kind: "set", items: [one] });
        expect(together === alone).toBe(canonical(one) === canonical(two));
      }),
    );
  });
});

const text = fc.string({
  unit: fc.constantFrom("a", "b", '"', "\\", "\n", "\t", " ", "}", ">>", "ü"),
  maxLength: 6,
});
const fieldName = fc.constantFrom("pc", "a1", "who", "x_y");

const { value } = fc.letrec<{ value: Value }>((tie) => {
  const items = fc.array(tie("value"), { maxLength: 4 });
  const pairs = (keys: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
    fc
      .uniqueArray(fc.tuple(keys, tie("value")), { selector: ([key]) => canonical(key), maxLength: 4 })
      .map((found) => ({ kind: "function", pairs: found }));
  return {
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.integer({ min: -20, max: 20 }).map((number): Value => ({ kind: "int", value: number })),
      fc.boolean().map((truth): Value => ({ kind: "bool", value: truth })),
      text.map((string): Value => ({ kind: "string", value: string })),
      fc.constantFrom("NoOne", "M1").map((name): Value => ({ kind: "model", name })),
      items.map((found): Value => ({ kind: "set", items: found })),
      items.map((found): Value => ({ kind: "tuple", items: found })),
      pairs(fieldName.map((name) => ({ kind: "string", value: name }))),
      pairs(fc.integer({ min: 0, max: 4 }).map((number) => ({ kind: "int", value: number }))),
      pairs(tie("value")),
    ),
  };
});

/** Prints a value in one of the ways that TLC may: other orders, other spaces, records or functions. */
function print(value: Value, seed: number): string {
  const space = seed % 3 === 0 ? "\n    " : " ";
  const inner = (item: Value): string => print(item, Math.floor(seed / 2));
  const turned = <Item>(list: readonly Item[]): Item[] => (seed % 2 === 0 ? [...list].reverse() : [...list]);
  switch (value.kind) {
    case "set":
      return `{${space}${turned(value.items).map(inner).join(`,${space}`)} }`;
    case "tuple":
      return `<<${value.items.map(inner).join(`,${space}`)}>>`;
    case "function":
      return printFunction(turned(value.pairs), space, seed, inner);
    default:
      return canonical(value);
  }
}

function printFunction(
  pairs: ReadonlyArray<readonly [Value, Value]>,
  space: string,
  seed: number,
  inner: (value: Value) => string,
): string {
  const isRecord =
    pairs.length > 0 && pairs.every(([key]) => key.kind === "string" && /^[a-z]\w*$/.test(key.value));
  if (isRecord && seed % 5 < 3) {
    const fields = pairs.map(
      ([key, item]) => `${key.kind === "string" ? key.value : ""} |->${space}${inner(item)}`,
    );
    return `[ ${fields.join(`,${space}`)} ]`;
  }
  return `(${pairs.map(([key, item]) => `${inner(key)} :> ${inner(item)}`).join(`${space}@@ `)})`;
}
