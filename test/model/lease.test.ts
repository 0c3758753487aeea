import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { BROKEN, lease } from "../../model/lease/lease.ts";
import { readLeaseConfig } from "../../tla/tools/constants.ts";
import { comparableOf, describeAgainstTlc, describePinned } from "./againstTlc.ts";

const tla = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "tla");
const spec = readFileSync(join(tla, "Lease.tla"), "utf8");
const between = (from: string, to: string): string => spec.slice(spec.indexOf(from), spec.indexOf(to));
const comparable = comparableOf(["Lease", "MCLease"]);

describeAgainstTlc(comparable);
describePinned(["MCLease"]);

it("compares every small configuration of the lease", () => {
  expect(comparable.length).toBeGreaterThanOrEqual(13);
});

it("tla/Lease.tla and model/lease have the same actions, variables and properties, in the same order", () => {
  const body = between("(* The actions *)", "\nNext ==");
  const defined = [...body.matchAll(/^([A-Z]\w*)(?:\([pj]\))? ==/gm)].map(([, action]) => action);
  expect(defined.filter((name) => name !== "HoldsOn")).toEqual(lease.actions);
  const block = between("VARIABLES", "\nvars ==");
  const names = [...block.matchAll(/^ {2}(\w+),? *\\\*/gm)].map(([, name]) => name);
  const [initial] = lease.initialStates(readLeaseConfig(tla, "LeaseGraph.cfg"));
  expect(names).toEqual(Object.keys(initial ?? {}));
  for (const { name } of lease.invariants) expect(spec, name).toMatch(new RegExp(`^${name} ==`, "m"));
});

it("what the specification of the lease can lose is what the model can lose, and a configuration loses each", () => {
  const named = new Set([...spec.matchAll(/"(\w+)" \\(?:not)?in Broken/g)].map(([, name]) => name ?? ""));
  expect([...named].sort()).toEqual([...BROKEN].sort());
  const lost = comparable.flatMap(({ config }) => readLeaseConfig(tla, config).broken);
  expect([...new Set(lost)].sort()).toEqual([...BROKEN].sort());
});

it("what the code does is named as in the specification", () => {
  const code = ["lease.ts", "heartbeat.ts", "owner/mark.ts", "protocol.ts"]
    .map((file) => readFileSync(join(tla, "..", "src", file), "utf8"))
    .join("\n");
  const ours = [
    "Beat",
    "ReadMark",
    "Stat",
    "Probe",
    "Mark",
    "Recheck",
    "Take",
    "Evict",
    "Release",
    "PutBack",
    "Drop",
  ];
  for (const action of ours) expect(code, action).toMatch(new RegExp(`\`${action}\`|"${action}"`));
});
