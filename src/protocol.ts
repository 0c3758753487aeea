/**
 * The protocol: an owner directory, renamed in and renamed back. The actions are those of
 * tla/OwnerDirectory.tla, one `yield` (or, for a call from outside, one exported function) each, in the same
 * words; spec/protocol.md has a section for each. What the specification
 * can lose (Broken) is caught by a configuration of tla/models.json, and by a double in test/twins.
 */

import type { DiskCall, DiskFailure, DiskReply } from "./disk.ts";
import { errnoText, type LockOwner, printable, SessionWriteLockError } from "./errors.ts";
import { isKnownJunk } from "./owner/name.ts";
import {
  type Attempt,
  type Debt,
  type DebtStep,
  type Entry,
  type Heartbeat,
  type Home,
  NO_EVICTIONS,
  namesOf,
  type OwnerPlace,
  type Patience,
} from "./registry.ts";
import type { CallAction, Part, Run, Step, TurnAction, Wakeable } from "./steps.ts";

/**
 * How long the lock goes from task to task in memory before it goes back to the disk: others wait there.
 * Long enough that the way over the disk is a small part, short enough that nobody notices.
 */
export const HAND_OVER_MS = 20;
/** The first wait for a lock that somebody holds; each further one is half as long again. */
const FIRST_WAIT_MS = 1;
/** The longest wait: how late a free lock may be noticed. */
const LONGEST_WAIT_MS = 15;
/** How long a process stands aside after it was fair: longer than the longest wait, jitter included. */
export const ASIDE_MS = 20;
/** The same for those who are told, and come at once ... */
export const SHORT_ASIDE_MS = 2;
/** ... so many times in a row. Then it is long: somebody may poll. In all that is less than 100 ms for him. */
const SHORT_ASIDES = 2;
/** Who was told, or called, within this time is under contention: others were faster, and L changes all the time. */
const LATELY_MS = 50;
/** How long whoever has a place in the line waits to be called, before it polls: longer than the turns of five others. */
export const IN_LINE_MS = 25;
/** The first poll after a watcher was set. */
export const SOON_MS = 3;
/** Waits vary by this much to either side, so that contenders do not march in step. */
const JITTER = 0.25;
/**
 * A process makes no new home while it owes this many names for a lock path: on a disk that refuses to take
 * names away, debts are bounded.
 */
export const MAX_DEBTS = 4;
/** A home may fail us this many times in a row before the disk's error is the answer. */
export const MOST_FAILURES = 3;
/** "Free, yet refused" this often in a row is not a race with others any more: wait between. */
export const MOST_SPINS = 2;
/** What is owed is tried again after this long, and then twice as long each time ... */
const FIRST_RETRY_MS = 10;
/** ... up to this. */
const LONGEST_RETRY_MS = 5_000;

// ------------------------------------------------------------------------------------------------
// Calls from outside

/** Called once, when a release is over; with the error if the lock could not be taken off the disk yet. */
type Settled = (error: Error | undefined) => void;

/** `Request`: join the holders, become the contender, or queue. */
export function request(entry: Entry, attempt: Attempt): void {
  entry.tracer?.called("Request", attempt);
  if (attempt.reentrant && isShared(entry) && !entry.lost) {
    entry.held.add(attempt);
    attempt.granted();
    return;
  }
  const free = entry.held.size === 0 && entry.contender === null && entry.queue.size === 0;
  // Not while RELEASING: the old name is still at L, and would be taken for a lost reply.
  if (free && entry.releasing === null) {
    contendWith(entry, attempt);
    return;
  }
  entry.queue.push(attempt);
  attempt.waits?.();
}

/** `GiveUp`: a timeout or an AbortSignal. The caller has rejected the attempt's promise. */
export function giveUp(entry: Entry, attempt: Attempt): void {
  entry.tracer?.called("GiveUp", attempt);
  if (entry.queue.delete(attempt)) return;
  if (entry.contender !== attempt) return;
  if (entry.wait === null) {
    // A call is under way, and may yet take the lock: the slot is kept until its turn.
    attempt.gaveUp = true;
    return;
  }
  // The heir takes over the slot and the wait; without one the wait is over for good.
  entry.contender = entry.queue.shift() ?? null;
  if (entry.contender === null) {
    entry.wait.cancel();
    entry.wait = null;
    leaveLine(entry);
    leaveHome(entry);
    entry.services.quiet(entry);
  }
}

