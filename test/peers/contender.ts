/**
 * A contender, as the scheduler sees it: one process that asks for the lock once, and lets go of it once. It is
 * deterministic: what it does depends on what it was told, and on nothing else. So the sequence of what it was told *is* its
 * state, and a copy of it in that state can be made at any time, by telling a new one the same.
 */

import type { Call, Reply } from "./disk.ts";

/** What its caller knows. `lost`: the library has said that the lock is not held any more. */
export type Told = "nothing" | "waits" | "holds" | "lost" | "released" | "refused";

export interface Sent {
  /** The how-manieth call, or timer, of this contender it is. */
  readonly id: number;
  readonly call: Call;
  /** Its thread stands still until the call is done, and goes on in the same step. */
  readonly sync: boolean;
}

export interface View {
  /** Calls that were sent, and not answered yet. */
  readonly sent: readonly Sent[];
  /** Timers that may fire. */
  readonly timers: readonly number[];
  readonly told: Told;
}

/** Something that happens to a contender. */
export type Happening =
  | { readonly kind: "asks" | "lets go" }
  /** The turn in which a call is answered. */
  | { readonly kind: "turn"; readonly id: number; readonly reply: Reply }
  | { readonly kind: "fires"; readonly id: number };

export interface Contender {
  view(): View;
  tell(happening: Happening): void;
}

/** Calls and timers of one contender, numbered as they come. */
export class Mailbox<Answer> {
  readonly #sent = new Map<
    number,
    { readonly call: Call; readonly sync: boolean; readonly answer: Answer }
  >();
  readonly #timers = new Map<number, () => void>();
  #count = 0;

  send(call: Call, sync: boolean, answer: Answer): void {
    this.#sent.set(++this.#count, { call, sync, answer });
  }

  /** Returns what cancels it. */
  arm(fire: () => void): () => void {
    const id = ++this.#count;
    this.#timers.set(id, fire);
    return () => {
      this.#timers.delete(id);
    };
  }

  take(id: number): Answer {
    const found = this.#sent.get(id);
    if (found === undefined) throw new Error(`call ${id} is not under way`);
    this.#sent.delete(id);
    return found.answer;
  }

  fire(id: number): void {
    const found = this.#timers.get(id);
    if (found === undefined) throw new Error(`timer ${id} is not armed`);
    this.#timers.delete(id);
    found();
  }

  view(told: Told): View {
    const sent = [...this.#sent].map(([id, { call, sync }]) => ({ id, call, sync }));
    return { sent, timers: [...this.#timers.keys()], told };
  }
}

/** A lock library, or ours, or a broken double, that contenders can be made of. */
export interface Subject {
  readonly name: string;
  /** A new process of it, which was told nothing. `index` tells the processes of a world apart. */
  create(index: number): Contender;
  /** What a dead owner has left. */
  readonly before: readonly Leftover[];
}

/** Of the dead owner: far older than any limit of the subjects. */
export type Leftover = {
  readonly path: string;
  readonly kind: "directory" | "file";
  readonly content?: string;
};

/** Where all of it takes place. */
export const FOLDER = "/d";
export const SESSION_FILE = "/d/a.jsonl";
export const LOCK_PATH = "/d/a.jsonl.lock";

/** How a process is called in schedules and diagrams. */
export const processName = (index: number): string => "abc"[index] ?? `p${index}`;
