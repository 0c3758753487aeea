import { describe, expect, it } from "vitest";
import { readRunOptions } from "../../../src/cli/run.ts";
import { readGuestScope, readOwnerScope } from "../../../src/owner/identity.ts";
import { createObserver } from "../../../src/owner/observe.ts";

const timeoutOf = (text: string): unknown => {
  const options = readRunOptions(["--timeout", text, "f", "--", "true"]);
  return typeof options === "string" ? options : options.timeoutMs;
};

describe("the options of run", () => {
  it.each([
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["10s", 10_000],
    ["1.5s", 1_500],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["inf", Number.POSITIVE_INFINITY],
  ])("--timeout %s is %d ms", (text, ms) => {
    expect(timeoutOf(text)).toBe(ms);
  });

  it.each(["", "10", "-1s", "s", "1 s", "1d", "1e3s", "Infinity", "0x10s"])(
    "--timeout %j is refused",
    (text) => {
      expect(timeoutOf(text)).toMatch(/--timeout|argument/);
    },
  );

  it("waits for ever if nothing is said, and keeps the command's words as they are", () => {
    expect(readRunOptions(["a.jsonl", "--", "sh", "--quiet", "--", ""])).toEqual({
      file: "a.jsonl",
      command: ["sh", "--quiet", "--", ""],
      timeoutMs: Number.POSITIVE_INFINITY,
      quiet: false,
    });
  });

  it("takes --help for itself only before the command", () => {
    expect(readRunOptions(["--help"])).toBe("help");
    expect(readRunOptions(["f", "--", "sh", "--help"])).toMatchObject({ command: ["sh", "--help"] });
  });
});

describe("who a guest is", () => {
  const observer = createObserver();
  const self = readOwnerScope(observer);

  it("is of our own scope, with its pid and start; its one thread is that of the process", () => {
    const guest = readGuestScope(self, observer, process.ppid);
    expect(guest).toMatchObject({ host: self.host, boot: self.boot, pidNamespace: self.pidNamespace });
    expect(guest).toMatchObject({ pid: `${process.ppid}`, tid: `${process.ppid}` });
    expect(guest.threadStart).toBe(guest.processStart);
    if (process.platform === "linux") expect(guest.processStart).not.toBe(self.processStart);
  });

  it("has no start, and so proves nothing, if none can be read", () => {
    const blind = {
      ...observer,
      observe: () => ({ ...observer.observe(self), before: "untrusted" as const }),
    };
    expect(readGuestScope(self, blind, process.ppid)).toMatchObject({ processStart: "-", threadStart: "-" });
  });
});