/** `LetGo`: the guest works from here on. Only under the lock: it owns it whatever becomes of us. */
export function letGo(entry: Entry, attempt: Attempt): void {
  if (!entry.held.has(attempt)) throw new Error(`session-write-lock: ${entry.lockPath} is not held (a bug)`);
  entry.tracer?.called("LetGo", attempt);
  attempt.guest?.letGo();
}

/**
 * `Release`: the last holder hands over in memory, or moves the lock to RELEASING and goes to the disk.
 * `settled` is called once, with the error if the lock could not be taken off the disk yet. Of a handle that was
 * revoked nothing is left to give back.
 * Whoever has a guest waits for its end before.
 */
export function release(entry: Entry, attempt: Attempt, settled: Settled): void {
  entry.tracer?.called("Release", attempt);
  if (attempt.revoked) {
    // Nothing is left to give back: the watchdog did.
    attempt.revoked = false;
    settled(undefined);
    return;
  }
  endHold(entry, attempt, settled);
}

/**
 * `Expire`: the watchdog takes the lock away from a holder that has it for too long. What its holder writes from now
 * on is not excluded from what others write.
 */
export function expire(entry: Entry, attempt: Attempt, settled: Settled): void {
  entry.tracer?.called("Expire", attempt);
  attempt.revoked = true;
  endHold(entry, attempt, settled);
}

function endHold(entry: Entry, attempt: Attempt, settled: Settled): void {
  if (entry.held.size > 1) {
    entry.held.delete(attempt);
    settled(undefined);
    return;
  }
  const heir = entry.queue.head;
  if (heir !== undefined && !entry.lost && mayHandOver(entry)) {
    entry.held.delete(attempt);
    give(entry, heir);
    settled(undefined);
    return;
  }
  const name = entry.home?.name ?? "";
  entry.held.delete(attempt);
  entry.releasing = { name, aside: heir !== undefined };
  entry.services.drive(leaveDisk(entry, settled), entry.tracer);
}

/** From the first hand-over on: how long the first holder had the lock is his business. */
function mayHandOver(entry: Entry): boolean {
  const { clock } = entry.services;
  entry.handsOverSince ??= clock.now();
  return clock.now() - entry.handsOverSince < HAND_OVER_MS;
}

// ------------------------------------------------------------------------------------------------
// Contending: one run per entry, whoever the contender is meanwhile

function contendWith(entry: Entry, attempt: Attempt, aside?: Aside): void {
  entry.contender = attempt;
  entry.services.drive(contend(entry, aside), entry.tracer);
}

/** How a process stands aside after it was fair: behind whom it has called, or until others will have noticed. */
type Aside = { readonly kind: "called" } | { readonly kind: "released"; readonly ms: number };

function* contend(entry: Entry, aside?: Aside): Run {
  let patience = newPatience(entry);
  // Mostly nobody has the lock, and a call of some 5 µs is not worth a thread. Whoever is told comes to a free lock, if it
  // comes soon. Whoever polls does so in the thread pool.
  let takes = 0;
  if (aside !== undefined) yield* standAside(entry, patience, aside);
  while (entry.contender !== null) {
    if (patience.contender !== entry.contender) patience = newPatience(entry);
    if (entry.home === null && entry.owes.size >= MAX_DEBTS) {
      yield* backOff(entry, patience);
      continue;
    }
    if (entry.home === null && !(yield* prepare(entry))) continue;
    const { heartbeat } = entry.services;
    if (heartbeat?.isOld(entry) === true && !freshen(entry, heartbeat)) continue;
    show(entry, homeOf(entry).path, entry.contender);
    const taking = call("Take", "async", rename(homeOf(entry).path, entry.lockPath));
    const told = wasToldLately(entry);
    const outcome = takeOutcome(yield takes === 0 || told ? promptly(entry, taking) : taking);
    takes++;
    const mine =
      outcome.kind === "taken"
        ? yield* verify(entry, patience)
        : yield* refused(entry, patience, outcome.failure, told);
    if (mine) {
      entry.services.turns?.taken(entry.lockPath, takes > 1 || aside !== undefined);
      yield* granted(entry);
      return;
    }
  }
}

function* standAside(entry: Entry, patience: Patience, aside: Aside): Part<void> {
  if (aside.kind === "released") yield* wait(entry, aside.ms);
  else if (takePlace(entry, patience)) yield* listen(entry, jittered(entry, IN_LINE_MS));
  // Whoever was called comes; without that we would be faster.
  else yield* wait(entry, SHORT_ASIDE_MS);
}

