/**
 * A storm: real processes go in and out of the sections of a few session files, and are killed and stopped at random
 * moments; now and then their disk is full, or one of them has no descriptors. Others are started ahead and wait at a
 * barrier, so that there are always as many. The seed decides what is asked for, whom it hits and after how long; timing
 * does not replay.
 */

import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { seededRandom } from "../support/random.mjs";
import { type Board, MOST_FILES, openBoard, STATE, WORD } from "./board.mjs";
import {
  type Damage,
  type Finding,
  FindingJudge,
  isInside,
  judgeCounters,
  judgeLeftovers,
  judgeWarnings,
  type Killed,
  sessionName,
  updatesOf,
} from "./judge.ts";
import { canLimitDescriptors, fillDisk, takeDescriptors } from "./weather.ts";

export interface StormOptions {
  /** SIGKILLs and SIGSTOPs, at least so many. */
  readonly signals: number;
  /** And at least so many sections: on a busy machine they may take longer. */
  readonly sections?: number;
  readonly processes: number;
  readonly files: number;
  readonly seed: number;
  /** A new directory: the session files. */
  readonly sessions: string;
  /** It is on a small disk that nobody else uses: that is filled now and then. Default no. */
  readonly fillsDisk?: boolean;
  /** A new directory on another disk: the witnesses. */
  readonly witness: string;
  /** What the processes import: a URL. */
  readonly library: string;
  /** Of the signals, so many kill; the others stop a process for a while. Starting another is what costs. */
  readonly killShare?: number;
  /** How much nicer a process is that runs than one that is being started. The nicest have next to no processor left. */
  readonly nicer?: number;
  /** Broken processes, for the twins of the witnesses. */
  readonly without?: readonly Without[];
  /** Broken code may hang, and nobody waits for it so long. */
  readonly hangsAfterMs?: number;
  readonly onProgress?: (figures: Figures) => void;
  /** Ends it early, in order: what was done so far is judged. */
  readonly enough?: AbortSignal;
}

/** `lock`: they only play at having it. `marker`: the counter is alone. `word`: it is not asked whether it is held, and not heard. */
export type Without = "lock" | "marker" | "word";

export interface WorkerParams {
  readonly life: number;
  /** An heir comes after the storm, and takes each lock once. */
  readonly role: "worker" | "heir";
  readonly seed: number;
  readonly files: number;
  readonly sessions: string;
  readonly witness: string;
  readonly library: string;
  readonly nicer: number;
  readonly without: readonly Without[];
}

export interface Figures {
  readonly kills: number;
  readonly stops: number;
  /** Of the signals, those that hit a process that was inside, by its own word. */
  readonly killsInside: number;
  readonly stopsInside: number;
  /** Sections that were finished; of all files. */
  readonly sections: number;
  /** Markers that the dead left, and their successors found. */
  readonly markersOfTheDead: number;
  readonly gaveUp: number;
  /** How often the disk was full, and how many calls of the library failed by it. */
  readonly fullDisks: number;
  readonly fullDisk: number;
  readonly descriptorLimits: number;
  readonly outOfDescriptors: number;
  readonly clockJumps: number;
  /** Of the updates, those about which a kill has left open whether they were made. */
  readonly open: number;
  /** Entries beside the session files when the storm was over, before the heirs came. */
  readonly before: number;
  readonly seconds: number;
}

export interface StormReport {
  readonly figures: Figures;
  readonly damage: readonly Damage[];
  /** What this machine cannot do, or this place. */
  readonly notDone: readonly string[];
}

/** From one signal to the next. */
const PAUSE_MS = 8;
const KILL_SHARE = 0.13;
/** Whoever is just being started comes first: so there are kills as fast as there can be. */
export const NICER = 10;
/** Of the signals, so many are meant for somebody who is inside, if there is somebody. */
const AIMED = 0.5;
/** From nothing to longer than every wait of the protocol. */
const STOPPED_MS = 40;
/** Of those that are stopped, so many are killed before they go on. */
const KILLED_WHILE_STOPPED = 0.05;
/** Of the signals, so many come with a full disk, or with a lack of descriptors; and how long that lasts, at most. */
const FULL_DISK = 0.01;
const DESCRIPTORS = 0.02;
const WEATHER_MS = 80;
/** However few signals there are. */
const FEWEST_KILLS_INSIDE = 3;
/** Started ahead. */
const SPARES = 4;
/** What neither goes on nor ends for so long hangs: far from what a very busy machine needs. */
const HANGS_AFTER_MS = 180_000;
const LOOK_AGAIN_MS = 2;
const PROGRESS_MS = 500;
const PAUSED_MS = 5_000;

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

