/** How the doctor's rows are printed, and what becomes of a doctor that a signal ends; `examine` is scripted. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { doctor } from "../../../src/cli/doctor.ts";
import type { Diagnosis, DoctorOptions } from "../../../src/doctor/doctor.ts";
import { about, type Row, worstOf } from "../../../src/doctor/row.ts";
import { record } from "./recorder.ts";

const { examine } = vi.hoisted(() => ({ examine: vi.fn() }));
vi.mock("../../../src/doctor/doctor.ts", () => ({ examine }));

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const listeners = (): readonly number[] => SIGNALS.map((signal) => process.listenerCount(signal));

const ROWS: readonly Row[] = [
  about("A1", "short").ok("as assumed"),
  about("A8", "a longer one").warn("seen\u001b[2J", "it costs"),
  about("needs", "x").fail("seen", "no lock here"),
  about("A2", "y").unknown("not tried", "why"),
];
const diagnosis = (rows: readonly Row[]): Diagnosis => ({ directory: "/d", result: worstOf(rows), rows });

beforeEach(() => {
  examine.mockReset();
  examine.mockResolvedValue(diagnosis(ROWS));
});
afterEach(() => void vi.restoreAllMocks());

describe("the table", () => {
  it("has a line for each row: what, how it came out, what was tried, seen, and what that means", async () => {
    expect((await record(doctor, ["/d"])).out).toEqual([
      "A1    ok         short         as assumed",
      "A8    warn       a longer one  seen\\u{1b}[2J; it costs",
      "needs fail       x             seen; no lock here",
      "A2    not known  y             not tried; why",
    ]);
  });

  it("paints how it came out", async () => {
    const { out } = await record(doctor, ["/d"], { colours: true });
    expect(out.map((line) => /\W\[(\d+)m([a-z ]{9})/.exec(line)?.slice(1))).toEqual([
      ["32", "ok       "],
      ["33", "warn     "],
      ["31", "fail     "],
      ["2", "not known"],
    ]);
  });

  it("is JSON if that is asked for", async () => {
    const { out } = await record(doctor, ["--json", "/d"]);
    expect(JSON.parse(out.join("\n"))).toEqual(diagnosis(ROWS));
  });

  it.each([
    [ROWS, 3],
    [ROWS.slice(0, 2), 1],
    [ROWS.slice(0, 1), 0],
    [ROWS.slice(3), 0],
  ])("has an exit code for the worst (%#)", async (rows, code) => {
    examine.mockResolvedValue(diagnosis(rows));
    expect((await record(doctor, ["/d"])).code).toBe(code);
  });

  it.each([
    [["/d"], false],
    [["--quick", "/d"], true],
  ])("is of what was asked for: %j", async (args, quick) => {
    await record(doctor, args);
    expect(examine.mock.calls).toEqual([["/d", { quick, onScratch: expect.any(Function) as unknown }]]);
  });
});

describe("a doctor that is ended by a signal", () => {
  it.each(SIGNALS)("%s removes what it made, and is ended by it", async (signal) => {
    const before = listeners();
    const kill = vi.spyOn(process, "kill").mockReturnValue(true);
    const remove = vi.fn();
    examine.mockImplementation(async (_directory: string, { onScratch }: DoctorOptions) => {
      expect(listeners()).toEqual(before);
      onScratch?.(remove);
      expect(listeners()).toEqual(before.map((count) => count + 1));
      process.emit(signal, signal);
      expect(listeners()).toEqual(before);
      return diagnosis(ROWS);
    });
    await record(doctor, ["/d"]);
    expect([remove.mock.calls.length, kill.mock.calls]).toEqual([1, [[process.pid, signal]]]);
    expect(listeners()).toEqual(before);
  });

  it("listens for none any more when it has ended by itself, or failed", async () => {
    const before = listeners();
    const remove = vi.fn();
    examine.mockImplementation(async (_directory: string, { onScratch }: DoctorOptions) => {
      onScratch?.(remove);
      return diagnosis(ROWS);
    });
    await record(doctor, ["/d"]);
    expect(listeners()).toEqual(before);
    examine.mockImplementation(async (_directory: string, { onScratch }: DoctorOptions) => {
      onScratch?.(remove);
      throw new Error("a bug");
    });
    await expect(record(doctor, ["/d"])).rejects.toThrow("a bug");
    expect([listeners(), remove.mock.calls.length]).toEqual([before, 0]);
  });

  it("goes on, if it cannot be", async () => {
    vi.spyOn(process, "kill").mockImplementation(() => {
      throw new Error("EPERM");
    });
    examine.mockImplementation(async (_directory: string, { onScratch }: DoctorOptions) => {
      onScratch?.(() => {});
      process.emit("SIGTERM", "SIGTERM");
      return diagnosis(ROWS);
    });
    expect((await record(doctor, ["/d"])).code).toBe(3);
  });
});
