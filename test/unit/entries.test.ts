import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Entries } from "../../src/entries.ts";
import type { Entry } from "../../src/registry.ts";
import { stubEntry } from "./stubs.ts";

const PATHS = ["/d/a.lock", "/d/b.lock", "/d/c.lock", "/e/a.lock"];
/** More than so many are idle all the time. */
const MOST = 1;
const STEP = fc.record({
  step: fc.constantFrom("add" as const, "add" as const, "use" as const, "rest" as const, "delete" as const),
  at: fc.nat(PATHS.length - 1),
});

describe("the entries of a process", () => {
  it("are found by their paths, and go in the order in which they were left, whatever was done before", () => {
    fc.assert(
      fc.property(fc.array(STEP, { minLength: 30, maxLength: 90 }), (steps) => {
        const entries = new Entries();
        const known = new Map<string, Entry>();
        let idle: Entry[] = [];
        const inDirectoryOf = (entry: Entry): number =>
          [...known.keys()].filter((path) => path.startsWith(entry.lockPath.slice(0, 3))).length;
        for (const { step, at } of steps) {
          const path = PATHS[at] ?? "";
          const entry = known.get(path);
          if (step === "add") {
            if (entry !== undefined) continue;
            const made = stubEntry({}, path);
            entries.add(made);
            known.set(path, made);
          } else if (entry !== undefined) {
            idle = idle.filter((other) => other !== entry);
            if (step === "use") entries.use(entry);
            else if (step === "rest") {
              idle.push(entry);
              expect(entries.rest(entry, MOST)).toBe(idle.length > MOST ? idle[0] : undefined);
            } else {
              known.delete(path);
              expect(entries.delete(entry)).toBe(inDirectoryOf(entry) === 0);
            }
          }
          expect(entries.size).toBe(known.size);
          expect([...entries.values()]).toEqual([...known.values()]);
          for (const one of PATHS) expect(entries.get(one)).toBe(known.get(one));
        }
      }),
    );
  });

  it("of a path are not those that were there before: what has gone takes nobody with it", () => {
    const entries = new Entries();
    const [before, after] = [stubEntry(), stubEntry()];
    entries.add(before);
    expect(entries.delete(before)).toBe(true);
    expect(entries.delete(before)).toBe(false);
    entries.add(after);
    expect(entries.delete(before)).toBe(false);
    expect(entries.get(after.lockPath)).toBe(after);
  });

  it("that were forgotten are remembered when they are used again, unless there is another one by now", () => {
    const entries = new Entries();
    const [forgotten, other] = [stubEntry(), stubEntry()];
    entries.use(forgotten);
    expect(entries.get(forgotten.lockPath)).toBe(forgotten);
    entries.use(other);
    expect([entries.get(forgotten.lockPath), entries.size]).toEqual([forgotten, 1]);
    expect(entries.delete(forgotten)).toBe(true);
  });
});