function newPatience(entry: Entry): Patience {
  const { contender, services } = entry;
  const since = services.clock.now();
  entry.patience = { contender, spins: 0, failures: 0, waitMs: FIRST_WAIT_MS, since };
  return entry.patience;
}

/** `Prepare`: mkdir(home), create home/own; and home/guest, so that both are owners from the first moment. */
function* prepare(entry: Entry): Part<boolean> {
  const { owners } = entry.services;
  const home = owners.newHome(entry.lockPath, entry.contender?.guest?.scope);
  const metadata = entry.contender?.metadata ?? "";
  const files = namesOf(home).map((name) => ({ name, content: owners.content(name, metadata) }));
  const reply = yield call("Prepare", "sync", { call: "prepare", home: home.path, files });
  if (reply.ok) {
    entry.home = home;
    entry.services.heartbeat?.made(entry);
    entry.shown = metadata;
    return true;
  }
  oweHome(entry, home);
  fail(entry, cannot(entry, "make the owner directory", reply));
  passSlot(entry);
  return false;
}

/** Extra (spec/lease.md): a home that lay idle beats before its `Take`, or is given up. */
function freshen(entry: Entry, heartbeat: Heartbeat): boolean {
  if (heartbeat.freshen(entry, homeOf(entry))) return true;
  giveUpHome(entry);
  return false;
}

type TakeOutcome =
  | { readonly kind: "taken" }
  /** `clean`: something stands at L. Anything else may have happened, or may happen later. */
  | { readonly kind: "refused"; readonly failure: Refusal };
type Refusal = DiskFailure & { readonly clean: boolean };

/** What POSIX and its file systems say when rename finds a non-empty directory, a file or a symlink at L. */
const CLEAN_REFUSALS = ["ENOTEMPTY", "EEXIST", "ENOTDIR"];

function takeOutcome(reply: DiskReply): TakeOutcome {
  if (reply.ok) return { kind: "taken" };
  return { kind: "refused", failure: { clean: CLEAN_REFUSALS.includes(reply.errno), ...reply } };
}

/** `Verify`: exactly the names that we prepared, known junk aside; else the home is given up. */
function* verify(entry: Entry, patience: Patience): Part<boolean> {
  const reply = yield call("Verify", "sync", readdir(entry.lockPath));
  if (isExactly(reply, homeOf(entry))) return true;
  yield turn("Refused");
  // The home had lost its file (an empty L would let a second one in), or the disk merges directories.
  giveUpHome(entry);
  const why = reply.ok ? `it holds ${listed(reply.names)} instead of what we made` : reply.errno;
  const error = cannot(entry, "verify the lock", reply.ok ? undefined : reply, why);
  yield* waitOrLeave(entry, error, ++patience.failures);
  return false;
}

/** Extra (A2): a lock that is found to be lost is held by nobody; only giving it back is left. */
export function loseLock(entry: Entry, error: SessionWriteLockError): void {
  entry.lost = true;
  for (const holder of entry.held) holder.lost(error);
}

/** `Granted`: into HELD_LOCKS. One that gave up meanwhile passes the lock on, or takes it off the disk. */
function* granted(entry: Entry): Part<void> {
  yield turn("Granted");
  const contender = entry.contender;
  entry.contender = null;
  stopWaiting(entry);
  entry.obstacle = undefined;
  entry.handsOverSince = undefined;
  entry.lost = false;
  entry.services.heartbeat?.held(entry);
  const heir = contender?.gaveUp === true ? entry.queue.head : contender;
  if (heir !== undefined && heir !== null) {
    give(entry, heir);
    return;
  }
  entry.releasing = { name: homeOf(entry).name, aside: false };
  yield* leaveDisk(entry, () => {});
}

