/**
 * A scenario: real processes, a session directory with bystanders in it, witnesses that are independent of
 * the lock, and in the end a later process that sweeps: what the dead left must be gone, and nothing else.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, type TestContext } from "vitest";
import { newNonce, type OwnerScope, readOwnerScope } from "../../../src/owner/identity.ts";
import { formatOwnerName, homeName } from "../../../src/owner/name.ts";
import { createObserver } from "../../../src/owner/observe.ts";
import { doNotRun } from "../../support/notRun.ts";
import { type Child, type Start, startChild } from "./child.ts";
import { LIMIT_MS } from "./figures.ts";
import { linux, type Need, type Place } from "./places.ts";

export interface Session {
  /** The scenario's own scratch directory. */
  readonly scratch: string;
  /** The directory of the session file, as everybody sees it who enters the place. */
  readonly directory: string;
  readonly sessionFile: string;
  readonly lockPath: string;
  /** Starts a process that uses the lock. */
  start(who: string, start?: Start & { readonly sessionFile?: string }): Promise<Child>;
  /** A place that is closed with the scenario. */
  open(place: Promise<Place>): Promise<Place>;
  /** From here on the session is in a directory of that place; without `plant` its bystanders are there already. */
  moveTo(place: Place, directory: string, plant?: boolean): void;
  /** The names at the lock path; empty where nothing stands. */
  owners(): readonly string[];
  /** The lines of the session file. */
  lines(): readonly string[];
  /** What is in the session directory, with the contents of its directories. */
  listing(): readonly string[];
  /** Nobody was inside together with somebody else, apart from what the dead left behind. */
  expectAlone(found: readonly string[], dead?: readonly string[]): void;
  /** How many sections were counted: every one, and no update lost. */
  counter(): number;
  /** Says what may be left: matched against the listing. */
  leaves(entries: RegExp): void;
  /** Says that the lock is left to an owner that nobody can judge from here. */
  staysLocked(): void;
  /** Says that a broken double ran here, whose sweep may have taken the home of the living for one of the dead. */
  losesTheHomeOfTheLiving(): void;
}

export interface ScenarioOptions {
  readonly needs?: readonly Need[];
  readonly timeout?: number;
}

/** A limit for what hangs. On a busy machine a scenario took half a minute that takes half a second here. */
const HANGS_MS = 240_000;

/** A test with a session. Where the machine lacks something it is listed as not run, with the reason. */
export function scenario(
  name: string,
  options: ScenarioOptions,
  body: (session: Session) => Promise<void>,
): void {
  it(name, { timeout: options.timeout ?? HANGS_MS }, async (context) => {
    skipWithout([linux, ...(options.needs ?? [])], context);
    const opened = openSession();
    try {
      await body(opened.session);
      await opened.expectSwept();
    } finally {
      await opened.close();
    }
  });
}

/** Where the machine lacks something, the test is skipped and listed as not run, with the reason. */
export function skipWithout(needs: readonly Need[], context: TestContext): void {
  const missing = needs.filter((need) => !need.isMet()).map(({ what }) => what);
  if (missing.length === 0) return;
  doNotRun(context, `this machine has not: ${missing.join(", ")}`);
}

interface Opened {
  readonly session: Session;
  expectSwept(): Promise<void>;
  close(): Promise<void>;
}

