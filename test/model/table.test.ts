import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Exploration, explore } from "../../model/explore.ts";
import { issueLock } from "../../model/issue/issueLock.ts";
import { lease } from "../../model/lease/lease.ts";
import type { Machine, MachineStep } from "../../model/machine.ts";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import { mkdirMtime } from "../../model/peers/mkdirMtime.ts";
import { type State as RenameAsideState, renameAside } from "../../model/peers/renameAside.ts";
import { StateTable } from "../../model/table.ts";
import {
  readIssueConfig,
  readLeaseConfig,
  readMkdirMtimeConfig,
  readModelConfig,
  readRenameAsideConfig,
} from "../../tla/tools/constants.ts";

interface Pair {
  readonly lock: readonly string[] | string | null;
  readonly pc: Readonly<Record<string, unknown>>;
}

const pair = (lock: Pair["lock"], a1: unknown, b1: unknown): Pair => ({ lock, pc: { a1, b1 } });
const first = pair(null, "idle", "idle");
const tableOfPairs = (): StateTable<Pair> => new StateTable<Pair>({ kind: "fields", first });

describe("the table of states", () => {
  it("gives each state a number, and an equal one the same, whether it has the objects of the state before or not", () => {
    const table = tableOfPairs();
    expect(table.add(first, null)).toBe(0);
    const before = { state: first, id: 0 };
    const next = { ...first, pc: { ...first.pc, a1: "take" } };
    expect(table.add(next, before)).toBe(1);
    expect(table.add(pair(null, "take", "idle"), before)).toBe(1);
    expect(table.add(pair(null, "take", "idle"), null)).toBe(1);
    expect(table.add({ ...next, pc: { ...next.pc, a1: "idle" } }, { state: next, id: 1 })).toBe(0);
    expect(table.size).toBe(2);
  });

  it("tells values apart by what they are: a text from the array, the number or the null that it spells", () => {
    const values = [
      null,
      "null",
      [],
      "[]",
      ["a"],
      '["a"]',
      ["a", "b"],
      1,
      "1",
      true,
      "true",
      { at: 1 },
      '{"at":1}',
    ];
    const table = tableOfPairs();
    for (const value of [...values, ...values]) table.add(pair(null, value, "idle"), null);
    for (const value of [...values, ...values]) table.add(pair(null, "idle", value), null);
    expect(table.size).toBe(2 * values.length);
  });

  it("knows what was added, and only that", () => {
    const table = tableOfPairs();
    table.add(first, null);
    expect(table.idOf(pair(null, "idle", "idle"))).toBe(0);
    expect(table.idOf(pair(null, "idle", "take"))).toBeUndefined();
    expect(table.size).toBe(1);
  });

  it("keeps the numbers when it grows", () => {
    const table = new StateTable<{ readonly n: number; readonly m: number }>({
      kind: "fields",
      first: { n: 0, m: 0 },
    });
    const states = Array.from({ length: 5_000 }, (_, i) => ({ n: i % 71, m: Math.floor(i / 71) }));
    expect(states.map((state) => table.add(state, null))).toEqual([...states.keys()]);
    expect(states.map((state) => table.idOf(state))).toEqual([...states.keys()]);
  });

  it.each([
    ["one more", { a1: "idle", b1: "idle", c1: "idle" }, "it has c1"],
    ["one less", { a1: "idle" }, "it lacks b1"],
    ["another one", { a1: "idle", c1: "idle" }, "it has c1 where others have b1"],
  ])(
    "refuses a record with keys that others have not, %s, instead of taking it for one of them",
    (_what, pc, why) => {
      const table = tableOfPairs();
      table.add(first, null);
      expect(() => table.add({ lock: null, pc }, { state: first, id: 0 })).toThrow(why);
    },
  );
});

const tla = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "tla");

/** Everything that the explorer says of a machine: its states by key and its edges by number, in its order. */
function everything<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
  config: Config,
): { readonly found: Exploration<State>; readonly keys: number; readonly digest: string } {
  const keys = new Set<string>();
  const hash = createHash("sha256");
  const found = explore(machine, config, {
    invariants: [],
    stepProperties: [],
    onState: (state, id) => {
      keys.add(machine.key(state));
      hash.update(`${id} ${machine.key(state)}\n`);
    },
    onEdge: (from, { label }, to) => hash.update(`${from} ${label.action} ${label.arg} ${to}\n`),
  });
  return { found, keys: keys.size, digest: hash.digest("hex") };
}

/** The same machine, whose states are told apart by their keys alone. */
function byKey<Config, State, Step extends MachineStep<State>>(
  machine: Machine<Config, State, Step>,
): Machine<Config, State, Step> {
  const { byFields, ...rest } = machine;
  expect(byFields, "compared field by field").toBe(true);
  return rest;
}

describe("field by field, the explorer finds what it finds by the keys: states, edges, and their numbers", () => {
  const compare = <Config, State, Step extends MachineStep<State>>(
    machine: Machine<Config, State, Step>,
    read: (dir: string, file: string) => Config,
    name: string,
  ): void => {
    it(name, () => {
      const config = read(tla, `${name}.cfg`);
      const found = everything(machine, config);
      expect(found).toEqual(everything(byKey(machine), config));
      expect(found.keys).toBe(found.found.distinct);
    });
  };
  compare(ownerDirectory, readModelConfig, "GraphMerges");
  compare(ownerDirectory, readModelConfig, "GraphRevokes");
  compare(issueLock, readIssueConfig, "IssueGraphOld");
  compare(mkdirMtime, readMkdirMtimeConfig, "MkdirMtimeGraph");
  compare(renameAside, readRenameAsideConfig, "RenameAsideGraph");
  compare(lease, readLeaseConfig, "LeaseGraph");

  it("twin: a machine whose key is more, or less, than its fields is noticed", () => {
    const config = readRenameAsideConfig(tla, "RenameAsideGraph.cfg");
    const vague = { ...renameAside, key: ({ pc }: RenameAsideState) => JSON.stringify(pc) };
    expect(everything(vague, config)).not.toEqual(everything(byKey(vague), config));
    expect(everything(vague, config).keys).toBeLessThan(everything(vague, config).found.distinct);
  });
});