/** `Refused`, `Look`, `Judge`: who has it? True if it turns out that we do (the reply was lost). */
function* refused(entry: Entry, patience: Patience, refusal: Refusal, told: boolean): Part<boolean> {
  yield turn("Refused");
  if (refusal.clean && entry.contender?.gaveUp === true) {
    passSlot(entry);
    return false;
  }
  const looking = call("Look", "async", readdir(entry.lockPath));
  const seen = yield told ? promptly(entry, looking) : looking;
  const ask = seen.ok ? entry.services.owners.ask?.(seen.names, placeOf(entry)) : undefined;
  if (ask !== undefined) yield { kind: "ask", ask };
  yield turn("Judge");
  const names = seen.ok ? seen.names : [];
  const { home } = entry;
  // ENOTDIR: what stands at L is no directory, but a link that the Look followed may lead to our home.
  const mine = home !== null && names.includes(home.name) && refusal.errno !== "ENOTDIR";
  if (mine) return yield* verify(entry, patience);
  if (!refusal.clean) {
    giveUpHome(entry);
    const error = cannot(entry, "take the lock", refusal, explain(entry, refusal.errno), names[0]);
    yield* waitOrLeave(entry, error, ++patience.failures);
    return false;
  }
  patience.failures = 0;
  if (entry.contender?.gaveUp === true) {
    passSlot(entry);
    return false;
  }
  yield* judge(entry, patience, seen, refusal);
  return false;
}

/** The rest of `Judge`: free, dead, or wait. */
function* judge(entry: Entry, patience: Patience, seen: DiskReply, refusal: Refusal): Part<void> {
  const { owners } = entry.services;
  const present = seen.ok ? seen.names.filter((name) => !isKnownJunk(name)) : [];
  const foreign = present.filter((name) => !owners.isOwner(name));
  if (refusal.errno === "ENOTDIR") {
    // Extra (spec/decisions/0005): only on request, only if its owner is proved dead.
    if (entry.contender?.migrates === true && entry.services.migrateLegacy?.(placeOf(entry)) === true) return;
    // A file or a symbolic link, dangling or not: rename does not follow it, and neither may what we saw.
    const errno = seen.ok || seen.errno === "ENOENT" ? refusal.errno : seen.errno;
    entry.obstacle = { kind: "foreign", what: `a file or a symbolic link: ${errno}` };
  } else if (!seen.ok && seen.errno !== "ENOENT") {
    // We cannot even look. Never ours to touch.
    entry.obstacle = { kind: "foreign", what: errnoText(seen.error) };
  } else if (foreign.length > 0) {
    entry.obstacle = { kind: "foreign", what: `a directory that holds ${listed(foreign)}` };
  } else if (present.length > 0) {
    noteOvertaken(entry);
    const judged = present.map((name) => ({ name, ...owners.judge(name, placeOf(entry)) }));
    const survivor = judged.find(({ verdict }) => verdict !== "dead" && verdict !== "lapsed");
    if (survivor === undefined) {
      yield* evict(entry, patience, judged);
      return;
    }
    entry.obstacle = { kind: "owner", name: survivor.name, verdict: survivor.reason };
  } else {
    yield* freeYetRefused(entry, patience, seen, refusal);
    return;
  }
  patience.spins = 0;
  yield* waitForOthers(entry, patience);
}

/** Absent or empty by now: `Take` again, at once; refused too often, after a while. */
function* freeYetRefused(entry: Entry, patience: Patience, seen: DiskReply, refusal: Refusal): Part<void> {
  const stands = seen.ok;
  const junk = stands ? seen.names : [];
  // Extra (spec/protocol.md): known junk goes, by its exact names, when no owner is left. Some of it is directories.
  for (const name of junk) {
    const path = `${entry.lockPath}/${name}`;
    if (!entry.services.disk.now(unlink(path)).ok) entry.services.disk.now({ call: "rmdir", path });
  }
  entry.obstacle =
    junk.length > 0
      ? { kind: "foreign", what: `a directory without an owner that holds ${listed(junk)}` }
      : { kind: "refusal", errno: refusal.errno };
  const cleared = stands && !entry.services.disk.renameReplacesEmpty ? yield* clear(entry) : true;
  if (++patience.spins > MOST_SPINS || !cleared) yield* waitForOthers(entry, patience);
}

/** `Clear`: where rename does not replace an empty directory, it goes first. Only an empty one can. */
function* clear(entry: Entry): Part<boolean> {
  const reply = yield call("Clear", "sync", { call: "rmdir", path: entry.lockPath });
  // Refused cleanly, or gone: others were faster, and the Take will tell.
  return reply.ok || reply.errno === "ENOENT" || CLEAN_REFUSALS.includes(reply.errno);
}

/** Or one whose lease has lapsed. */
interface DeadOwner {
  readonly name: string;
  readonly reason: string;
}