function openSession(): Opened {
  const scratch = fs.mkdtempSync(join(tmpdir(), "swl-process-"));
  const witness = join(scratch, "witness");
  const children: Child[] = [];
  const places: Place[] = [];
  let where: Where = { directory: join(scratch, "sessions"), enter: [] };
  let left: RegExp | undefined;
  let locked = false;
  let lost: RegExp | undefined;
  for (const directory of [witness, where.directory]) makeOpenDirectory(directory);
  fs.writeFileSync(join(witness, "counter"), "");
  fs.chmodSync(join(witness, "counter"), 0o666);
  fs.chmodSync(scratch, 0o777);
  let bystanders = plantBystanders(where);

  const start: Session["start"] = async (who, options = {}) => {
    const { sessionFile = session.sessionFile, prefix = where.enter } = options;
    const child = await startChild({ who, sessionFile, witness }, { ...options, prefix });
    children.push(child);
    return child;
  };
  const session: Session = {
    scratch,
    get directory() {
      return where.directory;
    },
    get sessionFile() {
      return join(where.directory, "a.jsonl");
    },
    get lockPath() {
      return join(where.directory, "a.jsonl.lock");
    },
    start,
    open: async (opening) => {
      const place = await opening;
      places.push(place);
      return place;
    },
    moveTo: (place, directory, plant = true) => {
      where = { directory, enter: place.enter, root: `/proc/${place.keeper}/root` };
      if (plant) bystanders = plantBystanders(where);
    },
    owners: () => list(join(where.root ?? "", session.lockPath)),
    lines: () =>
      fs
        .readFileSync(join(where.root ?? "", session.sessionFile), "utf8")
        .split("\n")
        .filter(Boolean),
    listing: () => listing(join(where.root ?? "", where.directory)),
    expectAlone: (found, dead = []) => {
      expect(found.filter((marker) => !dead.includes(marker))).toEqual([]);
    },
    counter: () => Number(fs.readFileSync(join(witness, "counter"), "utf8")),
    leaves: (entries) => {
      left = entries;
    },
    staysLocked: () => {
      locked = true;
      // Who does not get the lock does not sweep either.
      left = /^(a\.jsonl\.lock = \[own1_[^,]*\]|\.swl-life-.*)$/;
    },
    losesTheHomeOfTheLiving: () => {
      lost = /^\.swl-[0-9a-f]+-own1_/;
    },
  };
  return {
    session,
    expectSwept: async () => {
      for (const child of children) if (child.isRunning()) await child.leave();
      const sweeper = await start("sweeper");
      const acquired = await sweeper.acquire({ timeoutMs: locked ? 100 : LIMIT_MS });
      expect(acquired).toMatchObject({ held: !locked, found: expect.any(Array) });
      if (acquired.held) await sweeper.release();
      // It ends when its sweep is done: what is under way keeps a process alive.
      await sweeper.leave();
      const isSpared = (entry: string): boolean =>
        entry.startsWith("a.jsonl = ") || left?.test(entry) === true || lost?.test(entry) === true;
      const strict = (entries: readonly string[]): readonly string[] =>
        entries.filter((entry) => !isSpared(entry));
      expect(strict(session.listing())).toEqual(strict(bystanders));
    },
    close: async () => {
      for (const child of children) if (child.isRunning()) await child.destroy();
      for (const place of places.reverse()) await place.close();
      fs.rmSync(scratch, { recursive: true, force: true });
    },
  };
}

interface Where {
  readonly directory: string;
  readonly enter: readonly string[];
  /** How we see the place's file system from outside. */
  readonly root?: string;
}

/** Whoever runs the scenario's processes may write there. */
function makeOpenDirectory(directory: string): void {
  fs.mkdirSync(directory);
  fs.chmodSync(directory, 0o777);
}

const self: OwnerScope = readOwnerScope(createObserver());

/** What no sweep may touch: files of others, what looks like ours and is not, the home of a living owner. */
function plantBystanders({ directory, root = "" }: Where): readonly string[] {
  const at = join(root, directory);
  const living = formatOwnerName({ ...self, life: "-", nonce: newNonce() });
  const home = join(at, homeName("a.jsonl.lock", living));
  fs.writeFileSync(join(at, "notes.txt"), "notes");
  for (const path of [join(at, ".swl-not-a-home"), join(at, "b.jsonl.lock"), home]) fs.mkdirSync(path);
  fs.writeFileSync(join(at, "b.jsonl.lock", "foreign"), "");
  fs.writeFileSync(join(home, living), "");
  return listing(at);
}

/** Every entry, with what is in it. */
export function listing(directory: string): readonly string[] {
  return fs
    .readdirSync(directory, { withFileTypes: true })
    .map((entry) => {
      const path = join(directory, entry.name);
      return `${entry.name} = ${contentOf(path, entry)}`;
    })
    .sort();
}

function contentOf(path: string, entry: fs.Dirent): string {
  if (entry.isDirectory()) return `[${list(path).join(", ")}]`;
  return entry.isSocket() ? "a socket" : fs.readFileSync(path, "utf8");
}

function list(path: string): readonly string[] {
  try {
    return fs.readdirSync(path).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