export async function runStorm(options: StormOptions): Promise<StormReport> {
  if (options.files > MOST_FILES) throw new Error(`at most ${MOST_FILES} files`);
  for (let file = 0; file < options.files; file++) {
    fs.mkdirSync(join(options.witness, String(file)), { recursive: true });
    fs.writeFileSync(join(options.sessions, sessionName(file)), "");
  }
  const storm = new Storm(options, await canLimitDescriptors());
  const onExit = (): void => storm.abandon();
  process.once("exit", onExit);
  try {
    await storm.rage();
    await storm.calm();
    return storm.report();
  } finally {
    process.removeListener("exit", onExit);
    storm.abandon();
  }
}

class Storm {
  private readonly options: StormOptions;
  private readonly random: () => number;
  private readonly hangsAfterMs: number;
  private readonly limitsDescriptors: boolean;
  private readonly board: Board;
  /** What the processes write to: files, which no kill takes anything from. */
  private readonly output: { readonly findings: number; readonly complaints: number };
  private readonly findings: FindingReader;
  private readonly killed: Map<number, Killed> = new Map();
  private readonly judge: FindingJudge = new FindingJudge(this.killed);
  private readonly damage: Damage[] = [];
  private readonly running: Life[] = [];
  private readonly spares: Life[] = [];
  /** What is to be done later whatever happens: somebody stopped goes on, a full disk is emptied. */
  private readonly pending: Set<Promise<void>> = new Set();
  private readonly counts = {
    kills: 0,
    stops: 0,
    killsInside: 0,
    stopsInside: 0,
    fullDisks: 0,
    descriptorLimits: 0,
    before: 0,
  };
  private lives = 0;
  /** The records of those that have ended. */
  private readonly ended: Map<number, Uint32Array> = new Map();
  private ending = false;
  private isOver = false;
  private diskIsFull = false;
  private readonly startedAt = performance.now();
  private lastSections = 0;
  private lastSectionAt = performance.now();
  private progressAt = 0;

  constructor(options: StormOptions, limitsDescriptors: boolean) {
    this.options = options;
    this.random = seededRandom(options.seed);
    this.hangsAfterMs = options.hangsAfterMs ?? HANGS_AFTER_MS;
    this.limitsDescriptors = limitsDescriptors;
    this.board = openBoard(options.witness);
    const open = (name: string): number => fs.openSync(join(options.witness, name), "a+");
    this.output = { findings: open("findings"), complaints: open("complaints") };
    this.findings = new FindingReader(this.output.findings);
  }

  async rage(): Promise<void> {
    for (let i = 0; i < SPARES; i++) this.start("worker");
    while (this.running.length < this.options.processes && this.isFine()) await this.letOneIn();
    const { counts } = this;
    const { signals, enough, sections = 0 } = this.options;
    const isEnough = (): boolean =>
      enough?.aborted === true ||
      (counts.kills + counts.stops >= signals &&
        counts.killsInside >= FEWEST_KILLS_INSIDE &&
        this.figures(this.records()).sections >= sections);
    while (!isEnough() && this.isFine()) {
      // All are drawn every time, so that the seed decides the same whatever the timing.
      const draws = Array.from({ length: 9 }, () => this.random());
      await sleep((draws[0] ?? 0) * PAUSE_MS);
      this.readFindings();
      await this.hit(draws);
    }
  }

  /** Everybody finishes what it does; then two heirs, one after the other, take each lock once. */
  async calm(): Promise<void> {
    if (this.damage.length > 0) this.abandon();
    await Promise.all(this.pending);
    this.ending = true;
    this.board.tellToStop();
    for (const { child } of this.spares) child.stdin?.end();
    await this.untilEnded([...this.running, ...this.spares]);
    this.counts.before = fs.readdirSync(this.options.sessions).length - this.options.files;
    // The first finds the locks of the dead, whose proofs its own sweep leaves alone; the second sweeps these.
    for (let i = 0; i < 2 && this.isFine(); i++) {
      const heir = this.start("heir");
      heir.child.stdin?.end("g");
      await this.untilEnded([heir]);
    }
    this.readFindings();
    this.isOver = this.damage.length === 0;
  }

