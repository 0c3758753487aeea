import { describe, expect, it } from "vitest";
import { newNonce, type OwnerScope, readGuestScope, readOwnerScope } from "../../../src/owner/identity.ts";
import { formatOwnerName } from "../../../src/owner/name.ts";
import { createObserver, type TextReading } from "../../../src/owner/observe.ts";
import { fakeSystem, LINUX_FILES, LINUX_LINKS, statLine } from "./fixtures.ts";

const UNREADABLE: TextReading = { kind: "unreadable" };
const RANDOM = /^r[0-9a-f]{16}$/;

function scopeOf(parts: Parameters<typeof fakeSystem>[0], host?: string): OwnerScope {
  const observer = createObserver(fakeSystem({ files: LINUX_FILES, links: LINUX_LINKS, ...parts }));
  return readOwnerScope(observer, { host });
}

describe("on Linux", () => {
  it("everything is read, the same each time", () => {
    const scope = scopeOf({});
    expect(scope).toEqual({
      pid: "4711",
      tid: "4711",
      processStart: "1000",
      threadStart: "1000",
      host: "m1aa71329822b591e",
      boot: "d463d2d5a9227d7f",
      pidNamespace: "4026531836",
      timeNamespace: "4026531834",
    });
    expect(scopeOf({})).toEqual(scope);
  });

  it("a worker has its own thread id and start", () => {
    const links = { ...LINUX_LINKS, "/proc/thread-self": "4711/task/4713" };
    expect(scopeOf({ links })).toMatchObject({ tid: "4713", processStart: "1000", threadStart: "1300" });
  });

  it("a thread that is not one of ours is not believed", () => {
    const others = ["4712/task/4713", "4711/task/0", "4711", "", "/4711/task/4713", "4711/task/4713/x"];
    for (const link of [...others, UNREADABLE]) {
      const links = { ...LINUX_LINKS, "/proc/thread-self": link };
      expect(scopeOf({ links })).toMatchObject({ tid: "-", threadStart: "-", processStart: "1000" });
    }
  });

  // A1: a start that could not be read is "-"
  it("starts are unknown under a foreign /proc, but the namespaces are not", () => {
    const foreign = [
      { links: { ...LINUX_LINKS, "/proc/self": "9000" } },
      { files: { ...LINUX_FILES, "/proc/self/status": "NSpid:\t9000\t4711\n" } },
      { files: { ...LINUX_FILES, "/proc/self/status": "NSpid:\t4711\t4711\n" } },
      { files: { ...LINUX_FILES, "/proc/self/status": "Name:\tnode\n" } },
      { files: { ...LINUX_FILES, "/proc/self/status": UNREADABLE } },
    ];
    for (const parts of foreign) {
      expect(scopeOf(parts)).toMatchObject({
        tid: "-",
        processStart: "-",
        threadStart: "-",
        pidNamespace: "4026531836",
        timeNamespace: "4026531834",
      });
    }
  });

  it("starts are unknown where an emulator writes our own stat file", () => {
    for (const start of ["1001", "0"]) {
      const files = { ...LINUX_FILES, "/proc/4711/stat": statLine(4711, start, "R", 0) };
      expect(scopeOf({ files })).toMatchObject({ tid: "4711", processStart: "-", threadStart: "-" });
    }
  });

  // A1: a scope field that should exist but cannot be read is random, never a constant
  it("a scope field that cannot be read is random, and another one each time", () => {
    const blind = { files: {}, links: {}, hostName: "localhost" };
    const [one, other] = [scopeOf(blind), scopeOf(blind)];
    for (const field of ["host", "boot", "pidNamespace", "timeNamespace"] as const) {
      expect(one[field]).toMatch(RANDOM);
      expect(other[field]).toMatch(RANDOM);
      expect(other[field]).not.toBe(one[field]);
    }
    expect(one).toMatchObject({ pid: "4711", tid: "-", processStart: "-", threadStart: "-" });
  });

  // tests A6: the reboot rule
  it("a boot id that something is mounted on is marked as a container's", () => {
    const mounted = ["/proc/sys/kernel/random/boot_id"];
    expect(scopeOf({ mounted }).boot).toBe(`c${scopeOf({}).boot}`);
  });

  it("a malformed boot id or namespace is as good as none", () => {
    const id = "6f960e02-9818-4898-964c-af3b491fc2f6";
    for (const text of ["\n", `x${id}`, `${id}0`]) {
      const files = { ...LINUX_FILES, "/proc/sys/kernel/random/boot_id": text };
      expect(scopeOf({ files }).boot).toMatch(RANDOM);
    }
    const whole = "pid:[4026531836]";
    for (const link of ["net:[4026531836]", "pid:[0]", "pid:[]", "4026531836", `/${whole}`, `${whole}x`]) {
      expect(scopeOf({ links: { ...LINUX_LINKS, "/proc/self/ns/pid": link } }).pidNamespace).toMatch(RANDOM);
    }
  });

  it("a kernel without time namespaces is told from one whose time namespace cannot be read", () => {
    const { "/proc/self/ns/time": _, ...links } = LINUX_LINKS;
    expect(scopeOf({ links }).timeNamespace).toBe("-");
    expect(scopeOf({ links: { ...links, "/proc/self/ns/time": UNREADABLE } }).timeNamespace).toMatch(RANDOM);
    expect(scopeOf({ links: { ...links, "/proc/self/ns/pid": UNREADABLE } }).timeNamespace).toMatch(RANDOM);
  });
});

