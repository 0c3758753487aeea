/** What is compared: the libraries, the module of the issue, our lock, and broken doubles of it. */

import * as realProtocol from "../../src/protocol.ts";
import { UsageError } from "../support/cliOptions.ts";
import { loadPatched } from "../twins/doubles.ts";
import { LOCK_PATH, SESSION_FILE, type Subject } from "./contender.ts";
import { createIssueContender, DEAD_LOCK } from "./issue.ts";
import {
  type Clock,
  createLibraryContender,
  lockfile,
  properLockfile,
  properLockfileInside,
  STALE_MS,
} from "./library.ts";
import { createOurContender, DEAD_HOME, type Protocol } from "./ours.ts";
import { versionOf } from "./packages.ts";

/** What is known of a subject before it is loaded. */
export interface Description {
  readonly name: string;
  /** Of npm; undefined for what is in this repository. */
  readonly packageName?: string;
  readonly kind: "peer" | "issue" | "ours" | "twin";
  /** How its callers use it, or what is wrong with it, for the page. */
  readonly usage: string;
  load(options: LoadOptions): Promise<Subject>;
}

export interface LoadOptions {
  /** How often a contender that was refused asks again. */
  readonly retries: number;
  readonly staleMs?: number;
  /** Through the promises of a library's public module, where it has another one inside. */
  readonly publicly?: boolean;
  /** Of the processes, if it does not stand still. */
  readonly clock?: Clock | undefined;
}

type Settled = Required<Omit<LoadOptions, "clock">> & Pick<LoadOptions, "clock">;

/** A disk call that is none of src/disk.ts, in a broken double. */
const broken = (call: string): string => `{ call: "broken", broken: ${call} } as never`;

interface Twin {
  readonly guard: string;
  readonly local: boolean;
  readonly gone: string;
  readonly patches: readonly (readonly [find: string, replace: string])[];
}

/** Of the guards of src/protocol.ts those that a stale lock and its contenders can miss. */
const TWINS: readonly Twin[] = [
  {
    guard: "EvictByPath",
    local: true,
    gone: "whatever stands at L is evicted by path, and not the dead owner by its name",
    patches: [
      [
        '"Evict", "sync", unlink(`$' + "{entry.lockPath}/$" + "{name}`)",
        `"Evict", "sync", ${broken('{ op: "removeTree", path: entry.lockPath }')}`,
      ],
    ],
  },
  {
    guard: "EvictTheLiving",
    local: true,
    gone: "everybody who is seen at L is evicted, alive or not",
    patches: [
      [
        'judged.find(({ verdict }) => verdict !== "dead" && verdict !== "lapsed")',
        'judged.find(({ verdict }) => verdict === "unknown")',
      ],
    ],
  },
  {
    guard: "TakeReplaces",
    local: false,
    gone: "a Take replaces whatever stands at L",
    patches: [
      [
        '"Take", "async", rename(homeOf(entry).path, entry.lockPath)',
        `"Take", "async", ${broken('{ op: "replace", from: homeOf(entry).path, to: entry.lockPath }')}`,
      ],
    ],
  },
];

const ours = (protocol: Protocol, local: boolean, waits: number, name: string): Subject => ({
  name,
  create: (index) => createOurContender({ protocol, local, waits }, index),
  before: DEAD_HOME,
});

const peer = (
  packageName: string,
  usage: string,
  load: (options: Settled) => Omit<Subject, "name">,
): Description => ({
  name: packageName,
  packageName,
  kind: "peer",
  usage,
  load: async ({ retries, staleMs = STALE_MS, publicly = false, clock }) => ({
    name: packageName,
    ...load({ retries, staleMs, publicly, clock }),
  }),
});

const proper = (packageName: string): Description =>
  peer(
    packageName,
    "`lock(file, { stale: 10000, realpath: false, fs })`, then its `release()`",
    (options) => {
      const usage = (options.publicly ? properLockfile : properLockfileInside)(
        packageName,
        SESSION_FILE,
        options,
      );
      return {
        create: (index) => createLibraryContender(usage, index, options.clock),
        before: [{ path: LOCK_PATH, kind: "directory" }],
      };
    },
  );

export const SUBJECTS: readonly Description[] = [
  proper("proper-lockfile"),
  proper("@bybrave/proper-lockfile2"),
  peer("lockfile", "`lock(path, { stale: 10000 })`, then `unlock(path)`", (options) => ({
    create: (index) => createLibraryContender(lockfile(LOCK_PATH, options), index, options.clock),
    before: [{ path: LOCK_PATH, kind: "file" }],
  })),
  {
    name: "issue",
    kind: "issue",
    usage: "its defaults, no fix",
    load: async ({ retries }) => ({
      name: "issue",
      create: (index) => createIssueContender(retries, index),
      before: DEAD_LOCK,
    }),
  },
  ...[true, false].map((local): Description => {
    const name = local ? "ours, PutBack" : "ours, Drop";
    const usage = local ? "a local disk" : "any other disk";
    return {
      name,
      kind: "ours",
      usage,
      load: async ({ retries }) => ours(realProtocol, local, retries, name),
    };
  }),
  ...TWINS.map(({ guard, local, gone, patches }): Description => {
    const name = `ours without ${guard}`;
    return {
      name,
      kind: "twin",
      usage: gone,
      load: async ({ retries }) =>
        ours(await loadPatched("protocol.ts", `Peers${guard}`, patches), local, retries, name),
    };
  }),
];

/** @throws UsageError */
export function subjectNamed(name: string): Description {
  const found = SUBJECTS.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new UsageError(
    `there is no ${JSON.stringify(name)}; there are: ${SUBJECTS.map((one) => one.name).join("; ")}`,
  );
}

/** Empty for what is in this repository. */
export const versionOfSubject = ({ packageName }: Description): string =>
  packageName === undefined ? "" : versionOf(packageName);

export const labelOf = ({ name, packageName }: Description): string =>
  packageName === undefined ? name : `${name} ${versionOf(packageName)}`;