  report(): StormReport {
    this.readFindings();
    const { options, damage } = this;
    const records = this.records();
    // Otherwise it was broken off where something went wrong, and the rest is not finished.
    if (this.isOver) {
      damage.push(...judgeCounters(this.counters(), records));
      damage.push(...judgeLeftovers(fs.readdirSync(options.sessions), options.files));
      damage.push(...judgeWarnings(fs.readFileSync(join(options.witness, "complaints"), "utf8")));
    }
    const notDone = [
      ...(options.fillsDisk === true
        ? []
        : ["no full disk: the session files are not on a small disk of their own"]),
      ...(this.limitsDescriptors ? [] : ["no lack of descriptors: there is no prlimit here"]),
    ];
    return { figures: this.figures(records), damage, notDone };
  }

  abandon(): void {
    this.ending = true;
    for (const { child } of [...this.running, ...this.spares]) if (isRunning(child)) child.kill("SIGKILL");
  }

  // ----------------------------------------------------------------------------------------------
  // Signals, and weather

  private async hit(draws: readonly number[]): Promise<void> {
    const [, who = 0, aimed = 0, what = 0, stoppedFor = 0, then = 0, disk = 0, descriptors = 0, lasts = 0] =
      draws;
    const inside = this.running.filter(({ life }) => isInside(this.board.read(life)));
    const targets = aimed < AIMED && inside.length > 0 ? inside : this.running;
    const target = targets[Math.floor(who * targets.length)];
    if (disk < FULL_DISK && this.options.fillsDisk === true && !this.diskIsFull)
      this.later(this.fill(lasts * WEATHER_MS));
    if (target === undefined) return;
    if (descriptors < DESCRIPTORS && this.limitsDescriptors)
      this.later(this.limit(target, lasts * WEATHER_MS));
    if (what < (this.options.killShare ?? KILL_SHARE)) await this.kill(target);
    else if (!target.stopped) {
      this.later(this.stop(target, stoppedFor * STOPPED_MS, then < KILLED_WHILE_STOPPED));
    }
  }

  private later(action: Promise<void>): void {
    const done = action.catch((error: unknown) => {
      this.damage.push({ check: "process", what: String(error) });
    });
    this.pending.add(done);
    void done.then(() => this.pending.delete(done));
  }

  private async kill(target: Life): Promise<void> {
    if (!this.running.includes(target)) return;
    const { life } = target;
    const record = (): Uint32Array => this.board.read(life);
    if (isInside(record())) this.counts.killsInside++;
    this.counts.kills++;
    this.killed.set(life, { at: process.hrtime.bigint(), record });
    target.child.kill("SIGKILL");
    this.running.splice(this.running.indexOf(target), 1);
    await this.letOneIn();
  }

  private async stop(target: Life, ms: number, kills: boolean): Promise<void> {
    target.stopped = true;
    if (isInside(this.board.read(target.life))) this.counts.stopsInside++;
    this.counts.stops++;
    target.child.kill("SIGSTOP");
    await sleep(ms);
    if (kills) await this.kill(target);
    else target.child.kill("SIGCONT");
    target.stopped = false;
  }

  private async fill(ms: number): Promise<void> {
    this.diskIsFull = true;
    this.counts.fullDisks++;
    this.board.tellFullDisk();
    const giveBack = fillDisk(join(this.options.sessions, ".."));
    await sleep(ms);
    giveBack();
    this.diskIsFull = false;
  }

  /**
   * A1: who cannot open /proc when it asks for the first time has a name by which nobody can prove its death, and waiters
   * need its lease. So only those are hit that were inside before.
   */
  private async limit({ life, child }: Life, ms: number): Promise<void> {
    if (child.pid === undefined || this.board.read(life)[WORD.sections] === 0) return;
    this.counts.descriptorLimits++;
    this.board.tellDescriptors(life);
    const giveBack = await takeDescriptors(child.pid);
    await sleep(ms);
    // Its number may be another's by now.
    if (isRunning(child)) await giveBack();
  }

  // ----------------------------------------------------------------------------------------------
  // Processes

  private start(role: WorkerParams["role"]): Life {
    const { files, sessions, witness, library, nicer = NICER, without = [], seed } = this.options;
    const life = this.lives++;
    const params: WorkerParams = {
      life,
      role,
      seed: seed + life * 7_919,
      files,
      sessions,
      witness,
      library,
      nicer,
      without,
    };
    const child = spawn(process.execPath, [WORKER, JSON.stringify(params)], {
      stdio: ["pipe", this.output.findings, this.output.complaints],
    });
    // It may be gone before it is told to go.
    child.stdin?.on("error", () => {});
    const started: Life = { life, child, stopped: false, ended: this.watch(life, child) };
    if (role === "worker") this.spares.push(started);
    return started;
  }