describe("the host", () => {
  const { "/etc/machine-id": machineId, ...withoutMachineId } = LINUX_FILES;

  it("depends on the machine id and on the host name", () => {
    const hosts = [
      scopeOf({}),
      scopeOf({ hostName: "other" }),
      scopeOf({ files: { ...LINUX_FILES, "/etc/machine-id": "0".repeat(31).concat("1") } }),
      scopeOf({ files: withoutMachineId }),
    ].map((scope) => scope.host);
    expect(new Set(hosts).size).toBe(4);
  });

  // tests A6
  it("says whether a machine id is in it", () => {
    expect(scopeOf({}).host).toMatch(/^m[0-9a-f]{16}$/);
    expect(scopeOf({ files: withoutMachineId }).host).toMatch(/^[0-9a-f]{16}$/);
  });

  it("takes the machine id of D-Bus if that is the only one", () => {
    const files = { ...withoutMachineId, "/var/lib/dbus/machine-id": machineId ?? "" };
    expect(scopeOf({ files }).host).toBe(scopeOf({}).host);
  });

  it("takes no machine id from an image that has none yet", () => {
    for (const text of ["", "uninitialized\n", `x${machineId}`, `${machineId?.trim()}0`]) {
      const files = { ...withoutMachineId, "/etc/machine-id": text };
      expect(scopeOf({ files }).host).toBe(scopeOf({ files: withoutMachineId }).host);
    }
  });

  it("is what the user sets, whatever the machine", () => {
    const host = scopeOf({}, "Büro 7").host;
    expect(host).toMatch(/^m[0-9a-f]{16}$/);
    expect(scopeOf({ hostName: "other", files: {} }, "Büro 7").host).toBe(host);
    expect(scopeOf({}, "Büro 8").host).not.toBe(host);
    expect(scopeOf({}, "box").host).not.toBe(scopeOf({}).host);
    // Other versions of the library must come to the same: whoever reads another host judges nobody.
    expect([host, scopeOf({ files: withoutMachineId }).host]).toEqual([
      "m21af3de1f458378e",
      "6042088f18a58049",
    ]);
  });

  it("is never just a name that every machine has", () => {
    for (const hostName of ["", "(none)", "localhost", "localhost.localdomain"])
      expect(scopeOf({ files: withoutMachineId, hostName }).host).toMatch(RANDOM);
    expect(scopeOf({ hostName: "localhost" }).host).not.toMatch(RANDOM);
  });
});

describe("a guest", () => {
  const observer = createObserver(fakeSystem({ files: LINUX_FILES, links: LINUX_LINKS }));

  it("is of our own scope, with its pid and start; its one thread is that of the process", () => {
    const self = { ...readOwnerScope(observer), pid: "1", tid: "2", processStart: "3", threadStart: "4" };
    expect(readGuestScope(self, observer, 4711)).toEqual({
      ...self,
      pid: "4711",
      tid: "4711",
      processStart: "1000",
      threadStart: "1000",
    });
  });

  it("has no start, and so proves nothing, if none can be read", () => {
    const blind = createObserver(fakeSystem({ links: LINUX_LINKS }));
    expect(readGuestScope(readOwnerScope(observer), blind, 4711)).toMatchObject({
      processStart: "-",
      threadStart: "-",
    });
  });
});

describe("elsewhere", () => {
  it.each(["darwin", "win32"])("on %s there are no boot ids, namespaces and starts", (platform) => {
    const expected = { tid: "-", processStart: "-", threadStart: "-", boot: "-", pidNamespace: "-" };
    expect(scopeOf({ platform })).toMatchObject({
      ...expected,
      timeNamespace: "-",
      host: "m1aa71329822b591e",
    });
  });

  it("on a platform that is not supported, everything that might exist is random", () => {
    const scope = scopeOf({ platform: "freebsd", files: {}, links: {} });
    for (const field of ["boot", "pidNamespace", "timeNamespace"] as const) {
      expect(scope[field]).toMatch(RANDOM);
    }
  });
});

describe("this process", () => {
  it("has a scope that makes a name, and reads the same again", () => {
    const scope = readOwnerScope(createObserver());
    expect(formatOwnerName({ ...scope, life: "-", nonce: newNonce() })).toMatch(/^own1_/);
    expect(scope.pid).toBe(String(process.pid));
    expect(readOwnerScope(createObserver())).toEqual(scope);
  });

  it("never draws a nonce twice", () => {
    const nonces = Array.from({ length: 1_000 }, newNonce);
    expect(new Set(nonces).size).toBe(1_000);
    expect(nonces.every((nonce) => /^[0-9a-f]{24}$/.test(nonce))).toBe(true);
  });
});
