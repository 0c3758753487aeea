import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OwnerIdentity } from "../../../src/owner/identity.ts";
import {
  formatOwnerName,
  homeName,
  isKnownJunk,
  lockDigest,
  parseHomeName,
  parseOwnerName,
} from "../../../src/owner/name.ts";
import { OWNER } from "./fixtures.ts";

const number = (digits: number) =>
  fc.bigInt({ min: 1n, max: 10n ** BigInt(digits) - 1n }).map((value) => value.toString());
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const random = hex(16).map((digits) => `r${digits}`);
const absent = fc.constant("-");

const identities: fc.Arbitrary<OwnerIdentity> = fc.record({
  pid: number(10),
  tid: fc.oneof(absent, number(10)),
  processStart: fc.oneof(absent, number(13)),
  threadStart: fc.oneof(absent, number(13)),
  host: fc.oneof(
    absent,
    hex(16),
    random,
    hex(16).map((digits) => `m${digits}`),
  ),
  boot: fc.oneof(
    absent,
    hex(16),
    random,
    hex(16).map((digits) => `c${digits}`),
  ),
  pidNamespace: fc.oneof(absent, number(16), random),
  timeNamespace: fc.oneof(absent, number(16), random),
  life: fc.oneof(absent, hex(32)),
  nonce: hex(24),
});

const NAME =
  "own1_4711_4711_1000_1000_0123456789abcdef_fedcba9876543210_4026531836_4026531834_00000000feedbeef00000000feedbeef_0123456789abcdef01234567";

describe("the name of an owner", () => {
  it("has this form", () => {
    expect(formatOwnerName(OWNER)).toBe(NAME);
  });

  it("gives back every identity that it was made of", () => {
    fc.assert(
      fc.property(identities, (identity) => {
        expect(parseOwnerName(formatOwnerName(identity))).toEqual(identity);
      }),
    );
  });

  it("differs for different identities", () => {
    fc.assert(
      fc.property(identities, identities, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(formatOwnerName(one)).not.toBe(formatOwnerName(other));
      }),
    );
  });

  it("is the only way to write what it says: a changed name is foreign, or says something else", () => {
    const edits = fc.record({
      identity: identities,
      at: fc.nat(170),
      remove: fc.nat(3),
      insert: fc.string({ unit: fc.constantFrom(..."0123456789abcdefrABF_-. \n\0ä"), maxLength: 3 }),
    });
    fc.assert(
      fc.property(edits, ({ identity, at, remove, insert }) => {
        const name = formatOwnerName(identity);
        const edited = name.slice(0, at) + insert + name.slice(at + remove);
        const parsed = parseOwnerName(edited);
        if (parsed !== undefined) expect(formatOwnerName(parsed)).toBe(edited);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is never found in garbage", () => {
    fc.assert(fc.property(fc.string({ unit: "binary-ascii" }), (name) => parseOwnerName(name) === undefined));
  });

  it.each([
    ["another version", NAME.replace("own1", "own2")],
    ["a capital letter", NAME.replace("fedc", "FEDC")],
    ["a leading zero", NAME.replace("_4711_", "_04711_")],
    ["pid 0, which would name a process group", NAME.replace("own1_4711", "own1_0")],
    ["a negative pid, which would name another group", NAME.replace("own1_4711", "own1_-4711")],
    ["a pid that is not known", NAME.replace("own1_4711", "own1_-")],
    ["a start of zero", NAME.replace("_1000_1000", "_0_1000")],
    ["an empty field", NAME.replace("_1000_1000", "__1000")],
    ["one field more", `${NAME}_1`],
    ["one field less", NAME.slice(0, NAME.lastIndexOf("_"))],
    ["a line feed at the end", `${NAME}\n`],
    ["something before it", ` ${NAME}`],
    ["a short nonce", NAME.slice(0, -1)],
    ["no nonce", NAME.replace(/[^_]*$/, "-")],
    ["nothing", ""],
  ])("is foreign with %s", (_, name) => {
    expect(parseOwnerName(name)).toBeUndefined();
  });

  it("is refused for a malformed identity, also if its parts add up", () => {
    for (const broken of [
      { ...OWNER, pid: "0" },
      { ...OWNER, host: "box" },
      { ...OWNER, pid: "4711_4711", tid: "1000" },
      { ...OWNER, nonce: "" },
    ]) {
      expect(() => formatOwnerName(broken)).toThrow(TypeError);
      expect(() => formatOwnerName(broken)).toThrow(
        /^Cannot name the owner: malformed identity in "own1_[^"]*"$/,
      );
    }
  });

  it("fits where names go: at most 184 of the safe characters, and a home of 202", () => {
    const longest = formatOwnerName({
      pid: "9".repeat(10),
      tid: "9".repeat(10),
      processStart: "9".repeat(13),
      threadStart: "9".repeat(13),
      host: `r${"f".repeat(16)}`,
      boot: `r${"f".repeat(16)}`,
      pidNamespace: `r${"f".repeat(16)}`,
      timeNamespace: `r${"f".repeat(16)}`,
      life: "f".repeat(32),
      nonce: "f".repeat(24),
    });
    expect(longest).toHaveLength(184);
    expect(homeName("é".repeat(200), longest)).toHaveLength(202);
    fc.assert(
      fc.property(identities, (identity) => {
        const name = formatOwnerName(identity);
        expect(name).toMatch(/^[a-z0-9_-]+$/);
        expect(name.length).toBeLessThanOrEqual(longest.length);
      }),
    );
  });
});

describe("the name of a home", () => {
  it("has this form", () => {
    expect(homeName("a.jsonl.lock", NAME)).toBe(`.swl-${lockDigest("a.jsonl.lock")}-${NAME}`);
    expect(lockDigest("a.jsonl.lock")).toBe("8cbaa8f7199d");
  });

  it("gives back its lock's digest and its owner", () => {
    fc.assert(
      fc.property(fc.string(), identities, (lock, owner) => {
        const parsed = parseHomeName(homeName(lock, formatOwnerName(owner)));
        expect(parsed).toEqual({ lockDigest: lockDigest(lock), owner });
      }),
    );
  });

  it("is not found in other names", () => {
    const home = homeName("a.jsonl.lock", NAME);
    for (const other of [
      "",
      NAME,
      home.slice(1),
      `${home}\n`,
      home.replace(".swl-", ".swl-0"),
      `${home}.tmp`,
      `a${home}`,
    ]) {
      expect(parseHomeName(other)).toBeUndefined();
    }
    fc.assert(fc.property(fc.string({ unit: "binary-ascii" }), (name) => parseHomeName(name) === undefined));
  });

  it("is refused for what is not an owner", () => {
    expect(() => homeName("a.jsonl.lock", "someone")).toThrow(TypeError);
    expect(() => homeName("a.jsonl.lock", "someone")).toThrow(
      'Cannot name a home: "someone" is not an owner',
    );
  });
});

describe("known junk", () => {
  it.each([
    ".DS_Store",
    "._own1",
    "Thumbs.db",
    "desktop.ini",
    ".nfs00000000000a1b2c00000001",
    ".fuse_hidden0000000100000001",
    ".smbdeleteAAA1b2c",
    ".afpDeleted4e2f",
    "@eaDir",
  ])("holds %s", (name) => {
    expect(isKnownJunk(name)).toBe(true);
  });

  it("holds nothing else, above all no owner and no home", () => {
    for (const name of [
      "",
      ".",
      "lock.json",
      "DS_Store",
      "nfs1",
      "@eaDir2",
      NAME,
      homeName("a.lock", NAME),
    ]) {
      expect(isKnownJunk(name)).toBe(false);
    }
  });
});
