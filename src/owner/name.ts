import { createHash } from "node:crypto";
import type { OwnerIdentity } from "./identity.ts";

/**
 * The name of an owner file: `own1_<pid>_<tid>_<process start>_<thread start>_<host>_<boot>_<pid namespace>_
 * <time namespace>_<life>_<nonce>`.
 *
 * @throws TypeError if a field does not have its shape: such a name would be foreign to everyone.
 */
export function formatOwnerName(identity: OwnerIdentity): string {
  const name = [VERSION, ...FIELDS.map((field) => identity[field])].join("_");
  if (!OWNER_NAME.test(name)) throw new TypeError(`Cannot name the owner: malformed identity in "${name}"`);
  return name;
}

/** The exact inverse of `formatOwnerName`; undefined for every other name, which is then foreign. */
export function parseOwnerName(name: string): OwnerIdentity | undefined {
  const groups = OWNER_NAME.exec(name)?.groups;
  if (groups === undefined) return undefined;
  const { pid = "", tid = "", processStart = "", threadStart = "", life = "", nonce = "" } = groups;
  const { host = "", boot = "", pidNamespace = "", timeNamespace = "" } = groups;
  return { pid, tid, processStart, threadStart, host, boot, pidNamespace, timeNamespace, life, nonce };
}

/**
 * The name of a home: the private directory beside the lock. It carries the identity too, so that a half-made one
 * can be swept, and a digest, because the lock's own name may be as long as a name can be.
 *
 * @throws TypeError if `ownerName` is not the name of an owner.
 */
export function homeName(lockBasename: string, ownerName: string): string {
  if (!OWNER_NAME.test(ownerName)) throw new TypeError(`Cannot name a home: "${ownerName}" is not an owner`);
  return `.swl-${lockDigest(lockBasename)}-${ownerName}`;
}

/** Which lock's home a directory is, and whose; undefined for everything that is not a home. */
export function parseHomeName(dirName: string): { lockDigest: string; owner: OwnerIdentity } | undefined {
  const [, digest, ownerName] = /^\.swl-([0-9a-f]{12})-(.*)$/.exec(dirName) ?? [];
  if (digest === undefined || ownerName === undefined) return undefined;
  const owner = parseOwnerName(ownerName);
  return owner === undefined ? undefined : { lockDigest: digest, owner };
}

/** What stands for a lock's basename in the names of its homes. 48 bits: locks of one directory, not of the world. */
export function lockDigest(lockBasename: string): string {
  return createHash("sha256").update(lockBasename).digest("hex").slice(0, 12);
}

/** Names that file managers and network file systems put into any directory, uninvited: never an owner. */
export function isKnownJunk(name: string): boolean {
  return JUNK_NAMES.includes(name) || JUNK_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** No Set: it would hash each name that a readdir gives, and those of owners are long. */
const JUNK_NAMES: readonly string[] = [".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir"];
const JUNK_PREFIXES = ["._", ".nfs", ".fuse_hidden", ".smbdelete", ".afpDeleted"] as const;

const VERSION = "own1";

// A pid has at most 10 digits. A start has at most 13: 2^64 ns in ticks of 10 ms.
const NUMBER = "[1-9][0-9]{0,9}";
const START = "-|[1-9][0-9]{0,12}";
// `r`: could not be read, random (A1). Inode numbers are 32 bits wide today, and have 10 digits.
// `m`: more than a host name is in it (A6). `c`: a container's own.
const HOST = "-|[mr]?[0-9a-f]{16}";
const BOOT = "-|[cr]?[0-9a-f]{16}";
const INODE = "-|[1-9][0-9]{0,15}|r[0-9a-f]{16}";

// In the order of the name. Lower case only, since file systems may ignore case, and no `_`, which separates.
// The longest name has 184 characters, so that a home's (202) fits into the 255 bytes of a directory entry.
const SHAPES: Readonly<Record<keyof OwnerIdentity, string>> = {
  pid: NUMBER,
  tid: `-|${NUMBER}`,
  processStart: START,
  threadStart: START,
  host: HOST,
  boot: BOOT,
  pidNamespace: INODE,
  timeNamespace: INODE,
  life: "-|[0-9a-f]{32}",
  nonce: "[0-9a-f]{24}",
};

const FIELDS = Object.keys(SHAPES) as readonly (keyof OwnerIdentity)[];

const OWNER_NAME = new RegExp(
  `^${VERSION}_${FIELDS.map((field) => `(?<${field}>${SHAPES[field]})`).join("_")}$`,
);