/** `Evict`: a compare-and-delete by name, which is used once. Only of the dead, and of those whose lease has lapsed. */
function* evict(entry: Entry, patience: Patience, dead: readonly DeadOwner[]): Part<void> {
  for (const { name, reason } of dead) {
    const owner = entry.services.owners.describe?.(name, entry.lockPath, reason);
    const reply = yield call("Evict", "sync", unlink(`${entry.lockPath}/${name}`));
    // Of all who evict it the disk says so to one. Whoever gets ENOENT has not evicted anybody.
    if (reply.ok && owner !== undefined) noteEviction(entry, owner);
    if (reply.ok) entry.services.owners.evicted?.(name, entry.lockPath);
    if (reply.ok || reply.errno === "ENOENT") continue;
    const why = explain(entry, reply.errno);
    entry.obstacle = { kind: "owner", name, verdict: `dead, but it cannot be evicted: ${why}` };
    yield* waitForOthers(entry, patience);
    return;
  }
}

function noteEviction(entry: Entry, owner: LockOwner): void {
  const { owners, overtaken } = entry.evictions;
  entry.evictions = { owners: [...owners, owner], overtaken };
}

/** Whoever is seen at L, and was not evicted by us, came after those that were. */
function noteOvertaken(entry: Entry): void {
  const { owners } = entry.evictions;
  if (owners.length > 0) entry.evictions = { owners, overtaken: true };
}

/** After a home was given up: wait and try again; or, given up or one error too many, leave. */
function* waitOrLeave(entry: Entry, error: SessionWriteLockError, failures: number): Part<void> {
  if (entry.contender?.gaveUp !== true && failures < MOST_FAILURES) {
    yield* wait(entry, jittered(entry, FIRST_WAIT_MS * failures), error);
    return;
  }
  fail(entry, error);
  passSlot(entry);
}

/** What stands in the way is at L: being told of a change there, or being called, ends the wait. */
function* waitForOthers(entry: Entry, patience: Patience): Part<void> {
  if (wasToldLately(entry)) {
    // What it was told of may have come after the Look.
    if (entry.watching !== undefined) patience.waitMs = Math.min(patience.waitMs, SOON_MS);
    // Who listened to every change would be busy with nothing else.
    stopListening(entry);
    const ms = entry.place?.isOpen() === true ? IN_LINE_MS : SOON_MS;
    if (takePlace(entry, patience)) yield* listen(entry, jittered(entry, ms));
    else yield* backOff(entry, patience);
    return;
  }
  const { watch } = entry.services;
  // Elsewhere a watcher does not see what other machines do.
  if (entry.local && watch !== undefined && entry.watching?.isOpen() !== true) {
    entry.watching = watch(entry.lockPath, () => changed(entry));
    // The Look was before: what has happened since is found by a poll that comes soon.
    if (entry.watching !== undefined) patience.waitMs = Math.min(patience.waitMs, SOON_MS);
  }
  yield* listen(entry, nextWait(entry, patience));
}

/** Waits for so long, unless it is told or called before. */
function* listen(entry: Entry, ms: number): Part<void> {
  entry.listens = true;
  yield* wait(entry, ms);
  entry.listens = false;
}

/** In the line, by the time when its contention began. Whether it has one. */
function takePlace(entry: Entry, { since }: Patience): boolean {
  const { contender, home, local, lockPath, services } = entry;
  if (entry.place?.isOpen() === true) return true;
  if (!local || home === null || contender?.leaves === true) return false;
  const waitedMs = services.clock.now() - since;
  const place = { owner: home.name, since: Date.now() - waitedMs };
  entry.place = services.line?.join(lockPath, place, () => changed(entry));
  return entry.place !== undefined;
}

/** Something at L may have changed: an early `Wake`, if the contender waits for that. */
function changed(entry: Entry): void {
  entry.toldAt = entry.services.clock.now();
  if (entry.wait !== null && entry.listens) entry.wait.wake();
}

const wasToldLately = ({ services, toldAt }: Entry): boolean => services.clock.now() - toldAt < LATELY_MS;

/** Whether it was called. */
function stopWaiting(entry: Entry): boolean {
  stopListening(entry);
  const wasCalled = entry.place?.stop() === true;
  entry.place = undefined;
  entry.listens = false;
  return wasCalled;
}

/** Nobody here comes: if somebody was called, the next one is. */
export function leaveLine(entry: Entry): void {
  if (stopWaiting(entry)) entry.services.line?.callFirst(entry.lockPath);
}

