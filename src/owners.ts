/** The real {@link Owners}: names from src/owner, verdicts from what can be observed here and now. */

import { basename, dirname, join } from "node:path";
import { describeOwner, explainRefusal } from "./describe.ts";
import type { Leases } from "./lease.ts";
import { formatContent, rewriteContent } from "./owner/content.ts";
import { newNonce, type OwnerScope } from "./owner/identity.ts";
import { askLifeSocket, type LifeAnswer } from "./owner/life.ts";
import { formatOwnerName, homeName, parseOwnerName } from "./owner/name.ts";
import { createJudge, createObserver } from "./owner/observe.ts";
import { INITIAL_TIME_NAMESPACES, mayAskSocket, type Verdict } from "./owner/verdict.ts";
import type { Home, OwnerPlace, Owners } from "./registry.ts";

/** How soon a life socket is asked again: so late, at most, is noticed that a process has ended. */
const ASK_AGAIN_MS = 100;

export interface OwnersOptions {
  /** Names the life socket of this process in a directory, or `-`. */
  readonly lifeIn?: (directory: string) => string;
  /** Without: nobody is ever evicted whose verdict is unknown. */
  readonly leases?: Leases;
}

export function createOwners(self: OwnerScope, options: OwnersOptions = {}): Owners {
  const { lifeIn = () => "-", leases } = options;
  const judge = createJudge(self, createObserver());
  const answers = new Answers();
  const judgeByProof = (name: string, { path, local }: OwnerPlace): Verdict => {
    const socket = answers.of(parseOwnerName(name)?.life);
    return judge(name, { file: join(path, name), local, socket });
  };
  /** Those that a life socket can tell more about than the numbers do. */
  const livesToAsk = (names: readonly string[], { path, local }: OwnerPlace): readonly string[] => {
    // A1: on a disk that is not known to be local the file may lead to a socket of another kernel.
    if (!local) return [];
    return names.flatMap((name) => {
      const owner = parseOwnerName(name);
      if (owner === undefined || !mayAskSocket(self, owner) || !answers.isDue(owner.life)) return [];
      const { verdict } = judge(name, { file: join(path, name), local, socket: "silent" });
      return verdict === "unknown" ? [owner.life] : [];
    });
  };
  /** Those about whom nothing is known, and whose silence has not been measured for a while. */
  const leasesToAsk = (names: readonly string[], place: OwnerPlace): readonly string[] => {
    if (leases === undefined || place.staleMs === undefined || place.staleMs === Infinity) return [];
    return names.filter((name) => {
      if (parseOwnerName(name) === undefined || !leases.isDue(name)) return false;
      if (judgeByProof(name, place).verdict === "unknown") return true;
      leases.defer(name);
      return false;
    });
  };
  const askLives = (lives: readonly string[], { path }: OwnerPlace): Promise<unknown> =>
    Promise.all(
      lives.map(
        (life) =>
          new Promise<void>((resolve) =>
            askLifeSocket(dirname(path), life, (answer) => {
              answers.keep(life, answer);
              resolve();
            }),
          ),
      ),
    );
  return {
    newHome: (lockPath, guest): Home => {
      const directory = dirname(lockPath);
      const nonce = newNonce();
      const name = formatOwnerName({ ...self, life: lifeIn(directory), nonce });
      // A guest has no life socket: it is whatever somebody wants to run.
      const guests = guest === undefined ? [] : [formatOwnerName({ ...guest, life: "-", nonce })];
      return { name, path: join(directory, homeName(basename(lockPath), name)), guests };
    },
    content: (name, metadata) => formatContent(parseOwnerName(name) ?? self, metadata),
    show: (file, metadata) => rewriteContent(file, formatContent(self, metadata)),
    describe: describeOwner,
    explain: explainRefusal,
    judgeLegacy: ({ pid, start = "-" }, { path, local }) => {
      // A1: field 22 depends on the reader's time namespace, and an old lock file does not say which one that was.
      const processStart = INITIAL_TIME_NAMESPACES.includes(self.timeNamespace) ? start : "-";
      const ids = { pid: String(pid), tid: String(pid), processStart, threadStart: processStart };
      const name = formatOwnerName({ ...self, ...ids, life: "-", nonce: newNonce() });
      return judge(name, { file: path, local, socket: "silent" });
    },
    isOwner: (name) => parseOwnerName(name) !== undefined,
    judge: (name, place) => {
      const proof = judgeByProof(name, place);
      if (proof.verdict !== "unknown" || leases === undefined || place.staleMs === undefined) return proof;
      return leases.judge(place.path, name, place.staleMs, proof.reason);
    },
    evicted: (name, lockPath) => leases?.evicted(lockPath, name),
    ask: (names, place) => {
      const lives = livesToAsk(names, place);
      const silent = leasesToAsk(names, place);
      if (lives.length === 0 && silent.length === 0) return undefined;
      const ask = async (): Promise<void> => {
        await askLives(lives, place);
        // A life socket may have told.
        const unknown = silent.filter((name) => judgeByProof(name, place).verdict === "unknown");
        for (const name of unknown) await leases?.look(place.path, name, place.staleMs ?? Infinity);
      };
      return (done) => void ask().then(done);
    },
  };
}

/** What life sockets said. A refusal is kept for good: a socket that its owner let go is never opened again. */
class Answers {
  readonly #answers: Map<string, { readonly answer: LifeAnswer; readonly at: number }> = new Map();

  of(life: string | undefined): LifeAnswer {
    return this.#answers.get(life ?? "-")?.answer ?? "silent";
  }

  isDue(life: string): boolean {
    const last = this.#answers.get(life);
    if (last === undefined) return true;
    return last.answer !== "refuses" && performance.now() - last.at >= ASK_AGAIN_MS;
  }

  keep(life: string, answer: LifeAnswer): void {
    if (this.of(life) === "refuses") return;
    this.#answers.delete(life);
    this.#answers.set(life, { answer, at: performance.now() });
    // Whoever was asked about longest ago is asked again, if need be.
    if (this.#answers.size > MOST_ANSWERS) this.#answers.delete([...this.#answers.keys()][0] ?? "");
  }
}

/** More owners than one process waits for at a time. */
const MOST_ANSWERS = 1_000;
