import { expect, it } from "vitest";
import { comparableOf, describeAgainstTlc, describePinned } from "./againstTlc.ts";

const comparable = comparableOf(["MCOwnerDirectory", "MCGraph"]);

describeAgainstTlc(comparable);
describePinned(["MCGraph"]);

it("has something to compare for most of the manifest", () => {
  expect(comparable.length).toBeGreaterThanOrEqual(15);
});
