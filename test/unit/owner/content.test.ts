import fs from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { READ_LIMIT_BYTES } from "../../../src/bounded.ts";
import { formatContent, readContent, rewriteContent } from "../../../src/owner/content.ts";

let directory = "";
let file = "";
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-content-"));
  file = join(directory, "owner");
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const NOTHING = { host: undefined, metadata: undefined };

describe("what stands in a new owner file", () => {
  it("is a line of JSON, with the fields that an old module wrote, and metadata if there are any", () => {
    const text = formatContent({ pid: "7", processStart: "5" }, '{"run":1}');
    expect(text.endsWith("}\n")).toBe(true);
    const content = JSON.parse(text) as { createdAt: string };
    expect(content).toEqual({
      pid: 7,
      createdAt: content.createdAt,
      starttime: 5,
      hostname: hostname(),
      library: "session-write-lock",
      metadata: { run: 1 },
    });
    expect(new Date(content.createdAt).toISOString()).toBe(content.createdAt);
    expect(Object.keys(JSON.parse(formatContent({ pid: "7", processStart: "-" })) as object)).toEqual([
      "pid",
      "createdAt",
      "hostname",
      "library",
    ]);
  });
});

describe("what is read of an owner file", () => {
  it("is the host and the metadata that its owner wrote", () => {
    fs.writeFileSync(file, formatContent({ pid: "7", processStart: "5" }, "[1]"));
    expect(readContent(file)).toEqual({ host: hostname(), metadata: [1] });
  });

  it.each(["a-b.c_D9", "x".repeat(253)])("is a host name that looks like one: %s", (host) => {
    fs.writeFileSync(file, JSON.stringify({ hostname: host }));
    expect(readContent(file)).toEqual({ host, metadata: undefined });
  });

  it.each([7, "", "a b", "\u001b[31m", "ok\n", "\nok", "x".repeat(254)])(
    "is no host name of another kind: %j",
    (host) => {
      fs.writeFileSync(file, JSON.stringify({ hostname: host, metadata: 1 }));
      expect(readContent(file)).toEqual({ host: undefined, metadata: 1 });
    },
  );

  it("is nothing, where there is no JSON, no object or no file", () => {
    expect(readContent(file)).toEqual(NOTHING);
    expect(readContent(directory)).toEqual(NOTHING);
    for (const text of ["", "{", "null", "7"]) {
      fs.writeFileSync(file, text);
      expect(readContent(file)).toEqual(NOTHING);
    }
  });
});

describe("other content", () => {
  it("is written over the old one, with blanks where that was longer", () => {
    fs.writeFileSync(file, "0123456789");
    rewriteContent(file, '"ü"\n');
    expect(fs.readFileSync(file, "utf8")).toBe('"ü"\n     ');
    rewriteContent(file, "longer than it was");
    expect(fs.readFileSync(file, "utf8")).toBe("longer than it was");
  });

  it("leaves alone what nobody reads of a file that grew", () => {
    fs.writeFileSync(file, "x".repeat(READ_LIMIT_BYTES + 10));
    rewriteContent(file, "{}");
    expect(fs.readFileSync(file, "utf8")).toBe(`{}${" ".repeat(READ_LIMIT_BYTES - 2)}${"x".repeat(10)}`);
  });

  it("does not make a file that is gone", () => {
    rewriteContent(file, "{}");
    expect(fs.existsSync(file)).toBe(false);
  });
});
