/** A real trace is a behaviour of the model; falsified, it is not. */

import fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { doNotRun } from "../support/notRun.ts";
import { checkTrace } from "./check.ts";
import { type Recorded, RUN_LIMIT_MS, recordRun, SEED } from "./fixture.ts";
import { lifeFile, readTrace, type Trace, TraceError } from "./records.ts";
import { blurred, TAMPERINGS, withoutLastOutcomes } from "./tamper.ts";

describe(`the trace of a real run, seed ${SEED}`, () => {
  let run: Recorded;
  let trace: Trace;

  beforeAll(async () => {
    run = await recordRun({ processes: 3, tasks: 2, local: true }, { steps: 3_000 });
    expect(run.failures).toEqual([]);
    trace = run.trace;
  }, RUN_LIMIT_MS);
  afterAll(() => run.remove());

  it("is a behaviour of the model", () => {
    const report = checkTrace(trace);
    expect(report.refusal).toBeUndefined();
    expect(report.steps).toBeGreaterThan(2_500);
  });

  it("is one without the outcomes that a SIGKILL takes away, and with a torn line at its end", () => {
    expect(checkTrace(withoutLastOutcomes(trace)).refusal).toBeUndefined();
    const killed = trace.lives.find(({ killedAt, records }) => killedAt !== undefined && records.length > 0);
    expect(killed).toBeDefined();
    const file = lifeFile(run.files, killed?.proc ?? "", killed?.life ?? 0);
    fs.appendFileSync(file, '{"at":1234,"is":"tu');
    expect(checkTrace(readTrace(run.files)).refusal).toBeUndefined();
  });

  it("is an error, with the file and the line, if a line in the middle is no record", () => {
    const copy = `${run.files}-copy`;
    fs.cpSync(run.files, copy, { recursive: true });
    // One that was killed early may have written nothing.
    const life = trace.lives.find(({ records }) => records.length > 1);
    const file = lifeFile(copy, life?.proc ?? "", life?.life ?? 0);
    const [first = "", ...rest] = fs.readFileSync(file, "utf8").split("\n");
    fs.writeFileSync(file, [first, "{torn", ...rest].join("\n"));
    expect(() => readTrace(copy)).toThrow(`Cannot read ${file}: line 2 is no record: {torn`);
    expect(() => readTrace(join(run.files, "nowhere"))).toThrow(TraceError);
  });

  it.each(["begin", "end"] as const)("is one if less is known of when calls %s", (side) => {
    expect(checkTrace(blurred(trace, side)).refusal).toBeUndefined();
  });

  for (const { what, noticedAt, tamper } of TAMPERINGS) {
    it(`is none if ${what}`, (context) => {
      if (!trace.meta.local) doNotRun(context, "there is no PutBack: the disk is not known to be local");
      const { refusal } = checkTrace(tamper(trace));
      expect(refusal).toMatch(noticedAt);
    });
  }
});