  private watch(life: number, child: ChildProcess): Promise<void> {
    return new Promise((resolve) => {
      const end = (how: string, asExpected: boolean): void => {
        if (!asExpected) this.damage.push({ check: "process", what: `life ${life} ended with ${how}` });
        this.ended.set(life, this.board.read(life));
        resolve();
      };
      child.once("error", (error) => end(String(error), false));
      child.once("exit", (code, signal) => {
        const asExpected = this.killed.has(life) ? signal === "SIGKILL" : this.ending && code === 0;
        end(String(signal ?? code), asExpected || (this.ending && signal === "SIGKILL"));
      });
    });
  }

  /** The first of the spares goes, as soon as it is ready, and another is started. One that dies is a failure. */
  private async letOneIn(): Promise<void> {
    while (this.isFine()) {
      const at = this.spares.findIndex(({ life }) => this.board.read(life)[WORD.state] === STATE["ready"]);
      const [spare] = at < 0 ? [] : this.spares.splice(at, 1);
      if (spare !== undefined) {
        spare.child.stdin?.end("g");
        this.running.push(spare);
        this.start("worker");
        return;
      }
      await sleep(LOOK_AGAIN_MS);
    }
  }

  private async untilEnded(lives: readonly Life[]): Promise<void> {
    const all = Promise.all(lives.map(({ ended }) => ended));
    const limit = new AbortController();
    const late = sleep(this.hangsAfterMs, "late" as const, { signal: limit.signal }).catch(() => undefined);
    const first = await Promise.race([all, late]);
    limit.abort();
    if (first !== "late") return;
    this.damage.push({ check: "process", what: `it did not end within ${this.hangsAfterMs} ms` });
    this.abandon();
    await all;
  }

  // ----------------------------------------------------------------------------------------------
  // What is known so far

  private isFine(): boolean {
    if (this.damage.length > 0) return false;
    const now = performance.now();
    if (now - this.progressAt < PROGRESS_MS) return true;
    // Somebody has stopped all of us for a while.
    if (now - this.progressAt > PAUSED_MS) this.lastSectionAt = now;
    this.progressAt = now;
    const figures = this.figures(this.records());
    this.options.onProgress?.(figures);
    if (figures.sections !== this.lastSections) this.lastSectionAt = now;
    this.lastSections = figures.sections;
    if (now - this.lastSectionAt <= this.hangsAfterMs) return true;
    this.damage.push({ check: "process", what: `nothing happened for ${this.hangsAfterMs} ms` });
    return false;
  }

  private readFindings(): void {
    for (const finding of this.findings.read()) {
      const damage = this.judge.judge(finding);
      if (damage !== undefined) this.damage.push(damage);
    }
  }

  private counters(): readonly number[] {
    return Array.from({ length: this.options.files }, (_, file) =>
      Number(fs.readFileSync(join(this.options.witness, String(file), "counter"), "utf8")),
    );
  }

  private records(): readonly Uint32Array[] {
    return Array.from({ length: this.lives }, (_, life) => this.ended.get(life) ?? this.board.read(life));
  }

  private figures(records: readonly Uint32Array[]): Figures {
    const sum = (word: number): number => records.reduce((total, record) => total + (record[word] ?? 0), 0);
    const open = Array.from({ length: this.options.files }, (_, file) => updatesOf(records, file).open);
    return {
      ...this.counts,
      sections: sum(WORD.sections),
      markersOfTheDead: sum(WORD.markersOfTheDead),
      gaveUp: sum(WORD.gaveUp),
      fullDisk: sum(WORD.fullDisk),
      outOfDescriptors: sum(WORD.outOfDescriptors),
      clockJumps: sum(WORD.clockJumps),
      open: open.reduce((total, of) => total + of, 0),
      seconds: (performance.now() - this.startedAt) / 1000,
    };
  }
}

interface Life {
  readonly life: number;
  readonly child: ChildProcess;
  stopped: boolean;
  readonly ended: Promise<void>;
}

/** Reads what was appended since the last time; a line that is not finished is read the next time. */
class FindingReader {
  readonly #fd: number;
  #at = 0;
  #rest = "";

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(): readonly Finding[] {
    const { size } = fs.fstatSync(this.#fd);
    if (size === this.#at) return [];
    const bytes = Buffer.alloc(size - this.#at);
    this.#at += fs.readSync(this.#fd, bytes, 0, bytes.length, this.#at);
    const lines = `${this.#rest}${bytes.toString()}`.split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.map((line) => JSON.parse(line) as Finding);
  }
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;
