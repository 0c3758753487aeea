import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FEATURES, HOLES } from "../../../model/issue/state.ts";
import { readIssueConfig } from "../../../tla/tools/constants.ts";
import { modelFor } from "../../../tla/tools/modelGraph.ts";

const tla = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "tla");

describe("the constants of a configuration of IssueLock", () => {
  let folder: string;
  beforeAll(() => {
    folder = fs.mkdtempSync(join(tmpdir(), "swl-constants-"));
    fs.copyFileSync(join(tla, "MCScopes.tla"), join(folder, "MCScopes.tla"));
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** A good configuration with one line changed. */
  function changed(from: string, to: string): () => unknown {
    const good = fs.readFileSync(join(tla, "IssueGraphGuardSet.cfg"), "utf8");
    expect(good).toContain(from);
    fs.writeFileSync(join(folder, "X.cfg"), good.replace(from, to));
    return () => readIssueConfig(folder, "X.cfg");
  }

  it("may be a set of the specification by its name: every hole, every feature", () => {
    expect(readIssueConfig(tla, "IssueGraphGuardSet.cfg").openHoles).toEqual([...HOLES].sort());
    expect(readIssueConfig(tla, "IssueNoneCrashHolds.cfg").features).toEqual([...FEATURES].sort());
  });

  it.each([
    ["OpenHoles <- Holes", 'OpenHoles = {"StaleByPaht"}', "the model knows no hole StaleByPaht"],
    ['Features = {"exit", "removeFails"}', 'Features = {"exits"}', "the model knows no feature exits"],
    ['Fix = "guardSet"', 'Fix = "guard"', "there is no fix guard"],
    ["OpenHoles <- Holes", "OpenHoles <- Hole", "MCScopes.tla does not define Hole"],
    ["  Fix = ", "  Fixes = ", "it has no constant Fix"],
  ])("%s: %s is an error, not a constant that does nothing", (from, to, reason) => {
    expect(changed(from, to)).toThrow(reason);
  });
});

it("a module that no model mirrors is an error", () => {
  expect(() => modelFor("MCLock", tla, "MCLock.cfg")).toThrow("there is no model for module MCLock");
});