function stopListening(entry: Entry): void {
  entry.watching?.stop();
  entry.watching = undefined;
}

function* backOff(entry: Entry, patience: Patience): Part<void> {
  yield* wait(entry, nextWait(entry, patience));
}

/** Each is half as long again as the one before. */
function nextWait(entry: Entry, patience: Patience): number {
  const ms = patience.waitMs;
  patience.waitMs = Math.min(LONGEST_WAIT_MS, ms * 1.5);
  return jittered(entry, ms);
}

/** Sleeps; `Wake` is the turn in which it ends. */
function* wait(entry: Entry, ms: number, error?: SessionWriteLockError): Part<void> {
  yield {
    kind: "sleep",
    ms,
    arm: (wake: Wakeable) => {
      entry.wait = wake;
      entry.contender?.waits?.(error);
    },
  };
  yield turn("Wake");
  entry.wait = null;
}

// ------------------------------------------------------------------------------------------------
// Releasing

/** The way off the disk: `Check`, `PutBack`, `Confirm` in one turn on a local disk; else a `Drop`. */
function* leaveDisk(entry: Entry, settled: Settled): Run {
  const home = homeOf(entry);
  // Each name goes by itself: the guest has ended, or was never let go.
  for (const name of home.guests) owe(entry, home, name, "unlinkLock");
  // A holder that missed a beat may be evicted at any moment (spec/lease.md): only by its own name may it let go.
  const mayPutBack =
    entry.local && home.guests.length === 0 && entry.services.heartbeat?.missed(entry) !== true;
  const back = mayPutBack ? yield* putBack(entry, home) : "drop";
  let paid = true;
  if (back === "drop" || back === "failed") {
    const reply = yield call("Drop", "async", unlink(`${entry.lockPath}/${home.name}`));
    yield turn("Released");
    const missed = !reply.ok && reply.errno === "ENOENT";
    paid = reply.ok || missed;
    entry.home = null;
    // Missed: a PutBack that was reported as failed may have happened, so our file may lie in the home.
    if (!reply.ok) owe(entry, home, home.name, "unlinkHome", reply.error);
    if (missed && back !== "failed") lostOnRelease(entry, "our name was not there any more");
    settled(paid ? undefined : cannotRelease(entry, reply));
  } else {
    yield turn("Released");
    if (back !== "back") {
      entry.home = null;
      oweHome(entry, home);
      if (back === "lost") lostOnRelease(entry, "what came back from it was not exactly our name");
      else lostOnRelease(entry, "what came back from it could not be read", "may have been lost");
    }
    settled(undefined);
  }
  // A release that failed is owed: it stays in RELEASING, and nobody of this process contends meanwhile.
  if (paid) endRelease(entry);
}

/** "drop": it may not be put back; "failed": it could not; "lost": what came back was not ours; "unread": it may not be. */
function* putBack(entry: Entry, home: Home): Part<"back" | "drop" | "failed" | "lost" | "unread"> {
  const check = yield call("Check", "sync", readdir(entry.lockPath));
  if (!isExactly(check, home)) return "drop";
  // The one call that is not conditional by name: synchronous, in the turn of its check, never queued.
  const moved = yield call("PutBack", "sync", rename(entry.lockPath, home.path));
  // Nothing at L to be moved: it was taken away after the check, and the Drop will miss it.
  if (!moved.ok) return moved.errno === "ENOENT" ? "drop" : "failed";
  const confirm = yield call("Confirm", "sync", readdir(home.path));
  if (isExactly(confirm, home)) return "back";
  yield call("Restore", "sync", rename(home.path, entry.lockPath));
  return confirm.ok ? "lost" : "unread";
}

/** Somebody changed what stood at L while we held it (A2): noticed here, and reported. */
function lostOnRelease(entry: Entry, why: string, what = "was lost"): void {
  entry.services.warn(`session lock ${entry.lockPath} ${what} while it was held: ${why}`, "SWL_LOST");
}

/** Out of RELEASING; the head of the queue becomes the contender, aside if the release was for others. */
function endRelease(entry: Entry): void {
  const isFair = entry.releasing?.aside === true;
  entry.releasing = null;
  const called = entry.services.turns?.free(entry.lockPath, entry.local) === true;
  const next = entry.queue.shift();
  if (next === undefined) entry.services.quiet(entry);
  else contendWith(entry, next, isFair ? asideOf(entry, called) : undefined);
}

