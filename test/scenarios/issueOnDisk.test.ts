import { describe, expect, it } from "vitest";
import { ISSUE_HOLES } from "../../model/issue/holes.ts";
import { issueRun } from "./issueRuns.ts";

describe("x", () => {
  for (const hole of ISSUE_HOLES) {
    it(hole.name, () => {
      const { violated, before } = issueRun(hole);
      expect(before).toEqual([]);
      expect(violated).toContain(hole.property);
    });
  }
});