/** Unless somebody was called, nobody here can know whether others wait, nor whether they are told. */
function asideOf(entry: Entry, called: boolean): Aside {
  if (called) return { kind: "called" };
  const mayBeTold = entry.local && entry.services.watch !== undefined;
  if (!mayBeTold || entry.shortAsides >= SHORT_ASIDES) {
    entry.shortAsides = 0;
    return { kind: "released", ms: ASIDE_MS };
  }
  entry.shortAsides++;
  return { kind: "released", ms: SHORT_ASIDE_MS };
}

// ------------------------------------------------------------------------------------------------
// Debts

/** A name must leave the disk, sooner or later: tried until it has. */
function owe(entry: Entry, home: Home, name: string, step: DebtStep, lastError?: Error): void {
  const debt: Debt = { home, name, step, lastError };
  entry.owes.set(name, debt);
  entry.services.drive(pay(entry, debt), entry.tracer);
}

/** Every name of a home, wherever it is. */
function oweHome(entry: Entry, home: Home): void {
  for (const name of namesOf(home)) owe(entry, home, name, "unlinkHome");
}

const AFTER: Readonly<Record<DebtStep, DebtStep | "paid">> = {
  unlinkHome: "rmdirHome",
  unlinkLock: "rmdirHome",
  rmdirHome: "paid",
};

/**
 * `Retry`: unlink(home/own); if that is ENOENT, unlink(L/own); then rmdir(home), which only tidies and is
 * tried once. `Retried` when paid.
 */
function* pay(entry: Entry, debt: Debt): Run {
  let delay = FIRST_RETRY_MS;
  for (;;) {
    const reply = yield call("Retry", "async", debtCall(entry, debt));
    const next = afterRetry(debt.step, reply);
    if (next === "paid") break;
    if (next !== "again") {
      debt.step = next;
      continue;
    }
    debt.lastError = reply.ok ? undefined : reply.error;
    yield { kind: "sleep", ms: jittered(entry, delay), background: "background", arm: () => {} };
    delay = Math.min(LONGEST_RETRY_MS, delay * 2);
  }
  yield turn("Retried");
  entry.owes.delete(debt.name);
  if (entry.releasing?.name === debt.name) endRelease(entry);
  else entry.services.quiet(entry);
}

function debtCall(entry: Entry, { step, home, name }: Debt): DiskCall {
  if (step === "rmdirHome") return { call: "rmdir", path: home.path };
  return unlink(`${step === "unlinkHome" ? home.path : entry.lockPath}/${name}`);
}

function afterRetry(step: DebtStep, reply: DiskReply): DebtStep | "paid" | "again" {
  // An empty directory that stays harms nobody, and the sweep finds it by its name.
  if (reply.ok || step === "rmdirHome") return AFTER[step];
  // ENOTDIR: a file took the directory's place. ENAMETOOLONG: a home whose name is too long was never made.
  const never = step === "unlinkHome" && reply.errno === "ENAMETOOLONG";
  const gone = reply.errno === "ENOENT" || reply.errno === "ENOTDIR";
  if (!gone && !never) return "again";
  return step === "unlinkHome" ? "unlinkLock" : AFTER[step];
}

// ------------------------------------------------------------------------------------------------
// Pieces

/** The lock goes to `heir`, and to everybody who waits here too, if all are reentrant. */
function give(entry: Entry, heir: Attempt): void {
  // The next who shares waits behind all whom this looks at: so none of them is looked at again.
  const group = heir.reentrant ? [heir, ...[...entry.queue].filter((other) => other.reentrant)] : [heir];
  for (const holder of group) {
    entry.queue.delete(holder);
    entry.held.add(holder);
  }
  show(entry, entry.lockPath, heir);
  const { evictions } = entry;
  entry.evictions = NO_EVICTIONS;
  heir.granted(evictions);
  for (const holder of group) if (holder !== heir) holder.granted();
}

/** Does somebody hold, and share? Of several holders every one does: an exclusive one is alone. */
function isShared({ held }: Entry): boolean {
  for (const holder of held) return holder.reentrant;
  return false;
}

/** Extra: our owner file, in our home or at L, shows the metadata of the task that asks for the lock, or has it. */
function show(entry: Entry, directory: string, { metadata = "" }: Attempt): void {
  if (entry.home === null || entry.shown === metadata) return;
  entry.shown = metadata;
  entry.services.owners.show?.(`${directory}/${entry.home.name}`, metadata);
}

/** The contender leaves the slot; the head of the queue, if any, goes on with the contention. */
function passSlot(entry: Entry): void {
  entry.contender = entry.queue.shift() ?? null;
  if (entry.contender !== null) return;
  leaveLine(entry);
  leaveHome(entry);
  entry.services.quiet(entry);
}

/**
 * Nobody here contends any more. Where a Take that was refused may run once more (a retransmission on a
 * network file system), its home must not lie idle: the name could come to L when nobody thinks of it. Nor where a
 * guest is named in it, who is another one next time.
 */
function leaveHome(entry: Entry): void {
  const { home, local } = entry;
  const named = home !== null && home.guests.length > 0;
  if (!local || named) giveUpHome(entry);
}

/** The home is of no more use, and its names are owed. */
function giveUpHome(entry: Entry): void {
  const { home } = entry;
  entry.home = null;
  if (home !== null) oweHome(entry, home);
}

function fail(entry: Entry, error: SessionWriteLockError): void {
  if (entry.contender?.gaveUp === false) entry.contender.failed(error);
}

const placeOf = ({ lockPath, local, contender }: Entry): OwnerPlace => ({
  path: lockPath,
  local,
  staleMs: contender?.staleMs,
});

function homeOf(entry: Entry): Home {
  if (entry.home === null) throw new Error(`session-write-lock: no home for ${entry.lockPath} (a bug)`);
  return entry.home;
}

/** Does a readdir show the names of this home and, known junk aside, no other? */
export function isExactly(reply: DiskReply, home: Home): boolean {
  if (!reply.ok) return false;
  const { names } = reply;
  const expected = namesOf(home);
  let found = 0;
  for (const name of names) if (!isKnownJunk(name)) found++;
  return found === expected.length && expected.every((name) => names.includes(name));
}

function jittered(entry: Entry, ms: number): number {
  return ms * (1 + JITTER * (2 * entry.services.clock.random() - 1));
}

const explain = ({ services, lockPath }: Entry, errno: string): string =>
  services.owners.explain?.(errno, lockPath) ?? errno;

/** `owner`: the name of whoever has it, as far as it was seen. */
function cannot(
  entry: Entry,
  what: string,
  failure?: DiskFailure,
  why = failure?.errno,
  owner?: string,
): SessionWriteLockError {
  const isOwner = owner !== undefined && entry.services.owners.isOwner(owner);
  const verdict = "it was not judged";
  return new SessionWriteLockError(`Cannot ${what} at ${entry.lockPath}: ${why}`, {
    code: "EDISK",
    sessionFile: entry.sessionFile,
    lockPath: entry.lockPath,
    cause: failure?.error,
    owner: isOwner ? entry.services.owners.describe?.(owner, entry.lockPath, verdict) : undefined,
  });
}

function cannotRelease(entry: Entry, reply: DiskReply): SessionWriteLockError {
  const errno = reply.ok ? "" : reply.errno;
  return new SessionWriteLockError(
    `Cannot take the session lock off the disk at ${entry.lockPath}: ${errno}. ` +
      "It is not held any more, and this process keeps trying",
    {
      code: "ERELEASE",
      sessionFile: entry.sessionFile,
      lockPath: entry.lockPath,
      cause: reply.ok ? undefined : reply.error,
    },
  );
}

/** The first few names, quoted: names planted by others may be anything. */
function listed(names: readonly string[]): string {
  if (names.length === 0) return "nothing";
  const few = names.slice(0, 3).map((name) => printable(JSON.stringify(name.slice(0, 80))));
  return few.join(", ") + (names.length > few.length ? ` and ${names.length - few.length} more` : "");
}

const call = (action: CallAction, mode: "sync" | "async", diskCall: DiskCall): Step & { kind: "call" } => ({
  kind: "call",
  action,
  mode,
  call: diskCall,
});
/** On a disk known to be local a call that is asynchronous may be made at once. */
const promptly = ({ local }: Entry, { action, mode, call }: Step & { kind: "call" }): Step => ({
  kind: "call",
  action,
  mode,
  atOnce: local,
  call,
});
const turn = (action: TurnAction): Step => ({ kind: "turn", action });
const rename = (from: string, to: string): DiskCall => ({ call: "rename", from, to });
const readdir = (path: string): DiskCall => ({ call: "readdir", path });
const unlink = (path: string): DiskCall => ({ call: "unlink", path });
